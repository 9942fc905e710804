"""The values of a resource (R5 form) that are looked up in an index: its codes, systems and references by search
parameter, and its head.

Sources: https://hl7.org/fhir/R5/codesystem-search.html, valueset-search.html, conceptmap-search.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from terminology.model import Json

Terms = Mapping[str, frozenset[str]]

INDEXED: Mapping[str, tuple[str, ...]] = {
    "CodeSystem": ("code", "system"),
    "ValueSet": ("code", "reference"),
    "ConceptMap": (
        "source-code",
        "target-code",
        "source-group-system",
        "target-group-system",
        "source-system",
        "target-system",
        "other-map",
        "other",
        "dependson",
        "mapping-property",
        "product",
        "mapping-attribute",
    ),
    "NamingSystem": (),
}
"""The parameters whose values stand deep inside a resource, by type."""


def terms(resource: Json) -> Terms:
    """Parameter → values. A code stands as itself and as ``system|code``."""
    found: dict[str, set[str]] = {}
    for name, value in _OF_KIND.get(resource["resourceType"], lambda _: iter(()))(resource):
        if isinstance(value, str) and value:
            found.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in found.items()}


def _code_system(resource: Json) -> Iterator[tuple[str, Any]]:
    url = resource.get("url")
    yield "system", url
    waiting = list(resource.get("concept", []))
    while waiting:
        concept = waiting.pop()
        yield "code", concept.get("code")
        waiting += concept.get("concept", [])


def _value_set(resource: Json) -> Iterator[tuple[str, Any]]:
    compose = resource.get("compose", {})
    for entry in compose.get("include", []):
        system = entry.get("system")
        yield "reference", system
        for concept in entry.get("concept", []):
            yield from _coded("code", system, concept.get("code"))
    waiting = list(resource.get("expansion", {}).get("contains", []))
    while waiting:
        entry = waiting.pop()
        yield from _coded("code", entry.get("system"), entry.get("code"))
        waiting += entry.get("contains", [])


def _concept_map(resource: Json) -> Iterator[tuple[str, Any]]:
    for group in resource.get("group", []):
        source, target = (str(group.get(name) or "") for name in ("source", "target"))
        for name, value in (("source", source), ("target", target)):
            for parameter in (f"{name}-group-system", f"{name}-system"):
                yield parameter, value
                yield parameter, value.partition("|")[0]
        for element in group.get("element", []):
            yield from _coded("source-code", source.partition("|")[0], element.get("code"))
            for held in element.get("target", []):
                yield from _coded("target-code", target.partition("|")[0], held.get("code"))
                yield from _dependencies(held)
        other = group.get("unmapped", {}).get("otherMap")
        yield "other-map", other
        yield "other", other


def _dependencies(target: Json) -> Iterator[tuple[str, Any]]:
    for held in target.get("dependsOn", []):
        yield "dependson", held.get("attribute")
        yield "mapping-attribute", held.get("attribute")
    for held in target.get("product", []):
        yield "product", held.get("attribute")
    for held in target.get("property", []):
        yield "mapping-property", held.get("code")


def _coded(name: str, system: str | None, code: Any) -> Iterator[tuple[str, Any]]:
    yield name, code
    if system and isinstance(code, str):
        yield name, f"{system}|{code}"


_OF_KIND = {"CodeSystem": _code_system, "ValueSet": _value_set, "ConceptMap": _concept_map}
