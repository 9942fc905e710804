"""The first pass over a table: its distinct codings, each with the number of its rows and their first and last day.

It asks no judge, so it may be made ahead in a thread, while the judge is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, timedelta
from functools import cached_property
from types import TracebackType
from typing import Any, Literal

from terminology.bulk.duck import Resources, duck
from terminology.bulk.sources import Source
from terminology.bulk.tables import KEY, Bytes, Columns, Table, opened
from terminology.frozen import dataclass

Stage = Literal["reading", "judging", "listing"]
Filled = Callable[[Sequence[Any]], tuple[str | None, ...]]
AT_ONCE = 10_000
_LISTED = timedelta(days=36_525)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table is read: its columns, and with what."""

    columns: Columns
    stop: threading.Event
    resources: Resources = Resources()
    progress: Callable[[Stage, float], None] = lambda *_: None


@dataclass(frozen=True, slots=True)
class Coded:
    """A distinct coding of a table: how many rows have it, and on which days."""

    id: int
    values: tuple[str | None, ...]
    count: int = 0
    first: str | None = None
    last: str | None = None
    odd: int = 0
    """How many rows have no full day; ``first`` and ``last`` are of the others."""


class Counted:
    """The codings of a table, in the table ``coded`` of its database."""

    def __init__(self, table: Table, content: Bytes, reading: Reading) -> None:
        self.table, self.duck, self.content, self._reading = table, table.duck, content, reading
        self.dated = "date" in table.fields
        self.distinct = self.total = 0
        self._ends: tuple[date, date] | None = None
        """The first and the last day, where all days are full ones."""

    def count(self) -> None:
        self.table.compare()
        self._ends = self.table.full() if self.dated else None
        key = ", ".join(self.table.key)
        rows, ends = self.table.rows(), "NULL AS first, NULL AS last, 0 AS odd"
        if self.dated:
            ends = "min(whole) AS first, max(whole) AS last, count(*) - count(whole) AS odd"
            if self._ends:
                rows = f"(SELECT {key}, day AS whole FROM {rows})"  # noqa: S608
            else:  # a text is read as a day once, not in every row
                self.days()
                rows += " LEFT JOIN calendar USING (day)"
        self.duck.run(
            f"CREATE TABLE coded AS SELECT row_number() OVER () AS id, * FROM "  # noqa: S608
            f"(SELECT {key}, count(*) AS n, {ends} FROM {rows} GROUP BY {key})",
            progress=lambda done: self._reading.progress("reading", done),
        )
        [[(self.distinct, self.total)]] = self.duck.rows("SELECT count(*), coalesce(sum(n), 0)::BIGINT FROM coded")

    def days(self) -> None:
        """The table ``calendar``: the days as they are written, and as dates where they are full ones. Where the first
        and the last are known, all between are listed: the rows need not be read for them."""
        distinct = f"(SELECT DISTINCT day FROM {self.table.rows()})"  # noqa: S608
        if self._ends and self._ends[1] - self._ends[0] < _LISTED:
            first, last = (f"DATE '{end}'" for end in self._ends)
            each = f"unnest(generate_series({first}, {last}, INTERVAL 1 DAY))"
            distinct = f"(SELECT CAST({each} AS DATE) AS day UNION ALL SELECT NULL)"
        self.duck.run(
            f"CREATE TABLE IF NOT EXISTS calendar AS "  # noqa: S608
            f"SELECT day, {self.table.whole()} AS whole, 0 AS span FROM {distinct}"
        )

    @cached_property
    def filled(self) -> Filled:
        """What makes the values of a row of ``coded`` those of a coding."""
        return _filled(self.table.key, {**self._reading.columns.constant, **self.table.same})

    def codings(self, joined: str = "") -> Iterator[list[Coded]]:
        cells = ", ".join((*self.table.key, "n", "CAST(first AS VARCHAR)", "CAST(last AS VARCHAR)", "odd"))
        for some in self.duck.rows(f"SELECT id, {cells} FROM coded{joined}", most=AT_ONCE):  # noqa: S608
            yield [Coded(row[0], self.filled(row[1:-4]), *row[-4:]) for row in some]


def _filled(key: Sequence[str], same: Mapping[str, str | None]) -> Filled:
    """What makes the values of ``key`` those of ``KEY``: the rest are ``same`` in all rows. An empty text is none."""
    places = [key.index(each) if each in key else len(key) + place for place, each in enumerate(KEY)]
    rest = tuple(same.get(each) for each in KEY)

    def filled(values: Sequence[Any]) -> tuple[str | None, ...]:
        held = (*values, *rest)
        return tuple([held[place] or None for place in places])

    return filled


def written(day: Any) -> str | None:
    """A DATE or a text as FHIR writes it; an empty text is none."""
    return str(day) or None if day is not None else None


@contextmanager
def counted(source: Source, reading: Reading) -> Iterator[Counted | None]:
    """The codings of a table, as long as the block lasts; None where the table has not even a header. Raises
    StoppedError, and Refusal for a table that cannot be read, or does not have the columns."""
    with duck(source.name, source.path, reading.resources, reading.stop) as held, Bytes(source, held.folder) as content:
        table = opened(held, source, content, reading.columns)
        made = Counted(table, content, reading) if table else None
        if made:
            made.count()
        yield made


class Ahead:
    """The same, begun in a thread at once. What goes wrong there is raised where the block begins."""

    def __init__(self, source: Source, reading: Reading) -> None:
        with suppress(ImportError):  # two threads that import at the same time wait for each other
            import duckdb  # noqa: F401, PLC0415
        self.source, self.reading = source, reading
        self._held, self._thread = ExitStack(), ThreadPoolExecutor(1)
        self._made = self._thread.submit(self._held.enter_context, counted(source, reading))
        self._thread.shutdown(wait=False)

    def leave(self) -> None:
        """Waits for its end where nobody wants it."""
        with suppress(Exception):
            self._made.result()
        self._held.close()

    def __enter__(self) -> Counted | None:
        return self._made.result()

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._held.__exit__(kind, wrong, trace)
