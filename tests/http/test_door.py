"""What is refused before anything is looked at, and what is said when the server itself fails."""

import io
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flask import Flask
from http_client import CPT, Client, parameters

from terminology.catalog import Catalog
from terminology.http.server import register
from terminology.issues import NotAllowed, NotSupported, Refusal, TooCostly, Unavailable, issue
from terminology.model import FhirVersion, Json
from terminology.operation import BOTH, Operation, Parameter
from terminology.parameters import Given
from terminology.request import Exchange
from terminology.settings import Settings
from terminology.stored import Stored

LOOKUP = "CodeSystem/$lookup"


class Made:
    """A service whose operations do what a test wants."""

    def __init__(self, answer: Callable[[Sequence[Given], Exchange], Json], **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.stored = Stored(self.settings)
        self.answer = answer
        self.held = Catalog()

    def catalog(self, _: FhirVersion) -> Catalog:
        return self.held

    def call(self, _: Operation, given: Sequence[Given], exchange: Exchange) -> Json:
        return self.answer(given, exchange)


def never(*_: object) -> Any:
    raise AssertionError("the service is asked, not the operation")


ECHO = Operation(
    name="echo",
    resource=None,
    levels=dict.fromkeys(BOTH, ("system",)),
    summary="Answers with what came.",
    specification="none",
    inputs=(Parameter("text", "string", "Any text."), Parameter("resource", "resource", "Any resource.")),
    outputs=(),
    run=never,
    respond=never,
)
KEEP = Operation(
    name="keep",
    resource="ValueSet",
    levels={"R4": ("type",), "R5": ("type", "instance")},
    summary="Changes something.",
    specification="none",
    inputs=(),
    outputs=(),
    run=never,
    respond=never,
    effect="writes",
)


def echo(given: Sequence[Given], exchange: Exchange) -> Json:
    """What came, by name, and what surrounded it."""
    surroundings = {name: getattr(exchange, name) for name in Exchange.__slots__}
    said = {**surroundings, "given": [(each.name, each.type, each.value) for each in given]}
    return {"resourceType": "Parameters", "parameter": [{"name": "said", "valueString": json.dumps(said)}]}


def said(client: Client, method: str, path: str, **options: Any) -> Any:
    return json.loads(client.ask(method, path, **options).parameter("said"))


def served(answer: Callable[[Sequence[Given], Exchange], Json], **settings: Any) -> Client:
    app = Flask(__name__)
    register(app, Made(answer, **settings), operations=(ECHO, KEEP))
    return Client(app, "r5")


def raising(trouble: Exception) -> Callable[[Sequence[Given], Exchange], Json]:
    def answer(*_: object) -> Json:
        raise trouble

    return answer


# --- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "status"), [(2048, 200), (2049, 413)])
def test_a_body_may_be_as_large_as_the_limit_and_not_larger(size: int, status: int) -> None:
    body = json.dumps(parameters(text="x")).encode().ljust(size)
    reply = served(echo, body_limit=2048).post("$echo", body)
    assert reply.status == status
    if status == 413:
        assert reply.ids == ["OWN_BODY_TOO_LARGE"]
        assert "2048" in reply.texts
        assert "body_limit" in reply.texts


class Endless(io.RawIOBase):
    """A body that never ends; counts what was read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        into[:] = b" " * len(into)
        self.taken += len(into)
        return len(into)


def test_a_body_without_a_length_is_read_no_further_than_the_limit() -> None:
    endless = Endless()
    environ = {"wsgi.input_terminated": True, "wsgi.input": endless, "HTTP_TRANSFER_ENCODING": "chunked"}
    client = served(echo, body_limit=1_000_000)
    reply = client.ask("POST", "$echo", headers={"Content-Type": "application/fhir+json"}, environ_overrides=environ)
    assert (reply.status, reply.ids) == (413, ["OWN_BODY_TOO_LARGE"])
    assert endless.taken <= 5_000_000


def test_a_length_over_the_limit_is_refused_unread() -> None:
    endless = Endless()
    environ = {"wsgi.input": endless, "CONTENT_LENGTH": str(10**12)}
    reply = served(echo).ask("POST", "$echo", headers={"Content-Type": "application/json"}, environ_overrides=environ)
    assert (reply.status, endless.taken) == (413, 0)


@pytest.mark.parametrize(("length", "taken"), [(4096, 4096), (8192, 8192), (8193, 0)])
def test_a_body_somewhat_too_large_is_read_to_its_end_so_that_the_refusal_arrives(length: int, taken: int) -> None:
    endless = Endless()
    environ = {"wsgi.input": endless, "CONTENT_LENGTH": str(length)}
    client = served(echo, body_limit=2048)
    reply = client.ask("POST", "$echo", headers={"Content-Type": "application/json"}, environ_overrides=environ)
    assert (reply.status, endless.taken) == (413, taken)


def test_a_body_that_ends_early_is_a_broken_request() -> None:
    environ = {"wsgi.input": io.BytesIO(b'{"resource'), "CONTENT_LENGTH": "400"}
    reply = served(echo).ask("POST", "$echo", headers={"Content-Type": "application/json"}, environ_overrides=environ)
    assert (reply.status, reply.ids) == (400, ["OWN_MALFORMED_BODY"])


def test_the_app_may_allow_less_than_we_do() -> None:
    client = served(echo)
    client.app.config["MAX_CONTENT_LENGTH"] = 10
    reply = client.post("$echo", parameters(text="x" * 100))
    assert (reply.status, reply.ids) == (413, ["OWN_BODY_TOO_LARGE"])
    assert "MAX_CONTENT_LENGTH" in reply.texts


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Note": "x" * 8192}, 200),
        ({"X-Note": "x" * 8193}, 431),
        ({"Authorization": "x" * 16_000}, 200),
        ({"Authorization": "x" * 17_000}, 431),
        ({f"X-{number}": "x" for number in range(90)}, 200),
        ({f"X-{number}": "x" for number in range(120)}, 431),
    ],
)
def test_headers_are_bounded_in_size_and_number(headers: dict[str, str], status: int) -> None:
    reply = served(echo).get("$echo?text=x", headers=headers)
    assert reply.status == status
    assert not reply.texts or "header" in reply.texts


# --- refusals and failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("refusal", "status", "headers"),
    [
        (TooCostly(issue("OWN_TOO_MANY", "codes", 5, "expansion_limit")), 422, {}),
        (NotSupported(issue("OWN_BUNDLE_TYPE", "this", "Wait")), 422, {}),
        (NotAllowed(issue("OWN_READ_ONLY", "a change")), 403, {}),
        (Unavailable(issue("OWN_UNAVAILABLE", 7)), 503, {"Retry-After": "7"}),
        (Refusal(issue("OWN_NO_CODE")), 400, {}),
    ],
)
def test_a_refusal_has_its_status(refusal: Refusal, status: int, headers: dict[str, str]) -> None:
    reply = served(raising(refusal)).get("$echo?text=x")
    assert (reply.status, reply.ids) == (status, [refusal.issues[0].message_id])
    assert headers.items() <= dict(reply.headers).items()


def test_every_reason_of_a_refusal_is_told() -> None:
    reply = served(raising(NotAllowed(issue("OWN_READ_ONLY", "one"), issue("OWN_NO_CODE")))).get("$echo?text=x")
    assert reply.ids == ["OWN_READ_ONLY", "OWN_NO_CODE"]


@pytest.mark.parametrize("trouble", [KeyError("secret"), RecursionError("secret"), MemoryError("secret")])
def test_a_fault_of_ours_tells_the_client_nothing_but_the_request_id(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    reply = served(raising(trouble)).get("$echo?text=x", headers={"X-Request-Id": "call-7"})
    assert (reply.status, reply.ids) == (500, ["OWN_INTERNAL"])
    assert "call-7" in reply.texts
    assert b"secret" not in reply.body
    assert b"Traceback" not in reply.body
    logged = next(record for record in caplog.records if record.exc_info)
    assert "call-7" in logged.getMessage()


def test_an_answer_that_cannot_be_written_is_a_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    reply = served(lambda *_: {"resourceType": "Parameters", "strange": {1, 2}}).get("$echo?text=x")
    assert (reply.status, reply.ids) == (500, ["OWN_INTERNAL"])
    assert caplog.records[-1].exc_info


def test_an_answer_that_xml_has_no_place_for_is_offered_in_json(caplog: pytest.LogCaptureFixture) -> None:
    client = served(lambda *_: {"resourceType": "Parameters", "strange": "echoed"})
    reply = client.get("$echo?text=x", headers={"Accept": "application/fhir+xml"})
    assert (reply.status, reply.ids) == (406, ["OWN_NOT_ACCEPTABLE"])
    assert "application/fhir+json" in reply.texts
    assert "strange" in reply.resource["issue"][0]["diagnostics"]
    assert "strange" in caplog.records[-1].getMessage()


# --- what reaches an operation -------------------------------------------------------------------------------


def test_the_surroundings_of_a_call_reach_the_operation() -> None:
    headers = {
        "Accept-Language": "de",
        "Prefer": "respond-async, handling=strict",
        "X-Cache-Id": "c1",
        "X-Too-Costly-Threshold": "50",
    }
    found = said(served(echo), "GET", "$echo?text=x", headers=headers)
    expected = {
        "fhir": "R5",
        "level": "system",
        "identity": None,
        "accept_language": "de",
        "strict": True,
        "cache_id": "c1",
        "threshold": 50,
        "given": [["text", None, "x"]],
    }
    assert expected.items() <= found.items()


def test_body_and_query_are_merged_the_body_first() -> None:
    found = said(served(echo), "POST", "$echo?also=q&_format=json", body=parameters(text="b"))
    assert found["given"] == [["text", "String", "b"], ["also", None, "q"]]


def test_a_bare_resource_stands_for_the_parameter_that_takes_it() -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    assert said(served(echo), "POST", "$echo", body=patient)["given"] == [["resource", "resource", patient]]


def test_an_empty_body_will_do_where_the_query_says_all() -> None:
    assert said(served(echo), "POST", "$echo?text=x", body=b"")["given"] == [["text", None, "x"]]


def test_the_query_reads_percent_and_plus_as_forms_write_them() -> None:
    assert said(served(echo), "GET", "$echo?text=a%20b+c%2B%C3%A4")["given"] == [["text", None, "a b c+ä"]]


def test_an_operation_that_writes_is_not_asked_with_get() -> None:
    client = served(echo)
    refused = client.get("ValueSet/$keep")
    assert (refused.status, refused.headers["Allow"]) == (405, "POST, OPTIONS")
    assert client.post("ValueSet/$keep?x=1", b"").status == 200


def test_an_operation_is_served_at_the_levels_of_its_version() -> None:
    r5 = served(echo)
    assert said(r5, "POST", "ValueSet/v-1/$keep?x=1", body=b"")["identity"] == "v-1"
    assert Client(r5.app, "r4").post("ValueSet/v-1/$keep?x=1", b"").status == 404


# --- the log, the request id, the shadow check ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "echoed"),
    [
        ("suite:case/1.2", "suite:case/1.2"),
        ("a b\tc", "abc"),
        ("<script>alert(1)</script>", "scriptalert1/script"),
        ("x" * 500, "x" * 128),
    ],
)
def test_the_request_id_comes_back_without_what_could_do_harm(sent: str, echoed: str) -> None:
    assert served(echo).get("$echo?text=x", headers={"X-Request-Id": sent}).headers["X-Request-Id"] == echoed


def test_a_request_without_an_id_gets_one_of_its_own() -> None:
    client = served(echo)
    first, second = (client.get("$echo?text=x").headers["X-Request-Id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


def test_a_request_is_one_line_of_the_log_and_its_parameters_are_not_in_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "terminology"):
        served(echo, access_log=True).get("a%0Ab?code=private", headers={"X-Request-Id": "r-1"})
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith("GET /fhir/r5/a?b 404 ")
    assert lines[0].endswith(" r-1")
    assert "private" not in lines[0]


def test_the_shadow_check_logs_what_is_not_fhir_and_answers_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def wrong(*_: object) -> Json:
        return {"resourceType": "Parameters", "parameter": [{"name": "x", "valueBoolean": [1]}]}

    app = Flask(__name__)
    register(app, Made(wrong, shadow_check=True), operations=(ECHO,))
    done = app.test_client().get("/fhir/r5/$echo?text=x", headers={"X-Request-Id": "r-2"})
    assert done.status_code == 200
    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 1
    assert "r-2" in logged[0]
    assert "valueBoolean" in logged[0]


def test_the_real_app_survives_its_own_shadow_check(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    from terminology import create_app  # noqa: PLC0415

    checked = create_app({"shadow_check": True})
    for version in ("r4", "r5"):
        client = Client(checked, version)
        for path in (
            f"{LOOKUP}?system={CPT}&code=38232",
            "metadata",
            "metadata?mode=terminology",
            "ValueSet",
            "nothing",
        ):
            client.get(path)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
