"""One coding asked of its own code system, on one day: what the engine says, and what its answer rests on."""

from __future__ import annotations

from dataclasses import replace

from terminology import judgement, suggestions, validity
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import issue
from terminology.judgement import Judged, Rules
from terminology.languages import Languages, best, names
from terminology.membership import Verdict as Membership
from terminology.model import (
    Canonical,
    CodeSystemProvider,
    Coding,
    Concept,
    Issue,
    Union,
    ValueSet,
    ValueSetInfo,
)
from terminology.resolution import unknown_system
from terminology.validation import whole_system

RULES = Rules(of_code_system=True)

_NOWHERE = ValueSet(ValueSetInfo(Canonical("")), Union(()), {})
"""For a coding that names no system or no code: nothing is asked of it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the engine says of a coding. ``issues`` have expressions relative to it; ``provider`` is what answered;
    ``missed``: the code system does not hold the code."""

    coding: Coding
    issues: tuple[Issue, ...] = ()
    provider: CodeSystemProvider | None = None
    concept: Concept | None = None
    display: str | None = None
    missed: bool = False


def asked(coding: Coding, scope: Scope, on: str | None = None) -> Said:
    """What is said of a coding on the day ``on``; without one by the latest release."""
    if on:
        scope = replace(scope, on=on)
    if not coding.system or not coding.code:
        return _said(judgement.validate([coding], _NOWHERE, scope, RULES)[0], coding)
    provider = scope.provider(coding.system, coding.version)
    if provider is None:
        return Said(coding, _strange(coding, scope))
    sent = replace(coding, version=None) if coding.version else coding
    named = not scope.on or validity.named(coding.version)
    return _said(judgement.validate([sent], whole_system(provider, named=named), scope, RULES)[0], coding)


def _said(judged: Judged, coding: Coding) -> Said:
    issues = judged.issues
    if concept := judged.inactive:
        issues += (issue("INACTIVE_CONCEPT_FOUND", coding.code, concept.status or "inactive", at="code"),)
    elif judged.verdict is Membership.IN and judged.concept and judged.concept.status == "deprecated":
        issues += (issue("DEPRECATED_CONCEPT_FOUND", coding.code, at="code"),)
    missed = judged.verdict is Membership.OUT and bool(coding.system and coding.code)
    return Said(coding, issues, judged.provider, judged.concept or judged.inactive, judged.display, missed)


def _strange(coding: Coding, scope: Scope) -> tuple[Issue, ...]:
    """Of a system that is not here: an alias of one that is, no code system at all, or simply unknown."""
    system = coding.system or ""
    meant = suggestions.other_system(system, scope)
    if meant and scope.code_system(system, None) is None:
        return (issue("OWN_SYSTEM_ALIAS", system, meant, at="system", suggestion=Coding(meant, coding.code)),)
    if scope.catalog.value_set(system) is not None:
        return (issue("Terminology_TX_System_ValueSet2", system, at="system"),)
    if any(each.info.canonical.url == system for each in scope.catalog.all_supplements()):
        return (issue("CODESYSTEM_CS_NO_SUPPLEMENT", system, at="system"),)
    if ":" not in system.split("/", 1)[0]:
        return (issue("Terminology_TX_System_Relative", at="system"),)
    return (unknown_system(system, coding.version, scope).at("system"),)


def holds(coding: Coding, scope: Scope) -> bool:
    """True where the code system is here and has the code."""
    provider = scope.provider(coding.system or "", coding.version)
    return provider is not None and isinstance(provider.find(coding.code or ""), Concept)


def labelled(coding: Coding, scope: Scope) -> Coding:
    """The coding with our label, or the display that is held, where there is one."""
    provider = scope.provider(coding.system or "", coding.version)
    found = provider.find(coding.code or "") if provider else None
    if coding.display or provider is None or not isinstance(found, Concept):
        return coding
    return replace(coding, display=label(found, provider, scope))


def label(concept: Concept, provider: CodeSystemProvider, scope: Scope) -> str | None:
    """The display to show for a concept in the languages of the scope."""
    candidates = names(concept, provider.info.language)
    chosen = best(candidates, scope.languages) or best(candidates, Languages())
    return chosen.value if chosen else None
