"""Read and search: what matches, what is shown, and pages that together are the whole."""

import itertools
from typing import Any

import pytest
from fhir_models import parsed
from http_client import CPT, Client
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology.catalog import Catalog
from terminology.rest import search
from terminology.rest.exchange import pairs

SYSTEM = "https://flask-fhir-terminology.org/fhir/CodeSystem/bone-marrow-harvest"


def ids(resource: dict[str, Any]) -> list[str]:
    return [each["resource"]["id"] for each in resource.get("entry", [])]


# --- on resources made for it -------------------------------------------------------------------------------

RESOURCES: dict[str, dict[str, Any]] = {
    identity: {
        "resourceType": "CodeSystem",
        "id": identity,
        "url": url,
        "version": version,
        "name": name,
        "title": title,
        "status": status,
        "content": "complete",
        "description": "Long.",
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Words</div>'},
        "concept": [{"code": "a"}],
    }
    for identity, url, version, name, title, status in (
        ("a2", "http://example.org/a", "2.0", "Apples", "Äpfel, süß", "active"),
        ("a10", "http://example.org/a", "10.0", "ApplesNew", "Apples again", "draft"),
        ("b", "http://example.org/b", "1", "Pears", "Birnen", "retired"),
        ("c", "http://example.org/c,d", "1", "PineApples", "Ananas", "active"),
    )
}
HELD = search.held(Catalog(resources={"CodeSystem": RESOURCES}), "CodeSystem")


def found(query: str, **limits: Any) -> dict[str, Any]:
    wanted = search.understood("CodeSystem", pairs(query), strict=True, **{"count": 50, "limit": 200, **limits})
    bundle = search.searched("CodeSystem", wanted, HELD, lambda each: each, "http://x/fhir/r5")
    parsed(bundle, "5.0")
    return bundle


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a10", "a2", "b", "c"]),
        ("_id=b", ["b"]),
        ("_id=b,a2", ["a2", "b"]),
        ("url=http://example.org/a", ["a10", "a2"]),
        ("url=http://example.org/a&version=2.0", ["a2"]),
        ("url=http://example.org/a&url=http://example.org/b", []),
        ("url=http://example.org/", []),
        ("version=1", ["b", "c"]),
        ("name=apples", ["a10", "a2"]),
        ("name=APP", ["a10", "a2"]),
        ("name:exact=apples", []),
        ("name:exact=Apples", ["a2"]),
        ("name:contains=apples", ["a10", "a2", "c"]),
        ("name=apples,pears", ["a10", "a2", "b"]),
        ("title=apfel", ["a2"]),
        ("title:contains=SUSS", ["a2"]),
        ("title:contains=süss", ["a2"]),
        ("status=active", ["a2", "c"]),
        ("status=http://hl7.org/fhir/publication-status|active", ["a2", "c"]),
        ("status:not=active", ["a10", "b"]),
        ("status=active&name=pine", ["c"]),
        ("name=", ["a10", "a2", "b", "c"]),
        ("_id=nothing", []),
    ],
)
def test_what_matches(query: str, expected: list[str]) -> None:
    assert ids(found(query)) == expected


def test_a_comma_in_a_value_is_escaped() -> None:
    assert ids(found(r"url=http://example.org/c\,d")) == ["c"]


@pytest.mark.parametrize(
    ("view", "present", "absent"),
    [
        ("_summary=true", {"url", "version", "name", "title", "status", "content"}, {"text", "concept", "description"}),
        ("_summary=text", {"text", "status", "content"}, {"concept", "name"}),
        ("_summary=data", {"concept", "description", "name"}, {"text"}),
        ("_elements=name", {"name", "status", "content"}, {"url", "concept", "text"}),
        ("_elements=CodeSystem.name,concept", {"name", "concept"}, {"url"}),
    ],
)
def test_a_part_of_a_resource_says_that_it_is_one(view: str, present: set[str], absent: set[str]) -> None:
    first = found(view)["entry"][0]["resource"]
    assert present <= first.keys()
    assert not absent & first.keys()
    assert first["meta"]["tag"][0]["code"] == "SUBSETTED"


@pytest.mark.parametrize("view", ["", "_summary=false"])
def test_the_whole_is_not_tagged(view: str) -> None:
    assert found(view)["entry"][0]["resource"] == RESOURCES["a10"]


@pytest.mark.parametrize("query", ["_summary=count", "_count=0"])
def test_a_count_has_no_entries(query: str) -> None:
    bundle = found(query)
    assert bundle["total"] == 4
    assert "entry" not in bundle
    assert [each["relation"] for each in bundle["link"]] == ["self"]


def test_the_total_is_left_out_for_who_does_not_want_it() -> None:
    assert "total" not in found("_total=none")
    assert found("_total=accurate")["total"] == 4


def test_a_page_is_no_larger_than_the_limit() -> None:
    bundle = found("_count=1000", limit=3)
    assert len(bundle["entry"]) == 3
    assert "_count=3" in bundle["link"][0]["url"]


def test_the_self_link_names_what_counted_and_nothing_else() -> None:
    wanted = search.understood("CodeSystem", pairs("name=a&foo=1&_pretty=true"), strict=False, count=5, limit=9)
    bundle = search.searched("CodeSystem", wanted, HELD, lambda each: each, "http://x/fhir/r5")
    assert bundle["link"][0] == {
        "relation": "self",
        "url": "http://x/fhir/r5/CodeSystem?name=a&_pretty=true&_count=5",
    }


@given(size=st.integers(1, 7), status=st.sampled_from(["", "status=active", "name:contains=apples"]))
@settings(deadline=None)
def test_pages_together_are_the_whole(size: int, status: str) -> None:
    whole = ids(found(status))
    query, walked = f"{status}&_count={size}", []
    for _ in range(10):
        bundle = found(query)
        walked += ids(bundle)
        links = {each["relation"]: each["url"].partition("?")[2] for each in bundle["link"]}
        if "next" not in links:
            break
        query = links["next"]
    assert walked == whole
    assert ids(found(links["first"])) == whole[:size]
    assert ids(found(links["last"])) == whole[(len(whole) - 1) // size * size :]
    assert (
        "previous" not in links or ids(found(links["previous"])) == walked[-len(ids(bundle)) - size : -len(ids(bundle))]
    )


def test_upper_layers_hide_lower_ones() -> None:
    below = Catalog(resources={"CodeSystem": {**RESOURCES, "other": {**RESOURCES["b"], "id": "other", "version": "7"}}})
    upper = {"b": {**RESOURCES["b"], "title": "New"}, "same": {**RESOURCES["a2"], "id": "same"}}
    merged = {
        each["id"]: each for each in search.held(Catalog(resources={"CodeSystem": upper}, below=below), "CodeSystem")
    }
    assert merged.keys() == {"a10", "b", "c", "same", "other"}
    assert merged["b"]["title"] == "New"


@pytest.mark.parametrize("kind", search.KINDS)
def test_the_summary_elements_are_those_of_the_specification(kind: str) -> None:
    from fhir.resources import get_fhir_model_class  # noqa: PLC0415

    model = get_fhir_model_class(kind)
    assert search.KINDS[kind].summary == set(model.summary_elements_sequence())


# --- over HTTP ----------------------------------------------------------------------------------------------


def test_what_is_found_can_be_read_at_its_address(client: Client) -> None:
    for kind in ("CodeSystem", "ValueSet", "ConceptMap"):
        entry = client.get(f"{kind}?_count=1").resource["entry"][0]
        path = entry["fullUrl"].removeprefix("http://localhost")
        assert client.get(path).resource == entry["resource"]


def test_the_validator_finds_a_code_system_by_url_and_version(client: Client) -> None:
    versions = [each["code"] for each in _edition_list(client)]
    found_one = client.get(f"CodeSystem?url={CPT}&version={versions[0]}").resource
    assert found_one["total"] == 1
    assert found_one["entry"][0]["resource"]["content"] in {"complete", "fragment"}


def _edition_list(client: Client) -> list[dict[str, Any]]:
    systems = client.get("metadata?mode=terminology").resource["codeSystem"]
    return next(each["version"] for each in systems if each["uri"] == CPT)


def test_a_posted_search_means_what_its_query_means(client: Client) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    posted = client.post("CodeSystem/_search", f"url={SYSTEM}", **form).resource
    assert posted == client.get(f"CodeSystem?url={SYSTEM}").resource
    both = client.post(f"CodeSystem/_search?url={SYSTEM}", "_summary=count", **form).resource
    assert (both["total"], "entry" in both) == (1, False)
    assert client.ask("POST", "CodeSystem/_search").resource["total"] > 1


def test_a_walk_over_http_meets_every_resource_once(client: Client) -> None:
    path, walked, total = "CodeSystem?_count=50&_elements=url&_format=json", list[str](), 0
    for _ in itertools.repeat(None, 50):
        bundle = client.get(path).resource
        walked, total = walked + ids(bundle), bundle["total"]
        links = {each["relation"]: each["url"] for each in bundle["link"]}
        if "next" not in links:
            break
        path = links["next"].removeprefix("http://localhost")
    assert len(walked) == len(set(walked)) == total


def test_a_read_shows_what_was_asked_for(client: Client) -> None:
    whole = client.get("CodeSystem/bone-marrow-harvest").resource
    assert "concept" in whole
    summary = client.get("CodeSystem/bone-marrow-harvest?_summary=true").resource
    assert "concept" not in summary
    assert summary["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert client.get("CodeSystem/bone-marrow-harvest?_elements=concept").resource["concept"] == whole["concept"]


@pytest.mark.parametrize("kind", search.KINDS)
@pytest.mark.parametrize("view", ["", "_summary=true", "_summary=data", "_summary=text", "_elements=url"])
def test_every_view_of_every_type_is_valid(client: Client, kind: str, view: str) -> None:
    assert client.get(f"{kind}?_count=200&{view}").status == 200
    assert client.get(f"{kind}?_count=200&{view}", headers={"Accept": "application/fhir+xml"}).status == 200


def test_head_says_what_get_says_without_saying_it(client: Client) -> None:
    get, head = client.get("CodeSystem/bone-marrow-harvest"), client.ask("HEAD", "CodeSystem/bone-marrow-harvest")
    assert (head.status, head.body) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


def test_options_says_what_is_allowed(client: Client) -> None:
    for path, allowed in (("CodeSystem", "GET, HEAD, OPTIONS"), ("CodeSystem/$lookup", "GET, HEAD, POST, OPTIONS")):
        reply = client.ask("OPTIONS", path)
        assert (reply.status, reply.headers["Allow"]) == (204, allowed)
