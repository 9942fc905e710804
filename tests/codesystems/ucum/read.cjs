// Reads a JSON list of expressions, writes for each: the powers of ucum-lhc's base units, or null where it is no code.
const { UcumLhcUtils } = require("@lhncbc/ucum-lhc");

console.log = console.info = () => {};
const ucum = UcumLhcUtils.getInstance();
const codes = JSON.parse(require("fs").readFileSync(0, "utf8"));
const read = (code) => {
  const found = ucum.validateUnitString(code);
  if (found.status !== "valid" || found.ucumCode !== code) return null;
  const { unit } = ucum.getSpecifiedUnit(code, "validate");
  return (unit.dim_ && unit.dim_.dimVec_) || [];
};
process.stdout.write(JSON.stringify(codes.map(read)));
