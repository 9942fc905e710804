"""Whatever is wrong with a request, its answer is an OperationOutcome with the right status that names the remedy."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from http_client import CPT, HARVEST, Client, parameters

LOOKUP = "CodeSystem/$lookup"
VALIDATE = "ValueSet/$validate-code"
JSON = {"Accept": "application/fhir+json"}
STRICT = {"Prefer": "handling=strict"}


@dataclass(frozen=True)
class Case:
    """A request, the status it deserves, the id of the first issue, and words that its text must hold."""

    name: str
    status: int
    message: str
    words: tuple[str, ...]
    path: str = LOOKUP
    method: str = "GET"
    body: Any = None
    content_type: str = "application/fhir+json"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def post(name: str, status: int, message: str, words: tuple[str, ...], body: Any, **more: Any) -> Case:
    return Case(name, status, message, words, method="POST", body=body, **more)


def nested(depth: int) -> bytes:
    return b'{"resourceType":"Parameters","parameter":' + b"[" * depth + b"]" * depth + b"}"


CASES = [
    # addresses
    Case("unknown route", 404, "OWN_UNKNOWN_ROUTE", ("nothing at", "metadata"), "nothing/at/all/here"),
    Case("unknown operation", 404, "OWN_UNKNOWN_ROUTE", ("CodeSystem/$lookup",), "CodeSystem/$lokup"),
    Case("unknown type", 404, "OWN_UNKNOWN_ROUTE", ("Patient",), "Patient/1"),
    Case("unknown id", 404, "OWN_UNKNOWN_RESOURCE", ("CodeSystem", "no-such-id"), "CodeSystem/no-such-id"),
    Case("the base", 404, "OWN_UNKNOWN_ROUTE", ("metadata",), ""),
    Case("slash at the end", 404, "OWN_UNKNOWN_ROUTE", ("without the extra slashes",), "metadata/"),
    Case("double slash", 404, "OWN_UNKNOWN_ROUTE", ("without the extra slashes",), "CodeSystem//$lookup"),
    Case("upwards", 404, "OWN_UNKNOWN_ROUTE", ("nothing at",), "../../../etc/passwd"),
    Case("placeholder as id", 404, "OWN_UNKNOWN_ROUTE", ("nothing at",), "CodeSystem/{id}"),
    Case("NUL in the address", 404, "OWN_UNKNOWN_ROUTE", ("\ufffd",), "CodeSystem/a%00b"),
    Case("registry of the validator", 404, "OWN_UNKNOWN_ROUTE", ("tx-reg",), "tx-reg/resolve?fhirVersion=4.0&url=x"),
    Case("registry beside the base", 404, "OWN_UNKNOWN_ROUTE", ("tx-reg",), "/fhir/tx-reg/resolve?url=x"),
    Case("address too long", 414, "OWN_URL_TOO_LONG", ("8192", "POST"), f"{LOOKUP}?code={'x' * 9000}"),
    # methods
    Case("PUT", 405, "OWN_READ_ONLY", ("PUT",), "CodeSystem/x", "PUT", {"resourceType": "CodeSystem"}),
    Case("create", 405, "OWN_READ_ONLY", ("POST",), "CodeSystem", "POST", {"resourceType": "CodeSystem"}),
    Case("DELETE", 405, "OWN_READ_ONLY", ("DELETE",), "ValueSet/x", "DELETE"),
    Case("PATCH", 405, "OWN_READ_ONLY", ("PATCH",), "ValueSet/x", "PATCH"),
    Case("unheard-of method", 405, "OWN_METHOD_NOT_ALLOWED", ("BREW", "GET"), LOOKUP, "BREW"),
    Case("GET of a posted search", 405, "OWN_METHOD_NOT_ALLOWED", ("POST",), "CodeSystem/_search"),
    Case("POST of metadata", 405, "OWN_METHOD_NOT_ALLOWED", ("GET",), "metadata", "POST", parameters()),
    # media types
    Case(
        "unacceptable", 406, "OWN_NOT_ACCEPTABLE", ("text/csv", "application/fhir+json"), headers={"Accept": "text/csv"}
    ),
    Case("unknown _format", 406, "OWN_NOT_ACCEPTABLE", ("ttl", "application/fhir+json"), "metadata?_format=ttl"),
    Case(
        "version of a stranger",
        406,
        "OWN_FHIR_VERSION",
        ("3.0",),
        headers={"Accept": "application/fhir+json; fhirVersion=3.0"},
    ),
    post(
        "form",
        415,
        "OWN_UNSUPPORTED_MEDIA_TYPE",
        ("x-www-form", "application/fhir+json"),
        "code=1",
        content_type="application/x-www-form-urlencoded",
    ),
    post(
        "multipart",
        415,
        "OWN_UNSUPPORTED_MEDIA_TYPE",
        ("multipart", "application/fhir+json"),
        b"--x--",
        content_type="multipart/form-data; boundary=x",
    ),
    post("plain text", 415, "OWN_UNSUPPORTED_MEDIA_TYPE", ("text/plain",), "hello", content_type="text/plain"),
    post(
        "another charset",
        415,
        "OWN_UNSUPPORTED_MEDIA_TYPE",
        ("UTF-8",),
        parameters(code="1"),
        content_type="application/fhir+json; charset=iso-8859-1",
    ),
    post(
        "compressed",
        415,
        "OWN_UNSUPPORTED_MEDIA_TYPE",
        ("gzip", "uncompressed"),
        b"\x1f\x8b",
        headers={"Content-Encoding": "gzip"},
    ),
    post(
        "a body of another version",
        415,
        "OWN_FHIR_VERSION",
        ("3.0",),
        parameters(code="1"),
        content_type="application/fhir+json; fhirVersion=3.0",
    ),
    post(
        "search posted as JSON",
        415,
        "OWN_UNSUPPORTED_MEDIA_TYPE",
        ("x-www-form-urlencoded",),
        parameters(),
        path="CodeSystem/_search",
    ),
    # bodies
    post("empty body", 400, "OWN_MALFORMED_BODY", ("empty", "Parameters"), b""),
    post("blank body", 400, "OWN_MALFORMED_BODY", ("empty", "Parameters"), b" \n"),
    post("broken JSON", 400, "OWN_MALFORMED_BODY", ("line 1",), b'{"resourceType":'),
    post("not JSON", 400, "OWN_MALFORMED_BODY", ("line 1",), b"hello"),
    post("not UTF-8", 400, "OWN_MALFORMED_BODY", ("UTF-8",), b'{"a":"\xff"}'),
    post("an array", 400, "OWN_MALFORMED_BODY", ("object",), b"[]"),
    post("no resourceType", 400, "OWN_WRONG_RESOURCE", ("resourceType",), b"{}"),
    post("resourceType is empty", 400, "OWN_WRONG_RESOURCE", ("resourceType",), b'{"resourceType":""}'),
    post("resourceType is a number", 400, "OWN_WRONG_RESOURCE", ("resourceType",), b'{"resourceType":1}'),
    post("another resource", 400, "OWN_WRONG_RESOURCE", ("Parameters", "Patient"), {"resourceType": "Patient"}),
    post("too deep", 400, "OWN_MALFORMED_BODY", ("200",), nested(400)),
    post("far too deep", 400, "OWN_MALFORMED_BODY", ("200",), nested(200_000)),
    post("NUL", 400, "OWN_MALFORMED_BODY", ("NUL",), b'{"resourceType":"Parameters","id":"\\u0000"}'),
    post(
        "half a character", 400, "OWN_MALFORMED_BODY", ("surrogate",), b'{"resourceType":"Parameters","id":"\\ud800"}'
    ),
    post("key twice", 400, "OWN_MALFORMED_BODY", ("id", "twice"), b'{"resourceType":"Parameters","id":"a","id":"b"}'),
    post("NaN", 400, "OWN_MALFORMED_BODY", ("NaN",), b'{"resourceType":"Parameters","parameter":NaN}'),
    post("infinite", 400, "OWN_MALFORMED_BODY", ("1e999",), b'{"resourceType":"Parameters","id":1e999}'),
    post(
        "parameter is no list",
        400,
        "OWN_MALFORMED_BODY",
        ("Parameters.parameter",),
        b'{"resourceType":"Parameters","parameter":{}}',
    ),
    post(
        "nameless parameter",
        400,
        "OWN_MALFORMED_BODY",
        ("parameter[0]", "name"),
        b'{"resourceType":"Parameters","parameter":[{"valueCode":"x"}]}',
    ),
    post(
        "too many parameters",
        400,
        "OWN_TOO_MANY",
        ("1000",),
        {"resourceType": "Parameters", "parameter": [{"name": "property", "valueCode": "x"}] * 1001},
    ),
    post("broken XML", 400, "OWN_MALFORMED_BODY", ("XML",), b"<Parameters", content_type="application/fhir+xml"),
    post(
        "document type",
        400,
        "OWN_MALFORMED_BODY",
        ("DOCTYPE",),
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Parameters xmlns="http://hl7.org/fhir">&e;</Parameters>',
        content_type="application/fhir+xml",
    ),
    post("JSON called XML", 400, "OWN_MALFORMED_BODY", ("XML",), parameters(), content_type="application/fhir+xml"),
    # parameters
    Case("no code", 400, "OWN_NO_CODE_TO_LOOK_UP", ("code", "system"), f"{LOOKUP}?system={CPT}"),
    Case("empty code", 400, "OWN_WRONG_TYPE", ("code",), f"{LOOKUP}?system={CPT}&code="),
    Case("repeated", 400, "OWN_REPEATED_PARAMETER", ("code", "2 times"), f"{LOOKUP}?system={CPT}&code=1&code=2"),
    Case(
        "not a boolean",
        400,
        "OWN_WRONG_TYPE",
        ("activeOnly", "true or false"),
        f"ValueSet/$expand?url={HARVEST}&activeOnly=yes",
    ),
    Case("not a number", 400, "OWN_WRONG_TYPE", ("count", "whole number"), f"ValueSet/$expand?url={HARVEST}&count=x"),
    Case("negative", 400, "OWN_NEGATIVE", ("offset",), f"ValueSet/$expand?url={HARVEST}&offset=-1"),
    Case("a resource in a query", 400, "OWN_WRONG_TYPE", ("coding",), f"{LOOKUP}?coding=x"),
    Case("not a date", 400, "OWN_WRONG_TYPE", ("date",), f"{LOOKUP}?system={CPT}&code=38232&date=today"),
    Case(
        "unknown parameter, strict",
        400,
        "OWN_UNKNOWN_PARAMETER",
        ("sytem", "'system'"),
        f"{LOOKUP}?sytem=x&code=1",
        headers=STRICT,
    ),
    Case("url in bad UTF-8", 400, "OWN_MALFORMED_QUERY", ("UTF-8",), f"{LOOKUP}?code=%ff"),
    Case("NUL in a query", 400, "OWN_MALFORMED_QUERY", ("NUL",), f"{LOOKUP}?code=3%008"),
    Case("very many parameters", 400, "OWN_MALFORMED_QUERY", ("1000",), f"{LOOKUP}?{'a&' * 1100}"),
    post(
        "contradiction",
        400,
        "OWN_CONTRADICTORY_PARAMETERS",
        ("url", "valueSet", "Leave one out"),
        parameters(url=HARVEST, valueSet={"resourceType": "ValueSet", "status": "active"}, code="1", system=CPT),
        path=VALIDATE,
    ),
    post(
        "repeated in query and body",
        400,
        "OWN_REPEATED_PARAMETER",
        ("code",),
        parameters(code="1", system=CPT),
        path=f"{LOOKUP}?code=2",
    ),
    # what is named is not here
    Case("unknown code", 404, "OWN_LOOKUP_UNKNOWN_CODE", ("99999",), f"{LOOKUP}?system={CPT}&code=99999"),
    Case(
        "unknown system",
        404,
        "OWN_LOOKUP_UNKNOWN_SYSTEM",
        ("http://nowhere",),
        f"{LOOKUP}?system=http://nowhere&code=1",
    ),
    Case(
        "unknown value set",
        404,
        "Unable_to_resolve_value_Set_",
        ("http://nowhere",),
        f"{VALIDATE}?url=http://nowhere&code=1&system={CPT}",
    ),
    # search
    Case("count is no number", 400, "OWN_WRONG_TYPE", ("_count",), "CodeSystem?_count=all"),
    Case(
        "unknown modifier", 400, "OWN_UNKNOWN_SEARCH_PARAMETER", ("name:near", "name:exact"), "CodeSystem?name:near=x"
    ),
    Case(
        "unknown search parameter, strict",
        400,
        "OWN_UNKNOWN_SEARCH_PARAMETER",
        ("ulr", "'url'", "title"),
        "CodeSystem?ulr=x",
        headers=STRICT,
    ),
    Case("unknown summary", 400, "OWN_WRONG_TYPE", ("_summary", "count"), "CodeSystem?_summary=some"),
    Case("unknown mode", 400, "OWN_WRONG_TYPE", ("mode", "terminology"), "metadata?mode=all"),
    # bundles
    post("not a bundle", 400, "OWN_WRONG_RESOURCE", ("Bundle", "Parameters"), parameters(), path=""),
    post(
        "transaction",
        422,
        "OWN_BUNDLE_TYPE",
        ("transaction", "batch"),
        {"resourceType": "Bundle", "type": "transaction"},
        path="",
    ),
    post(
        "entry without request",
        400,
        "OWN_BUNDLE_ENTRY",
        ("entry[0]", "method", "url"),
        {"resourceType": "Bundle", "type": "batch", "entry": [{}]},
        path="",
    ),
    post(
        "too many entries",
        422,
        "OWN_TOO_MANY",
        ("500", "batch_limit"),
        {"resourceType": "Bundle", "type": "batch", "entry": [{}] * 501},
        path="",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_error_names_what_is_wrong_and_what_helps(client: Client, case: Case) -> None:
    reply = client.ask(case.method, case.path, body=case.body, content_type=case.content_type, headers=case.headers)
    assert (reply.status, reply.ids[:1]) == (case.status, [case.message]), reply.texts
    assert reply.resource["resourceType"] == "OperationOutcome"
    missing = [word for word in case.words if word not in reply.texts]
    assert not missing, f"{missing} not in: {reply.texts}"
    assert reply.resource["issue"][0]["severity"] in {"error", "fatal"}
    assert "Traceback" not in reply.texts
