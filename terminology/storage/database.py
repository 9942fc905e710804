"""One SQLite file, shared by the worker processes of a service: connections, transactions, schema.

One connection per file and thread, never carried over a fork. Journal mode DELETE: SQLite 3.7.0 to 3.51.2 can damage
a file in WAL mode that several processes write (https://www.sqlite.org/wal.html#walresetbug). A commit that returned
is on the disk (``synchronous=FULL``).
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from terminology.issues import Unavailable, issue

log = logging.getLogger(__name__)

BUSY = 5.0
"""Seconds to wait for another writer."""
APPLICATION = 0x46545831
SCHEMA = 1
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_TABLES = """
CREATE TABLE cache (
    number INTEGER PRIMARY KEY, owner TEXT NOT NULL, fhir TEXT NOT NULL, identity TEXT NOT NULL,
    issued INTEGER NOT NULL, sealed INTEGER NOT NULL, used REAL NOT NULL, bytes INTEGER NOT NULL,
    content BLOB NOT NULL, UNIQUE (owner, fhir, identity));
CREATE TABLE cached (
    number INTEGER PRIMARY KEY, cache INTEGER NOT NULL REFERENCES cache ON DELETE CASCADE,
    key TEXT NOT NULL, digest BLOB NOT NULL, text BLOB NOT NULL, UNIQUE (cache, key));
CREATE TABLE closure (
    number INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL,
    version INTEGER NOT NULL, floor INTEGER NOT NULL, UNIQUE (owner, name));
CREATE TABLE closure_member (
    closure INTEGER NOT NULL REFERENCES closure ON DELETE CASCADE, system TEXT NOT NULL, code TEXT NOT NULL,
    concept TEXT NOT NULL, release TEXT, since INTEGER NOT NULL, PRIMARY KEY (closure, system, code)) WITHOUT ROWID;
CREATE TABLE closure_entry (
    number INTEGER PRIMARY KEY, closure INTEGER NOT NULL REFERENCES closure ON DELETE CASCADE,
    since INTEGER NOT NULL, system TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
    relationship TEXT NOT NULL);
CREATE INDEX closure_entry_since ON closure_entry (closure, since);
"""


class NotOursError(Exception):
    """The state file is another program's, or of a later version of this one; the sentence says what to do."""


@contextmanager
def temporary() -> Iterator[str]:
    """The path of a state file in a folder that only this user reads; both are gone when the block ends."""
    folder = tempfile.mkdtemp(prefix="terminology-state-")
    try:
        yield str(Path(folder, "state.sqlite"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Connection:
    """A connection that is closed when its thread ends."""

    __slots__ = ("__weakref__", "process", "raw")

    def __init__(self, path: str) -> None:
        self.process = os.getpid()
        self.raw = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0"):
            self.raw.execute(f"PRAGMA {pragma}")

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Closes it in the process that opened it: an inherited one is not ours to close."""
        if self.process == os.getpid():
            with suppress(AttributeError, sqlite3.Error):
                self.raw.close()


class Database:
    """The file at ``path``, made when it is not there; without a path a private one until the process ends."""

    def __init__(self, path: str | None = None) -> None:
        self._end = None if path else temporary()
        self.path = path or (self._end.__enter__() if self._end else "")
        self._owner = os.getpid()
        self._local = threading.local()
        self._connections: WeakSet[_Connection] = WeakSet()
        if self._end:
            atexit.register(self.close)
        try:
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            if not Path(self.path).is_file():
                raise NotOursError(f"state_path: {self.path} is no file. Name another")
            with self.write() as connection:
                _prepare(connection, self.path)
        except OSError as wrong:
            raise NotOursError(f"state_path: {self.path} cannot be made ({wrong.strerror}). Name another") from wrong
        except sqlite3.DatabaseError as wrong:
            raise NotOursError(f"state_path: {self.path} is no SQLite file. Name another, or remove it") from wrong

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one state. Raises Unavailable where the file cannot be used now."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that alone may write; it is on the disk when the block has ended. Raises Unavailable."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connection()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as failed:
            busy = failed.sqlite_errorcode & 0xFF in _BUSY_CODES
            if not busy:
                log.exception("the state file %s cannot be used", self.path)
            raise Unavailable(issue("OWN_UNAVAILABLE", 1 if busy else 30)) from failed

    def _connection(self) -> sqlite3.Connection:
        held: _Connection | None = getattr(self._local, "held", None)
        if held is None or held.process != os.getpid():
            held = self._local.held = _Connection(self.path)
            self._connections.add(held)
        return held.raw

    def close(self) -> None:
        """Ends the connections of this process, and a private file in the process that made it."""
        for connection in list(self._connections):
            connection.close()
        self._local = threading.local()
        if self._end and self._owner == os.getpid():
            atexit.unregister(self.close)
            end, self._end = self._end, None
            end.__exit__(None, None, None)


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if (application, schema) == (APPLICATION, SCHEMA):
        return
    if application or schema or tables:
        raise NotOursError(f"state_path: {path} is no state file of this version. Name another file, or remove it")
    for statement in _TABLES.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION}")
    connection.execute(f"PRAGMA user_version={SCHEMA}")
