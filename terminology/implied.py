"""Value sets that nobody wrote down: all codes of a code system, and those that a url's form defines.

``CodeSystem.valueSet`` names the value set of all codes (https://hl7.org/fhir/codesystem-definitions.html);
``[system]?fhir_vs`` and ``?fhir_vs=isa/[code]`` are SNOMED CT's form of it (https://terminology.hl7.org/SNOMEDCT.html),
understood here of every code system that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from terminology.conceptset import from_compose
from terminology.model import Canonical, CodeSystemProvider, Expressions, Grammar, Json, ValueSet, ValueSetInfo

FORM = "?fhir_vs"
"""What follows the url of a code system in the url of its value sets."""


class Layer(Protocol):
    """What is asked of a layer of the catalog."""

    @property
    def code_systems(self) -> Mapping[str, tuple[CodeSystemProvider, ...]]: ...

    @property
    def heads(self) -> Mapping[str, Mapping[str, Json]]: ...

    @property
    def rules(self) -> tuple[Grammar | Expressions, ...]: ...


def value_set(url: str, version: str | None, layers: Sequence[Layer]) -> ValueSet | None:
    """The value set that ``url`` stands for though no resource defines it; None where it stands for none."""
    compose = next(_composes(url, version, layers), None)
    if compose is None:
        return None
    info = ValueSetInfo(Canonical(url, version), status="active")
    resource = {"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose}
    if version:
        resource["version"] = version
    return ValueSet(info, from_compose(compose, str(info)), resource)


def _composes(url: str, version: str | None, layers: Sequence[Layer]) -> Iterator[Json]:
    system, form, rest = url.partition(FORM)
    if form and any(system in layer.code_systems for layer in layers):
        yield from _by_form(system, rest, version)
    for layer in layers:
        if named := next(_of_all_codes(layer, url), None):
            yield {"include": [_versioned({"system": named}, version)]}
        if version is None:
            yield from (compose for rule in layer.rules if (compose := rule.implicit(url)))


def _by_form(system: str, rest: str, version: str | None) -> Iterator[Json]:
    include = _versioned({"system": system}, version)
    if not rest:
        yield {"include": [include]}
    elif rest.startswith("=isa/") and len(rest) > len("=isa/"):
        below = {"property": "concept", "op": "is-a", "value": rest.removeprefix("=isa/")}
        yield {"include": [{**include, "filter": [below]}]}


def _versioned(include: Json, version: str | None) -> Json:
    return {**include, "version": version} if version else include


def _of_all_codes(layer: Layer, url: str) -> Iterator[str]:
    """The code system whose value set of all codes has that url. What lies on a shelf is judged by its head."""
    if heads := layer.heads.get("CodeSystem"):
        return (head["url"] for head in heads.values() if head.get("valueSet") == url and "url" in head)
    return (system for system, held in layer.code_systems.items() if any(each.info.value_set == url for each in held))
