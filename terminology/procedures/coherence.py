"""What is known about codes that do not go together: groups of codes, and which groups exclude each other, from
``coherence.json``. Every row may have a period in which it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from terminology import dates
from terminology.frozen import dataclass
from terminology.model import Coding

Groups = Mapping[tuple[str, str], frozenset[str]]
"""(system, code) → the groups that a code belongs to."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two groups that do not go together. ``says`` is a message id; ``meant`` the group that was probably meant instead
    of the first, ``meant_other`` instead of the second. ``one_system``: only of codes of one system, since of two
    systems the maps speak."""

    one: str
    other: str
    says: str
    severity: str = "warning"
    meant: str | None = None
    meant_other: str | None = None
    since: str | None = None
    until: str | None = None
    one_system: bool = False

    def holds(self, on: str | None) -> bool:
        """True where the pair is known to hold on the day, or no day is asked about."""
        return not on or dates.standing(on, self.since, self.until) == "in"


@dataclass(frozen=True, slots=True)
class Predecessor:
    """A code that was used for the same on the days from ``since`` to ``until``."""

    code: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All of ``coherence.json``. ``predecessors``: (system, code) → what was used before; ``maps_from``: system → the
    day from which maps of it hold."""

    groups: Groups
    members: Mapping[str, Mapping[str, tuple[str, ...]]]
    confusions: tuple[Pair, ...]
    reasons: tuple[Pair, ...]
    predecessors: Mapping[tuple[str, str], Predecessor]
    maps_from: Mapping[str, str]

    def groups_of(self, coding: Coding) -> frozenset[str]:
        return self.groups.get((coding.system or "", coding.code or ""), frozenset())

    def in_group(self, group: str, like: Coding) -> Coding | None:
        """The code of a group in the code system of ``like``, where the group has exactly one there."""
        codes = self.members[group].get(like.system or "", ())
        return Coding(like.system, codes[0]) if len(codes) == 1 else None

    def apart(self, pairs: Iterable[Pair], one: Coding, other: Coding, on: str | None) -> Iterator[Pair]:
        """The pairs that keep two codes apart on a day, in that order."""
        mine, theirs = self.groups_of(one), self.groups_of(other)
        same = one.system == other.system
        for pair in pairs if mine and theirs else ():
            if pair.one in mine and pair.other in theirs and pair.holds(on) and (same or not pair.one_system):
                yield pair


@cache
def knowledge() -> Knowledge:
    """The table, read once."""
    stated = json.loads(Path(__file__).with_name("coherence.json").read_text(encoding="utf-8"))
    members = {
        name: {system: tuple(codes) for system, codes in group.items()} for name, group in stated["groups"].items()
    }
    groups: dict[tuple[str, str], frozenset[str]] = {}
    for name, group in members.items():
        for system, codes in group.items():
            for code in codes:
                groups[system, code] = groups.get((system, code), frozenset()) | {name}
    return Knowledge(
        groups,
        members,
        tuple(map(_pair, stated["confusions"])),
        tuple(map(_pair, stated["reasons"])),
        {
            (row["system"], row["code"]): Predecessor(row["was"], row["from"], row["to"])
            for row in stated["predecessors"]
        },
        stated["maps_from"],
    )


def _pair(row: Mapping[str, Any]) -> Pair:
    return Pair(
        row.get("one") or row["procedure"],
        row.get("other") or row["reason"],
        row["says"],
        row.get("severity", "warning"),
        row.get("meant"),
        row.get("meant_reason"),
        row.get("from"),
        row.get("to"),
        row.get("one_system", False),
    )
