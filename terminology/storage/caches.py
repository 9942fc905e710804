"""Caches of request resources: bounded in number, bytes and idle age; the least recently used one goes first.

The resources of a cache are kept in the order in which they came. One with the key of an earlier one takes its place.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence

from terminology.issues import TooLarge, issue
from terminology.storage import Bounds, Cache, Stored, content
from terminology.storage.database import Database

TOUCH = 1.0
"""Seconds in which uses of a cache count as one: a read alone must not write."""

_COLUMNS = "number, identity, issued, sealed, content, used"


class Caches:
    """The caches of one service; ``clock`` counts seconds."""

    def __init__(self, database: Database, bounds: Bounds, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._bounds = bounds
        self._clock = clock

    def start(self, owner: str, fhir: str, resources: Sequence[Stored], *, sealed: bool) -> str:
        """A new cache; returns its id, which is a FHIR id of 192 random bits. Raises TooLarge."""
        identity = secrets.token_hex(24)
        with self._database.write() as connection:
            self._make(connection, owner, fhir, identity, issued=True, sealed=sealed)
            self._put(connection, self._number(connection, owner, fhir, identity), resources)
        return identity

    def find(self, owner: str, fhir: str, identity: str) -> Cache | None:
        """The cache of that owner and FHIR version, marked as used; None where there is none any more."""
        now = self._clock()
        with self._database.read() as connection:
            cache = self._find(connection, owner, fhir, identity, now)
        if cache is not None and cache.idle >= TOUCH:
            with self._database.write() as connection:
                connection.execute("UPDATE cache SET used = ? WHERE number = ?", (now, cache.number))
        return cache

    def look(self, owner: str, fhir: str, identity: str) -> tuple[Cache, int] | None:
        """The cache and how many resources it holds, marked as used."""
        cache = self.find(owner, fhir, identity)
        return None if cache is None else (cache, len(self.resources(cache)))

    def resources(self, cache: Cache) -> list[Stored]:
        """What a cache holds now, in order; empty when it has ended meanwhile."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT key, digest, text FROM cached WHERE cache = ? ORDER BY number", (cache.number,)
            )
            return [Stored(*row) for row in rows]

    def add(
        self, owner: str, fhir: str, identity: str, resources: Sequence[Stored], *, create: bool = False
    ) -> Cache | None:
        """The cache with the resources added; one of the client's naming is made where ``create`` says so.

        None where there is none. Raises TooLarge where the cache would be.
        """
        now = self._clock()
        with self._database.write() as connection:
            cache = self._find(connection, owner, fhir, identity, now)
            if cache is None and not create:
                return None
            if cache is None:
                self._make(connection, owner, fhir, identity, issued=False, sealed=False)
            self._put(connection, self._number(connection, owner, fhir, identity), resources)
            return self._find(connection, owner, fhir, identity, now)

    def end(self, owner: str, fhir: str, identity: str) -> bool:
        """Frees a cache; False when there was none."""
        with self._database.write() as connection:
            named = (owner, fhir, identity)
            deleted = connection.execute("DELETE FROM cache WHERE owner = ? AND fhir = ? AND identity = ?", named)
            return deleted.rowcount > 0

    # --- inside a transaction ------------------------------------------------------------------------------

    def _find(self, connection: sqlite3.Connection, owner: str, fhir: str, identity: str, now: float) -> Cache | None:
        named = (owner, fhir, identity, now - self._bounds.cache_idle)
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM cache WHERE owner = ? AND fhir = ? AND identity = ? AND used >= ?", named
        ).fetchone()
        if row is None:
            return None
        number, held, issued, sealed, digest, used = row
        return Cache(number, held, bool(issued), bool(sealed), digest, max(0.0, now - used))

    def _number(self, connection: sqlite3.Connection, owner: str, fhir: str, identity: str) -> int:
        named = (owner, fhir, identity)
        found = connection.execute(
            "SELECT number FROM cache WHERE owner = ? AND fhir = ? AND identity = ?", named
        ).fetchone()
        return int(found[0])

    def _make(
        self, connection: sqlite3.Connection, owner: str, fhir: str, identity: str, *, issued: bool, sealed: bool
    ) -> None:
        now = self._clock()
        connection.execute("DELETE FROM cache WHERE used < ?", (now - self._bounds.cache_idle,))
        connection.execute(
            "INSERT INTO cache (owner, fhir, identity, issued, sealed, used, bytes, content)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            (owner, fhir, identity, issued, sealed, now, content(())),
        )

    def _put(self, connection: sqlite3.Connection, number: int, resources: Iterable[Stored]) -> None:
        once: dict[str, Stored] = {}
        for resource in resources:
            once.setdefault(resource.key, resource)
        connection.executemany(
            "INSERT INTO cached (cache, key, digest, text) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (cache, key) DO UPDATE SET digest = excluded.digest, text = excluded.text",
            [(number, held.key, held.digest, held.text) for held in once.values()],
        )
        rows = connection.execute("SELECT digest, length(text) FROM cached WHERE cache = ? ORDER BY number", (number,))
        digests, sizes = [], 0
        for digest, size in rows:
            digests.append(digest)
            sizes += size
        setting = min(("cache_size", "cache_bytes"), key=lambda name: getattr(self._bounds, name))
        if sizes > (limit := getattr(self._bounds, setting)):
            raise TooLarge(issue("OWN_CACHE_TOO_LARGE", limit, setting))
        connection.execute(
            "UPDATE cache SET bytes = ?, content = ?, used = ? WHERE number = ?",
            (sizes, content(digests), self._clock(), number),
        )
        self._evict(connection, number)

    def _evict(self, connection: sqlite3.Connection, kept: int) -> None:
        """Frees the least recently used others until number and bytes are within their bounds."""
        count, total = connection.execute("SELECT count(*), sum(bytes) FROM cache").fetchone()
        others = connection.execute("SELECT number, bytes FROM cache WHERE number != ? ORDER BY used, number", (kept,))
        for number, size in others.fetchall():
            if count <= self._bounds.cache_limit and total <= self._bounds.cache_bytes:
                return
            connection.execute("DELETE FROM cache WHERE number = ?", (number,))
            count, total = count - 1, total - size
