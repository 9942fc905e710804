"""$closure keeps a table of which codes subsume which, and can say again what came after a version."""

import threading
from typing import Any

import pytest
from animals import ANIMALS, animals, concept
from http_client import Client, Reply, parameters

from terminology.storage.closures import Closures

PLANTS = "https://example.org/CodeSystem/plants"


def coding(code: str, system: str = ANIMALS, **more: str) -> dict[str, str]:
    return {"system": system, "code": code, **more}


def call(client: Client, *codes: Any, name: str = "t", **more: Any) -> Reply:
    body = parameters(name=name, **more)
    for code in codes:
        stated = code if isinstance(code, dict) else coding(code)
        body["parameter"].append({"name": "concept", "valueCoding": stated})
    return client.post("$closure", body)


def relations(reply: Reply) -> set[tuple[str, str, str]]:
    """(narrower, relation, broader) in the words of the version that answered."""
    assert reply.status == 200, reply.texts
    assert reply.resource["resourceType"] == "ConceptMap"
    return {
        (element["code"], target.get("relationship") or target["equivalence"], target["code"])
        for group in reply.resource.get("group", [])
        for element in group["element"]
        for target in element["target"]
    }


BROADER = {"r4": "subsumes", "r5": "source-is-narrower-than-target"}
SAME = {"r4": "equal", "r5": "equivalent"}


@pytest.fixture
def client(made, version: str) -> Client:
    return Client(made(animals()), version)


@pytest.fixture
def ready(client: Client) -> Client:
    assert call(client).status == 200
    return client


def test_the_name_alone_makes_an_empty_table(client: Client) -> None:
    made = call(client).resource
    assert (made["id"], made["version"], made["name"]) == ("t", "0", "Closure Table t Creation")
    assert (made["status"], made["experimental"], "group" in made) == ("active", True, False)


def test_the_target_subsumes_the_source_whichever_came_first(ready: Client) -> None:
    """HL7's example: the source is the narrower code, 22298006, the target 128599005 subsumes it."""
    broader = BROADER[ready.version]
    assert relations(call(ready, "dog")) == set()
    assert relations(call(ready, "mammal")) == {("dog", broader, "mammal")}
    assert relations(call(ready, "cat", "bird")) == {("cat", broader, "mammal")}
    expected = {(code, broader, "animal") for code in ("dog", "mammal", "cat", "bird")}
    assert relations(call(ready, "animal")) == expected


def test_several_codes_of_one_call_are_related_to_each_other(ready: Client) -> None:
    broader = BROADER[ready.version]
    assert relations(call(ready, "animal", "dog", "mammal", "dog")) == {
        ("dog", broader, "animal"),
        ("mammal", broader, "animal"),
        ("dog", broader, "mammal"),
    }


def test_a_code_that_is_there_already_brings_nothing_new(ready: Client) -> None:
    call(ready, "dog", "mammal")
    again = call(ready, "dog")
    assert relations(again) == set()
    assert again.resource["name"] == "Updates for Closure Table t"


def test_each_addition_is_a_new_version_and_a_replay_tells_what_came_after_one(ready: Client) -> None:
    broader = BROADER[ready.version]
    versions = [call(ready, code).resource["version"] for code in ("dog", "mammal", "animal")]
    assert versions == ["1", "2", "3"]
    table = {
        "0": {("dog", broader, "mammal"), ("dog", broader, "animal"), ("mammal", broader, "animal")},
        "1": {("dog", broader, "mammal"), ("dog", broader, "animal"), ("mammal", broader, "animal")},
        "2": {("dog", broader, "animal"), ("mammal", broader, "animal")},
        "3": set(),
    }
    for version, expected in table.items():
        replayed = call(ready, version=version)
        assert (replayed.resource["version"], relations(replayed)) == ("3", expected), version


def test_a_table_made_anew_forgets_codes_and_versions(ready: Client) -> None:
    call(ready, "dog", "mammal")
    call(ready, "cat")
    assert call(ready).resource["version"] == "0"
    assert relations(call(ready, version="0")) == set()
    assert relations(call(ready, "dog")) == set()
    stale = call(ready, version="1")
    assert (stale.status, stale.ids) == (422, ["OWN_CLOSURE_VERSION"])


def test_codes_of_several_systems_share_a_table_and_are_related_within_their_own(made, version: str) -> None:
    plants = {**animals(), "id": "plants", "url": PLANTS}
    client = Client(made(animals(), plants), version)
    call(client)
    answer = call(client, "dog", coding("mammal", PLANTS), "mammal", coding("dog", PLANTS))
    assert relations(answer) == {("dog", BROADER[version], "mammal")}
    groups = [(group["source"], group["target"]) for group in answer.resource["group"]]
    assert groups == [(ANIMALS, ANIMALS), (PLANTS, PLANTS)]


def test_two_spellings_of_one_code_mean_the_same(made, version: str) -> None:
    client = Client(made(animals(caseSensitive=False)), version)
    call(client)
    call(client, "mammal", "dog")
    assert relations(call(client, "DOG")) == {
        ("DOG", BROADER[version], "mammal"),
        ("DOG", SAME[version], "dog"),
    }


def test_a_system_that_defines_no_subsumption_has_codes_without_relations(made, version: str) -> None:
    none = "https://flask-fhir-terminology.org/fhir/StructureDefinition/no-subsumption"
    flat = animals(extension=[{"url": none, "valueBoolean": True}])
    del flat["hierarchyMeaning"]
    client = Client(made(flat), version)
    call(client)
    assert relations(call(client, "dog", "mammal")) == set()


ONE_SYSTEM = (animals(),)
CASES = {
    "no name": (ONE_SYSTEM, [], {"name": None}, 400, "OWN_MISSING_PARAMETER"),
    "a name that is no id": (ONE_SYSTEM, [], {"name": "invalid-id!"}, 400, "OWN_CLOSURE_NAME"),
    "a name that is too long": (ONE_SYSTEM, [], {"name": "x" * 65}, 400, "OWN_CLOSURE_NAME"),
    "a table never made": (ONE_SYSTEM, ["dog"], {"name": "other"}, 404, "OWN_CLOSURE_UNKNOWN"),
    "a replay of a table never made": (ONE_SYSTEM, [], {"name": "other", "version": "1"}, 404, "OWN_CLOSURE_UNKNOWN"),
    "a version never issued": (ONE_SYSTEM, [], {"version": "7"}, 422, "OWN_CLOSURE_VERSION"),
    "a version that is no number": (ONE_SYSTEM, [], {"version": "latest"}, 422, "OWN_CLOSURE_VERSION"),
    "codes and a version": (ONE_SYSTEM, ["dog"], {"version": "0"}, 400, "OWN_CONTRADICTORY_PARAMETERS"),
    "an unknown code": (ONE_SYSTEM, ["dog", "unicorn"], {}, 422, "OWN_LOOKUP_UNKNOWN_CODE"),
    "an unknown system": (ONE_SYSTEM, [coding("dog", PLANTS)], {}, 422, "OWN_LOOKUP_UNKNOWN_SYSTEM"),
    "an unknown version": (ONE_SYSTEM, [coding("dog", version="9")], {}, 422, "OWN_LOOKUP_UNKNOWN_VERSION"),
    "no system": (ONE_SYSTEM, [{"code": "dog"}], {}, 422, "OWN_CLOSURE_CODING"),
    "no code": (ONE_SYSTEM, [{"system": ANIMALS}], {}, 422, "OWN_CLOSURE_CODING"),
    "two releases at once": (
        (animals("1"), animals("2")),
        ["dog", coding("cat", version="1")],
        {},
        422,
        "OWN_CLOSURE_REINITIALISE",
    ),
    "a hierarchy without a meaning": (
        (animals(hierarchyMeaning="part-of"),),
        ["dog"],
        {},
        422,
        "OWN_SUBSUMPTION_UNDEFINED",
    ),
    "a fragment": ((animals(content="fragment"),), ["dog"], {}, 422, "OWN_SUBSUMPTION_FRAGMENT"),
}


@pytest.mark.parametrize(("content", "codes", "more", "status", "message"), CASES.values(), ids=CASES)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    made, version: str, content, codes, more, status: int, message: str
) -> None:
    client = Client(made(*content), version)
    call(client)
    body = {name: value for name, value in {"name": "t", **more}.items() if value is not None}
    if "name" in body:
        answer = call(client, *codes, **body)
    else:
        answer = client.post("$closure", parameters(concept=coding("dog")))
    assert (answer.status, answer.ids[-1]) == (status, message), answer.texts
    assert call(client, version="0").resource["version"] == "0"


def test_every_unknown_code_is_named(ready: Client) -> None:
    answer = call(ready, "unicorn", "dog", "griffin")
    assert answer.status == 422
    assert [each["expression"] for each in answer.resource["issue"]] == [["concept[0]"], ["concept[2]"]]


def test_a_new_release_asks_for_a_new_table(made, version: str) -> None:
    """https://hl7.org/fhir/R4/terminology-service.html#closure: 422, the client's only choice is to start again."""
    before = Client(made(animals("1")), version)
    call(before)
    call(before, "dog")
    after = Client(made(animals("1"), animals("2")), version)
    answer = call(after, "mammal")
    assert (answer.status, answer.ids) == (422, ["OWN_CLOSURE_REINITIALISE"])
    assert "must be reinitialized" in answer.texts
    assert relations(call(after, coding("mammal", version="1"))) != set(), "who names the old release may go on"
    call(after)
    assert relations(call(after, "mammal", "dog")) != set()


def test_only_post_changes_a_table(client: Client) -> None:
    assert client.get("$closure?name=t").status == 405


@pytest.mark.parametrize(("limit", "status"), [(3, 200), (2, 422)])
def test_a_table_is_bounded_by_its_setting(made, version: str, limit: int, status: int) -> None:
    client = Client(made(animals(), closure_limit=limit), version)
    call(client)
    answer = call(client, "dog", "cat", "bird")
    assert answer.status == status
    assert ("closure_limit" in answer.texts) is (status == 422)


@pytest.mark.parametrize(("limit", "status"), [(2, 200), (1, 422), (0, 422)])
def test_tables_are_bounded_by_their_setting(made, version: str, limit: int, status: int) -> None:
    client = Client(made(animals(), closure_tables=limit), version)
    call(client, name="one")
    assert call(client, name="two").status == status


def test_codes_that_a_request_brings_can_be_added(ready: Client) -> None:
    plants = {
        "resourceType": "CodeSystem",
        "url": PLANTS,
        "status": "active",
        "content": "complete",
        "hierarchyMeaning": "is-a",
        "concept": [concept("plant", concept("tree"))],
    }
    body = parameters(name="t", **{"tx-resource": plants})
    for code in ("tree", "plant"):
        body["parameter"].append({"name": "concept", "valueCoding": coding(code, PLANTS)})
    assert relations(ready.post("$closure", body)) == {("tree", BROADER[ready.version], "plant")}


def test_calls_at_the_same_time_miss_no_relation(made, version: str) -> None:
    """Each code is related to all that were there before it, however the calls meet."""
    line = concept("c0")
    for number in range(1, 16):
        line = concept(f"c{number}", line)
    app = made({**animals(), "concept": [line]})
    call(Client(app, version))
    threads = [threading.Thread(target=call, args=(Client(app, version), f"c{number}")) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {(f"c{low}", BROADER[version], f"c{high}") for high in range(16) for low in range(high)}
    assert relations(call(Client(app, version), version="0")) == expected


def test_a_table_that_changes_all_the_time_is_unavailable_not_wrong(
    ready: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Closures, "extend", lambda *_: None)
    answer = call(ready, "dog")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
