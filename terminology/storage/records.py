"""What the resource store keeps, as values: nothing here needs a database or a library for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from terminology.frozen import dataclass
from terminology.model import FhirVersion

Terms = Mapping[str, frozenset[str]]
"""Search parameter → the values of a resource that are looked up in the store (``code``, ``system``, …)."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource: ``text`` is its JSON, in the form of ``fhir``, and is empty where it was deleted.

    ``generation`` is the number of the change that made it, ``instant`` when that was; both only rise. ``method`` is
    the HTTP method that made it.
    """

    kind: str
    id: str
    number: int
    generation: int
    method: str
    instant: str
    fhir: str
    text: str

    @property
    def deleted(self) -> bool:
        return self.method == "DELETE"


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a resource without reading its text; ``canonical`` (url|version) is its alone in its type."""

    canonical: str | None = None
    url: str | None = None
    version: str | None = None
    name: str | None = None
    title: str | None = None
    status: str | None = None


class StoreError(Exception):
    """The store cannot be opened or used as it is; the sentence says what to do."""


class CanonicalTaken(Exception):
    """Another resource of the type has the url and version; ``args`` is that canonical."""


class Writer(Protocol):
    """One change of the store under way: its number and its instant."""

    generation: int
    instant: str

    def current(self, kind: str, identity: str) -> Version | None: ...

    def owner(self, kind: str, canonical: str) -> str | None:
        """The id of the resource that has a canonical."""
        ...

    def put(self, made: Version, before: Version | None, head: Head, terms: Terms) -> None:
        """Keeps a version that follows ``before``, the current one as this change saw it."""
        ...


# --- jobs ----------------------------------------------------------------------------------------------------

JobState = Literal["receiving", "waiting", "done", "failed"]
Kind = Literal["outcomes", "errors"]


@dataclass(frozen=True, slots=True)
class Job:
    """Many records that a client wants judged, and how far that is. ``parameters`` is the JSON of a Parameters resource
    (R5 form), ``instant`` when the job was sent; ``created``, ``started``, ``expires`` and ``now`` are seconds of the
    database's clock. ``problem`` says why a job failed."""

    id: str
    owner: str
    fhir: FhirVersion
    request: str
    parameters: str
    language: str | None
    instant: str
    state: JobState = "receiving"
    created: float = 0.0
    started: float | None = None
    expires: float = 0.0
    records: int = 0
    judged: int = 0
    chunks: int = 0
    problem: str | None = None
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one worker to judge the chunk ``position`` of a job, until its lease ends. ``attempts``: how often
    that chunk was claimed before without a result."""

    job: Job
    lease: str
    position: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of NDJSON; ``line`` is the number of the first one in what was sent, ``records`` how many they are."""

    line: int
    records: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a chunk: NDJSON with one OperationOutcome a line."""

    kind: Kind
    records: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A file of results: so many outcomes of one kind; numbered from 1."""

    kind: Kind
    number: int
    records: int
