"""Which days are the same to the judge: between two bounds of the code systems in play no answer changes.

A bound is a day on which a release comes into force or a concept's validity begins, or the day after one ends
(``Judge.turns``). Full days that lie between the same bounds make one span, which is judged on its first day; what is
no full day (a partial date, a text that is no date, none at all) stands for itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from terminology import dates
from terminology.frozen import dataclass

FULL = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
"""What a full day looks like; whether the calendar has it is another question."""

Code = tuple[str | None, str | None]


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
        """The spans that reach into these days, both included."""
        if first is not None and last is not None:
            yield from (each for each in self.spans if (each.last or "") >= first and (each.first or "") <= last)


def calendar(days: Iterable[str | None], bounds: Iterable[str]) -> Calendar:
    """The spans that ``days`` lie in."""
    points, spans, odd = sorted(set(bounds)), dict[int, Span](), []
    for day in days:
        if day is None or not dates.full(day):
            odd.append(Span(day, day))
            continue
        place = bisect_right(points, day)
        held = spans.get(place)
        spans[place] = Span(min(day, held.first or day), max(day, held.last or day)) if held else Span(day, day)
    return Calendar(tuple(spans[place] for place in sorted(spans)), tuple(odd))


def bounds(turns: Callable[[str | None, str | None], Iterable[str]], codes: Iterable[Code]) -> set[str]:
    """The bounds that matter to these (system, code), as ``Judge.turns`` says."""
    return {turn for system, code in codes for turn in turns(system, code)}
