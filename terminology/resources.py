"""FHIR resources coming in: CodeSystem, ValueSet and ConceptMap (R5 form) become providers, concept sets and maps.

What a resource says is read leniently where the engine can do without it, and refused with every reason where it
cannot: a resource that cannot be processed is an error, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from terminology import dates, naming
from terminology.catalog import Catalog
from terminology.conceptset import SUPPLEMENT, designation, from_compose, from_expansion
from terminology.issues import Invalid, issue
from terminology.model import (
    DISPLAYS_NOT_HELD,
    NO_SUBSUMPTION,
    OWN_PROPERTIES,
    Canonical,
    CodeSystemInfo,
    CodeSystemProvider,
    Coding,
    Concept,
    ConceptMap,
    Designation,
    Json,
    Naming,
    Property,
    PropertyDefinition,
    Row,
    Supplement,
    Union,
    Unmapped,
    ValueSet,
    ValueSetInfo,
)
from terminology.providers.memory import MemoryProvider
from terminology.wire.shapes import misshapen

CONCEPT_PROPERTIES = "http://hl7.org/fhir/concept-properties#"
STANDARDS_STATUS = "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
EFFECTIVE_PERIOD = "http://hl7.org/fhir/StructureDefinition/resource-effectivePeriod"
SUPPLEMENT_TYPE = "http://hl7.org/fhir/StructureDefinition/codesystem-supplement-type"
EXPANSION_PARAMETERS = (
    "http://hl7.org/fhir/StructureDefinition/valueset-expansion-parameter",
    "http://hl7.org/fhir/tools/StructureDefinition/valueset-expansion-parameter",
)
INACTIVE_STATUS = frozenset(("retired", "inactive", "withdrawn"))
DEPTH = 100


def layer(sent: Iterable[Any]) -> Catalog:
    """A catalog layer of resources; raises Invalid for one that cannot be processed."""
    systems: dict[str, list[CodeSystemProvider]] = {}
    value_sets: dict[str, list[ValueSet]] = {}
    maps: dict[str, list[ConceptMap]] = {}
    supplements: list[Supplement] = []
    aliases: dict[str, tuple[Naming, ...]] = {}
    held: dict[str, dict[str, Json]] = {}
    for resource in sent:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if kind == "CodeSystem" and resource.get("content") == "supplement":
            supplements.append(supplement(resource))
        elif kind == "CodeSystem":
            made = code_system(resource)
            systems.setdefault(made.info.canonical.url, []).append(made)
            naming.add(aliases, naming.of_code_system(resource))
        elif kind == "ValueSet":
            read = value_set(resource)
            value_sets.setdefault(read.info.canonical.url, []).append(read)
        elif kind == "ConceptMap":
            mapped = concept_map(resource)
            maps.setdefault(mapped.canonical.url, []).append(mapped)
        elif kind == "NamingSystem":
            _shaped(resource)
            naming.add(aliases, naming.of_naming_system(resource))
        else:
            raise Invalid(
                issue(
                    "OWN_RESOURCE_INVALID",
                    kind or "resource",
                    _name(resource),
                    "it is no CodeSystem, ValueSet or ConceptMap",
                )
            )
        identity = resource.get("id") or identity_of(resource)
        held.setdefault(kind, {})[identity] = resource if "id" in resource else {**resource, "id": identity}
    return Catalog(
        code_systems={url: tuple(entries) for url, entries in systems.items()},
        value_sets={url: tuple(entries) for url, entries in value_sets.items()},
        concept_maps={url: tuple(entries) for url, entries in maps.items()},
        supplements=tuple(supplements),
        aliases=aliases,
        resources=held,
    )


def identity_of(resource: Json) -> str:
    """An id for a resource that came without: the end of its url and its version, as far as ids allow."""
    url = str(resource.get("url") or resource.get("name") or "resource").rstrip("/")
    text = re.split(r"[/:#?]", url)[-1] + (f"-{resource['version']}" if resource.get("version") else "")
    return re.sub(r"[^A-Za-z0-9.-]", "-", text)[-64:] or "resource"


def _name(resource: Any) -> str:
    if not isinstance(resource, dict):
        return "?"
    return str(resource.get("url") or resource.get("id") or "without url")


def _shaped(resource: Json) -> None:
    """Refuses JSON that does not have the shape of its type, so that no reader behind has to ask again."""
    if said := misshapen(resource):
        raise _refuse(resource, said)


def _refuse(resource: Json, reason: str) -> Invalid:
    return Invalid(issue("OWN_RESOURCE_INVALID", resource.get("resourceType"), _name(resource), reason))


def extension(holder: Json, url: str) -> Any:
    """The value of the first extension with that url; None where there is none."""
    for entry in holder.get("extension", []):
        if isinstance(entry, dict) and entry.get("url") == url:
            return next((value for key, value in entry.items() if key.startswith("value")), None)
    return None


# --- code systems -------------------------------------------------------------------------------------------


def code_system_info(resource: Json) -> CodeSystemInfo:
    """What a CodeSystem says about itself."""
    url = resource.get("url")
    if not isinstance(url, str) or not url:
        raise _refuse(resource, "it has no url")
    meaning = resource.get("hierarchyMeaning")
    none = extension(resource, NO_SUBSUMPTION) is True
    known = meaning == "is-a"
    supplements = resource.get("supplements")
    return CodeSystemInfo(
        canonical=Canonical(url, resource.get("version")),
        name=resource.get("name"),
        title=resource.get("title"),
        content=resource.get("content", "complete"),
        case_sensitive=resource.get("caseSensitive", True) is not False,
        language=resource.get("language"),
        status=resource.get("status"),
        standards_status=extension(resource, STANDARDS_STATUS),
        experimental=resource.get("experimental") is True,
        hierarchy_meaning=meaning,
        compositional=resource.get("compositional") is True,
        version_needed=resource.get("versionNeeded") is True,
        version_algorithm=resource.get("versionAlgorithmString"),
        value_set=resource.get("valueSet"),
        copyright=resource.get("copyright"),
        supplements=Canonical.parse(supplements) if isinstance(supplements, str) else None,
        language_pack=extension(resource, SUPPLEMENT_TYPE) == "lang-pack",
        displays_held=extension(resource, DISPLAYS_NOT_HELD) is not True,
        subsumption="none" if none else "known" if known else "unsaid",
        effective_from=_day(resource, "start"),
        effective_to=_day(resource, "end"),
        count=resource.get("count"),
        properties=tuple(_property_definition(entry) for entry in resource.get("property", [])),
        filters=tuple((f.get("code", ""), tuple(f.get("operator", []))) for f in resource.get("filter", [])),
        labels=frozenset(label.get("code", "") for label in resource.get("meta", {}).get("security", [])),
    )


def _day(resource: Json, name: str) -> str | None:
    """A bound of the period in which a release is in force; R4 has an extension for it."""
    period = resource.get("effectivePeriod") or extension(resource, EFFECTIVE_PERIOD)
    day = period.get(name) if isinstance(period, dict) else None
    return day if dates.known(day) else None


def _property_definition(stated: Json) -> PropertyDefinition:
    return PropertyDefinition(
        stated.get("code", ""), stated.get("type", "string"), stated.get("uri"), stated.get("description")
    )


def code_system(resource: Json) -> MemoryProvider:
    """A CodeSystem as provider; the hierarchy is that of nesting and of the properties that mean parent or child."""
    _shaped(resource)
    info = code_system_info(resource)
    return MemoryProvider(info, concepts(resource, info))


def concepts(resource: Json, info: CodeSystemInfo, source: str | None = None) -> list[Concept]:
    """The concepts of a CodeSystem in reading order; raises Invalid for duplicates, cycles aside, and for depth."""
    meanings = _Meanings(info)
    nested = list(_nested(resource, resource.get("concept", []), (), 0))
    below: dict[str, list[str]] = {}
    for stated, _ in nested:
        for value in meanings.values(stated, "child"):
            below.setdefault(value, []).append(stated["code"])
    seen: set[str] = set()
    made = []
    for stated, above in nested:
        code = stated["code"]
        if code in seen:
            raise _refuse(resource, f"the code '{code}' is defined twice")
        seen.add(code)
        parents = dict.fromkeys((*above, *meanings.values(stated, "parent"), *below.get(code, ())))
        made.append(_concept(stated, tuple(parents), meanings, source))
    return made


def _nested(resource: Json, stated: Any, above: tuple[str, ...], depth: int) -> Iterator[tuple[Json, tuple[str, ...]]]:
    if depth > DEPTH:
        raise _refuse(resource, f"its concepts are nested deeper than {DEPTH} levels")
    if not isinstance(stated, list):
        raise _refuse(resource, "concept must be a list")
    for entry in stated:
        if not isinstance(entry, dict) or not isinstance(entry.get("code"), str) or not entry["code"]:
            raise _refuse(resource, "a concept has no code")
        yield entry, above
        if "concept" in entry:
            yield from _nested(resource, entry["concept"], (entry["code"],), depth + 1)


class _Meanings:
    """Which property codes carry a meaning that FHIR defines, found by uri, whatever the code."""

    def __init__(self, info: CodeSystemInfo) -> None:
        declared = {definition.code: definition.uri for definition in info.properties}
        self._codes: dict[str, frozenset[str]] = {}
        for meaning in ("parent", "child", "status", "inactive", "notSelectable"):
            codes = {code for code, uri in declared.items() if uri == CONCEPT_PROPERTIES + meaning}
            if not codes and declared.get(meaning) is None:
                codes = {meaning}
            self._codes[meaning] = frozenset(codes)
        for meaning in ("valid-from", "valid-to"):
            codes = {code for code, uri in declared.items() if uri == OWN_PROPERTIES + meaning}
            self._codes[meaning] = frozenset(codes if declared.get(meaning) else codes | {meaning})

    def date(self, stated: Json, meaning: str) -> str | None:
        """A bound of the concept's validity; a value that is no date of the calendar bounds nothing."""
        return next((value for value in self.values(stated, meaning) if dates.known(value)), None)

    def values(self, stated: Json, meaning: str) -> list[Any]:
        codes = self._codes[meaning]
        return [
            value
            for held in stated.get("property", [])
            if held.get("code") in codes
            for key, value in held.items()
            if key.startswith("value")
        ]


def _concept(stated: Json, parents: tuple[str, ...], meanings: _Meanings, source: str | None) -> Concept:
    standard = extension(stated, STANDARDS_STATUS)
    status = next(iter(meanings.values(stated, "status")), None) or standard
    inactive = True in meanings.values(stated, "inactive") or status in INACTIVE_STATUS
    properties = tuple(_property(held, source) for held in stated.get("property", []))
    return Concept(
        code=stated["code"],
        display=stated.get("display"),
        definition=stated.get("definition"),
        parents=parents,
        designations=tuple(designation(held, source) for held in stated.get("designation", [])),
        properties=properties,
        extensions=tuple(stated.get("extension", [])),
        abstract=True in meanings.values(stated, "notSelectable"),
        inactive=inactive,
        status=status or ("inactive" if inactive else None),
        valid_from=meanings.date(stated, "valid-from"),
        valid_to=meanings.date(stated, "valid-to"),
    )


def _property(stated: Json, source: str | None) -> Property:
    for key, value in stated.items():
        if key.startswith("value"):
            return Property(stated.get("code", ""), key[5:], value, source)
    return Property(stated.get("code", ""), "String", None, source)


def supplement(resource: Json) -> Supplement:
    """A supplement: every designation and property it adds keeps its canonical as source."""
    _shaped(resource)
    info = code_system_info(resource)
    if info.supplements is None:
        raise _refuse(resource, "it is a supplement, but does not say of what (supplements)")
    source = str(info.canonical)
    additions = {}
    for concept in concepts(resource, info, source):
        named = concept.designations
        if concept.display:
            named = (Designation(concept.display, info.language, source=source), *named)
        additions[concept.code] = Concept(
            code=concept.code,
            definition=concept.definition,
            designations=named,
            properties=concept.properties,
            extensions=concept.extensions,
            valid_from=concept.valid_from,
            valid_to=concept.valid_to,
        )
    return Supplement(info, additions, info.properties)


# --- value sets ---------------------------------------------------------------------------------------------


def value_set(resource: Json) -> ValueSet:
    """A ValueSet as algebra; one without url can be used where it stands (inline, contained)."""
    _shaped(resource)
    return _value_set(resource)


def _value_set(resource: Json) -> ValueSet:
    info = ValueSetInfo(
        canonical=Canonical(resource.get("url") or "", resource.get("version")),
        name=resource.get("name"),
        status=resource.get("status"),
        standards_status=extension(resource, STANDARDS_STATUS),
        experimental=resource.get("experimental") is True,
        language=resource.get("language"),
    )
    compose = resource.get("compose")
    if isinstance(compose, dict):
        held = from_compose(compose, str(info))
    elif isinstance(resource.get("expansion"), dict):
        held = from_expansion(resource["expansion"].get("contains", []))
    else:
        held = Union(())
    compose = compose if isinstance(compose, dict) else {}
    locked = compose.get("lockedDate")
    if locked is not None and not dates.known(locked):
        raise _refuse(resource, f"its lockedDate '{str(locked)[:40]}' is no date")
    return ValueSet(
        info=info,
        concepts=held,
        resource=resource,
        inactive=compose.get("inactive"),
        supplements=tuple(_canonicals(resource, SUPPLEMENT)),
        defaults=tuple(_defaults(compose)),
        contained={
            f"#{entry['id']}": _value_set(entry)
            for entry in resource.get("contained", [])
            if entry.get("resourceType") == "ValueSet" and entry.get("id")
        },
        locked=locked,
    )


def _canonicals(holder: Json, url: str) -> Iterator[str]:
    for entry in holder.get("extension", []):
        if entry.get("url") == url:
            yield from (str(value) for key, value in entry.items() if key.startswith("value"))


def _defaults(compose: Json) -> Iterator[tuple[str, Json]]:
    """The expansion parameters of a value set: name and ``value[x]`` as they stand."""
    for entry in compose.get("extension", []):
        if entry.get("url") not in EXPANSION_PARAMETERS:
            continue
        parts = {part.get("url"): part for part in entry.get("extension", [])}
        name = next((v for k, v in parts.get("name", {}).items() if k.startswith("value")), None)
        value = {k: v for k, v in parts.get("value", {}).items() if k.startswith("value")}
        if name and value:
            yield name, value
    for code in compose.get("property", []):
        yield "property", {"valueString": code}


# --- maps -----------------------------------------------------------------------------------------------------


def concept_map(resource: Json) -> ConceptMap:
    """A ConceptMap (R5 form) as rows."""
    _shaped(resource)
    url = resource.get("url")
    if not isinstance(url, str) or not url:
        raise _refuse(resource, "it has no url")
    rows: list[Row] = []
    unmapped: list[Unmapped] = []
    for group in resource.get("group", []):
        rows.extend(_rows(group))
        if "unmapped" in group:
            unmapped.append(_unmapped(group))
    return ConceptMap(
        canonical=Canonical(url, resource.get("version")),
        source_scope=_scope(resource, "sourceScope"),
        target_scope=_scope(resource, "targetScope"),
        rows=tuple(rows),
        unmapped=tuple(unmapped),
        status=resource.get("status"),
    )


def _scope(resource: Json, name: str) -> Canonical | None:
    stated = resource.get(f"{name}Uri") or resource.get(f"{name}Canonical")
    return Canonical.parse(stated) if isinstance(stated, str) else None


def _rows(group: Json) -> Iterator[Row]:
    source, target = Canonical.parse(group.get("source") or ""), Canonical.parse(group.get("target") or "")
    for element in group.get("element", []):
        from_ = Coding(source.url or None, element.get("code"), source.version, element.get("display"))
        if element.get("noMap"):
            yield Row(from_, None, "not-related-to")
        for stated in element.get("target", []):
            yield Row(
                source=from_,
                target=Coding(target.url or None, stated.get("code"), target.version, stated.get("display")),
                relationship=stated.get("relationship", "related-to"),
                depends_on=tuple(stated.get("dependsOn", [])),
                products=tuple(stated.get("product", [])),
                comment=stated.get("comment"),
            )


def _unmapped(group: Json) -> Unmapped:
    stated: Mapping[str, Any] = group["unmapped"]
    other = stated.get("otherMap")
    return Unmapped(
        source_system=Canonical.parse(group.get("source") or "").url or None,
        target_system=Canonical.parse(group.get("target") or "").url or None,
        mode=stated.get("mode", ""),
        code=stated.get("code"),
        display=stated.get("display"),
        relationship=stated.get("relationship"),
        other_map=Canonical.parse(other) if isinstance(other, str) else None,
    )
