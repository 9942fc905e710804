"""`fhirpy`: posts application/json, follows the links of a search, raises what the OperationOutcome says."""

import asyncio

import fhirpy
import pytest
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
    TO_CONCEPTS,
    UNKNOWN_CODE,
    UNKNOWN_ID,
    VALUES,
    batch,
    not_a_member,
    parameters,
)
from fhirpy.base import exceptions

LOOKUP = {"system": CPT, "code": "38232"}


@pytest.fixture
def client(endpoint):
    return fhirpy.SyncFHIRClient(endpoint)


def parts(answer, name):
    return [each for each in answer.parameter if each.name == name]


def value(answer, name):
    """The one value of the parameter of that name, whatever its type."""
    (found,) = parts(answer, name)
    (held,) = [held for key, held in found.items() if key != "name"]
    return held


def facts(answer):
    """The codes of the properties that are Codings of our values."""
    found = {}
    for each in parts(answer, "property"):
        part = {one.name: one for one in each.part}
        coding = part["value"].get("valueCoding")
        if coding and coding.system == VALUES:
            found.setdefault(part["code"].valueCode, []).append(coding.code)
    return found


def test_the_capability_statement_is_fetched(client, endpoint):
    statement = client.execute("metadata", method="get")
    assert statement.resourceType == "CapabilityStatement"
    assert statement.fhirVersion == ("4.0.1" if endpoint.endswith("r4") else "5.0.0")


def test_lookup_tells_the_facts_by_get_and_by_post(client):
    answer = client.resources("CodeSystem").execute("$lookup", method="get", params=LOOKUP)
    assert value(answer, "display") == LABELS["en"]
    assert facts(answer) == FACTS
    body = parameters(system_valueUri=CPT, code_valueCode="38232")
    assert client.resources("CodeSystem").execute("$lookup", data=body) == answer


def test_lookup_answers_in_german(client):
    answer = client.execute("CodeSystem/$lookup", method="get", params={**LOOKUP, "displayLanguage": "de"})
    assert value(answer, "display") == LABELS["de"]


def test_lookup_answers_in_the_language_of_a_header(endpoint):
    client = fhirpy.SyncFHIRClient(endpoint, extra_headers={"Accept-Language": "fr"})
    answer = client.execute("CodeSystem/$lookup", method="get", params=LOOKUP)
    assert value(answer, "display") == LABELS["fr"]


@pytest.mark.parametrize(("value_set", "code", "expected"), MEMBERSHIP)
def test_membership_is_asked_by_post(client, value_set, code, expected):
    body = parameters(url_valueUri=value_set, system_valueUri=CPT, code_valueCode=code)
    answer = client.resources("ValueSet").execute("$validate-code", data=body)
    assert value(answer, "result") is expected
    if expected:
        assert not parts(answer, "message")
    else:
        assert value(answer, "message") == not_a_member(value_set, code)


def test_a_published_value_set_is_asked_by_its_id(client):
    value_set = client.reference("ValueSet", "bone-marrow-harvest-own-use")
    assert value(value_set.execute("$validate-code", method="get", params=LOOKUP), "result") is True


def test_a_code_is_validated_in_its_system(client):
    known = client.execute("CodeSystem/$validate-code", method="get", params={"url": CPT, "code": "38230"})
    assert value(known, "result") is True
    assert value(known, "display") == DONOR_LABEL
    unknown = client.execute("CodeSystem/$validate-code", method="get", params={"url": CPT, "code": NOT_A_CODE})
    assert value(unknown, "result") is True
    (issue,) = parts(unknown, "issues")[0].resource.issue
    assert issue.severity == "warning"
    assert MAYBE_ELSEWHERE in issue.details.text


def test_an_expansion_lists_the_codes(client):
    answer = client.resources("ValueSet").execute("$expand", method="get", params={"url": BOTH})
    assert [(each.code, each.display) for each in answer.expansion.contains] == [
        ("38230", DONOR_LABEL),
        ("38232", LABELS["en"]),
    ]


def test_two_codes_are_compared(client):
    asked = {"system": CONCEPTS, "codeA": "harvest", "codeB": "harvest-donor"}
    assert value(client.execute("CodeSystem/$subsumes", method="get", params=asked), "outcome") == "subsumes"


def test_a_code_is_translated(client, endpoint):
    code = "code" if endpoint.endswith("r4") else "sourceCode"
    asked = {"url": TO_CONCEPTS, "system": CPT, code: "38230"}
    answer = client.execute("ConceptMap/$translate", method="get", params=asked)
    assert value(answer, "result") is True
    (match,) = parts(answer, "match")
    (concept,) = [part.valueCoding for part in match.part if part.name == "concept"]
    assert (concept.system, concept.code) == (CONCEPTS, "harvest-donor")


def test_a_search_follows_its_pages(client):
    releases = client.resources("CodeSystem").search(url=CPT)
    assert releases.count() == 16
    found = releases.limit(5).fetch_all()
    assert sorted(each.version for each in found) == [str(year) for year in range(2011, 2027)]
    assert len(releases.limit(5).fetch()) == 5


def test_a_search_finds_one_release_and_reading_gives_the_same(client):
    found = client.resources("CodeSystem").search(url=CPT, version="2026").get()
    assert found.id == "cpt-2026"
    assert client.get("CodeSystem", "cpt-2026") == dict(found)
    assert client.reference("CodeSystem", "cpt-2026").to_resource() == found


def test_the_parts_of_a_resource_that_were_asked_for_are_sent(client):
    found = client.resources("ValueSet").search(url=BOTH).elements("url", "title").get()
    assert found.title == "Bone marrow harvest (CPT)"
    assert "compose" not in found


def test_what_is_not_there_is_an_error_with_the_words_of_the_outcome(client):
    with pytest.raises(exceptions.ResourceNotFound, match=UNKNOWN_ID):
        client.get("CodeSystem", "nope")
    with pytest.raises(exceptions.ResourceNotFound) as error:
        client.execute("CodeSystem/$lookup", method="get", params={"system": CPT, "code": NOT_A_CODE})
    assert UNKNOWN_CODE in str(error.value)


def test_a_refusal_is_an_error_that_holds_the_outcome(client):
    with pytest.raises(exceptions.OperationOutcome) as error:
        client.execute("CodeSystem/$lookup", method="get", params={"system": CPT})
    (issue,) = error.value.resource["issue"]
    assert issue["severity"] == "error"
    assert "code" in issue["details"]["text"]


def test_what_this_server_does_not_do_is_an_error_that_holds_the_outcome(client):
    with pytest.raises(exceptions.BaseFHIRError, match="OperationOutcome"):
        client.resource("CodeSystem", url="http://example.org/new", status="draft", content="complete").save()


def test_a_batch_answers_each_entry_in_its_place(client):
    lookup = parameters(system_valueUri=CPT, code_valueCode="38232")
    bundle = client.execute("", data=batch(("POST", "CodeSystem/$lookup", lookup), ("GET", "CodeSystem/nope")))
    first, second = bundle.entry
    assert value(first.resource, "display") == LABELS["en"]
    assert second.response.status.startswith("404")
    assert second.response.outcome.issue[0].details.text == UNKNOWN_ID


def test_many_questions_at_once_get_their_own_answers(endpoint):
    async def displays():
        client = fhirpy.AsyncFHIRClient(endpoint)
        asked = [{"system": CPT, "code": code} for code in ("38230", "38232") * 5]
        answers = (client.execute("CodeSystem/$lookup", method="get", params=each) for each in asked)
        return [value(answer, "display") for answer in await asyncio.gather(*answers)]

    assert asyncio.run(displays()) == [DONOR_LABEL, LABELS["en"]] * 5
