"""The codes of a value set, listed: the other reading of the algebra, lazy and in include order.

Law (held by a property test): for leaves that can be listed, the codings of ``members`` are those that ``among``
finds in. Decoration comes last, and only for the page that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from itertools import islice
from typing import cast

from terminology import validity
from terminology.catalog import Scope
from terminology.conceptset import Overload, included, lead, overload
from terminology.frozen import dataclass
from terminology.issues import NotFound, NotSupported, TooCostly, Unprocessable, issue
from terminology.membership import Reference, Verdict, among, excluding
from terminology.model import (
    Canonical,
    CodeSystemInfo,
    CodeSystemProvider,
    Coding,
    Concept,
    ConceptSet,
    Counted,
    Difference,
    Import,
    Intersection,
    Issue,
    Listed,
    Query,
    Select,
    Selection,
    Union,
    ValueSet,
    ValueSetInfo,
    tree_of,
)
from terminology.resolution import edition, imported
from terminology.validity import Release
from terminology.versions import Rule

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Member:
    """One code of a value set. ``versioned``: its version matters, because several versions meet."""

    provider: CodeSystemProvider
    concept: Concept
    listed: Listed | None
    language: str | None
    versioned: bool
    vouched: bool = True
    """False where the expansion is as of a date, and no release is known to be in force on it."""

    @property
    def canonical(self) -> Canonical:
        return self.provider.info.canonical

    def key(self, overloaded: Overload) -> tuple[str, str | None, str]:
        version = self.canonical.version if overloaded.several and not overloaded.match else None
        return (self.canonical.url, version, self.concept.code)


@dataclass(slots=True)
class Trail:
    """What a listing touched on its way; filled while it runs, read when it is done. Belongs to one listing."""

    references: dict[tuple[str, str], Reference] = field(default_factory=dict)
    systems: dict[str, CodeSystemProvider] = field(default_factory=dict)
    fragments: dict[str, CodeSystemInfo] = field(default_factory=dict)
    value_sets: dict[str, ValueSetInfo] = field(default_factory=dict)
    rules: dict[tuple[str, str], Rule] = field(default_factory=dict)
    open: dict[str, Issue] = field(default_factory=dict)
    days: dict[str, Release] = field(default_factory=dict)
    """What each code system is worth on the date of the expansion."""
    across: dict[str, str] = field(default_factory=dict)
    """Codes of whose validity a partial date crosses a bound."""
    aliases: dict[str, str] = field(default_factory=dict)
    overload: Overload = Overload(False, False, False)
    nestable: bool = True

    def note_system(self, provider: CodeSystemProvider, referrer: ValueSetInfo, rule: Rule | None) -> None:
        info = provider.info
        name = str(info.canonical)
        self.systems[name] = provider
        self.references.setdefault((name, str(referrer)), Reference(info, referrer))
        if info.content == "fragment":
            self.fragments[name] = info
            self.open.setdefault(name, issue("OWN_UNCLOSED_FRAGMENT", info.canonical.url))
        if rule:
            self.note_rule(rule)

    def note_day(self, member: Member, on: str) -> None:
        """Raises Unprocessable for a member of which nothing tells how it stands on the date."""
        concept, canonical = member.concept, member.canonical
        stated = validity.own_standing(concept, member.provider, on)
        if stated == "across":
            self.across.setdefault(str(canonical), concept.code)
        if stated is None and not member.vouched:
            raise Unprocessable(_not_on(member.provider, on, concept.code))

    def note_rule(self, rule: Rule) -> None:
        self.rules[rule.parameter, str(rule.canonical)] = rule


def members(
    value_set: ValueSet, scope: Scope, trail: Trail, *, text: str | None = None, match: bool | None = None
) -> Iterator[Member]:
    """The members of a value set, each once, in include order. ``scope`` is that of ``prepare``; raises Refusal for
    a code system that is not here or cannot be listed."""
    trail.overload = overload(value_set.concepts, match)
    for member in _Listing(value_set, scope, trail, text, trail.overload).unique():
        if scope.on:
            trail.note_day(member, scope.on)
        yield member


def _not_on(provider: CodeSystemProvider, on: str, code: str) -> Issue:
    reason = f"no release is known to be in force on that day, and no dates tell how the code '{code}' stood"
    return issue("OWN_CANNOT_LIST_ON_DATE", provider.info.canonical.url, on, reason, at="date")


@dataclass(frozen=True, slots=True)
class _Listing:
    value_set: ValueSet
    scope: Scope
    trail: Trail
    text: str | None
    overload: Overload

    def unique(self) -> Iterator[Member]:
        seen: set[tuple[str, str | None, str]] = set()
        for member in self.read(self.value_set.concepts):
            key = member.key(self.overload)
            if key in seen:
                self.trail.nestable = False
            elif self._wanted(member):
                seen.add(key)
                yield member

    def _wanted(self, member: Member) -> bool:
        return not (member.concept.inactive and (self.value_set.inactive is False or self.scope.active_only))

    def read(self, concepts: ConceptSet) -> Iterator[Member]:
        if isinstance(concepts, Select):
            return self.select(concepts)
        if isinstance(concepts, Import):
            return self.import_(concepts)
        if isinstance(concepts, Union):
            return (member for part in concepts.parts for member in self.read(part))
        if isinstance(concepts, Intersection):
            return self.intersection(concepts)
        return self.difference(concepts)

    def intersection(self, both: Intersection) -> Iterator[Member]:
        first, *others = sorted(both.parts, key=self._unlistable)
        rest = replace(self.value_set, concepts=Intersection(tuple(others)))
        for part in others:
            if isinstance(part, Import):
                self._note_import(part)
            elif isinstance(part, Select):
                self.provider(part)
        for chunk in _chunks(self.read(first)):
            found = among([_coding(member) for member in chunk], rest, self.scope)
            yield from (m for m, f in zip(chunk, found, strict=True) if f.verdict is Verdict.IN)

    def _unlistable(self, part: ConceptSet) -> bool:
        """True for what a grammar makes: it is judged, not listed, where another part can be listed."""
        return isinstance(part, Select) and part.query.listed is None and not self.provider(part).info.enumerable

    def difference(self, difference: Difference) -> Iterator[Member]:
        self._note_excluded(difference.removed)
        removes = excluding(self.value_set, self.scope, self.overload.match if not self.overload.implied else None)
        for chunk in _chunks(self.read(difference.kept)):
            gone = removes([_coding(member) for member in chunk])
            yield from (member for member, removed in zip(chunk, gone, strict=True) if not removed)

    def _note_excluded(self, removed: ConceptSet) -> None:
        for part in removed.parts if isinstance(removed, (Union, Intersection)) else (removed,):
            if isinstance(part, Select):
                self.provider(part)
            elif isinstance(part, Import):
                self._note_import(part)
            elif isinstance(part, Intersection):
                self._note_excluded(part)

    def import_(self, named: Import) -> Iterator[Member]:
        value_set, scope = self._note_import(named)
        inner = _Listing(value_set, scope, self.trail, self.text, overload(value_set.concepts, None))
        return inner.unique()

    def _note_import(self, named: Import) -> tuple[ValueSet, Scope]:
        found = imported(named, self.value_set, self.scope)
        info = found.value_set.info
        self.trail.references.setdefault((str(info), str(self.value_set.info)), Reference(info, self.value_set.info))
        if not found.contained and info.canonical.url:
            self.trail.value_sets[str(info)] = info
        if found.rule:
            self.trail.note_rule(found.rule)
        return found.value_set, found.scope

    def provider(self, select: Select) -> CodeSystemProvider:
        answer = edition(select, self.scope)
        if answer.provider is None:
            raise NotFound(*(said.at(None) for said in answer.issues))
        if answer.issues:
            raise Unprocessable(*answer.issues)
        self.trail.note_system(answer.provider, self.value_set.info, answer.rule)
        if self.scope.on:
            release = validity.release(answer.provider, self.scope, named=answer.named)
            self.trail.days[str(answer.provider.info.canonical)] = release
        if select.alias:
            self.trail.aliases[select.alias] = select.system.url
        return answer.provider

    def query(self, select: Select) -> Query:
        """The query of a select, as this listing asks it: the text is judged later where an author listed codes."""
        text = None if select.query.listed else self.text
        active = self.scope.active_only or self.value_set.inactive is False
        return replace(select.query, text=text, active_only=active, on=self.scope.on)

    def vouched(self, provider: CodeSystemProvider) -> bool:
        """True where a release answers for all its codes on the date, or none was asked about."""
        return not self.scope.on or self.trail.days[str(provider.info.canonical)].vouches

    def note_open(self, provider: CodeSystemProvider, selection: Selection) -> None:
        """What the code system says that its answer leaves out."""
        for said in selection.issues:
            self.trail.open.setdefault(str(provider.info.canonical), said)

    def select(self, select: Select) -> Iterator[Member]:
        provider = self.provider(select)
        info = provider.info
        if not info.enumerable and select.query.listed is None:
            raise NotSupported(issue("CODESYSTEM_NOT_ENUMERABLE", info.canonical.url))
        named = {entry.code: entry for entry in select.query.listed or ()}
        query = self.query(select)
        language, versioned = self.value_set.info.language, self.overload.several
        vouched = self.vouched(provider)
        cap = info.expansion_cap
        selection = provider.select(query)
        self.note_open(provider, selection)
        for count, concept in enumerate(selection):
            if cap is not None and count >= cap:
                self.trail.open.setdefault(str(info.canonical), issue("OWN_UNCLOSED_FRAGMENT", info.canonical.url))
                return
            yield Member(provider, concept, named.get(concept.code), language, versioned, vouched)


def _coding(member: Member) -> Coding:
    return Coding(member.canonical.url, member.concept.code, member.canonical.version)


def _chunks(found: Iterable[Member]) -> Iterator[list[Member]]:
    """Members in groups of growing size: the first page of a long listing is not kept waiting."""
    iterator, size = iter(found), 20
    while chunk := list(islice(iterator, size)):
        yield chunk
        size = min(size * 5, CHUNK)


# --- pages and trees ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Node:
    """A member and those nested under it."""

    member: Member
    contains: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What of a listing is shown: the nodes, and how many codes there are in all."""

    nodes: tuple[Node, ...]
    total: int


def page(
    value_set: ValueSet,
    scope: Scope,
    trail: Trail,
    found: Iterator[Member],
    *,
    count: int | None = None,
    offset: int | None = None,
    nested: bool = True,
) -> Page:
    """The page asked for. Without ``count`` the whole set, refused over the limit; nested where the set allows it."""
    limit, start = scope.limits.expansion, offset or 0
    if count is None and not start:
        listed = list(islice(found, limit + 1))
        if len(listed) > limit:
            raise TooCostly(issue("VALUESET_TOO_COSTLY", value_set.info, f">{limit}"))
        return Page(_nodes(value_set, listed, trail, nested), len(listed))
    listed = list(found)
    if count is None and len(listed) - start > limit:
        raise TooCostly(issue("VALUESET_TOO_COSTLY", value_set.info, f">{limit}"))
    if not start and count is not None and count > len(listed):
        return Page(_nodes(value_set, listed, trail, nested), len(listed))
    shown = listed[start:] if count is None else listed[start : start + count]
    return Page(tuple(Node(member) for member in shown), len(listed))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader wants of a listing: those that suit a text, a page of it, ``nested`` where the set allows it. Not
    ``detailed``, the members have their display and little else."""

    text: str | None = None
    count: int | None = None
    offset: int | None = None
    nested: bool = True
    detailed: bool = True


def pushed_down(value_set: ValueSet, scope: Scope, trail: Trail, wish: Wish) -> Page | None:
    """The page of a value set that is one query to one code system which counts without listing: read is the page,
    whatever the size of the system. None where the value set is anything else, and where it fits on one page that may
    be nested."""
    count = wish.count
    found = one_query(value_set, scope) if count is not None else None
    if count is None or found is None or (found.provider.info.expansion_cap or count) < count:
        return None
    part, provider, counted = found.select, found.provider, found.counted
    listing = _Listing(value_set, scope, trail, wish.text, overload(value_set.concepts, None))
    query = listing.query(part)
    if wish.nested and not wish.offset and counted.count(query) <= count:
        return None
    listing.provider(part)
    vouched = listing.vouched(provider)
    if scope.on and not vouched:
        _refuse_undated(provider, query, scope.on)
    start, language = wish.offset or 0, value_set.info.language
    selection = provider.select(replace(query, offset=start, limit=count + 1, detailed=wish.detailed))
    listing.note_open(provider, selection)
    concepts = list(selection)
    total = total_of(len(concepts), start, count, lambda: counted.count(query))
    shown = [
        Member(provider, concept, None, language, versioned=False, vouched=vouched) for concept in concepts[:count]
    ]
    for member in shown if scope.on else ():
        trail.note_day(member, scope.on or "")
    return Page(tuple(map(Node, shown)), total)


@dataclass(frozen=True, slots=True, eq=False)
class OneQuery:
    """A value set that is one query to one code system which counts without listing."""

    select: Select
    provider: CodeSystemProvider
    counted: Counted


def one_query(value_set: ValueSet, scope: Scope) -> OneQuery | None:
    """The value set as one query; None where it is anything else."""
    parts = included(value_set.concepts)
    if isinstance(value_set.concepts, Difference) or len(parts) != 1:
        return None
    part = parts[0]
    if not isinstance(part, Select) or part.query.listed is not None:
        return None
    provider = edition(part, scope).provider
    counted = _counted(provider)
    return None if provider is None or counted is None else OneQuery(part, provider, counted)


def total_of(read: int, start: int, page: int, counted: Callable[[], int]) -> int:
    """How many codes there are in all, where one more than a page was asked for: if that did not come the page is the
    last one, and nothing is left to count."""
    last = read <= page and bool(read or not start)
    return start + read if last else counted()


def _refuse_undated(provider: CodeSystemProvider, query: Query, on: str) -> None:
    """A total counts only what is known: one code of which the dates do not tell spoils it, wherever it stands."""
    for concept in provider.select(replace(query, undated=True, limit=1, detailed=False)):
        raise Unprocessable(_not_on(provider, on, concept.code))


def _counted(provider: object) -> Counted | None:
    return cast("Counted", provider) if hasattr(provider, "count") else None


def _nodes(value_set: ValueSet, listed: Sequence[Member], trail: Trail, nested: bool) -> tuple[Node, ...]:
    if not nested or not trail.nestable or not all(_nestable(part) for part in included(value_set.concepts)):
        return tuple(Node(member) for member in listed)
    return _tree(listed)


def _nestable(part: ConceptSet) -> bool:
    """An include keeps its hierarchy where it is a whole system or one filter, without imports."""
    return isinstance(part, Select) and part.query.listed is None and len(part.query.filters) < 2 and lead(part) is part


NESTED = 100
"""Levels that a nested expansion may have; a deeper one is listed flat."""


def _tree(listed: Sequence[Member]) -> tuple[Node, ...]:
    """Each member under its nearest listed ancestor; flat where that is no tree (a second parent, a circle) or deep."""
    places = {(str(member.canonical), member.concept.code): i for i, member in enumerate(listed)}
    below: dict[int | None, list[int]] = {}
    for i, member in enumerate(listed):
        above = _nearest(member, places)
        if len(above) > 1:
            return tuple(Node(entry) for entry in listed)
        below.setdefault(next(iter(above), None), []).append(i)
    levels = list(_levels(below))
    if len(levels) > NESTED or sum(map(len, levels)) < len(listed):
        return tuple(Node(entry) for entry in listed)
    return tuple(_node(i, listed, below) for i in below.get(None, []))


def _levels(below: dict[int | None, list[int]]) -> Iterator[list[int]]:
    level = below.get(None, [])
    while level:
        yield level
        level = [child for parent in level for child in below.get(parent, [])]


def _node(place: int, listed: Sequence[Member], below: dict[int | None, list[int]]) -> Node:
    return Node(listed[place], tuple(_node(i, listed, below) for i in below.get(place, [])))


def _nearest(member: Member, places: dict[tuple[str, str], int]) -> set[int]:
    tree = tree_of(member.provider)
    if tree is None:
        return set()
    system, found = str(member.canonical), set()
    pending, seen = list(member.concept.parents), {member.concept.code}
    while pending:
        code = pending.pop()
        if code in seen:
            continue
        seen.add(code)
        place = places.get((system, code))
        if place is None:
            pending.extend(tree.parents(code))
        else:
            found.add(place)
    return found
