"""The nouns of the engine: values that are never changed once made, and the contract of a code system.

Collections inside a value are tuples, frozensets or read-only mappings. Behaviour lives in functions of the
modules above this one; nothing here imports another module of the project, but how values are made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import lru_cache
from typing import Any, Literal, Protocol, cast, runtime_checkable

from terminology.frozen import dataclass

CANONICAL_BASE = "https://flask-fhir-terminology.org/fhir"
"""Base of every canonical url of our own. It does not resolve yet; CONTRIBUTING tells how to change it."""

OWN_PROPERTIES = f"{CANONICAL_BASE}/concept-properties#"
"""Base of the uris of our own concept properties: ``valid-from``, ``valid-to``, ``replaced-by``."""
SUGGESTED_CODING = f"{CANONICAL_BASE}/StructureDefinition/suggested-coding"
DISPLAYS_NOT_HELD = f"{CANONICAL_BASE}/StructureDefinition/displays-not-held"
NO_SUBSUMPTION = f"{CANONICAL_BASE}/StructureDefinition/no-subsumption"

FhirVersion = Literal["R4", "R5"]
FHIR_VERSIONS: Mapping[str, str] = {"R4": "4.0.1", "R5": "5.0.0"}
Json = dict[str, Any]
Subsumption = Literal["equivalent", "subsumes", "subsumed-by", "not-subsumed"]


@dataclass(frozen=True, slots=True)
class Canonical:
    """A canonical url with or without a business version (https://hl7.org/fhir/references.html#canonical)."""

    url: str
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.url}|{self.version}" if self.version else self.url

    @classmethod
    def parse(cls, text: str) -> Canonical:
        """``url`` or ``url|version``; a fragment (``#id``) stays part of the url."""
        url, _, version = text.partition("|")
        return cls(url, version or None)


@dataclass(frozen=True, slots=True)
class Coding:
    """What a client sent or what an answer names: every part may be missing (datatype Coding)."""

    system: str | None = None
    code: str | None = None
    version: str | None = None
    display: str | None = None

    def __str__(self) -> str:
        system = f"{self.system or ''}|{self.version}" if self.version else self.system or ""
        return f"{system}#{self.code or ''}"

    def as_json(self) -> Json:
        named = (
            ("system", self.system),
            ("version", self.version),
            ("code", self.code),
            ("display", self.display),
        )
        return {name: value for name, value in named if value is not None}


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing to tell the client: a reason of a refusal or a finding of an answer.

    ``kind`` is the code of the tx-issue-type coding; ``arguments`` fill the sentence of ``message_id``;
    ``expression`` is relative to what was judged until the operation puts the input's path before it.
    ``diagnostics`` explains to people, ``suggestion`` to machines.
    """

    severity: str
    code: str
    kind: str | None
    message_id: str
    arguments: tuple[str, ...] = ()
    expression: str | None = None
    diagnostics: str | None = None
    suggestion: Coding | None = None
    in_message: bool = True

    def at(self, expression: str | None) -> Issue:
        return replace(self, expression=expression)


@dataclass(frozen=True, slots=True)
class Designation:
    """A further name of a concept. ``source`` is the canonical of the supplement it came from."""

    value: str
    language: str | None = None
    use: Mapping[str, Any] | None = None
    source: str | None = None
    extensions: tuple[Json, ...] = ()
    additional_use: tuple[Json, ...] = ()
    status: str = "active"


@dataclass(frozen=True, slots=True)
class Property:
    """A property value; ``type`` is the suffix of ``value[x]`` (``Code``, ``Coding``, ``String``, …)."""

    code: str
    type: str
    value: Any
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept of a code system, with what supplements and an author added to it.

    ``status`` is the concept's own status code, ``inactive`` the judgement drawn from it and from the properties
    (https://hl7.org/fhir/codesystem.html#status). ``valid_from`` and ``valid_to`` bound its validity, inclusive.
    """

    code: str
    display: str | None = None
    definition: str | None = None
    parents: tuple[str, ...] = ()
    designations: tuple[Designation, ...] = ()
    properties: tuple[Property, ...] = ()
    extensions: tuple[Json, ...] = ()
    abstract: bool = False
    inactive: bool = False
    status: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """What a compose author stated about one code (``ValueSet.compose.include.concept``)."""

    code: str
    display: str | None = None
    designations: tuple[Designation, ...] = ()
    extensions: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """``ValueSet.compose.include.filter``: ``path`` tells a client where it stood."""

    property: str
    op: str
    value: str | None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a code system; a provider honours all of it.

    ``codes`` restricts the answer to these codes (membership of many codes is one query);
    ``listed`` are the codes an author enumerated, in the author's order; ``text`` is a search text. ``offset`` and
    ``limit`` cut a page out of the answer; without ``detailed`` designations and properties may be left out. ``on`` is
    a date: without the concepts whose own period excludes it. ``undated`` turns that round: only the concepts whose own
    dates do not tell how they stand on that date (none are stated, or an open end that no release vouches for).
    """

    filters: tuple[Filter, ...] = ()
    listed: tuple[Listed, ...] | None = None
    text: str | None = None
    active_only: bool = False
    codes: tuple[str, ...] | None = None
    offset: int = 0
    limit: int | None = None
    detailed: bool = True
    on: str | None = None
    undated: bool = False

    def only(self, codes: Iterable[str]) -> Query:
        return replace(self, codes=tuple(codes))

    @property
    def whole(self) -> bool:
        """True when the query asks for the whole code system (no filter, no list)."""
        return not self.filters and self.listed is None


@dataclass(frozen=True, slots=True)
class Selection:
    """The answer to a Query: what is known before the first concept, then the concepts in the system's order."""

    concepts: Iterable[Concept]
    total: int | None = None
    issues: tuple[Issue, ...] = ()

    def __iter__(self) -> Iterator[Concept]:
        return iter(self.concepts)


@dataclass(frozen=True, slots=True)
class Miss:
    """A code that was not found; issues may say why."""

    code: str
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class PropertyDefinition:
    """``CodeSystem.property``: type and uri of a property."""

    code: str
    type: str
    uri: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class CodeSystemInfo:
    """What is known about a code system without looking at a concept.

    ``displays_held`` is false where the resource says that the owner's displays are not held here, and
    ``displays_defined`` where the code system has none: a display is then never judged. ``subsumption`` is ``none``
    where the resource states that none is defined, ``known`` where there is a hierarchy that means it, else ``unsaid``.
    ``effective_from`` and ``effective_to`` bound the days on which this version is the one in force
    (``CodeSystem.effectivePeriod``). ``expansion_cap`` bounds what an expansion may list.
    """

    canonical: Canonical
    name: str | None = None
    title: str | None = None
    content: str = "complete"
    case_sensitive: bool = True
    language: str | None = None
    status: str | None = None
    standards_status: str | None = None
    experimental: bool = False
    hierarchy_meaning: str | None = None
    compositional: bool = False
    version_needed: bool = False
    version_algorithm: str | None = None
    value_set: str | None = None
    copyright: str | None = None
    supplements: Canonical | None = None
    language_pack: bool = False
    displays_held: bool = True
    displays_defined: bool = True
    subsumption: Literal["known", "none", "unsaid"] = "unsaid"
    enumerable: bool = True
    effective_from: str | None = None
    effective_to: str | None = None
    count: int | None = None
    expansion_cap: int | None = None
    properties: tuple[PropertyDefinition, ...] = ()
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    labels: frozenset[str] = frozenset()

    @property
    def answers(self) -> bool:
        """True when concepts may be asked for (``not-present``, ``example`` and supplements are not answered)."""
        return self.content in ("complete", "fragment")


class CodeSystemProvider(Protocol):
    """The contract of a code system. Four members: what it is, find one, select many, compare two."""

    @property
    def info(self) -> CodeSystemInfo: ...

    def find(self, code: str) -> Concept | Miss:
        """The concept of ``code``, normalised to the system's own spelling, or a Miss with reasons."""
        ...

    def select(self, query: Query) -> Selection:
        """All concepts that satisfy the entire query; raises Refusal for a filter it does not understand."""
        ...

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        """How ``a`` relates to ``b`` (both known codes); None where the system's definition does not say."""
        ...


@runtime_checkable
class Tree(Protocol):
    """Optional capability of a provider: the hierarchy, asked for only where nesting or properties want it."""

    def parents(self, code: str) -> tuple[str, ...]: ...

    def children(self, code: str) -> tuple[str, ...]: ...

    def ancestors(self, code: str) -> frozenset[str]: ...

    def descendants(self, code: str) -> frozenset[str]: ...


def tree_of(provider: Any) -> Tree | None:
    """The provider as one that has a hierarchy; None where it has none."""
    return cast("Tree", provider) if _is_tree(cast("Hashable", type(provider))) else None


@lru_cache(maxsize=64)
def _is_tree(kind: Hashable) -> bool:
    """Asked of a class, once: ``isinstance`` with a protocol looks for every member, 7 µs each time."""
    return all(hasattr(kind, name) for name in ("parents", "children", "ancestors", "descendants"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A concept with what stands around it: the codes of its children, and the displays of parents, children and of
    the codes among its properties (None where there is none)."""

    concept: Concept
    children: tuple[str, ...]
    displays: Mapping[str, str | None]


@runtime_checkable
class Entered(Protocol):
    """Optional capability of a provider: a concept and what stands around it in one read."""

    def entry(self, code: str) -> Entry | Miss: ...


def entry_of(provider: CodeSystemProvider, code: str) -> Entry | Miss:
    """The concept of a code with what stands around it, from any provider."""
    if hasattr(provider, "entry"):
        return cast("Entered", provider).entry(code)
    found = provider.find(code)
    if not isinstance(found, Concept):
        return found
    tree = tree_of(provider)
    children = tree.children(found.code) if tree else ()
    related = (*found.parents, *children) if tree else ()
    return Entry(found, children, displays_of(provider, (*related, *coded(found))))


def coded(concept: Concept) -> Iterator[str]:
    """The codes among the properties of a concept."""
    return (held.value for held in concept.properties if held.type == "Code")


def displays_of(provider: CodeSystemProvider, codes: Iterable[str]) -> dict[str, str | None]:
    """The display of each code; None where there is none, or no such code."""
    found = {code: provider.find(code) for code in codes}
    return {code: each.display if isinstance(each, Concept) else None for code, each in found.items()}


@runtime_checkable
class Counted(Protocol):
    """Optional capability of a provider: the size of an answer without reading it."""

    def count(self, query: Query) -> int: ...


@runtime_checkable
class Headed(Protocol):
    """Optional capability of a provider: the concept of a code without parents, designations and properties, where
    that is less to read."""

    def head(self, code: str) -> Concept | Miss: ...


Head = tuple[str, str, int]
"""Of an active concept: code, display, and whether it is abstract."""


@runtime_checkable
class Listing(Counted, Protocol):
    """Optional capability of a provider that counts: the concepts of a query that lists no codes, where nothing is to
    be told of them but a Head; None: ``select`` them."""

    def heads(self, query: Query) -> list[Head] | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Grammar:
    """A code system whose codes are made by rules, so that there is no list of them (``info.enumerable`` is false).

    ``find`` computes the concept of every code that keeps the rules, and a Miss that says why of any other.
    ``meant`` restates a filter in terms of what ``find`` gives; None: not understood. ``implicit`` is the compose of
    a value set that the system defines by the form of a url; None: it is none of these. ``source`` is the code system
    of its parts: where an operator loads one, ``renewed`` makes the grammar of that. ``values`` tell by filter what is
    written as its value.
    """

    info: CodeSystemInfo
    find: Callable[[str], Concept | Miss]
    meant: Callable[[Filter], Filter | None] = lambda stated: stated
    implicit: Callable[[str], Json | None] = lambda _: None
    source: str | None = None
    renewed: Callable[[CodeSystemProvider], Grammar] | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Expressions:
    """Codes that are put together from those of a listed code system: ``over`` adds them to whichever edition of
    ``system`` is loaded."""

    system: str
    over: Callable[[CodeSystemProvider], CodeSystemProvider]
    implicit: Callable[[str], Json | None] = lambda _: None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Supplement:
    """A CodeSystem with content ``supplement``: what it adds, per code of the supplemented system."""

    info: CodeSystemInfo
    additions: Mapping[str, Concept] = field(default_factory=dict)
    properties: tuple[PropertyDefinition, ...] = ()


@dataclass(frozen=True, slots=True)
class Naming:
    """One statement about what a code system is called: ``by`` says who states it, ``names`` are its urls, the
    preferred one first. ``current``: False for a retired statement, which counts where no other one is made."""

    by: str
    names: tuple[str, ...]
    current: bool = True


# --- Value sets as algebra -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Select:
    """Concepts of one code system. ``path`` is the include's place in the resource; ``alias`` another name of the
    system, where the author wrote that (``aliases``)."""

    system: Canonical
    query: Query
    path: str
    supplements: tuple[str, ...] = ()
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Import:
    """The content of another value set, named by canonical or by ``#id`` of a contained one."""

    value_set: Canonical


@dataclass(frozen=True, slots=True)
class Union:
    parts: tuple[ConceptSet, ...]


@dataclass(frozen=True, slots=True)
class Intersection:
    parts: tuple[ConceptSet, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    kept: ConceptSet
    removed: ConceptSet


ConceptSet = Select | Import | Union | Intersection | Difference


@dataclass(frozen=True, slots=True)
class ValueSetInfo:
    """What an answer says about a value set without looking at its content."""

    canonical: Canonical
    name: str | None = None
    status: str | None = None
    standards_status: str | None = None
    experimental: bool = False
    language: str | None = None

    def __str__(self) -> str:
        return str(self.canonical) if self.canonical.url else "(unidentified)"


@dataclass(frozen=True, slots=True, eq=False)
class ValueSet:
    """A value set: its concepts as algebra, and what rides along with them.

    ``defaults`` are the expansion parameters the author put on the compose; ``inactive`` is
    ``compose.inactive`` (None where the author did not say), ``locked`` its lockedDate; ``contained`` are value sets
    that only this one sees.
    """

    info: ValueSetInfo
    concepts: ConceptSet
    resource: Json
    inactive: bool | None = None
    supplements: tuple[str, ...] = ()
    defaults: tuple[tuple[str, Json], ...] = ()
    contained: Mapping[str, ValueSet] = field(default_factory=dict)
    locked: str | None = None


# --- Concept maps ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a map, both ways round (``ConceptMap.group.element.target``); no target is ``target=None``."""

    source: Coding
    target: Coding | None
    relationship: str
    depends_on: tuple[Json, ...] = ()
    products: tuple[Json, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Unmapped:
    """``ConceptMap.group.unmapped``: what happens to a code that has no row."""

    source_system: str | None
    target_system: str | None
    mode: str
    code: str | None = None
    display: str | None = None
    relationship: str | None = None
    other_map: Canonical | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ConceptMap:
    """A ConceptMap: scopes, rows and what it does with the unmapped."""

    canonical: Canonical
    source_scope: Canonical | None
    target_scope: Canonical | None
    rows: tuple[Row, ...]
    unmapped: tuple[Unmapped, ...] = ()
    status: str | None = None
