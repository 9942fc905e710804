"""A call of an operation, typed: the parameters, the scope, and what surrounds them."""

from __future__ import annotations

from dataclasses import field

from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.model import FhirVersion, Json
from terminology.operation import Level, Operation
from terminology.parameters import Arguments
from terminology.storage import Storage


@dataclass(frozen=True, slots=True)
class Exchange:
    """What surrounds the parameters of a call: FHIR version, level, and the headers that matter to an answer."""

    fhir: FhirVersion = "R5"
    level: Level = "type"
    identity: str | None = None
    accept_language: str | None = None
    strict: bool = False
    cache_id: str | None = None
    threshold: int | None = None


def client(_: Exchange) -> str:
    """Who asks: what is kept for one client no other one sees. Without authentication all are one."""
    return "anonymous"


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A typed request: what ``Operation.run`` gets. ``target`` is the resource of an instance-level call (R5 form);
    ``client`` owns what is kept in ``storage``; ``cache_id`` came in the header of that name."""

    arguments: Arguments
    scope: Scope
    operation: Operation
    level: Level = "type"
    target: Json | None = None
    client: str = ""
    cache_id: str | None = None
    storage: Storage = field(default_factory=Storage)
