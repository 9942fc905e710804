"""What a $validate-code asks: the coded value, what it is held against, and the scope in which it is judged.

Where that cannot be found out, the Validation that says why is the answer.
"""

from __future__ import annotations

from dataclasses import replace

from terminology import aliases, resources, suggestions
from terminology.catalog import Scope
from terminology.expansion import Trail, members
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, Refusal, issue
from terminology.issues import text as text_of
from terminology.judgement import Rules
from terminology.model import CodeSystemProvider, Coding, Issue, Json, ValueSet
from terminology.operations.shared import (
    coding_of,
    defaulted,
    inline_code_system,
    match_of,
    named_value_set,
    reading_languages,
)
from terminology.request import Request
from terminology.resolution import prepare, unknown_name, unknown_system
from terminology.validation import Mode, Validation, whole_system

Coded = tuple[list[Coding], Mode, Json | None]


@dataclass(frozen=True, slots=True)
class Matter:
    """What is to be judged and against what. ``told`` is what there is to tell beside it."""

    codings: list[Coding]
    mode: Mode
    concept: Json | None
    value_set: ValueSet
    scope: Scope
    rules: Rules
    told: tuple[Issue, ...] = ()


def _coded_value(request: Request, system: str) -> Coded:
    """What is to be judged: codeableConcept, coding, or code with the system named by the parameter ``system``."""
    arguments = request.arguments
    if "codeableConcept" in arguments:
        concept = arguments["codeableConcept"]
        return [coding_of(entry) for entry in concept.get("coding", [])], "codeableConcept", concept
    if "coding" in arguments:
        return [coding_of(arguments["coding"])], "coding", None
    version = arguments.get("systemVersion") if system == "system" else arguments.get("version")
    stated = arguments.get(system) or arguments.get("system")
    known = stated or request.target or arguments.flag("inferSystem") or (system == "url" and "codeSystem" in arguments)
    if not arguments.get("code") or not known:
        raise Invalid(issue("OWN_NO_CODE"))
    url, _, pinned = (stated or "").partition("|")
    coding = Coding(url or None, arguments["code"], version or pinned or None, arguments.get("display"))
    return [coding], "code", None


# --- against a value set --------------------------------------------------------------------------------------


def in_value_set(request: Request) -> Matter | Validation:
    """Whether a coded value is in a value set; raises Refusal."""
    value_set = named_value_set(request)
    request = defaulted(request, value_set)
    codings, mode, concept = _coded_value(request, "system")
    scope = _strict(request, value_set)
    try:
        scope = prepare(value_set, scope)
    except NotFound as refused:
        if any(found.message_id.startswith("VALUESET_SUPPLEMENT_MISSING") for found in refused.issues):
            raise
        return _unprepared(refused, codings, mode, concept, scope)
    if mode == "code" and not codings[0].system and request.arguments.flag("inferSystem"):
        codings, reasons = _inferred(codings, value_set, scope)
        if reasons:
            return _not_inferred(codings, reasons, value_set, scope)
    return Matter(codings, mode, concept, value_set, scope, Rules(_lenient(request), match=match_of(request)))


def _strict(request: Request, value_set: ValueSet | None) -> Scope:
    """The scope as strict as the request wants it, and in the languages to read in."""
    arguments = request.arguments
    return request.scope.but(
        abstract=arguments.flag("abstract", True),
        active_only=arguments.flag("activeOnly"),
        membership_only=arguments.flag("valueset-membership-only") or _mode(request) == "NO_MEMBERSHIP_DETAIL",
        languages=reading_languages(request.scope, value_set),
    )


def _mode(request: Request) -> str:
    mode: str = request.arguments.get("mode") or request.arguments.get("valueSetMode") or ""
    return mode


def _lenient(request: Request) -> bool:
    return request.arguments.flag("lenient-display-validation") or _mode(request) == "lenient-display-validation"


def _unprepared(refused: Refusal, codings: list[Coding], mode: Mode, concept: Json | None, scope: Scope) -> Validation:
    """A value set that depends on what is not here: nothing can be in it, and the answer says why."""
    first = codings[0] if codings and mode != "codeableConcept" else Coding()
    provider = scope.provider(first.system, first.version) if first.system else None
    languages = scope.reader.primary
    return Validation(
        result=False,
        code=first.code,
        system=first.system,
        version=first.version or (provider.info.canonical.version if provider else None),
        issues=refused.issues,
        messages=tuple(sorted(text_of(found, languages) for found in refused.issues)),
        codeable_concept=concept,
    )


def _inferred(codings: list[Coding], value_set: ValueSet, scope: Scope) -> tuple[list[Coding], tuple[Issue, ...]]:
    """The bare code with the system that ``inferSystem`` asks to find."""
    code = codings[0].code
    timeless = scope.but(on=None)
    found = {m.canonical.url for m in members(value_set, timeless, Trail()) if m.concept.code == code}
    if len(found) == 1:
        return [replace(codings[0], system=found.pop())], ()
    if not found:
        return codings, (issue("UNABLE_TO_INFER_CODESYSTEM", code, value_set.info, at="code"),)
    listed = ",".join(sorted(found))
    message = "Unable_to_resolve_system__value_set_has_multiple_matches"
    return codings, (issue(message, code, value_set.info, listed, at="code"),)


def _not_inferred(codings: list[Coding], reasons: tuple[Issue, ...], value_set: ValueSet, scope: Scope) -> Validation:
    display = f" ('{codings[0].display}')" if codings[0].display else ""
    named = f"{codings[0]}{display}"
    said = issue("None_of_the_provided_codes_are_in_the_value_set_one", named, value_set.info, at="code")
    issues = (*reasons, said)
    texts = sorted(text_of(found, scope.reader.primary) for found in issues)
    return Validation(False, codings[0].code, issues=issues, messages=tuple(texts))


# --- against a code system ------------------------------------------------------------------------------------


def in_code_system(request: Request) -> Matter | Validation:
    """Whether a coded value is a right one of its code system; raises Refusal."""
    codings, mode, concept = _coded_value(request, "url")
    scope = _strict(request, None)
    provider = _provider(request, scope, codings, mode)
    if isinstance(provider, Validation):
        return replace(provider, codeable_concept=concept)
    url = provider.info.canonical.url
    if mode == "code":
        first = codings[0]
        codings = [Coding(first.system or url, first.code, None, first.display)]
    value_set = whole_system(provider, named=not scope.on or _named(request, codings))
    if inline := request.arguments.get("codeSystem"):
        scope = scope.but(catalog=resources.layer([inline]).over(scope.catalog), guests=scope.guests + 1)
    scope = prepare(value_set, scope)
    rules = Rules(_lenient(request), of_code_system=True)
    return Matter(codings, mode, concept, value_set, scope, rules, _told(request, mode, url))


def _told(request: Request, mode: Mode, url: str) -> tuple[Issue, ...]:
    """What to tell where another name of the code system came as ``url`` beside a coding."""
    sent = request.arguments.get("url") or request.arguments.get("system")
    if mode == "code" or sent is None or sent.partition("|")[0] == url or "codeSystem" in request.arguments:
        return ()
    if aliases.meant(sent.partition("|")[0], request.scope) != url:
        return ()
    return (aliases.told(sent, url, at="url"),)


def _provider(request: Request, scope: Scope, codings: list[Coding], mode: Mode) -> CodeSystemProvider | Validation:
    arguments = request.arguments
    if request.target is not None:
        held = scope.provider(request.target.get("url", ""), request.target.get("version"))
        return held or scope.supplemented(resources.code_system(request.target))
    if inline := inline_code_system(request, "codeSystem"):
        return inline
    first = codings[0] if codings else Coding()
    url = aliases.meant(
        (arguments.get("url") or arguments.get("system") or first.system or "").partition("|")[0], scope
    )
    if not url:
        return _refused([issue("Coding_has_no_system__cannot_validate")], first, mode, scope)
    stated = arguments.get("version") or first.version
    version = scope.versions.choose(url, stated).version
    provider = scope.provider(url, version)
    if provider is not None:
        return provider
    place = {
        "code": "system",
        "coding": "Coding.system",
        "codeableConcept": "CodeableConcept.coding[0].system",
    }[mode]
    return _refused(
        _unknown(Coding(url, first.code, version), place, scope),
        replace(first, system=url),
        mode,
        scope,
        version,
    )


def _named(request: Request, codings: list[Coding]) -> bool:
    """True when the request says which version is meant: then not the date chose it."""
    arguments = request.arguments
    if request.target is not None or "codeSystem" in arguments:
        return True
    first = codings[0] if codings else Coding()
    url = (arguments.get("url") or arguments.get("system") or first.system or "").partition("|")[0]
    return request.scope.versions.choose(url, arguments.get("version") or first.version).version is not None


def _unknown(coding: Coding, place: str, scope: Scope) -> list[Issue]:
    url = coding.system or ""
    if scope.catalog.value_set(url) is not None:
        return [issue("Terminology_TX_System_ValueSet2", url, at=place)]
    for supplement in scope.catalog.all_supplements():
        if supplement.info.canonical.url == url:
            return [issue("CODESYSTEM_CS_NO_SUPPLEMENT", supplement.info.canonical, at=place)]
    said = unknown_system(url, coding.version, scope).at(place)
    if hint := suggestions.unknown_system(coding, scope):
        said = replace(said, diagnostics=hint[0], suggestion=hint[1])
    relative = [] if ":" in url.split("/", 1)[0] else [issue("Terminology_TX_System_Relative", at=place)]
    return [*relative, said]


def _refused(issues: list[Issue], coding: Coding, mode: Mode, scope: Scope, version: str | None = None) -> Validation:
    unknown = any(found.message_id.startswith("UNKNOWN_CODESYSTEM") for found in issues)
    name = unknown_name(coding.system or "", version, scope)
    shown = coding if mode != "codeableConcept" else Coding()
    texts = sorted(text_of(found, scope.reader.primary) for found in issues)
    return Validation(
        False,
        code=shown.code,
        system=shown.system,
        version=shown.version,
        issues=tuple(issues),
        messages=tuple(texts),
        unknown_systems=(name,) if unknown else (),
    )
