"""Parameters that several operations declare, and the readings of a request that they share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypedDict

from terminology import aliases, resources
from terminology.catalog import Scope
from terminology.issues import Invalid, NotFound, issue
from terminology.languages import Languages
from terminology.locked import settled
from terminology.model import Canonical, CodeSystemProvider, Coding, Json, ValueSet
from terminology.operation import Parameter
from terminology.parameters import Arguments, Given
from terminology.request import Request
from terminology.versions import PARAMETERS, UNRULED, VersionPolicy

USAGE_CONTEXT = Parameter(
    "usageContext",
    "UsageContext",
    "The context of the validation.",
    repeats=True,
    versions=("R5",),
    ignored="no profile here depends on it",
)
FOUND = Parameter("return", "OperationOutcome", "Everything that was found.", minimum=1)
"""What every ``$validate`` takes beside, and what it gives."""

SUPPLEMENTS = Parameter(
    "useSupplement", "canonical", "Supplements to apply. May repeat.", repeats=True, versions=("R5",)
)

SYSTEM_VERSION_PARAMETERS = (
    Parameter("system-version", "canonical", "Version of a system where none is stated: url|version.", repeats=True),
    Parameter("check-system-version", "canonical", "Version of a system that must answer.", repeats=True),
    Parameter("force-system-version", "canonical", "Version of a system, whatever is stated.", repeats=True),
)
"""Defined by R4 and R5 for $expand; the ecosystem's for every other operation."""

_OWN_TO_ECOSYSTEM = (
    Parameter(
        "tx-resource", "resource", "Resources for this request only, over the stored ones. May repeat.", repeats=True
    ),
    Parameter("cache-id", "id", "A cache of request resources, started by $cache-control."),
    Parameter("default-valueset-version", "canonical", "Version of an import where none is stated.", repeats=True),
    Parameter("check-valueset-version", "canonical", "Version of an import that must answer.", repeats=True),
    Parameter("force-valueset-version", "canonical", "Version of an import, whatever is stated.", repeats=True),
    Parameter("diagnostics", "boolean", "Ask for diagnostics.", ignored="the answer always says where it came from"),
    Parameter("no-cache", "boolean", "Answer afresh.", ignored="no answer is kept"),
)


def of_ecosystem(declared: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """Parameters that the base specification does not define for an operation, though every endpoint takes them."""
    return tuple(replace(parameter, versions=()) for parameter in declared)


SCOPE_PARAMETERS = of_ecosystem((*_OWN_TO_ECOSYSTEM, *SYSTEM_VERSION_PARAMETERS))
EXPAND_PARAMETERS = (*of_ecosystem(_OWN_TO_ECOSYSTEM), *SYSTEM_VERSION_PARAMETERS)


def coding_of(stated: Json) -> Coding:
    """A Coding from its JSON."""
    return Coding(stated.get("system"), stated.get("code"), stated.get("version"), stated.get("display"))


def inline_code_system(request: Request, name: str) -> CodeSystemProvider | None:
    """The CodeSystem that came in a parameter, with the supplements that apply."""
    stated = request.arguments.get(name)
    if stated is None:
        return None
    if not isinstance(stated, dict) or stated.get("resourceType") != "CodeSystem":
        kind = stated.get("resourceType") if isinstance(stated, dict) else type(stated).__name__
        raise Invalid(issue("OWN_WRONG_TYPE", name, "a CodeSystem resource", kind, at=name))
    return request.scope.supplemented(resources.code_system(stated))


def named_value_set(request: Request) -> ValueSet:
    """The value set of a request: inline, by url and version, or the instance; raises NotFound. Its code systems have
    their urls, whatever its author called them, and the versions of its locked date."""
    sent = _sent_value_set(request)
    return _named_value_set(request) if sent is None else settled(sent, request.scope)


def _sent_value_set(request: Request) -> ValueSet | None:
    if request.target is not None:
        return resources.value_set(request.target)
    stated = request.arguments.get("valueSet")
    if stated is None:
        return None
    if not isinstance(stated, dict) or stated.get("resourceType") != "ValueSet":
        kind = stated.get("resourceType") if isinstance(stated, dict) else type(stated).__name__
        raise Invalid(issue("OWN_WRONG_TYPE", "valueSet", "a ValueSet resource", kind, at="valueSet"))
    return resources.value_set(stated)


def _named_value_set(request: Request) -> ValueSet:
    arguments, scope = request.arguments, request.scope
    url = arguments.get("url")
    if url is None:
        raise Invalid(
            issue("OWN_MISSING_PARAMETER", "url", "name a value set with url, or send it as valueSet", at="url")
        )
    canonical = Canonical.parse(url)
    version = arguments.get("valueSetVersion") or canonical.version
    version = scope.versions.choose(canonical.url, version).version
    catalog = scope.catalog
    found = catalog.value_set(canonical.url, version)
    if found is None:
        raise NotFound(issue("Unable_to_resolve_value_Set_", Canonical(canonical.url, version)))
    key = ("value set by urls", canonical.url, version)
    return catalog.remembered(key, lambda: settled(found, scope)) or found


class Stated(TypedDict):
    """What a request says of its scope, but for the version rules."""

    languages: Languages
    supplements: tuple[str, ...]
    on: str | None


def stated_in(arguments: Arguments) -> Stated:
    """What ``arguments`` say about language, supplements and date; raises Invalid."""
    return {
        "languages": Languages.parse(arguments.get("displayLanguage")),
        "supplements": arguments.all("useSupplement"),
        "on": arguments.get("date"),
    }


def restated(scope: Scope, arguments: Arguments) -> Scope:
    """The scope with what ``arguments`` say in place of what was said before."""
    return ruled(scope.but(versions=UNRULED, **stated_in(arguments)), arguments)


def ruled(scope: Scope, arguments: Arguments) -> Scope:
    """The scope with the version rules that ``arguments`` state; raises Invalid."""
    named = [name for name in PARAMETERS if name in arguments]
    if not named:
        return scope
    rules = [(name, _unaliased(name, value, scope)) for name in named for value in arguments[name]]
    return scope.but(versions=VersionPolicy.parse(rules))


def _unaliased(name: str, canonical: str, scope: Scope) -> str:
    """A value of a version parameter, with the url of the code system that it names."""
    url, bar, version = canonical.partition("|")
    return f"{aliases.meant(url, scope)}{bar}{version}" if "valueset" not in name else canonical


ACCUMULATING = frozenset((*PARAMETERS, "property", "designation", "useSupplement"))


def defaulted(request: Request, value_set: ValueSet) -> Request:
    """The request with the expansion parameters of the value set behind the client's own; what may repeat is added."""
    own = [
        Given(name, next(iter(value.values())))
        for name, value in value_set.defaults
        if name not in request.arguments or name in ACCUMULATING
    ]
    if not own:
        return request
    from terminology.schemas import read  # noqa: PLC0415  marshmallow is loaded when a request is read

    arguments = read(request.operation, [*request.arguments.given, *own])
    return replace(request, arguments=arguments, scope=restated(request.scope, arguments))


def reading_languages(scope: Scope, value_set: ValueSet | None) -> Languages:
    """The languages to read in: displayLanguage, else the reader's, else the value set's own."""
    languages = scope.languages or scope.reader
    if not languages and value_set is not None and value_set.info.language:
        return Languages.parse(value_set.info.language)
    return languages


def match_of(request: Request) -> bool | None:
    """``versionsMatch``, where the client or the value set states it."""
    stated: bool | None = request.arguments.get("versionsMatch")
    return stated
