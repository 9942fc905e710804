"""Copies of SQLite files that others read and write meanwhile, and what a copy must be before it is trusted.

A copy is one moment of the database (https://www.sqlite.org/backup.html). It is made in steps, between which writers
have their turn; where they write so often that the copy never ends, it is made in one step, for which they wait.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from terminology.issues import Invalid, Unavailable, issue
from terminology.storage.code_system_file import CodeSystemFile
from terminology.storage.database import APPLICATION, SCHEMA, Database

PAGES = 2_000
"""Pages of a step: about 8 MB, a few milliseconds."""
RESTARTS = 3
PATIENCE = 60.0
"""Seconds to wait for a database that others lock."""
POURING = 15.0
"""The same, for one that is replaced."""
_STORE_TABLES = frozenset(("generation", "resource", "history", "term", "store_version"))
_VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL\s", re.IGNORECASE)


class _Restarted(Exception):
    """Writers made the copy begin again too often."""


def copy(source: Path, target: Path) -> None:
    """A consistent copy of a database into a file of its own. Raises Unavailable and Invalid."""
    with _said(source), closing(_open(source, "rw")) as origin, closing(sqlite3.connect(target)) as made:
        for pages in (PAGES, -1):
            with suppress(_Restarted):
                origin.backup(made, pages=pages, progress=_watch(source, PATIENCE), sleep=0.01)
                return


def pour(source: Path, live: Path) -> None:
    """Puts a copy in the place of a live database, in one transaction: killed at any moment, the old state or the new
    one is there. Processes that have it open go on with the new state. Raises Unavailable and Invalid."""
    with suppress(FileExistsError):
        os.close(os.open(live, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with _said(live), closing(_open(source, "ro")) as origin, closing(_open(live, "rw")) as target:
        target.execute("PRAGMA synchronous=FULL")
        origin.backup(target, pages=-1, progress=_watch(live, POURING), sleep=0.01)


def without_caches(path: Path) -> None:
    """Takes the caches of request resources out of a copy of a state file; closure tables stay."""
    with _said(path), closing(sqlite3.connect(path, isolation_level=None)) as held:
        for statement in ("DELETE FROM cached", "DELETE FROM cache", "VACUUM"):
            held.execute(statement)


def without_jobs(path: Path) -> None:
    """Takes the jobs, which hold patients' records, out of a copy of a resource store."""
    with _said(path), closing(sqlite3.connect(path, isolation_level=None)) as held:
        names = {row[0] for row in held.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        for table in ("job_input", "job_result", "job"):
            if table in names:
                held.execute(f"DELETE FROM {table}")
        held.execute("VACUUM")


def is_state(path: Path) -> None:
    """Raises ValueError for what is no state file of this version, whole and with nothing added."""
    with closing(_checked(path)) as held:
        stamp = tuple(held.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        expected = _private_schema()
        if stamp != (APPLICATION, SCHEMA) or _schema(held) != expected:
            raise ValueError("the state database is of another version")


def is_store(path: Path) -> None:
    """Raises ValueError for what is no SQLite resource store, whole and with tables and indexes only."""
    with closing(_checked(path)) as held:
        if not {name for kind, name, _ in _schema(held) if kind == "table"} >= _STORE_TABLES:
            raise ValueError("the resource store lacks tables")


def is_code_system(path: Path) -> None:
    """Raises ValueError for what is no code-system file of this version, whole."""
    _checked(path, virtual=("search",)).close()
    try:
        file = CodeSystemFile(path)
    except (OSError, TypeError, KeyError) as wrong:
        raise ValueError(str(wrong)) from wrong
    file.close()
    file.records.check()
    file.words.check()


def empty(path: Path) -> bool:
    """True where there is no database, or one that nothing but caches was written to."""
    if not path.is_file() or not path.stat().st_size:
        return True
    with _said(path), closing(_open(path, "ro")) as held:
        names = {row[0] for row in held.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        kept = [name for name in ("closure", "history") if name in names]
        if names and not kept:
            return False
        return not any(held.execute(f"SELECT EXISTS (SELECT 1 FROM {name})").fetchone()[0] for name in kept)


# --- opening ---------------------------------------------------------------------------------------------------


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=1, isolation_level=None)


def _checked(path: Path, virtual: Collection[str] = ()) -> sqlite3.Connection:
    """A connection to a file that may be hostile: nothing of its schema runs, and only tables and indexes may be in it,
    virtual tables only of those names."""
    held = _open(path, "ro")
    try:
        _judge(held, virtual)
    except sqlite3.Error as failed:
        held.close()
        raise ValueError(str(failed)) from failed
    except ValueError:
        held.close()
        raise
    return held


def _judge(held: sqlite3.Connection, virtual: Collection[str]) -> None:
    held.execute("PRAGMA trusted_schema=OFF")
    held.execute("PRAGMA cell_size_check=ON")
    for kind, name, made in _schema(held):
        if kind not in ("table", "index") or (_VIRTUAL.match(made or "") and name not in virtual):
            raise ValueError(f"the database has {name}, which is neither a plain table nor an index")
    if (said := held.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise ValueError(str(said))


def _schema(held: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    return set(held.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'").fetchall())


def _private_schema() -> set[tuple[str, str, str | None]]:
    fresh = Database()
    try:
        with fresh.read() as connection:
            return _schema(connection)
    finally:
        fresh.close()


def _watch(path: Path, patience: float) -> Callable[[int, int, int], None]:
    """Called after each step: ends a copy that begins again and again, or that waits too long."""
    last, restarts, moved = 0, 0, time.monotonic()

    def told(_: int, remaining: int, _total: int) -> None:
        nonlocal last, restarts, moved
        now = time.monotonic()
        if remaining < last:
            moved = now
        elif last and remaining > last:
            restarts += 1
            if restarts > RESTARTS:
                raise _Restarted
        last = remaining
        if now - moved > patience:
            raise Unavailable(issue("OWN_COPY_BUSY", path))

    return told


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as failed:
        raise Invalid(issue("OWN_COPY_UNREADABLE", path, failed)) from failed
