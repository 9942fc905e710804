"""What is held of a coding on a day: the engine's answer under the names of the rules, remembered.

How a code stands changes only on certain days: where a release or the validity of the code begins or ends. Between two
of these an answer holds for every day, so a hundred million rows of some thousand codes are asked some thousand times.
Most codes are plainly right: of these the whole engine need not be asked (a seventh of the time).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from terminology import aliases, dates, validity
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.model import Canonical, CodeSystemProvider, Coding, Concept, Headed, Issue, Query
from terminology.procedures import rules
from terminology.procedures.coded import asked, label, labelled
from terminology.procedures.coherence import knowledge
from terminology.procedures.records import Verdict, redated
from terminology.procedures.rules import Case, Rule, rule_of

MOST = 200_000
"""So many answers are remembered at most, of about 1 KB each."""
MANY = 10_000
"""So many names of systems, which a table may make up."""

_WORSE: Mapping[Verdict, int] = {"right": 0, "unjudged": 1, "wrong": 2}


@dataclass(frozen=True, slots=True)
class Opinion:
    """The verdict on a coding on a day. ``found`` are the rules with their issues, whose expressions are relative to
    the coding; ``valid_from`` is the first day of the code, where one is stated."""

    verdict: Verdict
    found: tuple[tuple[Rule, Issue], ...] = ()
    used: Canonical | None = None
    display: str | None = None
    valid_from: str | None = None
    day: str | None = None

    def on(self, day: str | None) -> Opinion:
        """The same said of another day, on which it holds too."""
        if day == self.day or not self.found:
            return self
        said = tuple((rule, redated(each, self.day, day)) for rule, each in self.found)
        return replace(self, found=said, day=day)


@dataclass(frozen=True, slots=True)
class PlainCode:
    """A code that is plainly right on all days from ``first`` to ``last``, with no display or with this one."""

    code: str
    display: str | None
    first: str
    last: str
    used: Canonical


@dataclass(frozen=True, slots=True)
class _System:
    """A code system: its releases with what supplements them, and the days on which they or a rule turn. ``url`` is
    its own, whatever name was sent."""

    url: str
    releases: tuple[CodeSystemProvider, ...]
    turns: tuple[str, ...]

    def spans(self, first: str, last: str) -> Iterable[tuple[str, str]]:
        """First and last day of each part of these days in which no release and no rule turns."""
        turns = self.turns[bisect_right(self.turns, first) : bisect_right(self.turns, last)]
        if not turns:  # of most codes, and these are many
            return ((first, last),)
        return zip((first, *turns), (*map(dates.day_before, turns), last), strict=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """The release that answers between two turns; ``sound``: nothing is to be said of it for that time."""

    provider: CodeSystemProvider
    sound: bool

    def concepts(self, codes: Iterable[str]) -> Mapping[str, Concept]:
        """The concepts of these codes, without designations and properties where these are more to read."""
        provider = self.provider
        if isinstance(provider, Headed):
            return {code: found for code in codes if isinstance(found := provider.head(code), Concept)}
        return {each.code: each for each in provider.select(Query(codes=tuple(codes), detailed=False))}

    def bears(self, concept: Concept | None, coding: Coding, *days: str) -> bool:
        """Whether the concept is the coding's, active, in force on these days, its display the right one or none."""
        if concept is None or concept.code != coding.code or concept.abstract or concept.inactive:
            return False
        if concept.status not in (None, "active") or (coding.display and coding.display != concept.display):
            return False
        if concept.valid_from is None and concept.valid_to is None:
            return True
        return all(validity.own_standing(concept, self.provider, each) in (None, "in") for each in days)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Opinions:
    """The opinions of one scope. Threads may share them: what is lost in a race is asked again."""

    scope: Scope
    plain: bool = True
    """Whether what is plainly right is told without the whole engine; the answer is the same."""
    _known: dict[tuple[Coding, int | None], Opinion] = field(default_factory=dict)
    _turns: dict[Coding, tuple[str, ...]] = field(default_factory=dict)
    _systems: dict[str, _System] = field(default_factory=dict)
    _grounds: dict[tuple[str, int | None], _Ground | None] = field(default_factory=dict)

    def of(self, coding: Coding, on: str | None) -> Opinion:
        """What is held of a coding on a full day; without one, in the latest release."""
        turn = bisect_right(self.turns(coding), on) if on else None
        known = self._known.get((coding, turn))
        if known is not None:
            return known.on(on)
        made = (self._plainly(coding, on) if self.plain else None) or self._made(coding, on)
        if not on or _movable(made, coding, on):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[coding, turn] = made
        return made

    def turns(self, coding: Coding) -> tuple[str, ...]:
        """The days from which on the opinion of a code may differ from that of the day before, in order."""
        asked_of = replace(coding, display=None) if coding.display else coding
        turns = self._turns.get(asked_of)
        if turns is None:
            if len(self._turns) >= MOST:
                self._turns.clear()
            system = self._system(coding.system or "")
            turns = self._turns[asked_of] = tuple(sorted({*system.turns, *_own_turns(asked_of, system)}))
        return turns

    def _system(self, url: str) -> _System:
        known = self._systems.get(url)
        if known is None:
            meant = aliases.meant(url, self.scope)
            held = tuple(map(self.scope.supplemented, self.scope.catalog.editions(meant)))
            if len(self._systems) >= MANY:
                self._systems.clear()
                self._grounds.clear()
            known = self._systems[url] = _System(meant, held, tuple(sorted(set(_turns(held)))))
        return known

    # --- what is plainly right -----------------------------------------------------------------------------------

    def _plainly(self, coding: Coding, on: str | None) -> Opinion | None:
        """The opinion of an active code in the release of that day, with no display or the right one; None: ask."""
        ground = self._sound(coding, on)
        if ground is None:
            return None
        concept = ground.provider.find(coding.code or "")
        if not isinstance(concept, Concept) or not ground.bears(concept, coding, *((on,) if on else ())):
            return None
        shown = label(concept, ground.provider, self.scope)
        return Opinion("right", (), ground.provider.info.canonical, shown, concept.valid_from, on)

    def plain_between(self, asked_of: Sequence[tuple[Coding, str, str]]) -> list[frozenset[Canonical] | None]:
        """For each coding the releases that answer about it, where it is plainly right on all days from the first to
        the last; None: ask. The days of a concept are one period: a part of time whose two ends lie in it lies in it.
        Codes of one release are read together."""
        parts = [self._parts(*each) for each in asked_of]
        wanted: dict[_Ground, list[str]] = {}
        for (coding, *_), some in zip(asked_of, parts, strict=True):
            for ground, *_days in some:
                wanted.setdefault(ground, []).append(coding.code or "")
        held = {ground: ground.concepts(codes) for ground, codes in wanted.items()}
        return [
            frozenset([ground.provider.info.canonical for ground, *_ in some])
            if some and all(ground.bears(held[ground].get(coding.code or ""), coding, *days) for ground, *days in some)
            else None
            for (coding, *_), some in zip(asked_of, parts, strict=True)
        ]

    def plain_codes(self, system: str) -> Iterator[PlainCode]:
        """Every listed code of a system with the days on which it is plainly right: ``plain_between`` as a table."""
        for ground, start, end in self._sound_spans(system):
            used = ground.provider.info.canonical
            for concept in ground.provider.select(Query(detailed=False)):
                if ":" in concept.code or not ground.bears(concept, Coding(system, concept.code)):
                    continue
                own_first, own_last = dates.bounds(concept.valid_from, concept.valid_to)
                first, last = max(start, own_first), min(end, own_last)
                if first <= last:
                    yield PlainCode(concept.code, concept.display, first, last, used)

    def _sound_spans(self, system: str) -> Iterator[tuple[_Ground, str, str]]:
        """The days of a system on which its codes can be plainly right, by the listed release that answers."""
        held: tuple[_Ground, str, str] | None = None
        for start, end in self._system(system).spans(dates.FIRST, dates.LAST):
            ground = self._ground(system, start)
            if held and ground and ground.sound and ground.provider.info.canonical == held[0].provider.info.canonical:
                held = held[0], held[1], end
                continue
            if held:
                yield held
            listed = ground and ground.sound and ground.provider.info.enumerable
            held = (ground, start, end) if ground and listed else None
        if held:
            yield held

    def _parts(self, coding: Coding, first: str, last: str) -> list[tuple[_Ground, str, str]]:
        """The days from ``first`` to ``last`` by the release that answers; nothing where it must be asked."""
        found: list[tuple[_Ground, str, str]] = []
        if not self.plain or not coding.system:
            return found
        for start, end in self._system(coding.system).spans(first, last):
            ground = self._sound(coding, start)
            if ground is None:
                return []
            found.append((ground, start, end))
        return found

    def _sound(self, coding: Coding, on: str | None) -> _Ground | None:
        """The release of that day, where of a plain code of it nothing but the concept is to be looked at."""
        system, code = coding.system, coding.code
        if not system or not code or coding.version or ":" in code:
            return None
        ground = self._ground(system, on)
        return ground if ground and ground.sound else None

    def _ground(self, system: str, on: str | None) -> _Ground | None:
        turn = bisect_right(self._system(system).turns, on) if on else None
        if (system, turn) not in self._grounds:
            self._grounds[system, turn] = self._grounded(system, on)
        return self._grounds[system, turn]

    def _grounded(self, system: str, on: str | None) -> _Ground | None:
        scope = replace(self.scope, on=on) if on else self.scope
        provider = scope.provider(system, None)
        if provider is None or provider.info.canonical.url != system:
            return None
        release = validity.release(provider, scope, named=False) if on else None
        sound = release is None or (release.vouches and not release.issues)
        return _Ground(provider, sound and provider.info.case_sensitive)

    # --- what the engine says --------------------------------------------------------------------------------------

    def _made(self, coding: Coding, on: str | None) -> Opinion:
        said = asked(coding, self.scope, on)
        case = Case(self.scope, said=said, on=on)
        found = [(rule_of(each.message_id, each.severity), each) for each in said.issues]
        for rule in rules.of("coding"):
            if rule.instead_of and not {known.name for known, _ in found}.intersection(rule.instead_of):
                continue
            own = [(rule, each) for each in rules.raised(rule, case)]
            if own and rule.instead_of:
                found = [pair for pair in found if pair[0].name not in rule.instead_of]
            found += own
        verdict = _verdict(found)
        if said.missed and verdict == "right":
            verdict = "wrong"
        return Opinion(
            verdict,
            tuple((rule, self._labelled(rules.weighed(rule, each), coding, on)) for rule, each in found),
            said.provider.info.canonical if said.provider else None,
            said.display,
            said.concept.valid_from if said.concept else None,
            on,
        )

    def _labelled(self, said: Issue, coding: Coding, on: str | None) -> Issue:
        """The label is that of the day; of another code system, whose days turn otherwise, that of today."""
        meant = said.suggestion
        if meant is None:
            return said
        same = on is not None and meant.system == coding.system
        return replace(said, suggestion=labelled(meant, replace(self.scope, on=on) if same else self.scope))


def _verdict(found: list[tuple[Rule, Issue]]) -> Verdict:
    verdicts: list[Verdict] = [rule.verdict for rule, _ in found if rule.name != "other"]
    verdicts += ["wrong" for rule, each in found if rule.name == "other" and each.severity == "error"]
    return max(verdicts, key=_WORSE.__getitem__, default="right")


def _movable(made: Opinion, coding: Coding, on: str) -> bool:
    """Whether the day can be told apart from every other argument of the sentences."""
    return on not in (coding.code, coding.display, coding.version) and all(
        each.arguments.count(on) < 2 for _, each in made.found
    )


def _turns(releases: Iterable[CodeSystemProvider]) -> Iterator[str]:
    for provider in releases:
        yield from _bounds(provider.info.effective_from, provider.info.effective_to)
    for rule in rules.RULES:
        yield from _bounds(rule.since, rule.until)


def _own_turns(coding: Coding, system: _System) -> Iterator[str]:
    for provider in system.releases:
        found = provider.find(coding.code or "") if provider.info.answers else None
        if isinstance(found, Concept):
            yield from _bounds(found.valid_from, found.valid_to)
    for (url, code), was in knowledge().predecessors.items():
        if url == system.url and coding.code in (code, was.code):
            yield from _bounds(was.since, was.until)


def _bounds(start: str | None, end: str | None) -> Iterator[str]:
    if start:
        yield dates.first_day(start)
    if end:
        yield dates.day_after(dates.last_day(end))
