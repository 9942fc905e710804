"""CodeSystem/$lookup: what is told of a code, what may be asked for, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from animals import ANIMALS, animals
from engine.asking import call, value_of, values_of

from terminology.issues import Refusal

Json = dict[str, Any]
DOG: Json = {"system": ANIMALS, "code": "dog"}
FRENCH: Json = {
    "resourceType": "CodeSystem",
    "url": "https://example.org/CodeSystem/animals-fr",
    "version": "3",
    "status": "active",
    "content": "supplement",
    "supplements": ANIMALS,
    "language": "fr",
    "property": [{"code": "smell", "type": "string"}],
    "concept": [
        {
            "code": "dog",
            "display": "Chien",
            "designation": [{"language": "fr-CA", "value": "Pitou"}],
            "property": [{"code": "smell", "valueString": "strong"}],
        }
    ],
}
FRENCH_NAME = f"{FRENCH['url']}|3"
PACK_MARK = {"url": "http://hl7.org/fhir/StructureDefinition/codesystem-supplement-type", "valueCode": "lang-pack"}
PACK = {**FRENCH, "extension": [PACK_MARK]}


def properties(answer: Json) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for held in values_of(answer, "property"):
        found.setdefault(held["code"], []).append(held["value"])
    return found


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_a_lookup_tells_all_that_is_known(fhir: Any):
    answer = call("CodeSystem/$lookup", animals(name="Animals"), fhir=fhir, **DOG)
    named = {name: value_of(answer, name) for name in ("name", "version", "code", "system", "display", "abstract")}
    assert named == {
        "name": "Animals",
        "version": "1",
        "code": "dog",
        "system": ANIMALS,
        "display": "Dog",
        "abstract": False,
    }
    assert properties(answer) == {
        "inactive": [False],
        "parent": ["mammal"],
        "legs": [4],
        "tame": [True],
        "diet": ["bird"],
        "sound": ["a loud bark"],
    }


def test_a_value_that_is_a_code_of_the_system_is_described():
    answer = call("CodeSystem/$lookup", animals(), **DOG)
    described = {held["code"]: held.get("description") for held in values_of(answer, "property")}
    assert described["parent"] == "Mammal"
    assert described["diet"] == "Bird"
    assert described["sound"] is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["legs"], {"legs"}),
        (["legs", "sound"], {"legs", "sound"}),
        (["parent"], {"parent"}),
        (["inactive"], {"inactive"}),
        (["*"], {"inactive", "parent", "legs", "tame", "diet", "sound"}),
        (["nothing of the kind"], set()),
        (["designation"], set()),
    ],
)
def test_only_the_properties_asked_for_are_told(asked: list[str], told: set[str]):
    answer = call("CodeSystem/$lookup", animals(), **DOG, property=asked)
    assert set(properties(answer)) == told
    assert bool(values_of(answer, "designation")) is bool({"designation", "*"} & set(asked))
    assert value_of(answer, "display") == "Dog"


def test_children_are_told():
    answer = call("CodeSystem/$lookup", animals(), system=ANIMALS, code="mammal", property=["child"])
    assert properties(answer) == {"child": ["dog", "cat"]}


@pytest.mark.parametrize(
    "parameters",
    [
        {"coding": DOG},
        {"coding": {**DOG, "version": "1"}},
        {**DOG, "version": "1"},
        {**DOG, "version": "1.x", "system_version": f"{ANIMALS}|9"},
        {"codeSystem": animals(), "code": "dog"},
    ],
)
def test_a_code_may_be_named_in_several_ways(parameters: Json):
    resources = [animals(version) for version in ("1", "1.2")] if "1.x" in str(parameters) else [animals()]
    assert value_of(call("CodeSystem/$lookup", *resources, **parameters), "display") == "Dog"


@pytest.mark.parametrize(
    ("held", "stated", "answered"),
    [
        ([animals("1"), animals("2")], {}, "2"),
        ([animals("2"), animals("10"), animals("9")], {}, "10"),
        ([animals("1"), animals("2")], {"version": "1"}, "1"),
        ([animals("1"), animals("2")], {"system_version": f"{ANIMALS}|1"}, "1"),
        ([animals("1"), animals("2")], {"version": "2", "force_system_version": f"{ANIMALS}|1"}, "1"),
        ([animals("1"), animals("2", content="fragment")], {}, "1"),
        ([animals("1"), animals("2", content="fragment")], {"version": "2"}, "2"),
        ([animals("1.0"), animals("1.5"), animals("2.0")], {"version": "1.x"}, "1.5"),
    ],
)
def test_the_version_that_answers(held: list[Json], stated: Json, answered: str):
    assert value_of(call("CodeSystem/$lookup", *held, **DOG, **stated), "version") == answered


@pytest.mark.parametrize(
    ("parameters", "display"),
    [
        ({}, "Dog"),
        ({"displayLanguage": "fr"}, "Chien"),
        ({"displayLanguage": "fr-CA"}, "Pitou"),
        ({"displayLanguage": "de"}, "Dog"),
        ({"accept": "fr"}, "Chien"),
        ({"accept": "fr", "displayLanguage": "en"}, "Dog"),
    ],
)
def test_the_display_is_in_the_language_of_the_reader(parameters: Json, display: str):
    answer = call("CodeSystem/$lookup", animals(language="en"), PACK, **DOG, **parameters)
    assert value_of(answer, "display") == display


def test_a_language_pack_applies_unasked_and_another_supplement_only_when_named():
    assert value_of(call("CodeSystem/$lookup", animals(), PACK, **DOG), "used-supplement") == FRENCH_NAME
    assert value_of(call("CodeSystem/$lookup", animals(), FRENCH, **DOG), "used-supplement") is None
    named = call("CodeSystem/$lookup", animals(), FRENCH, **DOG, useSupplement=FRENCH["url"])
    assert value_of(named, "used-supplement") == FRENCH_NAME
    assert properties(named)["smell"] == ["strong"]
    assert [held.get("source") for held in values_of(named, "property") if held["code"] == "smell"] == [FRENCH_NAME]


REFUSED: list[tuple[Json, str, str | None]] = [
    ({"system": ANIMALS}, "Nothing to look up", "code"),
    ({"code": "dog"}, "Nothing to look up", "system"),
    ({**DOG, "coding": DOG}, "Only one of", None),
    ({"system": "http://example.org/nowhere", "code": "dog"}, "is not known to this server", "system"),
    ({"system": ANIMALS, "code": "cow"}, "Unknown code 'cow'", "code"),
    ({"system": ANIMALS, "code": "DOG"}, "Unknown code 'DOG'", "code"),
    ({**DOG, "version": "9"}, "has no version '9' here. Valid versions: 1", "version"),
    ({**DOG, "useSupplement": "http://example.org/nowhere"}, "Required supplement not found", "useSupplement"),
    ({**DOG, "displayLanguage": "d e"}, "Invalid displayLanguage", None),
    ({**DOG, "date": "yesterday"}, "must be a date", "date"),
    ({"coding": "dog"}, "must be a Coding", "coding"),
    ({"system": FRENCH["url"], "code": "dog"}, "is not known to this server", "system"),
]


@pytest.mark.parametrize(("parameters", "said", "place"), REFUSED)
def test_what_cannot_be_looked_up_is_refused_with_the_reason(parameters: Json, said: str, place: str | None):
    with pytest.raises(Refusal) as refused:
        call("CodeSystem/$lookup", animals(), FRENCH, **parameters)
    assert said in str(refused.value)
    assert refused.value.issues[0].expression == place


@pytest.mark.parametrize("content", ["not-present", "example"])
def test_a_system_without_its_content_is_not_answered(content: str):
    with pytest.raises(Refusal, match="is not known to this server"):
        call("CodeSystem/$lookup", animals(content=content), **DOG)
