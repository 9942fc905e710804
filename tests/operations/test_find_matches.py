"""CodeSystem/$find-matches finds codes by their properties and tells what of them each code lacks."""

from typing import Any

import pytest
from animals import ANIMALS, animals
from http_client import Client, Reply

DOG = {"system": ANIMALS, "code": "dog"}


def value(stated: Any) -> dict[str, Any]:
    """``value[x]`` of its type; a dict may state it itself."""
    if isinstance(stated, dict) and "code" not in stated:
        return stated
    kinds = {bool: "Boolean", int: "Integer", dict: "Coding"}
    return {f"value{kinds.get(type(stated), 'Code')}": stated}


def wanted(code: str, stated: Any = None, *inner: tuple[str, Any]) -> dict[str, Any]:
    parts = [{"name": "code", "valueCode": code}]
    if stated is not None:
        parts.append({"name": "value", **value(stated)})
    parts += [
        {"name": "subproperty", "part": [{"name": "code", "valueCode": name}, {"name": "value", **value(held)}]}
        for name, held in inner
    ]
    return {"name": "property", "part": parts}


def ask(client: Client, *properties: Any, path: str = "CodeSystem/$find-matches", **more: Any) -> Reply:
    stated = {"exact": True, "system": ANIMALS if "[id]" not in path else None, **more}
    given = [
        {
            "name": name,
            **(
                {"valueUri": held}
                if name == "system"
                else {"valueString": held}
                if name == "version"
                else {"valueBoolean": held}
            ),
        }
        for name, held in stated.items()
        if held is not None
    ]
    return client.post(path, {"resourceType": "Parameters", "parameter": [*given, *properties]})


def found(reply: Reply) -> dict[str, list[str]]:
    """Code → properties that it lacks, best first."""
    assert reply.status == 200, reply.texts
    matches = {}
    for match in reply.resource.get("parameter", []):
        parts = match["part"]
        code = next(part["valueCoding"] for part in parts if part["name"] == "code")
        assert code["system"] == ANIMALS
        lacking = [part["part"][0]["valueCode"] for part in parts if part["name"] == "unmatched"]
        matches[code["code"]] = lacking
    return matches


def comments(reply: Reply) -> dict[str, str]:
    return {
        parts["code"]["valueCoding"]["code"]: parts["comment"]["valueString"]
        for parts in ({part["name"]: part for part in match["part"]} for match in reply.resource.get("parameter", []))
        if "comment" in parts
    }


@pytest.fixture
def client(made) -> Client:
    return Client(made(animals()), "r4")


EXACT = {
    "one property": ([wanted("tame", True)], {"dog": [], "cat": []}),
    "a number": ([wanted("legs", 2)], {"bird": []}),
    "a number is no text": ([wanted("legs", {"valueString": "2"})], {}),
    "false is no absence": ([wanted("tame", False)], {"bird": []}),
    "a code": ([wanted("diet", "bird")], {"dog": []}),
    "a code as text": ([wanted("diet", {"valueString": "bird"})], {"dog": []}),
    "a code as Coding of the system": ([wanted("diet", {"system": ANIMALS, "code": "bird"})], {"dog": []}),
    "a Coding of another system": ([wanted("diet", {"system": "https://example.org/else", "code": "bird"})], {}),
    "a Coding": ([wanted("enemy", DOG)], {"cat": []}),
    "a property by its uri": ([wanted("https://example.org/diet", "bird")], {"dog": []}),
    "any value": ([wanted("enemy")], {"cat": []}),
    "a parent": ([wanted("parent", "mammal")], {"dog": [], "cat": []}),
    "a child": ([wanted("child", "dog")], {"mammal": []}),
    "a display": ([wanted("display", {"valueString": "Bird"})], {"bird": []}),
    "complete before partial": (
        [wanted("tame", True), wanted("diet", "bird")],
        {"dog": [], "cat": ["diet"]},
    ),
    "those that match most before others": (
        [wanted("legs", 4), wanted("tame", True), wanted("diet", "mammal")],
        {"cat": [], "dog": ["diet"], "mammal": ["tame", "diet"]},
    ),
    "nothing": ([wanted("legs", 8)], {}),
    "an inner property is never matched": (
        [wanted("legs", 2), wanted("diet", "bird", ("how", "raw"))],
        {"bird": ["diet"]},
    ),
}


@pytest.mark.parametrize(("properties", "expected"), EXACT.values(), ids=EXACT)
def test_a_machine_gets_complete_and_partial_matches(client: Client, properties: Any, expected: Any) -> None:
    answer = ask(client, *properties)
    matches = found(answer)
    assert matches == expected
    assert list(matches) == list(expected), "best first"
    assert bool(matches) is ("parameter" in answer.resource), "FHIR has no empty lists"
    assert comments(answer) == {}


def test_what_a_code_lacks_is_told_with_its_value_and_inner_properties(client: Client) -> None:
    answer = ask(client, wanted("legs", 2), wanted("diet", "bird", ("how", "raw")))
    match = answer.resource["parameter"][0]
    assert match["part"][0] == {
        "name": "code",
        "valueCoding": {"system": ANIMALS, "version": "1", "code": "bird", "display": "Bird"},
    }
    assert match["part"][1] == {
        "name": "unmatched",
        "part": [
            {"name": "code", "valueCode": "diet"},
            {"name": "value", "valueCode": "bird"},
            {
                "name": "property",
                "part": [{"name": "code", "valueCode": "how"}, {"name": "value", "valueCode": "raw"}],
            },
        ],
    }


PEOPLE = {
    "complete and partial say so": (
        [wanted("tame", True), wanted("diet", "bird")],
        {"dog": "Complete match", "cat": "Partial match"},
    ),
    "a broader and a narrower value": (
        [wanted("diet", "animal")],
        {
            "dog": "Possible match; diet is bird, which is narrower than animal",
            "cat": "Possible match; diet is mammal, which is narrower than animal",
        },
    ),
    "a broader value": (
        [wanted("diet", "dog")],
        {"cat": "Possible match; diet is mammal, which is broader than dog"},
    ),
    "words within a text": (
        [wanted("sound", {"valueString": "LOUD"})],
        {"dog": "Possible match; sound holds the text 'LOUD'"},
    ),
}


@pytest.mark.parametrize(("properties", "expected"), PEOPLE.values(), ids=PEOPLE)
def test_people_get_possible_matches_too_and_a_comment(client: Client, properties: Any, expected: Any) -> None:
    assert comments(ask(client, *properties, exact=False)) == expected
    assert comments(ask(client, *properties, exact=None)) == expected, "false is the default"


@pytest.mark.parametrize(
    ("compositional", "said"),
    [(False, "compositional is not applicable"), (True, "none was composed")],
)
def test_composed_codes_are_said_to_be_not_applicable_or_not_made(made, compositional: bool, said: str) -> None:
    client = Client(made(animals(compositional=compositional)), "r4")
    answer = ask(client, wanted("legs", 2), compositional=True)
    assert found(answer) == {"bird": []}
    assert said in comments(answer)["bird"]


def test_an_instance_is_its_own_system(made) -> None:
    client = Client(made(animals("1"), animals("2")), "r4")
    answer = ask(client, wanted("legs", 2), path="CodeSystem/animals-1/$find-matches", system=None)
    assert answer.resource["parameter"][0]["part"][0]["valueCoding"]["version"] == "1"


@pytest.mark.parametrize(("stated", "answers"), [(None, "2"), ("1", "1")])
def test_the_version_asked_for_answers_else_the_latest(made, stated: str | None, answers: str) -> None:
    client = Client(made(animals("1"), animals("2")), "r4")
    reply = ask(client, wanted("legs", 2), version=stated)
    assert reply.resource["parameter"][0]["part"][0]["valueCoding"]["version"] == answers


REFUSED = {
    "no property": ([], {}, 400, "OWN_MISSING_PARAMETER"),
    "a property without code": (
        [{"name": "property", "part": [{"name": "value", "valueCode": "x"}]}],
        {},
        400,
        "OWN_MISSING_PARAMETER",
    ),
    "a property that is a text": ([{"name": "property", "valueString": "legs"}], {}, 400, "OWN_WRONG_TYPE"),
    "an unknown property": ([wanted("wings", 2)], {}, 400, "OWN_UNKNOWN_PROPERTY"),
    "no system": ([wanted("legs", 2)], {"system": None}, 400, "OWN_MISSING_PARAMETER"),
    "an unknown system": ([wanted("legs", 2)], {"system": "https://example.org/x"}, 404, "OWN_LOOKUP_UNKNOWN_SYSTEM"),
    "an unknown version": ([wanted("legs", 2)], {"version": "9"}, 404, "OWN_LOOKUP_UNKNOWN_VERSION"),
}


@pytest.mark.parametrize(("properties", "more", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_answered_is_said(client: Client, properties, more, status: int, message: str) -> None:
    answer = ask(client, *properties, **more)
    assert (answer.status, answer.ids[0]) == (status, message), answer.texts


@pytest.mark.parametrize(("limit", "status"), [(3, 200), (2, 422)])
def test_too_many_matches_are_refused_not_cut(made, limit: int, status: int) -> None:
    client = Client(made(animals(), expansion_limit=limit), "r4")
    answer = ask(client, wanted("legs", 4))
    assert answer.status == status
    assert ("expansion_limit" in answer.texts) is (status == 422)


def test_it_is_offered_in_both_versions(made) -> None:
    """Both R4 and R5 define it; only a later ballot drops it."""
    app = made(animals())
    for version in ("r4", "r5"):
        client = Client(app, version)
        assert ask(client, wanted("legs", 2)).status == 200
        rest = client.get("metadata").resource["rest"][0]
        kinds = {each["type"]: [one["name"] for one in each.get("operation", [])] for each in rest["resource"]}
        assert "find-matches" in kinds["CodeSystem"]
