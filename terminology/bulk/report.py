"""The nouns of a bulk run: where something was found, what was found how often, and the report of it all.

Findings are grouped while they come in, by reason and code, with a count and the first places: a file with two million
equal findings makes one group. The number of groups is bounded too; what does not fit is counted by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol

from terminology.frozen import dataclass
from terminology.issues import text
from terminology.model import Canonical, Coding
from terminology.procedures.records import Finding, Verdict

PROGRAM = "flask-fhir-terminology"
Unit = Literal["line", "row", "document"]
VERDICTS: tuple[Verdict, ...] = ("right", "wrong", "unjudged")
SEVERITIES = ("fatal", "error", "warning", "information")
"""The worst first."""

FIRST_PLACES = 5
MOST_GROUPS = 10_000
_MOST_KINDS, _OTHER = 200, "other"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: a line of NDJSON, a row of a table (1 is the first below the header), or a document.

    ``inside`` is the FHIRPath of the resource where one line or document holds several (a Bundle).
    """

    source: str
    unit: Unit
    number: int | None = None
    inside: str | None = None

    def __str__(self) -> str:
        where = self.source if self.number is None else f"{self.source}:{self.number}"
        return f"{where} {self.inside}" if self.inside else where


@dataclass(frozen=True, slots=True)
class Found:
    """One finding at one place."""

    place: Place
    finding: Finding

    @property
    def expression(self) -> str | None:
        """The FHIRPath from the top of the line or document."""
        path = self.finding.issue.expression
        if not self.place.inside or not path:
            return path
        return f"{self.place.inside}.{path.partition('.')[2]}" if "." in path else self.place.inside


@dataclass(frozen=True, slots=True)
class Batch:
    """What judging a part of the input gave. ``skipped`` counts, by type, resources without a code to judge;
    ``profiled`` those that were held to a profile."""

    verdicts: Mapping[Verdict, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    found: tuple[Found, ...] = ()
    used: frozenset[Canonical] = frozenset()
    profiled: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Equal findings: the same reason at the same severity about the same code, or with the same message about none.
    ``said`` is the first one's sentence, ``places`` are the first ones."""

    reason: str
    severity: str
    coding: Coding | None
    said: str
    count: int
    places: tuple[Place, ...]
    suggestion: Coding | None = None
    diagnostics: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One file as it was read. ``digest`` is the SHA-256 of its bytes; None where it was not read to its end."""

    name: str
    kind: str
    records: int
    size: int | None = None
    digest: str | None = None
    distinct: int | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a report came about, so that it can be made again."""

    command: str
    version: str
    begun: str
    fhir: str
    value_set: str | None = None
    date: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that a run found. ``further`` counts, by reason, the findings whose groups are over the bound.

    ``partial``: the run was stopped; what is said holds for what was read until then. ``failed``: something could not
    be read for a reason that lies outside the data.
    """

    provenance: Provenance
    inputs: tuple[Input, ...]
    verdicts: Mapping[Verdict, int]
    severities: Mapping[str, int]
    groups: tuple[Group, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    further: Mapping[str, int] = field(default_factory=dict)
    used: tuple[Canonical, ...] = ()
    profiled: int = 0
    partial: bool = False
    failed: bool = False
    seconds: float = 0.0

    @property
    def records(self) -> int:
        """The records that were judged."""
        return sum(self.verdicts.values())

    @property
    def findings(self) -> int:
        return sum(self.severities.values())

    @property
    def clean(self) -> bool:
        """True when all was read and every coding is right; warnings do not matter to it."""
        errors = self.severities.get("fatal", 0) + self.severities.get("error", 0)
        bad = self.verdicts.get("wrong", 0) + self.verdicts.get("unjudged", 0)
        return not (self.partial or self.failed or errors or bad)

    def reaches(self, severity: str) -> bool:
        """True when something was found of that severity or a worse one."""
        worse = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return any(self.severities.get(each) for each in worse)


def counted(records: int) -> str:
    """So many records, in words."""
    return f"{records:,} record" if records == 1 else f"{records:,} records"


class Sink(Protocol):
    """What takes findings as they come; the order is that of the input."""

    def found(self, found: Found) -> None: ...


_Key = tuple[str, str, str | None, str | None]


class _Equal:
    """The findings of one group so far; ``first`` is that of the first place, however they come in."""

    __slots__ = ("count", "first", "places")

    def __init__(self, first: Finding) -> None:
        self.first, self.count = first, 0
        self.places: list[Place] = []

    def add(self, finding: Finding, places: Sequence[Place], count: int) -> None:
        self.count += count
        if len(self.places) == FIRST_PLACES and not _before(places[0], self.places[-1]):
            return
        if self.places and _before(places[0], self.places[0]):
            self.first = finding
        self._merge(places)

    def _merge(self, places: Sequence[Place]) -> None:
        for place in places:
            at = len(self.places)
            while at and _before(place, self.places[at - 1]):
                at -= 1
            self.places.insert(at, place)
        del self.places[FIRST_PLACES:]


def _before(one: Place, other: Place) -> bool:
    """True where both are rows of one table and ``one`` comes first; all else comes in its order."""
    return one.source == other.source and (one.number or 0) < (other.number or 0)


class Tally:
    """What was found so far. It hands every finding on to the sinks, and counts."""

    def __init__(self, sinks: Sequence[Sink] = (), limit: int | None = None, most: int = MOST_GROUPS) -> None:
        """``limit`` bounds the findings handed on, not those counted; ``most`` bounds the groups."""
        self.inputs: list[Input] = []
        self.verdicts: Counter[Verdict] = Counter()
        self.severities: Counter[str] = Counter()
        self.further: Counter[str] = Counter()
        self.used: set[Canonical] = set()
        self.skipped: Counter[str] = Counter()
        self.profiled = 0
        self.failed = False
        self._sinks, self.left, self._most = tuple(sinks), limit, most
        self._groups: dict[_Key, _Equal] = {}

    def listing(self) -> bool:
        """True while somebody wants each finding, not only the groups."""
        return bool(self._sinks) and self.left != 0

    @property
    def records(self) -> int:
        return self.verdicts.total()

    def add(self, batch: Batch) -> None:
        self.verdicts.update(batch.verdicts)
        for kind, count in batch.skipped.items():
            self.skipped[kind if kind in self.skipped or len(self.skipped) < _MOST_KINDS else _OTHER] += count
        self.used |= batch.used
        self.profiled += batch.profiled
        for found in batch.found:
            self.note(found.finding, (found.place,))
            self.hand_on(found)

    def note(self, finding: Finding, places: Sequence[Place], count: int = 1) -> None:
        """Counts a finding that was made ``count`` times; ``places`` are the first of its places."""
        self.severities[finding.issue.severity] += count
        self._group(finding, places, count)

    def hand_on(self, found: Found) -> None:
        """Tells the sinks of a finding, which is counted by ``note``."""
        if not self.listing():
            return
        if self.left is not None:
            self.left -= 1
        for sink in self._sinks:
            sink.found(found)

    def _group(self, finding: Finding, places: Sequence[Place], count: int) -> None:
        coding = finding.coding
        about = (coding.system, coding.code) if coding else (None, finding.issue.message_id)
        key = (finding.reason, finding.issue.severity, *about)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= self._most:
                self.further[finding.reason] += count
                return
            group = self._groups[key] = _Equal(finding)
        group.add(finding, places, count)

    def groups(self) -> tuple[Group, ...]:
        """The worst first, then the most frequent."""
        made = [_group(key, held) for key, held in self._groups.items()]
        return tuple(sorted(made, key=_order))

    def report(self, provenance: Provenance, *, partial: bool = False, seconds: float = 0.0) -> Report:
        return Report(
            provenance=provenance,
            inputs=tuple(self.inputs),
            verdicts={each: self.verdicts[each] for each in VERDICTS},
            severities={each: self.severities[each] for each in SEVERITIES},
            groups=self.groups(),
            skipped=dict(self.skipped),
            further=dict(self.further),
            used=tuple(sorted(self.used, key=str)),
            profiled=self.profiled,
            partial=partial,
            failed=self.failed,
            seconds=seconds,
        )


def _group(key: _Key, held: _Equal) -> Group:
    reason, severity, *_ = key
    coding, issue = held.first.coding, held.first.issue
    about = Coding(system=coding.system, code=coding.code) if coding else None
    return Group(
        reason, severity, about, text(issue), held.count, tuple(held.places), issue.suggestion, issue.diagnostics
    )


def _order(group: Group) -> tuple[int, int, str, str]:
    return SEVERITIES.index(group.severity), -group.count, group.reason, str(group.coding or "")
