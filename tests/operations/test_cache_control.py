"""$cache-control, X-Cache-Id and cache-id: resources are sent once, are private, and are compiled once."""

import json
from typing import Any

import pytest
from animals import ANIMALS, animals, concept
from http_client import Client, Reply, parameters

from terminology import layers
from terminology.layers import Layers

TAME = "https://example.org/ValueSet/tame"
UUID = "3b241101-e2bb-4255-8caf-4136c566a962"
OTHER = "0a4cde85-6c1d-4ae4-b0d5-90f6a44f5a2e"


def value_set(code: str = "dog", url: str | None = TAME, **more: Any) -> dict[str, Any]:
    include = [{"system": ANIMALS, "concept": [{"code": code}]}]
    named = {"url": url} if url else {}
    return {"resourceType": "ValueSet", "status": "active", "compose": {"include": include}, **named, **more}


def sent(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = parameters(**more)
    body["parameter"] += [{"name": "tx-resource", "resource": each} for each in resources]
    return body


def start(client: Client, *resources: dict[str, Any], **more: Any) -> str:
    reply = client.post("$cache-control?mode=start", sent(*resources, **more))
    assert reply.status == 200, reply.texts
    return str(reply.parameter("cache-id"))


def expand(client: Client, cache: str | None = None, **more: Any) -> Reply:
    body = more.pop("body", None) or parameters(**{"url": TAME, **more})
    return client.post("ValueSet/$expand", body, headers={"X-Cache-Id": cache} if cache else None)


def codes(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.texts
    return [each["code"] for each in reply.resource["expansion"]["contains"]]


def control(client: Client, mode: str, cache: str | None) -> Reply:
    return client.post(f"$cache-control?mode={mode}", headers={"X-Cache-Id": cache} if cache else None)


@pytest.fixture
def client(made, version: str) -> Client:
    return Client(made(animals()), version)


# --- the protocol -------------------------------------------------------------------------------------------


def test_what_a_cache_was_started_with_is_there_for_later_requests(client: Client) -> None:
    cache = start(client, value_set())
    assert codes(expand(client, cache)) == ["dog"]
    assert expand(client).status == 404, "and for nobody else"


def test_a_cached_code_system_shadows_the_stored_one(client: Client) -> None:
    cache = start(client, animals(concept=[concept("unicorn")]), value_set("unicorn"))
    assert codes(expand(client, cache)) == ["unicorn"]


def test_what_comes_with_the_request_lies_over_what_is_cached(client: Client) -> None:
    cache = start(client, value_set("dog"))
    assert codes(expand(client, cache, body=sent(value_set("cat"), url=TAME))) == ["cat"]


@pytest.mark.parametrize("body", [True, False], ids=["in the body", "in the query"])
def test_the_mode_may_stand_in_the_body_or_in_the_query(client: Client, body: bool) -> None:
    more = {"mode": "start"} if body else {}
    reply = client.post("$cache-control" if body else "$cache-control?mode=start", sent(value_set(), **more))
    assert codes(expand(client, reply.parameter("cache-id"))) == ["dog"]


@pytest.mark.parametrize(("stated", "sealed"), [({}, True), ({"sealed": True}, True), ({"sealed": False}, False)])
def test_a_start_says_whether_the_cache_is_sealed_and_it_is_unless_said_otherwise(
    client: Client, stated: dict[str, Any], sealed: bool
) -> None:
    reply = client.post("$cache-control?mode=start", sent(value_set(), **stated))
    assert reply.parameter("sealed") is sealed


def test_an_ended_cache_is_unknown_and_ending_it_again_is_no_error(client: Client) -> None:
    cache = start(client, value_set())
    assert control(client, "end", cache).status == 200
    assert expand(client, cache).status == 404
    assert control(client, "end", cache).status == 200


def test_a_check_tells_what_is_there_and_counts_as_use(client: Client) -> None:
    cache = start(client, value_set(), animals("9"))
    reply = control(client, "check", cache)
    told = {each["name"]: next(v for k, v in each.items() if k != "name") for each in reply.resource["parameter"]}
    assert told == {
        "cache-id": cache,
        "sealed": True,
        "valid": True,
        "resource-count": 2,
        "idle": 0,
        "timeout": 3600,
    }


def test_a_check_of_a_cache_that_is_gone_is_an_answer(client: Client) -> None:
    reply = control(client, "check", UUID)
    assert (reply.status, reply.parameter("valid")) == (200, False)
    kinds = [each["details"]["coding"][0]["code"] for each in reply.parameter("outcome")["issue"]]
    assert kinds == ["cache-id-unknown"]


ASKED = {
    "$expand": ("ValueSet/$expand", parameters(url=TAME)),
    "$validate-code": ("CodeSystem/$validate-code", parameters(url=ANIMALS, code="dog")),
    "$lookup": ("CodeSystem/$lookup", parameters(system=ANIMALS, code="dog")),
    "$subsumes": ("CodeSystem/$subsumes", parameters(system=ANIMALS, codeA="dog", codeB="cat")),
    "$closure": ("$closure", parameters(name="t")),
}


@pytest.mark.parametrize(("path", "body"), ASKED.values(), ids=ASKED)
@pytest.mark.parametrize("unknown", ["never-started", "x" * 5000, UUID])
def test_an_unknown_id_in_the_header_is_404_whatever_is_asked(client: Client, path, body, unknown: str) -> None:
    reply = client.post(path, body, headers={"X-Cache-Id": unknown})
    assert (reply.status, reply.ids) == (404, ["OWN_CACHE_ID_UNKNOWN"])
    assert reply.resource["issue"][0]["details"]["coding"][0]["code"] == "cache-id-unknown"


def test_a_cache_is_of_one_endpoint(made) -> None:
    app = made(animals())
    cache = start(Client(app, "r4"), value_set())
    assert expand(Client(app, "r5"), cache).status == 404


REFUSED = {
    "no mode": ("$cache-control", sent(value_set()), {}, "OWN_WRONG_TYPE"),
    "an unknown mode": ("$cache-control?mode=pause", None, {}, "OWN_WRONG_TYPE"),
    "an end of nothing": ("$cache-control?mode=end", None, {}, "OWN_MISSING_PARAMETER"),
    "a check of nothing": ("$cache-control?mode=check", None, {}, "OWN_MISSING_PARAMETER"),
    "a resource that cannot be used": (
        "$cache-control?mode=start",
        sent({"resourceType": "CodeSystem", "status": "active", "content": "complete"}),
        {},
        "OWN_RESOURCE_INVALID",
    ),
    "a resource of another type": (
        "$cache-control?mode=start",
        sent({"resourceType": "Patient"}),
        {},
        "OWN_RESOURCE_INVALID",
    ),
    "too many resources": (
        "$cache-control?mode=start",
        sent(*(value_set(url=f"{TAME}{number}") for number in range(3))),
        {"resource_limit": 2},
        "OWN_TOO_MANY",
    ),
}


@pytest.mark.parametrize(("path", "body", "settings", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_said(made, version: str, path, body, settings, message: str) -> None:
    reply = Client(made(animals(), **settings), version).post(path, body)
    assert (reply.status, reply.ids[0]) == (400, message), reply.texts


def test_only_post_changes_a_cache(client: Client) -> None:
    assert client.get("$cache-control?mode=start").status == 405


# --- what a cache takes up ----------------------------------------------------------------------------------


def validation(**more: Any) -> dict[str, Any]:
    return {"name": "validation", "resource": parameters(code="dog", system=ANIMALS, **more)}


BRINGING = {
    "tx-resource": ("ValueSet/$expand", sent(value_set(), url=TAME)),
    "tx-resource beside what is asked": ("CodeSystem/$lookup", sent(value_set(), system=ANIMALS, code="dog")),
    "an inline value set": ("ValueSet/$expand", parameters(valueSet=value_set())),
    "an inline value set to validate with": (
        "ValueSet/$validate-code",
        parameters(valueSet=value_set(), system=ANIMALS, code="cat"),
    ),
    "an entry of a batch": (
        "ValueSet/$batch-validate-code",
        {"resourceType": "Parameters", "parameter": [validation(url=TAME), validation(valueSet=value_set())]},
    ),
    "an entry of a batch that fails": (
        "ValueSet/$batch-validate-code",
        {"resourceType": "Parameters", "parameter": [validation(valueSet=value_set(), displayLanguage="?!")]},
    ),
}


@pytest.mark.parametrize(("path", "body"), BRINGING.values(), ids=BRINGING)
@pytest.mark.parametrize("sealed", [False, True])
def test_an_unsealed_cache_takes_up_what_a_request_brings_a_sealed_one_does_not(
    client: Client, path: str, body: dict[str, Any], sealed: bool
) -> None:
    cache = start(client, sealed=sealed)
    assert client.post(path, body, headers={"X-Cache-Id": cache}).status == 200
    assert expand(client, cache).status == (404 if sealed else 200)


def test_entries_of_a_batch_see_what_other_entries_bring_in_any_order(client: Client) -> None:
    _, body = BRINGING["an entry of a batch"]
    cache = start(client, sealed=False)
    answers = client.post("ValueSet/$batch-validate-code", body, headers={"X-Cache-Id": cache}).resource["parameter"]
    assert [each["resource"]["resourceType"] for each in answers] == ["Parameters", "Parameters"]


def test_an_inline_value_set_without_url_is_not_taken_up(client: Client) -> None:
    cache = start(client, sealed=False)
    assert codes(expand(client, cache, body=parameters(valueSet=value_set(url=None)))) == ["dog"]
    assert control(client, "check", cache).parameter("resource-count") == 0


def test_the_same_resource_again_changes_nothing(client: Client) -> None:
    cache = start(client, sealed=False)
    for _ in range(3):
        assert codes(expand(client, cache, body=sent(value_set(), url=TAME))) == ["dog"]
    assert control(client, "check", cache).parameter("resource-count") == 1


def test_a_cache_that_would_be_too_large_is_refused_and_stays_as_it_is(made, version: str) -> None:
    client = Client(made(animals(), cache_size=len(json.dumps(value_set())) + 100), version)
    cache = start(client, value_set(), sealed=False)
    reply = expand(client, cache, body=sent(animals("9"), url=TAME))
    assert (reply.status, reply.ids) == (413, ["OWN_CACHE_TOO_LARGE"])
    assert "cache_size" in reply.texts
    assert codes(expand(client, cache)) == ["dog"]


# --- older clients ------------------------------------------------------------------------------------------


def test_the_first_use_of_a_clients_own_id_makes_a_cache_and_later_ones_add_to_it(client: Client) -> None:
    other = f"{TAME}-too"
    assert codes(expand(client, body=sent(value_set(), url=TAME, **{"cache-id": UUID}))) == ["dog"]
    assert codes(expand(client, **{"cache-id": UUID})) == ["dog"]
    assert codes(expand(client, body=sent(value_set("cat", other), url=other, **{"cache-id": UUID}))) == ["cat"]
    for url, code in ((TAME, "dog"), (other, "cat")):
        assert codes(expand(client, url=url, **{"cache-id": UUID})) == [code]


def test_another_id_sees_nothing_of_it(client: Client) -> None:
    expand(client, body=sent(value_set(), url=TAME, **{"cache-id": UUID}))
    assert expand(client, **{"cache-id": OTHER}).ids == ["Unable_to_resolve_value_Set_"]


def test_an_unknown_id_that_brings_nothing_is_no_error(client: Client) -> None:
    assert client.get(f"CodeSystem/$lookup?system={ANIMALS}&code=dog&cache-id={UUID}").status == 200


def test_an_id_that_can_be_guessed_keeps_nothing(client: Client) -> None:
    reply = expand(client, body=sent(value_set(), url=TAME, **{"cache-id": "cache1"}))
    assert (reply.status, reply.ids) == (400, ["OWN_CACHE_ID_GUESSABLE"])
    assert expand(client, **{"cache-id": "cache1"}).status == 404


def test_an_id_of_the_clients_own_is_no_id_for_the_header(client: Client) -> None:
    expand(client, body=sent(value_set(), url=TAME, **{"cache-id": UUID}))
    assert expand(client, UUID).ids == ["OWN_CACHE_ID_UNKNOWN"]
    assert control(client, "check", UUID).parameter("valid") is False


# --- switched off -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [True, False])
def test_caches_are_advertised_and_kept_where_the_setting_says_so(made, version: str, on: bool) -> None:
    client = Client(made(animals(), cache_control=on), version)
    operations = client.get("metadata").resource["rest"][0]["operation"]
    assert ("cache-control" in [each["name"] for each in operations]) is on
    expansion = client.get("metadata?mode=terminology").resource["expansion"]["parameter"]
    assert ("cache-id" in [each["name"] for each in expansion]) is on
    assert client.post("$cache-control?mode=start", sent(value_set())).status == (200 if on else 404)
    assert codes(expand(client, body=sent(value_set(), url=TAME, **{"cache-id": UUID}))) == ["dog"]
    assert expand(client, **{"cache-id": UUID}).status == (200 if on else 404)
    assert expand(client, UUID).ids == ["OWN_CACHE_ID_UNKNOWN"]


# --- compiled once ------------------------------------------------------------------------------------------


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The resources that were compiled, as url|version."""
    seen: list[str] = []
    real = layers.resources.layer

    def counting(sent: Any) -> Any:
        seen.extend(f"{each['url']}|{each.get('version', '')}" for each in sent)
        return real(sent)

    monkeypatch.setattr(layers.resources, "layer", counting)
    return seen


def test_the_same_resources_are_compiled_once_whether_cached_or_sent_again(made, compiled: list[str]) -> None:
    client = Client(made(animals()), "r5")
    cache = start(client, animals("9"), value_set(), sealed=False)
    for _ in range(3):
        assert codes(expand(client, cache)) == ["dog"]
        assert codes(expand(client, body=sent(value_set(), animals("9"), url=TAME))) == ["dog"]
    second = f"{TAME}-too"
    assert codes(expand(client, cache, body=sent(value_set("cat", second), url=second))) == ["cat"]
    assert codes(expand(client, cache, url=second)) == ["cat"]
    assert [compiled.count(each) for each in (f"{TAME}|", f"{second}|", f"{ANIMALS}|9")] == [1, 1, 1]


def test_another_text_is_another_resource(made, compiled: list[str]) -> None:
    client = Client(made(animals()), "r5")
    for code in ("dog", "cat", "dog"):
        assert codes(expand(client, body=sent(value_set(code), url=TAME))) == [code]
    assert compiled.count(f"{TAME}|") == 2


def test_compiled_resources_are_bounded_by_their_text(compiled: list[str]) -> None:
    size = len(layers.stored(value_set()).text)
    held = Layers(2 * size)
    for code, again in (("dog", 1), ("cat", 1), ("dog", 0), ("bird", 1), ("cat", 1)):
        before = len(compiled)
        held.of([value_set(code)])
        assert len(compiled) - before == again, code
    assert held.of([animals(), value_set()]).catalog is not None, "larger than the bound: compiled, not kept"


def test_a_layer_of_parts_is_the_layer_of_the_whole() -> None:
    both = [animals("1"), animals("2"), value_set(), value_set("cat"), value_set(version="2")]
    merged, whole = Layers(1_000_000).of(both).catalog, layers.resources.layer(both)
    assert {url: [p.info for p in held] for url, held in merged.code_systems.items()} == {
        url: [p.info for p in held] for url, held in whole.code_systems.items()
    }
    assert [v.resource for v in merged.value_sets[TAME]] == [v.resource for v in whole.value_sets[TAME]]
    assert merged.resources == whole.resources
