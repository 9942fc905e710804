"""The service as a guest in an app: nothing of the host changes, and several services live side by side."""

import pytest
from flask import Flask
from http_client import CPT, Client

from terminology import Terminology, create_app
from terminology.http.server import register
from terminology.service import State
from terminology.settings import Settings

LOOKUP = f"CodeSystem/$lookup?system={CPT}&code=38232"
ONE = "http://example.org/fhir/CodeSystem/one"


def code_system(url: str) -> dict[str, object]:
    return {
        "resourceType": "CodeSystem",
        "id": "mine",
        "url": url,
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a", "display": url}],
    }


def host() -> Flask:
    """An app with routes of its own, one of them below our prefix."""
    app = Flask("host")
    app.add_url_rule("/", "home", lambda: "home")
    app.add_url_rule("/about/", "about", lambda: "about")
    app.add_url_rule("/fhir/own", "own", lambda: "own")
    return app


def test_the_routes_and_errors_of_the_host_are_as_they_were() -> None:
    bare, shared = host(), host()
    Terminology(shared)
    for method, path in (
        ("GET", "/"),
        ("GET", "/about/"),
        ("GET", "/about"),
        ("GET", "/fhir/own"),
        ("GET", "/none"),
        ("POST", "/about/"),
        ("GET", "/fhirx"),
        ("GET", "//about/"),
    ):
        before, after = (each.test_client().open(path, method=method) for each in (bare, shared))
        assert (before.status_code, before.data) == (after.status_code, after.data), path
    assert bare.error_handler_spec == shared.error_handler_spec
    assert bare.url_map.strict_slashes == shared.url_map.strict_slashes
    assert bare.url_map.merge_slashes == shared.url_map.merge_slashes
    assert Client(shared).get(LOOKUP).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fhir"),
        ("GET", "/fhir/"),
        ("GET", "/fhir//"),
        ("GET", "/fhir//r4//metadata"),
        ("GET", "/fhir/r4/metadata/"),
        ("GET", "/fhir/r4/a/b/c/d/e"),
        ("GET", "/fhir/r4/%0A"),
        ("GET", "/fhir/r4/CodeSystem/%2e%2e"),
        ("BREW", "/fhir/none"),
        ("PROPFIND", "/fhir/r5/metadata"),
        ("PUT", "/fhir"),
    ],
)
def test_whatever_lies_below_the_prefix_is_answered_in_fhir(method: str, path: str) -> None:
    app = host()
    Terminology(app)
    assert Client(app).ask(method, path).resource["resourceType"] == "OperationOutcome"


def test_two_apps_hold_different_content() -> None:
    one, two = Flask("one"), Flask("two")
    Terminology(content=[code_system(ONE)], installed_content=False).init_app(one)
    Terminology(content=[code_system(f"{ONE}/2")], installed_content=False).init_app(two)
    for version in ("r4", "r5"):
        assert Client(one, version).get(f"CodeSystem/$lookup?system={ONE}&code=a").status == 200
        assert Client(two, version).get(f"CodeSystem/$lookup?system={ONE}&code=a").status == 404
        assert Client(two, version).get("CodeSystem/mine").resource["url"] == f"{ONE}/2"


def test_two_services_live_in_one_app_under_their_prefixes() -> None:
    app = Flask("both")
    Terminology(content=[code_system(ONE)], installed_content=False).init_app(app, url_prefix="/tx/one")
    Terminology(content=[code_system(f"{ONE}/2")], installed_content=False).init_app(app, url_prefix="/tx/v1.2/")
    assert list(app.extensions["terminology"]) == ["/tx/one", "/tx/v1.2"]
    assert all(isinstance(state, State) for state in app.extensions["terminology"].values())
    assert Client(app, "r5", "/tx/one").get("CodeSystem/mine").resource["url"] == ONE
    assert Client(app, "r5", "/tx/v1.2").get("CodeSystem/mine").resource["url"] == f"{ONE}/2"
    links = Client(app, "r4", "/tx/v1.2").get("CodeSystem").resource["link"]
    assert links[0]["url"].startswith("http://localhost/tx/v1.2/r4/CodeSystem?")


def test_a_prefix_is_taken_once() -> None:
    app = Flask("twice")
    Terminology(app)
    with pytest.raises(ValueError, match="/fhir already"):
        Terminology(app)


def test_the_service_may_be_at_the_root_beside_routes_of_the_host() -> None:
    app = host()
    Terminology().init_app(app, url_prefix="/")
    client = Client(app, prefix="")
    assert client.get("/r5/$versions", headers={"Accept": "application/fhir+json"}).parameter("default") == "5.0"
    assert client.get("/metadata").resource["implementation"]["url"] == "http://localhost"
    assert app.test_client().get("/about/").data == b"about"
    assert client.get("/none").status == 404


def test_one_terminology_serves_several_apps() -> None:
    ours = Terminology(content=[code_system(ONE)], installed_content=False)
    for app in (Flask("a"), Flask("b")):
        ours.init_app(app)
        assert Client(app).get("CodeSystem/mine").status == 200


def test_our_own_app_answers_in_fhir_wherever_it_is_asked() -> None:
    app = create_app({"url_prefix": "/tx"})
    client = Client(app, prefix="/tx")
    assert client.get("metadata").status == 200
    for path in ("/", "/fhir/r4/metadata", "/tx-reg/resolve?url=x", "/favicon.ico", "/a//b/"):
        reply = client.get(path)
        assert (reply.status, reply.ids) == (404, ["OWN_UNKNOWN_ROUTE"])
        assert "/tx/r4/metadata" in reply.texts


@pytest.mark.parametrize(
    ("base_url", "environ", "expected"),
    [
        (None, {}, "http://localhost/fhir/r4"),
        (None, {"HTTP_HOST": "tx.example.org:8443", "wsgi.url_scheme": "https"}, "https://tx.example.org:8443/fhir/r4"),
        (None, {"HTTP_X_FORWARDED_HOST": "evil.example"}, "http://localhost/fhir/r4"),
        (None, {"SCRIPT_NAME": "/mounted"}, "http://localhost/mounted/fhir/r4"),
        ("https://tx.example.org/base/", {"HTTP_HOST": "inside:8080"}, "https://tx.example.org/base/r4"),
    ],
)
def test_the_address_of_the_endpoint(base_url: str | None, environ: dict[str, str], expected: str) -> None:
    app = Flask("address")
    register(app, State(Settings(base_url=base_url, installed_content=False)))
    client = Client(app)
    found = client.get("metadata", environ_overrides=environ).resource["implementation"]["url"]
    assert found == expected
    link = client.get("CodeSystem", environ_overrides=environ).resource["link"][0]["url"]
    assert link.startswith(f"{expected}/CodeSystem?")
