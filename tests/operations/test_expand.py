"""ValueSet/$expand: which codes are listed, how they look, what the expansion says of itself, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from animals import ANIMALS, animals
from engine.asking import VS, call, filtered, include, value_set

from terminology.issues import Refusal

Json = dict[str, Any]

MAMMALS = filtered("concept", "is-a", "mammal", system=ANIMALS)
WHOLE = include(system=ANIMALS)
AGED = animals(
    concept=[
        {"code": "dog", "display": "Dog", "definition": "Barks", "designation": [{"language": "de", "value": "Hund"}]},
        {"code": "dodo", "display": "Dodo", "property": [{"code": "status", "valueCode": "retired"}]},
        {"code": "beast", "display": "Beast", "property": [{"code": "notSelectable", "valueBoolean": True}]},
    ]
)


def expansion(*resources: Json, **parameters: Any) -> Json:
    return call("ValueSet/$expand", *resources, url=VS, **parameters)["expansion"]


def outline(contains: list[Json]) -> str:
    """``mammal(dog cat) bird``: the codes as they are nested."""
    return " ".join(
        entry["code"] + (f"({outline(entry['contains'])})" if "contains" in entry else "") for entry in contains
    )


def listed(*resources: Json, **parameters: Any) -> str:
    return outline(expansion(*resources, **parameters).get("contains", []))


LISTED: list[tuple[Json, Json, str]] = [
    (value_set(WHOLE), {}, "animal(mammal(dog cat) bird)"),
    (value_set(WHOLE), {"excludeNested": True}, "animal mammal dog cat bird"),
    (value_set(MAMMALS), {}, "mammal(dog cat)"),
    (value_set(include("cat", "dog", system=ANIMALS)), {}, "cat dog"),
    (value_set(include("cat", "cat", "cow", system=ANIMALS)), {}, "cat"),
    (value_set(include("bird", system=ANIMALS), MAMMALS), {"excludeNested": True}, "bird mammal dog cat"),
    (value_set(WHOLE, exclude=[MAMMALS]), {}, "animal(bird)"),
    (value_set(WHOLE, exclude=[include("mammal", system=ANIMALS)]), {}, "animal(dog cat bird)"),
    (value_set(WHOLE, exclude=[WHOLE]), {}, ""),
    (value_set(), {}, ""),
    (value_set(WHOLE), {"count": 2}, "animal mammal"),
    (value_set(WHOLE), {"count": 2, "offset": 3}, "cat bird"),
    (value_set(WHOLE), {"offset": 4}, "bird"),
    (value_set(WHOLE), {"offset": 50, "count": 2}, ""),
    (value_set(WHOLE), {"count": 0}, ""),
    (value_set(WHOLE), {"filter": "ma"}, "mammal"),
    (value_set(WHOLE), {"filter": "DOG"}, "dog"),
    (value_set(WHOLE), {"filter": "nothing like it"}, ""),
    (value_set(WHOLE), {"exclude_system": "http://example.org/other"}, "animal(mammal(dog cat) bird)"),
    (value_set(WHOLE), {"exclude_system": ANIMALS}, ""),
    (value_set(WHOLE), {"exclude_system": f"{ANIMALS}|2"}, "animal(mammal(dog cat) bird)"),
]


@pytest.mark.parametrize(("asked", "parameters", "codes"), LISTED)
def test_codes_are_listed(asked: Json, parameters: Json, codes: str):
    assert listed(animals(), asked, **parameters) == codes


@pytest.mark.parametrize("parameters", [{}, {"count": 1}, {"count": 2, "offset": 3}, {"count": 0}, {"offset": 9}])
def test_the_total_is_that_of_all_codes(parameters: Json):
    found = expansion(animals(), value_set(WHOLE), **parameters)
    assert found["total"] == 5
    assert found.get("offset") == (parameters.get("offset", 0) if parameters else None)


IMPORTS: list[tuple[list[Json], str]] = [
    ([{"valueSet": [f"{VS}/a"]}], "mammal dog cat"),
    ([{"valueSet": [f"{VS}/a", f"{VS}/b"]}], "dog"),
    ([{"valueSet": [f"{VS}/b"], "system": ANIMALS, "concept": [{"code": "bird"}, {"code": "cat"}]}], "bird"),
    ([{"valueSet": [f"{VS}/a"]}, {"valueSet": [f"{VS}/b"]}], "mammal dog cat bird"),
    ([{"valueSet": [f"{VS}/c"]}], "dog"),
]


@pytest.mark.parametrize(("includes", "codes"), IMPORTS)
def test_imports_of_one_include_are_an_intersection_and_includes_a_union(includes: list[Json], codes: str):
    sets = [
        value_set(MAMMALS, url=f"{VS}/a"),
        value_set(include("dog", "bird", system=ANIMALS), url=f"{VS}/b"),
        value_set({"valueSet": [f"{VS}/b"]}, url=f"{VS}/c", exclude=[include("bird", system=ANIMALS)]),
    ]
    assert listed(animals(), *sets, value_set(*includes), excludeNested=True) == codes


AGES: list[tuple[Json, Json, str]] = [
    ({}, {}, "dog dodo beast"),
    ({}, {"activeOnly": True}, "dog beast"),
    ({}, {"excludeNotForUI": True}, "dog dodo"),
    ({"inactive": False}, {}, "dog beast"),
    ({"inactive": True}, {}, "dog dodo beast"),
    ({"inactive": True}, {"activeOnly": True}, "dog beast"),
]


@pytest.mark.parametrize(("compose", "parameters", "codes"), AGES)
def test_inactive_and_abstract_codes_are_left_out_where_that_is_asked(compose: Json, parameters: Json, codes: str):
    assert listed(AGED, value_set(WHOLE, **compose), **parameters) == codes


def test_an_inactive_code_and_an_abstract_one_say_so():
    dog, dodo, beast = expansion(AGED, value_set(WHOLE))["contains"]
    assert "inactive" not in dog
    assert "abstract" not in dog
    assert dodo["inactive"] is True
    assert {"code": "status", "valueCode": "retired"} in dodo["property"]
    assert beast["abstract"] is True


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_properties_that_were_asked_for_are_listed_and_declared(fhir: Any):
    found = expansion(animals(), value_set(MAMMALS), fhir=fhir, property=["legs", "diet"], excludeNested=True)
    assert found["property"] == [{"code": "legs"}, {"code": "diet", "uri": "https://example.org/diet"}]
    _, dog, _ = found["contains"]
    assert dog["property"] == [{"code": "legs", "valueInteger": 4}, {"code": "diet", "valueCode": "bird"}]


def test_designations_and_displays_follow_the_language():
    asked = value_set(include("dog", system=ANIMALS))
    (plain,) = expansion({**AGED, "language": "en"}, asked)["contains"]
    (german,) = expansion({**AGED, "language": "en"}, asked, displayLanguage="de", includeDesignations=True)["contains"]
    assert (plain["display"], "designation" in plain) == ("Dog", False)
    assert german["display"] == "Hund"
    assert [(held["language"], held["value"]) for held in german["designation"]] == [("en", "Dog")]


def test_what_an_author_wrote_about_a_code_is_not_lost():
    stated = {"code": "dog", "display": "Good dog", "designation": [{"language": "nl", "value": "Hond"}]}
    asked = value_set({"system": ANIMALS, "concept": [stated]})
    (dog,) = expansion(animals(), asked, displayLanguage="nl")["contains"]
    assert dog["display"] == "Hond"


def parameters_of(found: Json) -> dict[str, Any]:
    return {
        entry["name"]: next(value for key, value in entry.items() if key.startswith("value"))
        for entry in found["parameter"]
    }


def test_the_expansion_says_what_it_was_made_with_and_from():
    sent = {"activeOnly": True, "excludeNested": True, "count": 9, "offset": 0, "filter": "dog"}
    inner = value_set(MAMMALS, url=f"{VS}/a", version="5")
    said = parameters_of(expansion(animals(status="draft"), inner, value_set({"valueSet": [f"{VS}/a"]}), **sent))
    assert {name: said[name] for name in sent} == sent
    assert said["used-codesystem"] == f"{ANIMALS}|1"
    assert said["used-valueset"].startswith(f"{VS}/a")
    assert said["warning-draft"] == f"{ANIMALS}|1"


def test_a_fragment_is_said_to_be_one():
    found = expansion(animals(content="fragment"), value_set(WHOLE))
    assert parameters_of(found)["used-fragment"] == f"{ANIMALS}|1"
    assert found["extension"][0] == {
        "url": "http://hl7.org/fhir/StructureDefinition/valueset-unclosed",
        "valueBoolean": True,
    }


def test_versions_are_shown_only_where_several_meet():
    older = animals("1", concept=[{"code": "dog"}, {"code": "dodo"}])
    mixed = value_set(include("dodo", system=ANIMALS, version="1"), include("cat", system=ANIMALS, version="2"))
    both = expansion(older, animals("2"), mixed)["contains"]
    assert {(entry["code"], entry["version"]) for entry in both} == {("dodo", "1"), ("cat", "2")}
    one = expansion(older, animals("2"), value_set(include("cat", system=ANIMALS)))["contains"]
    assert "version" not in one[0]


@pytest.mark.parametrize("parameters", [{"includeDefinition": True}, {}])
def test_the_definition_is_repeated_where_that_is_asked(parameters: Json):
    answer = call("ValueSet/$expand", animals(), {**value_set(WHOLE), "name": "Whole"}, url=VS, **parameters)
    assert answer["url"] == VS
    assert answer["name"] == "Whole"
    assert ("compose" in answer) is bool(parameters)


REFUSED: list[tuple[list[Json], Json, str]] = [
    ([], {"url": VS}, "could not be found"),
    ([value_set(WHOLE)], {}, "'url' is missing"),
    ([value_set(WHOLE)], {"url": VS, "valueSet": value_set(WHOLE)}, "Only one of url, valueSet"),
    ([value_set(WHOLE)], {"url": VS, "valueSetVersion": "9"}, f"{VS}|9"),
    ([value_set(WHOLE)], {"url": VS, "count": -1}, "must not be negative"),
    ([value_set(WHOLE)], {"url": VS, "count": "many"}, "must be a whole number"),
    ([value_set(WHOLE)], {"url": VS, "count": 10_000_000}, "page_limit"),
    ([value_set(WHOLE)], {"url": VS, "activeOnly": "yes"}, "must be true or false"),
    ([value_set(include(system="http://example.org/nowhere"))], {"url": VS}, "http://example.org/nowhere"),
    ([value_set(include(system=ANIMALS, version="9"))], {"url": VS}, "version '9'"),
    ([value_set({"valueSet": [VS]})], {"url": VS}, "circularity"),
    ([value_set({"valueSet": ["http://example.org/nowhere"]})], {"url": VS}, "http://example.org/nowhere"),
    ([value_set({"filter": []})], {"url": VS}, "names no system"),
    ([value_set(WHOLE)], {"url": VS, "check_system_version": f"{ANIMALS}|2"}, "2"),
    ([value_set(WHOLE)], {"url": VS, "useSupplement": "http://example.org/nowhere"}, "Required supplement"),
]


@pytest.mark.parametrize(("resources", "parameters", "said"), REFUSED)
def test_what_cannot_be_expanded_is_refused_with_the_reason(resources: list[Json], parameters: Json, said: str):
    with pytest.raises(Refusal) as refused:
        call("ValueSet/$expand", animals(), *resources, **parameters)
    assert said in str(refused.value)


def test_a_set_that_is_too_large_is_refused_without_a_page_and_answered_with_one():
    many = animals(concept=[{"code": f"c{number}"} for number in range(1500)])
    with pytest.raises(Refusal, match="too many codes"):
        expansion(many, value_set(WHOLE))
    page = expansion(many, value_set(WHOLE), count=3, offset=1400)
    assert (page["total"], outline(page["contains"])) == (1500, "c1400 c1401 c1402")
