"""Rows set aside on disk until the concept that they belong to comes by: an import joins files, not dictionaries.

A private file without a name, gone with its owner; memory holds a few megabytes of it, whatever the size.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Iterable
from itertools import islice

ROWS = 500


class Aside:
    """Texts by kind and key, in the order in which they came. All of a kind is put in before one is asked for."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._database.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF; PRAGMA cache_size=-8192;")
        self._database.execute("CREATE TABLE aside (kind TEXT NOT NULL, key TEXT NOT NULL, texts TEXT NOT NULL)")
        self._sorted = False

    def put(self, rows: Iterable[tuple[str, ...]]) -> int:
        """Keeps rows of kind, key and texts; returns how many there were."""
        if self._sorted:
            raise ValueError("rows are asked for already")
        iterator, kept = iter(rows), 0
        while part := [(kind, key, json.dumps(texts)) for kind, key, *texts in islice(iterator, ROWS)]:
            values = ",".join(["(?,?,?)"] * len(part))
            self._database.execute(f"INSERT INTO aside VALUES {values}", [each for row in part for each in row])
            kept += len(part)
        return kept

    def of(self, kind: str, key: str) -> list[tuple[str, ...]]:
        """The texts of a key."""
        self._sort()
        found = self._database.execute("SELECT texts FROM aside WHERE kind = ? AND key = ? ORDER BY rowid", (kind, key))
        return [tuple(json.loads(row[0])) for row in found]

    def keys(self, kind: str) -> list[str]:
        """The keys of a kind, in the order in which they came."""
        self._sort()
        found = self._database.execute("SELECT key FROM aside WHERE kind = ? GROUP BY key ORDER BY min(rowid)", (kind,))
        return [row[0] for row in found]

    def _sort(self) -> None:
        if not self._sorted:
            self._database.execute("CREATE INDEX aside_key ON aside (kind, key)")
            self._sorted = True
