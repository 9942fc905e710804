"""What every filter operator selects, on codes, displays, the hierarchy, status and defined properties."""

from __future__ import annotations

import time
from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, concept, filtered, held, listed, value_set

from terminology.issues import Refusal
from terminology.model import Coding

Json = dict[str, Any]
URI = "http://hl7.org/fhir/concept-properties#"

FILTERABLE = code_system(
    concept(
        "A",
        concept("A1", "A11", concept("A12", display="Twelve", size=12), display="One", colour="red"),
        concept("A2", display="Two", colour="blue", inactive=True),
        display="Root",
        notSelectable=True,
    ),
    concept("B", concept("B1", parent="A1", display="Both", colour=["red", "green"]), display="Other root"),
    concept("C", display="Retired", status="retired"),
    concept("D", kind={"system": "http://example.org/kind", "code": "k1"}, share=0.5),
    property=[
        {"code": "colour", "type": "string"},
        {"code": "size", "type": "integer", "uri": "http://example.org/size"},
        {"code": "kind", "type": "Coding"},
        {"code": "share", "type": "decimal"},
        {"code": "notSelectable", "type": "boolean", "uri": f"{URI}notSelectable"},
    ],
    filter=[{"code": "concept", "operator": ["is-a"], "value": "a code"}],
)
ALL = ["A", "A1", "A11", "A12", "A2", "B", "B1", "C", "D"]

SELECTED: list[tuple[str, str, str, str]] = [
    # the hierarchy; B1 stands under B and, by its property, under A1 too
    ("concept", "is-a", "A", "A A1 A11 A12 A2 B1"),
    ("code", "is-a", "A1", "A1 A11 A12 B1"),
    ("concept", "is-a", "D", "D"),
    ("concept", "is-a", "nowhere", ""),
    ("concept", "descendent-of", "A", "A1 A11 A12 A2 B1"),
    ("concept", "descendent-of", "B", "B1"),
    ("concept", "descendent-of", "D", ""),
    ("concept", "is-not-a", "A", "B C D"),
    ("concept", "is-not-a", "nowhere", "A A1 A11 A12 A2 B B1 C D"),
    ("concept", "child-of", "A", "A1 A2"),
    ("concept", "child-of", "A1", "A11 A12 B1"),
    ("concept", "child-of", "D", ""),
    ("concept", "descendent-leaf", "A", "A11 A12 A2 B1"),
    ("concept", "descendent-leaf", "A11", ""),
    ("concept", "generalizes", "A12", "A A1 A12"),
    ("concept", "generalizes", "B1", "A A1 B B1"),
    ("concept", "generalizes", "D", "D"),
    # codes
    ("concept", "=", "A1", "A1"),
    ("code", "=", "a1", ""),
    ("code", "in", "A1,D,nowhere", "A1 D"),
    ("code", "in", "A1, D", "A1 D"),
    ("concept", "not-in", "A,A1,A2", "A11 A12 B B1 C D"),
    ("code", "regex", "A1.*", "A1 A11 A12"),
    ("code", "regex", "1", ""),
    ("code", "regex", "[AB]1", "A1 B1"),
    ("code", "exists", "true", "A A1 A11 A12 A2 B B1 C D"),
    # displays
    ("display", "=", "Two", "A2"),
    ("display", "regex", "(Other r|R)oot", "A B"),
    ("display", "in", "One,Two", "A1 A2"),
    ("display", "exists", "false", "A11 D"),
    # parents and children
    ("parent", "=", "A1", "A11 A12 B1"),
    ("parent", "exists", "false", "A B C D"),
    ("child", "=", "B1", "A1 B"),
    ("child", "exists", "false", "A11 A12 A2 B1 C D"),
    ("parent", "=", "B", "B1"),
    ("parent", "in", "A,B", "A1 A2 B1"),
    # status, inactive, notSelectable
    ("status", "=", "retired", "C"),
    ("inactive", "=", "true", "A2 C"),
    ("inactive", "=", "false", "A A1 A11 A12 B B1 D"),
    ("notSelectable", "=", "true", "A"),
    ("notSelectable", "exists", "true", "A"),
    ("abstract", "=", "true", "A"),
    # defined properties
    ("colour", "=", "red", "A1 B1"),
    ("colour", "=", "Red", ""),
    ("colour", "in", "blue,green", "A2 B1"),
    ("colour", "not-in", "red", "A A11 A12 A2 B C D"),
    ("colour", "regex", "r.*|g.*", "A1 B1"),
    ("colour", "exists", "true", "A1 A2 B1"),
    ("colour", "exists", "false", "A A11 A12 B C D"),
    ("size", "=", "12", "A12"),
    ("http://example.org/size", "=", "12", "A12"),
    ("kind", "=", "k1", "D"),
    ("kind", "=", "http://example.org/kind|k1", "D"),
    ("share", "=", "0.5", "D"),
]


@pytest.mark.parametrize(("name", "op", "value", "codes"), SELECTED)
def test_a_filter_selects(name: str, op: str, value: str, codes: str):
    found = [code for _, _, code in listed(FILTERABLE, value_set(filtered(name, op, value)))]
    assert found == codes.split()


@pytest.mark.parametrize(("name", "op", "value", "codes"), SELECTED)
def test_a_filter_judges_each_code_as_it_selects(name: str, op: str, value: str, codes: str):
    found = held([Coding(CS, code) for code in ALL], FILTERABLE, value_set(filtered(name, op, value)))
    assert [coding.code for coding in found] == codes.split()


def test_filters_of_one_include_must_all_hold():
    both = {
        "system": CS,
        "filter": [*filtered("concept", "is-a", "A1")["filter"], *filtered("colour", "=", "red")["filter"]],
    }
    assert [code for _, _, code in listed(FILTERABLE, value_set(both))] == ["A1", "B1"]


@pytest.mark.parametrize(
    ("name", "op", "value", "said"),
    [
        ("tail", "=", "x", 'The filter "tail = x" of the value set'),
        ("colour", "is-a", "red", "was not understood in the context of the code system"),
        ("concept", "is-about", "A", "was not understood"),
        ("concept", "", "A", "was not understood"),
        ("colour", "exists", "perhaps", "was not understood"),
        ("concept", "is-a", None, "has no value"),
        ("concept", "is-a", "", "has no value"),
        ("code", "regex", "(", "cannot be used"),
        ("code", "regex", "(?=A)", "cannot be used"),
        ("code", "regex", r"(A)\1", "cannot be used"),
        ("code", "regex", "A" * 600, "longer than 512"),
    ],
)
@pytest.mark.parametrize("operation", ["ValueSet/$expand", "ValueSet/$validate-code"])
def test_a_filter_that_is_not_understood_is_an_error_that_says_where(
    operation: str, name: str, op: str, value, said: str
):
    asked = {"code": "A", "system": CS} if operation.endswith("code") else {}
    with pytest.raises(Refusal) as refused:
        call(operation, FILTERABLE, value_set(filtered(name, op, value)), url=VS, **asked)
    assert said in str(refused.value)
    assert refused.value.issues[0].kind == "vs-invalid"
    assert refused.value.issues[0].expression in ("ValueSet.compose.include[0].filter[0]", None)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(.*a){12}b", "(a?){40}a{40}b", "([a-z]+)*b"])
def test_a_pattern_takes_linear_time(pattern: str):
    system = code_system(*("a" * length for length in range(1, 120)))
    start = time.perf_counter()
    assert listed(system, value_set(filtered("code", "regex", pattern))) == []
    assert time.perf_counter() - start < 2


def test_a_property_that_a_supplement_adds_can_be_filtered_by():
    supplement = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/supplement",
        "status": "active",
        "content": "supplement",
        "supplements": CS,
        "property": [{"code": "weight", "type": "string"}],
        "concept": [{"code": "D", "property": [{"code": "weight", "valueString": "light"}]}],
    }
    asked = value_set(filtered("weight", "=", "light"))
    named = (supplement["url"],)
    assert [code for _, _, code in listed(FILTERABLE, supplement, asked, supplements=named)] == ["D"]
    with pytest.raises(Refusal, match="not understood"):
        listed(FILTERABLE, supplement, asked)
