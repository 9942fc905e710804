"""A code system held in memory: the published ones, those a client sends along, everything small."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from terminology.languages import textual
from terminology.model import CodeSystemInfo, Concept, Listed, Miss, Query, Selection, Subsumption
from terminology.providers.filters import Predicate, dated, predicate


class MemoryProvider:
    """Concepts in the order of the resource (a parent before its children), indexed by code.

    ``find`` is one dictionary lookup; ``select`` reads the listed codes where the query names codes, else all.
    """

    def __init__(self, info: CodeSystemInfo, concepts: Sequence[Concept]) -> None:
        self._info = info
        self._fold = (lambda code: code) if info.case_sensitive else str.casefold
        self._concepts = {self._fold(concept.code): concept for concept in concepts}
        children: dict[str, list[str]] = {}
        for concept in concepts:
            for parent in concept.parents:
                children.setdefault(parent, []).append(concept.code)
        self._children = {parent: tuple(codes) for parent, codes in children.items()}

    @property
    def info(self) -> CodeSystemInfo:
        return self._info

    def __len__(self) -> int:
        return len(self._concepts)

    def find(self, code: str) -> Concept | Miss:
        return self._concepts.get(self._fold(code)) or Miss(code)

    def select(self, query: Query) -> Selection:
        tests = [predicate(stated, self) for stated in query.filters]
        if query.text:
            tests.append(textual(query.text))
        if query.active_only:
            tests.append(lambda concept: not concept.inactive)
        if day := dated(query, self._info):
            tests.append(day)
        total = len(self._concepts) if query.whole and not tests and query.codes is None else None
        end = None if query.limit is None else query.offset + query.limit
        return Selection(islice(self._matching(query, tests), query.offset, end), total)

    def count(self, query: Query) -> int:
        return sum(1 for _ in self.select(replace(query, offset=0, limit=None)))

    def _matching(self, query: Query, tests: Sequence[Predicate]) -> Iterator[Concept]:
        return (concept for concept in self._candidates(query) if all(test(concept) for test in tests))

    def _candidates(self, query: Query) -> Iterable[Concept]:
        if query.codes is None and query.listed is None:
            return self._concepts.values()
        named: Iterable[str] = (listed.code for listed in query.listed or ())
        if query.codes is not None:
            allowed = self._enumerated(query.listed)
            named = (code for code in query.codes if allowed is None or self._fold(code) in allowed)
        return (concept for code in named if (concept := self._concepts.get(self._fold(code))))

    def _enumerated(self, listed: Sequence[Listed] | None) -> frozenset[str] | None:
        return None if listed is None else frozenset(self._fold(entry.code) for entry in listed)

    # --- hierarchy -----------------------------------------------------------------------------------------

    def parents(self, code: str) -> tuple[str, ...]:
        found = self.find(code)
        return found.parents if isinstance(found, Concept) else ()

    def children(self, code: str) -> tuple[str, ...]:
        return self._children.get(code, ())

    def ancestors(self, code: str) -> frozenset[str]:
        """All codes above ``code``, without it; a cycle in the data ends where it begins."""
        return _reached(code, self.parents)

    def descendants(self, code: str) -> frozenset[str]:
        """All codes below ``code``, without it: one walk, however many codes are then asked about."""
        return _reached(code, self.children)

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        if a == b:
            return "equivalent"
        if self._info.subsumption != "known":
            return "not-subsumed" if self._info.subsumption == "none" else None
        if a in self.ancestors(b):
            return "subsumes"
        return "subsumed-by" if b in self.ancestors(a) else "not-subsumed"


def _reached(start: str, step: Callable[[str], tuple[str, ...]]) -> frozenset[str]:
    found: set[str] = set()
    pending = list(step(start))
    while pending:
        code = pending.pop()
        if code not in found:
            found.add(code)
            pending.extend(step(code))
    return frozenset(found - {start})
