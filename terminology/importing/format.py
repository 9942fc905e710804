"""What a format is: how the files of one publisher become code systems and other resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from terminology.frozen import dataclass
from terminology.importing.archives import LIMITS, File, Limits, Meter, files
from terminology.issues import Invalid, issue, text
from terminology.model import CodeSystemInfo, Concept, Issue, Json

PLACES = 5


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a format on the command line: ``--name``."""

    name: str
    summary: str
    required: bool = False
    repeats: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    path: bool = False
    flag: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """A code system out of a source. ``concepts`` streams them, once; ``head`` is its resource without concepts.

    ``fhir`` are the FHIR versions that the package was made for (``4.0.1``), where it says so; ``snapshot``: another
    publisher's content, as it was when a FHIR release took it up."""

    info: CodeSystemInfo
    concepts: Callable[[], Iterable[Concept]]
    source: str
    licence: str = ""
    head: Json | None = None
    fhir: tuple[str, ...] = ()
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """A resource (R5 form) that is kept as JSON: value sets, maps, supplements, small code systems."""

    resource: Json
    source: str
    fhir: tuple[str, ...] = ()
    snapshot: bool = False


@dataclass(slots=True)
class Refusals:
    """The rows that were left out, grouped by reason, each with the first few places (``most`` of them)."""

    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    most: int = PLACES

    def add(self, place: str, reason: Issue) -> None:
        name = reason.message_id
        self.counts[name] = self.counts.get(name, 0) + 1
        listed = self.places.setdefault(name, [])
        if len(listed) < self.most:
            listed.append(f"{place}: {text(reason)}")

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(slots=True)
class Source:
    """What is imported: a file, folder or archive, and what the user said about it."""

    path: Path
    format: str
    options: Mapping[str, Any] = field(default_factory=dict)
    refusals: Refusals = field(default_factory=Refusals)
    notes: list[Issue] = field(default_factory=list)
    limits: Limits = LIMITS
    meter: Meter = field(default_factory=Meter)

    def files(self, wanted: Callable[[str], bool] = lambda _: True) -> Iterable[File]:
        """The wanted files, in their order; each can be read until the next is asked for."""
        return files(self.path, wanted, self.limits, self.meter)

    def option(self, name: str) -> Any:
        return self.options.get(name)

    def refuse(self, place: str, message_id: str, *arguments: object) -> None:
        """Leaves a row out, with the reason."""
        self.refusals.add(place, issue(message_id, *arguments))

    def note(self, message_id: str, *arguments: object) -> None:
        """Something the operator should know."""
        self.notes.append(issue(message_id, *arguments))

    def unreadable(self, why: object) -> Invalid:
        return Invalid(issue("OWN_IMPORT_UNREADABLE", self.path, self.format, why))

    def empty(self, expected: str) -> Invalid:
        return Invalid(issue("OWN_IMPORT_EMPTY", self.path, self.format, expected))


Read = Callable[[Source], Iterable[Loaded | Kept]]
Period = tuple[str | None, str | None]
Rule = Callable[[str, str], Period]
"""When a release is in force by its publisher's rule, from its version and the name of its source (``periods``)."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: ``read`` yields what a source holds and raises Refusal for one it cannot read.

    ``verified`` is ``real`` where the layout was checked against a file of the publisher, else ``described``.
    ``period`` goes with the options of ``periods``; a format without it reads resources, which state their own.
    """

    name: str
    summary: str
    read: Read
    options: tuple[Option, ...] = ()
    verified: Literal["real", "described"] = "described"
    publisher: str = ""
    period: Rule | None = None
