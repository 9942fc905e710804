"""$validate-code on CodeSystem and ValueSet: the result, the issues and where they stand, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from animals import ANIMALS, animals
from engine.asking import VS, call, filtered, include, issues_of, value_of, value_set, values_of

from terminology.issues import Refusal

Json = dict[str, Any]

NOWHERE = "http://example.org/nowhere"
MAMMALS = value_set(filtered("concept", "is-a", "mammal", system=ANIMALS))
AGED = animals(
    concept=[
        {"code": "dog", "display": "Dog", "designation": [{"language": "de", "value": "Hund"}]},
        {"code": "dodo", "display": "Dodo", "property": [{"code": "status", "valueCode": "retired"}]},
        {"code": "moa", "display": "Moa", "property": [{"code": "status", "valueCode": "deprecated"}]},
        {"code": "beast", "display": "Beast", "property": [{"code": "notSelectable", "valueBoolean": True}]},
    ],
    language="en",
)


def told(answer: Json) -> list[str]:
    """``severity kind place`` of every issue."""
    return [
        " ".join((issue["severity"], issue["details"]["coding"][0]["code"], *issue.get("expression", [])))
        for issue in issues_of(answer)
    ]


Judged = tuple[Json, bool, list[str]]

OF_A_SYSTEM: list[Judged] = [
    ({"code": "dog"}, True, []),
    ({"code": "dog", "display": "Dog"}, True, []),
    ({"code": "dog", "display": "dog"}, True, []),
    ({"code": "dog", "display": "Hund"}, True, []),
    ({"code": "dog", "display": "Cat"}, False, ["error invalid-display display"]),
    ({"code": "dog", "display": "Cat", "lenient-display-validation": True}, True, ["warning invalid-display display"]),
    ({"code": "dog", "display": "Hund", "displayLanguage": "de"}, True, []),
    ({"code": "dog", "display": "Dog", "displayLanguage": "de"}, False, ["error invalid-display display"]),
    ({"code": "dog", "display": "Dog", "displayLanguage": "fr"}, True, ["information invalid-display display"]),
    ({"code": "cow"}, False, ["error invalid-code code"]),
    ({"code": "DOG"}, False, ["error invalid-code code"]),
    ({"code": "beast"}, True, []),
    ({"code": "beast", "abstract": False}, False, ["error code-rule code"]),
    ({"code": "dodo"}, True, ["warning code-comment code"]),
    ({"code": "moa"}, True, ["warning code-comment code"]),
]


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize(("parameters", "result", "issues"), OF_A_SYSTEM)
def test_a_code_is_judged_against_its_system(fhir: Any, parameters: Json, result: bool, issues: list[str]):
    answer = call("CodeSystem/$validate-code", AGED, fhir=fhir, url=ANIMALS, **parameters)
    assert value_of(answer, "result") is result
    assert told(answer) == issues
    assert bool(value_of(answer, "message")) is bool(issues)


OF_A_SET: list[Judged] = [
    ({"code": "dog", "system": ANIMALS}, True, []),
    ({"code": "dog", "system": ANIMALS, "systemVersion": "1"}, True, []),
    ({"coding": {"system": ANIMALS, "code": "dog", "display": "Dog"}}, True, []),
    ({"code": "dog", "inferSystem": True}, True, []),
    ({"code": "bird", "system": ANIMALS}, False, ["error not-in-vs code"]),
    ({"coding": {"system": ANIMALS, "code": "bird"}}, False, ["error not-in-vs Coding.code"]),
    ({"code": "cow", "system": ANIMALS}, False, ["error invalid-code code", "error not-in-vs code"]),
    (
        {"coding": {"system": ANIMALS, "code": "cow"}},
        False,
        ["error invalid-code Coding.code", "error not-in-vs Coding.code"],
    ),
    ({"code": "dog", "system": NOWHERE}, False, ["error not-found system", "error not-in-vs code"]),
    ({"coding": {"code": "dog"}}, False, ["warning invalid-data Coding", "error not-in-vs Coding.code"]),
    (
        {"coding": {"system": ANIMALS, "code": "dog", "display": "Cat"}},
        False,
        ["error invalid-display Coding.display"],
    ),
]


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize(("parameters", "result", "issues"), OF_A_SET)
def test_a_code_is_judged_against_a_value_set(fhir: Any, parameters: Json, result: bool, issues: list[str]):
    answer = call("ValueSet/$validate-code", animals(), MAMMALS, fhir=fhir, url=VS, **parameters)
    assert value_of(answer, "result") is result
    assert sorted(told(answer)) == sorted(issues)


CONCEPTS: list[tuple[list[Json], bool, list[str]]] = [
    ([{"system": ANIMALS, "code": "dog"}], True, []),
    (
        [{"system": ANIMALS, "code": "bird"}, {"system": ANIMALS, "code": "dog"}],
        True,
        ["information this-code-not-in-vs CodeableConcept.coding[0].code"],
    ),
    (
        [{"system": ANIMALS, "code": "bird"}],
        False,
        ["error not-in-vs", "information this-code-not-in-vs CodeableConcept.coding[0].code"],
    ),
    (
        [{"system": ANIMALS, "code": "dog"}, {"system": ANIMALS, "code": "cow"}],
        False,
        [
            "error invalid-code CodeableConcept.coding[1].code",
            "information this-code-not-in-vs CodeableConcept.coding[1].code",
        ],
    ),
    (
        [{"system": ANIMALS, "code": "dog", "display": "Cat"}],
        False,
        ["error invalid-display CodeableConcept.coding[0].display"],
    ),
]


@pytest.mark.parametrize(("codings", "result", "issues"), CONCEPTS)
def test_a_concept_is_right_where_one_of_its_codings_is_in_and_none_is_wrong(
    codings: list[Json], result: bool, issues: list[str]
):
    concept = {"coding": codings, "text": "some animal"}
    answer = call("ValueSet/$validate-code", animals(), MAMMALS, url=VS, codeableConcept=concept)
    assert value_of(answer, "result") is result
    assert sorted(told(answer)) == sorted(issues)
    assert value_of(answer, "codeableConcept") == concept


def test_a_hit_names_the_code_its_system_its_version_and_its_display():
    answer = call("ValueSet/$validate-code", animals("7"), MAMMALS, url=VS, system=ANIMALS, code="dog")
    named = {name: value_of(answer, name) for name in ("code", "system", "version", "display", "message", "inactive")}
    assert named == {
        "code": "dog",
        "system": ANIMALS,
        "version": "7",
        "display": "Dog",
        "message": None,
        "inactive": None,
    }


def test_an_inactive_code_says_so():
    answer = call("CodeSystem/$validate-code", AGED, url=ANIMALS, code="dodo")
    assert (value_of(answer, "inactive"), value_of(answer, "status")) == (True, "retired")


def test_a_system_without_case_normalises_the_code():
    lax = animals(caseSensitive=False)
    answer = call("CodeSystem/$validate-code", lax, url=ANIMALS, code="DOG")
    assert value_of(answer, "result") is True
    assert value_of(answer, "normalized-code") == "dog"
    assert told(answer) == ["information code-rule code"]


INACTIVE: list[tuple[Json, Json, bool]] = [
    ({}, {}, True),
    ({}, {"activeOnly": True}, False),
    ({"inactive": False}, {}, False),
    ({"inactive": True}, {}, True),
]


@pytest.mark.parametrize(("compose", "parameters", "result"), INACTIVE)
def test_an_inactive_code_is_in_unless_the_set_or_the_client_says_otherwise(
    compose: Json, parameters: Json, result: bool
):
    asked = value_set(include(system=ANIMALS), **compose)
    answer = call("ValueSet/$validate-code", AGED, asked, url=VS, system=ANIMALS, code="dodo", **parameters)
    assert value_of(answer, "result") is result


def test_an_unknown_system_in_one_branch_does_not_hide_a_hit_in_another():
    mixed = value_set(include(system=NOWHERE), include("dog", system=ANIMALS))
    answer = call("ValueSet/$validate-code", animals(), mixed, url=VS, system=ANIMALS, code="dog")
    assert value_of(answer, "result") is True


def test_a_code_whose_system_is_unknown_names_the_system():
    answer = call("ValueSet/$validate-code", animals(), MAMMALS, url=VS, system=NOWHERE, code="dog")
    assert values_of(answer, "x-unknown-system") == [NOWHERE]
    mixed = value_set(include(system=NOWHERE))
    answer = call("ValueSet/$validate-code", animals(), mixed, url=VS, system=NOWHERE, code="dog")
    assert values_of(answer, "x-caused-by-unknown-system") == [NOWHERE]


VERSIONS: list[tuple[Json, Json, bool]] = [
    ({}, {}, True),
    ({}, {"systemVersion": "1"}, False),
    ({}, {"systemVersion": "2"}, True),
    ({"version": "1"}, {}, False),
    ({"version": "2"}, {"systemVersion": "2"}, True),
    ({"version": "2"}, {"systemVersion": "1"}, False),
    ({}, {"system_version": f"{ANIMALS}|1"}, False),
    ({"version": "1"}, {"force_system_version": f"{ANIMALS}|2"}, True),
    ({}, {"check_system_version": f"{ANIMALS}|2"}, True),
    ({"version": "2"}, {"check_system_version": f"{ANIMALS}|1"}, False),
]


@pytest.mark.parametrize(("stated", "parameters", "result"), VERSIONS)
def test_the_version_that_judges(stated: Json, parameters: Json, result: bool):
    """cat is new in version 2."""
    older = animals("1", concept=[{"code": "dog"}])
    asked = value_set(include(system=ANIMALS, **stated))
    answer = call(
        "ValueSet/$validate-code", older, animals("2"), asked, url=VS, system=ANIMALS, code="cat", **parameters
    )
    assert value_of(answer, "result") is result


def test_a_code_outside_a_fragment_passes_with_a_warning():
    answer = call("CodeSystem/$validate-code", animals(content="fragment"), url=ANIMALS, code="cow")
    assert value_of(answer, "result") is True
    assert told(answer) == ["warning invalid-code code"]


def test_an_inline_code_system_or_value_set_is_asked_in_place_of_a_url():
    of_system = call("CodeSystem/$validate-code", codeSystem=animals(), code="dog")
    of_set = call("ValueSet/$validate-code", animals(), valueSet=MAMMALS, code="dog", system=ANIMALS)
    assert value_of(of_system, "result") is value_of(of_set, "result") is True


REFUSED: list[tuple[str, Json, str]] = [
    ("ValueSet", {"url": NOWHERE, "code": "dog", "system": ANIMALS}, "could not be found"),
    ("ValueSet", {"code": "dog", "system": ANIMALS}, "'url' is missing"),
    ("ValueSet", {"url": VS}, "Unable to find code to validate"),
    ("ValueSet", {"url": VS, "code": "dog"}, "Unable to find code to validate"),
    ("ValueSet", {"url": VS, "code": "dog", "coding": {"code": "dog"}}, "Only one of code, coding, codeableConcept"),
    ("ValueSet", {"url": VS, "valueSet": MAMMALS, "code": "dog", "system": ANIMALS}, "Only one of url, valueSet"),
    ("ValueSet", {"url": VS, "code": ["dog", "cat"], "system": ANIMALS}, "was sent 2 times"),
    ("ValueSet", {"url": VS, "coding": {"code": 1}}, "must be text"),
    ("CodeSystem", {"url": ANIMALS}, "Unable to find code to validate"),
    ("CodeSystem", {"url": ANIMALS, "codeSystem": animals(), "code": "dog"}, "Only one of url, codeSystem"),
    ("CodeSystem", {"url": ANIMALS, "code": "dog", "date": "soon"}, "must be a date"),
]


@pytest.mark.parametrize(("kind", "parameters", "said"), REFUSED)
def test_what_cannot_be_judged_is_refused_with_the_reason(kind: str, parameters: Json, said: str):
    with pytest.raises(Refusal) as refused:
        call(f"{kind}/$validate-code", animals(), MAMMALS, **parameters)
    assert said in str(refused.value)
