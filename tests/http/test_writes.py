"""What a client creates, changes and deletes: answered when it is on the disk, read as it was sent, used at once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from http_client import Client, Reply

from terminology import create_app
from terminology import stored as storing
from terminology.storage.store import Store
from terminology.wire import json_text

URL = "http://example.org/colours"
PATCH = "application/json-patch+json"


def colours(**changes: Any) -> dict[str, Any]:
    made = {
        "resourceType": "CodeSystem",
        "url": URL,
        "version": "1",
        "name": "Colours",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "red", "display": "Red"}, {"code": "blue"}],
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    made = create_app({"data_dir": str(tmp_path), "allow_writes": True, "core_content": False})
    yield made
    stored = made.extensions["terminology"]["/fhir"].stored
    if stored._store is not None:
        stored._store.close()


@pytest.fixture(params=["r4", "r5"])
def client(app: Flask, request: pytest.FixtureRequest) -> Client:
    return Client(app, request.param)


def created(client: Client, **changes: Any) -> str:
    reply = client.post("CodeSystem", colours(**changes))
    assert reply.status == 201, reply.texts
    return str(reply.resource["id"])


def lookup(client: Client, code: str) -> Reply:
    return client.get(f"CodeSystem/$lookup?system={URL}&code={code}")


def test_what_is_created_is_there_at_once(client: Client) -> None:
    assert lookup(client, "red").status == 404
    reply = client.post("CodeSystem", colours())
    identity = reply.resource["id"]
    assert (reply.status, reply.headers["ETag"]) == (201, 'W/"1"')
    assert reply.headers["Location"].endswith(f"{client.base}/CodeSystem/{identity}/_history/1")
    assert reply.headers["Last-Modified"].endswith("GMT")
    assert lookup(client, "red").parameter("display") == "Red"
    assert client.get(f"CodeSystem/{identity}").resource == reply.resource
    systems = client.get("metadata?mode=terminology").resource["codeSystem"]
    assert URL in {each["uri"] for each in systems}


@pytest.mark.parametrize("number", ["1.100", "1e2", "1.0E-07", "-0", "-123456789012.10"])
def test_what_is_read_is_what_was_sent_to_the_last_digit(client: Client, number: str) -> None:
    text = json.dumps(colours(date="2026-11", property=[{"code": "weight", "type": "decimal"}]))
    weight = f'"property":[{{"code":"weight","valueDecimal":{number}}}]'
    text = text.replace('{"code": "blue"}', f'{{"code":"blue",{weight}}}')
    identity = client.post("CodeSystem", text).resource["id"]
    body = client.get(f"CodeSystem/{identity}").body
    assert f'"valueDecimal":{number}}}'.encode() in body
    found = json_text.read(body)
    assert {name: value for name, value in found.items() if name not in ("id", "meta")} == json_text.read(text.encode())
    assert found["meta"].keys() == {"versionId", "lastUpdated"}
    patch = json.dumps([{"op": "replace", "path": "/status", "value": "draft"}])
    patched = client.ask("PATCH", f"CodeSystem/{identity}", body=patch, content_type=PATCH)
    assert patched.status == 200, patched.texts
    assert weight.encode() in client.get(f"CodeSystem/{identity}").body
    assert weight.encode() in client.get(f"CodeSystem/{identity}/_history").body


def test_a_resource_is_converted_for_who_speaks_the_other_version(app: Flask) -> None:
    resource = {
        "resourceType": "ConceptMap",
        "url": "http://example.org/map",
        "status": "draft",
        "group": [
            {
                "source": URL,
                "target": URL,
                "element": [{"code": "red", "target": [{"code": "blue", "equivalence": "wider"}]}],
            }
        ],
    }
    identity = Client(app, "r4").post("ConceptMap", resource).resource["id"]
    kept, other = (Client(app, version).get(f"ConceptMap/{identity}").resource for version in ("r4", "r5"))
    assert kept["group"] == resource["group"]
    assert other["group"][0]["element"][0]["target"][0]["relationship"] == "source-is-narrower-than-target"
    found = Client(app, "r4").get(f"ConceptMap?_id={identity}").resource["entry"][0]["resource"]
    assert found == kept


def test_an_update_makes_the_next_version(client: Client) -> None:
    identity = created(client)
    reply = client.ask("PUT", f"CodeSystem/{identity}", body=colours(id=identity, concept=[{"code": "green"}]))
    assert (reply.status, reply.headers["ETag"]) == (200, 'W/"2"')
    assert (lookup(client, "red").status, lookup(client, "green").status) == (404, 200)


def test_an_update_of_what_is_not_there_creates_it(client: Client) -> None:
    reply = client.ask("PUT", "CodeSystem/mine", body=colours(id="mine"))
    assert (reply.status, reply.resource["id"]) == (201, "mine")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": 'W/"1"'}, 200),
        ({"If-Match": '"1"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": 'W/"2"'}, 412),
        ({"If-Match": "yesterday"}, 400),
        ({"If-None-Match": "*"}, 412),
    ],
)
def test_a_change_is_made_to_the_version_that_was_named(client: Client, headers: dict[str, str], status: int) -> None:
    identity = created(client)
    reply = client.ask("PUT", f"CodeSystem/{identity}", body=colours(id=identity), headers=headers)
    assert reply.status == status


def test_a_change_of_a_version_that_never_was_is_refused(client: Client) -> None:
    reply = client.ask("PUT", "CodeSystem/mine", body=colours(id="mine"), headers={"If-Match": 'W/"1"'})
    assert (reply.status, reply.ids) == (412, ["OWN_VERSION_CONFLICT"])


@pytest.mark.parametrize("said", [None, "other"])
def test_the_id_of_an_update_must_be_that_of_its_address(client: Client, said: str | None) -> None:
    reply = client.ask("PUT", "CodeSystem/mine", body=colours(id=said))
    assert (reply.status, reply.ids) == (400, ["OWN_WRONG_ID"])


def test_a_conditional_create_makes_nothing_twice(client: Client) -> None:
    only_once = {"If-None-Exist": f"url={URL}&version=1"}
    first = client.post("CodeSystem", colours(), headers=only_once)
    second = client.post("CodeSystem", colours(), headers=only_once)
    assert (first.status, second.status) == (201, 200)
    assert first.headers["Location"] == second.headers["Location"]
    created(client, version="2")
    several = client.post("CodeSystem", colours(), headers={"If-None-Exist": f"url={URL}"})
    assert (several.status, several.ids) == (412, ["OWN_SEVERAL_MATCH"])
    unknown = client.post("CodeSystem", colours(), headers={"If-None-Exist": "nonsense=1"})
    assert (unknown.status, unknown.ids) == (400, ["OWN_UNKNOWN_SEARCH_PARAMETER"])


def test_a_conditional_create_finds_what_is_published(client: Client) -> None:
    url = "https://flask-fhir-terminology.org/fhir/CodeSystem/bone-marrow-harvest"
    reply = client.post("CodeSystem", colours(url=url), headers={"If-None-Exist": f"url={url}"})
    assert (reply.status, reply.headers["Location"][-31:]) == (200, "/CodeSystem/bone-marrow-harvest")


def test_a_url_and_version_belong_to_one_resource(client: Client) -> None:
    identity = created(client)
    reply = client.post("CodeSystem", colours())
    assert (reply.status, reply.ids) == (409, ["OWN_CANONICAL_TAKEN"])
    client.ask("DELETE", f"CodeSystem/{identity}")
    assert created(client) != identity


def test_what_was_deleted_is_gone_and_can_come_back(client: Client) -> None:
    identity = created(client)
    reply = client.ask("DELETE", f"CodeSystem/{identity}")
    assert (reply.status, reply.body, reply.headers["ETag"]) == (204, b"", 'W/"2"')
    assert client.get(f"CodeSystem/{identity}").status == 410
    assert client.get(f"CodeSystem/{identity}").ids == ["OWN_GONE"]
    assert lookup(client, "red").status == 404
    assert client.get(f"CodeSystem?url={URL}").resource["total"] == 0
    assert client.ask("DELETE", f"CodeSystem/{identity}").status == 204
    assert client.ask("DELETE", "CodeSystem/never").status == 204
    back = client.ask("PUT", f"CodeSystem/{identity}", body=colours(id=identity))
    assert (back.status, back.headers["ETag"]) == (201, 'W/"3"')


def patch(client: Client, identity: str, *operations: dict[str, Any], **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(operations)
    return client.ask("PATCH", f"CodeSystem/{identity}", body=body, content_type=PATCH, headers=named)


def test_a_patch_changes_what_it_names(client: Client) -> None:
    identity = created(client)
    reply = patch(client, identity, {"op": "add", "path": "/concept/-", "value": {"code": "green"}}, If_Match='W/"1"')
    assert (reply.status, reply.headers["ETag"]) == (200, 'W/"2"')
    assert lookup(client, "green").status == 200
    assert patch(client, identity, If_Match='W/"1"').status == 412


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"op": "replace", "path": "/status", "value": "bogus"}, "OWN_RESOURCE_RULE"),
        ({"op": "test", "path": "/status", "value": "draft"}, "OWN_PATCH_FAILED"),
        ({"op": "remove", "path": "/nothing"}, "OWN_PATCH_FAILED"),
        ({"op": "invent", "path": "/status"}, "OWN_PATCH_FAILED"),
        ({"path": "/status"}, "OWN_PATCH_FAILED"),
        ({"op": "add", "path": 5, "value": 1}, "OWN_PATCH_FAILED"),
        ({"op": "replace", "path": "/id", "value": "other"}, "OWN_PATCH_FAILED"),
        ({"op": "replace", "path": "", "value": []}, "OWN_PATCH_FAILED"),
    ],
)
def test_a_patch_that_cannot_be_is_refused(client: Client, operation: dict[str, Any], message: str) -> None:
    identity = created(client)
    reply = patch(client, identity, operation)
    assert (reply.status, reply.ids[0]) == (422, message)
    assert client.get(f"CodeSystem/{identity}").headers["ETag"] == 'W/"1"'


def test_a_patch_is_json_patch_of_something_stored(client: Client) -> None:
    identity = created(client)
    assert client.ask("PATCH", f"CodeSystem/{identity}", body=colours()).status == 415
    assert patch(client, "never").status == 404
    assert patch(client, "bone-marrow-harvest").ids == ["OWN_PUBLISHED"]


def test_published_resources_are_overlaid_not_changed(client: Client) -> None:
    place = "CodeSystem/bone-marrow-harvest"
    before = client.get(place).resource
    assert client.ask("DELETE", place).ids == ["OWN_PUBLISHED"]
    own = colours(id="bone-marrow-harvest")
    assert client.ask("PUT", place, body=own).status == 201
    assert client.get(place).resource["url"] == URL
    assert client.ask("DELETE", place).status == 204
    assert client.get(place).resource == before


@pytest.mark.parametrize(
    ("prefer", "kind"),
    [
        ("return=minimal", None),
        ("return=representation", "CodeSystem"),
        ("return=OperationOutcome", "OperationOutcome"),
    ],
)
def test_the_answer_is_as_long_as_the_client_likes(client: Client, prefer: str, kind: str | None) -> None:
    reply = client.post("CodeSystem", colours(), headers={"Prefer": prefer})
    assert (reply.status, reply.resource.get("resourceType")) == (201, kind)
    assert reply.headers["ETag"] == 'W/"1"'


def test_xml_is_stored_too(client: Client) -> None:
    body = (
        '<CodeSystem xmlns="http://hl7.org/fhir"><url value="http://example.org/xml"/><status value="active"/>'
        '<content value="complete"/><concept><code value="a"/></concept></CodeSystem>'
    )
    reply = client.post("CodeSystem", body, content_type="application/fhir+xml")
    assert (reply.status, reply.resource["concept"]) == (201, [{"code": "a"}])


def test_the_server_remembers_when_it_starts_again(app: Flask, tmp_path: Path) -> None:
    identity = created(Client(app))
    again = Client(create_app({"data_dir": str(tmp_path), "core_content": False}))
    assert lookup(again, "red").status == 200
    assert again.get(f"CodeSystem/{identity}").headers["ETag"] == 'W/"1"'
    refused = again.post("CodeSystem", colours(version="2"))
    assert (refused.status, refused.ids[0]) == (405, "OWN_READ_ONLY")
    again.app.extensions["terminology"]["/fhir"].stored.opened().close()


def test_a_change_by_another_process_is_seen_by_the_next_request(client: Client, tmp_path: Path) -> None:
    other = Client(create_app({"data_dir": str(tmp_path), "allow_writes": True, "core_content": False}))
    assert lookup(client, "red").status == 404
    identity = created(other)
    assert lookup(client, "red").status == 200
    other.ask("DELETE", f"CodeSystem/{identity}")
    assert lookup(client, "red").status == 404
    other.app.extensions["terminology"]["/fhir"].stored.opened().close()


def test_a_store_that_was_restored_under_a_running_server_is_read_anew(client: Client, tmp_path: Path) -> None:
    identity = created(client)
    place = tmp_path / "store.sqlite"
    copy = place.read_bytes()
    client.ask("PUT", f"CodeSystem/{identity}", body=colours(id=identity, concept=[{"code": "green"}]))
    assert lookup(client, "green").status == 200
    (tmp_path / "restored").write_bytes(copy)
    (tmp_path / "restored").replace(place)
    assert (lookup(client, "red").status, lookup(client, "green").status) == (200, 404)
    assert client.get(f"CodeSystem/{identity}").headers["ETag"] == 'W/"1"'
    reply = client.ask("PUT", f"CodeSystem/{identity}", body=colours(id=identity, concept=[{"code": "blue"}]))
    assert (reply.headers["ETag"], lookup(client, "blue").status) == ('W/"2"', 200)


def test_a_large_code_system_is_served_from_a_file(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "FILE_FROM", 20)
    sent = colours(concept=[{"code": f"c{number}", "display": f"Colour {number}"} for number in range(30)])
    identity = client.post("CodeSystem", sent).resource["id"]
    assert lookup(client, "c29").parameter("display") == "Colour 29"
    assert len(list(tmp_path.glob("store.sqlite-compiled/*/*.codesystem"))) == 1
    assert client.get(f"CodeSystem/{identity}").resource["concept"] == sent["concept"]
    assert client.get("CodeSystem?code=c29").resource["entry"][0]["resource"]["concept"] == sent["concept"]


def test_a_resource_that_cannot_be_processed_any_more_is_still_read(app: Flask, tmp_path: Path) -> None:
    client = Client(app)
    identity = created(client)
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite'}")
    with store._opened().begin() as connection:
        connection.exec_driver_sql("UPDATE history SET text = replace(text, '\"blue\"', '\"red\"')")
        connection.exec_driver_sql("UPDATE generation SET value = value + 1")
        connection.exec_driver_sql("UPDATE resource SET generation = generation + 1")
    store.close()
    assert client.get(f"CodeSystem/{identity}").status == 200
    assert lookup(client, "red").status == 404


# --- who may write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "surroundings",
    [
        {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}},
        {"environ_overrides": {"REMOTE_ADDR": ""}},
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},
        {"headers": {"Forwarded": "for=192.0.2.7"}},
        {"headers": {"Origin": "https://evil.example"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Host": "rebound.example"}},
    ],
)
def test_only_programs_on_this_machine_may_write(client: Client, surroundings: dict[str, Any]) -> None:
    for method, place in (("POST", "CodeSystem"), ("PUT", "CodeSystem/x"), ("DELETE", "CodeSystem/x")):
        reply = client.ask(method, place, body=colours(id="x"), **surroundings)
        assert (reply.status, reply.ids) == (403, ["OWN_WRITES_ON_LOOPBACK"])
    entry = {"request": {"method": "DELETE", "url": "CodeSystem/x"}}
    for kind, status in (("batch", 200), ("transaction", 422)):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [entry]}
        reply = client.post("", bundle, **surroundings)
        assert (reply.status, b"OWN_WRITES_ON_LOOPBACK" in reply.body) == (status, True)


def test_without_the_switch_nothing_is_written(tmp_path: Path) -> None:
    client = Client(create_app({"data_dir": str(tmp_path), "core_content": False}))
    for method, place in (
        ("POST", "CodeSystem"),
        ("PUT", "CodeSystem/x"),
        ("PATCH", "ValueSet/x"),
        ("DELETE", "ValueSet/x"),
    ):
        reply = client.ask(method, place, body=colours(id="x"))
        assert (reply.status, reply.ids[0]) == (405, "OWN_READ_ONLY")
        assert "--allow-writes" in reply.texts
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": []}
    assert client.post("", bundle).ids == ["OWN_BUNDLE_TYPE"]
    assert not list(tmp_path.iterdir())


def test_of_many_changes_to_one_version_one_is_made(app: Flask) -> None:
    """Eight clients change the version that they all have read: the first wins, the others are told."""
    client = Client(app)
    identity = created(client)
    for version in range(1, 6):
        with ThreadPoolExecutor(8) as pool:
            body = colours(id=identity, title=f"After {version}")
            headers = {"If-Match": f'W/"{version}"'}
            asked = [
                pool.submit(client.ask, "PUT", f"CodeSystem/{identity}", body=body, headers=headers) for _ in range(8)
            ]
            found = sorted(each.result().status for each in asked)
        assert found == [200, *[412] * 7]
    assert client.get(f"CodeSystem/{identity}/_history").resource["total"] == 6
