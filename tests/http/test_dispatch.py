"""The way round Flask: the same answers as through Flask, and Flask first where somebody added to the app."""

from collections.abc import Callable

import pytest
from flask import Flask, request, request_finished
from http_client import CPT, Client, parameters

from terminology import Terminology, create_app
from terminology.http.dispatch import Dispatch
from terminology.http.front import Front

LOOKUP = f"/fhir/r4/CodeSystem/$lookup?system={CPT}&code=38232"
CODED = parameters(codeableConcept={"coding": [{"system": CPT, "code": "38230"}]}, url=CPT)


@pytest.fixture(scope="module")
def through_flask() -> Flask:
    app = Flask(__name__)
    Terminology(app)
    assert not isinstance(app.wsgi_app, Dispatch)
    return app


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", LOOKUP, {}),
        ("HEAD", LOOKUP, {}),
        ("GET", LOOKUP, {"headers": {"Accept": "application/fhir+xml", "Accept-Language": "de"}}),
        ("GET", LOOKUP.replace("lookup", "lookdown"), {}),
        ("GET", "/fhir/r5/CodeSystem/$lookup?system=urn:none&code=1", {}),
        ("GET", "/fhir/r4/CodeSystem/$lookup?code=%FF", {}),
        ("GET", "/fhir/r4/%C3%A4%FF%0A", {}),
        ("GET", f"{LOOKUP}&_format=text/csv", {}),
        ("GET", f"{LOOKUP}&filler={'x' * 9000}", {}),
        ("GET", LOOKUP, {"headers": {"X-Note": "x" * 9000}}),
        ("DELETE", LOOKUP, {}),
        ("OPTIONS", LOOKUP, {}),
        ("POST", "/fhir/r5/CodeSystem/$validate-code", {"body": CODED}),
        ("POST", "/fhir/r4/CodeSystem/$validate-code", {"body": "{broken"}),
        ("POST", "/fhir/r4/CodeSystem/$validate-code", {"body": CODED, "content_type": "text/plain"}),
        (
            "POST",
            "/fhir/r4/CodeSystem/_search",
            {"body": "name=x", "content_type": "application/x-www-form-urlencoded"},
        ),
        ("GET", "/fhir/r4/CodeSystem?name=x", {"headers": {"Host": "terminology.example:8443"}}),
        ("GET", "/fhir//r4/metadata", {}),
    ],
)
def test_an_answer_round_flask_is_that_through_flask(
    app: Flask, through_flask: Flask, method: str, path: str, options: dict[str, object]
) -> None:
    replies = [Client(each).ask(method, path, **options) for each in (app, through_flask)]  # type: ignore[arg-type]
    named = [{name: value for name, value in each.headers.items() if name != "X-Request-Id"} for each in replies]
    assert replies[0].status == replies[1].status
    assert named[0] == named[1]
    assert replies[0].resource == replies[1].resource


def test_an_etag_is_honoured_round_flask(app: Flask) -> None:
    tag = Client(app).get("metadata").headers["ETag"]
    done = Client(app).get("metadata", headers={"If-None-Match": tag})
    assert (done.status, done.body, done.headers.get("Content-Length")) == (304, b"", None)


def test_flask_sees_no_request_to_an_app_that_is_ours_alone() -> None:
    app = create_app()
    assert isinstance(app.wsgi_app, Front)
    dispatch = app.wsgi_app.behind
    assert isinstance(dispatch, Dispatch)
    dispatch.behind = unwanted
    assert Client(app).get(LOOKUP).status == 200


def unwanted(*_: object) -> list[bytes]:
    raise AssertionError("Flask was asked")


def refuse() -> tuple[str, int]:
    return f"not you: {request.path}", 403


def view(app: Flask) -> None:
    app.add_url_rule("/fhir/r4/CodeSystem/$lookup", "their_own", refuse)


@pytest.mark.parametrize("add", [lambda app: app.before_request(refuse), view])
def test_what_was_added_to_the_app_comes_first(add: Callable[[Flask], object]) -> None:
    app = create_app()
    add(app)
    done = app.test_client().get(LOOKUP)
    assert (done.status_code, done.text) == (403, "not you: /fhir/r4/CodeSystem/$lookup")


def test_who_listens_to_flask_hears_every_request() -> None:
    app, heard = create_app(), []
    with request_finished.connected_to(lambda *_, **said: heard.append(said["response"].status_code), app):
        Client(app).get(LOOKUP)
    assert heard == [200]


def test_hosts_that_are_not_trusted_are_refused_as_flask_refuses_them() -> None:
    app = create_app()
    app.config["TRUSTED_HOSTS"] = ["terminology.example"]
    assert app.test_client().get(LOOKUP, headers={"Host": "elsewhere.example"}).status_code == 400
    assert app.test_client().get(LOOKUP, headers={"Host": "terminology.example"}).status_code == 200
