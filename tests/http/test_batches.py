"""A batch answers each entry as the same request alone would be answered, and asks nobody else."""

import socket
from typing import Any

import pytest
from http_client import CPT, HARVEST, Client, parameters

LOOKUP = f"CodeSystem/$lookup?system={CPT}&code=38232"


def batch(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    return made if resource is None else {"resource": resource, **made}


ENTRIES = [
    entry("GET", LOOKUP),
    entry("GET", f"/{LOOKUP}"),
    entry("GET", f"CodeSystem/%24lookup?system={CPT}&code=38232"),
    entry("GET", "CodeSystem/bone-marrow-harvest"),
    entry("GET", "CodeSystem?_summary=count"),
    entry("GET", "metadata"),
    entry("GET", f"ValueSet/$expand?url={HARVEST}&count=1"),
    entry("POST", "CodeSystem/$lookup", parameters(system=CPT, code="38232")),
    entry("POST", "ValueSet/$validate-code", parameters(url=HARVEST, system=CPT, code="38232")),
    entry("GET", "nothing"),
    entry("GET", "CodeSystem/$lookup"),
    entry("GET", "CodeSystem/none"),
    entry("GET", f"{LOOKUP}&code=%ff"),
    entry("POST", "CodeSystem/$lookup"),
    entry("POST", "CodeSystem/$lookup", {"resourceType": "Patient"}),
    entry("DELETE", "CodeSystem/bone-marrow-harvest"),
    entry("GET", "ValueSet?_count=x"),
]
VOLATILE = ("timestamp", "identifier")


def settled(resource: Any) -> Any:
    """Without what differs from answer to answer."""
    if isinstance(resource, dict) and "expansion" in resource:
        kept = {key: value for key, value in resource["expansion"].items() if key not in VOLATILE}
        return {**resource, "expansion": kept}
    return resource


def test_each_entry_is_answered_as_the_request_alone_in_order(client: Client) -> None:
    reply = client.post("", batch(*ENTRIES))
    assert reply.status == 200
    assert reply.resource["type"] == "batch-response"
    assert len(reply.resource["entry"]) == len(ENTRIES)
    for sent, got in zip(ENTRIES, reply.resource["entry"], strict=True):
        request = sent["request"]
        alone = client.ask(request["method"], request["url"].removeprefix("/"), body=sent.get("resource"))
        assert got["response"]["status"].startswith(f"{alone.status} ")
        told = got.get("resource") or got["response"].get("outcome")
        assert settled(told) == settled(alone.resource), request


def test_the_base_with_its_slash_is_the_base(client: Client) -> None:
    assert client.post(f"{client.base}/", batch(entry("GET", LOOKUP))).status == 200
    assert client.post(client.base, batch(entry("GET", LOOKUP))).status == 200


def test_an_empty_batch_has_an_empty_answer(client: Client) -> None:
    assert client.post("", {"resourceType": "Bundle", "type": "batch"}).resource == {
        "resourceType": "Bundle",
        "type": "batch-response",
    }


def test_a_batch_comes_and_goes_in_xml_too(client: Client) -> None:
    body = f"""<Bundle xmlns="http://hl7.org/fhir"><type value="batch"/><entry><request>
        <method value="GET"/><url value="{LOOKUP.replace("&", "&amp;")}"/></request></entry></Bundle>"""
    headers = {"Accept": "application/fhir+xml"}
    reply = client.post("", body, content_type="application/fhir+xml", headers=headers)
    assert reply.body.startswith(b"<?xml")
    assert reply.resource["entry"][0]["response"]["status"] == "200 OK"


def test_a_batch_in_a_batch_is_refused(client: Client) -> None:
    reply = client.post("", batch(entry("POST", "", batch(entry("GET", LOOKUP)))))
    outcome = reply.resource["entry"][0]["response"]["outcome"]
    assert "inside a batch" in outcome["issue"][0]["details"]["text"]


def test_an_entry_the_client_has_is_not_sent_again(client: Client) -> None:
    first = client.post("", batch(entry("GET", "CodeSystem/bone-marrow-harvest"))).resource["entry"][0]
    tag = first["response"]["etag"]
    again = client.post("", batch(entry("GET", "CodeSystem/bone-marrow-harvest", ifNoneMatch=tag)))
    assert again.resource["entry"] == [{"response": {"status": "304 Not Modified", "etag": tag}}]


def test_headers_of_the_whole_hold_for_each_entry(client: Client) -> None:
    request = entry("GET", f"{LOOKUP}&unknown=1")
    strict = client.post("", batch(request), headers={"Prefer": "handling=strict"}).resource["entry"][0]
    assert strict["response"]["status"] == "400 Bad Request"
    german = client.post("", batch(entry("GET", LOOKUP)), headers={"Accept-Language": "de"}).resource["entry"][0]
    assert german["resource"] == client.get(LOOKUP, headers={"Accept-Language": "de"}).resource


@pytest.mark.parametrize(
    "url", ["http://evil.example/fhir/CodeSystem/x", "//evil.example/x", "../r5/metadata", "file:///etc/passwd"]
)
def test_an_entry_reaches_nothing_but_the_endpoint(client: Client, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a batch opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    reply = client.post("", batch(entry("GET", url), entry("GET", LOOKUP)), headers=headers)
    assert [each["response"]["status"][:3] for each in reply.resource["entry"]] == ["404", "200"]


def test_a_fault_in_one_entry_spares_the_others(client: Client) -> None:
    statuses = [
        each["response"]["status"][:3]
        for each in client.post("", batch(entry("GET", "none"), entry("GET", LOOKUP))).resource["entry"]
    ]
    assert statuses == ["404", "200"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "entry[1]: request.method and request.url"),
        ({"request": []}, "entry[1]: request.method"),
        ({"request": {"method": 1, "url": "x"}}, "entry[1]: request.method"),
        ({"resource": [], "request": {"method": "GET", "url": "x"}}, "entry[1]: resource"),
        ({"resource": {}, "request": {"method": "GET", "url": "x"}}, "entry[1]: resource"),
    ],
)
def test_a_malformed_entry_is_named(client: Client, wrong: dict[str, Any], words: str) -> None:
    reply = client.post("", batch(entry("GET", LOOKUP), wrong))
    assert (reply.status, reply.ids) == (400, ["OWN_BUNDLE_ENTRY"])
    assert words in reply.texts
