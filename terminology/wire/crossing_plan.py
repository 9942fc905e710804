"""What crossing from one FHIR version to another does to each type, worked out of the two element tables.

Elements one version lacks, lists that were one value, integers that became text: all that is read off
`elements`. Only codes are listed here, for the required bindings of our resources to which R5 added some
(https://hl7.org/fhir/R5/diff.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

from terminology.frozen import dataclass
from terminology.wire.elements import Element, Fhir, Type, types

Lane = Literal["to R4", "from R4"]

EXTENSION = "http://hl7.org/fhir/{}/StructureDefinition/extension-{}"

# https://hl7.org/fhir/R5/canonicalresource.html: defined once for all resources, and known by this url
_ALIASES = {"versionAlgorithm": "CanonicalResource.versionAlgorithm"}
# What `r4_concept_map` turns into R5's words needs no extension on the way in.
_REWORDED = "ConceptMap"


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes R4 knows of an element, and what stands in R4 for the others (nothing, if not listed)."""

    known: frozenset[str]
    instead: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Carried:
    """An element and the url of the extension that carries it."""

    url: str
    element: Element


@dataclass(frozen=True, slots=True)
class Plan:
    """What one crossing does to a type. All keys but those of `home` are JSON names."""

    away: Mapping[str, Carried]  # what the other side lacks
    home: Mapping[str, Mapping[str, Element]]  # url -> what this side lacks, by JSON name
    inside: Mapping[str, str]  # types of what has to be crossed itself
    codes: Mapping[str, tuple[str, Codes]]  # url, and the codes R4 knows
    single: Mapping[str, Carried]  # a list in R5, one value in R4
    wide: frozenset[str]  # integer64 in R5 (JSON text), a number in R4
    concerned: frozenset[str]  # every JSON name of which one makes a node more than a copy


_FILTER_OPERATORS = Codes(
    frozenset(("=", "is-a", "descendent-of", "is-not-a", "regex", "in", "not-in", "generalizes", "exists")), {}
)
CODES: Mapping[tuple[str, str], Codes] = MappingProxyType(
    {
        ("ValueSet.compose.include.filter", "op"): _FILTER_OPERATORS,
        ("CodeSystem.filter", "operator"): _FILTER_OPERATORS,
        ("TerminologyCapabilities.codeSystem.version.filter", "op"): _FILTER_OPERATORS,
        ("RelatedArtifact", "type"): Codes(
            frozenset(
                (
                    "documentation",
                    "justification",
                    "citation",
                    "predecessor",
                    "successor",
                    "derived-from",
                    "depends-on",
                    "composed-of",
                )
            ),
            {},
        ),
        ("OperationOutcome.issue", "severity"): Codes(
            frozenset(("fatal", "error", "warning", "information")), {"success": "information"}
        ),
        ("OperationOutcome.issue", "code"): Codes(
            frozenset(
                (
                    "invalid",
                    "structure",
                    "required",
                    "value",
                    "invariant",
                    "security",
                    "login",
                    "unknown",
                    "expired",
                    "forbidden",
                    "suppressed",
                    "processing",
                    "not-supported",
                    "duplicate",
                    "multiple-matches",
                    "not-found",
                    "deleted",
                    "too-long",
                    "code-invalid",
                    "extension",
                    "too-costly",
                    "business-rule",
                    "conflict",
                    "transient",
                    "lock-error",
                    "no-store",
                    "exception",
                    "timeout",
                    "incomplete",
                    "throttled",
                    "informational",
                )
            ),
            {"success": "informational", "limited-filter": "incomplete"},
        ),
    }
)


def sides(lane: Lane) -> tuple[Fhir, Fhir]:
    """Where the lane starts and where it ends."""
    return ("R5", "R4") if lane == "to R4" else ("R4", "R5")


@cache
def plan_of(type_name: str, lane: Lane) -> Plan | None:
    """What the lane does to a type; None if nothing, so that it can be passed on as it is."""
    touched = _touched(lane)
    if type_name not in touched:
        return None
    here, there = sides(lane)
    mine, theirs = types(here).get(type_name, {}), types(there).get(type_name, {})
    single = _single(type_name)
    reworded = lane == "from R4" and type_name.partition(".")[0] == _REWORDED
    away = [] if reworded else _lost(mine, theirs)
    inside = {e.name: e.type for e in mine.values() if e.type in touched}
    codes = {n: (EXTENSION.format("5.0", f"{t}.{n}"), c) for (t, n), c in CODES.items() if t == type_name}
    wide = _wide(mine, theirs)
    named = {*(e.name for e in away), *(e.name for e in single), *inside, *codes, *wide, "extension"}
    return Plan(
        away={e.name: Carried(_urls(here, type_name, e)[0], e) for e in away},
        home=_home(there, type_name, [*_lost(theirs, mine), *(single if there == "R5" else ())]),
        inside=inside,
        codes=codes,
        single={e.name: Carried(_urls("R5", type_name, e)[0], e) for e in single},
        wide=wide,
        concerned=frozenset(each for name in named for each in (name, f"_{name}")),
    )


def _lost(mine: Type, theirs: Type) -> list[Element]:
    """Elements the other side lacks; not a choice it has with fewer types, which is passed on unchanged,
    and not a resource, which no extension can hold."""
    choices = {e.stem for e in theirs.values() if e.choice}
    return [
        e
        for e in mine.values()
        if e.name not in theirs and e.type != "Resource" and not (e.choice and e.stem in choices)
    ]


def _home(fhir: Fhir, type_name: str, lost: list[Element]) -> dict[str, dict[str, Element]]:
    home: dict[str, dict[str, Element]] = {}
    for element in lost:
        for url in _urls(fhir, type_name, element):
            home.setdefault(url, {})[element.name] = element
    return home


def _urls(fhir: Fhir, type_name: str, element: Element) -> tuple[str, ...]:
    """The url an element is carried under, then others it is known by."""
    version = "5.0" if fhir == "R5" else "4.0"
    own = EXTENSION.format(version, f"{type_name}.{element.stem}")
    alias = _ALIASES.get(element.stem)
    return (EXTENSION.format(version, alias), own) if alias else (own,)


def _single(type_name: str) -> list[Element]:
    r5, r4 = types("R5").get(type_name, {}), types("R4").get(type_name, {})
    return [e for e in r5.values() if e.many and e.name in r4 and not r4[e.name].many]


def _wide(mine: Type, theirs: Type) -> frozenset[str]:
    return frozenset(
        e.name
        for e in mine.values()
        if e.name in theirs and (e.type == "integer64") != (theirs[e.name].type == "integer64")
    )


@cache
def _touched(lane: Lane) -> frozenset[str]:
    """The types a lane changes, or that hold one it changes. Values of extensions are left alone."""
    here, there = sides(lane)
    mine, theirs = types(here), types(there)
    touched = {"Resource", *(t for t, _ in CODES)}
    touched |= {t for t in mine.keys() & theirs.keys() if _differs(t, mine[t], theirs[t])}
    touched -= {"Extension"}
    while more := {
        t
        for t, elements in mine.items()
        if t not in touched and t != "Extension" and any(e.type in touched for e in elements.values())
    }:
        touched |= more
    return frozenset(touched)


def _differs(type_name: str, mine: Type, theirs: Type) -> bool:
    return bool(_lost(mine, theirs) or _lost(theirs, mine) or _single(type_name) or _wide(mine, theirs))
