"""What the server says about itself, and what HL7's validator wants to hear."""

import json

import pytest
from http_client import CPT, Client

from terminology.capabilities import TX_TEST_VERSION, software_version
from terminology.operations import OPERATIONS

FEATURE = "http://hl7.org/fhir/uv/application-feature/StructureDefinition/feature"
WANTED_OF_EXPANSION = {
    "activeOnly",
    "cache-id",
    "check-system-version",
    "count",
    "displayLanguage",
    "excludeNested",
    "force-system-version",
    "includeDefinition",
    "includeDesignations",
    "offset",
    "property",
    "system-version",
    "tx-resource",
}


def test_capability_statement_has_what_the_validator_asks_for(client: Client) -> None:
    found = client.get("metadata").resource
    assert found["resourceType"] == "CapabilityStatement"
    assert found["fhirVersion"] == {"r4": "4.0.1", "r5": "5.0.0"}[client.version]
    assert found["instantiates"] == ["http://hl7.org/fhir/CapabilityStatement/terminology-server"]
    assert found["software"]["version"] == software_version()
    assert found["rest"][0]["security"]["service"]
    assert found["implementation"]["url"] == f"http://localhost{client.base}"


def test_the_features_come_in_their_order(client: Client) -> None:
    listed = [each["extension"] for each in client.get("metadata").resource["extension"] if each["url"] == FEATURE]
    assert listed == [
        [
            {
                "url": "definition",
                "valueCanonical": "http://hl7.org/fhir/uv/tx-tests/FeatureDefinition/test-version",
            },
            {"url": "value", "valueCode": TX_TEST_VERSION},
        ],
        [
            {
                "url": "definition",
                "valueCanonical": "http://hl7.org/fhir/uv/tx-ecosystem/FeatureDefinition/CodeSystemAsParameter",
            },
            {"url": "value", "valueBoolean": True},
        ],
    ]


def offered(client: Client) -> list[tuple[str | None, str]]:
    """Type (None for what is asked of the whole system) and name of the operations that are switched on."""
    settings = client.app.extensions["terminology"]["/fhir"].settings
    return [
        (None if set(levels) == {"system"} else each.resource, each.name)
        for each in OPERATIONS
        if each.setting is None or getattr(settings, each.setting)
        if (levels := dict(each.levels).get("R4" if client.version == "r4" else "R5"))
    ]


def test_every_operation_of_the_table_is_listed_with_a_definition(client: Client) -> None:
    rest = client.get("metadata").resource["rest"][0]
    listed = [(each["type"], one["name"]) for each in rest["resource"] for one in each.get("operation", [])]
    listed += [(None, each["name"]) for each in rest["operation"]]
    assert sorted(listed, key=str) == sorted([*offered(client), (None, "versions")], key=str)
    named = [one["definition"] for each in rest["resource"] for one in each.get("operation", [])]
    assert all("/OperationDefinition/" in each for each in named)


def test_every_definition_can_be_read_and_tells_the_parameters(client: Client) -> None:
    assert client.get("OperationDefinition").resource["total"] == len(offered(client))
    lookup = client.get("OperationDefinition/CodeSystem-lookup").resource
    assert lookup["base"] == "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup"
    names = {each["name"] for each in lookup["parameter"] if each["use"] == "in"}
    assert {"code", "system", "coding", "property"} <= names
    assert lookup["instance"] is (client.version == "r5")


def test_search_parameters_are_those_that_search_knows(client: Client) -> None:
    resources = {each["type"]: each for each in client.get("metadata").resource["rest"][0]["resource"]}
    for kind in ("CodeSystem", "ValueSet", "ConceptMap"):
        assert [each["code"] for each in resources[kind]["interaction"]] == ["read", "search-type"]
        for each in resources[kind]["searchParam"]:
            value = "2026" if each["type"] == "date" else "x"
            found = client.get(f"{kind}?{each['name']}={value}", headers={"Prefer": "handling=strict"})
            assert found.status == 200


@pytest.mark.parametrize("mode", ["", "?mode=full", "?mode=normative", "?_format=json", "?_summary=true"])
def test_the_capability_statement_is_the_answer_to_every_mode_but_terminology(client: Client, mode: str) -> None:
    assert client.get(f"metadata{mode}").resource["resourceType"] == "CapabilityStatement"


@pytest.mark.parametrize("path", ["metadata", ""])
def test_options_answers_with_the_capability_statement(client: Client, path: str) -> None:
    assert client.ask("OPTIONS", path).resource["resourceType"] == "CapabilityStatement"


def test_terminology_capabilities_list_what_is_here(client: Client) -> None:
    found = client.get("metadata?mode=terminology").resource
    assert found["resourceType"] == "TerminologyCapabilities"
    assert found["kind"] == "instance"
    assert {"url", "version", "name", "title", "status", "date", "software"} <= found.keys()
    assert {each["name"] for each in found["expansion"]["parameter"]} >= WANTED_OF_EXPANSION
    systems = {each["uri"]: each for each in found["codeSystem"]}
    read = client.get("CodeSystem?_count=200&_elements=url,version,content").resource["entry"]
    complete = [each["resource"] for each in read if each["resource"]["content"] != "supplement"]
    for each in complete:
        assert each.get("version") in {one.get("code") for one in systems[each["url"]]["version"]}
    defaults = [one["code"] for one in systems[CPT]["version"] if one["isDefault"]]
    assert len(defaults) == 1


def test_deviations_are_stated(client: Client) -> None:
    stated = client.get("metadata?mode=terminology").resource["description"]
    assert f"{CPT} is a fragment" in stated
    assert "applies unasked" in stated


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_versions_as_parameters(client: Client, method: str) -> None:
    version = {"r4": "4.0", "r5": "5.0"}[client.version]
    reply = client.ask(method, "$versions?_format=json&nocache=1", headers={"Accept": "application/json"})
    assert (reply.parameter("default"), reply.parameter("version")) == (version, version)


def test_versions_bare_for_who_asks_for_no_fhir_type(client: Client) -> None:
    version = {"r4": "4.0", "r5": "5.0"}[client.version]
    asking = client.app.test_client()
    bare = asking.get(f"{client.base}/$versions", headers={"Accept": "application/json"})
    assert json.loads(bare.data) == {"versions": [version], "default": version}
    assert bare.headers["Content-Type"].startswith("application/json")
    xml = asking.get(f"{client.base}/$versions", headers={"Accept": "application/xml"})
    assert xml.data == f"<versions><version>{version}</version><default>{version}</default></versions>".encode()


@pytest.mark.parametrize("path", ["metadata", "metadata?mode=terminology", "CodeSystem/bone-marrow-harvest"])
def test_what_a_client_has_is_not_sent_again(client: Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    for known in (tag, f'"other", {tag}', "*", tag.removeprefix("W/")):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in again.headers
    assert client.get(path, headers={"If-None-Match": '"other"'}).status == 200


def test_parts_of_a_resource_have_tags_of_their_own(client: Client) -> None:
    paths = ("", "?_summary=true", "?_elements=url", "?_summary=data")
    tags = {client.get(f"CodeSystem/bone-marrow-harvest{path}").headers["ETag"] for path in paths}
    assert len(tags) >= 3
