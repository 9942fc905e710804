"""Media types: the grammar, case, what is registered, and HL7's two filters."""

import pytest
from engine.asking import call, value_set
from hypothesis import given
from hypothesis import strategies as st

from codesystems.bcp_13 import find, registered
from terminology.model import Concept, Miss

URL = "urn:ietf:bcp:13"


@pytest.mark.parametrize(
    ("code", "written", "known"),
    [
        ("text/html", "text/html", True),
        ("Text/HTML; Charset=UTF-8", "text/html; Charset=UTF-8", True),
        ("application/fhir+json;fhirVersion=4.0", "application/fhir+json;fhirVersion=4.0", True),
        ('multipart/form-data; boundary="a b;c"; x=y', 'multipart/form-data; boundary="a b;c"; x=y', True),
        ("application/dicom", "application/dicom", True),
        ("application/x-foo", "application/x-foo", False),
    ],
)
def test_a_media_type_is_known_by_its_grammar(code, written, known):
    found = find(code)
    assert isinstance(found, Concept)
    assert (found.code, found.display) == (written, written)
    assert [each.value for each in found.properties] == [known]


@pytest.mark.parametrize(
    "code",
    ["", "text", "text/", "/html", "text/*", "*/*", "text/html;", "text/html; charset", "text/html;a=b;", "image/png ",
     "text /html", "text/ht ml", "a/b/c", "-a/b", 'text/html; a="b', "text/é"],
)  # fmt: skip
def test_anything_else_says_where_it_breaks_the_grammar(code):
    missed = find(code)
    assert isinstance(missed, Miss)
    assert missed.issues[0].message_id == "OWN_CODE_SYNTAX"


def test_every_registered_type_keeps_the_grammar():
    assert len(registered()) == 2136
    assert all(isinstance(find(name), Concept) for name in registered())


@given(st.text(max_size=30) | st.text('atext/;= "+.*', max_size=30))
def test_no_text_is_too_odd_to_be_judged(text):
    found = find(text)
    assert isinstance(found, Miss) or (found.code.lower() == text.lower() and find(found.code) == found)


@pytest.mark.parametrize(
    ("name", "value", "inside", "outside"),
    [
        ("base", "text", "text/html", "image/png"),
        (
            "base",
            "application/vnd.oasis.opendocument",
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis",
        ),
        ("base", "application/pdf", "application/pdf", "application/pdfx"),
        ("registered", "true", "image/png", "image/x-own"),
    ],
)
def test_hl7s_filters(name, value, inside, outside):
    filtered = value_set({"system": URL, "filter": [{"property": name, "op": "=", "value": value}]})
    for code, expected in ((inside, True), (outside, False)):
        answer = call("ValueSet/$validate-code", filtered, installed=True, url=filtered["url"], system=URL, code=code)
        assert answer["parameter"][0]["valueBoolean"] is expected, code


def test_all_media_types():
    url = "http://hl7.org/fhir/ValueSet/mimetypes"
    answer = call("ValueSet/$validate-code", installed=True, url=url, system=URL, code="application/fhir+xml")
    assert answer["parameter"][0] == {"name": "result", "valueBoolean": True}
