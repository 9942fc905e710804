"""What outlives a request and is the same for every worker process: caches of request resources, closure tables.

The nouns stand here. The file that keeps them is opened by the first request that needs it; nothing before that
imports sqlite3. Every row belongs to an ``owner``, the client as the request knows it, and to nobody else.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from terminology.frozen import dataclass

if TYPE_CHECKING:
    from terminology.storage.caches import Caches
    from terminology.storage.closures import Closures
    from terminology.storage.database import Database


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept; every refusal names the setting of the same name."""

    cache_limit: int = 200
    cache_bytes: int = 268_435_456
    cache_size: int = 16_777_216
    cache_idle: int = 3600
    closure_tables: int = 100
    closure_limit: int = 10_000


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource as it is kept: ``key`` is its type, url and version, ``digest`` the hash of its JSON text."""

    key: str
    digest: bytes
    text: bytes


def content(digests: Iterable[bytes]) -> bytes:
    """The hash of an ordered set of resources, from the hashes of each."""
    return hashlib.blake2b(b"".join(digests), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache of request resources. ``issued``: its id was drawn here, not chosen by the client."""

    number: int
    identity: str
    issued: bool
    sealed: bool
    content: bytes
    idle: float


@dataclass(frozen=True, slots=True)
class Member:
    """A code of a closure table as the client writes it; ``concept`` as its code system writes it."""

    system: str
    code: str
    concept: str
    release: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """``source`` is narrower than ``target`` in ``system``, or means the same."""

    system: str
    source: str
    target: str
    relationship: str


@dataclass(frozen=True, slots=True)
class Table:
    """A closure table. Versions go on rising when it is initialised anew: ``floor`` is the last one before that."""

    version: int
    floor: int
    members: tuple[Member, ...]
    entries: int = 0

    @property
    def shown(self) -> str:
        """The version as clients see it; 0 is a table into which nothing was put."""
        return "0" if self.version == self.floor else str(self.version)


class Storage:
    """The stores of one service. ``path`` is their file; None is a private one that ends with the process."""

    def __init__(self, path: str | None = None, bounds: Bounds = Bounds()) -> None:
        self.bounds = bounds
        self._path = path
        self._lock = threading.Lock()
        self._database: Database | None = None

    @property
    def opened(self) -> bool:
        """True when something has needed the file."""
        return self._database is not None

    @property
    def caches(self) -> Caches:
        from terminology.storage.caches import Caches  # noqa: PLC0415  sqlite3 is loaded by who needs it

        return Caches(self._opened(), self.bounds)

    @property
    def closures(self) -> Closures:
        from terminology.storage.closures import Closures  # noqa: PLC0415

        return Closures(self._opened(), self.bounds)

    def _opened(self) -> Database:
        from terminology.storage.database import Database  # noqa: PLC0415

        with self._lock:
            if self._database is None:
                self._database = Database(self._path)
            return self._database

    def close(self) -> None:
        """Ends every connection; the next need opens the file again."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
