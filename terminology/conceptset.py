"""A value set's compose as algebra, and the laws that hold for every reading of it.

``from_compose`` is the only place that knows the shape of ``ValueSet.compose``
(https://hl7.org/fhir/valueset.html#compositions): includes are a union, what stands within one include is an
intersection, excludes are taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from terminology import versions
from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import (
    Canonical,
    ConceptSet,
    Designation,
    Difference,
    Filter,
    Import,
    Intersection,
    Json,
    Listed,
    Query,
    Select,
    Union,
)

SUPPLEMENT = "http://hl7.org/fhir/StructureDefinition/valueset-supplement"


def from_compose(compose: Json, named: str) -> ConceptSet:
    """The algebra of a compose; raises Invalid with every reason. ``named`` is the value set's name for messages."""
    included = _parts(compose.get("include"), "include", named)
    excluded = _parts(compose.get("exclude"), "exclude", named)
    kept = Union(_newest_first(included))
    return Difference(kept, Union(excluded)) if excluded else kept


def from_expansion(contains: list[Json]) -> ConceptSet:
    """A value set that came with its expansion only: the codes it lists."""
    grouped: dict[Canonical, list[Listed]] = {}
    for entry in _flat(contains):
        if entry.get("system") and entry.get("code"):
            canonical = Canonical(entry["system"], entry.get("version"))
            grouped.setdefault(canonical, []).append(listed(entry))
    parts = (
        Select(canonical, Query(listed=tuple(entries)), "ValueSet.expansion") for canonical, entries in grouped.items()
    )
    return Union(tuple(parts))


def _flat(contains: list[Json]) -> Iterator[Json]:
    for entry in contains:
        yield entry
        yield from _flat(entry.get("contains", []))


def _parts(sets: object, role: str, named: str) -> tuple[ConceptSet, ...]:
    if sets is None:
        return ()
    if not isinstance(sets, list):
        raise Invalid(issue("OWN_VALUE_SET_INVALID", named, f"compose.{role} must be a list"))
    return tuple(_part(stated, f"ValueSet.compose.{role}[{i}]", named) for i, stated in enumerate(sets))


def _part(stated: Json, path: str, named: str) -> ConceptSet:
    imports = tuple(Import(Canonical.parse(url)) for url in stated.get("valueSet", []))
    system = stated.get("system")
    if not system:
        if not imports or "concept" in stated or "filter" in stated:
            raise Invalid(issue("OWN_VALUE_SET_INVALID", named, f"{path} names no system", at=path))
        return imports[0] if len(imports) == 1 else Intersection(imports)
    if stated.get("concept") and stated.get("filter"):
        raise Invalid(issue("OWN_VALUE_SET_INVALID", named, f"{path} has both concept and filter", at=path))
    select = Select(Canonical(system, stated.get("version")), _query(stated, path), path, _supplements(stated))
    return Intersection((select, *imports)) if imports else select


def _query(stated: Json, path: str) -> Query:
    filters = tuple(
        Filter(entry.get("property", ""), entry.get("op", ""), entry.get("value"), f"{path}.filter[{i}]")
        for i, entry in enumerate(stated.get("filter", []))
    )
    concepts = stated.get("concept")
    return Query(filters=filters, listed=tuple(listed(entry) for entry in concepts) if concepts else None)


def _supplements(stated: Json) -> tuple[str, ...]:
    return tuple(
        entry.get("valueCanonical") or entry.get("valueUri") or entry.get("valueString") or ""
        for entry in stated.get("extension", [])
        if entry.get("url") == SUPPLEMENT
    )


def listed(entry: Json) -> Listed:
    """What an author stated about one code."""
    return Listed(
        entry.get("code", ""),
        entry.get("display"),
        tuple(designation(held) for held in entry.get("designation", [])),
        tuple(entry.get("extension", [])),
    )


def designation(stated: Json, source: str | None = None) -> Designation:
    """A Designation from its JSON. A withdrawn or deprecated one counts as deprecated."""
    extensions = tuple(stated.get("extension", []))
    old = any(
        e.get("url", "").endswith("/structuredefinition-standards-status") and e.get("valueCode") in _OLD
        for e in extensions
    )
    return Designation(
        value=str(stated.get("value", "")).strip(),
        language=stated.get("language"),
        use=stated.get("use"),
        source=source,
        extensions=extensions,
        additional_use=tuple(stated.get("additionalUse", [])),
        status="deprecated" if old else "active",
    )


_OLD = ("deprecated", "withdrawn")


def _newest_first(parts: tuple[ConceptSet, ...]) -> tuple[ConceptSet, ...]:
    """Includes of one system in descending order of version, each group at the places its members had."""
    places: dict[str, list[int]] = {}
    for place, part in enumerate(parts):
        select = lead(part)
        if select is not None and select.system.version:
            places.setdefault(select.system.url, []).append(place)
    ordered = list(parts)
    for held in places.values():
        group = sorted((parts[place] for place in held), key=lambda p: versions.order(_version(p)), reverse=True)
        for place, part in zip(held, group, strict=True):
            ordered[place] = part
    return tuple(ordered)


def _version(part: ConceptSet) -> str | None:
    select = lead(part)
    return select.system.version if select else None


# --- readings of a concept set ----------------------------------------------------------------------------


def lead(part: ConceptSet) -> Select | None:
    """The code system that an include draws from, where it names one."""
    if isinstance(part, Select):
        return part
    if isinstance(part, Intersection) and isinstance(part.parts[0], Select):
        return part.parts[0]
    return None


def included(concepts: ConceptSet) -> tuple[ConceptSet, ...]:
    """The includes of a compose."""
    kept = concepts.kept if isinstance(concepts, Difference) else concepts
    return kept.parts if isinstance(kept, Union) else (kept,)


def excluded(concepts: ConceptSet) -> tuple[ConceptSet, ...]:
    """The excludes of a compose."""
    removed = concepts.removed if isinstance(concepts, Difference) else Union(())
    return removed.parts if isinstance(removed, Union) else (removed,)


def leaves(concepts: ConceptSet) -> Iterator[Select | Import]:
    """All selects and imports, in reading order, excludes last."""
    if isinstance(concepts, (Select, Import)):
        yield concepts
    elif isinstance(concepts, Difference):
        yield from leaves(concepts.kept)
        yield from leaves(concepts.removed)
    else:
        for part in concepts.parts:
            yield from leaves(part)


def reselected(concepts: ConceptSet, change: Callable[[Select], Select]) -> ConceptSet:
    """The same set with every select changed."""
    if isinstance(concepts, Import):
        return concepts
    if isinstance(concepts, Select):
        return change(concepts)
    if isinstance(concepts, Difference):
        return Difference(reselected(concepts.kept, change), reselected(concepts.removed, change))
    parts = tuple(reselected(part, change) for part in concepts.parts)
    return Union(parts) if isinstance(concepts, Union) else Intersection(parts)


@dataclass(frozen=True, slots=True)
class Overload:
    """How a compose treats several versions of one system: ``several`` meet in it; ``match`` means that their codes
    count as the same; ``implied`` that no author said so."""

    several: bool
    match: bool
    implied: bool


def overload(concepts: ConceptSet, stated: bool | None) -> Overload:
    """The treatment of versions; ``stated`` is the value set's or the client's ``versionsMatch``.

    Where every include and every exclude pins a version of one system and no version stands on both sides, taking
    codes away can only mean the codes of any version: the versions match, though nobody said so.
    """
    parts = (*included(concepts), *excluded(concepts))
    if len(parts) < 2:
        return Overload(several=False, match=bool(stated), implied=False)
    pinned: dict[str, set[str | None]] = {}
    for part in parts:
        if select := lead(part):
            pinned.setdefault(select.system.url, set()).add(select.system.version)
    several = any(len(held) > 1 for held in pinned.values())
    if stated is not None:
        return Overload(several, stated, implied=False)
    apart = _pinned_apart(concepts)
    return Overload(several, apart, implied=apart)


def _pinned_apart(concepts: ConceptSet) -> bool:
    kept = [lead(part) for part in included(concepts)]
    removed = [lead(part) for part in excluded(concepts)]
    if not kept or not removed or kept[0] is None:
        return False
    system = kept[0].system.url
    if not all(s is not None and s.system.url == system and s.system.version for s in (*kept, *removed)):
        return False
    return {s.system.version for s in kept if s}.isdisjoint(s.system.version for s in removed if s)
