"""What only a real server process can show: bodies in chunks, large heads, raw addresses."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from http_client import CPT, parameters

LOOKUP = "/fhir/r4/CodeSystem/$lookup"
BODY = json.dumps(parameters(system=CPT, code="38232")).encode()


@pytest.fixture
def connection(live_server: str) -> Iterator[http.client.HTTPConnection]:
    place = urlsplit(live_server)
    opened = http.client.HTTPConnection(place.hostname or "", place.port, timeout=20)
    yield opened
    opened.close()


def chunks(size: int, count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * size


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, **options: object
) -> tuple[http.client.HTTPResponse, bytes]:
    connection.request(method, path, **options)  # type: ignore[arg-type]
    response = connection.getresponse()
    return response, response.read()


def test_a_body_in_chunks_is_read(connection: http.client.HTTPConnection) -> None:
    pieces = iter([BODY[:10], BODY[10:]])
    headers = {"Content-Type": "application/fhir+json"}
    response, body = asked(connection, "POST", LOOKUP, body=pieces, headers=headers, encode_chunked=True)
    assert response.status == 200
    assert json.loads(body)["resourceType"] == "Parameters"


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit_is_refused_in_fhir(connection: http.client.HTTPConnection, chunked: bool) -> None:
    headers = {"Content-Type": "application/fhir+json"}
    body = chunks(65_536, 80) if chunked else b" " * 5_242_880
    response, text = asked(connection, "POST", LOOKUP, body=body, headers=headers, encode_chunked=chunked)
    assert response.status == 413
    assert json.loads(text)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("//fhir//r4/metadata", 404),
        ("/fhir/r4/../../../etc/passwd", 404),
        ("/fhir/r4/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/fhir/r4/CodeSystem%2F$lookup?code=1", 400),
        ("/nothing", 404),
        (f"{LOOKUP}?code={'x' * 9000}", 414),
    ],
)
def test_raw_addresses_are_answered_in_fhir(connection: http.client.HTTPConnection, path: str, status: int) -> None:
    response, body = asked(connection, "GET", path)
    assert response.status == status
    assert json.loads(body)["resourceType"] == "OperationOutcome"


def test_a_large_header_is_refused(connection: http.client.HTTPConnection) -> None:
    response, _ = asked(connection, "GET", "/fhir/r4/metadata", headers={"X-Large": "x" * 60_000})
    assert response.status == 431


def test_head_has_no_body_and_the_connection_goes_on(connection: http.client.HTTPConnection) -> None:
    response, body = asked(connection, "HEAD", "/fhir/r4/metadata")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 1000
    response, body = asked(connection, "GET", "/fhir/r4/$versions")
    assert response.status == 200
