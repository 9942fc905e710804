"""The answer for a coded value: what was found about its codings, brought together.

A CodeableConcept is right when one of its codings is in and none has an error
(https://hl7.org/fhir/uv/tx-ecosystem, validation page).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal
from weakref import WeakKeyDictionary

from terminology import suggestions
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import IN_MESSAGE, issue, text
from terminology.judgement import Judged, Rules, hinted
from terminology.membership import Verdict
from terminology.model import (
    Canonical,
    CodeSystemInfo,
    CodeSystemProvider,
    Coding,
    Concept,
    Issue,
    Json,
    Query,
    Select,
    ValueSet,
    ValueSetInfo,
)
from terminology.resolution import standing

Mode = Literal["code", "coding", "codeableConcept"]
UNJUDGED = frozenset(("UNKNOWN_CODE_IN_FRAGMENT", "OWN_CANNOT_JUDGE_ON_DATE"))
"""Message ids of a code of which too little is known to call it right or wrong."""


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer of $validate-code. ``message`` joins the sentences of ``issues`` that a reader must know."""

    result: bool
    code: str | None = None
    system: str | None = None
    version: str | None = None
    display: str | None = None
    inactive: bool = False
    status: str | None = None
    normalized_code: str | None = None
    issues: tuple[Issue, ...] = ()
    messages: tuple[str, ...] = ()
    unknown_systems: tuple[str, ...] = ()
    caused_by_unknown_system: bool = False
    codeable_concept: Json | None = None
    sources: tuple[str, ...] = ()

    @property
    def message(self) -> str | None:
        return "; ".join(self.messages) or None

    @property
    def judged(self) -> bool:
        """False where the code lies outside a fragment (``result`` is then true by convention, not by knowledge), or
        cannot be judged on the date (``result`` is then false, for the same lack of knowledge)."""
        return all(found.message_id not in UNJUDGED for found in self.issues)

    @property
    def refuted(self) -> bool:
        """True where something is known to be wrong."""
        return not self.result and any(f.severity == "error" and f.message_id not in UNJUDGED for f in self.issues)

    def __str__(self) -> str:
        unsure = not self.judged and not self.refuted
        verdict = "cannot be judged" if unsure else "valid" if self.result else "not valid"
        named = Coding(self.system, self.code, self.version)
        lines = [f"{named} {verdict}" + (f": {self.display}" if self.display else "")]
        for found in self.issues:
            lines.append(f"  {found.severity}: {text(found)}")
            if found.diagnostics:
                lines.append(f"    {found.diagnostics}")
        return "\n".join(lines)


def combined(
    judged: Sequence[Judged],
    mode: Mode,
    value_set: ValueSet,
    scope: Scope,
    rules: Rules,
    concept: Json | None = None,
) -> Validation:
    """One answer for a coded value; a CodeableConcept is right when one of its codings is in and none has an error."""
    prefix = {"code": "", "coding": "Coding", "codeableConcept": "CodeableConcept"}[mode]
    places = [f"CodeableConcept.coding[{i}]" if mode == "codeableConcept" else prefix for i in range(len(judged))]
    hit = next((entry for entry in judged if entry.verdict is Verdict.IN), None)
    unsure = any(entry.verdict is Verdict.UNKNOWN for entry in judged)
    said = _standings(judged, value_set)
    for entry, place in zip(judged, places, strict=True):
        if (
            entry.verdict is Verdict.OUT
            and mode == "codeableConcept"
            and not rules.of_code_system
            and entry.coding.code
        ):
            said.append(_not_in(entry.coding, value_set, "this-code-not-in-vs").at(f"{place}.code"))
        said += [_placed(found, place) for found in entry.issues]
    if hit is not None and mode == "codeableConcept":
        said = [_excused(found, judged, places) for found in said]
    missed = hit is None and not unsure
    if missed and (not rules.of_code_system or not any(found.severity == "error" for found in said)):
        said += _summary(judged, mode, value_set, scope, rules)
    shown = hit or (judged[-1] if judged and mode != "codeableConcept" else None)
    said += _statuses(judged, places, mode)
    said = _once(said)
    valid = hit is not None and not any(found.severity == "error" for found in said)
    sentences = {
        text(found, scope.reader.primary)
        for found in said
        if found.severity == "error" or found.message_id in IN_MESSAGE
    }
    own = _own_status(shown)
    return Validation(
        result=valid,
        code=shown.coding.code if shown else None,
        system=shown.coding.system if shown else None,
        version=(shown.version or (None if shown is hit else shown.coding.version)) if shown else None,
        display=shown.display if shown else None,
        inactive=own.inactive if own else False,
        status=own.status
        if own and own.status != "inactive" and (own.inactive or own.status == "deprecated")
        else None,
        normalized_code=_normalised(judged),
        issues=tuple(said),
        messages=tuple(sorted(sentences)),
        unknown_systems=() if valid else tuple(dict.fromkeys(name for entry in judged for name in entry.unknown)),
        caused_by_unknown_system=not missed,
        codeable_concept=concept,
        sources=tuple(dict.fromkeys(source(entry.provider) for entry in judged if entry.provider)),
    )


def _excused(found: Issue, judged: Sequence[Judged], places: Sequence[str]) -> Issue:
    """Where one coding is in, another one of an unknown system was not checked, and that is no error."""
    if found.severity != "error" or not found.message_id.startswith("UNKNOWN_CODESYSTEM"):
        return found
    for entry, place in zip(judged, places, strict=True):
        if entry.verdict is not Verdict.IN and found.expression == f"{place}.system":
            named = Canonical(entry.coding.system or "", entry.coding.version)
            excuse = issue("UNKNOWN_CODESYSTEM_CODING_NOT_CHECKED", named, at=found.expression)
            return replace(excuse, diagnostics=found.diagnostics, suggestion=found.suggestion)
    return found


def source(provider: CodeSystemProvider) -> str:
    """A code system as the diagnostics of an answer name it."""
    return f"{provider.info.canonical} ({provider.info.content})"


def _placed(found: Issue, place: str) -> Issue:
    if found.expression is None:
        return found
    return found.at(".".join(part for part in (place, found.expression) if part) or None)


def _not_in(coding: Coding, value_set: ValueSet, kind: str) -> Issue:
    display = f" ('{coding.display}')" if coding.display else ""
    severity = "information" if kind == "this-code-not-in-vs" else "error"
    said = issue(
        "None_of_the_provided_codes_are_in_the_value_set_one",
        f"{coding}{display}",
        value_set.info,
        severity=severity,
    )
    return replace(said, kind=kind)


def _summary(judged: Sequence[Judged], mode: Mode, value_set: ValueSet, scope: Scope, rules: Rules) -> list[Issue]:
    if mode == "codeableConcept":
        return (
            []
            if rules.of_code_system
            else [_with_members(issue("TX_GENERAL_CC_ERROR_MESSAGE", value_set.info), judged, value_set, scope)]
        )
    if not judged or not judged[0].checked:
        return []
    place = "code" if mode == "code" else "Coding.code"
    said = _not_in(judged[0].coding, value_set, "not-in-vs").at(place)
    return [said if rules.of_code_system else _with_members(said, judged, value_set, scope)]


def _with_members(said: Issue, judged: Sequence[Judged], value_set: ValueSet, scope: Scope) -> Issue:
    known = next((entry for entry in judged if entry.concept is not None), None)
    hint = suggestions.not_in_value_set(known.coding, value_set, scope) if known else None
    return hinted(said, hint, said.message_id)


def _standings(judged: Sequence[Judged], value_set: ValueSet) -> list[Issue]:
    """What to say of the status of the content that was consulted."""
    said = []
    if own := standing(value_set.info, value_set.info):
        said.append(issue(f"MSG_{own.upper()}", "ValueSet", value_set.info))
    consulted = ((standing(r.info, r.referrer), r) for entry in judged for r in entry.references)
    for kind, reference in dict.fromkeys((kind, r) for kind, r in consulted if kind):
        name = "CodeSystem" if isinstance(reference.info, CodeSystemInfo) else "ValueSet"
        said.append(issue(f"MSG_{kind.upper()}", name, reference.info.canonical))
    return said


def _statuses(judged: Sequence[Judged], places: Sequence[str], mode: Mode) -> list[Issue]:
    for entry, place in zip(judged, places, strict=True):
        if concept := entry.inactive:
            status = concept.status or "inactive"
            worded = status if status == "inactive" else f"{status} and inactive"
            return [issue("INACTIVE_CONCEPT_FOUND", entry.coding.code, worded, at=place or "code")]
    for entry in judged:
        if entry.verdict is Verdict.IN and entry.concept and entry.concept.status == "deprecated":
            at = {"code": "code", "coding": "Coding", "codeableConcept": "CodeableConcept"}[mode]
            return [issue("DEPRECATED_CONCEPT_FOUND", entry.coding.code, at=at)]
    return []


def _own_status(shown: Judged | None) -> Concept | None:
    if shown is None:
        return None
    if shown.inactive:
        return shown.inactive
    return shown.concept if shown.verdict is Verdict.IN else None


def _normalised(judged: Sequence[Judged]) -> str | None:
    for entry in judged:
        if entry.verdict is Verdict.IN and entry.concept and entry.concept.code != entry.coding.code:
            return entry.concept.code
    return None


def _once(issues: Iterable[Issue]) -> list[Issue]:
    """Each thing said once; the one with an explanation is kept."""
    kept: dict[tuple[object, ...], Issue] = {}
    for found in issues:
        key = (found.severity, found.kind, found.message_id, found.arguments, found.expression)
        if key not in kept or (found.diagnostics and not kept[key].diagnostics):
            kept[key] = found
    return list(kept.values())


def whole_system(provider: CodeSystemProvider, *, named: bool = True) -> ValueSet:
    """The value set of all codes of a code system, for validation against the system alone; of the version at hand, or
    (not ``named``) of the one that the date asks for."""
    if not named:
        return _all_of(provider.info, Canonical(provider.info.canonical.url))
    known = _WHOLE.get(provider)
    if known is None:
        known = _WHOLE[provider] = _all_of(provider.info, provider.info.canonical)
    return known


_WHOLE: WeakKeyDictionary[CodeSystemProvider, ValueSet] = WeakKeyDictionary()


def _all_of(info: CodeSystemInfo, system: Canonical) -> ValueSet:
    url = info.value_set or f"{info.canonical.url}/vs"
    return ValueSet(
        ValueSetInfo(
            Canonical(url, info.canonical.version),
            status=info.status,
            standards_status=None,
            experimental=info.experimental,
        ),
        Select(system, Query(), "ValueSet.compose.include[0]"),
        {},
    )
