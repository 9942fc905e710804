"""UCUM: which expressions are codes, what they measure, and how the engine asks for it."""

import hashlib
import json
from pathlib import Path

import pytest
from engine.asking import call
from hypothesis import given
from hypothesis import strategies as st
from unit_corpus import corpus

from codesystems import ucum
from codesystems.ucum import Malformed, canonical, find, parse, table
from terminology.issues import NotSupported
from terminology.model import Concept, Miss

HERE = Path(__file__).resolve().parent
EXPRESSIONS = json.loads((HERE / "expressions.json").read_text(encoding="utf-8"))
URL = "http://unitsofmeasure.org"


@pytest.mark.parametrize(("code", "unit"), EXPRESSIONS["canonical"].items())
def test_an_expression_has_a_canonical_unit(code, unit):
    assert canonical(code) == unit
    assert isinstance(find(code), Concept)


@pytest.mark.parametrize(("code", "reason"), EXPRESSIONS["refused"].items())
def test_what_is_no_expression_says_why(code, reason):
    missed = find(code)
    assert isinstance(missed, Miss)
    assert [each.message_id for each in missed.issues] == [reason]


def test_every_unit_of_the_table_is_a_code_and_so_is_every_metric_one_with_a_prefix():
    for symbol, atom in table().atoms.items():
        assert isinstance(find(symbol), Concept), symbol
        assert isinstance(find(f"T{symbol}"), Concept) is (atom.metric or f"T{symbol}" in table().atoms), symbol
    assert (len(table().prefixes), len(table().dimensions), len(table().atoms)) == (24, 7, 312)


def test_the_table_is_the_file_that_was_published():
    """Its licence lets it be copied, not changed."""
    held = (Path(ucum.__file__).parent / "sources/ucum-essence.xml").read_bytes()
    assert hashlib.sha256(held).hexdigest() == SHA256


SHA256 = "6022a1f4a77d93efa23b941ae50055cb9d3fdcb8bb5db6b85deda004467bb380"


@given(st.sampled_from(corpus()))
def test_what_was_read_is_written_again(code):
    try:
        term = parse(code)
    except Malformed:
        return
    assert str(term) == code
    assert parse(str(term)) == term


@given(st.text(max_size=40) | st.text("mgskKCel[]{}()./+-*^'%0123456789inHg_", max_size=40))
def test_no_text_is_too_odd_to_be_judged(text):
    assert isinstance(find(text), (Concept, Miss))


def test_deep_or_long_expressions_are_refused_and_huge_exponents_are_not():
    assert isinstance(find("(" * 500 + "m" + ")" * 500), Miss)
    assert isinstance(find("m." * 600 + "m"), Miss)
    assert canonical(f"m{'9' * 300}.s") == f"m{'9' * 300}.s"


def test_retired_and_deprecated_units_are_inactive():
    inactive = {symbol for symbol in table().atoms if (found := find(symbol)) and found.inactive}
    assert inactive == {"[hp'_X]", "[hp'_C]", "[hp'_M]", "[hp'_Q]", "[ppb]", "[pptr]"}


# --- as the engine asks -------------------------------------------------------------------------------------------


def values(answer, name):
    return [each for each in answer["parameter"] if each["name"] == name]


def prop(answer, code):
    for each in values(answer, "property"):
        parts = {part["name"]: part for part in each["part"]}
        if parts["code"]["valueCode"] == code:
            return next(value for key, value in parts["value"].items() if key.startswith("value"))
    return None


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_lookup_tells_what_a_unit_measures(fhir):
    answer = call("CodeSystem/$lookup", installed=True, fhir=fhir, system=URL, code="mm[Hg]")
    assert values(answer, "display")[0]["valueString"] == "mm[Hg]"
    assert values(answer, "version")[0]["valueString"] == "2.2"
    assert prop(answer, "canonical") == "g.m-1.s-2"
    assert prop(answer, "dimension") == "L-1.M.T-2"
    assert prop(answer, "kind") == "pressure"
    assert "Regenstrief" in prop(answer, "copyright")
    names = [part["valueString"] for each in values(answer, "designation") for part in each["part"][-1:]]
    assert "millimeter of mercury column" in names


@pytest.mark.parametrize(
    ("code", "result", "said"),
    [
        ("mg/dL", True, None),
        ("mcg", False, "'mcg' is no unit of UCUM"),
        ("mg / dL", False, "'mg/dL'"),
        ("MG/DL", False, "'mg/dl'"),
        ("k[in_i]", False, "'[in_i]' takes no prefix"),
        ("m//s", False, "breaks the grammar of this code system at '/s'"),
    ],
)
def test_validation_says_why_a_code_is_none(code, result, said):
    answer = call("CodeSystem/$validate-code", installed=True, url=URL, code=code)
    assert values(answer, "result")[0]["valueBoolean"] is result
    issues = [issue for each in values(answer, "issues") for issue in each["resource"]["issue"]]
    assert said is None or said in issues[0]["diagnostics"]


def test_the_reason_comes_in_the_language_of_the_reader():
    answer = call("CodeSystem/$validate-code", installed=True, accept="de", url=URL, code="Torr")
    assert "keine UCUM-Einheit" in values(answer, "issues")[0]["resource"]["issue"][0]["diagnostics"]


def test_no_display_is_wrong_where_none_is_defined():
    answer = call("CodeSystem/$validate-code", installed=True, url=URL, code="mm[Hg]", display="mmHg")
    assert values(answer, "result")[0]["valueBoolean"] is True
    assert values(answer, "issues")[0]["resource"]["issue"][0]["severity"] == "information"


def units(**stated):
    return {
        "resourceType": "ValueSet",
        "url": "http://example.org/vs",
        "status": "active",
        "compose": {"include": [{"system": URL, **stated}]},
    }


def filtered(name, op, value):
    return units(filter=[{"property": name, "op": op, "value": value}])


@pytest.mark.parametrize(
    ("value_set", "inside", "outside"),
    [
        (filtered("canonical", "=", "m"), "[in_i]", "m2"),
        (filtered("canonical", "=", "cm"), "[mi_i]", "kg"),
        (filtered("canonical", "in", "mg,mL"), "L", "s"),
        (filtered("comparable", "=", "mm[Hg]"), "kPa", "Pa/m"),
        (filtered("property", "=", "length"), "km", "km2"),
        (filtered("dimension", "=", "L3"), "mL", "m"),
        (units(concept=[{"code": "mg"}, {"code": "g"}]), "g", "kg"),
    ],
)
def test_a_value_set_of_units_is_judged(value_set, inside, outside):
    for code, expected in ((inside, True), (outside, False)):
        answer = call("ValueSet/$validate-code", value_set, installed=True, url=value_set["url"], system=URL, code=code)
        assert values(answer, "result")[0]["valueBoolean"] is expected, code


def test_listed_units_expand_and_others_cannot():
    listed = units(concept=[{"code": "mg"}, {"code": "nonsense"}, {"code": "g", "display": "gram"}])
    expanded = call("ValueSet/$expand", listed, installed=True, url=listed["url"])
    assert [each["code"] for each in expanded["expansion"]["contains"]] == ["mg", "g"]
    for value_set in (units(), filtered("canonical", "=", "m")):
        with pytest.raises(NotSupported, match="cannot be enumerated"):
            call("ValueSet/$expand", value_set, installed=True, url=value_set["url"])


def test_those_of_a_list_that_are_commensurable_expand():
    listed = {**units(concept=[{"code": code} for code in ("mg", "mL", "kg")]), "url": "http://example.org/listed"}
    mass = [{"property": "canonical", "op": "=", "value": "g"}]
    both = units(filter=mass, valueSet=[listed["url"]])
    expanded = call("ValueSet/$expand", listed, both, installed=True, url=both["url"])
    assert [each["code"] for each in expanded["expansion"]["contains"]] == ["mg", "kg"]


@pytest.mark.parametrize(
    ("url", "inside", "outside"),
    [
        (f"{URL}/vs", "kg", "kgs"),
        ("http://hl7.org/fhir/ValueSet/ucum-units", "kg", "kgs"),
        (f"{URL}/vs/m/s", "km/h", "km"),
        (f"{URL}?fhir_vs", "kg", "kgs"),
    ],
)
def test_units_have_value_sets_that_nobody_wrote(url, inside, outside):
    for code, expected in ((inside, True), (outside, False)):
        answer = call("ValueSet/$validate-code", installed=True, url=url, system=URL, code=code)
        assert values(answer, "result")[0]["valueBoolean"] is expected, code


def test_commensurable_is_no_subsumption():
    assert (
        values(call("CodeSystem/$subsumes", installed=True, system=URL, codeA="m", codeB="m"), "outcome")[0][
            "valueCode"
        ]
        == "equivalent"
    )
    with pytest.raises(NotSupported):
        call("CodeSystem/$subsumes", installed=True, system=URL, codeA="m", codeB="km")
