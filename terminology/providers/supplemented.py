"""A code system with supplements over it: what they add is there for every reader, and says where it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice

from terminology.languages import textual
from terminology.model import (
    CodeSystemInfo,
    CodeSystemProvider,
    Concept,
    Entry,
    Miss,
    Property,
    Query,
    Selection,
    Subsumption,
    Supplement,
    coded,
    displays_of,
    entry_of,
    tree_of,
)
from terminology.providers.filters import dated, predicate


def supplemented(provider: CodeSystemProvider, supplements: tuple[Supplement, ...]) -> Supplemented:
    """The provider with supplements applied, in order (https://hl7.org/fhir/codesystem.html#supplements)."""
    return Supplemented(provider, supplements)


KEPT = 512
"""So many concepts are kept as they were decorated."""


class Supplemented:
    """Decorates what the base finds. Filters and texts that only a supplement can answer are judged here."""

    def __init__(self, base: CodeSystemProvider, supplements: tuple[Supplement, ...]) -> None:
        self.base = base
        self.supplements = supplements
        self._made: dict[str, tuple[Concept, Concept]] = {}

    @cached_property
    def info(self) -> CodeSystemInfo:
        known = {declared.code for declared in self.base.info.properties}
        extra = tuple(d for supplement in self.supplements for d in supplement.properties if d.code not in known)
        return replace(self.base.info, properties=self.base.info.properties + extra) if extra else self.base.info

    @cached_property
    def _added(self) -> frozenset[str]:
        added = (declared for supplement in self.supplements for declared in supplement.properties)
        return frozenset(name for declared in added for name in (declared.code, declared.uri) if name)

    def find(self, code: str) -> Concept | Miss:
        found = self.base.find(code)
        return self._decorated(found) if isinstance(found, Concept) else found

    def entry(self, code: str) -> Entry | Miss:
        held = entry_of(self.base, code)
        if not isinstance(held, Entry):
            return held
        concept = self._decorated(held.concept)
        added = displays_of(self.base, (each for each in coded(concept) if each not in held.displays))
        return Entry(concept, held.children, {**held.displays, **added})

    def select(self, query: Query) -> Selection:
        later = tuple(stated for stated in query.filters if stated.property in self._added)
        sooner = tuple(stated for stated in query.filters if stated not in later)
        text = query.text if self._has_names else None
        day = dated(query, self.info) if self._has_dates else None
        own = bool(later or text or day)
        asked = replace(query, filters=sooner, text=None if text else query.text)
        if own:
            asked = replace(asked, offset=0, limit=None, detailed=True)
        if day:
            asked = replace(asked, on=None, undated=False)
        selection = self.base.select(asked)
        tests = [predicate(stated, self) for stated in later]
        if text:
            tests.append(textual(text))
        if day:
            tests.append(day)
        concepts: Iterable[Concept] = (c for c in map(self._decorated, selection) if all(test(c) for test in tests))
        if own:
            end = None if query.limit is None else query.offset + query.limit
            concepts = islice(concepts, query.offset, end)
        return replace(selection, concepts=concepts, total=None if own else selection.total)

    def count(self, query: Query) -> int:
        return sum(1 for _ in self.select(replace(query, offset=0, limit=None, detailed=False)))

    @property
    def _has_names(self) -> bool:
        return any(addition.designations for s in self.supplements for addition in s.additions.values())

    @cached_property
    def _has_dates(self) -> bool:
        return any(each.valid_from or each.valid_to for s in self.supplements for each in s.additions.values())

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        return self.base.subsumes(a, b)

    def parents(self, code: str) -> tuple[str, ...]:
        return tree.parents(code) if (tree := tree_of(self.base)) else ()

    def children(self, code: str) -> tuple[str, ...]:
        return tree.children(code) if (tree := tree_of(self.base)) else ()

    def ancestors(self, code: str) -> frozenset[str]:
        return tree.ancestors(code) if (tree := tree_of(self.base)) else frozenset()

    def descendants(self, code: str) -> frozenset[str]:
        return tree.descendants(code) if (tree := tree_of(self.base)) else frozenset()

    def _decorated(self, concept: Concept) -> Concept:
        """The concept with what was added. A base that holds its concepts gives the same ones again: so do we."""
        known = self._made.get(concept.code)
        if known is None or known[0] is not concept:
            if len(self._made) >= KEPT:
                self._made.clear()
            known = self._made[concept.code] = (concept, self._added_to(concept))
        return known[1]

    def _added_to(self, concept: Concept) -> Concept:
        additions = list(self._additions(concept.code))
        if not additions:
            return concept
        return replace(
            concept,
            definition=concept.definition or next((a.definition for a in additions if a.definition), None),
            designations=concept.designations + tuple(d for a in additions for d in a.designations),
            properties=concept.properties + tuple(_new(concept, additions)),
            extensions=concept.extensions + tuple(e for a in additions for e in a.extensions),
            valid_from=concept.valid_from or next((a.valid_from for a in additions if a.valid_from), None),
            valid_to=concept.valid_to or next((a.valid_to for a in additions if a.valid_to), None),
        )

    def _additions(self, code: str) -> Iterator[Concept]:
        for supplement in self.supplements:
            addition = supplement.additions.get(code)
            if addition is not None:
                yield addition


def _new(concept: Concept, additions: list[Concept]) -> Iterator[Property]:
    """The properties that supplements add; what the code system says already is not said again."""
    known = [(held.code, held.value) for held in concept.properties]
    yield from (p for a in additions for p in a.properties if (p.code, p.value) not in known)
