"""Other names of code systems over HTTP: stored, loaded from a package, published, and in searches."""

import json
from pathlib import Path
from typing import Any

import pytest
from archive_makers import tar_of
from http_client import CPT, Client

from terminology import create_app
from terminology.importing import formats
from terminology.importing.format import Source
from terminology.importing.run import load
from terminology.storage.library import Library

URL, OID = "http://example.org/colours", "urn:oid:1.2.3.4"
CPT_OID = "urn:oid:2.16.840.1.113883.6.12"
COLOURS = {
    "resourceType": "CodeSystem",
    "url": URL,
    "status": "active",
    "content": "complete",
    "concept": [{"code": "red", "display": "Red"}],
}
NAMING = {
    "resourceType": "NamingSystem",
    "name": "Colours",
    "status": "active",
    "kind": "codesystem",
    "date": "2026-11-25",
    "uniqueId": [{"type": "uri", "value": URL, "preferred": True}, {"type": "oid", "value": "1.2.3.4"}],
}
LOOKUP = f"CodeSystem/$lookup?system={OID}&code=red"


@pytest.mark.parametrize("version", ["r4", "r5"])
def test_what_a_client_stores_names_a_system_until_it_is_deleted(tmp_path: Path, version: str) -> None:
    client = Client(create_app({"data_dir": str(tmp_path), "allow_writes": True, "core_content": False}), version)
    assert client.post("CodeSystem", COLOURS).status == 201
    assert client.get(LOOKUP).status == 404
    stored = client.post("NamingSystem", NAMING)
    assert stored.status == 201, stored.texts
    answer = client.get(LOOKUP)
    assert (answer.parameter("system"), answer.parameter("display")) == (URL, "Red")
    assert client.ask("DELETE", f"NamingSystem/{stored.resource['id']}").status == 204
    assert client.get(LOOKUP).status == 404
    client.app.extensions["terminology"]["/fhir"].stored._store.close()


def loaded(folder: Path, *resources: dict[str, Any]) -> Client:
    """A client of a server that has a package with these resources."""
    manifest = {"name": "colours", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    files = {f"{each['resourceType']}-{each['id']}.json": each for each in resources} | {"package.json": manifest}
    members = {f"package/{name}": json.dumps(content).encode() for name, content in files.items()}
    package = tar_of(folder / "colours.tgz", members)
    library = Library(folder / "data")
    load(formats()["fhir-package"], Source(package, "fhir-package", {}), library)
    return Client(create_app({"data_dir": str(folder / "data"), "core_content": False}))


LARGE = [{"code": f"c{number}", "display": "Many"} for number in range(6000)]
PACKAGES = {
    "by a NamingSystem": ({**COLOURS, "id": "c"}, {**NAMING, "id": "n"}),
    "by an identifier": ({**COLOURS, "id": "c", "identifier": [{"value": OID}]},),
    "by an identifier, in a file": (
        {**COLOURS, "id": "c", "identifier": [{"value": OID}], "concept": [*COLOURS["concept"], *LARGE]},
    ),
}


@pytest.mark.parametrize("resources", PACKAGES.values(), ids=PACKAGES)
def test_what_a_package_brings_names_a_system(tmp_path: Path, resources: tuple[dict[str, Any], ...]) -> None:
    client = loaded(tmp_path, *resources)
    assert client.get(LOOKUP).parameter("system") == URL
    bundle = client.get(f"CodeSystem?url={OID}").resource
    assert [each["resource"].get("url") for each in bundle["entry"]] == [URL, None]


@pytest.mark.parametrize("query", [f"url={CPT_OID}", f"system={CPT_OID}", f"system={CPT_OID}&version=2026"])
def test_a_search_finds_a_system_by_another_name_and_tells(client: Client, query: str) -> None:
    """As matches by the url, and one entry that is no match and is not counted."""
    found = client.get(f"CodeSystem?{query}").resource
    plain = client.get(f"CodeSystem?{query.replace(CPT_OID, CPT)}").resource
    assert found["total"] == plain["total"] > 0
    assert found["entry"][:-1] == plain["entry"]
    told = found["entry"][-1]
    assert told["search"] == {"mode": "outcome"}
    assert f"is another name of '{CPT}'" in told["resource"]["issue"][0]["details"]["text"]
    assert found["link"][0]["url"].endswith(f"CodeSystem?{query}&_count=50")


def test_counting_and_other_parameters_are_not_told_of(client: Client) -> None:
    counted = client.get(f"CodeSystem?url={CPT_OID}&_summary=count").resource
    assert counted["total"] > 0
    assert "entry" not in counted
    assert client.get(f"ValueSet?url={CPT_OID}").resource["total"] == 0
    assert client.get(f"CodeSystem?url:below={CPT_OID}").resource["total"] == 0


def test_the_oid_of_what_is_published_is_as_good_as_its_url(client: Client) -> None:
    answer = client.get(f"CodeSystem/$validate-code?url={CPT_OID}&code=38232")
    assert (answer.parameter("result"), answer.parameter("system")) == (True, CPT)
    assert client.get(f"CodeSystem/$lookup?system={CPT_OID}&code=38232").parameter("system") == CPT
    status = client.get("CodeSystem/$lookup?system=urn:oid:2.16.840.1.113883.4.642.4.2&code=male")
    assert status.parameter("system") == "http://hl7.org/fhir/administrative-gender"
