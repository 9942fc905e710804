"""The operations as clients send them: every form of a request that means the same is answered the same."""

import itertools
from typing import Any

import pytest
from http_client import CPT, HARVEST, Client, parameters

from terminology.wire.xml import to_xml

LOOKUP = "CodeSystem/$lookup"
VALIDATE = "ValueSet/$validate-code"
LOCAL = "http://example.org/fhir/CodeSystem/local"
FORMS: list[Any] = [
    ("GET", f"{LOOKUP}?system={CPT}&code=38232", None),
    ("GET", f"{LOOKUP}?system={CPT.replace(':', '%3A').replace('/', '%2F')}&code=38232&_format=json", None),
    ("GET", f"CodeSystem/%24lookup?code=38232&system={CPT}&uuid=1&unknown=2", None),
    ("POST", LOOKUP, parameters(system=CPT, code="38232")),
    ("POST", f"{LOOKUP}?system={CPT}", parameters(code="38232")),
    ("POST", f"{LOOKUP}?system={CPT}&code=38232", parameters()),
    ("POST", f"{LOOKUP}?system={CPT}&code=38232", b""),
    ("POST", LOOKUP, parameters(coding={"system": CPT, "code": "38232"})),
    (
        "POST",
        LOOKUP,
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "code", "valueCode": "38232"}, {"name": "system", "valueUri": CPT}],
        },
    ),
]


@pytest.mark.parametrize(("method", "path", "body"), FORMS)
def test_every_form_of_a_request_is_answered_alike(client: Client, method: str, path: str, body: Any) -> None:
    plain = client.get(f"{LOOKUP}?system={CPT}&code=38232")
    assert plain.status == 200
    assert plain.parameter("code") == "38232"
    assert client.ask(method, path, body=body).resource == plain.resource


@pytest.mark.parametrize("content_type", ["application/json", "text/json", "application/fhir+json;charset=UTF-8", None])
def test_json_is_json_under_all_its_names(client: Client, content_type: str | None) -> None:
    reply = client.post(LOOKUP, parameters(system=CPT, code="38232"), content_type=content_type)
    assert reply.parameter("code") == "38232"


def test_the_prefix_alone_answers_as_r4(client: Client) -> None:
    r4 = Client(client.app, "r4")
    for path in (f"{LOOKUP}?system={CPT}&code=38232", "CodeSystem/bone-marrow-harvest", "$versions"):
        assert r4.get(f"/fhir/{path}").resource == r4.get(path).resource


def test_both_versions_give_one_answer_in_two_forms(client: Client) -> None:
    r4, r5 = Client(client.app, "r4"), Client(client.app, "r5")
    path = f"{VALIDATE}?url={HARVEST}&system={CPT}&code=38232"
    assert r4.get(path).parameter("result") is r5.get(path).parameter("result") is True


def test_a_wrong_code_is_an_answer_and_not_an_error(client: Client) -> None:
    reply = client.get(f"{VALIDATE}?url={HARVEST}&system={CPT}&code=99285")
    assert reply.status == 200
    assert reply.resource["resourceType"] == "Parameters"


def local(version: str) -> dict[str, Any]:
    """A map that R4 and R5 write with other words."""
    target = {"code": "b", "equivalence": "equal"} if version == "r4" else {"code": "b", "relationship": "equivalent"}
    group = {"source": LOCAL, "target": f"{LOCAL}2", "element": [{"code": "a", "target": [target]}]}
    return {
        "resourceType": "ConceptMap",
        "url": "http://example.org/fhir/ConceptMap/local",
        "status": "active",
        "group": [group],
    }


def test_a_resource_in_a_request_is_read_in_the_version_of_the_endpoint(client: Client) -> None:
    code = "code" if client.version == "r4" else "sourceCode"
    sent = parameters(**{"conceptMap": local(client.version), code: "a", "system": LOCAL})
    reply = client.post("ConceptMap/$translate", sent)
    assert reply.parameter("result") is True
    match = next(each["part"] for each in reply.resource["parameter"] if each["name"] == "match")
    word = "equivalence" if client.version == "r4" else "relationship"
    assert word in {each["name"] for each in match}


VALUE_SET = {
    "resourceType": "ValueSet",
    "url": "http://example.org/fhir/ValueSet/inline",
    "status": "active",
    "compose": {"include": [{"system": CPT, "concept": [{"code": "38230"}, {"code": "38232"}]}]},
}


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_bare_value_set_is_expanded(client: Client, form: str) -> None:
    version = "R4" if client.version == "r4" else "R5"
    body = VALUE_SET if form == "json" else to_xml(VALUE_SET, version)  # type: ignore[arg-type]
    bare = client.post("ValueSet/$expand?activeOnly=false", body, content_type=f"application/fhir+{form}")
    inside = client.post("ValueSet/$expand?activeOnly=false", parameters(valueSet=VALUE_SET))
    assert [each["code"] for each in bare.resource["expansion"]["contains"]] == ["38230", "38232"]
    assert bare.resource["expansion"]["contains"] == inside.resource["expansion"]["contains"]


def test_an_instance_is_asked_by_its_id(client: Client) -> None:
    identity = HARVEST.rpartition("/")[2]
    by_id = client.get(f"ValueSet/{identity}/$expand").resource["expansion"]["contains"]
    by_url = client.get(f"ValueSet/$expand?url={HARVEST}").resource["expansion"]["contains"]
    assert by_id == by_url
    unknown = client.get("ValueSet/none/$expand")
    assert (unknown.status, unknown.ids) == (404, ["OWN_UNKNOWN_RESOURCE"])


def test_lookup_of_an_instance_is_of_r5_alone(client: Client) -> None:
    reply = client.get("CodeSystem/bone-marrow-harvest/$lookup?code=bone-marrow-harvest")
    if client.version == "r4":
        assert (reply.status, reply.ids) == (404, ["OWN_UNKNOWN_ROUTE"])
        assert "CodeSystem/$lookup" in reply.texts
    else:
        assert reply.ids != ["OWN_UNKNOWN_ROUTE"]


def test_the_wanted_language_may_come_in_a_header(client: Client) -> None:
    path = f"{LOOKUP}?system={CPT}&code=38232"
    texts = {
        language: client.get(path, headers={"Accept-Language": language}).parameter("display")
        for language in ("en", "de")
    }
    assert texts["en"] != texts["de"]


@pytest.mark.parametrize("language", ["*", "de,en;q=0.5", "!!", "x" * 300])
def test_any_accept_language_is_answered(client: Client, language: str) -> None:
    assert client.get(f"{LOOKUP}?system={CPT}&code=38232", headers={"Accept-Language": language}).status == 200


def test_errors_speak_the_readers_language_where_it_is_translated(client: Client) -> None:
    texts = {
        language: client.get(f"{LOOKUP}?system={CPT}", headers={"Accept-Language": language}).texts
        for language in ("en", "de", "de-CH, en;q=0.5", "tlh, en;q=0.1")
    }
    assert texts["de"] != texts["en"]
    assert texts["de-CH, en;q=0.5"] == texts["de"]
    assert texts["tlh, en;q=0.1"] == texts["en"]


def test_shared_headers_are_on_every_answer(client: Client) -> None:
    paths = ("metadata", "nothing", f"{LOOKUP}?system={CPT}&code=38232", "CodeSystem?_count=1", "metadata?_format=csv")
    for method, path in itertools.product(("GET", "DELETE", "OPTIONS"), paths):
        headers = client.ask(method, path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Vary"] == "Accept, Accept-Language, Accept-Encoding"
        assert headers["X-Request-Id"]
        assert "Access-Control-Allow-Origin" not in headers
        assert "Set-Cookie" not in headers


def test_origin_of_another_site_changes_nothing(client: Client) -> None:
    reply = client.ask(
        "OPTIONS", LOOKUP, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )
    assert not [name for name, _ in reply.headers.items() if name.lower().startswith("access-control")]
