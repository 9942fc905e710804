"""Versions: each can be read, and they are listed newest first in pages that no write moves."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from http_client import Client

from terminology import create_app


def resource(identity: str, **changes: Any) -> dict[str, Any]:
    url = f"http://example.org/{identity}"
    made = {
        "resourceType": "ValueSet",
        "id": identity,
        "url": url,
        "status": "active",
        "compose": {"include": [{"system": url}]},
    }
    return {**made, **changes}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app({"data_dir": str(tmp_path), "allow_writes": True, "installed_content": False})


@pytest.fixture
def client(app: Flask) -> Client:
    made = Client(app)
    for identity, status in (("a", "draft"), ("b", "draft"), ("a", "active"), ("a", "retired")):
        made.ask("PUT", f"ValueSet/{identity}", body=resource(identity, status=status))
    made.ask("DELETE", "ValueSet/b")
    return made


def shown(bundle: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (each["request"]["method"], each["fullUrl"].rpartition("/")[2], each["response"]["etag"])
        for each in bundle.get("entry", [])
    ]


ALL = [
    ("DELETE", "b", 'W/"2"'),
    ("PUT", "a", 'W/"3"'),
    ("PUT", "a", 'W/"2"'),
    ("PUT", "b", 'W/"1"'),
    ("PUT", "a", 'W/"1"'),
]


def test_every_version_can_be_read(client: Client) -> None:
    for number, status in ((1, "draft"), (2, "active"), (3, "retired")):
        reply = client.get(f"ValueSet/a/_history/{number}")
        assert (reply.resource["status"], reply.headers["ETag"]) == (status, f'W/"{number}"')
        assert reply.resource["meta"]["versionId"] == str(number)
    assert client.get("ValueSet/b/_history/1").status == 200
    assert client.get("ValueSet/b/_history/2").status == 410


@pytest.mark.parametrize("place", ["ValueSet/a/_history/4", "ValueSet/a/_history/x", "ValueSet/c/_history/1"])
def test_a_version_that_never_was_is_not_found(client: Client, place: str) -> None:
    assert client.get(place).ids == ["OWN_UNKNOWN_VERSION"]


def test_history_of_a_type_and_of_one_resource(client: Client) -> None:
    whole = client.get("ValueSet/_history").resource
    assert (whole["type"], whole["total"], shown(whole)) == ("history", 5, ALL)
    one = client.get("ValueSet/a/_history").resource
    assert shown(one) == [each for each in ALL if each[1] == "a"]
    assert shown(client.get("ValueSet/b/_history").resource) == [ALL[0], ALL[3]]
    assert client.get("ValueSet/never/_history").status == 404
    assert client.get("CodeSystem/_history").resource["total"] == 0


def test_pages_are_the_whole_also_while_somebody_writes(client: Client) -> None:
    place, walked = "ValueSet/_history?_count=2", []
    while place:
        bundle = client.get(place).resource
        walked += shown(bundle)
        client.ask("PUT", "ValueSet/new", body=resource("new"))
        place = next((each["url"] for each in bundle["link"] if each["relation"] == "next"), "")
        place = place.removeprefix("http://localhost")
    assert walked == ALL


def test_since_an_instant(client: Client) -> None:
    instant = client.get("ValueSet/a/_history/3").resource["meta"]["lastUpdated"]
    assert set(ALL[:2]) <= set(shown(client.get(f"ValueSet/_history?_since={instant}").resource))
    assert shown(client.get("ValueSet/_history?_since=2999").resource) == []
    assert len(shown(client.get("ValueSet/_history?_since=2000-01-01T00:00:00%2B02:00").resource)) == 5


@pytest.mark.parametrize("query", ["_since=yesterday", "_since=2026-13", "_count=-1", "_count=many", "_before=x"])
def test_what_cannot_be_understood_is_refused(client: Client, query: str) -> None:
    assert client.get(f"ValueSet/_history?{query}").ids == ["OWN_WRONG_TYPE"]


def test_history_in_the_other_version_is_converted(client: Client, app: Flask) -> None:
    assert shown(Client(app, "r5").get("ValueSet/_history").resource) == ALL


def test_a_published_resource_has_no_history(tmp_path: Path) -> None:
    client = Client(create_app({"data_dir": str(tmp_path), "core_content": False}))
    assert client.get("CodeSystem/bone-marrow-harvest/_history").resource["total"] == 0
    assert client.get("CodeSystem/bone-marrow-harvest/_history/1").status == 404
