"""CodeSystem/$find-matches: codes with given properties (https://hl7.org/fhir/R4/codesystem-operation-find-matches.html).

A *complete* match has every property with the value asked for, a *partial* one some of them; ``unmatched`` lists the
others. A *possible* match, for people only (``exact=false``), has none, but a value that is broader or narrower, or a
text that holds the words asked for. Complete matches come first, then those that match most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from terminology import aliases, suggestions
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, NotSupported, TooCostly, issue, text, versions_list
from terminology.model import CodeSystemInfo, CodeSystemProvider, Coding, Concept, Issue, Json, Query, tree_of
from terminology.operation import Operation, Parameter
from terminology.operations.shared import SCOPE_PARAMETERS, SUPPLEMENTS
from terminology.request import Request
from terminology.wire.values import parameter, parameters, part

WORDS = ("String", "Code", "Markdown")
"""Types whose values are texts."""
OF_A_CONCEPT = ("display", "definition", "parent", "child", "inactive", "status")
"""Properties that a concept has without a declaration."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A property asked for: ``type`` is the suffix of ``value[x]``; without value any value will do."""

    code: str
    type: str | None
    value: Any
    inner: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """A code, what of the properties asked for it does not have, and in words how good the match is."""

    concept: Concept
    unmatched: tuple[Wanted, ...]
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Matches:
    """The answer of $find-matches, best first."""

    info: CodeSystemInfo
    matches: tuple[Match, ...]
    issues: tuple[Issue, ...] = ()


def run(request: Request) -> Matches:
    """The matches; raises Invalid for properties the system does not have, TooCostly for too many matches."""
    arguments, scope = request.arguments, request.scope
    provider, told = _provider(request)
    wanted = _wanted(arguments.all("property"))
    _known(wanted, provider.info)
    exact, most = arguments.flag("exact"), scope.limits.expansion
    compositional = arguments.flag("compositional")
    found: list[tuple[int, Match]] = []
    for concept in provider.select(Query()):
        if ranked := _match(concept, wanted, provider, exact, compositional):
            found.append(ranked)
            if len(found) > most:
                raise TooCostly(issue("OWN_TOO_MANY", "match", most, "expansion_limit", at="property"))
    found.sort(key=lambda entry: -entry[0])
    return Matches(provider.info, tuple(match for _, match in found), told)


def _provider(request: Request) -> tuple[CodeSystemProvider, tuple[Issue, ...]]:
    arguments, scope = request.arguments, request.scope
    url, version = arguments.get("system"), arguments.get("version")
    if request.target is not None:
        url, version = request.target.get("url"), request.target.get("version")
    if not url:
        raise Invalid(issue("OWN_MISSING_PARAMETER", "system", "name the code system", at="system"))
    coding, told = aliases.settled(Coding(url, None, version), scope)
    url = coding.system or ""
    version = scope.versions.choose(url, version).version
    provider = scope.provider(url, version)
    if provider is None:
        raise NotFound(_unknown(coding, version, scope))
    if not provider.info.enumerable:
        raise NotSupported(issue("OWN_MATCHES_NOT_ENUMERABLE", provider.info.canonical, at="system"))
    return provider, told


def _unknown(coding: Coding, version: str | None, scope: Scope) -> Issue:
    known = scope.catalog.versions_of(coding.system or "")
    if known:
        return issue("OWN_LOOKUP_UNKNOWN_VERSION", coding.system, version, versions_list(known), at="version")
    said = issue("OWN_LOOKUP_UNKNOWN_SYSTEM", coding.system, at="system")
    hint = suggestions.unknown_system(coding, scope)
    return replace(said, diagnostics=hint[0], suggestion=hint[1]) if hint else said


# --- what is asked ------------------------------------------------------------------------------------------


def _wanted(stated: Sequence[Any]) -> tuple[Wanted, ...]:
    if not stated:
        why = "send at least one, with the parts code and value"
        raise Invalid(issue("OWN_MISSING_PARAMETER", "property", why, at="property"))
    return tuple(_one(parts, f"property[{index}]", "subproperty") for index, parts in enumerate(stated))


def _one(parts: Any, place: str, inner: str | None) -> Wanted:
    code, kind, value = None, None, None
    nested: list[Wanted] = []
    for entry in parts if isinstance(parts, list) else ():
        if not isinstance(entry, dict):
            continue
        name = entry.get("name")
        stated = next(((key[5:], held) for key, held in entry.items() if key.startswith("value")), None)
        if name == "code" and stated:
            code = stated[1]
        elif name == "value" and stated:
            kind, value = stated
        elif inner and name == inner:
            nested.append(_one(entry.get("part"), f"{place}.{inner}[{len(nested)}]", None))
    if not isinstance(code, str) or not code:
        raise Invalid(issue("OWN_MISSING_PARAMETER", f"{place}.code", "name the property", at=place))
    return Wanted(code, kind, value, tuple(nested))


def _known(wanted: Sequence[Wanted], info: CodeSystemInfo) -> None:
    """Refuses properties that no concept can have: nothing could ever match."""
    declared = [definition.code for definition in info.properties]
    known = {*declared, *OF_A_CONCEPT, *(definition.uri for definition in info.properties)}
    reasons = [
        issue("OWN_UNKNOWN_PROPERTY", info.canonical, each.code, ", ".join((*declared, *OF_A_CONCEPT)), at=place)
        for place, each in ((f"property[{index}]", each) for index, each in enumerate(wanted))
        if each.code not in known
    ]
    if reasons:
        raise Invalid(*reasons)


# --- matching -----------------------------------------------------------------------------------------------


def _match(
    concept: Concept, wanted: Sequence[Wanted], provider: CodeSystemProvider, exact: bool, compositional: bool
) -> tuple[int, Match] | None:
    """How well a concept matches, and the match; None where it does not."""
    missing = [each for each in wanted if not _has(concept, each, provider)]
    matched = len(wanted) - len(missing)
    nearly = [] if exact else [why for each in missing for why in _nearly(concept, each, provider)]
    if not matched and not nearly:
        return None
    kind = "Complete" if not missing else "Partial" if matched else "Possible"
    comment = "; ".join((f"{kind} match", *nearly))
    if compositional:
        comment += f"; {_not_composed(provider.info)}"
    rank = 2 * matched + bool(nearly)
    return rank, Match(concept, tuple(missing), comment if compositional or not exact else None)


def _not_composed(info: CodeSystemInfo) -> str:
    if info.compositional:
        return "codes that are listed were looked at, none was composed"
    return f"compositional is not applicable: {info.canonical} has no composed codes"


def _has(concept: Concept, wanted: Wanted, provider: CodeSystemProvider) -> bool:
    """True when the concept has the value. Properties here have no inner ones, so with inner ones it has not."""
    if wanted.inner:
        return False
    return any(
        wanted.type is None or _equal(kind, value, wanted, provider.info)
        for kind, value in _values(concept, wanted.code, provider)
    )


def _values(concept: Concept, code: str, provider: CodeSystemProvider) -> Iterator[tuple[str, Any]]:
    """The values of a property, named by code or uri, with their types."""
    names = {code, *(definition.code for definition in provider.info.properties if definition.uri == code)}
    own = [(held.type, held.value) for held in concept.properties if held.code in names]
    yield from own
    if own:
        return
    if code == "parent":
        yield from (("Code", parent) for parent in concept.parents)
    elif code == "child" and (tree := tree_of(provider)):
        yield from (("Code", child) for child in tree.children(concept.code))
    elif code == "inactive":
        yield "Boolean", concept.inactive
    elif code in ("display", "definition", "status") and getattr(concept, code) is not None:
        yield "String", getattr(concept, code)


def _equal(kind: str, value: Any, wanted: Wanted, info: CodeSystemInfo) -> bool:
    """A code is the same as a Coding of its own code system; texts of any type are compared as texts."""
    if isinstance(value, dict) or isinstance(wanted.value, dict):
        return _coded(value, info) == _coded(wanted.value, info)
    if isinstance(value, bool) or isinstance(wanted.value, bool):
        return value is wanted.value
    both_words = kind in WORDS and wanted.type in WORDS
    return bool((kind == wanted.type or both_words) and value == wanted.value)


def _coded(value: Any, info: CodeSystemInfo) -> tuple[Any, Any]:
    if isinstance(value, dict):
        return value.get("system", info.canonical.url), value.get("code")
    return info.canonical.url, value


def _nearly(concept: Concept, wanted: Wanted, provider: CodeSystemProvider) -> Iterator[str]:
    """Why a concept may be meant though its value is another one."""
    for kind, value in _values(concept, wanted.code, provider):
        coded = wanted.value.get("code") if isinstance(wanted.value, dict) else wanted.value
        held = value.get("code") if isinstance(value, dict) else value
        if not isinstance(coded, str) or not isinstance(held, str):
            continue
        same = _coded(value, provider.info)[0] == _coded(wanted.value, provider.info)[0] == provider.info.canonical.url
        comparable = (
            same
            and kind in ("Code", "Coding")
            and all(isinstance(provider.find(each), Concept) for each in (held, coded))
        )
        relation = provider.subsumes(held, coded) if comparable and coded != held else None
        if relation in ("subsumes", "subsumed-by"):
            width = "broader" if relation == "subsumes" else "narrower"
            yield f"{wanted.code} is {held}, which is {width} than {coded}"
        elif wanted.type in WORDS and kind in WORDS and coded != held and coded.casefold() in held.casefold():
            yield f"{wanted.code} holds the text '{coded}'"


# --- the answer ---------------------------------------------------------------------------------------------


def respond(outcome: Matches, request: Request) -> Json:
    """Parameters with one ``match`` for each."""
    canonical = outcome.info.canonical
    told = (parameter("diagnostics", "String", text(said, request.scope.reader.primary)) for said in outcome.issues)
    matches = (
        part(
            "match",
            (
                parameter(
                    "code",
                    "Coding",
                    Coding(canonical.url, match.concept.code, canonical.version, match.concept.display).as_json(),
                ),
                *(_unmatched("unmatched", each) for each in match.unmatched),
                parameter("comment", "String", match.comment),
            ),
        )
        for match in outcome.matches
    )
    return parameters((*matches, *told))


def _unmatched(name: str, wanted: Wanted) -> Json:
    inner = (_unmatched("property", each) for each in wanted.inner)
    value = parameter("value", wanted.type, wanted.value) if wanted.type else None
    return part(name, (parameter("code", "Code", wanted.code), value, *inner))


FIND_MATCHES = Operation(
    name="find-matches",
    resource="CodeSystem",
    levels={"R4": ("type", "instance"), "R5": ("type", "instance")},
    summary="The codes that have given properties.",
    specification="http://hl7.org/fhir/OperationDefinition/CodeSystem-find-matches",
    inputs=(
        Parameter("system", "uri", "The code system."),
        Parameter("version", "string", "Its version."),
        Parameter(
            "property",
            "part",
            "A property: the parts code and value, and for inner properties subproperty with code and value.",
            repeats=True,
        ),
        Parameter("exact", "boolean", "True: no possible matches, and no comments. Default false.", minimum=1),
        Parameter("compositional", "boolean", "True: composed codes may be among the matches. None is composed here."),
        SUPPLEMENTS,
        *SCOPE_PARAMETERS,
    ),
    outputs=(
        Parameter(
            "match",
            "part",
            "A code that matches: code, unmatched (code, value, property) for what it lacks, comment.",
            repeats=True,
        ),
        Parameter("diagnostics", "string", "That another name of the system was sent.", versions=()),
    ),
    run=run,
    respond=respond,
    scope=("CodeSystem",),
    cost="costly",
)
