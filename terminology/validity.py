"""How a code of a code system stands on a day, and on what that judgement rests.

The policy (docs/explanation/dates.md), the first that applies:

1. A version that was named answers. That it is not the one in force on that day, where this is known, is a warning.
2. The release whose period contains the day answers. A partial date that touches several is a warning.
3. The dates stated for the concept (``valid-from``, ``valid-to``) are asked, and the answer says so.
4. Otherwise the code cannot be judged on that day.

``stand`` is the one judgement behind ``$lookup``, ``$validate-code``, the function API and the judge of coded records:
make a Scope with ``on`` set to the date that counts for that system (a FHIR date, as it was written) and call
``stand(coding, scope)``. ``Stand.standing`` is ``in``, ``out``, ``across`` or ``unknown``; ``Stand.issues`` are what
there is to say, ready to be placed at the coding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from terminology import dates, versions
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import issue
from terminology.model import OWN_PROPERTIES, CodeSystemInfo, CodeSystemProvider, Coding, Concept, Issue
from terminology.releases import dated, in_words

Standing = Literal["in", "out", "across", "unknown"]
Basis = Literal["version", "release", "concept", "nothing"]
REPLACED_BY = "http://hl7.org/fhir/StructureDefinition/codesystem-replacedby"
_NO_RELEASE = "no release is known to be in force on that day"


@dataclass(frozen=True, slots=True)
class Release:
    """What the release that answers is worth on the day. ``basis`` is ``nothing`` where no release vouches for it."""

    basis: Basis
    issues: tuple[Issue, ...] = ()

    @property
    def vouches(self) -> bool:
        return self.basis != "nothing"

    @property
    def in_conflict(self) -> bool:
        return any(found.message_id == "OWN_VERSION_NOT_IN_FORCE" for found in self.issues)


@dataclass(frozen=True, slots=True)
class Stand:
    """How a code stands on the day. ``provider`` is the release that answers, ``concept`` the code's (of another
    release, where that one knows it and this does not); ``basis`` is what decided."""

    standing: Standing
    basis: Basis
    provider: CodeSystemProvider
    concept: Concept | None = None
    issues: tuple[Issue, ...] = ()


def stand(coding: Coding, scope: Scope) -> Stand | None:
    """How a code stands on ``scope.on``; None where its system (in the version named) is not here."""
    url, code = coding.system or "", coding.code or ""
    version = scope.versions.choose(url, coding.version).version
    first = scope.provider(url, version)
    if first is None:
        return None
    for provider in (first, *others(first, scope, version)):
        if isinstance(found := provider.find(code), Concept):
            return stand_of(coding, found, provider, scope, named=named(version))
    return stand_of(coding, None, first, scope, named=named(version))


def named(version: str | None) -> bool:
    """True when a version says which release is meant; a wildcard leaves the choice to the date."""
    return bool(version) and not versions.wild(version)


def others(provider: CodeSystemProvider, scope: Scope, version: str | None = None) -> list[CodeSystemProvider]:
    """The further releases that a partial date touches: a code of any of them is judged, with a warning."""
    if not scope.on or named(version):
        return []
    own = provider.info.canonical
    found = [each for each in scope.in_force(own.url, version).providers if each.info.canonical != own]
    return [scope.supplemented(each) for each in found]


def release(provider: CodeSystemProvider, scope: Scope, *, named: bool) -> Release:
    """What the release that answers is worth on ``scope.on``; ``named``: a version parameter chose it."""
    assert scope.on is not None
    info, on = provider.info, scope.on
    url, version = info.canonical.url, info.canonical.version or ""
    held = scope.in_force(url)
    if not named:
        if all(each.info.canonical != info.canonical for each in held.providers):
            return Release("nothing")
        return Release("release", () if held.whole else (_across(url, scope),))
    stated = dates.standing(on, info.effective_from, info.effective_to) if dated(info) else None
    if stated == "in":
        return Release("version")
    if stated == "across":
        return Release("version", (_across(url, scope),))
    if stated == "out" or held.providers:
        known = in_words(held.providers or (provider,))
        return Release("version", (issue("OWN_VERSION_NOT_IN_FORCE", version, url, on, known, at="version"),))
    return Release("version", (issue("OWN_VERSION_WITHOUT_PERIOD", version, url, on, at="version"),))


def _across(url: str, scope: Scope) -> Issue:
    held = scope.in_force(url)
    touched = in_words(held.providers[::-1]) + (" and days of which no release is known" if held.gap else "")
    return issue("OWN_DATE_ACROSS_RELEASES", scope.on, url, touched, at="code")


def stand_of(
    coding: Coding, concept: Concept | None, provider: CodeSystemProvider, scope: Scope, *, named: bool
) -> Stand:
    """How a code stands whose release, and concept in it (None: not found there), have been chosen already."""
    held = release(provider, scope, named=named)
    judged = _held(coding, concept, provider, held, scope) if concept else _lacking(coding, provider, held, scope)
    said = held.issues
    if judged.basis == "concept" or judged.standing == "unknown":
        said = tuple(found for found in said if found.message_id != "OWN_VERSION_WITHOUT_PERIOD")
    standing: Standing = "across" if judged.standing == "in" and _crosses(said) else judged.standing
    return replace(judged, standing=standing, issues=(*judged.issues, *said))


def _crosses(said: Iterable[Issue]) -> bool:
    return any(found.message_id == "OWN_DATE_ACROSS_RELEASES" for found in said)


def own_standing(concept: Concept, provider: CodeSystemProvider, on: str) -> dates.Standing | None:
    """How a concept stands by the dates stated for it; None where they do not tell."""
    return dates.own_standing(on, concept.valid_from, concept.valid_to, provider.info.effective_to)


def _held(coding: Coding, concept: Concept, provider: CodeSystemProvider, held: Release, scope: Scope) -> Stand:
    """A code that the release has."""
    assert scope.on is not None
    stated = own_standing(concept, provider, scope.on)
    if stated in ("out", "across"):
        return _by_dates(coding, concept, provider, scope, stated)
    if held.basis == "release":
        return Stand("in", "release", provider, concept)
    if stated == "in":
        said = () if held.basis == "version" else (_by_concept(coding, concept, provider, scope),)
        return Stand("in", "concept", provider, concept, said)
    if held.basis == "version":
        return Stand("in", "version", provider, concept)
    return _unknown(coding, concept, provider, scope, f"{_NO_RELEASE}, and no dates of the code tell of it")


def _by_dates(
    coding: Coding, concept: Concept, provider: CodeSystemProvider, scope: Scope, stated: dates.Standing
) -> Stand:
    reason = dates.period(concept.valid_from, concept.valid_to)
    said = _not_valid(coding, concept, provider, scope, reason, "error" if stated == "out" else "warning")
    return Stand(stated, "concept", provider, concept, (said,))


def _by_concept(coding: Coding, concept: Concept, provider: CodeSystemProvider, scope: Scope) -> Issue:
    canonical, words = provider.info.canonical, dates.period(concept.valid_from, concept.valid_to)
    return issue("OWN_DATE_BY_CONCEPT", coding.code, canonical.url, scope.on, canonical.version or "", words, at="code")


def _lacking(coding: Coding, provider: CodeSystemProvider, held: Release, scope: Scope) -> Stand:
    """A code that the release has not: other releases may tell why (decisions 9a)."""
    assert scope.on is not None
    found = in_another_release(coding, scope)
    if found is None:
        if held.vouches:
            return Stand("unknown" if provider.info.content == "fragment" else "out", held.basis, provider)
        return _unknown(coding, None, provider, scope, _NO_RELEASE)
    edition, concept = found
    stated = own_standing(concept, edition, scope.on)
    if stated in ("out", "across"):
        return replace(_by_dates(coding, concept, edition, scope, stated), provider=provider)
    if not held.vouches:
        where = edition.info.canonical.version or "without version"
        return _unknown(coding, concept, provider, scope, f"{_NO_RELEASE}, and only the version {where} has the code")
    if provider.info.content == "fragment" or held.in_conflict:
        return Stand("unknown" if provider.info.content == "fragment" else "out", held.basis, provider, concept)
    reason = f"it is in {in_words([edition])}, not in {in_words([provider])}"
    return Stand("out", "release", provider, concept, (_not_valid(coding, concept, provider, scope, reason, "error"),))


def _not_valid(
    coding: Coding, concept: Concept, provider: CodeSystemProvider, scope: Scope, reason: str, severity: str
) -> Issue:
    url = provider.info.canonical.url
    said = issue("OWN_NOT_VALID_ON_DATE", coding.code, url, scope.on, reason, at="code", severity=severity)
    successor = replaced_by(concept, provider.info)
    if successor is None:
        return said
    return replace(said, diagnostics=f"It was replaced by '{successor.code}'.", suggestion=successor)


def _unknown(coding: Coding, concept: Concept | None, provider: CodeSystemProvider, scope: Scope, reason: str) -> Stand:
    url = provider.info.canonical.url
    said = issue("OWN_CANNOT_JUDGE_ON_DATE", coding.code, url, scope.on, reason, at="code")
    return Stand("unknown", "nothing", provider, concept, (said,))


def in_another_release(coding: Coding, scope: Scope) -> tuple[CodeSystemProvider, Concept] | None:
    """A code that the release at hand lacks, in the newest release that has it."""
    for edition in scope.catalog.editions(coding.system or ""):
        if edition.info.answers:
            found = scope.supplemented(edition).find(coding.code or "")
            if isinstance(found, Concept):
                return edition, found
    return None


def replaced_by(concept: Concept, info: CodeSystemInfo) -> Coding | None:
    """The code that took the place of one: our property ``replaced-by``, or HL7's extension of that meaning."""
    url, uri = info.canonical.url, f"{OWN_PROPERTIES}replaced-by"
    names = {"replaced-by", *(declared.code for declared in info.properties if declared.uri == uri)}
    stated = [held.value for held in concept.properties if held.code in names]
    stated += [found.get("valueCoding") for found in concept.extensions if found.get("url") == REPLACED_BY]
    for value in stated:
        if isinstance(value, str):
            return Coding(url, value)
        if isinstance(value, dict) and value.get("code"):
            return Coding(value.get("system") or url, value["code"])
    return None
