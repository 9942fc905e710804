"""One table as DuckDB sees it: its rows under our names and with their numbers, whatever kind of file it is.

Text is read once, every cell as text, and the named columns are kept as Parquet in the folder of the run; lines that
are no row of it are told apart and the others read. A packed file, or standard input, is unpacked there first, under
the limits of ``sources``.
"""

from __future__ import annotations

import csv
import hashlib
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Self

from terminology import dates
from terminology.bulk import columns, days
from terminology.bulk.duck import Duck, literal, quoted
from terminology.bulk.report import Place
from terminology.bulk.resources import UNREADABLE
from terminology.bulk.sources import BLOCK, LIMITS, Opened, Source, marked
from terminology.frozen import dataclass
from terminology.issues import issue
from terminology.procedures.records import Finding

KEY = ("system", "code", "version", "display")
"""What makes a coding, in this order."""

_SEPARATORS = ",;\t|"
_SAID = 200


@dataclass(frozen=True, slots=True)
class Columns:
    """Field → column as the user named them, and the fields that have one value for all rows."""

    named: Mapping[str, str]
    constant: Mapping[str, str]


class Table:
    """Rows that are read from Parquet, the user's own or that of the run."""

    def __init__(
        self, held: Duck, source: Source, file: Path, fields: Mapping[str, str], types: Mapping[str, str]
    ) -> None:
        self.duck, self.source, self.file, self.fields = held, source, file, fields
        self.key = tuple(each for each in KEY if each in fields)
        """The fields of a coding that this table has, but for those of ``same``."""
        self.same: dict[str, str | None] = {}
        """The fields of a coding with one value in all rows, once they are compared."""
        self._types = types
        self._gaps = array("q")

    def compare(self) -> None:
        """Finds the fields that are the same in all rows. Grouping by one column costs a third of grouping by two: then
        the dictionaries of Parquet's pages are grouped, and not the rows."""
        for field in self.key:
            query = f"SELECT DISTINCT {field} FROM {self.rows()} LIMIT 2"  # noqa: S608
            values = [] if field == "code" else [value for some in self.duck.rows(query) for (value,) in some]
            if len(values) == 1:
                self.same[field] = values[0]
        self.key = tuple(each for each in self.key if each not in self.same)

    def full(self) -> tuple[date, date] | None:
        """The first and the last day, where every day is a full one or none at all; only of columns of dates."""
        if self._types[self.fields["date"]] != "DATE":
            return None
        within = f"min(day) >= DATE {literal(dates.FIRST)} AND max(day) <= DATE {literal(dates.LAST)}"
        [[(first, last, full)]] = self.duck.rows(f"SELECT min(day), max(day), {within} FROM {self.rows()}")  # noqa: S608
        return (first, last) if full else None

    @property
    def rejected(self) -> int:
        """How many rows could not be read."""
        return len(self._gaps)

    def rows(self, *, numbered: bool = False) -> str:
        """The rows in SQL: key, day and, where wanted, place in the file."""
        read = f"read_parquet({literal(str(self.file))}{', file_row_number = true' if numbered else ''})"
        cells = [f"{self._cell(each)} AS {each}" for each in self.key]
        if "date" in self.fields:
            cells.append(f"{self._day()} AS day")
        if numbered:
            cells.append("file_row_number AS number")
        return f"(SELECT {', '.join(cells)} FROM {read})"  # noqa: S608  names are quoted, the rest is ours

    def whole(self) -> str:
        """``day`` as a DATE where it is a full day of the calendar and of FHIR's years, in SQL."""
        kind = self._types[self.fields["date"]]
        if kind == "DATE" or kind.startswith("TIMESTAMP"):
            return f"CASE WHEN day BETWEEN DATE {literal(dates.FIRST)} AND DATE {literal(dates.LAST)} THEN day END"
        inside = f"regexp_full_match(day, {literal(days.FULL)}) AND day >= {literal(dates.FIRST)}"
        return f"CASE WHEN {inside} THEN TRY_CAST(day AS DATE) END"

    def number(self, place: int) -> int:
        """The number of a row by its place among those that could be read."""
        return place + 1 + bisect_right(self._gaps, place + 1)

    def flaws(self) -> Iterator[tuple[Place, Finding]]:
        """The rows that could not be read, in order. What is asked later knows their numbers."""
        if self.source.kind == "parquet":
            return
        for some in self.duck.rows("SELECT number, said FROM rejected ORDER BY number"):
            for number, said in some:
                self._gaps.append(number - len(self._gaps))
                yield (
                    Place(self.source.name, "row", number),
                    Finding(UNREADABLE, issue("OWN_INPUT_ROW", " ".join(said.split())[:_SAID])),
                )

    def _cell(self, field: str) -> str:
        column = quoted(self.fields[field])
        return column if self._types[self.fields[field]] == "VARCHAR" else f"CAST({column} AS VARCHAR)"

    def _day(self) -> str:
        """A day as a DATE where the column has such, else as text without the time of day."""
        column, kind = quoted(self.fields["date"]), self._types[self.fields["date"]]
        if kind == "DATE":
            return column
        if kind.startswith("TIMESTAMP"):
            return f"CAST(make_timestamp(epoch_us({column})) AS DATE)"
        text = self._cell("date")
        timed = f"length({text}) > 10 AND substr({text}, 11, 1) IN ('T', ' ')"
        return f"CASE WHEN {timed} THEN substr({text}, 1, 10) ELSE {text} END"


def opened(held: Duck, source: Source, content: Bytes, wanted: Columns) -> Table | None:
    """The table of a source; None where it has not even a header. Raises NotFound where a column is not there."""
    if source.kind == "parquet":
        file = content.file
        read = f"DESCRIBE SELECT * FROM read_parquet({literal(str(file))})"  # noqa: S608
        types = {name: kind for some in held.rows(read) for name, kind, *_ in some}
        return Table(
            held, source, file, columns.mapping(source.name, list(types), wanted.named, wanted.constant), types
        )
    header, separator = _header(content.file, source)
    if not header:
        return None
    names = _distinct(header)
    mapped = columns.mapping(source.name, header, wanted.named, wanted.constant)
    fields = {field: names[header.index(column)] for field, column in mapped.items()}
    file = _as_parquet(held, content.file, names, separator, sorted(set(fields.values())))
    return Table(held, source, file, fields, dict.fromkeys(names, "VARCHAR"))


def _header(file: Path, source: Source) -> tuple[list[str], str]:
    """The names of the columns, and what separates them."""
    with file.open("rb") as read:
        begun = read.read(BLOCK).decode("utf-8-sig", errors="replace")
    text = begun.replace("\0", "").splitlines(keepends=True)
    tried = {each: next(csv.reader(text, delimiter=each), []) for each in _SEPARATORS}
    separator = "\t" if source.kind == "tsv" else max(_SEPARATORS, key=lambda each: len(tried[each]))
    return tried[separator], separator


def _distinct(names: list[str]) -> list[str]:
    """Names of which none stands twice, whatever its case, as DuckDB wants them: the first one keeps its name."""
    found: dict[str, str] = {}
    for place, name in enumerate(names, 1):
        free = name or f"_{place}"
        while free.lower() in found:
            free = f"{free}_{place}"
        found[free.lower()] = free
    return list(found.values())


def _as_parquet(held: Duck, file: Path, header: list[str], separator: str, wanted: list[str]) -> Path:
    kept = held.folder / "rows.parquet"
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header)
    cells = ", ".join(quoted(name) for name in wanted)
    read = (
        f"read_csv({literal(str(file))}, auto_detect = false, header = true, delim = {literal(separator)}, "
        f"quote = '\"', escape = '\"', columns = {{{types}}}, max_line_size = {LIMITS.line}, compression = 'none', "
        "store_rejects = true, rejects_limit = 0)"
    )
    held.run(f"COPY (SELECT {cells} FROM {read}) TO {literal(str(kept))} (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
    held.run(
        "CREATE TABLE rejected AS SELECT line - 1 AS number, any_value(error_message) AS said "
        "FROM reject_errors GROUP BY line"
    )
    return kept


class Bytes:
    """The bytes of a source in a file that DuckDB may read, and their hash, which is taken while it reads."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source, self._folder = source, folder
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._hash, daemon=True)
        self._hashed: tuple[int | None, str | None] = (None, None)
        self.file = folder / f"input.{source.kind}"

    def __enter__(self) -> Self:
        """Raises Unprocessable for packed bytes that are broken or a bomb, and OSError."""
        path = self._source.path
        if path is not None and self._source.regular and not self._source.packed:
            with path.open("rb") as read:
                marked(read.read(4))
            self.file.symlink_to(path.resolve())
            self._thread.start()
        else:
            opened = Opened(self._source, LIMITS)
            with self.file.open("wb") as kept:
                for block in opened.blocks():
                    kept.write(block)
            self._hashed = (opened.size, opened.digest)
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()

    def read(self) -> tuple[int | None, str | None]:
        """Size and hash of the source's own bytes, once all was read."""
        if self._thread.ident:
            self._thread.join()
        return self._hashed

    def _hash(self) -> None:
        digest, size = hashlib.sha256(), 0
        try:
            with self.file.open("rb") as read:
                while not self._enough.is_set() and (block := read.read(BLOCK)):
                    digest.update(block)
                    size += len(block)
        except OSError:
            return
        if not self._enough.is_set():
            self._hashed = (size, digest.hexdigest())
