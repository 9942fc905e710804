"""The resource store: what clients create and change, every version of it, in SQLite or PostgreSQL.

Every change takes the next ``generation`` number, and takes it first: the row of that number is the lock that makes
writers wait for each other, so numbers and instants rise in the order in which changes become visible. Nothing here
leans on a SERIALIZABLE database: versions are compared under that lock, and unique keys stand behind it. A change is
on the disk when ``write`` has ended.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, delete, event, func, insert, select, tuple_, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from terminology.issues import Unavailable, issue
from terminology.storage.records import CanonicalTaken, Head, StoreError, Terms, Version
from terminology.storage.tables import GENERATION, HISTORY, RESOURCE, TERM

log = logging.getLogger(__name__)

HEAD = "0002"
"""The newest migration."""
BUSY = 5.0
"""Seconds to wait for another writer of a SQLite file."""
LOCK = 0x46545853
"""PostgreSQL's advisory lock of those who migrate."""
_POSTGRESQL = "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
_LONGEST = 400
_VERSION = (
    HISTORY.c.type,
    HISTORY.c.id,
    HISTORY.c.number,
    HISTORY.c.generation,
    HISTORY.c.method,
    HISTORY.c.instant,
    HISTORY.c.fhir,
    HISTORY.c.text,
)
_CURRENT = (
    select(*_VERSION)
    .select_from(RESOURCE)
    .join(
        HISTORY,
        (HISTORY.c.type == RESOURCE.c.type) & (HISTORY.c.id == RESOURCE.c.id) & (HISTORY.c.number == RESOURCE.c.number),
    )
)


class Store:
    """The store at a database url. Opening it brings its tables up to date; raises StoreError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._engine: tuple[int, Engine] | None = None
        try:
            self._migrate()
        except StoreError:
            self.close()
            raise
        except (SQLAlchemyError, OSError) as wrong:
            self.close()
            raise StoreError(f"store: {shown(url)} cannot be used: {_first_line(wrong)}") from wrong

    # --- connections -----------------------------------------------------------------------------------------

    def _opened(self) -> Engine:
        """The engine of this process: connections never cross a fork."""
        with self._lock:
            if self._engine is None or self._engine[0] != os.getpid():
                self._engine = os.getpid(), _engine(self._url)
                weakref.finalize(self, _ended, os.getpid(), self._engine[1].dispose)
            return self._engine[1]

    def bare(self) -> Any:
        """A connection of the database's own library, in autocommit, for who reads one number a thousand times a
        second. Raises what that library raises."""
        held = self._opened().raw_connection()
        held.detach()
        raw: Any = held.dbapi_connection
        raw.rollback()
        if hasattr(raw, "autocommit") and self._opened().dialect.name == "postgresql":
            raw.autocommit = True
        return raw

    def close(self) -> None:
        with self._lock:
            if self._engine is not None and self._engine[0] == os.getpid():
                self._engine[1].dispose()
            self._engine = None

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[Connection]:
        """One transaction; in SQLite one that ``writes`` waits for the other writers first. Raises Unavailable."""
        try:
            with self._opened().connect().execution_options(immediate=writes) as connection, connection.begin():
                yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout) as failed:
            log.warning("the resource store cannot be used: %s", _first_line(failed))
            raise Unavailable(issue("OWN_UNAVAILABLE", 1)) from failed

    def _migrate(self) -> None:
        """Two processes that start at once wait for each other here."""
        with self._opened().connect().execution_options(immediate=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            if (found := _revision(connection)) != HEAD:
                _upgrade(connection, found, self._url)

    # --- reading ---------------------------------------------------------------------------------------------

    def generation(self) -> int:
        """The number of the last change. Raises Unavailable."""
        with self.transaction() as connection:
            return _generation(connection)

    def changed(self, since: int) -> tuple[int, list[Version]]:
        """The number of the last change, and the current version of every resource that changed after ``since``."""
        with self.transaction() as connection:
            number = _generation(connection)
            rows = connection.execute(_CURRENT.where(RESOURCE.c.generation > since).order_by(RESOURCE.c.generation))
            return number, [Version(*row) for row in rows]

    def read(self, kind: str, identity: str) -> Version | None:
        """The current version of a resource, a deleted one too."""
        with self.transaction() as connection:
            return _current(connection, kind, identity)

    def read_all(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Version]:
        """The current versions of those (type, id) that are there."""
        named = list(wanted)
        if not named:
            return {}
        with self.transaction() as connection:
            rows = connection.execute(_CURRENT.where(tuple_(RESOURCE.c.type, RESOURCE.c.id).in_(named)))
            return {(row.type, row.id): Version(*row) for row in rows}

    def version(self, kind: str, identity: str, number: int) -> Version | None:
        with self.transaction() as connection:
            wanted = (HISTORY.c.type == kind, HISTORY.c.id == identity, HISTORY.c.number == number)
            row = connection.execute(select(*_VERSION).where(*wanted)).first()
            return Version(*row) if row else None

    def history(
        self,
        kind: str,
        identity: str | None = None,
        *,
        since: str | None = None,
        before: tuple[int, str] | None = None,
        count: int,
    ) -> tuple[int, list[Version]]:
        """How many versions there are, and the newest ``count`` of them, newest first. ``since``: an instant, that
        included; ``before``: the (generation, id) of the last one that was shown: what is newer was seen."""
        held = [HISTORY.c.type == kind]
        if identity is not None:
            held.append(HISTORY.c.id == identity)
        if since is not None:
            held.append(HISTORY.c.instant >= since)
        asked: Select[Any] = select(*_VERSION).where(*held)
        if before is not None:
            generation, last = before
            older = HISTORY.c.generation < generation
            asked = asked.where(older | ((HISTORY.c.generation == generation) & (HISTORY.c.id > last)))
        asked = asked.order_by(HISTORY.c.generation.desc(), HISTORY.c.id).limit(count)
        with self.transaction() as connection:
            total = connection.execute(select(func.count()).select_from(HISTORY).where(*held)).scalar_one()
            return total, [Version(*row) for row in connection.execute(asked)]

    def having(self, kind: str, name: str, values: Iterable[str]) -> frozenset[str]:
        """The ids of the resources that have one of these values under that term."""
        keys = [key(value) for value in values]
        wanted = (TERM.c.type == kind, TERM.c.name == name, TERM.c.value.in_(keys))
        with self.transaction() as connection:
            return frozenset(connection.execute(select(TERM.c.id).where(*wanted)).scalars())

    # --- writing ---------------------------------------------------------------------------------------------

    @contextmanager
    def write(self) -> Iterator[Writing]:
        """The only writer for as long as the block runs; what it did is on the disk when the block has ended, and is
        undone where it raises. Raises Unavailable, and CanonicalTaken for a url and version that is another's."""
        try:
            with self.transaction(writes=True) as connection:
                yield Writing(connection, *_next(connection))
        except IntegrityError as taken:
            raise CanonicalTaken(_first_line(taken)) from taken


class Writing:
    """One change under way: its number and its instant."""

    def __init__(self, connection: Connection, generation: int, instant: str) -> None:
        self._connection = connection
        self.generation = generation
        self.instant = instant

    def current(self, kind: str, identity: str) -> Version | None:
        return _current(self._connection, kind, identity)

    def owner(self, kind: str, canonical: str) -> str | None:
        """The id of the resource that has a canonical."""
        wanted = (RESOURCE.c.type == kind, RESOURCE.c.canonical == key(canonical))
        return self._connection.execute(select(RESOURCE.c.id).where(*wanted)).scalar()

    def put(self, made: Version, before: Version | None, head: Head, terms: Terms) -> None:
        """Keeps a version that follows ``before``, the current one as this change saw it."""
        row = {
            "number": made.number,
            "generation": made.generation,
            "deleted": int(made.deleted),
            "canonical": key(head.canonical) if head.canonical else None,
            "url": head.url,
            "version": head.version,
            "name": head.name,
            "title": head.title,
            "status": head.status,
            "last_updated": made.instant,
        }
        at = (RESOURCE.c.type == made.kind, RESOURCE.c.id == made.id)
        if before is None:
            self._connection.execute(insert(RESOURCE).values(type=made.kind, id=made.id, **row))
        else:
            done = self._connection.execute(update(RESOURCE).where(*at, RESOURCE.c.number == before.number).values(row))
            if done.rowcount != 1:
                raise Unavailable(issue("OWN_UNAVAILABLE", 1))
        self._connection.execute(
            insert(HISTORY).values(
                type=made.kind,
                id=made.id,
                number=made.number,
                generation=made.generation,
                method=made.method,
                instant=made.instant,
                fhir=made.fhir,
                text=made.text,
            )
        )
        self._connection.execute(delete(TERM).where(TERM.c.type == made.kind, TERM.c.id == made.id))
        if rows := [
            {"type": made.kind, "id": made.id, "name": name, "value": value}
            for name, values in terms.items()
            for value in sorted({key(each) for each in values})
        ]:
            self._connection.execute(insert(TERM), rows)


def key(text: str) -> str:
    """A text as a key of an index: those longer than PostgreSQL's pages allow as a hash."""
    if len(text) <= _LONGEST:
        return text
    import hashlib  # noqa: PLC0415  hardly ever

    return f"{text[: _LONGEST - 70]} {hashlib.blake2b(text.encode(), digest_size=32).hexdigest()}"


def shown(url: str) -> str:
    """A database url without its password."""
    with suppress(ArgumentError):
        return make_url(url).render_as_string(hide_password=True)
    return "the database"


def _generation(connection: Connection) -> int:
    return int(connection.execute(select(GENERATION.c.value)).scalar_one())


def _next(connection: Connection) -> tuple[int, str]:
    """Takes the lock of the writers: the next number, and an instant that is not before the last one."""
    connection.execute(update(GENERATION).values(value=GENERATION.c.value + 1))
    number, last = connection.execute(select(GENERATION.c.value, GENERATION.c.instant)).one()
    instant = max(last, datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    connection.execute(update(GENERATION).values(instant=instant))
    return int(number), instant


def _current(connection: Connection, kind: str, identity: str) -> Version | None:
    row = connection.execute(_CURRENT.where(RESOURCE.c.type == kind, RESOURCE.c.id == identity)).first()
    return Version(*row) if row else None


# --- opening ---------------------------------------------------------------------------------------------------


def _engine(url: str) -> Engine:
    try:
        made = make_url(url)
    except ArgumentError:
        raise StoreError(
            "store: write a database url: sqlite:////path/to/file or postgresql://user@host/name"
        ) from None
    if made.drivername in ("postgresql", "postgres"):
        made = made.set(drivername="postgresql+psycopg")
    backend = made.get_backend_name()
    if backend == "sqlite":
        return _sqlite(made.database or "", made)
    if backend != "postgresql":
        raise StoreError(f"store: {backend} is not supported. Use sqlite:////path/to/file or postgresql://…")
    try:
        return create_engine(
            made,
            pool_size=8,
            max_overflow=8,
            pool_timeout=2,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": 2, "options": _POSTGRESQL, "application_name": "terminology"},
        )
    except (NoSuchModuleError, ImportError):
        raise StoreError("store: psycopg is missing: pip install 'flask-fhir-terminology[postgresql]'") from None


def _sqlite(path: str, url: Any) -> Engine:
    if not path or path == ":memory:":
        raise StoreError("store: a store in memory would be lost. Write sqlite:////path/to/file")
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    engine = create_engine(url, connect_args={"timeout": BUSY}, pool_size=8, max_overflow=24, hide_parameters=True)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _connected(raw: Any, _: object) -> None:
    """See ``storage.database`` for journal mode DELETE."""
    raw.isolation_level = None
    pragmas = ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON", "mmap_size=0", "cache_spill=OFF")
    for pragma in (*pragmas, "secure_delete=ON"):  # what a job leaves behind are zeros, not its records
        raw.execute(f"PRAGMA {pragma}")


def _begun(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _revision(connection: Connection) -> str | None:
    """The migration that the database is at; None for an empty one."""
    if not connection.dialect.has_table(connection, "store_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM store_version").scalar()
    return found


def _upgrade(connection: Connection, found: str | None, url: str) -> None:
    from alembic import command  # noqa: PLC0415  only a store that is not up to date pays for it
    from alembic.config import Config  # noqa: PLC0415

    if found is not None and found > HEAD:
        raise StoreError(f"store: {shown(url)} was made by a later version of this program. Install that one")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _ended(owner: int, close: Callable[[], None]) -> None:
    """Closes what nobody holds any more, in the process that opened it."""
    if owner == os.getpid():
        with suppress(Exception):
            close()


def _first_line(failed: BaseException) -> str:
    return str(failed).partition("\n")[0][:300]


# --- the number of the last change, read on every request ---------------------------------------------------------


class Watch:
    """Reads the number of the last change at the price of one tiny query, on a connection of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held: tuple[int, Any] | None = None

    def generation(self) -> int:
        """Raises Unavailable."""
        with self._lock:
            try:
                if self._held is None or self._held[0] != os.getpid():
                    self._held = os.getpid(), self._store.bare()
                    weakref.finalize(self, _ended, os.getpid(), self._held[1].close)
                return int(self._held[1].execute("SELECT value FROM generation").fetchone()[0])
            except Exception as failed:
                self.close()
                raise Unavailable(issue("OWN_UNAVAILABLE", 1)) from failed

    def close(self) -> None:
        held, self._held = self._held, None
        if held is not None and held[0] == os.getpid():
            with suppress(Exception):
                held[1].close()
