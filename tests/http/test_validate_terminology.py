"""$validate on CodeSystem, ValueSet, ConceptMap and NamingSystem: what would be refused when stored is an answer."""

from typing import Any

import pytest
from flask import Flask
from http_client import Client, Reply

from terminology import create_app
from terminology.acceptance import KINDS
from terminology.wire.xml import to_xml

URL = "http://example.org/colours"
SYSTEM = {
    "resourceType": "CodeSystem",
    "url": URL,
    "status": "active",
    "content": "complete",
    "concept": [{"code": "red"}, {"code": "blue"}],
}
VALUE_SET = {
    "resourceType": "ValueSet",
    "url": f"{URL}/all",
    "status": "active",
    "compose": {"include": [{"system": URL}]},
}
FITS = "breaks no rule that is checked where one is stored"


def mapped(version: str, code: str, **target: Any) -> dict[str, Any]:
    name = "equivalence" if version == "r4" else "relationship"
    element = {"code": "red", "target": [{"code": "blue", name: code, **target}]}
    group = {"source": URL, "target": URL, "element": [element]}
    return {"resourceType": "ConceptMap", "url": f"{URL}/map", "status": "active", "group": [group]}


def parameters(*more: tuple[str, str, Any], resource: Any = None) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [{"name": name, kind: value} for name, kind, value in more]
    if resource is not None:
        entries.append({"name": "resource", "resource": resource})
    return {"resourceType": "Parameters", "parameter": entries}


def said(reply: Reply) -> list[tuple[str, str]]:
    assert reply.status == 200, reply.texts
    assert reply.resource["resourceType"] == "OperationOutcome"
    return [(each["severity"], each.get("expression", [""])[0]) for each in reply.resource["issue"]]


@pytest.mark.parametrize("resource", [SYSTEM, VALUE_SET], ids=lambda each: each["resourceType"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_one_that_could_be_stored_is_told_what_was_checked(client: Client, resource: Any, wrapped: bool) -> None:
    kind = resource["resourceType"]
    body = parameters(("mode", "valueCode", "create"), resource=resource) if wrapped else resource
    reply = client.post(f"{kind}/$validate", body)
    assert said(reply) == [("information", kind)]
    assert FITS in reply.texts


@pytest.mark.parametrize(
    ("resource", "wanted"),
    [
        ({**SYSTEM, "status": "done"}, ["CodeSystem.status"]),
        ({**SYSTEM, "concept": [{"code": "red"}, {"code": "red"}]}, ["CodeSystem.concept[1].code"]),
        ({**SYSTEM, "status": "done", "wrong": 1}, ["CodeSystem.status", "CodeSystem.wrong"]),
        ({**SYSTEM, "content": "supplement"}, ["CodeSystem.supplements"]),
        ({**VALUE_SET, "compose": {"include": [{}]}}, ["ValueSet.compose.include[0]"] * 2),
        ({"resourceType": "ValueSet"}, ["ValueSet.status"]),
        ({"resourceType": "NamingSystem", "name": "X"}, None),
    ],
    ids=str,
)
def test_every_reason_why_one_could_not_be_stored_is_an_answer(client: Client, resource: Any, wanted: Any) -> None:
    found = said(client.post(f"{resource['resourceType']}/$validate", resource))
    assert {severity for severity, _ in found} == {"error"}
    assert wanted is None or sorted(path for _, path in found) == sorted(wanted)


@pytest.mark.parametrize("accepted", ["application/fhir+json", "application/fhir+xml"])
def test_a_map_is_read_in_the_version_in_which_it_came(app: Flask, accepted: str) -> None:
    for version, fhir, code in (("r4", "R4", "wider"), ("r5", "R5", "source-is-narrower-than-target")):
        client = Client(app, version)
        resource = mapped(version, code)
        assert said(client.post("ConceptMap/$validate", resource)) == [("information", "ConceptMap")]
        for body in (resource, parameters(resource=resource)):
            xml = to_xml(body, fhir)  # type: ignore[arg-type]
            headers = {"Accept": accepted}
            reply = client.post("ConceptMap/$validate", xml, headers=headers, content_type="application/fhir+xml")
            assert said(reply) == [("information", "ConceptMap")]
        other = Client(app, "r5" if version == "r4" else "r4").post("ConceptMap/$validate", resource)
        assert ("error", "ConceptMap.group[0].element[0].target[0]") in {
            (severity, path.rpartition(".")[0]) for severity, path in said(other)
        }


@pytest.mark.parametrize(
    ("resource", "kind"), [(SYSTEM, "CodeSystem"), (VALUE_SET, "ValueSet"), ({**SYSTEM, "status": "x"}, "CodeSystem")]
)
def test_it_says_what_a_create_would_say(tmp_path: Any, resource: Any, kind: str) -> None:
    app = create_app({"data_dir": str(tmp_path), "allow_writes": True, "core_content": False})
    client = Client(app, "r5")
    validated, created = client.post(f"{kind}/$validate", resource), client.post(kind, resource)
    errors = [each for each in said(validated) if each[0] == "error"]
    assert (created.status == 201) == (not errors)
    if errors:
        assert created.resource["issue"] == validated.resource["issue"]
    else:
        identity = created.resource["id"]
        assert said(client.get(f"{kind}/{identity}/$validate")) == [("information", kind)]
        update = parameters(("mode", "valueCode", "update"), resource={**resource, "id": identity})
        assert said(client.post(f"{kind}/{identity}/$validate", update)) == [("information", kind)]
        assert said(client.post(f"{kind}/{identity}/$validate", resource)) == [("error", f"{kind}.id")]


def test_what_is_published_can_be_validated_where_it_stands(client: Client) -> None:
    held = client.get("ConceptMap?_count=1").resource["entry"][0]["resource"]
    for body in (
        parameters(("mode", "valueCode", "profile")),
        parameters(("profile", "valueUri", "http://hl7.org/fhir/StructureDefinition/ConceptMap")),
    ):
        assert said(client.post(f"ConceptMap/{held['id']}/$validate", body)) == [("information", "ConceptMap")]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("CodeSystem/$validate", parameters(("mode", "valueCode", "update"), resource=SYSTEM), 422, "mode=create"),
        ("CodeSystem/$validate", parameters(("mode", "valueCode", "delete")), 422, "the mode 'delete'"),
        ("CodeSystem/$validate", parameters(("mode", "valueCode", "create")), 400, "'resource' is missing"),
        ("CodeSystem/$validate", parameters(("profile", "valueUri", "http://x"), resource=SYSTEM), 422, "http://x"),
        ("CodeSystem/$validate", parameters(resource=VALUE_SET), 400, "CodeSystem"),
        ("CodeSystem/$validate", VALUE_SET, 400, "CodeSystem"),
        ("CodeSystem/none/$validate", parameters(resource=SYSTEM), 404, "'none'"),
        ("CodeSystem/bone-marrow-harvest/$validate", parameters(("mode", "valueCode", "update")), 400, "'resource'"),
        (
            "CodeSystem/bone-marrow-harvest/$validate",
            parameters(("mode", "valueCode", "profile"), resource=SYSTEM),
            400,
            "mode=profile",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_validated_is_refused(client: Client, path: str, body: Any, status: int, text: str) -> None:
    reply = client.post(path, body)
    assert (reply.status, text in reply.texts) == (status, True), reply.texts


@pytest.mark.parametrize("kind", ["Procedure", "Claim"])
def test_what_is_not_stored_here_is_validated_at_the_type(client: Client, kind: str) -> None:
    reply = client.post(f"{kind}/x/$validate", {"resourceType": kind})
    assert reply.status == 404
    assert f"send it to {kind}/$validate" in reply.texts


@pytest.mark.parametrize("kind", KINDS)
def test_each_type_has_the_operation_at_both_levels(client: Client, kind: str) -> None:
    stated = client.get("metadata").resource["rest"][0]["resource"]
    [entry] = [each for each in stated if each["type"] == kind]
    [named] = [each for each in entry["operation"] if each["name"] == "validate"]
    assert named["definition"] == "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    definition = client.get(f"OperationDefinition/{kind}-validate").resource
    assert (definition["system"], definition["type"], definition["instance"]) == (False, True, True)
