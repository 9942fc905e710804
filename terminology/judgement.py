"""One coding judged: membership first, then the reasons of a miss, display, status and date.

Rules: https://hl7.org/fhir/uv/tx-ecosystem (requirements and validation pages). What a client sent is never changed;
issue expressions are relative to the coding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from terminology import aliases, suggestions, validity
from terminology.catalog import Scope
from terminology.conceptset import included, lead
from terminology.frozen import dataclass
from terminology.issues import issue, versions_list
from terminology.languages import NONE, DisplayVerdict, Languages, best, judge, names, presented
from terminology.membership import Found, Reference, Verdict, among
from terminology.model import CodeSystemProvider, Coding, Concept, Designation, Issue, Miss, ValueSet
from terminology.resolution import refused_version, unknown_name, unknown_system
from terminology.versions import latest


@dataclass(frozen=True, slots=True)
class Judged:
    """One coding with everything that was found about it; issue expressions are relative to the coding."""

    coding: Coding
    verdict: Verdict
    provider: CodeSystemProvider | None = None
    concept: Concept | None = None
    display: str | None = None
    inactive: Concept | None = None
    issues: tuple[Issue, ...] = ()
    unknown: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    checked: bool = True
    named: bool = False
    """True where a version was named, by a parameter, the coding or the value set: it then answers on any day."""

    @property
    def version(self) -> str | None:
        return self.provider.info.canonical.version if self.provider else None


@dataclass(frozen=True, slots=True)
class Rules:
    """How strictly a request wants to be judged. ``of_code_system``: no value set was named, only a system."""

    lenient_display: bool = False
    of_code_system: bool = False
    match: bool | None = None


def validate(codings: Sequence[Coding], value_set: ValueSet, scope: Scope, rules: Rules) -> list[Judged]:
    """Every coding judged on its own, by the url of its code system. ``scope`` is that of ``prepare``."""
    named = [aliases.settled(coding, scope) for coding in codings]
    sound = [c for c, _ in named if c.code and c.system]
    found = dict(zip(map(id, sound), among(sound, value_set, scope, match=rules.match), strict=True))
    return [
        _more(_judge(found[id(c)], value_set, scope, rules) if id(c) in found else _unsound(c), told)
        for c, told in named
    ]


def _unsound(coding: Coding) -> Judged:
    if coding.code:
        said = issue("Coding_has_no_system__cannot_validate", at="")
    elif coding.system:
        said = issue("OWN_CODING_HAS_NO_CODE", coding.system, at="")
    else:
        said = issue("Coding_has_no_system_or_code__cannot_validate", at="")
    return Judged(coding, Verdict.OUT, issues=(said,), checked=bool(coding.code))


def _judge(found: Found, value_set: ValueSet, scope: Scope, rules: Rules) -> Judged:
    if found.verdict is Verdict.IN and found.concept:
        return _dated(_shown(found, value_set, scope, rules), scope)
    base = _read(found)
    if found.verdict is Verdict.IN:
        judged = _outside_fragment(base, scope)
    elif scope.membership_only:
        judged = base
    else:
        judged = _explained(base, value_set, scope, rules)
    return _dated(judged, scope)


def _read(found: Found) -> Judged:
    """A finding, nothing added."""
    return Judged(
        found.coding,
        found.verdict,
        found.provider,
        found.concept,
        inactive=found.inactive,
        issues=found.issues,
        unknown=found.unknown,
        references=found.references,
        named=found.named,
    )


def _outside_fragment(judged: Judged, scope: Scope) -> Judged:
    """In by HL7's convention; the warning is told what is known about the code."""
    assert judged.provider is not None
    note = suggestions.expression_note(judged.coding.code or "", judged.provider)
    hint = (note, None) if note else suggestions.unknown_code(judged.coding, judged.provider, scope)
    return replace(judged, issues=tuple(hinted(found, hint, "UNKNOWN_CODE_IN_FRAGMENT") for found in judged.issues))


def hinted(found: Issue, hint: suggestions.Suggestion | None, message_id: str) -> Issue:
    if hint is None or not found.message_id.startswith(message_id):
        return found
    return replace(found, diagnostics=hint[0], suggestion=hint[1])


# --- a hit ----------------------------------------------------------------------------------------------------


def _shown(found: Found, value_set: ValueSet, scope: Scope, rules: Rules) -> Judged:
    """A coding that is in: which display to return, and whether the one that came is right."""
    assert found.provider is not None
    assert found.concept is not None
    info, concept = found.provider.info, found.concept
    candidates = list(names(concept, info.language))
    if found.listed:
        if found.listed.display:
            candidates.append(Designation(found.listed.display, value_set.info.language))
        candidates += found.listed.designations
    said = _display_issues(found.coding, found.provider, candidates, scope, rules)
    return Judged(
        found.coding,
        found.verdict,
        found.provider,
        concept,
        _display(candidates, scope.languages),
        concept if concept.inactive else found.inactive,
        (*found.issues, *said),
        found.unknown,
        found.references,
        named=found.named,
    )


def _display(candidates: Sequence[Designation], languages: Languages) -> str | None:
    chosen = best(candidates, languages) or best(candidates, NONE)
    return chosen.value if chosen else None


def _display_issues(
    coding: Coding, provider: CodeSystemProvider, candidates: Sequence[Designation], scope: Scope, rules: Rules
) -> list[Issue]:
    display = coding.display
    if not display or not candidates:
        return []
    verdict = judge(display, candidates, scope.languages, provider.info.language)
    if verdict.verdict == "right":
        return []
    if not provider.info.displays_defined:
        return [issue("OWN_DISPLAY_NOT_DEFINED", display, provider.info.canonical.url, at="display")]
    if not provider.info.displays_held:
        return [issue("OWN_DISPLAY_NOT_CHECKED", display, provider.info.canonical.url, at="display")]
    return [_display_issue(verdict, coding, candidates, scope.languages, rules)]


def _display_issue(
    verdict: DisplayVerdict,
    coding: Coding,
    candidates: Sequence[Designation],
    languages: Languages,
    rules: Rules,
) -> Issue:
    severity = "warning" if rules.lenient_display else "error"
    wanted = languages.text or "--"
    named = (coding.display, coding.system, coding.code)
    if verdict.verdict == "old":
        valid = ",".join(f'"{entry.value}"' for entry in verdict.valid)
        return issue("INACTIVE_DISPLAY_FOUND", coding.display, coding.code, valid, verdict.status, at="display")
    if verdict.verdict == "other":
        return issue("NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_OK", *named, wanted, at="display")
    if verdict.verdict == "none":
        default = _display(candidates, NONE) or ""
        message = "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_ERR"
        return issue(message, *named, wanted, default, at="display", severity=severity)
    spaces = "_WS" if verdict.verdict == "spaces" else ""
    several = "one" if len(verdict.valid) == 1 else "other"
    message = f"Display_Name{spaces}_for__should_be_one_of__instead_of_{several}"
    valid = versions_list(presented(verdict.valid))
    return issue(message, *named, valid, wanted, len(verdict.valid), at="display", severity=severity)


# --- a miss ---------------------------------------------------------------------------------------------------


def _explained(judged: Judged, value_set: ValueSet, scope: Scope, rules: Rules) -> Judged:
    """Why a coding is not in: looked up in its own code system, in the version that the value set would choose."""
    coding = judged.coding
    system = coding.system or ""
    if not _absolute(system):
        judged = replace(judged, issues=(*judged.issues, issue("Terminology_TX_System_Relative", at="system")))
    stated = coding.version or _implied_version(system, value_set)
    version = scope.versions.choose(system, stated).version
    provider = scope.provider(system, version)
    if provider is None:
        return _unknown(judged, version, scope)
    provider, concept = _found(provider, coding, version, scope)
    judged = replace(
        judged,
        provider=provider,
        references=(*judged.references, Reference(provider.info, value_set.info)),
        named=validity.named(version) if judged.provider is None else judged.named,
    )
    judged = _more(judged, refused_version(provider.info, scope))
    if not isinstance(concept, Concept):
        return _unknown_code(judged, provider, scope)
    judged = replace(judged, concept=concept)
    candidates = names(concept, provider.info.language)
    if concept.inactive and judged.inactive is None:
        judged = replace(judged, inactive=concept)
    judged = _more(judged, _display_issues(coding, provider, candidates, scope, rules))
    return replace(judged, display=_display(candidates, scope.languages))


def _found(
    provider: CodeSystemProvider, coding: Coding, version: str | None, scope: Scope
) -> tuple[CodeSystemProvider, Concept | Miss]:
    """The code in the release that answers, or in another one that a partial date touches."""
    first = provider.find(coding.code or "")
    if isinstance(first, Miss):
        for other in validity.others(provider, scope, version):
            if isinstance(found := other.find(coding.code or ""), Concept):
                return other, found
    return provider, first


def _more(judged: Judged, issues: Iterable[Issue]) -> Judged:
    new = tuple(found for found in issues if found not in judged.issues)
    if not new:
        return judged
    return replace(judged, issues=(*judged.issues, *new))


def _absolute(system: str) -> bool:
    return ":" in system.split("/", 1)[0]


def _implied_version(system: str, value_set: ValueSet) -> str | None:
    """The highest version that the value set's includes state for a system."""
    selects = [select for part in included(value_set.concepts) if (select := lead(part))]
    return latest(s.system.version for s in selects if s.system.url == system and s.system.version)


def _unknown(judged: Judged, version: str | None, scope: Scope) -> Judged:
    system = judged.coding.system or ""
    if scope.catalog.value_set(system) is not None:
        return _more(judged, [issue("Terminology_TX_System_ValueSet2", system, at="system")])
    for supplement in scope.catalog.all_supplements():
        if supplement.info.canonical.url == system:
            said = issue("CODESYSTEM_CS_NO_SUPPLEMENT", supplement.info.canonical, at="system")
            return _more(judged, [said])
    name = unknown_name(system, version, scope)
    hint = suggestions.unknown_system(judged.coding, scope)
    said = unknown_system(system, version, scope).at("system")
    if name not in judged.unknown:
        judged = replace(_more(judged, [said]), unknown=(*judged.unknown, name))
    return replace(judged, issues=tuple(hinted(found, hint, "UNKNOWN_CODESYSTEM") for found in judged.issues))


def _unknown_code(judged: Judged, provider: CodeSystemProvider, scope: Scope) -> Judged:
    info, code = provider.info, judged.coding.code
    url, version = info.canonical.url, info.canonical.version
    if info.content == "fragment":
        said = issue("UNKNOWN_CODE_IN_FRAGMENT", code, url, version or "", at="code")
    elif version:
        said = issue("Unknown_Code_in_Version", code, url, version, at="code")
    else:
        said = issue("Unknown_Code_in", code, url, at="code")
    hint = suggestions.unknown_code(judged.coding, provider, scope)
    return replace(_more(judged, [hinted(said, hint, said.message_id)]), concept=None)


# --- the date -------------------------------------------------------------------------------------------------


def _dated(judged: Judged, scope: Scope) -> Judged:
    """Judged by ``date``, where one was sent."""
    if not scope.on or judged.provider is None:
        return judged
    found = validity.stand_of(judged.coding, judged.concept, judged.provider, scope, named=judged.named)
    if found.standing == "out" and found.basis == "concept":
        # The release of that day does not hold the code, and another one says why: no longer "unknown here".
        known = tuple(said for said in judged.issues if said.message_id != "UNKNOWN_CODE_IN_FRAGMENT")
        judged = replace(judged, issues=known)
    return _more(judged, found.issues)
