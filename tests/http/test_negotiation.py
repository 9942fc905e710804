"""Media types, in both directions."""

import json

import pytest
from http_client import CPT, Client, parameters

from terminology.issues import NotAcceptable, UnsupportedMedia
from terminology.model import FhirVersion
from terminology.rest.negotiation import accepted, body_form

LOOKUP = f"CodeSystem/$lookup?system={CPT}&code=38232"
JSON, XML = "application/fhir+json", "application/fhir+xml"
PLAIN, PLAIN_XML = "application/json", "application/xml"

ACCEPTED = [
    (None, None, JSON),
    ("", None, JSON),
    ("*/*", None, JSON),
    ("*", None, JSON),
    ("application/*", None, JSON),
    (JSON, None, JSON),
    (XML, None, XML),
    (PLAIN, None, PLAIN),
    ("text/json", None, "text/json"),
    (PLAIN_XML, None, PLAIN_XML),
    ("text/xml", None, "text/xml"),
    ("application/json+fhir", None, "application/json+fhir"),
    ("APPLICATION/FHIR+XML", None, XML),
    ("text/html", None, PLAIN),
    # weights: HAPI asks for both alike, a browser prefers pages, Java's own client adds wildcards
    (f"{XML};q=1.0, {JSON};q=1.0, {PLAIN_XML};q=0.9, {PLAIN};q=0.9", None, JSON),
    (f"{XML};q=0.9, {JSON};q=0.8", None, XML),
    (f"{PLAIN}, {JSON}", None, JSON),
    (f"{PLAIN_XML}, {PLAIN}", None, PLAIN),
    (f"{XML}, */*", None, XML),
    (f"{XML};q=0.1, */*;q=0.2", None, JSON),
    (f"{JSON};q=0, */*", None, XML),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, PLAIN),
    ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", None, PLAIN),
    ("text/csv, */*;q=0.1", None, JSON),
    # what clients put after the type
    (f"{JSON};charset=utf-8", None, JSON),
    (f"{JSON}; fhirVersion=4.0", None, JSON),
    (f"{JSON};fhirversion=4.0.1", None, JSON),
    (f'{JSON}; fhirVersion="4.0"', None, JSON),
    (f"{JSON}; fhirVersion=5.0, {XML}; fhirVersion=4.0", None, XML),
    # _format wins
    (XML, "json", JSON),
    (JSON, "xml", XML),
    ("text/csv", "json", JSON),
    (JSON, PLAIN, PLAIN),
    (JSON, XML, XML),
    (JSON, "application/fhir xml", XML),
    (JSON, "application/fhir+json; fhirVersion=4.0", JSON),
    (JSON, "text/xml", "text/xml"),
    (JSON, "text/html", PLAIN),
]


@pytest.mark.parametrize(("accept", "wanted", "name"), ACCEPTED)
def test_the_best_type_both_sides_know_is_answered(accept: str | None, wanted: str | None, name: str) -> None:
    chosen = accepted(accept, wanted, "R4")
    assert chosen.content_type.partition(";")[0] == name
    assert chosen.form == ("xml" if "xml" in name else "json")


@pytest.mark.parametrize(
    ("accept", "wanted", "fhir", "message"),
    [
        ("text/csv", None, "R4", "OWN_NOT_ACCEPTABLE"),
        ("application/fhir+turtle", None, "R4", "OWN_NOT_ACCEPTABLE"),
        (f"{JSON};q=0", None, "R4", "OWN_NOT_ACCEPTABLE"),
        (f"{JSON};q=0, {XML};q=0, */*", None, "R4", "OWN_NOT_ACCEPTABLE"),
        (JSON, "ttl", "R4", "OWN_NOT_ACCEPTABLE"),
        (f"{JSON}; fhirVersion=5.0", None, "R4", "OWN_FHIR_VERSION"),
        (f"{JSON}; fhirVersion=4.0", None, "R5", "OWN_FHIR_VERSION"),
        (f"{JSON}; fhirVersion=4.3", None, "R4", "OWN_FHIR_VERSION"),
        (JSON, f"{JSON}; fhirVersion=5.0", "R4", "OWN_FHIR_VERSION"),
    ],
)
def test_nothing_in_common_is_not_acceptable(accept: str, wanted: str | None, fhir: FhirVersion, message: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        accepted(accept, wanted, fhir)
    assert refused.value.issues[0].message_id == message


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (None, "json"),
        (JSON, "json"),
        (PLAIN, "json"),
        ("text/json", "json"),
        ("application/json;charset=UTF-8", "json"),
        ("application/fhir+json; fhirVersion=4.0;charset=UTF-8", "json"),
        ("application/fhir+json; fhirVersion=4.0.1", "json"),
        (XML, "xml"),
        ("text/xml; charset=utf-8", "xml"),
    ],
)
def test_a_body_is_read_as_its_type_says(content_type: str | None, form: str) -> None:
    assert body_form(content_type, "R4") == form


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/fhir+json; fhirVersion=5.0",
        "application/json; charset=utf-16",
        ";",
    ],
)
def test_a_body_of_another_type_is_not_read(content_type: str) -> None:
    with pytest.raises(UnsupportedMedia):
        body_form(content_type, "R4")


def test_what_is_refused_says_where_the_other_version_is_spoken(client: Client) -> None:
    other = "5.0" if client.version == "r4" else "4.0"
    reply = client.get(LOOKUP, headers={"Accept": f"{JSON}; fhirVersion={other}"})
    assert reply.status == 406
    assert ("/r5" if client.version == "r4" else "/r4") in reply.texts


def test_the_content_type_says_the_fhir_version(client: Client) -> None:
    version = "4.0" if client.version == "r4" else "5.0"
    assert client.get(LOOKUP).headers["Content-Type"] == f"{JSON}; fhirVersion={version}; charset=utf-8"
    xml = client.get(LOOKUP, headers={"Accept": XML})
    assert xml.headers["Content-Type"] == f"{XML}; fhirVersion={version}; charset=utf-8"


@pytest.mark.parametrize("name", [PLAIN, "text/json", PLAIN_XML, "text/xml"])
def test_who_asks_for_a_general_type_gets_it(client: Client, name: str) -> None:
    assert client.get(LOOKUP, headers={"Accept": name}).headers["Content-Type"] == f"{name}; charset=utf-8"


@pytest.mark.parametrize(
    "path", [LOOKUP, "metadata", "metadata?mode=terminology", "ValueSet", "nothing/here", "$versions"]
)
def test_xml_says_the_same_as_json(client: Client, path: str) -> None:
    as_json, as_xml = client.get(path), client.get(path, headers={"Accept": XML})
    assert as_xml.body.startswith(b"<?xml")
    assert as_xml.status == as_json.status
    assert as_xml.resource == as_json.resource


def test_an_error_comes_in_the_form_that_was_asked_for(client: Client) -> None:
    assert client.get(f"{LOOKUP}&code=1", headers={"Accept": XML}).body.startswith(b"<?xml")
    assert client.get("CodeSystem/none?_format=xml").body.startswith(b"<?xml")


def test_pretty_is_indented(client: Client) -> None:
    pretty, plain = client.get(f"{LOOKUP}&_pretty=true"), client.get(LOOKUP)
    assert b'\n  "' in pretty.body
    assert b"\n" not in plain.body
    assert json.loads(pretty.body) == json.loads(plain.body)


def test_a_posted_xml_body_means_what_its_json_means(client: Client) -> None:
    body = b"""<Parameters xmlns="http://hl7.org/fhir">
      <parameter><name value="coding"/><valueCoding>
        <system value="http://www.ama-assn.org/go/cpt"/><code value="38232"/></valueCoding></parameter>
    </Parameters>"""
    as_xml = client.post("CodeSystem/$lookup", body, content_type=XML)
    as_json = client.post("CodeSystem/$lookup", parameters(coding={"system": CPT, "code": "38232"}))
    assert as_xml.status == 200
    assert as_xml.resource == as_json.resource


@pytest.mark.parametrize("accept", ["a" * 5000, ",,;;,", "/", f"{JSON};q=x", "\xff", ";q=1"])
def test_a_header_that_makes_no_sense_is_refused_not_stumbled_over(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        accepted(accept, None, "R4")
    assert len(str(refused.value)) < 500
