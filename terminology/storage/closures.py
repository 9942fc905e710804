"""Closure tables: codes, the relations between them, and the version in which each came.

What is asked and what is added are two steps: relations are computed between them without a lock, and ``extend``
adds nothing where the table has changed meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from terminology.issues import TooCostly, issue
from terminology.storage import Bounds, Entry, Member, Table
from terminology.storage.database import Database

ENTRIES = 100
"""Most relations of a table for each code that it may hold."""


class Closures:
    """The closure tables of one service."""

    def __init__(self, database: Database, bounds: Bounds) -> None:
        self._database = database
        self._bounds = bounds

    def initialise(self, owner: str, name: str) -> Table:
        """An empty table; what an earlier one of that name held is gone. Raises TooCostly over the limit."""
        with self._database.write() as connection:
            row = _row(connection, owner, name)
            if row is not None:
                number, version, _ = row
                connection.execute("DELETE FROM closure_member WHERE closure = ?", (number,))
                connection.execute("DELETE FROM closure_entry WHERE closure = ?", (number,))
                connection.execute("UPDATE closure SET floor = version WHERE number = ?", (number,))
                return Table(version, version, ())
            count = connection.execute("SELECT count(*) FROM closure WHERE owner = ?", (owner,)).fetchone()[0]
            limit = self._bounds.closure_tables
            if count >= limit:
                raise TooCostly(issue("OWN_TOO_MANY", "closure tables", limit, "closure_tables", at="name"))
            connection.execute("INSERT INTO closure (owner, name, version, floor) VALUES (?, ?, 0, 0)", (owner, name))
            return Table(0, 0, ())

    def table(self, owner: str, name: str) -> Table | None:
        """The table as it is; None where it was never initialised."""
        with self._database.read() as connection:
            row = _row(connection, owner, name)
            return None if row is None else _table(connection, *row)

    def extend(
        self, owner: str, name: str, seen: Table, members: Sequence[Member], entries: Sequence[Entry]
    ) -> Table | None:
        """The next version of the table; None where it is no more as it was ``seen``. Raises TooCostly."""
        if len(seen.members) + len(members) > self._bounds.closure_limit:
            limit = self._bounds.closure_limit
            raise TooCostly(issue("OWN_TOO_MANY", f"concepts of {name}", limit, "closure_limit", at="concept"))
        if seen.entries + len(entries) > ENTRIES * self._bounds.closure_limit:
            limit = ENTRIES * self._bounds.closure_limit
            raise TooCostly(issue("OWN_TOO_MANY", f"relations of {name}", limit, "closure_limit", at="concept"))
        with self._database.write() as connection:
            row = _row(connection, owner, name)
            if row is None or row[1:] != (seen.version, seen.floor):
                return None
            number, version = row[0], seen.version + 1
            connection.execute("UPDATE closure SET version = ? WHERE number = ?", (version, number))
            connection.executemany(
                "INSERT INTO closure_member (closure, system, code, concept, release, since) VALUES (?, ?, ?, ?, ?, ?)",
                [(number, m.system, m.code, m.concept, m.release, version) for m in members],
            )
            connection.executemany(
                "INSERT INTO closure_entry (closure, since, system, source, target, relationship)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(number, version, e.system, e.source, e.target, e.relationship) for e in entries],
            )
        return Table(version, seen.floor, (*seen.members, *members), seen.entries + len(entries))

    def since(self, owner: str, name: str, version: int) -> tuple[Table, list[Entry]] | None:
        """The table and what was added to it after a version; None where it was never initialised."""
        with self._database.read() as connection:
            row = _row(connection, owner, name)
            if row is None:
                return None
            rows = connection.execute(
                "SELECT system, source, target, relationship FROM closure_entry"
                " WHERE closure = ? AND since > ? ORDER BY number",
                (row[0], version),
            )
            return _table(connection, *row), [Entry(*each) for each in rows]


def _row(connection: sqlite3.Connection, owner: str, name: str) -> tuple[int, int, int] | None:
    found: tuple[int, int, int] | None = connection.execute(
        "SELECT number, version, floor FROM closure WHERE owner = ? AND name = ?", (owner, name)
    ).fetchone()
    return found


def _table(connection: sqlite3.Connection, number: int, version: int, floor: int) -> Table:
    rows = connection.execute(
        "SELECT system, code, concept, release FROM closure_member WHERE closure = ? ORDER BY since, system, code",
        (number,),
    )
    members = tuple(Member(*row) for row in rows)
    entries = connection.execute("SELECT count(*) FROM closure_entry WHERE closure = ?", (number,)).fetchone()[0]
    return Table(version, floor, members, entries)
