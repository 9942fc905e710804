"""The judge of coded records: made once from content and settings, asked for any number of records.

``judge`` is pure and deterministic, so threads may share one judge, and callers may remember its answers by ``Record``.
In another process it is made again from what made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import Any, Protocol, get_args

from terminology import dates
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, issue
from terminology.locked import settled
from terminology.model import Canonical, Coding, FhirVersion, Issue, Json, ValueSet
from terminology.procedures import profiles, reading, rules
from terminology.procedures.agreements import Agreements
from terminology.procedures.coded import labelled
from terminology.procedures.coherence import knowledge
from terminology.procedures.opinions import Opinion, Opinions, PlainCode
from terminology.procedures.profiles import Profile
from terminology.procedures.records import Basis, Days, Element, Finding, JudgedCoding, Judgement, Record
from terminology.procedures.rules import Case, Rule, rule_of
from terminology.resolution import prepare

BASES: Mapping[str, Basis] = {system: row.basis for system, row in rules.forms().items() if row.basis != "service"}
"""Which day decides for a code system that does not go by the day of service. A record that does not state that day is
judged by the day of service."""

_SEVERITY = {"fatal": 0, "error": 1, "warning": 2, "information": 3}
Span = tuple[str | None, str | None]
Plain = tuple[Sequence[str | None], str, str]
"""(system, code, version, display) with the first and the last full day of the rows that have them."""


def read_bases(stated: Iterable[str], at: str = "date_basis") -> dict[str, Basis]:
    """From ``system|basis``; raises Invalid for what is none. ``at`` is the parameter or setting that states it."""
    found: dict[str, Basis] = {}
    for each in stated:
        system, _, basis = each.rpartition("|")
        known = next((one for one in get_args(Basis) if one == basis), None)
        if not system or known is None:
            wanted = f"system|{' or '.join(get_args(Basis))}"
            raise Invalid(issue("OWN_WRONG_TYPE", at, wanted, repr(each[:100]), at=at))
        found[system] = known
    return found


class Content(Protocol):
    """What a judge is made from, beside a Scope: a service that gives the scope of a request without parameters."""

    def open_scope(self, fhir: FhirVersion = "R5") -> Scope: ...


@dataclass(frozen=True, eq=False, repr=False)
class Judge:
    """``asking`` is the scope in which the value set is asked. ``made_of`` is what ``of`` got: with it a copy in
    another process is made."""

    scope: Scope
    asking: Scope
    value_set: ValueSet | None = None
    bases: Mapping[str, Basis] = field(default_factory=lambda: dict(BASES))
    profile: Profile | None = None
    agreements: Agreements = field(default_factory=Agreements)
    opinions: Opinions = field(init=False)
    made_of: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "opinions", Opinions(self.scope))

    @classmethod
    def of(
        cls,
        source: Content | Scope,
        value_set: str | None = None,
        bases: Mapping[str, Basis] | None = None,
        profile: str | None = None,
        fhir: FhirVersion = "R4",
    ) -> Judge:
        """A judge over the content of a service (``State``) or of a Scope.

        ``value_set``: url|version that a main code must be in; ``bases``: which day decides, by system url, over the
        defaults; ``profile``: a canonical, to which the resources of its type are held; ``fhir``: whose content of a
        service it is. Raises NotFound and NotSupported for what is not known here.
        """
        scope = source if isinstance(source, Scope) else source.open_scope(fhir)
        made_of = (source, value_set, dict(bases or {}), profile, fhir)
        wanted = _value_set(value_set, scope) if value_set else None
        asking = prepare(wanted, scope) if wanted else scope
        bound = profiles.named(profile, scope.fhir) if profile else None
        decided = {**BASES, **read_bases(scope.date_basis), **(bases or {})}
        return cls(scope, asking, wanted, decided, bound, made_of=made_of)

    def __reduce__(self) -> tuple[Any, ...]:
        return Judge.of, self.made_of

    def read(self, resource: Json, fhir: FhirVersion = "R4") -> Record:
        """The coded content of a resource, and its flaws; raises Invalid for a type that is not judged."""
        record = reading.record(resource, fhir)
        if self.profile is None or not self.profiles(record.kind):
            return record
        needed = tuple(_finding(each) for each in profiles.missing(resource, self.profile))
        return replace(record, flaws=record.flaws + needed)

    def profiles(self, kind: str) -> bool:
        """Whether resources of a type are held to the profile."""
        return self.profile is not None and self.profile.kind == kind

    def row(
        self,
        system: str | None,
        code: str | None,
        version: str | None = None,
        display: str | None = None,
        date: str | None = None,
    ) -> Record:
        """The record of one row of a table. ``date`` is the day of service."""
        return reading.row(system, code, version, display, date)

    def turns(self, system: str | None, code: str | None) -> tuple[str, ...]:
        """The days from which on a coding may be judged differently than on the day before, in order: the bounds of its
        system's releases, of the code in each of them, and of the rules. Of the days between two of them one is enough,
        as long as nothing is found: a finding may name the day, or a code of another system."""
        return self.opinions.turns(Coding(system, code))

    def plain(self, asked_of: Sequence[Plain]) -> list[frozenset[Canonical] | None]:
        """For each what answers about rows of that coding, where it is plainly right on all full days from the first to
        the last: ``judge`` would find nothing. None: ``judge`` must be asked."""
        if self.value_set is not None:
            return [None] * len(asked_of)
        return self.opinions.plain_between([(Coding(*coding), first, last) for coding, first, last in asked_of])

    def plain_codes(self, most: int) -> Iterator[tuple[str, list[PlainCode]]]:
        """By code system what ``plain`` says of its codes: of those systems that have no more of them than what is left
        of ``most``."""
        if self.value_set is not None:
            return
        for system in sorted(self.scope.catalog.urls()):
            codes = list(islice(self.opinions.plain_codes(system), most + 1))
            if codes and len(codes) <= most:
                most -= len(codes)
                yield system, codes

    def judge(self, record: Record, date: str | None = None) -> Judgement:
        """Every coding on its day (on ``date`` where one is given), and what was found, element by element."""
        codings: list[JudgedCoding] = []
        findings = list(record.flaws)
        for element in record.elements:
            judged, found = self._element(element, record, date)
            codings += judged
            findings += _ordered(dict.fromkeys(found))
        on = date or next((first for each in record.elements if (first := _span(each.days, "service")[0])), None)
        case = Case(self.scope, record, on=on)
        findings += [self._labelled(each, on) for rule in rules.of("record") for each in _found(rule, case)]
        return Judgement(tuple(codings), tuple(findings))

    # --- an element --------------------------------------------------------------------------------------------

    def _element(
        self, element: Element, record: Record, date: str | None
    ) -> tuple[list[JudgedCoding], Iterator[Finding]]:
        if not element.codings:
            said = _finding(_uncoded(element))
            return ([JudgedCoding(element.path, Coding(), "unjudged")] if element.main else []), iter((said,))
        codings: list[JudgedCoding] = []
        findings: list[Finding] = []
        for path, coding in _placed(element):
            judged, found = self._coding(coding, path, element, date)
            codings.append(judged)
            findings += found
        case = Case(
            self.asking,
            record,
            element,
            element.path,
            on=date or _span(element.days, "service")[0],
            value_set=self.value_set,
            profile=self.profile,
            agreements=self.agreements,
        )
        more = [self._labelled(each, case.on) for rule in rules.of("element") for each in _found(rule, case)]
        return codings, iter((*findings, *more))

    # --- one coding on its day ---------------------------------------------------------------------------------

    def _coding(
        self, coding: Coding, path: str, element: Element, date: str | None
    ) -> tuple[JudgedCoding, list[Finding]]:
        basis = self.bases.get(coding.system or "", "service")
        first, last = _full(date, None) if date else _full(*_span(element.days, basis))
        held = self.opinions.of(coding, first)
        found = list(held.found)
        verdict = held.verdict
        if first and last and last != first:
            ended = self.opinions.of(coding, last)
            if ended.verdict != held.verdict or _between(ended, first, last) or _meant_else(coding, first, last):
                across = issue("OWN_PERIOD_ACROSS", coding.code, coding.system, first, last, at="code")
                verdict, found = "unjudged", [(rule_of(across.message_id, across.severity), across)]
        if basis != "service" and first and not date and all(each.basis != basis for each in element.days):
            other = issue("OWN_OTHER_BASIS", coding.system, basis, at="")
            found.append((rule_of(other.message_id, other.severity), other))
        judged = JudgedCoding(path, coding, verdict, held.used, held.display)
        return judged, [_placing(rule, each, path, coding) for rule, each in found]

    def _labelled(self, found: Finding, on: str | None) -> Finding:
        """The finding with our label on the coding that it suggests, as that stood on the day."""
        meant = found.issue.suggestion
        if meant is None:
            return found
        scope = replace(self.scope, on=on) if on else self.scope
        return replace(found, issue=replace(found.issue, suggestion=labelled(meant, scope)))


def _value_set(named: str, scope: Scope) -> ValueSet:
    canonical = Canonical.parse(named)
    found = scope.catalog.value_set(canonical.url, canonical.version)
    if found is None:
        raise NotFound(issue("Unable_to_resolve_value_Set_", canonical, at="valueSet"))
    return settled(found, scope)


# --- findings --------------------------------------------------------------------------------------------------


def _found(rule: Rule, case: Case) -> Iterator[Finding]:
    for said in rules.raised(rule, case):
        yield Finding(rule.name, rules.weighed(rule, said))


def _finding(said: Issue, coding: Coding | None = None) -> Finding:
    """A finding of the reading or of the judge itself, under the rule that its message belongs to."""
    rule = rule_of(said.message_id, said.severity)
    return Finding(rule.name, rules.weighed(rule, said), coding)


def _placing(rule: Rule, said: Issue, path: str, coding: Coding) -> Finding:
    """A finding about a coding, whose expression is relative to it."""
    place = path if said.expression is None else ".".join(part for part in (path, said.expression) if part)
    return Finding(rule.name, said.at(place), coding)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; what is as bad stays in its order."""
    return sorted(findings, key=lambda found: _SEVERITY[found.issue.severity])


def _uncoded(element: Element) -> Issue:
    """What to say of an element without a coding; only of the main one it is a warning."""
    message = (
        "OWN_TEXT_ONLY" if element.text else "OWN_ROW_UNCODED" if element.path == reading.ROW else "OWN_CODE_MISSING"
    )
    return issue(message, element.path, at=element.path, severity=None if element.main else "information")


def _placed(element: Element) -> Iterator[tuple[str, Coding]]:
    if element.single:
        yield from ((element.path, coding) for coding in element.codings)
        return
    for place, coding in enumerate(element.codings):
        yield f"{element.path}.coding[{place}]", coding


# --- days ------------------------------------------------------------------------------------------------------


def _span(days: Iterable[Days], basis: Basis) -> Span:
    """First and last day of a basis, else of the service."""
    by_basis = {each.basis: each for each in days}
    found = by_basis.get(basis) or by_basis.get("service")
    return (found.first or found.last, found.last) if found else (None, None)


def _full(first: str | None, last: str | None) -> Span:
    """Full days: a partial date is the days from its first to its last."""
    end = last or first
    return (dates.first_day(first) if first else None, dates.last_day(end) if end else None)


def _between(ended: Opinion, first: str, last: str) -> bool:
    """True where a code is valid on some days of a period, and neither on its first nor on its last."""
    start = ended.valid_from
    out = any(rule.name == "not-valid-on-date" for rule, _ in ended.found)
    return bool(out and start and first < dates.first_day(start) <= last)


def _meant_else(coding: Coding, first: str, last: str) -> bool:
    """True where the code stood for something else during a part of the period."""
    return any(
        (system, was.code) == (coding.system, coding.code) and first <= was.until < last
        for (system, _), was in knowledge().predecessors.items()
    )
