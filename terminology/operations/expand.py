"""ValueSet/$expand: the codes of a value set (https://hl7.org/fhir/R5/valueset-operation-expand.html)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from terminology import aliases
from terminology.catalog import Scope
from terminology.conceptset import included
from terminology.decoration import Decorated, Wanted, decorated
from terminology.expansion import Member, Node, Page, Trail, Wish, members, page, pushed_down
from terminology.frozen import dataclass
from terminology.issues import TooCostly, issue, text
from terminology.languages import textual
from terminology.model import Canonical, Json, Select, ValueSet
from terminology.operation import Operation, Parameter
from terminology.operations.plain_expand import identifier, now, plainly
from terminology.operations.shared import (
    EXPAND_PARAMETERS,
    SUPPLEMENTS,
    defaulted,
    match_of,
    named_value_set,
    reading_languages,
)
from terminology.request import Request
from terminology.resolution import prepare, standing

UNCLOSED = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"
UNCLOSED_REASON = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed-reason"

KEPT = ("url", "version", "name", "title", "status", "experimental", "language", "date")
"""What an expansion repeats of its value set; ``includeDefinition`` adds the rest."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The answer of $expand. ``parameters`` are (name, value type, value) as the expansion reports them."""

    value_set: ValueSet
    codes: tuple[Decorated, ...]
    total: int | None
    parameters: tuple[tuple[str, str, Any], ...]
    properties: tuple[tuple[str, str | None], ...]
    unclosed: tuple[str, ...] = ()
    offset: int | None = None
    with_definition: bool = False
    identifier: str = ""
    timestamp: str = ""

    def __len__(self) -> int:
        return sum(1 for _ in self) if self.total is None else self.total

    def __iter__(self) -> Iterator[Decorated]:
        """The listed codes, those nested in others included."""
        pending = list(self.codes)[::-1]
        while pending:
            code = pending.pop()
            yield code
            pending.extend(reversed(code.contains))

    def __str__(self) -> str:
        lines = [f"{self.value_set.info}: {len(self)} codes"]
        lines += [f"  {c.code}  {c.display or ''}  [{Canonical(c.system, c.version)}]" for c in self]
        return "\n".join(lines)


def run(request: Request) -> Expansion:
    """The Expansion of a request; raises Refusal for what is unknown, broken or too large."""
    value_set = named_value_set(request)
    request = defaulted(request, value_set)
    arguments = request.arguments
    languages = reading_languages(request.scope, value_set)
    scope = request.scope.but(expanding=True, active_only=arguments.flag("activeOnly"), languages=languages)
    _refuse_count(arguments.get("count"), scope)
    scope = prepare(value_set, scope)
    trail = Trail()
    searching = "filter" in arguments and _searches_whole_system(value_set)
    words, count, offset = (arguments.get(name) for name in ("filter", "count", "offset"))
    plain = not arguments.flag("excludeNotForUI") and "exclude-system" not in arguments
    detailed = bool(languages) or any(name in arguments for name in _DETAILS)
    nested = not arguments.flag("excludeNested") and not searching
    wish = Wish(words, count, offset, nested, detailed)
    paged = pushed_down(value_set, scope, trail, wish) if plain else None
    if paged is None:
        found = _asked(members(value_set, scope, trail, text=words, match=match_of(request)), request)
        paged = page(value_set, scope, trail, found, count=count, offset=offset, nested=nested)
    counted = not searching or "count" in arguments or "offset" in arguments
    return _outcome(request, value_set, scope, trail, paged, counted)


_DETAILS = ("includeDesignations", "designation", "property")
"""Parameters for which more than a code and its display has to be read."""


def _searches_whole_system(value_set: ValueSet) -> bool:
    """A text searched in a whole code system gives a ranked list, not a tree; its length is told to who pages."""
    return any(isinstance(part, Select) and part.query.whole for part in included(value_set.concepts))


def _refuse_count(count: int | None, scope: Scope) -> None:
    if count is not None and count > scope.limits.page:
        raise TooCostly(issue("OWN_COUNT_TOO_LARGE", count, scope.limits.page, "page_limit", at="count"))


def _asked(found: Iterator[Member], request: Request) -> Iterator[Member]:
    """The members that suit the search text, excludeNotForUI and exclude-system."""
    arguments = request.arguments
    if "filter" in arguments:
        suits = textual(arguments["filter"])
        found = (member for member in found if suits(_named(member)))
    if arguments.flag("excludeNotForUI"):
        found = (member for member in found if not member.concept.abstract)
    if excluded := [_unaliased(Canonical.parse(text), request.scope) for text in arguments.all("exclude-system")]:
        found = (member for member in found if not _of(member, excluded))
    return found


def _unaliased(named: Canonical, scope: Scope) -> Canonical:
    return replace(named, url=aliases.meant(named.url, scope))


def _named(member: Member) -> Any:
    if member.listed is None:
        return member.concept
    own = member.listed.designations
    display = member.listed.display or member.concept.display
    return replace(member.concept, display=display, designations=member.concept.designations + own)


def _of(member: Member, excluded: Iterable[Canonical]) -> bool:
    held = member.canonical
    return any(e.url == held.url and e.version in (None, held.version) for e in excluded)


def _outcome(
    request: Request, value_set: ValueSet, scope: Scope, trail: Trail, paged: Page, counted: bool
) -> Expansion:
    arguments = request.arguments
    wanted = Wanted(
        languages=scope.languages,
        designations=arguments.flag("includeDesignations"),
        only=arguments.all("designation"),
        properties=arguments.all("property"),
    )
    codes = tuple(_decorated(node, wanted) for node in paged.nodes)
    shown = Expansion(value_set, codes, paged.total, (), ())
    supplements = _supplements(trail, shown, scope)
    return Expansion(
        value_set=value_set,
        codes=codes,
        total=paged.total if counted else None,
        parameters=tuple(_parameters(request, scope, trail, value_set, supplements)),
        properties=_declared(shown),
        unclosed=tuple(text(said, scope.reader.primary) for said in trail.open.values()),
        offset=arguments.get("offset", 0 if "count" in arguments else None),
        with_definition=arguments.flag("includeDefinition"),
        identifier=identifier(),
        timestamp=now(),
    )


def _decorated(node: Node, wanted: Wanted) -> Decorated:
    return decorated(node.member, wanted, tuple(_decorated(child, wanted) for child in node.contains))


def _supplements(trail: Trail, shown: Expansion, scope: Scope) -> list[str]:
    """The supplements to report: those that were named, and those whose content is shown."""
    contributed = {source for code in shown for source in code.sources}
    found: dict[str, None] = {}
    for provider in trail.systems.values():
        for supplement in getattr(provider, "supplements", ()):
            canonical = supplement.info.canonical
            named = any(Canonical.parse(w).url == canonical.url for w in scope.supplements)
            if named or str(canonical) in contributed:
                found[str(canonical)] = None
    return list(found)


def _declared(shown: Expansion) -> tuple[tuple[str, str | None], ...]:
    """``expansion.property``: every property that a listed code carries, with its uri."""
    used = {name: uri for code in shown for name, uri in code.declared}
    return tuple(used.items())


# --- expansion.parameter ------------------------------------------------------------------------------------

_ECHOED = (
    ("filter", "String"),
    ("excludeNested", "Boolean"),
    ("activeOnly", "Boolean"),
    ("includeDesignations", "Boolean"),
    ("includeDefinition", "Boolean"),
    ("excludeNotForUI", "Boolean"),
    ("excludePostCoordinated", "Boolean"),
    ("offset", "Integer"),
    ("count", "Integer"),
    ("exclude-system", "Uri"),
    ("date", "DateTime"),
    ("designation", "String"),
)


def _parameters(
    request: Request, scope: Scope, trail: Trail, value_set: ValueSet, supplements: Iterable[str]
) -> Iterator[tuple[str, str, Any]]:
    """What the client sent, as it is sent back; then what was used; then what to be warned of."""
    yield from _echoed(request)
    if scope.languages:
        yield "displayLanguage", "Code", scope.languages.text
    if trail.overload.match:
        yield "versionsMatch", "Boolean", True
    for rule in trail.rules.values():
        yield rule.parameter, "Uri", str(rule.canonical)
    used: tuple[tuple[str, Iterable[str]], ...] = (
        ("used-codesystem", trail.systems),
        ("used-fragment", trail.fragments),
        ("used-valueset", trail.value_sets),
        ("used-supplement", supplements),
    )
    for name, canonicals in used:
        yield from ((name, "Uri", canonical) for canonical in canonicals)
    yield from _of_the_day(trail)
    yield from _warnings(trail, value_set)
    for sent, url in trail.aliases.items():
        yield "used-alias", "String", text(aliases.told(sent, url), scope.reader.primary)


def _echoed(request: Request) -> Iterator[tuple[str, str, Any]]:
    for name, kind in _ECHOED:
        held = request.arguments.get(name)
        for value in held if isinstance(held, tuple) else (held,):
            if value is not None:
                yield name, kind, value


def _of_the_day(trail: Trail) -> Iterator[tuple[str, str, Any]]:
    """With date: the code systems whose codes were judged by their own dates, and what contradicts the date."""
    for canonical, release in trail.days.items():
        if not release.vouches:
            yield "date-by-concept", "Uri", canonical
        for found in release.issues:
            yield _WARNINGS_OF_DAY[found.message_id], "Uri", canonical
    for canonical in trail.across:
        yield "warning-date-across-concept", "Uri", canonical


_WARNINGS_OF_DAY = {
    "OWN_VERSION_NOT_IN_FORCE": "warning-not-in-force",
    "OWN_VERSION_WITHOUT_PERIOD": "warning-without-period",
    "OWN_DATE_ACROSS_RELEASES": "warning-date-across-releases",
}


def _warnings(trail: Trail, value_set: ValueSet) -> Iterator[tuple[str, str, Any]]:
    said: dict[tuple[str, str], None] = {}
    if kind := standing(value_set.info, value_set.info):
        said[kind, str(value_set.info)] = None
    for reference in trail.references.values():
        if kind := standing(reference.info, reference.referrer):
            said[kind, str(reference.info.canonical)] = None
    for kind, name in said:
        yield f"warning-{kind}", "Uri", name


# --- the answer -----------------------------------------------------------------------------------------------


def respond(outcome: Expansion, request: Request) -> Json:
    """The ValueSet with its expansion, in R5 form."""
    source = outcome.value_set.resource
    kept = source if outcome.with_definition else {name: source[name] for name in KEPT if name in source}
    made: Json = {"resourceType": "ValueSet", **{k: v for k, v in kept.items() if k not in _DROPPED}}
    expansion: Json = {"identifier": outcome.identifier, "timestamp": outcome.timestamp}
    if outcome.total is not None:
        expansion["total"] = outcome.total
    if outcome.unclosed:
        reasons = ({"url": UNCLOSED_REASON, "valueString": reason} for reason in outcome.unclosed)
        expansion = {"extension": [{"url": UNCLOSED, "valueBoolean": True}, *reasons], **expansion}
    if outcome.offset is not None:
        expansion["offset"] = outcome.offset
    expansion["parameter"] = [{"name": n, f"value{kind}": value} for n, kind, value in outcome.parameters]
    if outcome.properties:
        expansion["property"] = [
            {"code": code, "uri": uri} if uri else {"code": code} for code, uri in outcome.properties
        ]
    if outcome.codes:
        expansion["contains"] = [_contains(code) for code in outcome.codes]
    if not expansion["parameter"]:
        del expansion["parameter"]
    return {**made, "status": made.get("status", "active"), "expansion": expansion}


_DROPPED = frozenset(("resourceType", "id", "meta", "text", "expansion"))


def _contains(code: Decorated) -> Json:
    made: Json = {"extension": list(code.extensions)} if code.extensions else {}
    made["system"] = code.system
    if code.abstract:
        made["abstract"] = True
    if code.inactive:
        made["inactive"] = True
    if code.version is not None:
        made["version"] = code.version
    made["code"] = code.code
    if code.display is not None:
        made["display"] = code.display
    if code.designations:
        made["designation"] = list(code.designations)
    if code.properties:
        made["property"] = [{"code": name, f"value{kind}": value} for name, kind, value in code.properties]
    if code.contains:
        made["contains"] = [_contains(child) for child in code.contains]
    return made


EXPAND = Operation(
    name="expand",
    resource="ValueSet",
    levels={"R4": ("type", "instance"), "R5": ("type", "instance")},
    summary="The codes of a value set.",
    specification="http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
    inputs=(
        Parameter("url", "uri", "The value set."),
        Parameter("valueSet", "resource", "A ValueSet to expand, in place of url."),
        Parameter("valueSetVersion", "string", "The version of the value set."),
        Parameter(
            "context",
            "uri",
            "The element that the codes are for.",
            ignored="no structure definitions are held here",
        ),
        Parameter("contextDirection", "code", "Incoming or outgoing.", ignored="it goes with context"),
        Parameter("filter", "string", "A search text: each word begins a word of the code or of a name."),
        Parameter(
            "date",
            "dateTime",
            "The day that the definitions of the codes must be in force on. The value set's own is today's.",
        ),
        Parameter("offset", "integer", "Where the page begins."),
        Parameter("count", "integer", "How many codes the page holds; 0 counts only."),
        Parameter("includeDesignations", "boolean", "True: with all further names."),
        Parameter(
            "designation",
            "string",
            "Only these names: system|code of a use, or urn:ietf:bcp:47|language.",
            repeats=True,
        ),
        Parameter("includeDefinition", "boolean", "True: repeat the definition of the value set."),
        Parameter("activeOnly", "boolean", "True: without inactive codes."),
        Parameter("excludeNested", "boolean", "True: a flat list."),
        Parameter("excludeNotForUI", "boolean", "True: without abstract codes."),
        Parameter(
            "excludePostCoordinated",
            "boolean",
            "True: without expressions.",
            ignored="expressions are never listed",
        ),
        Parameter("displayLanguage", "code", "The language of the displays."),
        Parameter("exclude-system", "canonical", "Systems to leave out: url or url|version.", repeats=True),
        Parameter(
            "property",
            "string",
            "Properties to return with each code. May repeat.",
            repeats=True,
            versions=("R5",),
        ),
        Parameter("versionsMatch", "boolean", "True: versions of one system count as the same.", versions=()),
        Parameter("limit", "integer", "The most codes to produce.", versions=(), ignored="count does this"),
        Parameter(
            "incomplete-ok",
            "boolean",
            "Part of the codes will do.",
            versions=(),
            ignored="answers are complete or refused",
        ),
        SUPPLEMENTS,
        *EXPAND_PARAMETERS,
    ),
    outputs=(Parameter("return", "ValueSet", "The value set with its expansion."),),
    run=run,
    respond=respond,
    scope=("ValueSet", "CodeSystem"),
    cost="costly",
    plainly=plainly,
    contradictions=(("url", "valueSet"),),
)
