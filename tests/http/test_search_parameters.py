# ruff: noqa: E501  tables
"""What each search parameter finds, among what is published and what is stored; pages that no write moves."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from http_client import Client

from terminology import create_app
from terminology.rest import search_parameters
from terminology.rest.search_parameters import fits

STORED: tuple[dict[str, Any], ...] = (
    {
        "resourceType": "CodeSystem", "id": "cs", "url": "http://ex.org/cs", "version": "2", "name": "Cats", "title": "Katzen",
        "status": "active", "content": "complete", "date": "2026-05-04", "publisher": "Zoo", "description": "All cats",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}],
        "jurisdiction": [{"coding": [{"system": "urn:iso:std:iso:3166", "code": "DE"}]}],
        "useContext": [{"code": {"system": "http://t", "code": "venue"}, "valueCodeableConcept": {"coding": [{"code": "zoo"}]}}],
        "meta": {"tag": [{"system": "http://tags", "code": "pet"}], "profile": ["http://p"], "source": "http://src"},
        "concept": [{"code": "lion", "concept": [{"code": "lion-cub", "designation": [{"language": "de", "value": "Junges"}]}]}],
    },
    {"resourceType": "CodeSystem", "id": "sup", "url": "http://ex.org/sup", "status": "draft", "content": "supplement", "supplements": "http://ex.org/cs|2", "concept": [{"code": "lion"}]},
    {"resourceType": "ValueSet", "id": "vs", "url": "http://ex.org/vs", "status": "active", "compose": {"include": [{"system": "http://ex.org/cs", "concept": [{"code": "lion"}]}]}},
    {"resourceType": "ValueSet", "id": "vs2", "url": "http://ex.org/vs2", "status": "retired", "compose": {"include": [{"system": "http://ex.org/other"}]}},
    {
        "resourceType": "ConceptMap", "id": "cm", "url": "http://ex.org/cm", "status": "active", "sourceUri": "http://ex.org/vs",
        "group": [{"source": "http://ex.org/cs", "target": "http://ex.org/dogs", "element": [{"code": "lion", "target": [{"code": "wolf", "equivalence": "equal"}]}], "unmapped": {"mode": "other-map", "url": "http://ex.org/cm2"}}],
    },
    {"resourceType": "NamingSystem", "id": "ns", "name": "Cats", "status": "active", "kind": "codesystem", "date": "2026-01-01", "responsible": "Zoo", "uniqueId": [{"type": "oid", "value": "1.2.3"}, {"type": "uri", "value": "http://ex.org/cs"}]},
)  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("searched")
    made = create_app({"data_dir": str(folder), "allow_writes": True, "core_content": False})
    for each in STORED:
        reply = Client(made).ask("PUT", f"{each['resourceType']}/{each['id']}", body=each)
        assert reply.status == 201, reply.texts
    return made


def ids(client: Client, query: str) -> list[str]:
    reply = client.get(query, headers={"Prefer": "handling=strict"})
    assert reply.status == 200, reply.texts
    return sorted(each["resource"]["id"] for each in reply.resource.get("entry", []))


@pytest.mark.parametrize("version", ["r4", "r5"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("CodeSystem?code=lion-cub", ["cs"]),
        ("CodeSystem?code=http://ex.org/cs|lion-cub", ["cs"]),
        ("CodeSystem?code=http://ex.org/other|lion-cub", []),
        ("CodeSystem?code=lion,nothing", ["cs", "sup"]),
        ("CodeSystem?code=nothing", []),
        ("CodeSystem?system=http://ex.org/cs", ["cs"]),
        ("CodeSystem?supplements=http://ex.org/cs", ["cs", "sup"][1:]),
        ("CodeSystem?supplements=http://ex.org/cs|2", ["sup"]),
        ("CodeSystem?content-mode=supplement&url=http://ex.org/sup", ["sup"]),
        ("CodeSystem?language=de&url:below=http://ex.org", ["cs"]),
        ("CodeSystem?url:below=http://ex.org", ["cs", "sup"]),
        ("CodeSystem?url:below=http://ex.or", []),
        ("CodeSystem?publisher=zoo", ["cs"]),
        ("CodeSystem?description:contains=CATS&publisher=zoo", ["cs"]),
        ("CodeSystem?identifier=urn:oid:1.2.3", ["cs"]),
        ("CodeSystem?identifier=urn:ietf:rfc:3986|urn:oid:1.2.3", ["cs"]),
        ("CodeSystem?identifier=other|urn:oid:1.2.3", []),
        ("CodeSystem?jurisdiction=DE&publisher=zoo", ["cs"]),
        ("CodeSystem?jurisdiction=urn:iso:std:iso:3166|&publisher=zoo", ["cs"]),
        ("CodeSystem?context=zoo&context-type=venue", ["cs"]),
        ("CodeSystem?_tag=http://tags|pet", ["cs"]),
        ("CodeSystem?_tag=|pet", []),
        ("CodeSystem?_profile=http://p&_source=http://src", ["cs"]),
        ("CodeSystem?date=2026-05", ["cs"]),
        ("CodeSystem?date=gt2026-05-03&date=lt2026-05-05", ["cs"]),
        ("CodeSystem?date=ge2026-05-04&publisher=Zoo", ["cs"]),
        ("CodeSystem?date=sa2026-05-04&publisher=Zoo", []),
        ("CodeSystem?version:missing=true&url:below=http://ex.org", ["sup"]),
        ("CodeSystem?_lastUpdated=gt2026-01-01", ["cs", "sup"]),
        ("CodeSystem?_lastUpdated=lt2026-01-01&url:below=http://ex.org", []),
        ("ValueSet?code=lion", ["vs"]),
        ("ValueSet?code=http://ex.org/cs|lion", ["vs"]),
        ("ValueSet?reference=http://ex.org/cs", ["vs"]),
        ("ValueSet?reference=http://ex.org/other", ["vs2"]),
        ("ConceptMap?source-code=lion", ["cm"]),
        ("ConceptMap?target-code=http://ex.org/dogs|wolf", ["cm"]),
        ("ConceptMap?source-system=http://ex.org/cs", ["cm"]),
        ("ConceptMap?target-group-system=http://ex.org/dogs", ["cm"]),
        ("ConceptMap?source-uri=http://ex.org/vs", ["cm"]),
        ("ConceptMap?other=http://ex.org/cm2", ["cm"]),
        ("NamingSystem?value=1.2.3", ["ns"]),
        ("NamingSystem?id-type=oid&kind=codesystem&responsible=zoo", ["ns"]),
    ],
)  # fmt: skip
def test_what_is_found(app: Flask, version: str, query: str, found: list[str]) -> None:
    assert ids(Client(app, version), query) == found


def test_value_sets_that_are_published_are_found_by_their_codes(app: Flask) -> None:
    client = Client(app)
    assert "bone-marrow-harvest" in ids(client, "ValueSet?code=38232")
    assert "cpt-2012" in ids(client, "CodeSystem?code=38232&_count=200")
    assert "bone-marrow-harvest" in ids(client, "ValueSet?reference=http://www.ama-assn.org/go/cpt")


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ("2026", "2026-05", False), ("2026-05", "2026", True), ("2026-05-04", "ne2026", False),
        ("2026-05-04", "gt2026-05-04", False), ("2026-05", "gt2026-05-04", True), ("2026-05-04", "le2026-05-04", True),
        ("2026-05-04T23:30:00-02:00", "2026-05-05", True), ("2026-05-04", "eb2026-05-05", True),
        ("2026-05-04", "ap2026-05-05", True), ({"start": "2020"}, "gt2030", True), ({"end": "2020"}, "lt2000", True),
        ({"start": "2020", "end": "2021"}, "2020", False), ("not a date", "2020", False),
    ],
)  # fmt: skip
def test_dates_are_compared_as_spans_of_time(held: Any, wanted: str, expected: bool) -> None:
    assert fits(held, "date", "", wanted) is expected


@pytest.mark.parametrize(
    "query",
    ["date=soon", "url:missing=perhaps", "_sort=nothing", "code:exact=a", "_after=x", "_after=W10", "_sort=code"],
)
def test_what_cannot_be_searched_is_told(app: Flask, query: str) -> None:
    reply = Client(app).get(f"CodeSystem?{query}", headers={"Prefer": "handling=strict"})
    assert (reply.status, reply.ids[0]) in ((400, "OWN_WRONG_TYPE"), (400, "OWN_UNKNOWN_SEARCH_PARAMETER"))


@pytest.mark.parametrize("kind", ["CodeSystem", "ValueSet", "ConceptMap", "NamingSystem"])
def test_every_parameter_that_is_listed_is_understood(app: Flask, kind: str) -> None:
    for name, row in search_parameters.of(kind).items():
        ids(Client(app), f"{kind}?{name}={'2026' if row.type == 'date' else 'x'}")
        if not search_parameters.indexed(kind, name):
            ids(Client(app), f"{kind}?_sort=-{name}")


def made(client: Client, name: str, title: str | None = None) -> None:
    resource = {
        "resourceType": "ValueSet",
        "id": name,
        "url": f"http://paged.org/{name}",
        "status": "active",
        "name": name,
    }
    reply = client.ask("PUT", f"ValueSet/{name}", body=resource | ({"title": title} if title else {}))
    assert reply.status in (200, 201)


@pytest.mark.parametrize("sort", ["", "&_sort=name", "&_sort=-name", "&_sort=title,-_id", "&_sort=-title"])
def test_pages_do_not_move_while_somebody_writes(tmp_path: Path, sort: str) -> None:
    """Between two pages resources come before and behind the place: none that stayed is missed or shown twice."""
    client = Client(create_app({"data_dir": str(tmp_path), "allow_writes": True, "installed_content": False}))
    names = [f"m{number}" for number in range(9)]
    for number, name in enumerate(names):
        made(client, name, "Same" if number % 3 else None)
    whole = [each["resource"]["id"] for each in client.get(f"ValueSet?_count=50{sort}").resource["entry"]]
    place, walked = f"ValueSet?_count=2{sort}", list[str]()
    for number in range(30):
        bundle = client.get(place).resource
        walked += [each["resource"]["id"] for each in bundle.get("entry", [])]
        made(client, f"a{number}")
        made(client, f"z{number}")
        links = {each["relation"]: each["url"].removeprefix("http://localhost") for each in bundle["link"]}
        if "next" not in links:
            break
        place = links["next"]
    assert [name for name in walked if name in names] == whole
    assert len(walked) == len(set(walked))


def test_the_last_change_comes_first(app: Flask) -> None:
    found = Client(app).get("ValueSet?_sort=-_lastUpdated&url=http://ex.org/vs,http://ex.org/vs2").resource["entry"]
    assert [each["resource"]["id"] for each in found] == ["vs2", "vs"]
