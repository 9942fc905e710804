"""Asking the engine without HTTP: resources made in a line, and calls of an operation that answer a dict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import fhir_models

from terminology.catalog import Catalog, Scope
from terminology.expansion import Trail, members
from terminology.membership import Verdict, among
from terminology.model import CodeSystemProvider, Coding, FhirVersion
from terminology.operations import BY_NAME
from terminology.parameters import Given
from terminology.providers.supplemented import supplemented
from terminology.request import Exchange
from terminology.resolution import prepare
from terminology.resources import layer
from terminology.service import State
from terminology.settings import Settings
from terminology.wire.r4 import to_r4

Json = dict[str, Any]
Triple = tuple[str, str | None, str]

CS = "http://example.org/cs"
VS = "http://example.org/vs"


def code_system(*concepts: Json | str, url: str = CS, **more: Any) -> Json:
    """A complete CodeSystem with a hierarchy; a concept may be just its code."""
    made = [{"code": entry} if isinstance(entry, str) else entry for entry in concepts]
    base = {"resourceType": "CodeSystem", "url": url, "status": "active", "content": "complete"}
    return {**base, "hierarchyMeaning": "is-a", "caseSensitive": True, **more, "concept": made}


def concept(code: str, *children: Json | str, display: str | None = None, **properties: Any) -> Json:
    """A concept with properties by name; the type of a value is that of Python."""
    made: Json = {"code": code, **({"display": display} if display else {})}
    listed = [
        {"code": name.replace("_", "-"), _key(value): value}
        for name, stated in properties.items()
        for value in (stated if isinstance(stated, list) else [stated])
    ]
    below = [{"code": child} if isinstance(child, str) else child for child in children]
    return {**made, **({"property": listed} if listed else {}), **({"concept": below} if below else {})}


def _key(value: Any) -> str:
    kinds = {bool: "valueBoolean", int: "valueInteger", float: "valueDecimal", dict: "valueCoding"}
    return kinds.get(type(value), "valueString")


def value_set(*includes: Json, url: str = VS, exclude: list[Json] | None = None, **compose: Any) -> Json:
    stated = {"include": list(includes), **({"exclude": exclude} if exclude else {}), **compose}
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": stated}


def include(*codes: str, system: str = CS, **more: Any) -> Json:
    return {"system": system, **({"concept": [{"code": code} for code in codes]} if codes else {}), **more}


def filtered(name: str, op: str, value: str | None, system: str = CS, **more: Any) -> Json:
    stated = {"property": name, "op": op, **({} if value is None else {"value": value})}
    return {"system": system, "filter": [stated], **more}


def scope(*resources: Json, **options: Any) -> Scope:
    return replace(Scope(catalog=layer(resources), decorate=supplemented), **options)


def provider(resource: Json, *more: Json, **options: Any) -> CodeSystemProvider:
    """The code system of a resource, with the supplements among the others that apply."""
    made = scope(resource, *more, **options).provider(resource["url"], resource.get("version"))
    assert made is not None
    return made


def listed(*resources: Json, url: str = VS, **options: Any) -> list[Triple]:
    """The members of a value set, in order: system, version, code."""
    asked = scope(*resources, expanding=True, **options)
    held = asked.catalog.value_set(url)
    assert held is not None
    found = members(held, prepare(held, asked), Trail())
    return [(m.canonical.url, m.canonical.version, m.concept.code) for m in found]


def held(codings: list[Coding], *resources: Json, url: str = VS, **options: Any) -> list[Coding]:
    """Those of the codings that are in a value set."""
    asked = scope(*resources, **options)
    value = asked.catalog.value_set(url)
    assert value is not None
    found = among(codings, value, prepare(value, asked))
    return [entry.coding for entry in found if entry.verdict is Verdict.IN]


@cache
def _state(*, installed: bool) -> State:
    if installed:
        return State(Settings())
    return State(Settings(installed_content=False), {"R4": Catalog(), "R5": Catalog()})


def call(
    operation: str,
    *resources: Json,
    fhir: FhirVersion = "R5",
    installed: bool = False,
    accept: str | None = None,
    **parameters: Any,
) -> Json:
    """The answer of an operation such as ``CodeSystem/$lookup``, read by fhir.resources on the way; raises Refusal.

    The resources come with the request; a parameter's name has ``_`` for ``-``, a list is a parameter that repeats.
    """
    kind, _, name = operation.partition("/$")
    given = [
        Given(key.replace("_", "-"), value)
        for key, stated in parameters.items()
        for value in (stated if isinstance(stated, list) else [stated])
    ]
    given += [Given("tx-resource", resource, "resource") for resource in resources]
    exchange = Exchange(fhir=fhir, accept_language=accept)
    answer = _state(installed=installed).call(BY_NAME[kind, name], given, exchange)
    fhir_models.parsed(answer, "5.0")
    if fhir == "R4":
        fhir_models.parsed(to_r4(answer), "4.0")
    return answer


def value_of(answer: Json, name: str) -> Any:
    """The value of the first parameter of that name; None where there is none."""
    return next(iter(values_of(answer, name)), None)


def values_of(answer: Json, name: str) -> list[Any]:
    return [_value(entry) for entry in answer["parameter"] if entry["name"] == name]


def _value(entry: Mapping[str, Any]) -> Any:
    if "part" in entry:
        return {part["name"]: _value(part) for part in entry["part"]}
    if "resource" in entry:
        return entry["resource"]
    return next(value for key, value in entry.items() if key.startswith("value"))


def issues_of(answer: Json) -> list[Json]:
    outcome = value_of(answer, "issues")
    return outcome["issue"] if outcome else []
