"""A transaction is done as a whole or not at all; a batch entry by entry."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from http_client import Client, Reply

from terminology import create_app

URN = "urn:uuid:11111111-2222-4333-8444-555555555555"


def system(identity: str | None = None, url: str = "http://example.org/s", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "CodeSystem", "url": url, "status": "active", "content": "complete"}
    return {**made, "concept": [{"code": "a"}], **({"id": identity} if identity else {}), **changes}


def entry(
    method: str, url: str, resource: dict[str, Any] | None = None, full: str = "", **request: str
) -> dict[str, Any]:
    made: dict[str, Any] = {"fullUrl": full} if full else {}
    if resource:
        made["resource"] = resource
    return {**made, "request": {"method": method, "url": url, **request}}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app({"data_dir": str(tmp_path), "allow_writes": True, "core_content": False})


@pytest.fixture
def client(app: Flask) -> Client:
    return Client(app)


def send(client: Client, *entries: dict[str, Any], kind: str = "transaction", **options: Any) -> Reply:
    return client.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)}, **options)


def statuses(reply: Reply) -> list[str]:
    return [each["response"]["status"][:3] for each in reply.resource["entry"]]


def test_entries_are_done_in_fhirs_order_and_answered_in_theirs(client: Client) -> None:
    client.ask("PUT", "CodeSystem/old", body=system("old"))
    reply = send(
        client,
        entry("GET", "CodeSystem/new"),
        entry("GET", "CodeSystem?url=http://example.org/s"),
        entry("PUT", "CodeSystem/new", system("new")),
        entry("DELETE", "CodeSystem/old", ifMatch='W/"1"'),
    )
    assert statuses(reply) == ["200", "200", "201", "204"]
    assert reply.resource["type"] == "transaction-response"
    assert reply.resource["entry"][0]["resource"]["id"] == "new"
    assert reply.resource["entry"][1]["resource"]["total"] == 1
    assert reply.resource["entry"][2]["response"]["etag"] == 'W/"1"'


def test_entries_refer_to_each_other_by_their_addresses(client: Client) -> None:
    holder = system(url="http://example.org/h", extension=[{"url": "http://x", "valueReference": {"reference": URN}}])
    reply = send(client, entry("POST", "CodeSystem", system(), URN), entry("POST", "CodeSystem", holder))
    places = [each["response"]["location"].rpartition("/r4/")[2] for each in reply.resource["entry"]]
    made = client.get(places[1]).resource["extension"][0]["valueReference"]["reference"]
    assert f"{made}/_history/1" == places[0]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry("PUT", "ValueSet/v", {"resourceType": "ValueSet", "id": "v", "status": "bad"}), "OWN_RESOURCE_RULE"),
        (entry("PUT", "CodeSystem/b", system("b", "http://example.org/b"), ifMatch='W/"7"'), "OWN_VERSION_CONFLICT"),
        (entry("PUT", "CodeSystem/b", system("b")), "OWN_CANONICAL_TAKEN"),
        (entry("GET", "CodeSystem/nowhere"), "OWN_UNKNOWN_RESOURCE"),
        (entry("GET", "CodeSystem?_count=x"), "OWN_WRONG_TYPE"),
        (entry("GET", "CodeSystem/$lookup?code=a"), "OWN_TRANSACTION_METHOD"),
        (entry("PUT", "Patient/p", system("p")), "OWN_TRANSACTION_METHOD"),
        (entry("DELETE", "CodeSystem/bone-marrow-harvest"), "OWN_PUBLISHED"),
        (entry("DELETE", "CodeSystem/one"), "OWN_TRANSACTION_TWICE"),
    ],
)
def test_one_entry_that_fails_undoes_all(client: Client, bad: dict[str, Any], message: str) -> None:
    reply = send(client, entry("PUT", "CodeSystem/one", system("one")), bad)
    assert reply.status >= 400
    assert message in reply.ids
    assert client.get("CodeSystem/one").status == 404
    assert client.get("CodeSystem/_history").resource["total"] == 0


def test_every_entry_that_is_wrong_is_told(client: Client) -> None:
    wrong = {"resourceType": "ValueSet", "id": "v", "status": "bad"}
    reply = send(client, *(entry("PUT", f"ValueSet/{name}", {**wrong, "id": name}) for name in "vw"))
    assert reply.ids == ["OWN_TRANSACTION_ENTRY", "OWN_RESOURCE_RULE"] * 2
    assert "Bundle.entry[1] (PUT ValueSet/w)" in reply.texts


def test_a_conditional_create_in_a_transaction(client: Client) -> None:
    first = entry("POST", "CodeSystem", system(), URN, ifNoneExist="url=http://example.org/s")
    holder = system(url="http://example.org/h", extension=[{"url": "http://x", "valueReference": {"reference": URN}}])
    assert statuses(send(client, first)) == ["201"]
    reply = send(client, first, entry("PUT", "CodeSystem/h", {**holder, "id": "h"}))
    assert statuses(reply) == ["200", "201"]
    place = reply.resource["entry"][0]["response"]["location"]
    assert client.get("CodeSystem/h").resource["extension"][0]["valueReference"]["reference"] in place


def test_a_patch_travels_as_binary(client: Client) -> None:
    client.ask("PUT", "CodeSystem/s", body=system("s"))
    operations = [{"op": "replace", "path": "/status", "value": "retired"}]
    data = b64encode(json.dumps(operations).encode()).decode()
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
    for kind in ("batch", "transaction"):
        assert statuses(send(client, entry("PATCH", "CodeSystem/s", binary), kind=kind)) == ["200"]
    assert client.get("CodeSystem/s").headers["ETag"] == 'W/"3"'
    bad = send(client, entry("PATCH", "CodeSystem/s", {**binary, "data": "%"}), kind="batch")
    assert statuses(bad) == ["400"]


def test_a_batch_does_what_it_can(client: Client) -> None:
    reply = send(
        client,
        entry("PUT", "CodeSystem/s", system("s")),
        entry("PUT", "CodeSystem/t", system("u")),
        entry("GET", "CodeSystem/$lookup?system=http://example.org/s&code=a"),
        kind="batch",
    )
    assert statuses(reply) == ["201", "400", "200"]


def test_who_asks_for_the_resources_gets_them(client: Client) -> None:
    headers = {"Prefer": "return=representation"}
    reply = send(client, entry("PUT", "CodeSystem/s", system("s")), headers=headers)
    assert reply.resource["entry"][0]["resource"]["meta"]["versionId"] == "1"


def test_a_transaction_is_one_change(client: Client, app: Flask) -> None:
    send(client, *(entry("PUT", f"CodeSystem/{name}", system(name, f"http://x/{name}")) for name in "abcdef"))
    instants = {each["response"]["lastModified"] for each in client.get("CodeSystem/_history").resource["entry"]}
    assert len(instants) == 1
    assert app.extensions["terminology"]["/fhir"].stored.opened().generation() == 1


def test_an_empty_transaction_changes_nothing(client: Client) -> None:
    reply = client.post("", {"resourceType": "Bundle", "type": "transaction"})
    assert (reply.status, reply.resource) == (200, {"resourceType": "Bundle", "type": "transaction-response"})
