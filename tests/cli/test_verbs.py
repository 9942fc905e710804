"""The operations on the command line: what is printed where, the exit code, and names that people write."""

import json
from pathlib import Path

import pytest
from fhir_models import parsed

from terminology import Terminology
from terminology.cli import verbs
from terminology.operations import BY_NAME, OPERATIONS

CPT = "http://www.ama-assn.org/go/cpt"
OWN_USE = "bone-marrow-harvest-own-use"


# --- exit codes and what stands where ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        (["lookup", "cpt", "38232"], 0, "donor-type"),
        (["lookup", "cpt", "38232", "--property", "site"], 0, "iliac-crest"),
        (["lookup", "cpt", "38232", "--display-language", "de"], 0, "Knochenmark"),
        (["lookup", "cpt", "38230", "--version", "2011"], 0, "2011"),
        (["validate-code", "38232", "--system", "cpt"], 0, "valid\n"),
        (["validate-code", "38232", "--system", "cpt", "--value-set", OWN_USE], 0, "valid\n"),
        (["validate-code", "38230", "--system", "cpt", "--value-set", OWN_USE], 1, "not valid\n"),
        (["validate-code", "38230", "--system", "cpt", "--value-set", OWN_USE], 1, f"suggestion: {CPT}#38232"),
        (["validate-code", "38232", "--value-set", OWN_USE, "--infer-system"], 0, "valid\n"),
        (["validate-code", "38232", "--system", "cpt", "--date", "2011-12-31"], 1, "not valid\n"),
        (["validate-code", "38232", "--system", "cpt|2011"], 1, "cannot be judged\n"),
        (["validate-code", "99999", "--system", "cpt"], 1, "cannot be judged\n"),
        (["validate-code", "38230", "--system", "cpt", "--date", "2010-06-01"], 1, "cannot be judged\n"),
        (["validate-code", "38232", "--system", "cpt", "--date", "2010-06-01"], 1, "not valid\n"),
        (["validate-code", "1", "--system", "http://example.org/none"], 1, "not valid\n"),
        (["expand", "bone-marrow-harvest"], 0, "38230"),
        (["expand", "bone-marrow-harvest", "--filter", "patient"], 0, "total                 1"),
        (["subsumes", "cpt", "38230", "38232"], 0, "not-subsumed"),
        (["translate", "cpt", "38232"], 0, "ops#5-410.00"),
        (["translate", "cpt", "38232", "--target-system", "http://loinc.org"], 1, "No translation"),
    ],
)
def test_an_answer_goes_to_standard_output(terminology, command, code, said):
    result = terminology(*command)
    assert said in result.stdout
    assert (result.exit_code, result.stderr) == (code, "")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["lookup", "cpt", "99999"], "error: Unknown code '99999'"),
        (["lookup", "http://example.org/none", "1"], "error: The CodeSystem 'http://example.org/none' is not known"),
        (["lookup", "https://www.ama-assn.org/go/cpt/", "38232"], f"suggestion: {CPT}#38232"),
        (["lookup", "cpt", "38232", "--date", "2011-12-31"], "not valid on 2011-12-31"),
        (["expand", "http://example.org/none"], "error: A definition for the value Set 'http://example.org/none'"),
        (["expand", "bone-marrow-harvest", "--count", "10001"], "page_limit"),
        (["subsumes", "cpt", "38230", "99999"], "error: Unknown code '99999'"),
        (["lookup", "cpt"], "Error: Missing argument 'CODE'"),
        (["lookup", "cpt", "1", "--dispaly"], "--dispaly"),
        (["lookup", "xyzzy", "1"], "there is no code-system called 'xyzzy'. `terminology list code-systems` shows"),
        (["expand", "bone-marrow"], "there is no value-set called 'bone-marrow'. Did you mean:\n  https://"),
        (["validate-code", "1", "--system", "cpt", "--code-system", "x.json"], "does not exist"),
        (["lookup", "cpt", "1", "--content", "nowhere"], "error: content: there is no file or folder nowhere"),
    ],
)
def test_what_cannot_be_answered_is_said_on_standard_error_with_exit_code_2(terminology, command, said):
    result = terminology(*command)
    assert said in result.stderr
    assert (result.exit_code, result.stdout) == (2, "")


def test_one_reason_is_said_once(terminology):
    assert terminology("subsumes", "cpt", "99999", "99999").stderr.count("Unknown code") == 1


# --- JSON ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fhir", ["r4", "r5"])
@pytest.mark.parametrize(
    "command",
    [
        ["lookup", "cpt", "38232"],
        ["validate-code", "38230", "--system", "cpt", "--value-set", OWN_USE],
        ["expand", "bone-marrow-harvest"],
        ["subsumes", "cpt", "38230", "38232"],
        ["translate", "cpt", "38232"],
        ["lookup", "cpt", "99999"],
    ],
    ids=" ".join,
)
def test_json_is_the_fhir_resource_of_the_answer(answered, command, fhir):
    resource = answered(*command, "--fhir", fhir)
    parsed(resource, "4.0" if fhir == "r4" else "5.0")


def test_json_and_the_function_api_say_the_same(answered):
    held = {entry["name"]: entry for entry in answered("lookup", "cpt", "38232")["parameter"]}
    assert held["display"]["valueString"] == Terminology().lookup(CPT, "38232").display


def test_a_refusal_in_json_is_an_operation_outcome(terminology):
    result = terminology("lookup", "cpt", "99999", "--json")
    assert json.loads(result.stdout)["resourceType"] == "OperationOutcome"
    assert "error: " in result.stderr
    assert result.exit_code == 2


def test_exit_codes_do_not_depend_on_the_format(terminology):
    result = terminology("validate-code", "99999", "--system", "cpt", "--format", "json")
    assert (result.exit_code, result.stderr) == (1, "cannot be judged\n")
    assert {"name": "result", "valueBoolean": True} in json.loads(result.stdout)["parameter"]


def test_quiet_leaves_only_data_and_errors(terminology):
    assert terminology("validate-code", "99999", "--system", "cpt", "--json", "--quiet").stderr == ""
    assert terminology("lookup", "cpt", "99999", "--quiet").stderr != ""


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (CPT, (CPT, "2026")),
        (f"{CPT}|2013", (CPT, "2013")),
        ("cpt", (CPT, "2026")),
        ("CPT", (CPT, "2026")),
        ("cpt|2012", (CPT, "2012")),
        ("cpt-2012", (CPT, "2012")),
        ("CPTBoneMarrowHarvestFragment2012", (CPT, "2012")),
    ],
)
def test_a_code_system_may_be_named_as_people_name_it(answered, written, meant):
    held = {entry["name"]: entry for entry in answered("lookup", written, "38232")["parameter"]}
    assert (held["system"]["valueUri"], held["version"]["valueString"]) == meant


@pytest.mark.parametrize("written", ["icd-10-pcs", "ICD10PCS", "ICD10"])
def test_a_system_whose_url_does_not_say_its_name_is_found_by_its_id(terminology, written):
    assert terminology("lookup", written, "07DR3ZZ").exit_code == 0


@pytest.fixture
def two_of_a_name(tmp_path: Path) -> Path:
    for place in ("north", "south"):
        system = {
            "resourceType": "CodeSystem",
            "id": place,
            "url": f"http://example.org/{place}/bed",
            "name": "Bed",
            "status": "active",
            "content": "complete",
            "concept": [{"code": "a", "display": f"A of the {place}"}],
        }
        (tmp_path / f"{place}.json").write_text(json.dumps(system))
    return tmp_path


def test_a_name_of_two_is_refused_with_both(terminology, two_of_a_name):
    result = terminology("lookup", "bed", "a", "--content", two_of_a_name)
    assert result.exit_code == 2
    assert "'bed' names more than one code-system. Write one of:" in result.stderr
    assert "http://example.org/north/bed\n  http://example.org/south/bed" in result.stderr


def test_content_of_the_operator_is_asked_too(terminology, two_of_a_name):
    result = terminology("lookup", "south", "a", "--content", two_of_a_name)
    assert "A of the south" in result.stdout


def test_a_content_file_that_cannot_be_read_is_named(terminology, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    result = terminology("lookup", "cpt", "38232", "--content", tmp_path)
    assert result.exit_code == 2
    assert "broken.json" in result.stderr


def test_resources_for_one_call_come_from_files(terminology, tmp_path):
    value_set = {
        "resourceType": "ValueSet",
        "url": "http://example.org/mine",
        "status": "active",
        "compose": {"include": [{"system": CPT, "concept": [{"code": "38232"}]}]},
    }
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(value_set))
    asked = ["validate-code", "--system", "cpt", "--value-set", "http://example.org/mine", "--tx-resource", file]
    assert terminology(*asked, "38232").exit_code == 0
    assert terminology(*asked, "38230").exit_code == 1
    file.write_text("{")
    assert f"{file} cannot be read as JSON" in terminology(*asked, "38232").stderr


# --- options from the operation table -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if not each.later and each.name != "validate"],
    ids=lambda operation: f"{operation.resource}-{operation.name}",
)
def test_every_parameter_of_an_operation_has_its_place_on_the_command_line(operation):
    verb, way = next(
        (verb, way) for verb in verbs.verbs().values() for way in verb.ways if BY_NAME[way.operation] is operation
    )
    params = verbs.command(verb).params
    flags = {flag for param in params for flag in param.opts}
    own = {name for each in way.own for name in (each.parameter, each.version)}
    missing = {
        parameter.name
        for parameter in operation.inputs
        if parameter.name not in own and parameter.type != "part" and verbs.flag(parameter) not in flags
    }
    assert not missing


def test_what_validate_takes_has_its_place_on_the_command_line(terminology):
    shown = terminology("validate", "--help").stdout
    assert {"--value-set", "--profile", "--date", "--date-basis"} <= set(shown.split())
    stated = {each.name for each in BY_NAME["Procedure", "validate"].inputs if each.ignored is None}
    assert stated == {"resource", "mode", "profile", "valueSet", "date", "dateBasis"}


def test_no_two_options_of_a_verb_share_a_flag():
    for verb in verbs.verbs().values():
        flags = [flag for param in verbs.command(verb).params for flag in (*param.opts, *param.secondary_opts)]
        options = [flag for flag in flags if flag.startswith("-")]
        assert len(options) == len(set(options)), verb.name


def test_options_that_belong_to_different_operations_do_not_go_together(terminology, tmp_path):
    (tmp_path / "system.json").write_text("{}")
    command = ["validate-code", "1", "--value-set", OWN_USE, "--code-system", tmp_path / "system.json"]
    result = terminology(*command)
    assert result.exit_code == 2
    assert "these do not go together: CODE, --value-set, --code-system" in result.stderr


# --- completion ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("terminology looku", "lookup"),
        ("terminology lookup cp", "cpt"),
        ("terminology lookup http://www.ama", CPT),
        ("terminology lookup cpt 382", "38232"),
        ("terminology expand bone-marrow-harvest-own", OWN_USE),
        ("terminology validate-code --system cpt 3823", "38230"),
        ("terminology validate-code --value-set bone-marrow-harvest-do", "bone-marrow-harvest-donor"),
        ("terminology list code", "code-systems"),
    ],
)
def test_the_shell_completes_commands_systems_value_sets_and_codes(terminology, words, offered):
    environment = {
        "_TERMINOLOGY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    assert offered in {line.partition(",")[2] for line in terminology(env=environment).stdout.splitlines()}


def test_completion_is_silent_where_the_settings_are_wrong(terminology):
    environment = {
        "TERMINOLOGY_PORT": "none",
        "_TERMINOLOGY_COMPLETE": "bash_complete",
        "COMP_WORDS": "terminology lookup cp",
        "COMP_CWORD": "2",
    }
    result = terminology(env=environment)
    assert (result.stdout.strip(), result.stderr) == ("", "")
