"""Shelves: many resources of which each is read when it is first asked for. A layer of them costs nothing at start.

Which resources there are is known from their heads, and those too are read only when something is looked for here.
A code system or value set that was read is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from typing import Generic, Protocol, TypeVar, runtime_checkable

from terminology import naming, resources
from terminology.catalog import Catalog
from terminology.model import (
    CodeSystemInfo,
    CodeSystemProvider,
    Concept,
    FhirVersion,
    Json,
    Miss,
    Naming,
    Query,
    Selection,
    Subsumption,
    ValueSet,
)
from terminology.providers.memory import MemoryProvider

KINDS = ("CodeSystem", "ValueSet")
Entry = TypeVar("Entry")
Made = TypeVar("Made")
Read = Callable[[], Json]
Found = tuple[Json, Read]
"""A head, and the way to the whole resource."""


@runtime_checkable
class Shelf(Protocol):
    """Many CodeSystems and ValueSets (R5 form) of which each is read when it is asked for.

    A head is a resource without its concepts, its compose and its texts: with ``resourceType``, ``id``, ``url`` and
    all that search and metadata look at. ``fhir`` is the one FHIR version whose readers see them; None: any.
    """

    fhir: FhirVersion | None

    def heads(self) -> Iterable[Json]: ...

    def read(self, kind: str, identity: str) -> Json:
        """The whole resource of a type and id."""
        ...


def layer(shelves: Iterable[Shelf]) -> Catalog:
    """A catalog layer of code systems and value sets; of a type and id twice, the first shelf's counts."""
    index = _Index(tuple(shelves))
    return Catalog(
        code_systems=_Kept(partial(index.urls, "CodeSystem"), _code_systems),
        value_sets=_Kept(partial(index.urls, "ValueSet"), _value_sets),
        resources={kind: _Lazy(partial(index.ids, kind), lambda found: found[1]()) for kind in KINDS},
        heads={kind: _Lazy(partial(index.ids, kind), lambda found: found[0]) for kind in KINDS},
        aliases=_Lazy(index.aliases, lambda namings: namings),
    )


def _code_systems(found: Iterable[Found]) -> tuple[CodeSystemProvider, ...]:
    return tuple(CodeSystemOnShelf(head, read) for head, read in found)


def _value_sets(found: Iterable[Found]) -> tuple[ValueSet, ...]:
    return tuple(resources.value_set(read()) for _, read in found)


class CodeSystemOnShelf:
    """A code system whose head says what it is; its concepts are read when one is first asked for."""

    def __init__(self, head: Json, read: Read) -> None:
        self._info = resources.code_system_info(head)
        self._read = read

    @property
    def info(self) -> CodeSystemInfo:
        return self._info

    @cached_property
    def _held(self) -> MemoryProvider:
        return resources.code_system(self._read())

    def find(self, code: str) -> Concept | Miss:
        return self._held.find(code)

    def select(self, query: Query) -> Selection:
        return self._held.select(query)

    def count(self, query: Query) -> int:
        return self._held.count(query)

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        return self._held.subsumes(a, b)

    def parents(self, code: str) -> tuple[str, ...]:
        return self._held.parents(code)

    def children(self, code: str) -> tuple[str, ...]:
        return self._held.children(code)

    def ancestors(self, code: str) -> frozenset[str]:
        return self._held.ancestors(code)

    def descendants(self, code: str) -> frozenset[str]:
        return self._held.descendants(code)


class _Index:
    """The heads of some shelves, read when one is first looked for."""

    def __init__(self, shelves: tuple[Shelf, ...]) -> None:
        self._shelves = shelves

    def ids(self, kind: str) -> Mapping[str, Found]:
        return self._by_id[kind]

    def urls(self, kind: str) -> Mapping[str, tuple[Found, ...]]:
        return self._by_url[kind]

    def aliases(self) -> Mapping[str, tuple[Naming, ...]]:
        return self._aliases

    @cached_property
    def _aliases(self) -> Mapping[str, tuple[Naming, ...]]:
        return naming.of_code_systems(head for head, _ in self._by_id["CodeSystem"].values())

    @cached_property
    def _by_id(self) -> Mapping[str, Mapping[str, Found]]:
        index: dict[str, dict[str, Found]] = {kind: {} for kind in KINDS}
        for shelf in self._shelves:
            for head in shelf.heads():
                kind, identity = head["resourceType"], head["id"]
                index[kind].setdefault(identity, (head, partial(shelf.read, kind, identity)))
        return index

    @cached_property
    def _by_url(self) -> Mapping[str, Mapping[str, tuple[Found, ...]]]:
        index: dict[str, dict[str, tuple[Found, ...]]] = {kind: {} for kind in KINDS}
        for kind, known in self._by_id.items():
            for found in known.values():
                url = found[0]["url"]
                index[kind][url] = (*index[kind].get(url, ()), found)
        return index


class _Lazy(Mapping[str, Made], Generic[Entry, Made]):
    """What is made of the entries of an index, at every call."""

    def __init__(self, index: Callable[[], Mapping[str, Entry]], make: Callable[[Entry], Made]) -> None:
        self._index = index
        self._make = make

    def __getitem__(self, key: str) -> Made:
        return self._make(self._index()[key])

    def __contains__(self, key: object) -> bool:
        return key in self._index()

    def __iter__(self) -> Iterator[str]:
        return iter(self._index())

    def __len__(self) -> int:
        return len(self._index())


class _Kept(_Lazy[Entry, Made]):
    """What is made of the entries of an index, at the first call. Two threads may make one: one is kept."""

    def __init__(self, index: Callable[[], Mapping[str, Entry]], make: Callable[[Entry], Made]) -> None:
        super().__init__(index, make)
        self._made: dict[str, Made] = {}

    def __getitem__(self, key: str) -> Made:
        known = self._made.get(key)
        return self._made.setdefault(key, super().__getitem__(key)) if known is None else known
