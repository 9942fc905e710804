"""What is computed has a CodeSystem to read and to find, which says the same as the statement of capabilities."""

from typing import Any

import pytest
from http_client import CPT, Client

from terminology import create_app

SYSTEMS = {
    "http://unitsofmeasure.org": ("ucum", "http://unitsofmeasure.org/vs"),
    "urn:ietf:bcp:47": ("bcp47", "http://hl7.org/fhir/ValueSet/all-languages"),
    "urn:ietf:bcp:13": ("bcp13", "http://hl7.org/fhir/ValueSet/mimetypes"),
}


@pytest.fixture(scope="module", params=["r4", "r5"])
def client(request: pytest.FixtureRequest) -> Client:
    return Client(create_app({"core_content": False}), request.param)


def stated(client: Client, url: str) -> dict[str, Any]:
    """What TerminologyCapabilities says of a code system: its content, and of its default version the rest."""
    systems = client.get("metadata?mode=terminology").resource["codeSystem"]
    found = next(each for each in systems if each["uri"] == url)
    version = next(each for each in found["version"] if each["isDefault"])
    content = found.get("content") or found["_content"]["valueCode"] if client.version == "r5" else None
    return {**version, "content": content}


@pytest.mark.parametrize("url", SYSTEMS)
def test_a_computed_code_system_is_read_found_and_says_what_it_answers(client: Client, url: str) -> None:
    identity, value_set = SYSTEMS[url]
    read = client.get(f"CodeSystem/{identity}").resource
    assert (read["url"], read["valueSet"], read["content"]) == (url, value_set, "not-present")
    assert "concept" not in read
    assert {"name", "title", "status", "publisher", "description", "caseSensitive", "compositional"} <= read.keys()
    for name, value in {
        "url": url,
        "system": url,
        "name": read["name"],
        "_id": identity,
        "title": read["title"],
    }.items():
        found = client.get("CodeSystem", query_string={name: value}).resource["entry"]
        assert identity in {each["resource"]["id"] for each in found}
    said = stated(client, url)
    assert said.get("code") == read.get("version")
    assert said["compositional"] is read["compositional"]
    assert said["property"] == [each["code"] for each in read["property"]]
    assert said["filter"] == [{"code": each["code"], "op": each["operator"]} for each in read["filter"]]
    if client.version == "r5":
        assert said["content"] == "not-present"


def test_the_copyright_of_ucum_is_told(client: Client) -> None:
    assert "Regenstrief" in client.get("CodeSystem/ucum").resource["copyright"]


ASKED = {
    "ucum": ("mg/dL", "mg/dLl"),
    "bcp47": ("de-CH", "d"),
    "bcp13": ("application/fhir+json", "fhir"),
}


@pytest.mark.parametrize(("identity", "code", "wrong"), [(each, *codes) for each, codes in ASKED.items()])
def test_its_instance_answers_as_its_url_does(client: Client, identity: str, code: str, wrong: str) -> None:
    for asked, result in ((code, True), (wrong, False)):
        answer = client.get(f"CodeSystem/{identity}/$validate-code", query_string={"code": asked})
        assert answer.parameter("result") is result
    whole = client.get(f"CodeSystem/{identity}").resource["valueSet"]
    answer = client.get(
        "ValueSet/$validate-code", query_string={"url": whole, "system": stated_url(identity), "code": code}
    )
    assert answer.parameter("result") is True


def stated_url(identity: str) -> str:
    return next(url for url, (held, _) in SYSTEMS.items() if held == identity)


def test_expressions_are_told_of_in_the_code_system_that_they_are_over(client: Client) -> None:
    """Whatever edition of CPT is read; a supplement of it is left as it is."""
    found = client.get("CodeSystem", query_string={"url": CPT}).resource["entry"]
    said = stated(client, CPT)
    assert found
    for each in (entry["resource"] for entry in found):
        assert [one["code"] for one in each["filter"]] == [one["code"] for one in said["filter"]]
        assert {"modifier", "modified", "kind", "code", "telemedicine", "orthopox"} <= {
            one["code"] for one in each["filter"]
        }
        assert [one["code"] for one in each["property"]] == said["property"]
        assert all(one["value"] for one in each["filter"])
    newest = client.get(f"CodeSystem/{found[0]['resource']['id']}").resource
    assert newest["filter"] == found[0]["resource"]["filter"]


def test_other_names_of_computed_systems_are_understood(client: Client) -> None:
    for oid, code in (("6.8", "mg"), ("6.121", "de")):
        answer = client.get(f"CodeSystem/$validate-code?url=urn:oid:2.16.840.1.113883.{oid}&code={code}")
        assert answer.parameter("result") is True
