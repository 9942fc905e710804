"""A resource validated: its shape by fhir.resources and our own rules, its codes by the judge, as one outcome.

R4 is read through the models of R4B (4.3.0): of the types judged here they have the same elements as 4.0.1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from terminology.frozen import dataclass
from terminology.issues import Invalid, issue, text
from terminology.languages import Languages
from terminology.model import CANONICAL_BASE, FhirVersion, Json
from terminology.procedures.elements import KINDS
from terminology.procedures.judging import Judge
from terminology.procedures.records import Finding, JudgedCoding, Judgement, Record, Verdict
from terminology.procedures.rules import rule_of
from terminology.wire import checks
from terminology.wire.outcomes import entry

FINDING_REASON = f"{CANONICAL_BASE}/CodeSystem/finding-reason"
ANY = Languages()


@dataclass(frozen=True, slots=True)
class Validated:
    """What was found in a resource. It prints as people read it; ``outcome`` is the OperationOutcome."""

    kind: str
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def codings(self) -> tuple[JudgedCoding, ...]:
        return self.judgement.codings

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.judgement.findings

    def outcome(self, languages: Languages = ANY) -> Json:
        return outcome(self.findings, languages)

    def __str__(self) -> str:
        words = {"right": "right", "wrong": "wrong", "unjudged": "cannot be judged"}
        lines = [f"{self.kind}: {words[self.verdict]}"]
        for found in self.findings:
            said = found.issue
            place = f"{said.expression}: " if said.expression else ""
            lines.append(f"  {said.severity} ({found.reason}): {place}{text(said)}")
            if said.suggestion:
                meant = said.suggestion
                label = f" ({meant.display})" if meant.display else ""
                lines.append(f"    probably meant: {meant.code} of {meant.system}{label}")
        return "\n".join(lines)


def outcome(findings: Iterable[Finding], languages: Languages = ANY) -> Json:
    """An OperationOutcome whose issues have their reason as first coding of the details."""
    return {"resourceType": "OperationOutcome", "issue": [_entry(found, languages) for found in findings]}


def _entry(found: Finding, languages: Languages) -> Json:
    return entry(found.issue, languages, {"system": FINDING_REASON, "code": found.reason})


def validated(
    resource: object, fhir: FhirVersion, judge: Judge, date: str | None = None, *, of_many: bool = False
) -> Validated:
    """All that is found in one resource; raises Invalid for one whose type is not judged here.

    ``date`` is the day that counts for every code, instead of the days that the record states. The profile of a judge
    must be about the type; ``of_many``: it may be about another, and then does not matter here.
    """
    kind = resource.get("resourceType") if isinstance(resource, dict) else type(resource).__name__
    if not isinstance(resource, dict) or kind not in KINDS:
        raise Invalid(issue("OWN_TYPE_NOT_JUDGED", kind, ", ".join(KINDS), at="resource"))
    if judge.profile and not judge.profiles(kind) and not of_many:
        raise Invalid(issue("OWN_PROFILE_OF_ANOTHER", judge.profile, judge.profile.kind, kind, at="profile"))
    record = judge.read(resource, fhir)
    record = replace(record, flaws=(*_shape(resource, fhir, record), *record.flaws))
    found = judge.judge(record, date)
    return Validated(kind, replace(found, findings=(*found.findings, *_unchecked(kind, found, judge))))


def _shape(resource: Json, fhir: FhirVersion, record: Record) -> list[Finding]:
    """What fhir.resources finds, but for the places of which we say it better."""
    said = {each.issue.expression for each in record.flaws}
    return [
        _finding("OWN_SHAPE", path, sentence, at=path)
        for path, sentence in dict.fromkeys(checks.reasons(resource, fhir))
        if path not in said
    ]


def _unchecked(kind: str, judgement: Judgement, judge: Judge) -> list[Finding]:
    """What a reader must not take a clean answer for, and which releases answered."""
    found = [_finding("OWN_NOT_CHECKED", kind, at=kind)]
    used = dict.fromkeys(str(each.used) for each in judgement.codings if each.used)
    if used:
        sources = text(issue("OWN_ANSWERED_FROM", ", ".join(used)))
        found = [replace(each, issue=replace(each.issue, diagnostics=sources)) for each in found]
    if judge.profiles(kind):
        found.append(_finding("OWN_PROFILE_CHECKED", judge.profile, at=kind))
    return found


def _finding(message: str, *arguments: object, at: str) -> Finding:
    said = issue(message, *arguments, at=at)
    return Finding(rule_of(said.message_id, said.severity).name, said)
