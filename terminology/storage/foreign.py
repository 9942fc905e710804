"""SQLite files that others made: rows of them, read only, nothing of theirs trusted to run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

MAGIC = b"SQLite format 3\x00"
BATCH = 1_000


class NotReadable(Exception):
    """The file is no such database; the text says why."""


def rows(path: Path, query: str) -> Iterator[tuple[Any, ...]]:
    """What a query of ours answers; raises NotReadable for a file that is no SQLite database or of another shape."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as opened:
            opened.execute("PRAGMA trusted_schema = OFF")
            cursor = opened.execute(query)
            while found := cursor.fetchmany(BATCH):
                yield from found
    except sqlite3.Error as failed:
        raise NotReadable(failed) from failed
