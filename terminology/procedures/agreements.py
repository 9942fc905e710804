"""What the concept maps here say about two codings that stand for one thing: whether they go together.

A map speaks of two codes only where it has a row for each: one that is simply not in a map contradicts nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import field

from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.model import Coding, ConceptMap

Systems = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """By ``map`` the code ``source`` goes with ``targets`` of the other's system, and not with the other."""

    map: str
    source: Coding
    targets: tuple[Coding, ...]


@dataclass(frozen=True, slots=True)
class _Map:
    url: str
    targets: dict[str, tuple[str, ...]]
    mapped: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Agreements:
    """The maps by the two systems they speak of, read when first asked for. Reading twice gives the same."""

    _maps: dict[Systems, tuple[_Map, ...]] = field(default_factory=dict)

    def contradiction(self, one: Coding, other: Coding, scope: Scope) -> Contradiction | None:
        """Why two codings do not go together: the first map that says so, the way it was written or the other way."""
        return self._one_way(one, other, scope) or self._one_way(other, one, scope)

    def _one_way(self, source: Coding, beside: Coding, scope: Scope) -> Contradiction | None:
        for known in self._between((source.system or "", beside.system or ""), scope):
            targets = known.targets.get(source.code or "", ())
            if targets and beside.code in known.mapped and beside.code not in targets:
                return Contradiction(known.url, source, tuple(Coding(beside.system, each) for each in targets))
        return None

    def _between(self, systems: Systems, scope: Scope) -> tuple[_Map, ...]:
        if systems not in self._maps:
            made = (_read(each, systems) for each in scope.catalog.maps())
            self._maps[systems] = tuple(each for each in made if each.targets)
        return self._maps[systems]


def _read(concept_map: ConceptMap, systems: Systems) -> _Map:
    targets: dict[str, list[str]] = defaultdict(list)
    for row in concept_map.rows:
        if row.target is None or row.relationship == "not-related-to":
            continue
        if (row.source.system, row.target.system) == systems and row.source.code and row.target.code:
            targets[row.source.code].append(row.target.code)
    listed = {code: tuple(dict.fromkeys(found)) for code, found in targets.items()}
    mapped = frozenset(code for found in listed.values() for code in found)
    return _Map(str(concept_map.canonical), listed, mapped)
