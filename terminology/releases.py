"""Which release of a code system is in force on a day, as far as the releases themselves say.

A release says so with its period (``CodeSystemInfo.effective_from`` and ``effective_to``, of
``CodeSystem.effectivePeriod``). For one that states none nothing is guessed: neither from the form of its version nor
from the release after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from terminology import dates
from terminology.frozen import dataclass
from terminology.model import CodeSystemInfo, CodeSystemProvider


@dataclass(frozen=True, slots=True)
class InForce:
    """The releases of the days that a date names: that of the last day first. ``gap``: of some of these days no release
    is known."""

    providers: tuple[CodeSystemProvider, ...] = ()
    gap: bool = True

    @property
    def whole(self) -> bool:
        """One release for the whole of the date."""
        return len(self.providers) == 1 and not self.gap


def dated(info: CodeSystemInfo) -> bool:
    return bool(info.effective_from or info.effective_to)


def in_force(editions: Iterable[CodeSystemProvider], on: str) -> InForce:
    """The releases in force on a date. ``editions`` come best first: the best of several for one day answers for it."""
    stated = [each for each in editions if each.info.answers and dated(each.info)]
    if not stated:
        return InForce()
    periods = [(*dates.bounds(each.info.effective_from, each.info.effective_to), each) for each in stated]
    first, last = dates.first_day(on), dates.last_day(on)
    if first == last:
        holding = next((each for start, end, each in periods if start <= first <= end), None)
        return InForce() if holding is None else InForce((holding,), gap=False)
    turns = {first, *(start for start, _, _ in periods), *(dates.day_after(end) for _, end, _ in periods)}
    found: dict[int, CodeSystemProvider] = {}
    gap = False
    for day in sorted((turn for turn in turns if first <= turn <= last), reverse=True):
        holding = next((each for start, end, each in periods if start <= day <= end), None)
        if holding is None:
            gap = True
        else:
            found.setdefault(id(holding), holding)
    return InForce(tuple(found.values()), gap)


def in_words(releases: Sequence[CodeSystemProvider]) -> str:
    """``2019 (2018-10-01 to 2019-09-30), 2020 (from 2019-10-01)``."""
    return ", ".join(f"{each.info.canonical.version or 'without version'} ({_period(each.info)})" for each in releases)


def _period(info: CodeSystemInfo) -> str:
    if not dated(info):
        return "which states no period"
    if info.effective_from and info.effective_to:
        return f"{info.effective_from} to {info.effective_to}"
    return f"from {info.effective_from}" if info.effective_from else f"until {info.effective_to}"
