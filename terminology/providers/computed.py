"""A code system that a grammar makes: nothing is listed, every question names the codes it is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from terminology.issues import NotSupported, issue
from terminology.languages import textual
from terminology.model import CodeSystemInfo, Concept, Filter, Grammar, Miss, Query, Selection, Subsumption
from terminology.providers.filters import Predicate, dated, not_understood, predicate


class Computed:
    """``find`` is the grammar's; ``select`` judges the codes that the query names, and refuses one that names none."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    @property
    def info(self) -> CodeSystemInfo:
        return self._grammar.info

    def find(self, code: str) -> Concept | Miss:
        return self._grammar.find(code)

    def select(self, query: Query) -> Selection:
        tests = [self._test(stated) for stated in query.filters]
        if query.text:
            tests.append(textual(query.text))
        if query.active_only:
            tests.append(lambda concept: not concept.inactive)
        if day := dated(query, self.info):
            tests.append(day)
        end = None if query.limit is None else query.offset + query.limit
        found = (concept for concept in self._named(query) if all(test(concept) for test in tests))
        return Selection(islice(found, query.offset, end))

    def _test(self, stated: Filter) -> Predicate:
        restated = self._grammar.meant(stated) if stated.value else stated
        if restated is None:
            raise NotSupported(not_understood(stated, self.info.canonical.url))
        return predicate(restated, self)

    def _named(self, query: Query) -> Iterator[Concept]:
        """The concepts of the codes that the query names, each once, in the order of the list or of the codes."""
        if query.codes is None and query.listed is None:
            raise NotSupported(issue("CODESYSTEM_NOT_ENUMERABLE", self.info.canonical.url))
        listed = None if query.listed is None else dict.fromkeys(self._known(entry.code for entry in query.listed))
        if query.codes is None:
            return iter(listed or ())
        asked = dict.fromkeys(self._known(query.codes))
        return (concept for concept in asked if listed is None or concept in listed)

    def _known(self, codes: Iterable[str]) -> Iterator[Concept]:
        for code in codes:
            found = self.find(code)
            if isinstance(found, Concept):
                yield found

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        if a == b:
            return "equivalent"
        return "not-subsumed" if self.info.subsumption == "none" else None

    # Filters ask every code system for its hierarchy; a grammar has none.

    def parents(self, _: str) -> tuple[str, ...]:
        return ()

    def children(self, _: str) -> tuple[str, ...]:
        return ()

    def ancestors(self, _: str) -> frozenset[str]:
        return frozenset()

    def descendants(self, _: str) -> frozenset[str]:
        return frozenset()
