"""The number of the last change of a SQLite store, read on every request: plain sqlite3, no SQLAlchemy."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from terminology.issues import Unavailable, issue

BUSY = 5.0


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
    """The file at ``path``. One connection per thread, never carried over a fork."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.inode: int | None = None
        """Which file it was when last looked: another one after a restore."""
        self._local = threading.local()
        self._connections: WeakSet[_Connection] = WeakSet()

    def generation(self) -> int:
        """0 where there is no store, or one that nothing was written to. Raises Unavailable."""
        held: _Connection | None = getattr(self._local, "held", None)
        try:
            inode = self.inode = os.stat(self._path).st_ino  # noqa: PTH116  a third of the cost
        except OSError:
            return 0
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
