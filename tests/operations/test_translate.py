"""ConceptMap/$translate: what a code is called elsewhere, forwards and back, by the names of R4 and of R5."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import call, value_of, values_of

from terminology.issues import Refusal

Json = dict[str, Any]
HERE, THERE, BEYOND = (f"http://example.org/{name}" for name in ("here", "there", "beyond"))
MAP = "http://example.org/map"


def target(code: str, relationship: str = "equivalent", **more: Any) -> Json:
    return {"code": code, "relationship": relationship, **more}


def concept_map(*elements: Json, url: str = MAP, unmapped: Json | None = None, **more: Any) -> Json:
    group = {"source": HERE, "target": THERE, "element": list(elements)}
    stated = {"group": [{**group, **({"unmapped": unmapped} if unmapped else {})}]}
    return {"resourceType": "ConceptMap", "url": url, "status": "active", **stated, **more}


ROWS = (
    {"code": "one", "target": [target("eins"), target("ein", "related-to")]},
    {"code": "two", "target": [target("paar", "source-is-narrower-than-target")]},
    {"code": "three", "target": [target("drei-mal", "source-is-broader-than-target")]},
    {"code": "four", "noMap": True},
    {"code": "five", "target": [target("six", "not-related-to")]},
)
PLAIN = concept_map(*ROWS, version="2")


def found(answer: Json) -> list[tuple[str, str]]:
    """Relationship (R4: equivalence) and code of each match."""
    return [
        (match.get("relationship") or match["equivalence"], match.get("concept", {}).get("code", "-"))
        for match in values_of(answer, "match")
    ]


TRANSLATED = [
    ("one", True, [("equivalent", "eins"), ("related-to", "ein")]),
    ("two", True, [("source-is-narrower-than-target", "paar")]),
    ("three", True, [("source-is-broader-than-target", "drei-mal")]),
    ("four", False, [("not-related-to", "-")]),
    ("five", False, [("not-related-to", "six")]),
    ("nine", False, []),
]
EQUIVALENCES = {
    "equivalent": "equivalent",
    "related-to": "relatedto",
    "source-is-narrower-than-target": "wider",
    "source-is-broader-than-target": "narrower",
}


@pytest.mark.parametrize(("code", "result", "matches"), TRANSLATED)
def test_a_code_is_translated(code: str, result: bool, matches: list[tuple[str, str]]):
    answer = call("ConceptMap/$translate", PLAIN, system=HERE, sourceCode=code)
    assert value_of(answer, "result") is result
    assert found(answer) == matches
    assert bool(value_of(answer, "message")) is (not matches)


@pytest.mark.parametrize(("code", "result", "matches"), TRANSLATED)
def test_r4_says_it_in_its_own_words(code: str, result: bool, matches: list[tuple[str, str]]):
    answer = call("ConceptMap/$translate", PLAIN, fhir="R4", system=HERE, code=code)
    denied = {"-": "unmatched", "six": "disjoint"}
    assert value_of(answer, "result") is result
    assert found(answer) == [(denied.get(other) or EQUIVALENCES[said], other) for said, other in matches]


@pytest.mark.parametrize(
    "parameters",
    [
        {"sourceCode": "one", "system": HERE},
        {"sourceCode": "one", "sourceSystem": HERE},
        {"code": "one", "system": HERE},
        {"sourceCoding": {"system": HERE, "code": "one"}},
        {"coding": {"system": HERE, "code": "one"}},
        {"sourceCodeableConcept": {"coding": [{"system": BEYOND, "code": "x"}, {"system": HERE, "code": "one"}]}},
        {"sourceCode": "one", "system": HERE, "url": MAP},
        {"sourceCode": "one", "system": HERE, "url": f"{MAP}|2"},
        {"sourceCode": "one", "system": HERE, "url": MAP, "conceptMapVersion": "2"},
        {"sourceCode": "one", "system": HERE, "targetSystem": THERE},
        {"code": "one", "system": HERE, "targetsystem": THERE},
    ],
)
def test_a_code_may_be_named_in_several_ways(parameters: Json):
    assert found(call("ConceptMap/$translate", PLAIN, **parameters))[0] == ("equivalent", "eins")


def test_an_inline_map_is_asked_in_place_of_a_url():
    answer = call("ConceptMap/$translate", conceptMap=PLAIN, system=HERE, sourceCode="one")
    assert found(answer)[0] == ("equivalent", "eins")


def test_the_map_that_a_match_came_from_is_named():
    match, *_ = values_of(call("ConceptMap/$translate", PLAIN, system=HERE, sourceCode="one"), "match")
    assert match["originMap"] == f"{MAP}|2"
    match, *_ = values_of(call("ConceptMap/$translate", PLAIN, fhir="R4", system=HERE, code="one"), "match")
    assert match["source"] == f"{MAP}|2"


def test_a_code_is_translated_back_by_naming_the_target():
    answer = call("ConceptMap/$translate", PLAIN, targetCode="eins", targetSystem=THERE, sourceSystem=HERE)
    (match,) = values_of(answer, "match")
    assert match["source"]["code"] == "one"
    assert match["relationship"] == "equivalent"


UNMAPPED: list[tuple[Json, list[tuple[str, str]]]] = [
    ({"mode": "use-source-code", "relationship": "equivalent"}, [("equivalent", "nine")]),
    ({"mode": "fixed", "code": "other", "relationship": "related-to"}, [("related-to", "other")]),
    ({"mode": "other-map", "otherMap": f"{MAP}/more"}, [("equivalent", "neun")]),
    ({"mode": "other-map", "otherMap": MAP}, []),
    ({"mode": "other-map", "otherMap": "http://example.org/nowhere"}, []),
]


@pytest.mark.parametrize(("unmapped", "matches"), UNMAPPED)
def test_a_code_without_a_row_goes_where_the_map_says(unmapped: Json, matches: list[tuple[str, str]]):
    more = concept_map({"code": "nine", "target": [target("neun")]}, url=f"{MAP}/more")
    answer = call(
        "ConceptMap/$translate", concept_map(*ROWS, unmapped=unmapped), more, url=MAP, system=HERE, sourceCode="nine"
    )
    assert found(answer) == matches


def test_a_code_with_a_row_is_not_unmapped():
    fixed = concept_map(*ROWS, unmapped={"mode": "fixed", "code": "other", "relationship": "related-to"})
    assert ("related-to", "other") not in found(call("ConceptMap/$translate", fixed, system=HERE, sourceCode="one"))


def test_what_a_translation_depends_on_decides_between_targets():
    depends = [
        target(code, dependsOn=[{"attribute": "sex", "valueCode": sex}])
        for code, sex in (("f-one", "f"), ("m-one", "m"))
    ]
    attribute = {"additionalAttribute": [{"code": "sex", "uri": "http://example.org/sex", "type": "code"}]}
    asked = [{"name": "attribute", "valueUri": "sex"}, {"name": "value", "valueCode": "m"}]
    mapped = concept_map({"code": "one", "target": depends}, **attribute)
    answer = call("ConceptMap/$translate", mapped, system=HERE, sourceCode="one", dependency=[asked])
    assert found(answer) == [("equivalent", "m-one")]


def test_of_several_versions_of_a_map_the_newest_answers_unless_one_is_named():
    older = concept_map({"code": "one", "target": [target("uno")]}, version="1")
    assert found(call("ConceptMap/$translate", older, PLAIN, system=HERE, sourceCode="one"))[0][1] == "eins"
    named = call("ConceptMap/$translate", older, PLAIN, system=HERE, sourceCode="one", url=f"{MAP}|1")
    assert found(named) == [("equivalent", "uno")]


REFUSED: list[tuple[Json, str]] = [
    ({}, "'sourceCode' is missing"),
    ({"sourceCode": "one"}, "'system' is missing"),
    ({"sourceCoding": {"system": HERE}}, "'code' is missing"),
    ({"sourceCode": "one", "system": HERE, "url": "http://example.org/nowhere"}, "http://example.org/nowhere"),
    ({"sourceCode": "one", "system": HERE, "url": f"{MAP}|9"}, f"{MAP}|9"),
    ({"sourceCode": "one", "system": HERE, "url": MAP, "conceptMap": PLAIN}, "Only one of url, conceptMap"),
    ({"sourceCode": "one", "sourceCoding": {"system": HERE, "code": "one"}}, "Only one of sourceCode"),
    ({"sourceCode": "one", "system": HERE, "conceptMap": {"resourceType": "ValueSet"}}, "must be a ConceptMap"),
]


@pytest.mark.parametrize(("parameters", "said"), REFUSED)
def test_what_cannot_be_translated_is_refused_with_the_reason(parameters: Json, said: str):
    with pytest.raises(Refusal) as refused:
        call("ConceptMap/$translate", PLAIN, **parameters)
    assert said in str(refused.value)
