"""Code-system files: one loaded (url, version) of a code system, compiled to SQLite, immutable, read-only.

``terminology.storage.code_system_compiler`` writes them; here one is opened. Its name ends in the hash of its content.
Inside, for questions: concepts in the order of the source, parents, the transitive closure (each concept above itself),
the texts of properties and designations, a text index over codes and names, and the sizes of what is large, so that a
first page with its total costs a page. Behind that, in ``code_system_sections``, stand the concepts as records
(``code_system_records``) and the words of the text index (``code_system_words``).
"""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from terminology import patterns
from terminology.frozen import dataclass
from terminology.model import Canonical, CodeSystemInfo, Json, PropertyDefinition
from terminology.storage.code_system_records import SECTIONS as RECORDS
from terminology.storage.code_system_records import Records
from terminology.storage.code_system_sections import Sections
from terminology.storage.code_system_words import Words

FORMAT = 4
SUFFIX = ".codesystem"
COUNTS = 2048
"""So many counts a file keeps, those of search texts above all."""
LARGE = 128 << 20
"""A file of more bytes is mapped by every connection: a page that is not in the cache of a connection then costs no
call of the kernel. Of a smaller one the records alone are mapped, since each mapping counts as memory of the worker."""
DESIGNATION = " designation"
"""Among the texts of properties those of designations stand under this code, which no property can have."""
SECTIONS = RECORDS + 4
"""Of the records and of the words."""
MAPPED = 1 << 30
"""So many bytes of it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file holds and where it came from. ``refused`` counts the rows of the source that were left out."""

    url: str
    version: str | None
    content: str
    concepts: int
    designations: int
    properties: int
    hash: str
    source: str = ""
    licence: str = ""
    refused: int = 0


def dump_info(info: CodeSystemInfo) -> str:
    """CodeSystemInfo as JSON."""
    held = asdict(info)
    held["labels"] = sorted(info.labels)
    return json.dumps(held, sort_keys=True)


def load_info(text: str) -> CodeSystemInfo:
    """CodeSystemInfo from ``dump_info``; unknown members of a newer format are ignored."""
    held: Json = json.loads(text)
    known = {field.name for field in fields(CodeSystemInfo)}
    held = {name: value for name, value in held.items() if name in known}
    held["canonical"] = Canonical(**held["canonical"])
    if held.get("supplements"):
        held["supplements"] = Canonical(**held["supplements"])
    held["properties"] = tuple(PropertyDefinition(**entry) for entry in held["properties"])
    held["filters"] = tuple((code, tuple(ops)) for code, ops in held["filters"])
    held["labels"] = frozenset(held["labels"])
    return CodeSystemInfo(**held)


class CodeSystemFile:
    """An open file, of which nothing is ever written; its connections are closed with its last reader.

    Concepts are read out of ``records``. A question takes the connection that was used last, since its cache is warm;
    there are as many as were ever used at once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: list[sqlite3.Connection] = []
        self._counts: dict[tuple[str, tuple[Any, ...]], int] = {}
        self._end = weakref.finalize(self, _close, self._idle)
        _FILES.add(self)
        try:
            meta = json.loads((self.row("SELECT json_group_object(name, value) FROM meta") or ("{}",))[0])
        except sqlite3.Error as failed:
            raise OSError(f"{path} cannot be read: {failed}") from failed
        if meta.get("format") != str(FORMAT):
            raise ValueError(f"{path} is of the format {meta.get('format')}, not {FORMAT}. Import its source again")
        self.info = load_info(meta["info"])
        sections = Sections(path, SECTIONS)
        self.records = Records(sections, None if self.info.case_sensitive else str.casefold)
        self.words = Words(sections, RECORDS, self.records.size)
        self.manifest = Manifest(**json.loads(meta["manifest"]))

    def row(self, sql: str, arguments: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query."""
        connection = self._taken()
        try:
            found: tuple[Any, ...] | None = connection.execute(sql, arguments).fetchone()
        finally:
            self._idle.append(connection)
        return found

    def rows(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, read at once."""
        connection = self._taken()
        try:
            return connection.execute(sql, arguments).fetchall()
        finally:
            self._idle.append(connection)

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for rows that are read one after the other, or for several queries."""
        connection = self._taken()
        try:
            yield connection
        finally:
            if self._end.alive:
                self._idle.append(connection)
            else:  # the collector of garbage came to the file before it came to its reader
                connection.close()

    def counted(self, sql: str, arguments: tuple[Any, ...]) -> int:
        """The one number that a query gives, kept: the words of a language are few, and common ones take milliseconds
        to count."""
        known = self._counts.get((sql, arguments))
        if known is None:
            if len(self._counts) >= COUNTS:
                self._counts.clear()
            [(known,)] = self.rows(sql, arguments)
            self._counts[sql, arguments] = known
        return known

    def close(self) -> None:
        """Closes the connections that nobody uses; the next question opens another."""
        _close(self._idle)

    def _taken(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._opened()

    def _opened(self) -> sqlite3.Connection:
        made = sqlite3.connect(f"file:{self.path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        try:
            made.execute("PRAGMA query_only=1")
            made.create_function("matches", 2, _matches, deterministic=True)
            made.execute("PRAGMA cache_size=-8192")
            if self.path.stat().st_size > LARGE:
                made.execute(f"PRAGMA mmap_size={MAPPED}")
        except sqlite3.Error:
            made.close()
            raise
        return made


_FILES: weakref.WeakSet[CodeSystemFile] = weakref.WeakSet()


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


def _after_fork() -> None:
    """No connection of the parent is used by a child (https://www.sqlite.org/howtocorrupt.html section 2.6)."""
    for each in _FILES:
        each.close()


os.register_at_fork(after_in_child=_after_fork)


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and patterns.fullmatch(pattern, text)
