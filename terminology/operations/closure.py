"""$closure: a client's closure table, kept up to date (https://hl7.org/fhir/R5/conceptmap-operation-closure.html).

The name alone makes an empty table, ``concept`` adds to it and answers with the new relations, ``version`` replays
what came after that version. The protocol is that of https://hl7.org/fhir/R4/terminology-service.html#closure.
Relations are said from the narrower code (source) to the broader one (target). Codes of several systems may share a
table; a relation is only between codes of one. A table holds one release of a system: when another one answers, it
must be initialised anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from terminology import aliases, suggestions
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, TooCostly, Unavailable, Unprocessable, issue, text, versions_list
from terminology.model import CodeSystemProvider, Coding, Concept, Issue, Json
from terminology.operation import Operation, Parameter
from terminology.operations.shared import SCOPE_PARAMETERS, coding_of
from terminology.request import Request
from terminology.storage import Entry, Member, Table
from terminology.wire.r4_concept_map import OLD_EQUIVALENCE

COMPARISONS = 1_000_000
"""Most pairs of codes that one call compares."""
TRIES = 20
"""How often a call begins again because another one has changed the table meanwhile."""
NARROWER, SAME = "source-is-narrower-than-target", "equivalent"
R4_WORDS = {NARROWER: "subsumes", SAME: "equal"}
"""R4 reads an equivalence from the target: the target subsumes the source."""
_NAME = re.compile(r"[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Closure:
    """The answer of $closure: the version of the table and the relations that are new to the client."""

    name: str
    version: str
    entries: tuple[Entry, ...] = ()
    created: bool = False
    issues: tuple[Issue, ...] = ()


def run(request: Request) -> Closure:
    """Makes, extends or replays a table; raises NotFound for one never made, Unprocessable for one out of date."""
    name = request.arguments.get("name")
    if name is None:
        raise Invalid(issue("OWN_MISSING_PARAMETER", "name", "name the closure table", at="name"))
    if not _NAME.fullmatch(name):
        raise Invalid(issue("OWN_CLOSURE_NAME", name[:80], at="name"))
    if "version" in request.arguments:
        return _replayed(request, name, request.arguments["version"])
    stated = request.arguments.all("concept")
    if not stated:
        return Closure(name, request.storage.closures.initialise(request.client, name).shown, created=True)
    return _extended(request, name, [coding_of(each) for each in stated])


def _replayed(request: Request, name: str, text: str) -> Closure:
    """What came after a version. The versions issued since the table was made, and 0, are the ones known."""
    version = int(text) if re.fullmatch(r"\d{1,15}", text) else -1
    found = request.storage.closures.since(request.client, name, version)
    if found is None:
        raise NotFound(issue("OWN_CLOSURE_UNKNOWN", name, at="name"))
    table, entries = found
    if version != 0 and not table.floor < version <= table.version:
        raise Unprocessable(issue("OWN_CLOSURE_VERSION", name, text[:80], table.shown, at="version"))
    return Closure(name, table.shown, tuple(entries))


def _extended(request: Request, name: str, codings: Sequence[Coding]) -> Closure:
    closures = request.storage.closures
    named = [aliases.settled(coding, request.scope) for coding in codings]
    codings, told = [coding for coding, _ in named], dict.fromkeys(said for _, found in named for said in found)
    for _ in range(TRIES):
        table = closures.table(request.client, name)
        if table is None:
            raise NotFound(issue("OWN_CLOSURE_UNKNOWN", name, at="name"))
        providers = _providers(codings, request.scope)
        members = _members(codings, providers, name, table)
        entries = _entries(table, members, {p.info.canonical.url: p for p in providers.values()})
        if grown := closures.extend(request.client, name, table, members, entries):
            return Closure(name, grown.shown, tuple(entries), issues=tuple(told))
    raise Unavailable(issue("OWN_UNAVAILABLE", 1))


# --- codes --------------------------------------------------------------------------------------------------


def _providers(codings: Sequence[Coding], scope: Scope) -> dict[tuple[str, str | None], CodeSystemProvider]:
    """The code systems of the codings, by url and version stated; raises Unprocessable with every reason."""
    found: dict[tuple[str, str | None], CodeSystemProvider] = {}
    reasons: list[Issue] = []
    for index, coding in enumerate(codings):
        place = f"concept[{index}]"
        if not coding.system or not coding.code:
            reasons.append(issue("OWN_CLOSURE_CODING", at=place))
        elif (coding.system, coding.version) not in found:
            made = _provider(coding, place, scope)
            if isinstance(made, Issue):
                reasons.append(made)
            else:
                found[coding.system, coding.version] = made
    if reasons:
        raise Unprocessable(*dict.fromkeys(reasons))
    return found


def _provider(coding: Coding, place: str, scope: Scope) -> CodeSystemProvider | Issue:
    url = coding.system or ""
    version = scope.versions.choose(url, coding.version).version
    provider = scope.provider(url, version)
    if provider is None:
        known = scope.catalog.versions_of(url)
        if known and version:
            return issue("OWN_LOOKUP_UNKNOWN_VERSION", url, version, versions_list(known), at=place)
        said = issue("OWN_LOOKUP_UNKNOWN_SYSTEM", url, at=place)
        return _hinted(said, suggestions.unknown_system(coding, scope))
    info = provider.info
    if info.subsumption == "unsaid":
        return issue("OWN_SUBSUMPTION_UNDEFINED", info.canonical, at=place)
    if info.subsumption == "known" and info.content == "fragment":
        return issue("OWN_SUBSUMPTION_FRAGMENT", info.canonical, at=place)
    return provider


def _members(
    codings: Sequence[Coding],
    providers: Mapping[tuple[str, str | None], CodeSystemProvider],
    name: str,
    table: Table,
) -> list[Member]:
    """The codes that are new to the table; raises Unprocessable for unknown codes and for another release."""
    releases = {member.system: member.release for member in table.members}
    known = {(member.system, member.code) for member in table.members}
    found: dict[tuple[str, str], Member] = {}
    reasons: list[Issue] = []
    for index, coding in enumerate(codings):
        system, code = coding.system or "", coding.code or ""
        provider = providers[system, coding.version]
        release = provider.info.canonical.version
        if releases.setdefault(system, release) != release:
            reasons.append(
                issue("OWN_CLOSURE_REINITIALISE", name, system, releases[system], release, at=f"concept[{index}]")
            )
            continue
        concept = provider.find(code)
        if not isinstance(concept, Concept):
            said = issue("OWN_LOOKUP_UNKNOWN_CODE", code, system, release or "", at=f"concept[{index}]")
            reasons.append(said)
        elif (system, code) not in known:
            found[system, code] = Member(system, code, concept.code, release)
    if reasons:
        raise Unprocessable(*reasons)
    return list(found.values())


def _hinted(said: Issue, hint: tuple[str, Coding | None] | None) -> Issue:
    return replace(said, diagnostics=hint[0], suggestion=hint[1]) if hint else said


# --- relations ----------------------------------------------------------------------------------------------


def _entries(table: Table, members: Sequence[Member], providers: Mapping[str, CodeSystemProvider]) -> list[Entry]:
    """The relations of the new codes to those in the table and to each other; raises TooCostly over the bound."""
    held: dict[str, list[Member]] = {}
    for member in table.members:
        held.setdefault(member.system, []).append(member)
    if sum(len(held.get(member.system, ())) + len(members) for member in members) > COMPARISONS:
        raise TooCostly(issue("OWN_TOO_MANY", "pairs of concepts", COMPARISONS, "none: this limit is fixed"))
    found: list[Entry] = []
    for member in members:
        others = held.setdefault(member.system, [])
        found.extend(_related(member, others, providers[member.system]))
        others.append(member)
    return found


def _related(member: Member, others: Iterable[Member], provider: CodeSystemProvider) -> Iterator[Entry]:
    for other in others:
        outcome = provider.subsumes(member.concept, other.concept)
        if outcome is None:
            raise Unprocessable(issue("OWN_SUBSUMPTION_UNDEFINED", provider.info.canonical))
        if outcome == "subsumed-by":
            yield Entry(member.system, member.code, other.code, NARROWER)
        elif outcome == "subsumes":
            yield Entry(member.system, other.code, member.code, NARROWER)
        elif outcome == "equivalent":
            yield Entry(member.system, member.code, other.code, SAME)


# --- the answer ---------------------------------------------------------------------------------------------


def respond(outcome: Closure, request: Request) -> Json:
    """A ConceptMap whose version is that of the table; a group for each code system."""
    what = f"Closure Table {outcome.name} Creation" if outcome.created else f"Updates for Closure Table {outcome.name}"
    groups = [
        {"source": system, "target": system, "element": list(_elements(entries, request.scope.fhir == "R4"))}
        for system, entries in groupby(sorted(outcome.entries, key=_order), key=lambda entry: entry.system)
    ]
    told = ". ".join(text(said, request.scope.reader.primary) for said in outcome.issues)
    return {
        "resourceType": "ConceptMap",
        "id": outcome.name,
        "version": outcome.version,
        "name": what,
        "status": "active",
        "experimental": True,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **({"description": told} if told else {}),
        **({"group": groups} if groups else {}),
    }


def _order(entry: Entry) -> tuple[str, str, str]:
    return entry.system, entry.source, entry.target


def _elements(entries: Iterable[Entry], in_r4: bool) -> Iterator[Json]:
    for code, related in groupby(entries, key=lambda entry: entry.source):
        yield {"code": code, "target": [_target(entry, in_r4) for entry in related]}


def _target(entry: Entry, in_r4: bool) -> Json:
    made: Json = {"code": entry.target, "relationship": entry.relationship}
    if in_r4:
        word = {"url": OLD_EQUIVALENCE, "valueCode": R4_WORDS[entry.relationship]}
        made["_relationship"] = {"extension": [word]}
    return made


CLOSURE = Operation(
    name="closure",
    resource="ConceptMap",
    levels={"R4": ("system",), "R5": ("system",)},
    summary="Keep a closure table: which of the codes that a client uses subsume which.",
    specification="http://hl7.org/fhir/OperationDefinition/ConceptMap-closure",
    inputs=(
        Parameter("name", "string", "The name of the table; alone it makes the table, empty.", minimum=1),
        Parameter("concept", "Coding", "Codes to add. May repeat.", repeats=True),
        Parameter("version", "string", "Replay what came after this version; 0 replays all."),
        *SCOPE_PARAMETERS,
    ),
    outputs=(Parameter("return", "ConceptMap", "The relations that are new.", minimum=1),),
    run=run,
    respond=respond,
    effect="writes",
    scope=("ConceptMap", "CodeSystem"),
    cost="costly",
    contradictions=(("concept", "version"),),
)
