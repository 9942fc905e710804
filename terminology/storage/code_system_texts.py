"""What a code-system file knows of texts, made beside the rest: the text index, its words, and what filters by a
property read.

None of it asks for another concept, so it is made in a database of its own, by a process of its own where concepts are
many, and poured into the file at the end. Two processes take two thirds of the time of one.
"""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeAlias

from terminology.storage.code_system_sections import little
from terminology.storage.code_system_words import TOKENIZER, sections
from terminology.storage.filling import Filling

MANY = 200
"""From how many concepts on the number of those below a concept, or with a property, is kept and not counted."""
PIPE = 1 << 20
"""Bytes that may wait on their way (Linux), so that who sends need not wait."""
FEW = 10_000
"""Texts of so many concepts are not worth another process."""
WORDS = 4
"""So many sections the words have."""
_Sent: TypeAlias = tuple[list[Any], list[Any]]

SCHEMA = f"""
CREATE TABLE property_text (
    code TEXT NOT NULL, text TEXT NOT NULL, concept INTEGER NOT NULL, PRIMARY KEY (code, text, concept)) WITHOUT ROWID;
CREATE TABLE with_property (
    code TEXT NOT NULL, text TEXT NOT NULL, concepts INTEGER NOT NULL, PRIMARY KEY (code, text)) WITHOUT ROWID;
CREATE VIRTUAL TABLE search USING fts5 (
    names, content='', columnsize=0, detail='none', tokenize="{TOKENIZER}", prefix='2 3 4');
INSERT INTO search(search, rank) VALUES ('automerge', 0);
"""
_OWN = """
PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;
PRAGMA cache_size=-16384;
CREATE TEMP TABLE stated (code TEXT NOT NULL, text TEXT NOT NULL, concept INTEGER NOT NULL);
"""
_POURED = ("property_text", "with_property", "search_data", "search_idx", "search_config")
"""Tables that are taken over as they are; the last three are those in which FTS5 keeps an index without its texts
(https://www.sqlite.org/fts5.html#fts5_data_structures)."""


class Texts:
    """Takes the texts of concepts in the order of their numbers, into files whose names begin with ``path``."""

    def __init__(self, path: Path, *, aside: bool) -> None:
        """``aside``: another process makes them, if they are more than those of ``FEW`` concepts."""
        self._path = path
        self._made: _Here | _Aside | None = None if aside else _Here(path)
        self._waiting: list[_Sent] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            self._made.close()
        for each in (self._path, *_sections(self._path)):
            each.unlink(missing_ok=True)

    def add(self, names: list[Any], stated: list[Any]) -> None:
        """``names``: number and text, number and text …; ``stated``: property, text and number, and so on."""
        if self._made is not None:
            self._made.add(names, stated)
            return
        self._waiting.append((names, stated))
        if sum(len(each) // 2 for each, _ in self._waiting) > FEW:
            self._begin(_Aside(self._path))

    def end(self) -> None:
        """No more come."""
        (self._made or self._begin(_Here(self._path))).end()

    def pour(self, into: sqlite3.Connection) -> Sequence[Path]:
        """Puts the tables into a database that has ``SCHEMA`` and is in no transaction; gives the sections of words.
        Raises sqlite3.Error where they could not be made."""
        assert self._made
        self._made.wait()
        into.execute("ATTACH ? AS texts", (str(self._path),))
        into.execute("BEGIN")
        for table in _POURED:
            into.execute(f"DELETE FROM main.{table}")
            into.execute(f"INSERT INTO main.{table} SELECT * FROM texts.{table}")
        into.execute("COMMIT")
        into.execute("DETACH texts")
        return _sections(self._path)

    def _begin(self, made: _Here | _Aside) -> _Here | _Aside:
        self._made, waiting = made, self._waiting
        self._waiting = []
        for each in waiting:
            made.add(*each)
        return made


class _Here:
    """Made by this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(_OWN + SCHEMA)
        self._database.execute("BEGIN")
        self._search = Filling(self._database, "search(rowid, names)", 2)
        self._stated = Filling(self._database, "stated", 3)

    def add(self, names: list[Any], stated: list[Any]) -> None:
        self._search.values, self._stated.values = names, stated
        self._search.put()
        self._stated.put()

    def end(self) -> None:
        """Sorts what is stated into the order in which filters read it, and writes the words out."""
        database = self._database
        sorted_ = "SELECT code, text, concept FROM stated ORDER BY 1, 2, 3"
        database.execute(f"INSERT OR IGNORE INTO property_text {sorted_}")
        counted = "SELECT code, text, count(*) FROM property_text GROUP BY 1, 2 HAVING count(*) >= ?"
        database.execute(f"INSERT INTO with_property {counted}", (MANY,))
        database.execute("INSERT INTO search(search) VALUES ('optimize')")
        for path, held in zip(_sections(self._path), sections(database), strict=True):
            path.write_bytes(little(held) if isinstance(held, array) else held)
        database.execute("COMMIT")
        database.close()

    def wait(self) -> None:
        pass

    def close(self) -> None:
        self._database.close()


class _Aside:
    """Made by a process of its own, which is sent everything through a pipe (``main``)."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-c", f"from {__name__} import main; main()", str(path)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(  # noqa: S603  this Python, and a path of ours
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            pipesize=PIPE,
        )

    def add(self, names: list[Any], stated: list[Any]) -> None:
        self._send((names, stated))

    def end(self) -> None:
        self._send(None)

    def _send(self, what: _Sent | None) -> None:
        assert self._process.stdin
        try:
            pickle.dump(what, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            self.wait()
            raise sqlite3.OperationalError("the text index was not made: its process ended too early") from None

    def wait(self) -> None:
        said, wrong = self._process.communicate()
        if self._process.returncode:
            why = said or wrong or f"it ended with {self._process.returncode}".encode()
            raise sqlite3.OperationalError(f"the text index was not made: {why.decode().strip()}")

    def close(self) -> None:
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            pass


def main() -> None:
    """The process that makes texts: takes them from standard input until None, and says what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who sends, and ends this one
    try:
        made = _Here(Path(sys.argv[1]))
        while (sent := pickle.load(sys.stdin.buffer)) is not None:  # noqa: S301  from the process that began this one
            made.add(*sent)
        made.end()
    except EOFError:
        sys.exit(1)  # who sends is gone
    except (sqlite3.Error, OSError) as failed:
        sys.stdout.write(str(failed))
        sys.exit(1)


def _sections(path: Path) -> Sequence[Path]:
    return [path.with_name(f"{path.name}-{number}") for number in range(WORDS)]
