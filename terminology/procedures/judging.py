"""The judge of coded records: made once from content and settings, asked for any number of records.

``judge`` is pure and deterministic: it keeps nothing, so threads may share one, and callers may remember answers by
``Record``. In another process it is made again from what made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from terminology.catalog import Scope
from terminology.issues import NotFound, issue
from terminology.model import Canonical, Coding, FhirVersion, Json, ValueSet
from terminology.procedures import reading
from terminology.procedures.coded import Standing, finding, standing, worst
from terminology.procedures.records import Basis, Days, Element, Finding, JudgedCoding, Judgement, Record

BASES: Mapping[str, Basis] = {
    "http://www.ama-assn.org/go/cpt": "service",
    "http://www.cms.gov/Medicare/Coding/ICD10": "discharge",
    "http://hl7.org/fhir/sid/icd-10-cm": "discharge",
    "http://fhir.de/CodeSystem/bfarm/ops": "admission",
}
"""Which day decides for a code system: CPT by 45 CFR 162.1000, inpatient ICD-10 the discharge, OPS the admission; every
other system the day of service. A record that does not state that day is judged by the day of service."""

_SEVERITY = {"fatal": 0, "error": 1, "warning": 2, "information": 3}


class Content(Protocol):
    """What a judge is made from, beside a Scope: a service that gives the scope of a request without parameters."""

    def open_scope(self, fhir: FhirVersion = "R5") -> Scope: ...


@dataclass(frozen=True, eq=False)
class Judge:
    """``made_of`` is what ``of`` got: with it a copy in another process is made."""

    scope: Scope
    value_set: ValueSet | None = None
    bases: Mapping[str, Basis] = field(default_factory=lambda: dict(BASES))
    profile: str | None = None
    made_of: tuple[Any, ...] = ()

    @classmethod
    def of(
        cls,
        source: Content | Scope,
        value_set: str | None = None,
        bases: Mapping[str, Basis] | None = None,
        profile: str | None = None,
    ) -> Judge:
        """A judge over the content of a service (``State``, ``Terminology``) or of a Scope.

        ``value_set``: url|version that the main code must be in; ``bases``: which day decides, by system url, over the
        defaults; ``profile``: a canonical. Raises NotFound and NotSupported for what is not known here.
        """
        scope = source if isinstance(source, Scope) else source.open_scope()
        made_of = (source, value_set, dict(bases or {}), profile)
        wanted = _value_set(value_set, scope) if value_set else None
        return cls(scope, wanted, {**BASES, **(bases or {})}, profile, made_of)

    def __reduce__(self) -> tuple[Any, ...]:
        return Judge.of, self.made_of

    def read(self, resource: Json, fhir: FhirVersion = "R4") -> Record:
        """The coded content of a resource; raises Invalid for one that holds none we know."""
        return reading.record(resource, fhir)

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

    def judge(self, record: Record, date: str | None = None) -> Judgement:
        """Every coding on its day (on ``date`` where one is given), and what was found, element by element."""
        codings: list[JudgedCoding] = []
        findings: list[Finding] = list(record.flaws)
        for element in record.elements:
            if not element.codings:
                findings.append(_uncoded(element))
                codings += [JudgedCoding(element.path, Coding(), "unjudged")] if element.main else []
                continue
            stood = [self._coding(coding, place, element, date) for place, coding in _placed(element)]
            codings += [each.judged for each in stood]
            findings += _ordered(_once(found for each in stood for found in each.findings))
        if not date and record.elements and not any(_dated(element) for element in record.elements):
            findings.append(Finding("no-date", issue("OWN_NO_DAY", record.kind, at=None)))
        return Judgement(tuple(codings), tuple(findings))

    # --- one coding on its day ---------------------------------------------------------------------------------

    def _coding(self, coding: Coding, path: str, element: Element, date: str | None) -> Standing:
        first, last = (date, None) if date else _days(element.days, self.bases.get(coding.system or "", "service"))
        begun = standing(coding, path, self.scope, first)
        if not last or not first or last == first:
            return begun
        ended = standing(coding, path, self.scope, last)
        if begun.verdict == ended.verdict:
            return begun
        across = issue("OWN_PERIOD_ACROSS", coding.code, coding.system, first, last, at=f"{path}.code")
        said = finding(across, coding)
        verdict = worst("unjudged", *(each for each in (begun.verdict, ended.verdict) if each != "wrong"))
        return Standing(replace(ended.judged, verdict=verdict), (said,), ended.provider)


def _value_set(named: str, scope: Scope) -> ValueSet:
    canonical = Canonical.parse(named)
    found = scope.catalog.value_set(canonical.url, canonical.version)
    if found is None:
        raise NotFound(issue("Unable_to_resolve_value_Set_", canonical))
    return found


def _placed(element: Element) -> Iterator[tuple[str, Coding]]:
    if element.single:
        yield from ((element.path, coding) for coding in element.codings)
        return
    for place, coding in enumerate(element.codings):
        yield f"{element.path}.coding[{place}]", coding


def _uncoded(element: Element) -> Finding:
    """What to say of an element without a coding; only of the main one it is a warning."""
    severity = None if element.main else "information"
    if element.text:
        return Finding("text-only", issue("OWN_TEXT_ONLY", element.path, at=element.path, severity=severity))
    return Finding("missing-code", issue("OWN_CODE_MISSING", element.path, at=element.path, severity=severity))


def _days(days: Iterable[Days], basis: Basis) -> tuple[str | None, str | None]:
    """The days of a basis, else those of the service."""
    by_basis = {each.basis: each for each in days}
    found = by_basis.get(basis) or by_basis.get("service")
    return (found.first or found.last, found.last) if found else (None, None)


def _dated(element: Element) -> bool:
    return any(each.first or each.last for each in element.days)


def _once(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """The worst first; what is as bad stays in its order."""
    return sorted(findings, key=lambda found: _SEVERITY[found.issue.severity])
