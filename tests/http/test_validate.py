"""[type]/$validate over HTTP: 200 whatever was found, 4xx where the validation could not be done, and nothing kept."""

import logging
from typing import Any

import pytest
from coded_procedures import CPT, concept, procedure
from flask import Flask
from http_client import Client, Reply

from terminology.model import SUGGESTED_CODING
from terminology.procedures.elements import KINDS
from terminology.procedures.validating import FINDING_REASON, validated
from terminology.service import Terminology
from terminology.wire.outcomes import TX_ISSUE_TYPE
from terminology.wire.xml import to_xml

DONOR = "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest-donor"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure"
RIGHT = procedure("cpt#38232", day="2024-03-05")
EARLY = procedure("cpt#38232", day="2011-03-05")


@pytest.fixture
def r4(app: Flask) -> Client:
    return Client(app, "r4")


CONTAINED = [{"resourceType": "Patient", "id": "p", "active": True}]
ITEM = {"sequence": 1, "servicedDate": "2011-03-05", "productOrService": concept("cpt#38232")}
WRONG = concept("cpt#38232", "cpt#38230")
XML = [
    ("r4", EARLY),
    ("r4", {**EARLY, "contained": CONTAINED, "status": "done", "note": [{"text": "<a> & b"}]}),
    ("r5", {"resourceType": "Procedure", "status": "completed", "code": WRONG, "occurrenceDateTime": "2011-03"}),
    *((each, {"resourceType": "Claim", "status": "active", "use": "claim", "item": [ITEM]}) for each in ("r4", "r5")),
    *(
        (each, {"resourceType": "ExplanationOfBenefit", "status": "active", "item": [ITEM, ITEM]})
        for each in ("r4", "r5")
    ),
    ("r4", {"resourceType": "ServiceRequest", "status": "active", "code": WRONG, "occurrenceDateTime": "2011"}),
    ("r5", {"resourceType": "ServiceRequest", "status": "active", "code": {"concept": WRONG}}),
    *((each, {"resourceType": "Condition", "code": concept("cm#Z52.3"), "onsetString": "x"}) for each in ("r4", "r5")),
    *((each, {"resourceType": "Observation", "code": WRONG, "valueInteger": 1}) for each in ("r4", "r5")),
    *((each, {"resourceType": "Encounter", "reasonCode": [WRONG], "status": "x"}) for each in ("r4",)),
    ("r5", {"resourceType": "Encounter", "reason": [{"value": [{"concept": WRONG}]}], "status": "x"}),
]


def parameters(*more: tuple[str, str, Any], resource: Any = RIGHT) -> dict[str, Any]:
    given = [{"name": name, kind: value} for name, kind, value in more]
    return {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}, *given]}


def reasons(reply: Reply) -> list[str]:
    assert reply.status == 200, reply.texts
    assert reply.resource["resourceType"] == "OperationOutcome"
    codings = [each["details"]["coding"] for each in reply.resource["issue"]]
    assert all(each[0]["system"] == FINDING_REASON for each in codings)
    assert all(each[1]["system"] == TX_ISSUE_TYPE for each in codings if len(each) > 1)
    return [each[0]["code"] for each in codings]


@pytest.mark.parametrize("body", [RIGHT, parameters(), parameters(("mode", "valueCode", "create"))], ids=str)
def test_a_clean_answer_says_what_was_not_checked(r4: Client, body: Any) -> None:
    reply = r4.post("Procedure/$validate", body)
    assert reasons(reply) == ["not-checked"]
    [issue] = reply.resource["issue"]
    assert issue["severity"] == "information"
    assert "Not checked: profiles, invariants" in issue["details"]["text"]
    assert "neither a billing decision nor one of medical necessity" in issue["details"]["text"]
    assert issue["diagnostics"] == f"Answered from {CPT}|2024"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (EARLY, ["not-valid-on-date", "not-checked"]),
        (parameters(("date", "valueDateTime", "2011-06-01")), ["not-valid-on-date", "not-checked"]),
        (parameters(("date", "valueDate", "2011")), ["not-valid-on-date", "not-checked"]),
        (parameters(("valueSet", "valueCanonical", DONOR)), ["not-in-value-set", "not-checked"]),
        (parameters(("valueSet", "valueUri", f"{DONOR}|1.0.0")), ["not-in-value-set", "not-checked"]),
        (parameters(("profile", "valueUri", US_CORE)), ["not-checked", "not-checked"]),
        (
            parameters(("dateBasis", "valueString", f"{CPT}|admission")),
            ["judged-by-day-of-service", "not-checked"],
        ),
        ({**RIGHT, "status": "done"}, ["invalid-value", "not-checked"]),
        ({"resourceType": "Procedure"}, ["invalid-shape", "missing-code", "no-date", "not-checked"]),
        ({**RIGHT, "code": {"text": "words"}}, ["text-only", "not-checked"]),
    ],
    ids=str,
)
def test_what_is_found_is_an_answer(r4: Client, body: Any, wanted: list[str]) -> None:
    assert sorted(set(reasons(r4.post("Procedure/$validate", body)))) == sorted(set(wanted))


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (parameters(("resource", "resource", RIGHT)), 400, "'resource' was sent 2 times"),
        (parameters(("mode", "valueCode", "update")), 422, "the mode 'update'"),
        (parameters(("mode", "valueCode", "delete")), 422, "the mode 'delete'"),
        (parameters(("mode", "valueCode", "profile")), 422, "the mode 'profile'"),
        (parameters(("profile", "valueUri", "http://example.org/profile")), 422, "http://example.org/profile"),
        (parameters(("profile", "valueUri", f"{US_CORE}|0.0.1")), 422, "0.0.1"),
        (parameters(("valueSet", "valueUri", "http://example.org/none")), 404, "http://example.org/none"),
        (parameters(("date", "valueDate", "2011-13-01")), 400, "date"),
        (parameters(("dateBasis", "valueString", f"{CPT}|birth")), 400, "dateBasis"),
        (parameters(resource={"resourceType": "Claim"}), 400, "must be a Procedure resource, not Claim"),
        ({"resourceType": "Patient"}, 400, "Procedure"),
        ({"resourceType": "Parameters"}, 400, "'resource' is missing"),
        (b"", 400, "empty"),
        (b"[]", 400, "not a JSON object"),
    ],
    ids=str,
)
def test_what_cannot_be_validated_is_refused(r4: Client, body: Any, status: int, said: str) -> None:
    reply = r4.post("Procedure/$validate", body)
    assert reply.status == status
    assert said in reply.texts


def test_a_profile_of_another_type_is_refused(r4: Client) -> None:
    body = parameters(("profile", "valueUri", US_CORE), resource={"resourceType": "Condition", "code": WRONG})
    reply = r4.post("Condition/$validate", body)
    assert reply.status == 400
    assert "us-core-procedure|8.0.0 is about Procedure, and this is Condition" in reply.texts


def test_a_profile_of_r4_is_not_known_to_r5(app: Flask) -> None:
    reply = Client(app, "r5").post("Procedure/$validate", parameters(("profile", "valueCanonical", US_CORE)))
    assert reply.status == 422
    assert "Known in FHIR R5: -" in reply.texts


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("Patient/$validate", "for Procedure, ServiceRequest, Claim"),
        ("Procedur/$validate", "Did you mean Procedure/$validate?"),
        ("Patient/x/$validate", "for Procedure, ServiceRequest, Claim"),
    ],
)
def test_a_type_that_is_not_validated_is_told_which_are(client: Client, path: str, said: str) -> None:
    reply = client.post(path, {"resourceType": "Patient"})
    assert (reply.status, said in reply.texts) == (404, True), reply.texts


def test_it_is_asked_by_post_alone(client: Client) -> None:
    reply = client.get("Procedure/$validate")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST, OPTIONS")


@pytest.mark.parametrize("kind", KINDS)
def test_each_type_has_the_operation_and_its_definition(client: Client, kind: str) -> None:
    stated = client.get("metadata").resource["rest"][0]["resource"]
    [entry] = [each for each in stated if each["type"] == kind]
    [named] = [each for each in entry["operation"] if each["name"] == "validate"]
    definition = client.get(f"OperationDefinition/{kind}-validate").resource
    assert named["definition"] == definition["url"]
    assert definition["base"] == "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    assert (definition["system"], definition["type"], definition["instance"]) == (False, True, False)
    names = [each["name"] for each in definition["parameter"]]
    assert names[:6] == ["resource", "mode", "profile", "valueSet", "date", "dateBasis"]
    answer = client.post(f"{kind}/$validate", {"resourceType": kind, "status": "x"})
    assert reasons(answer)[-1] == "not-checked"


@pytest.mark.parametrize("accepted", ["application/fhir+json", "application/fhir+xml"])
@pytest.mark.parametrize(("version", "record"), XML, ids=lambda each: each if isinstance(each, str) else None)
def test_a_record_in_xml_is_answered_as_in_json(app: Flask, version: str, record: Any, accepted: str) -> None:
    client = Client(app, version)
    fhir = "R4" if version == "r4" else "R5"
    path, headers = f"{record['resourceType']}/$validate", {"Accept": accepted}
    wanted = client.post(path, record)
    assert len(reasons(wanted)) > 1
    wrapped = parameters(("date", "valueDateTime", "2011-03-05"), resource=record)
    for body in (record, wrapped):
        as_xml = client.post(path, to_xml(body, fhir), headers=headers, content_type="application/fhir+xml")
        assert as_xml.headers["Content-Type"].startswith(accepted)
        assert as_xml.resource == client.post(path, body).resource


def test_xml_that_is_no_record_says_where(r4: Client) -> None:
    body = b'<Procedure xmlns="http://hl7.org/fhir"><status value="completed"/><no value="1"/></Procedure>'
    reply = r4.post("Procedure/$validate", body, content_type="application/fhir+xml")
    assert reply.status == 400
    assert "Procedure has no element no in FHIR R4" in reply.texts


def test_r5_reads_the_form_of_r5(app: Flask) -> None:
    record = {**EARLY, "occurrenceDateTime": "2011-03-05"}
    del record["performedDateTime"]
    assert "not-valid-on-date" in reasons(Client(app, "r5").post("Procedure/$validate", record))
    assert "invalid-shape" in reasons(Client(app, "r4").post("Procedure/$validate", record))


def test_the_suggestion_is_a_coding_with_our_label(client: Client) -> None:
    reply = client.post("Procedure/$validate", parameters(("date", "valueDate", "2011-03-05")))
    [found] = [each for each in reply.resource["issue"] if each["severity"] == "error" and "details" in each][-1:]
    [meant] = [each["valueCoding"] for each in found["extension"] if each["url"] == SUGGESTED_CODING]
    assert (meant["system"], meant["code"]) == (CPT, "38230")
    assert meant["display"]
    assert found["expression"] == ["Procedure.code.coding[0].code"]


def test_the_sentences_are_said_in_the_language_of_the_reader(r4: Client) -> None:
    reply = r4.post("Procedure/$validate", EARLY, headers={"Accept-Language": "de"})
    assert "ist am 2011-03-05 nicht gültig" in reply.texts


def test_http_and_function_say_the_same(r4: Client) -> None:
    records = [RIGHT, EARLY, procedure("cpt#38230", "ops#5-410.00"), {"resourceType": "Procedure"}]
    terminology = Terminology()
    for record in records:
        assert r4.post("Procedure/$validate", record).resource == terminology.validate(record).outcome()
        assert validated(record, "R4", terminology.judge()) == terminology.validate(record)


def test_the_reasons_are_published(client: Client) -> None:
    reply = client.get(f"CodeSystem/$lookup?system={FINDING_REASON}&code=confused-codes")
    assert reply.parameter("display") == "Confused codes"


def test_a_body_is_neither_logged_nor_kept(r4: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "Aurelia-Testperson-4711"
    body = {**RIGHT, "code": {**concept("cpt#38232"), "text": secret}, "note": [{"text": secret}], "status": secret}
    assert r4.post("Procedure/$validate", body).status == 200
    assert r4.post("Procedure/$validate", {**body, "resourceType": secret}).status == 400
    assert secret not in caplog.text
    again = r4.post("Procedure/$validate", RIGHT)
    assert secret not in again.body.decode()
    assert "ETag" not in again.headers


def test_a_batch_validates_too(r4: Client) -> None:
    entries = [
        {"request": {"method": "POST", "url": "Procedure/$validate"}, "resource": each} for each in (RIGHT, EARLY)
    ]
    reply = r4.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries})
    statuses = [each["response"]["status"][:3] for each in reply.resource["entry"]]
    assert statuses == ["200", "200"]
