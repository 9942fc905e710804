# ruff: noqa: E501  strategies
"""Whatever is sent to a server that may be written to: an answer in FHIR, never a fault; and what it took can be read."""

import json
from typing import Any

import pytest
from flask import Flask
from http_client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology import create_app

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "system", "value", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
NAMES = {
    "CodeSystem": (
        "url",
        "status",
        "content",
        "concept",
        "property",
        "filter",
        "text",
        "meta",
        "contained",
        "supplements",
    ),
    "ValueSet": ("url", "status", "compose", "expansion", "identifier", "useContext", "jurisdiction"),
    "ConceptMap": ("url", "status", "group", "sourceUri", "targetScopeUri"),
    "NamingSystem": ("name", "status", "kind", "date", "uniqueId"),
}
BASE: dict[str, dict[str, Any]] = {
    "CodeSystem": {"url": "http://f/c", "status": "active", "content": "complete", "concept": [{"code": "a"}]},
    "ValueSet": {"url": "http://f/v", "status": "active", "compose": {"include": [{"system": "http://f/c"}]}},
    "ConceptMap": {"url": "http://f/m", "status": "active", "group": [{"element": [{"code": "a"}]}]},
    "NamingSystem": {"name": "N", "status": "active", "kind": "root", "date": "2026", "uniqueId": [{"type": "oid", "value": "1"}]},
}  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = str(tmp_path_factory.mktemp("fuzz"))
    return create_app({"data_dir": folder, "allow_writes": True, "installed_content": False})


def changed() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(list(NAMES)).flatmap(
        lambda kind: st.dictionaries(st.sampled_from(NAMES[kind]), JSON, max_size=2).map(
            lambda changes: {"resourceType": kind, "id": "f", **BASE[kind], **changes}
        )
    )


@given(resource=changed(), version=st.sampled_from(["r4", "r5"]))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_resource_is_stored_or_refused_with_reasons(app: Flask, resource: dict[str, Any], version: str) -> None:
    client = Client(app, version, echoes=True)
    place = f"{resource['resourceType']}/f"
    reply = client.ask("PUT", place, body=json.dumps(resource))
    assert reply.status in (200, 201, 400, 409, 422), reply.body
    if reply.status in (200, 201):
        assert client.get(place).status == 200
        assert Client(app, "r5" if version == "r4" else "r4", echoes=True).get(place).status == 200
        assert client.get(f"{place}?_summary=true").status == 200
        assert client.get(f"{resource['resourceType']}?_sort=-date,name&status=active").status == 200
    else:
        assert reply.resource["issue"]


@given(operations=st.lists(st.dictionaries(st.sampled_from(["op", "path", "value", "from"]), st.sampled_from(["add", "remove", "copy", "move", "/status", "/concept/0", "/concept/-", "", "/", 5, None, {}]), max_size=4), max_size=3))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_patch_is_done_or_refused(app: Flask, operations: list[Any]) -> None:
    client = Client(app, echoes=True)
    client.ask(
        "PUT", "CodeSystem/p", body={"resourceType": "CodeSystem", "id": "p", **BASE["CodeSystem"], "url": "http://f/p"}
    )
    body = json.dumps(operations)
    reply = client.ask("PATCH", "CodeSystem/p", body=body, content_type="application/json-patch+json")
    assert reply.status in (200, 409, 422), reply.body


@given(bundle=st.fixed_dictionaries({"entry": st.lists(st.fixed_dictionaries({"request": st.fixed_dictionaries({"method": st.sampled_from(["PUT", "POST", "DELETE", "PATCH", "GET", "x"]), "url": st.sampled_from(["CodeSystem", "CodeSystem/t", "ValueSet/t", "Patient/1", "", "/", "?", "CodeSystem?url=x", "CodeSystem/t/_history/1"])}), "resource": st.just({"resourceType": "CodeSystem", "id": "t", **BASE["CodeSystem"], "url": "http://f/t"})}), max_size=3)}))  # fmt: skip
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_bundle_is_done_or_refused(app: Flask, kind: str, bundle: dict[str, Any]) -> None:
    client = Client(app, echoes=True)
    reply = client.post("", {"resourceType": "Bundle", "type": kind, **bundle})
    assert reply.status < 500, reply.body
    assert not any(each["response"]["status"].startswith("5") for each in reply.resource.get("entry", []))
