"""The number of the last change of a SQLite store, read on every request: plain sqlite3, no SQLAlchemy.

A file that was left alone for ``SETTLED`` before it was read is not read again before the kernel says that somebody
wrote to it: that costs 2 µs instead of 10. The time looked at is that of the last change of the inode, which no program
can set; two writes within one tick of the clock cannot be told apart by it, so one that is younger is always read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from terminology.issues import Unavailable, issue

BUSY = 5.0
SETTLED = 3_000_000_000
"""Nanoseconds; the coarsest file systems in use tell two seconds apart."""

Mark = tuple[int, int, int, int]


class _Connection:
    """A read-only connection that is closed when its thread ends."""

    __slots__ = ("__weakref__", "inode", "process", "raw")

    def __init__(self, path: str, inode: int) -> None:
        self.process = os.getpid()
        self.inode = inode
        uri = f"{Path(path).absolute().as_uri()}?mode=ro"
        self.raw = sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        if self.process == os.getpid():
            with suppress(AttributeError, sqlite3.Error):
                self.raw.close()


class FileWatch:
    """The file at ``path``. One connection per thread, never carried over a fork. Where there is none, it is looked for
    again after ``patience`` seconds."""

    def __init__(self, path: str, patience: float = 0.0) -> None:
        self._path = path
        self._patience = patience
        self._next = 0.0
        self.inode: int | None = None
        """Which file it was when last looked: another one after a restore."""
        self._wal = f"{path}-wal"
        self._local = threading.local()
        self._connections: WeakSet[_Connection] = WeakSet()
        self._known: tuple[Mark, int] | None = None

    def generation(self) -> int:
        """0 where there is no store, or one that nothing was written to. Raises Unavailable."""
        if self._next and time.monotonic() < self._next:
            return 0
        mark, settled = self._mark()
        if mark is None:
            self._next = time.monotonic() + self._patience
            return 0
        known = self._known
        if known is not None and known[0] == mark:
            return known[1]
        number = self._read(mark[0])
        self._known = (mark, number) if settled else None
        return number

    def _mark(self) -> tuple[Mark | None, bool]:
        """What the kernel knows about the file and its write-ahead log, and whether it is old enough to be believed."""
        if not os.access(self._path, os.F_OK):  # a third of the cost of an exception
            return None, False
        try:
            held = os.stat(self._path)  # noqa: PTH116  a third of the cost
            log = os.stat(self._wal).st_ctime_ns if os.access(self._wal, os.F_OK) else 0  # noqa: PTH116
        except OSError:
            return None, False
        self.inode = held.st_ino
        settled = time.time_ns() - max(held.st_ctime_ns, log) > SETTLED
        return (held.st_ino, held.st_ctime_ns, held.st_size, log), settled

    def _read(self, inode: int) -> int:
        held: _Connection | None = getattr(self._local, "held", None)
        try:
            if held is None or held.process != os.getpid() or held.inode != inode:
                held = self._local.held = _Connection(self._path, inode)
                self._connections.add(held)
            row = held.raw.execute("SELECT value FROM generation").fetchone()
        except sqlite3.Error as failed:
            if "no such table" in str(failed):
                return 0
            raise Unavailable(issue("OWN_UNAVAILABLE", 1)) from failed
        return int(row[0]) if row else 0

    def close(self) -> None:
        for connection in list(self._connections):
            connection.close()
        self._local = threading.local()
