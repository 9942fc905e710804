"""Whatever a client sends, it gets a FHIR answer, and never a fault of ours."""

import json
from copy import deepcopy
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask
from http_client import CPT, HARVEST, Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from terminology.operations import OPERATIONS

PATHS = sorted(
    {"", "metadata", "$versions", "CodeSystem", "ValueSet/_search", "CodeSystem/bone-marrow-harvest"}
    | {f"{each.resource}/${each.name}" for each in OPERATIONS if each.resource}
)
NAMES = sorted(
    {each.name for operation in OPERATIONS for each in operation.inputs} | {"_count", "_summary", "_elements"}
)
KINDS = ["Parameters", "ValueSet", "CodeSystem", "ConceptMap", "Bundle", "Patient", "", "parameters"]
KEYS = [
    "resourceType",
    "parameter",
    "name",
    "part",
    "resource",
    "system",
    "code",
    "version",
    "display",
    "coding",
    "url",
]
KEYS += ["compose", "include", "filter", "concept", "op", "value", "group", "element", "target", "extension", "status"]
KEYS += [
    "content",
    "supplements",
    "valueCode",
    "valueUri",
    "valueString",
    "valueBoolean",
    "valueCoding",
    "entry",
    "request",
]
KEYS += [
    "valueInteger",
    "valueCodeableConcept",
    "_valueCode",
    "id",
    "meta",
    "type",
    "contained",
    "expansion",
    "exclude",
]

text = st.one_of(
    st.sampled_from(
        [CPT, HARVEST, "38232", "complete", "active", "batch", "is-a", "", "x", "1|2|3", "urn:uuid:1", "#a"]
    ),
    st.text(max_size=8),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(allow_nan=False, width=16), text)


def resources(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    kinds = st.fixed_dictionaries({"resourceType": st.sampled_from(KINDS)})
    return st.builds(
        lambda kind, rest: {**rest, **kind}, kinds, st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    )


values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4), resources(inner)
    ),
    max_leaves=12,
)
LENIENT = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def entries(value: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    named = st.sampled_from(
        ["valueCode", "valueUri", "valueString", "valueCoding", "valueCodeableConcept", "resource", "part"]
    )
    return st.builds(lambda name, kind, held: {"name": name, kind: held}, st.sampled_from(NAMES), named, value)


def answered(app: Flask, method: str, path: str, *, echoes: bool = False, **options: Any) -> None:
    for version in ("r4", "r5"):
        reply = Client(app, version, echoes=echoes).ask(method, path, **options)
        assert reply.status < 500, reply.texts


@given(path=st.sampled_from(PATHS), body=resources(values))
@LENIENT
@example(path="ValueSet/$expand", body={"resourceType": "ValueSet", "compose": {"include": None}})
def test_any_resource_may_be_posted(app: Flask, path: str, body: dict[str, Any]) -> None:
    answered(app, "POST", path, body=body)


@given(path=st.sampled_from(PATHS), sent=st.lists(entries(values), max_size=4))
@LENIENT
def test_any_parameters_may_be_posted(app: Flask, path: str, sent: list[dict[str, Any]]) -> None:
    answered(app, "POST", path, body={"resourceType": "Parameters", "parameter": sent})


@given(path=st.sampled_from(PATHS), pairs=st.lists(st.tuples(st.sampled_from(NAMES), text), max_size=4))
@LENIENT
def test_any_query_may_be_asked(app: Flask, path: str, pairs: list[tuple[str, str]]) -> None:
    answered(app, "GET", f"{path}?{urlencode(pairs, errors='replace')}")


@given(
    path=st.text(max_size=20), query=st.binary(max_size=12), method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "X"])
)
@LENIENT
def test_any_address_may_be_asked(app: Flask, path: str, query: bytes, method: str) -> None:
    answered(app, method, f"{quote(path, errors='replace')}?{quote(query)}")


@given(body=st.binary(max_size=40), content_type=st.sampled_from(["application/fhir+json", "application/fhir+xml"]))
@LENIENT
@example(body=b"<Parameters xmlns='http://hl7.org/fhir'><parameter/></Parameters>", content_type="application/fhir+xml")
def test_any_bytes_may_be_posted(app: Flask, body: bytes, content_type: str) -> None:
    answered(app, "POST", "ValueSet/$expand", body=body, content_type=content_type)


@given(accept=st.text('abcfhirjsonxml/+*;=q.0123, "', max_size=40), language=st.text("de-*;q=0. ,", max_size=20))
@LENIENT
def test_any_header_may_be_sent(app: Flask, accept: str, language: str) -> None:
    headers = {"Accept": accept, "Accept-Language": language, "Prefer": accept, "If-None-Match": accept}
    answered(app, "GET", "CodeSystem/bone-marrow-harvest?_summary=true", headers=headers)


@given(urls=st.lists(st.one_of(st.sampled_from(PATHS), st.text(max_size=12)), max_size=3), resource=resources(values))
@LENIENT
def test_any_batch_may_be_posted(app: Flask, urls: list[str], resource: dict[str, Any]) -> None:
    entry = [{"request": {"method": "POST", "url": url}, "resource": resource} for url in urls]
    body = {"resourceType": "Bundle", "type": "batch", "entry": entry}
    for version in ("r4", "r5"):
        reply = Client(app, version).post("", json.dumps(body))
        assert reply.status < 500
        statuses = [each["response"]["status"] for each in reply.resource.get("entry", [])]
        assert not [each for each in statuses if each.startswith("5")]


LOCAL = "http://example.org/fhir/CodeSystem/fuzz"
SYSTEM = {
    "resourceType": "CodeSystem",
    "url": LOCAL,
    "version": "1.0",
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "hierarchyMeaning": "is-a",
    "property": [{"code": "weight", "type": "integer"}, {"code": "status", "type": "code"}],
    "concept": [
        {
            "code": "a",
            "display": "A",
            "designation": [{"language": "de", "value": "Ah", "use": {"system": LOCAL, "code": "b"}}],
            "property": [{"code": "weight", "valueInteger": 2}],
            "concept": [{"code": "b", "extension": [{"url": "http://example.org/x", "valueDecimal": 1.5}]}],
        },
    ],
}
SET = {
    "resourceType": "ValueSet",
    "url": "http://example.org/fhir/ValueSet/fuzz",
    "status": "draft",
    "compose": {
        "inactive": False,
        "include": [
            {"system": LOCAL, "version": "1.0", "filter": [{"property": "concept", "op": "is-a", "value": "a"}]},
            {"system": LOCAL, "concept": [{"code": "b", "display": "Bee", "designation": [{"value": "x"}]}]},
            {"valueSet": [HARVEST]},
        ],
        "exclude": [{"system": CPT, "filter": [{"property": "code", "op": "regex", "value": "3.*"}]}],
    },
}
MAP = {
    "resourceType": "ConceptMap",
    "url": "http://example.org/fhir/ConceptMap/fuzz",
    "status": "active",
    "group": [
        {
            "source": LOCAL,
            "target": CPT,
            "element": [
                {"code": "a", "target": [{"code": "38232", "relationship": "equivalent", "equivalence": "equal"}]}
            ],
            "unmapped": {"mode": "fixed", "code": "38230"},
        }
    ],
}


def request(path: str, **parts: Any) -> tuple[str, dict[str, Any]]:
    guests = [{"name": "tx-resource", "resource": each} for each in (SYSTEM, SET, MAP)]
    named = [{"name": name.partition("_")[0], name.partition("_")[2]: value} for name, value in parts.items()]
    return path, {"resourceType": "Parameters", "parameter": [*named, *guests]}


CODED = {
    "coding": [{"system": LOCAL, "code": "A", "display": "Ah"}, {"system": CPT, "version": "2026", "code": "38232"}]
}
REQUESTS = [
    request("ValueSet/$expand", url_valueUri=SET["url"], count_valueInteger=5, property_valueString="weight"),
    request("ValueSet/$expand", valueSet_resource=SET, displayLanguage_valueCode="de", filter_valueString="a"),
    request("ValueSet/$validate-code", url_valueUri=SET["url"], codeableConcept_valueCodeableConcept=CODED),
    request("CodeSystem/$validate-code", url_valueUri=LOCAL, code_valueCode="b", display_valueString="Bee"),
    request("CodeSystem/$lookup", coding_valueCoding=CODED["coding"][0], property_valueCode="weight"),
    request("CodeSystem/$subsumes", system_valueUri=LOCAL, codeA_valueCode="a", codeB_valueCode="b"),
    request("ConceptMap/$translate", system_valueUri=LOCAL, sourceCode_valueCode="a", targetSystem_valueUri=CPT),
    request(
        "ValueSet/$batch-validate-code",
        url_valueUri=SET["url"],
        validation_resource={
            "resourceType": "Parameters",
            "parameter": [{"name": "coding", "valueCoding": CODED["coding"][1]}],
        },
    ),
]


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON value."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, value in inner for place in ((node, key), *places(value))]


@given(which=st.sampled_from(REQUESTS), data=st.data())
@LENIENT
def test_any_valid_request_may_be_bent(app: Flask, which: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    path, body = which[0], deepcopy(which[1])
    for _ in range(data.draw(st.integers(0, 3))):
        container, key = data.draw(st.sampled_from(places(body)))
        how = data.draw(st.sampled_from(["replace", "drop", "double", "copy"]))
        if how == "drop":
            del container[key]
        elif how == "double" and isinstance(container, list):
            container.append(deepcopy(container[key]))
        elif how == "copy" and isinstance(container, dict):
            container[key] = deepcopy(data.draw(st.sampled_from(places(which[1])))[0])
        else:
            container[key] = data.draw(values)
        if not places(body):
            break
    accept = data.draw(st.sampled_from(["application/fhir+json", "application/fhir+xml"]))
    answered(app, "POST", path, body=body, echoes=True, headers={"Accept": accept})
