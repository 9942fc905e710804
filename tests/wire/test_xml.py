"""FHIR XML to JSON and back, and documents that must not get in."""

from __future__ import annotations

import importlib
import json
import os
import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire.generated import RECORDS, RESOURCES, resources

from terminology.wire.elements import Fhir
from terminology.wire.json_text import read
from terminology.wire.r4 import to_r4
from terminology.wire.xml import Malformed, from_xml, to_xml

CASES = Path(os.environ.get("TX_TESTS", Path(__file__).parents[3] / "shared" / "conformance" / "cases"))
SLOWLY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
DIV = XHTML.format('<p title="&quot;">a<br/>&amp;</p>')


def document(content: str, name: str = "ValueSet") -> bytes:
    return f'<{name} xmlns="http://hl7.org/fhir">{content}</{name}>'.encode()


# JSON, and the content of the XML document
FORMS: dict[str, tuple[dict[str, Any], str]] = {
    "primitives": (
        {"resourceType": "CodeSystem", "id": "a", "experimental": True, "count": 5},
        '<id value="a"/><experimental value="true"/><count value="5"/>',
    ),
    "choices and decimals to the digit": (
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "a", "valueDecimal": Decimal("1.100")},
                {"name": "b", "valueDecimal": Decimal("0.0000001")},
                {"name": "c", "valueBoolean": False},
                {"name": "d", "valueString": "0"},
            ],
        },
        (
            '<parameter><name value="a"/><valueDecimal value="1.100"/></parameter>'
            '<parameter><name value="b"/><valueDecimal value="0.0000001"/></parameter>'
            '<parameter><name value="c"/><valueBoolean value="false"/></parameter>'
            '<parameter><name value="d"/><valueString value="0"/></parameter>'
        ),
    ),
    "extensions and ids of primitives, nulls in lists": (
        {
            "resourceType": "StructureDefinition",
            "contextInvariant": ["a", None, "c"],
            "_contextInvariant": [None, {"id": "x"}, {"extension": [{"url": "u", "valueCode": "v"}]}],
        },
        (
            '<contextInvariant value="a"/><contextInvariant id="x"/><contextInvariant value="c">'
            '<extension url="u"><valueCode value="v"/></extension></contextInvariant>'
        ),
    ),
    "an extension in place of a value": (
        {
            "resourceType": "ValueSet",
            "_title": {
                "id": "x",
                "extension": [{"url": "u", "extension": [{"url": "w", "_valueString": {"id": "y"}}]}],
            },
        },
        ('<title id="x"><extension url="u"><extension url="w"><valueString id="y"/></extension></extension></title>'),
    ),
    "resources in resources": (
        {"resourceType": "ValueSet", "contained": [{"resourceType": "CodeSystem", "id": "c"}], "url": "u"},
        '<contained><CodeSystem><id value="c"/></CodeSystem></contained><url value="u"/>',
    ),
    "a narrative": (
        {"resourceType": "ValueSet", "text": {"status": "generated", "div": DIV}},
        f'<text><status value="generated"/>{DIV}</text>',
    ),
    "characters that need care": (
        {"resourceType": "ValueSet", "title": " <&>\"' \n\r\t\u00e9\U0001f600 "},
        '<title value=" &lt;&amp;&gt;&quot;\' &#10;&#13;&#9;\u00e9\U0001f600 "/>',
    ),
}


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize("name", FORMS)
def test_each_form_becomes_the_other(name: str, fhir: Fhir):
    """As https://hl7.org/fhir/R5/xml.html and json.html have it."""
    node, content = FORMS[name]
    body = to_xml(node, fhir)
    assert body == b'<?xml version="1.0" encoding="UTF-8"?>\n' + document(content, node["resourceType"])
    assert from_xml(body, fhir) == node
    assert from_xml(body.split(b"\n", 1)[1], fhir) == node


def test_elements_leave_in_the_order_of_the_specification():
    """Whatever the order of the keys."""
    node = {
        "expansion": {"contains": [{"display": "A", "code": "a"}], "timestamp": "2024"},
        "url": "u",
        "resourceType": "ValueSet",
    }
    assert to_xml(node, "R5").split(b"\n", 1)[1] == document(
        '<url value="u"/><expansion><timestamp value="2024"/><contains><code value="a"/><display value="A"/>'
        "</contains></expansion>"
    )


def test_numbers_have_the_json_type_of_their_element():
    """A decimal is a Decimal, an integer an int, an integer64 text (as R5's JSON has it)."""
    body = document(
        "<parameter><name value='a'/><valueInteger value='1'/></parameter>"
        "<parameter><name value='b'/><valueInteger64 value='1'/></parameter>"
        "<parameter><name value='c'/><valueDecimal value='1'/></parameter>",
        "Parameters",
    )
    values = [next(v for k, v in p.items() if k != "name") for p in from_xml(body, "R5")["parameter"]]
    assert [str(v) for v in values] == ["1", "1", "1"]
    assert [isinstance(v, kind) for v, kind in zip(values, (int, str, Decimal), strict=True)] == [True, True, True]


def test_what_a_narrative_may_be_written_with_is_normalized():
    """Prefixes, comments and HTML's named characters go; the text stays."""
    body = document(
        '<text><status value="empty"/><h:div xmlns:h="http://www.w3.org/1999/xhtml">a<!-- x -->'
        '<h:b xml:lang="de">b</h:b></h:div></text>'
    )
    assert from_xml(body, "R4")["text"]["div"] == XHTML.format('a<b xml:lang="de">b</b>')
    node = {"resourceType": "ValueSet", "text": {"div": XHTML.format("a&nbsp;&lt;&mdash;")}}
    assert XHTML.format("a\u00a0&lt;\u2014").encode() in to_xml(node, "R4")


def test_characters_xml_cannot_hold_are_replaced():
    """Rather than an answer nobody can parse."""
    assert b'"a\xef\xbf\xbdb"' in to_xml({"resourceType": "ValueSet", "title": "a\x01b"}, "R4")


EXTERNAL = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
PARAMETER = b'<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:9/e"> %e;]>'
LAUGHS = b"".join(b'<!ENTITY e%d "%s">' % (i, b"&e%d;" % (i - 1) * 10 if i else b"ha") for i in range(20))
MANY = range(50_000)

NO_JSON = {
    "nothing": b"",
    "no XML": b"{}",
    "an unclosed comment": document("<!-- "),
    "a bare attribute": document("<id bare>"),
    "an unclosed element": b'<ValueSet xmlns="http://hl7.org/fhir"><url',
    "two roots": document("") * 2,
    "UTF-16": document('<id value="a"/>').decode().encode("utf-16"),
    "Latin-1": document('<id value="\xe9"/>').decode().encode("latin-1"),
    "another encoding": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + document(""),
    "no namespace": b'<ValueSet><url value="u"/></ValueSet>',
    "another namespace": b'<ValueSet xmlns="urn:x"/>',
    "an unknown resource": document('<id value="a"/>', "Nonsense"),
    "a data type": document("<system/>", "Coding"),
    "an empty resource": document(""),
    "an unknown element": document('<foo value="1"/>'),
    "an element of R5": document('<copyrightLabel value="c"/>'),
    "an unknown attribute": document('<url value="u" foo="1"/>'),
    "an empty value": document('<url value=""/>'),
    "no value": document("<url/>"),
    "text": document("x"),
    "text in a value": document('<url value="u">x</url>'),
    "text beside an extension": document('<url value="u"><extension url="u"><valueCode value="v"/></extension>x</url>'),
    "twice": document('<url value="u"/><url value="v"/>'),
    "no boolean": document('<experimental value="1"/>'),
    "no integer": document('<expansion><total value="1.0"/></expansion>'),
    "a choice of no type": document('<extension url="u"><valueFoo value="v"/></extension>'),
    "two contained in one": document(
        '<contained><ValueSet><id value="a"/></ValueSet><ValueSet><id value="b"/></ValueSet></contained>'
    ),
    "an id as an element": document('<compose><id value="a"/></compose>'),
    "XHTML elsewhere": document('<div xmlns="http://www.w3.org/1999/xhtml"/>'),
    "something else in a narrative": document(
        "<text>" + XHTML.format('<svg xmlns="http://www.w3.org/2000/svg"/>') + "</text>"
    ),
    "a document type": b"<!DOCTYPE ValueSet>" + document('<url value="u"/>'),
    "an external entity": EXTERNAL + document('<url value="&e;"/>'),
    "an external entity as text": EXTERNAL + document("<url>&e;</url>"),
    "a parameter entity": PARAMETER + document('<url value="u"/>'),
    "an undeclared entity": document('<url value="&e;"/>'),
    "an inclusion": document('<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'),
    "many laughs": b"<!DOCTYPE x [" + LAUGHS + b"]>" + document('<url value="&e19;"/>'),
    "too deep": document("<concept>" * 120 + '<code value="a"/>' + "</concept>" * 120, "CodeSystem"),
    "far too deep": b"<a>" * 500_000,
    "many quotes": b"<a b='" * 300_000,
    "many namespaces": document("<id " + "".join(f'xmlns:a{i}="urn:{i}" ' for i in MANY) + "/>"),
    "many narrative attributes": document(
        "<text>" + XHTML.format("<p " + "".join(f'a{i}="" ' for i in MANY) + "/>") + "</text>"
    ),
    "many attributes": document("<id " + "".join(f'a{i}="" ' for i in MANY) + "/>"),
}


@pytest.mark.parametrize("name", NO_JSON)
def test_what_is_no_fhir_xml_is_refused_fast_and_with_its_place(name: str):
    """Nothing is fetched, expanded or guessed."""
    start = time.perf_counter()
    with pytest.raises(Malformed) as refused:
        from_xml(NO_JSON[name], "R4")
    assert time.perf_counter() - start < 1
    assert refused.value.where
    assert "passwd" not in refused.value.reason


def test_an_unknown_element_is_named_with_its_line():
    """In both directions."""
    with pytest.raises(Malformed, match=r"ValueSet.compose has no element foo in FHIR R4.*line 2"):
        from_xml(document('<compose>\n<foo value="1"/></compose>'), "R4")
    with pytest.raises(Malformed, match=r"ValueSet.compose has no element foo in FHIR R4"):
        to_xml({"resourceType": "ValueSet", "compose": {"foo": 1}}, "R4")


NO_XML = (
    {},
    {"resourceType": "Coding"},
    {"resourceType": "Appointment"},
    {"resourceType": ["x"]},
    {"resourceType": "ValueSet", "url": {}},
    {"resourceType": "ValueSet", "compose": "x"},
    {"resourceType": "ValueSet", "_url": "x"},
    {"resourceType": "ValueSet", "contained": [1]},
    {"resourceType": "ValueSet", "text": {"div": "<div>"}},
    {"resourceType": "ValueSet", "text": {"div": "</div><url value='x'/><div>"}},
    {"resourceType": "ValueSet", "text": {"div": "<!DOCTYPE a><div/>"}},
)


@pytest.mark.parametrize("node", NO_XML, ids=str)
def test_what_has_no_xml_is_refused(node: dict[str, Any]):
    """A stored resource may hold anything; a document is never made of it."""
    with pytest.raises(Malformed):
        to_xml(node, "R4")


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@SLOWLY
@given(data=st.data())
def test_every_resource_comes_back_from_xml(fhir: Fhir, data: st.DataObject):
    """Every type of the table, with all it can hold."""
    node = data.draw(resources(fhir, (*RESOURCES, *RECORDS, "Bundle")))
    assert from_xml(to_xml(node, fhir), fhir) == node


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@SLOWLY
@given(data=st.data())
def test_a_damaged_document_is_read_or_refused(fhir: Fhir, data: st.DataObject):
    """Cut, doubled or altered at any place: no other error than Malformed."""
    body = to_xml(data.draw(resources(fhir)), fhir)
    start, end = sorted((data.draw(st.integers(0, len(body))), data.draw(st.integers(0, len(body)))))
    between = data.draw(st.sampled_from((b"", b"<", b"&", b"\0", b"</a>", b'"', body[start:end] * 2)))
    try:
        from_xml(body[:start] + between + body[end:], fhir)
    except Malformed as refused:
        assert refused.where  # noqa: PT017


def cases() -> list[Path]:
    return sorted(CASES.rglob("*.json")) if CASES.is_dir() else []


@pytest.mark.skipif(not cases(), reason=f"no published cases in {CASES}: set TX_TESTS to their folder")
def test_published_resources_come_back_from_xml_in_both_versions():
    """Hundreds of resources others wrote, those apart that are templates with elements of their own."""
    count = 0
    for path in cases():
        node = read(path.read_bytes())
        if "resourceType" not in node:
            continue
        for fhir, form in (("R5", node), ("R4", to_r4(node))):
            try:
                body = to_xml(form, fhir)
            except Malformed as refused:
                assert re.search("no XML here|has no element", refused.reason)  # noqa: PT017
                continue
            assert comparable(from_xml(body, fhir)) == comparable(form), path
            count += 1
    assert count > 500


def comparable(node: Any) -> Any:
    """Narratives aside (they are normalized), and "true" like true (some write it so)."""
    if isinstance(node, list):
        return [comparable(item) for item in node]
    if isinstance(node, dict):
        return {key: comparable(value) for key, value in node.items() if key != "div"}
    return str(node).lower() if isinstance(node, bool) else node


SAMPLES = (
    {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "result", "valueBoolean": True},
            {"name": "message", "valueString": "a & b"},
            {
                "name": "property",
                "part": [
                    {"name": "code", "valueCode": "x"},
                    {"name": "value", "valueCoding": {"system": "http://example.org/s", "code": "c"}},
                ],
            },
            {
                "name": "issues",
                "resource": {
                    "resourceType": "OperationOutcome",
                    "issue": [
                        {"severity": "error", "code": "invalid", "details": {"text": "t"}, "expression": ["a", "b"]}
                    ],
                },
            },
        ],
    },
    {
        "resourceType": "CodeSystem",
        "status": "active",
        "content": "complete",
        "url": "http://example.org/s",
        "concept": [
            {
                "code": "a",
                "display": "A",
                "concept": [
                    {
                        "code": "b",
                        "designation": [{"language": "de", "value": "B"}],
                        "property": [{"code": "p", "valueDecimal": 1.5}],
                    }
                ],
            }
        ],
    },
    {
        "resourceType": "ValueSet",
        "status": "draft",
        "date": "2024-01-01",
        "compose": {
            "include": [{"system": "http://example.org/s", "filter": [{"property": "p", "op": "=", "value": "v"}]}]
        },
    },
    {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": "urn:uuid:x",
                "resource": {
                    "resourceType": "NamingSystem",
                    "name": "N",
                    "status": "active",
                    "kind": "codesystem",
                    "date": "2024-01-01",
                    "uniqueId": [{"type": "uri", "value": "u"}],
                },
            }
        ],
    },
    {
        "resourceType": "Condition",
        "contained": [{"resourceType": "Patient", "id": "p", "active": True, "birthDate": "1970-01-01"}],
        "clinicalStatus": {"coding": [{"system": "http://example.org/s", "code": "active"}]},
        "bodySite": [{"text": "left"}, {"text": "right"}],
        "subject": {"reference": "#p"},
        "onsetAge": {"value": 1.5, "unit": "a"},
        "stage": [{"summary": {"text": "s"}}],
    },
    {
        "resourceType": "Claim",
        "status": "active",
        "type": {"text": "t"},
        "use": "claim",
        "patient": {"reference": "Patient/p"},
        "created": "2024-01-01",
        "provider": {"reference": "Organization/o"},
        "priority": {"text": "p"},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/c"}}],
        "procedure": [{"sequence": 1, "procedureCodeableConcept": {"text": "c"}, "date": "2024-01-01"}],
        "item": [
            {
                "sequence": 1,
                "productOrService": {"coding": [{"system": "http://example.org/s", "code": "c"}]},
                "servicedDate": "2024-01-01",
                "detail": [
                    {
                        "sequence": 1,
                        "productOrService": {"text": "d"},
                        "subDetail": [{"sequence": 2, "productOrService": {"text": "e"}}],
                    }
                ],
            }
        ],
    },
)


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize("node", SAMPLES, ids=lambda node: node["resourceType"])
def test_an_independent_reader_and_writer_agree(node: dict[str, Any], fhir: Fhir):
    """fhir.resources reads our XML as the same resource, and we read its XML."""
    name = node["resourceType"]
    package = "fhir.resources" + (".R4B" if fhir == "R4" else "")
    model = getattr(importlib.import_module(f"{package}.{name.lower()}"), name)
    theirs = model.model_validate(node)
    parsed = model.model_validate_xml(to_xml(node, fhir).split(b"\n", 1)[1])
    assert json.loads(parsed.model_dump_json()) == json.loads(theirs.model_dump_json())
    written = theirs.model_dump_xml()
    assert from_xml(written if isinstance(written, bytes) else written.encode(), fhir) == node
