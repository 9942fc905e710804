"""DuckDB as it is used here: bounded memory, no network, no extension fetched, no file but those of one folder.

The folder is made for one run and removed after it. What is read lies in it as a link under a plain name, so that no
character of a file's name means anything to DuckDB; what does not fit into memory is spilled there.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terminology.frozen import dataclass
from terminology.issues import NotSupported, Unprocessable, issue

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LOOK_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Resources:
    """What DuckDB may use: threads, memory (``2GB``), and the folder under which its own folder is made."""

    threads: int = 2
    memory: str = "2GB"
    folder: Path | None = None


class StoppedError(Exception):
    """A query was ended because the run was stopped."""


class Duck:
    """One connection and its folder."""

    def __init__(self, connection: DuckDBPyConnection, folder: Path, stop: threading.Event) -> None:
        self.connection, self.folder, self._stop = connection, folder, stop

    def link(self, path: Path, name: str) -> Path:
        """The file under a plain name in the folder."""
        link = self.folder / name
        link.symlink_to(path.resolve())
        return link

    def run(self, query: str, values: list[Any] | None = None, progress: Callable[[float], None] | None = None) -> None:
        """Runs a query to its end; raises StoppedError when the run is stopped before."""
        import duckdb  # noqa: PLC0415  an extra

        with ThreadPoolExecutor(1) as thread:  # this one stays awake: it hears signals, and ends what is under way
            running = thread.submit(self.connection.execute, query, values)
            while not wait((running,), _LOOK_EVERY).done:
                if self._stop.is_set():
                    self.connection.interrupt()
                elif progress and (done := self.connection.query_progress()) >= 0:
                    progress(done / 100)
        try:
            running.result()
        except duckdb.InterruptException:
            raise StoppedError from None
        if self._stop.is_set():
            raise StoppedError

    def rows(self, query: str, values: list[Any] | None = None, most: int = 10_000) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, ``most`` at a time, on a cursor of their own."""
        cursor = self.connection.cursor()
        cursor.execute(query, values)
        while held := cursor.fetchmany(most):
            if self._stop.is_set():
                raise StoppedError
            yield held


@contextmanager
def duck(name: str, path: Path | None, resources: Resources, stop: threading.Event) -> Iterator[Duck]:
    """DuckDB for reading the file at ``path``, called ``name``; raises NotSupported where it is not installed."""
    try:
        import duckdb  # noqa: PLC0415  an extra
    except ImportError:
        raise NotSupported(issue("OWN_INPUT_DUCKDB", name)) from None
    folder = Path(tempfile.mkdtemp(prefix="terminology-", dir=resources.folder))
    try:
        with duckdb.connect(":memory:", config=_settings(resources, folder)) as connection:
            connection.execute("SET enable_progress_bar = true")
            connection.execute("SET enable_progress_bar_print = false")
            connection.execute(f"SET allowed_directories = [{literal(f'{folder}/')}]")
            connection.execute(f"SET allowed_paths = [{literal(str(path.resolve())) if path else ''}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield Duck(connection, folder, stop)
    except duckdb.OutOfMemoryException as wrong:
        raise OSError(f"more memory is needed than {resources.memory}: {_first_line(wrong)}") from None
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as wrong:
        raise Unprocessable(issue("OWN_INPUT_TABLE", _first_line(wrong))) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(resources: Resources, folder: Path) -> dict[str, Any]:
    return {
        "threads": resources.threads,
        "memory_limit": resources.memory,
        "temp_directory": str(folder / "spilled"),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }


def _first_line(wrong: Exception) -> str:
    return str(wrong).partition("\n")[0]


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string in SQL."""
    return "'" + text.replace("'", "''") + "'"
