"""Which days are the same to the judge: between two bounds of the code systems in play no answer changes.

A bound is a day on which a release comes into force or a concept's validity begins, or the day after one ends. Full
days that lie between the same bounds make one span, which is judged on its first day; what is no full day (a partial
date, a text that is no date, none at all) stands for itself.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from terminology import aliases, dates
from terminology.catalog import Scope
from terminology.model import CodeSystemProvider, Concept
from terminology.procedures.coherence import knowledge
from terminology.procedures.rules import RULES

FULL = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
"""A full day, as a pattern."""

_DAY = re.compile(FULL, re.ASCII)
_AFTER = "\0"  # "2011-12-31\0" is the first text after that day


@dataclass(frozen=True, slots=True)
class Span:
    """Days that are the same to the judge; a day that stands for itself is its own first and last."""

    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Calendar:
    """The spans of all full days, in order, and the days that stand for themselves."""

    spans: tuple[Span, ...] = ()
    odd: tuple[Span, ...] = ()

    def between(self, first: str | None, last: str | None) -> Iterator[Span]:
        """The spans that reach into these days, both included, and all the odd days."""
        yield from self.odd
        if first is not None and last is not None:
            yield from (each for each in self.spans if (each.last or "") >= first and (each.first or "") <= last)


def calendar(days: Iterable[str | None], bounds: Iterable[str]) -> Calendar:
    """The spans that ``days`` lie in."""
    points, spans, odd = sorted(set(bounds)), dict[int, Span](), []
    for day in days:
        if day is None or not _DAY.fullmatch(day):
            odd.append(Span(day, day))
            continue
        place = bisect_right(points, day)
        held = spans.get(place)
        spans[place] = Span(min(day, held.first or day), max(day, held.last or day)) if held else Span(day, day)
    return Calendar(tuple(spans[place] for place in sorted(spans)), tuple(odd))


def bounds(scope: Scope, codes: Iterable[tuple[str | None, str | None]]) -> set[str]:
    """The bounds that matter to these (system, code): those of every release, of every code in every release, and of
    the rules."""
    found: set[str] = set(_of_rules())
    held: dict[str, tuple[CodeSystemProvider, ...]] = {}
    for system, code in codes:
        if not system:
            continue
        if system not in held:
            held[system] = _releases(scope, aliases.meant(system, scope))
            for provider in held[system]:
                found.update(_points(provider.info.effective_from, provider.info.effective_to))
        for provider in held[system]:
            concept = provider.find(code) if code else None
            if isinstance(concept, Concept):
                found.update(_points(concept.valid_from, concept.valid_to))
    return found


def _of_rules() -> Iterator[str]:
    for rule in RULES:
        yield from _points(rule.since, rule.until)
    for known in knowledge().predecessors.values():
        yield from _points(known.since, known.until)


def _releases(scope: Scope, system: str) -> tuple[CodeSystemProvider, ...]:
    return tuple(scope.supplemented(each) for each in scope.catalog.editions(system) if each.info.answers)


def _points(valid_from: str | None, valid_to: str | None) -> Iterator[str]:
    if valid_from:
        yield dates.first_day(valid_from)
    if valid_to:
        yield dates.last_day(valid_to) + _AFTER
