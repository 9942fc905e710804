"""One coding judged against its own code system, on one day: right, wrong, or not to be judged, and why.

The engine's own judgement (``terminology.judgement``) is asked; here each of its findings gets the reason under which
it is published, and its weight: what cannot be judged is a warning and never right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from terminology import judgement, suggestions, validity
from terminology.catalog import Scope
from terminology.issues import issue
from terminology.judgement import Rules
from terminology.membership import Verdict as Membership
from terminology.model import Canonical, CodeSystemProvider, Coding, Issue, Union, ValueSet, ValueSetInfo
from terminology.procedures.records import Finding, JudgedCoding, Verdict
from terminology.resolution import unknown_system
from terminology.validation import whole_system

Effect = Literal["right", "wrong", "unjudged", "as said"]
"""What a finding makes of the verdict; ``as said``: wrong where it is an error."""

RULES = Rules(of_code_system=True)

REASONS: Mapping[str, tuple[str, Effect]] = {
    "Unknown_Code_in_Version": ("unknown-code", "wrong"),
    "Unknown_Code_in": ("unknown-code", "wrong"),
    "UNKNOWN_CODE_IN_FRAGMENT": ("code-outside-fragment", "unjudged"),
    "UNKNOWN_CODESYSTEM": ("unknown-system", "unjudged"),
    "UNKNOWN_CODESYSTEM_VERSION": ("unknown-version", "unjudged"),
    "UNKNOWN_CODESYSTEM_VERSION_NONE": ("unknown-version", "unjudged"),
    "Terminology_TX_System_Relative": ("wrong-system", "wrong"),
    "Terminology_TX_System_ValueSet2": ("wrong-system", "wrong"),
    "CODESYSTEM_CS_NO_SUPPLEMENT": ("wrong-system", "wrong"),
    "OWN_SYSTEM_ALIAS": ("wrong-system", "wrong"),
    "Coding_has_no_system__cannot_validate": ("no-system", "unjudged"),
    "Coding_has_no_system_or_code__cannot_validate": ("empty-coding", "unjudged"),
    "OWN_CODING_HAS_NO_CODE": ("no-code", "unjudged"),
    "OWN_NOT_VALID_ON_DATE": ("not-valid-on-date", "as said"),
    "OWN_CANNOT_JUDGE_ON_DATE": ("no-definition-on-date", "unjudged"),
    "OWN_VERSION_NOT_IN_FORCE": ("version-not-in-force", "right"),
    "OWN_VERSION_WITHOUT_PERIOD": ("version-not-in-force", "right"),
    "OWN_DATE_ACROSS_RELEASES": ("date-across-boundary", "right"),
    "OWN_DATE_BY_CONCEPT": ("judged-by-own-dates", "right"),
    "OWN_PERIOD_ACROSS": ("date-across-boundary", "unjudged"),
    "INACTIVE_CONCEPT_FOUND": ("inactive-code", "right"),
    "DEPRECATED_CONCEPT_FOUND": ("deprecated-code", "right"),
    "ABSTRACT_CODE_NOT_ALLOWED": ("abstract-code", "as said"),
    "CODE_CASE_DIFFERENCE": ("other-spelling", "right"),
    "OWN_DISPLAY_NOT_CHECKED": ("display-not-checked", "right"),
    "OWN_DISPLAY_NOT_DEFINED": ("display-not-checked", "right"),
    "INACTIVE_DISPLAY_FOUND": ("old-display", "as said"),
}
"""The engine's message id → our reason, and what it makes of the verdict."""

_NOWHERE = ValueSet(ValueSetInfo(Canonical("")), Union(()), {})
"""For a coding that names no system or no code: nothing is asked of it."""

_DISPLAYS = ("Display_Name", "NO_VALID_DISPLAY")
_WORSE: Mapping[Verdict, int] = {"right": 0, "unjudged": 1, "wrong": 2}


@dataclass(frozen=True, slots=True)
class Standing:
    """The verdict on one coding on one day, with all that was found; ``system`` is what answered."""

    judged: JudgedCoding
    findings: tuple[Finding, ...] = ()
    provider: CodeSystemProvider | None = None

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict


def standing(coding: Coding, path: str, scope: Scope, on: str | None = None) -> Standing:
    """How a coding stands on the day ``on`` (a FHIR date, partial ones too); without one in the latest release."""
    if on:
        scope = replace(scope, on=on)
    if not coding.system or not coding.code:
        return _standing(judgement.validate([coding], _NOWHERE, scope, RULES)[0], path)
    provider = scope.provider(coding.system, coding.version)
    if provider is None:
        return _unknown(coding, path, scope)
    sent = replace(coding, version=None) if coding.version else coding
    named = not scope.on or validity.named(coding.version)
    judged = judgement.validate([sent], whole_system(provider, named=named), scope, RULES)[0]
    return _standing(replace(judged, coding=coding), path)


def worst(*verdicts: Verdict) -> Verdict:
    """The worst of some verdicts: wrong, then unjudged."""
    return max(verdicts, key=_WORSE.__getitem__, default="right")


def finding(found: Issue, coding: Coding | None = None) -> Finding:
    """A finding under its published reason."""
    reason, effect = reason_of(found)
    if effect == "unjudged" and found.severity == "error":
        found = replace(found, severity="warning")
    elif effect == "wrong" and found.severity != "error":
        found = replace(found, severity="error")
    return Finding(reason, found, coding)


def reason_of(found: Issue) -> tuple[str, Effect]:
    if found.message_id.startswith(_DISPLAYS):
        return "wrong-display" if found.severity == "error" else "other-display", "as said"
    return REASONS.get(found.message_id, ("terminology", "as said"))


def _effect(found: Issue) -> Verdict:
    effect = reason_of(found)[1]
    if effect == "as said":
        return "wrong" if found.severity == "error" else "unjudged" if _unsure(found) else "right"
    return effect


def _unsure(found: Issue) -> bool:
    """A date that lies on both sides of a bound."""
    return found.message_id == "OWN_NOT_VALID_ON_DATE"


def _standing(judged: judgement.Judged, path: str) -> Standing:
    issues = list(judged.issues)
    if concept := judged.inactive:
        issues.append(issue("INACTIVE_CONCEPT_FOUND", judged.coding.code, concept.status or "inactive", at="code"))
    elif judged.verdict is Membership.IN and judged.concept and judged.concept.status == "deprecated":
        issues.append(issue("DEPRECATED_CONCEPT_FOUND", judged.coding.code, at="code"))
    start: Verdict = "wrong" if judged.verdict is Membership.OUT else "right"
    if start == "wrong" and (not judged.coding.system or not judged.coding.code):
        start = "unjudged"
    verdict = worst(start, *map(_effect, issues)) if start == "right" or not issues else _of(issues, start)
    used = judged.provider.info.canonical if judged.provider and judged.verdict is not Membership.UNKNOWN else None
    said = JudgedCoding(path, judged.coding, verdict, used, judged.display)
    return Standing(said, tuple(_placed(finding(each, judged.coding), path) for each in issues), judged.provider)


def _of(issues: list[Issue], start: Verdict) -> Verdict:
    """A miss is as bad as the worst reason that was found for it."""
    effects = [effect for effect in map(_effect, issues) if effect != "right"]
    return worst(*effects) if effects else start


def _unknown(coding: Coding, path: str, scope: Scope) -> Standing:
    """A system that is not here: an alias of one that is, no code system at all, or simply unknown."""
    system = coding.system or ""
    if (meant := suggestions.other_system(system, scope)) and not coding.version:
        alias = issue("OWN_SYSTEM_ALIAS", system, meant, at="system", suggestion=Coding(meant, coding.code))
        issues = [alias]
    elif scope.catalog.value_set(system) is not None:
        issues = [issue("Terminology_TX_System_ValueSet2", system, at="system")]
    elif ":" not in system.split("/", 1)[0]:
        issues = [issue("Terminology_TX_System_Relative", at="system")]
    else:
        issues = [unknown_system(system, coding.version, scope).at("system")]
    verdict = worst(*map(_effect, issues))
    found = tuple(_placed(finding(each, coding), path) for each in issues)
    return Standing(JudgedCoding(path, coding, verdict), found)


def _placed(found: Finding, path: str) -> Finding:
    place = ".".join(part for part in (path, found.issue.expression) if part)
    return replace(found, issue=found.issue.at(place or None))
