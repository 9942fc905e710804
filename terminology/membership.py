"""Is a code in a value set: one reading of the algebra for any number of codings at once.

A hit wins wherever it stands: an unknown code system in one branch does not hide a hit in another. Findings travel
up in ``Found``; the reasons of a miss are looked for afterwards, by whoever wants to explain it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import Enum

from terminology import versions
from terminology.catalog import Scope
from terminology.conceptset import Overload, lead, overload
from terminology.frozen import dataclass
from terminology.issues import issue
from terminology.languages import names
from terminology.model import (
    Canonical,
    CodeSystemInfo,
    CodeSystemProvider,
    Coding,
    Concept,
    ConceptSet,
    Difference,
    Import,
    Intersection,
    Issue,
    Listed,
    Query,
    Select,
    Union,
    ValueSet,
    ValueSetInfo,
)
from terminology.resolution import edition, imported

STANDARDS_STATUS = "http://hl7.org/fhir/StructureDefinition/structuredefinition-standards-status"
DEPRECATED_HERE = "http://hl7.org/fhir/StructureDefinition/valueset-deprecated"


class Verdict(Enum):
    """IN, OUT, or UNKNOWN: a part that could not be judged might hold the code."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reference:
    """Content that was consulted, and the value set that referred to it."""

    info: CodeSystemInfo | ValueSetInfo
    referrer: ValueSetInfo


@dataclass(frozen=True, slots=True)
class Found:
    """What was found about one coding. ``provider`` and ``concept`` are those of the branch that decided;
    ``inactive`` is a concept that would be in but for its being inactive."""

    coding: Coding
    verdict: Verdict = Verdict.OUT
    provider: CodeSystemProvider | None = None
    concept: Concept | None = None
    listed: Listed | None = None
    issues: tuple[Issue, ...] = ()
    unknown: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    inactive: Concept | None = None
    named: bool = False
    """True where a version was named for the provider: it then answers on any day."""

    @property
    def canonical(self) -> Canonical | None:
        return self.provider.info.canonical if self.provider else None


def among(
    codings: Sequence[Coding], value_set: ValueSet, scope: Scope, *, match: bool | None = None
) -> tuple[Found, ...]:
    """What the value set says about each coding, in their order. ``scope`` is that of ``prepare``.

    ``match`` is the client's or author's statement whether versions of a system count as the same.
    """
    reading = _Reading(value_set, scope, overload(value_set.concepts, match))
    return tuple(reading.evaluate(value_set.concepts, list(codings)))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One value set being read; imports are read by another one."""

    value_set: ValueSet
    scope: Scope
    overload: Overload
    active: bool = False
    """True where a value set that imports this one excludes what is inactive. It is asked of the member alone: what the
    member is intersected with, and what is taken away, may be another version of the code."""

    def evaluate(self, concepts: ConceptSet, codings: list[Coding]) -> list[Found]:
        if not codings:
            return []
        return _READERS[type(concepts)](self, concepts, codings)

    # --- the algebra -----------------------------------------------------------------------------------------

    def union(self, union: Union, codings: list[Coding], removed: ConceptSet | None = None) -> list[Found]:
        """The first part that has a coding answers for it. What ``removed`` takes away may still be in a later part:
        another version of the system, say."""
        if len(union.parts) == 1:
            return self._without(self.evaluate(union.parts[0], codings), removed)
        results = [Found(coding) for coding in codings]
        allowed = [self._applicable(union, coding) for coding in codings]
        for place, part in enumerate(union.parts):
            open_ = [i for i, f in enumerate(results) if f.verdict is not Verdict.IN and place in allowed[i]]
            part_found = self.evaluate(part, [codings[i] for i in open_])
            for i, found in zip(open_, self._without(part_found, removed), strict=True):
                results[i] = _either(results[i], found)
        return results

    def _without(self, results: list[Found], removed: ConceptSet | None) -> list[Found]:
        hits = [i for i, found in enumerate(results) if found.verdict is Verdict.IN]
        if removed is None or not hits:
            return results
        for i, gone in zip(hits, self.removes(removed, [_resolved(results[i]) for i in hits]), strict=True):
            if gone:
                results[i] = replace(results[i], verdict=Verdict.OUT)
        return results

    def intersection(self, both: Intersection, codings: list[Coding]) -> list[Found]:
        results = self.evaluate(both.parts[0], codings)
        inner = replace(self, active=False) if self.active else self
        for part in both.parts[1:]:
            open_ = [i for i, found in enumerate(results) if found.verdict is Verdict.IN]
            for i, found in zip(open_, inner.evaluate(part, [_resolved(results[i]) for i in open_]), strict=True):
                results[i] = _both(results[i], _as_asked(found, codings[i]))
        return results

    def difference(self, difference: Difference, codings: list[Coding]) -> list[Found]:
        if isinstance(difference.kept, Union):
            return self.union(difference.kept, codings, difference.removed)
        return self._without(self.evaluate(difference.kept, codings), difference.removed)

    def removes(self, removed: ConceptSet, codings: Sequence[Coding]) -> list[bool]:
        """Whether an exclude takes each coding away. Codings carry the version that was resolved for them."""
        parts = removed.parts if isinstance(removed, Union) else (removed,)
        scope = replace(self.scope, abstract=True, active_only=False, membership_only=True)
        quiet = replace(self, scope=scope, active=False)
        gone = [False] * len(codings)
        for part in parts:
            for i, found in enumerate(quiet.evaluate(part, [quiet._as_excluded(part, c) for c in codings])):
                gone[i] = gone[i] or (found.verdict is Verdict.IN and found.concept is not None)
        return gone

    def _as_excluded(self, part: ConceptSet, coding: Coding) -> Coding:
        """The coding as an exclude sees it: another version's code is another code, unless versions match or the
        exclude names no version."""
        select = lead(part)
        if select is None:
            return replace(coding, version=None)
        pinned = select.system.version
        apart = pinned and not self.overload.match and self.overload.several
        if apart and not versions.matches(pinned, coding.version):
            return Coding()
        return replace(coding, version=None)

    def import_(self, named: Import, codings: list[Coding]) -> list[Found]:
        inner = imported(named, self.value_set, self.scope)
        reference = Reference(inner.value_set.info, self.value_set.info)
        active = self.active or self.value_set.inactive is False
        inside = _Reading(inner.value_set, inner.scope, overload(inner.value_set.concepts, None), active)
        found = inside.evaluate(inner.value_set.concepts, codings)
        return [replace(entry, references=(reference, *entry.references)) for entry in found]

    # --- leaves ------------------------------------------------------------------------------------------------

    def select(self, select: Select, codings: list[Coding]) -> list[Found]:
        """One query for each edition that the codings lead to, however many codings."""
        results = [Found(coding) for coding in codings]
        groups: dict[str | None, list[int]] = {}
        for i, coding in enumerate(codings):
            if coding.system == select.system.url and coding.code:
                groups.setdefault(coding.version, []).append(i)
        for stated, places in groups.items():
            for i, found in zip(places, self._query(select, stated, [codings[i] for i in places]), strict=True):
                results[i] = found
        return results

    def _query(self, select: Select, stated: str | None, codings: list[Coding]) -> list[Found]:
        answer = edition(select, self.scope, stated)
        if answer.provider is None:
            verdict = Verdict.OUT if self.scope.membership_only else Verdict.UNKNOWN
            said = () if self.scope.membership_only else answer.issues
            return [Found(c, verdict, issues=said, unknown=answer.unknown) for c in codings]
        fold = (lambda code: code) if answer.provider.info.case_sensitive else str.casefold
        asked = [fold(str(coding.code)) for coding in codings]
        codes = [str(coding.code) for coding in codings]
        hits: dict[str, tuple[CodeSystemProvider, Concept]] = {}
        for each in (answer.provider, *answer.others):
            hits = {fold(c.code): (each, c) for c in _holding(each, select.query, codes)} | hits
        listed = _listed(select.query, asked, fold)
        results = []
        for coding, key in zip(codings, asked, strict=True):
            provider, hit = hits.get(key, (answer.provider, None))
            found = Found(
                coding,
                Verdict.OUT if hit is None else Verdict.IN,
                provider,
                hit,
                listed.get(key),
                answer.issues,
                answer.unknown,
                (Reference(provider.info, self.value_set.info),),
                named=answer.named,
            )
            results.append(self._missed(found, select) if hit is None else self._judged(found, select))
        return results

    def _missed(self, found: Found, select: Select) -> Found:
        info = found.provider.info if found.provider else None
        if info is None or not select.query.whole or info.content != "fragment" or self.scope.membership_only:
            return found
        said = issue(
            "UNKNOWN_CODE_IN_FRAGMENT",
            found.coding.code,
            info.canonical.url,
            info.canonical.version or "",
            at="code",
        )
        return replace(found, verdict=Verdict.IN, issues=(*found.issues, said))

    def _judged(self, found: Found, select: Select) -> Found:
        concept, provider = found.concept, found.provider
        assert concept is not None
        assert provider is not None
        said: list[Issue] = []
        code, url = concept.code, provider.info.canonical.url
        if concept.code != found.coding.code:
            said.append(issue("CODE_CASE_DIFFERENCE", found.coding.code, code, provider.info.canonical, at="code"))
        if concept.abstract and not self.scope.abstract:
            said.append(issue("ABSTRACT_CODE_NOT_ALLOWED", url, code, at="code"))
            return replace(found, verdict=Verdict.OUT, issues=(*found.issues, *said))
        excluded = self.value_set.inactive is False or self.active or self.scope.active_only
        if concept.inactive and excluded:
            if select.query.whole or self.scope.active_only:
                said.append(issue("STATUS_CODE_WARNING_CODE", code, at="code"))
            return replace(found, verdict=Verdict.OUT, issues=(*found.issues, *said), inactive=concept)
        if status := _discouraged(found.listed):
            named = str(self.value_set.info)
            said.append(issue("CONCEPT_DEPRECATED_IN_VALUESET", url, code, status, named, at="code"))
        return replace(found, issues=(*found.issues, *said)) if said else found

    # --- several versions in one compose -------------------------------------------------------------------------

    def _applicable(self, union: Union, coding: Coding) -> frozenset[int]:
        """The parts that may speak about a coding where a compose states several versions of its system."""
        everything = frozenset(range(len(union.parts)))
        stated = {
            place: select.system.version
            for place, part in enumerate(union.parts)
            if (select := lead(part)) and select.system.url == coding.system
        }
        pinned = {version for version in stated.values() if version}
        if coding.version:
            chosen = coding.version if coding.version in pinned else None
        else:
            chosen = self._newest_holding(coding, pinned) if len(pinned) > 1 else None
        if chosen is None:
            return everything
        return everything - {place for place, version in stated.items() if version and version != chosen}

    def _newest_holding(self, coding: Coding, pinned: set[str]) -> str | None:
        """The newest of the stated versions that has the code (and the display, where one came)."""
        ordered = sorted(pinned, key=versions.order, reverse=True)
        holding = [version for version in ordered if self._holds(coding, version)]
        if len(holding) == len(ordered):
            return None
        return holding[0] if holding else ordered[0]

    def _holds(self, coding: Coding, version: str) -> bool:
        provider = self.scope.provider(coding.system or "", version)
        concept = provider.find(coding.code or "") if provider else None
        if provider is None or not isinstance(concept, Concept):
            return False
        known = {entry.value for entry in names(concept, provider.info.language)}
        return not coding.display or coding.display in known


def _holding(provider: CodeSystemProvider, query: Query, codes: list[str]) -> Iterable[Concept]:
    """Those of the codes that a query has, in one question; of a whole system a single code is found."""
    if len(codes) > 1 or not query.whole:
        return provider.select(query.only(codes))
    found = provider.find(codes[0])
    return (found,) if isinstance(found, Concept) else ()


def _listed(query: Query, asked: Sequence[str], fold: Callable[[str], str]) -> dict[str, Listed]:
    """What the author stated about the codes asked for, where they were listed."""
    if query.listed is None:
        return {}
    wanted = frozenset(asked)
    return {key: entry for entry in query.listed if (key := fold(entry.code)) in wanted}


_READERS: dict[type, Callable[..., list[Found]]] = {
    Union: _Reading.union,
    Intersection: _Reading.intersection,
    Difference: _Reading.difference,
    Import: _Reading.import_,
    Select: _Reading.select,
}


def excluding(value_set: ValueSet, scope: Scope, match: bool | None) -> Callable[[Sequence[Coding]], list[bool]]:
    """The test of the value set's excludes, for readers that list: the same law as ``among``."""
    concepts = value_set.concepts
    if not isinstance(concepts, Difference):
        return lambda codings: [False] * len(codings)
    reading = _Reading(value_set, scope, overload(concepts, match))
    return lambda codings: reading.removes(concepts.removed, codings)


def _resolved(found: Found) -> Coding:
    canonical = found.canonical
    code = found.concept.code if found.concept else found.coding.code
    return replace(found.coding, code=code, version=canonical.version if canonical else found.coding.version)


def _as_asked(found: Found, coding: Coding) -> Found:
    """A finding about a coding whose version was resolved on the way: what it says of that version is moot."""
    if coding.version:
        return replace(found, coding=coding)
    moot = ("VALUESET_VALUE_MISMATCH", "UNKNOWN_CODESYSTEM_VERSION")
    said = tuple(entry for entry in found.issues if not entry.message_id.startswith(moot))
    return replace(found, coding=coding, issues=said, unknown=() if said != found.issues else found.unknown)


def _either(before: Found, now: Found) -> Found:
    """A hit wins and brings its own findings; otherwise what is unknown outweighs a miss."""
    references = before.references + tuple(r for r in now.references if r not in before.references)
    if now.verdict is Verdict.IN:
        return replace(now, references=references)
    said = before.issues + tuple(found for found in now.issues if found not in before.issues)
    unknown = before.unknown + tuple(name for name in now.unknown if name not in before.unknown)
    unsure = Verdict.UNKNOWN in (before.verdict, now.verdict)
    return replace(
        before,
        verdict=Verdict.UNKNOWN if unsure else Verdict.OUT,
        provider=now.provider if before.provider is None else before.provider,
        concept=before.concept or now.concept,
        listed=before.listed or now.listed,
        issues=said,
        unknown=unknown,
        references=references,
        inactive=before.inactive or now.inactive,
        named=now.named if before.provider is None else before.named,
    )


def _both(before: Found, now: Found) -> Found:
    """In only where both are in; the first one's concept is the one to show."""
    said = before.issues + tuple(found for found in now.issues if found not in before.issues)
    return replace(
        before,
        verdict=now.verdict,
        issues=said,
        unknown=before.unknown + tuple(name for name in now.unknown if name not in before.unknown),
        references=before.references + now.references,
        inactive=before.inactive or now.inactive,
    )


def _discouraged(listed: Listed | None) -> str | None:
    for entry in listed.extensions if listed else ():
        value = next((v for k, v in entry.items() if k.startswith("value")), None)
        if entry.get("url") == STANDARDS_STATUS and value in ("withdrawn", "deprecated"):
            return str(value)
        if entry.get("url") == DEPRECATED_HERE:
            return "deprecated"
    return None
