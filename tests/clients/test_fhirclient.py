"""`fhirclient` (SMART): every answer becomes one of its R4 models, which refuse what R4 does not know."""

import pytest
import requests
from clients.published import (
    BOTH,
    CONCEPTS,
    CPT,
    DONOR_LABEL,
    FACTS,
    LABELS,
    MAYBE_ELSEWHERE,
    MEMBERSHIP,
    NOT_A_CODE,
    OWN_USE,
    TO_CONCEPTS,
    UNKNOWN_CODE,
    UNKNOWN_ID,
    VALUES,
    batch,
    not_a_member,
    parameters,
)
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.codesystem import CodeSystem
from fhirclient.models.conceptmap import ConceptMap
from fhirclient.models.parameters import Parameters
from fhirclient.models.terminologycapabilities import TerminologyCapabilities
from fhirclient.models.valueset import ValueSet
from fhirclient.server import FHIRNotFoundException

LOOKUP = f"CodeSystem/$lookup?system={CPT}&code=38232"


@pytest.fixture
def server(r4):
    client = FHIRClient(settings={"app_id": "tests", "api_base": r4})
    yield client.server
    client.server.session.close()


@pytest.fixture
def post(server):
    """post(path, **parameters): the answer to a Parameters resource, as a model."""

    def posted(path, **given):
        body = Parameters(parameters(**given))
        return Parameters(server.post_json(path, body.as_json()).json())

    return posted


def named(answer, name):
    return [each for each in answer.parameter if each.name == name]


def one(answer, name):
    (found,) = named(answer, name)
    return found


def test_the_client_gets_ready_with_the_capability_statement(server):
    server.prepare()
    statement = server.capabilityStatement
    assert statement.fhirVersion == "4.0.1"
    types = {resource.type: resource for resource in statement.rest[0].resource}
    assert {"lookup", "subsumes", "validate-code"} <= {each.name for each in types["CodeSystem"].operation}


def test_the_terminology_capabilities_name_the_code_systems(server):
    statement = TerminologyCapabilities.read_from("metadata?mode=terminology", server)
    assert CPT in {system.uri for system in statement.codeSystem}


def test_lookup_becomes_a_model_with_typed_facts(server, post):
    answer = Parameters.read_from(LOOKUP, server)
    assert one(answer, "display").valueString == LABELS["en"]
    found, typed = {}, {}
    for each in named(answer, "property"):
        part = {part.name: part for part in each.part}
        code, coding = part["code"].valueCode, part["value"].valueCoding
        typed[code] = part["value"]
        if coding and coding.system == VALUES:
            found.setdefault(code, []).append(coding.code)
    assert found == FACTS
    assert typed["target-volume-litres"].valueDecimal == 1.9
    assert typed["valid-from"].valueDateTime.as_json() == "2012-01-01"
    assert typed["inactive"].valueBoolean is False
    by_post = post("CodeSystem/$lookup", system_valueUri=CPT, code_valueCode="38232")
    assert by_post.as_json() == answer.as_json()


def test_lookup_tells_the_designations_with_their_languages(server):
    labels = [
        {part.name: part for part in each.part} for each in named(Parameters.read_from(LOOKUP, server), "designation")
    ]
    assert {part["language"].valueCode: part["value"].valueString for part in labels} == LABELS


def test_lookup_answers_in_german(server):
    answer = Parameters.read_from(f"{LOOKUP}&displayLanguage=de", server)
    assert one(answer, "display").valueString == LABELS["de"]


@pytest.mark.parametrize(("value_set", "code", "expected"), MEMBERSHIP)
def test_membership_is_told_with_a_message_when_it_is_not_so(post, value_set, code, expected):
    answer = post("ValueSet/$validate-code", url_valueUri=value_set, system_valueUri=CPT, code_valueCode=code)
    assert one(answer, "result").valueBoolean is expected
    assert [each.valueString for each in named(answer, "message")] == (
        [] if expected else [not_a_member(value_set, code)]
    )


def test_a_code_is_validated_in_its_system(post):
    known = post("CodeSystem/$validate-code", url_valueUri=CPT, code_valueString="38230")
    assert one(known, "result").valueBoolean is True
    assert one(known, "display").valueString == DONOR_LABEL
    unknown = post("CodeSystem/$validate-code", url_valueUri=CPT, code_valueString=NOT_A_CODE)
    assert one(unknown, "result").valueBoolean is True
    (issue,) = one(unknown, "issues").resource.issue
    assert issue.severity == "warning"
    assert MAYBE_ELSEWHERE in issue.details.text


def test_an_expansion_is_a_value_set(server):
    expanded = ValueSet.read_from(f"ValueSet/$expand?url={BOTH}", server)
    assert expanded.expansion.total == 2
    assert [(each.system, each.code, each.display) for each in expanded.expansion.contains] == [
        (CPT, "38230", DONOR_LABEL),
        (CPT, "38232", LABELS["en"]),
    ]


def test_a_value_set_of_the_client_is_expanded(server):
    mine = ValueSet({"resourceType": "ValueSet", "status": "draft", "compose": {"include": [{"valueSet": [OWN_USE]}]}})
    body = {"resourceType": "Parameters", "parameter": [{"name": "valueSet", "resource": mine.as_json()}]}
    expanded = ValueSet(server.post_json("ValueSet/$expand", body).json())
    assert [each.code for each in expanded.expansion.contains] == ["38232"]


def test_two_codes_are_compared(server):
    answer = Parameters.read_from(f"CodeSystem/$subsumes?system={CONCEPTS}&codeA=harvest-donor&codeB=harvest", server)
    assert one(answer, "outcome").valueCode == "subsumed-by"


def test_a_code_is_translated(server):
    answer = Parameters.read_from(f"ConceptMap/$translate?url={TO_CONCEPTS}&system={CPT}&code=38232", server)
    assert one(answer, "result").valueBoolean is True
    match = {part.name: part for part in one(answer, "match").part}
    assert match["equivalence"].valueCode == "equivalent"
    assert (match["concept"].valueCoding.system, match["concept"].valueCoding.code) == (CONCEPTS, "harvest-own-use")


def test_a_search_follows_its_pages(server):
    search = CodeSystem.where({"url": CPT, "_count": "5"})
    found = [each.version for each in search.perform_resources_iter(server)]
    assert sorted(found) == [str(year) for year in range(2011, 2027)]


@pytest.mark.parametrize("model", [CodeSystem, ValueSet, ConceptMap])
def test_whatever_is_published_becomes_a_model(server, model):
    found = list(model.where({}).perform_resources_iter(server))
    assert found
    for resource in found:
        assert model.read(resource.id, server).as_json() == resource.as_json()


def test_what_is_not_there_is_an_error_with_the_outcome(server):
    with pytest.raises(FHIRNotFoundException) as error:
        CodeSystem.read("nope", server)
    assert error.value.response.json()["issue"][0]["details"]["text"] == UNKNOWN_ID
    with pytest.raises(FHIRNotFoundException) as error:
        Parameters.read_from(f"CodeSystem/$lookup?system={CPT}&code={NOT_A_CODE}", server)
    assert error.value.response.json()["issue"][0]["details"]["text"] == UNKNOWN_CODE


def test_a_refusal_is_an_error_with_the_outcome(server):
    with pytest.raises(requests.HTTPError) as error:
        Parameters.read_from(f"CodeSystem/$lookup?system={CPT}", server)
    assert error.value.response.json()["resourceType"] == "OperationOutcome"


def test_a_batch_answers_each_entry_in_its_place(server):
    asked = Bundle(batch(("GET", LOOKUP), ("GET", "CodeSystem/nope")))
    first, second = Bundle(server.post_json("", asked.as_json()).json()).entry
    assert one(first.resource, "display").valueString == LABELS["en"]
    assert second.response.status.startswith("404")
    assert second.response.outcome.issue[0].details.text == UNKNOWN_ID
