"""Expressions of CPT over loaded content, and over our fragment, which holds no modifiers. Codes are numbers here:
nothing of the AMA's text is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from engine.asking import Json, call, code_system, concept, include, provider, value_set

from codesystems.cpt_expressions import WithExpressions
from terminology.issues import Invalid
from terminology.model import Concept, Filter, Listed, Miss, Query
from terminology.providers.file import FileProvider
from terminology.resources import concepts
from terminology.storage.code_system_compiler import compile_file

CPT = "http://www.ama-assn.org/go/cpt"
LOADED = code_system(
    concept("00102", kind="code", modifier=False),
    concept("38230", kind="code", modifier=False),
    concept("38232", kind="code", modifier=False, display="a label", valid_from="2012-01-01"),
    concept("99213", kind="code", modifier=False, telemedicine=True),
    concept("87593", kind="code", modifier=False, orthopox=True),
    concept("0500F", kind="cat-2", modifier=False),
    concept("99999", kind="code", modifier=False, inactive=True),
    concept("52", kind=["cat-1", "general"], modifier=True),
    concept("59", kind="general", modifier=True),
    concept("95", kind="general", modifier=True),
    concept("P1", kind="physical-status", modifier=True),
    concept("1P", kind="cat-2", modifier=True),
    concept("LT", kind="hcpcs", modifier=True),
    url=CPT,
    version="2099",
    property=[
        {"code": "kind", "type": "code"},
        {"code": "modifier", "type": "boolean"},
        {"code": "telemedicine", "type": "boolean"},
        {"code": "orthopox", "type": "boolean"},
    ],
)
BASES = ["00102", "38230", "38232", "99213", "87593", "0500F", "99999"]
MODIFIERS = ["52", "59", "95", "P1", "1P", "LT"]


@pytest.fixture(params=["memory", "file"])
def cpt(request: pytest.FixtureRequest, tmp_path: Path) -> WithExpressions:
    plain = provider(LOADED)
    if request.param == "file":
        return WithExpressions(FileProvider.open(compile_file(plain.info, concepts(LOADED, plain.info), tmp_path)[0]))
    return WithExpressions(plain)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("38232:52", None),
        ("38232:52:59", None),
        ("38232:LT", None),
        ("00102:P1", None),
        ("0500F:1P", None),
        ("99213:95", None),
        ("38232", None),
        ("52", None),
        ("38232:53", "OWN_MODIFIER_UNKNOWN"),
        ("38232:38230", "OWN_MODIFIER_UNKNOWN"),
        ("38232:", "OWN_MODIFIER_UNKNOWN"),
        ("38232::52", "OWN_MODIFIER_UNKNOWN"),
        ("38232:52:52", "OWN_MODIFIER_TWICE"),
        ("12345:52", "OWN_EXPRESSION_BASE"),
        ("52:59", "OWN_EXPRESSION_BASE"),
        (":52", "OWN_EXPRESSION_BASE"),
        ("38232:P1", "OWN_MODIFIER_NOT_WITH"),
        ("38232:1P", "OWN_MODIFIER_NOT_WITH"),
        ("38232:95", "OWN_MODIFIER_NOT_WITH"),
    ],
)
def test_an_expression_is_a_known_code_with_known_modifiers_that_go_with_it(cpt, code, reason):
    found = cpt.find(code)
    if reason is None:
        assert isinstance(found, Concept)
        assert found.code == code
    else:
        assert isinstance(found, Miss)
        assert [each.message_id for each in found.issues][:1] == [reason]


def test_an_expression_says_what_it_is_made_of(cpt):
    found = cpt.find("38232:59:52")
    assert {(each.code, each.value) for each in found.properties} == {
        ("modified", True),
        ("modifier", False),
        ("base-code", "38232"),
        ("modifier-code", "59"),
        ("modifier-code", "52"),
    }
    assert found.display is None
    assert cpt.find("99999:52").inactive


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        (Filter("modifier", "=", "true"), MODIFIERS),
        (Filter("modifier", "=", "false"), [*BASES, "38232:52"]),
        (Filter("modified", "=", "true"), ["38232:52"]),
        (Filter("modified", "=", "false"), [*BASES, *MODIFIERS]),
        (Filter("kind", "=", "cat-2"), ["0500F", "1P"]),
        (Filter("kind", "in", "cat-2, hcpcs"), ["0500F", "1P", "LT"]),
        (Filter("code", "in", "38230-38299, 99213"), ["38230", "38232", "99213", "38232:52"]),
        (Filter("code", "in", "38232,52"), ["38232", "52"]),
        (Filter("telemedicine", "=", "true"), ["99213"]),
        (Filter("orthopox", "=", "true"), ["87593"]),
        (Filter("orthopox", "=", "false"), [*(c for c in [*BASES, *MODIFIERS] if c != "87593"), "38232:52"]),
    ],
    ids=str,
)
def test_the_six_filters(cpt, stated, found):
    """Of expressions only those that a query names can be in its answer."""
    every = [*BASES, *MODIFIERS, "38232:52", "38232:53"]
    assert sorted(each.code for each in cpt.select(Query(filters=(stated,)).only(every))) == sorted(found)
    plain = [code for code in found if ":" not in code]
    assert sorted(each.code for each in cpt.select(Query(filters=(stated,)))) == sorted(plain)
    assert cpt.count(Query(filters=(stated,))) == len(plain)


def test_a_list_of_an_author_keeps_its_order_and_a_page_is_cut_from_it(cpt):
    query = Query(listed=tuple(map(Listed, ("59", "38232:52", "38232:53", "38230"))))
    assert [each.code for each in cpt.select(query)] == ["59", "38232:52", "38230"]
    assert [each.code for each in cpt.select(replace(query, offset=1, limit=1))] == ["38232:52"]
    assert [each.code for each in cpt.select(query.only(["38230", "38232:52", "52"]))] == ["38230", "38232:52"]
    listed = Query(listed=(Listed("99999:52"), Listed("99999")), active_only=True)
    assert [each.code for each in cpt.select(listed)] == []


def test_what_a_list_leaves_out_is_said(cpt):
    def said(*filters):
        return [each.message_id for each in cpt.select(Query(filters=filters)).issues]

    assert said() == ["OWN_UNCLOSED_GRAMMAR"]
    assert said(Filter("modified", "=", "true")) == ["OWN_UNCLOSED_GRAMMAR"]
    assert said(Filter("modified", "=", "false")) == said(Filter("modifier", "=", "true")) == []
    assert said(Filter("kind", "=", "code")) == []


def test_the_order_of_modifiers_does_not_matter(cpt):
    assert cpt.subsumes("38232:52:59", "38232:59:52") == "equivalent"
    assert cpt.subsumes("38232:52", "38232") == "not-subsumed"


def test_what_content_does_not_state_is_told_by_the_form_of_a_code():
    """Also where an importer knows only codes and modifiers."""
    plain = {**LOADED, "concept": [], "property": []}
    codes = {"38230": "code", "0500F": "code", "0101T": "code", "P3": "modifier", "2P": "modifier", "RT": "modifier"}
    bare = WithExpressions(provider({**plain, "concept": [concept(code, kind=kind) for code, kind in codes.items()]}))

    def those(kind):
        return [each.code for each in bare.select(Query(filters=(Filter("kind", "=", kind),)))]

    assert (those("code"), those("cat-2")) == (["38230", "0101T"], ["0500F", "2P"])
    assert (those("physical-status"), those("hcpcs")) == (["P3"], ["RT"])
    assert [each.code for each in bare.select(Query(filters=(Filter("modifier", "=", "true"),)))] == ["P3", "2P", "RT"]


# --- as the engine asks -------------------------------------------------------------------------------------------


def part(answer: Json, name: str):
    return next(
        (value for each in answer["parameter"] if each["name"] == name for key, value in each.items() if key != "name"),
        None,
    )


def judged(code: str, *resources: Json, url: str | None = None, **more) -> Json:
    if url:
        return call("ValueSet/$validate-code", *resources, installed=True, url=url, system=CPT, code=code, **more)
    return call("CodeSystem/$validate-code", *resources, installed=True, url=CPT, code=code, **more)


def test_loaded_content_judges_an_expression():
    assert part(judged("38232:52", LOADED), "result") is True
    wrong = judged("38232:53", LOADED)
    assert part(wrong, "result") is False
    assert "'53' is no modifier" in part(wrong, "issues")["issue"][0]["diagnostics"]


@pytest.mark.parametrize("code", ["38232-52", "38232:52,59", "38232-52-59"])
def test_another_separator_is_told_the_right_one(code):
    answer = judged(code, LOADED)
    assert part(answer, "result") is False
    assert "after a colon" in part(answer, "issues")["issue"][0]["diagnostics"]


def test_without_modifiers_an_expression_is_not_confirmed_and_says_so():
    bare = {**LOADED, "concept": [each for each in LOADED["concept"] if each["code"] not in MODIFIERS]}
    answer = judged("38232:52", bare)
    assert part(answer, "result") is False
    assert "No modifiers are loaded" in part(answer, "issues")["issue"][0]["diagnostics"]


def test_our_fragment_holds_no_modifiers_and_cannot_judge():
    answer = judged("38232:52")
    assert part(answer, "result") is True
    found = part(answer, "issues")["issue"][0]
    assert found["severity"] == "warning"
    assert "cannot be judged" in found["diagnostics"]


@pytest.mark.parametrize(
    ("url", "inside", "outside"),
    [
        ("cpt-all", ["38232", "52", "38232:52"], ["38232:53", "12345"]),
        ("cpt-base", ["38232"], ["52", "38232:52"]),
        ("cpt-modifiers", ["52"], ["38232", "38232:52"]),
        ("cpt-active", ["38232", "38232:52"], ["52", "38232:53"]),
    ],
)
def test_the_value_sets_that_hl7_predefines(url, inside, outside):
    for code in (*inside, *outside):
        answer = judged(code, LOADED, url=f"http://hl7.org/fhir/ValueSet/{url}")
        assert part(answer, "result") is (code in inside), code


def test_an_expansion_with_expressions_is_marked_as_open():
    expanded = call("ValueSet/$expand", LOADED, installed=True, url="http://hl7.org/fhir/ValueSet/cpt-active")
    assert [each["code"] for each in expanded["expansion"]["contains"]] == BASES
    assert any(each["url"].endswith("valueset-unclosed") for each in expanded["expansion"]["extension"])
    closed = call("ValueSet/$expand", LOADED, installed=True, url="http://hl7.org/fhir/ValueSet/cpt-modifiers")
    assert [each["code"] for each in closed["expansion"]["contains"]] == MODIFIERS
    assert not closed["expansion"].get("extension")
    paged = call("ValueSet/$expand", LOADED, installed=True, url="http://hl7.org/fhir/ValueSet/cpt-all", count=3)
    assert [each["code"] for each in paged["expansion"]["contains"]] == BASES[:3]
    assert paged["expansion"]["extension"]


def test_a_filter_with_a_wrong_value_is_refused():
    wrong = value_set(include(system=CPT, filter=[{"property": "telemedicine", "op": "=", "value": "maybe"}]))
    bare = {**LOADED, "property": []}
    with pytest.raises(Invalid):
        call("ValueSet/$expand", bare, wrong, installed=True, url=wrong["url"])


def test_a_bare_oid_is_told_the_url():
    answer = call("CodeSystem/$validate-code", installed=True, url="2.16.840.1.113883.6.12", code="38232")
    assert part(answer, "result") is False
    assert any(CPT in each.get("diagnostics", "") for each in part(answer, "issues")["issue"])
