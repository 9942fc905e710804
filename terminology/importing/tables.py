"""Rows of delimited text, one at a time: CSV, TSV, pipes, with or without a header; UTF-8 unless said otherwise."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from terminology.frozen import dataclass
from terminology.importing.archives import File
from terminology.importing.format import Source
from terminology.issues import Invalid, issue

Row = Mapping[str, str]
FIELD = 1 << 20
"""Most characters of one field."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a publisher writes rows. Without ``quotes`` a quotation mark is a character like others; without
    ``columns`` the first row names them."""

    delimiter: str = ","
    quotes: bool = True
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    ends: str = ""
    """What follows the last column of each row (RRF ends with a delimiter)."""


def lines(file: File, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a text file without their ends; a byte order mark is left out, UTF-16 is known by its own."""
    try:
        for line in _text(file, encoding):
            yield line.rstrip("\r\n")
    except UnicodeError as wrong:
        raise Invalid(issue("OWN_IMPORT_UNREADABLE", file.name, f"text ({encoding})", wrong)) from wrong


def rows(source: Source, file: File, dialect: Dialect, needed: Sequence[str] = ()) -> Iterator[tuple[str, Row]]:
    """Place and columns of each row; a row with too few or too many columns is refused. Raises Invalid where a needed
    column is missing or the text cannot be decoded."""
    csv.field_size_limit(FIELD)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE
    reader = csv.reader(
        _text(file, dialect.encoding), delimiter=dialect.delimiter, quoting=quoting, strict=dialect.quotes
    )
    try:
        header = list(dialect.columns) or [name.strip() for name in next(reader, [])]
        for name in needed:
            if name not in header:
                raise Invalid(issue("OWN_IMPORT_COLUMN", file.name, name, ", ".join(header) or "-"))
        width = len(header) + len(dialect.ends)
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if len(row) != width:
                source.refuse(f"{file.name} line {reader.line_num}", "OWN_ROW_COLUMNS", len(row), width)
                continue
            yield f"{file.name} line {reader.line_num}", dict(zip(header, row, strict=False))
    except (UnicodeError, csv.Error) as wrong:
        raise Invalid(
            issue("OWN_IMPORT_UNREADABLE", file.name, source.format, f"line {reader.line_num + 1}: {wrong}")
        ) from wrong


def _text(file: File, encoding: str) -> io.TextIOWrapper:
    start = file.stream.peek(4)[:4] if isinstance(file.stream, io.BufferedReader) else b""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif encoding == "utf-8":
        encoding = "utf-8-sig"
    return io.TextIOWrapper(file.stream, encoding=encoding, newline="")
