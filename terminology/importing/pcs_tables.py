"""The tables of ICD-10-PCS (XML of CMS): what each of the seven characters of a code means.

A table is known by its first three characters; each of its rows lists the values of the four others that go together.
All tables, some 900 with some ten megabytes of XML, are held while codes are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from terminology.frozen import dataclass
from terminology.importing.format import Source
from terminology.model import Property
from terminology.wire.malformed import Malformed
from terminology.wire.xml_stream import children, local, subtrees, words

ROOT = "ICD10PCS.tabular"
CHARACTERS = 7


@dataclass(frozen=True, slots=True)
class Axis:
    """One character of a code: its place, what it is of, and its values."""

    place: int
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """``axes`` are the first three; a row has the four others. ``definition`` is that of the third one."""

    axes: tuple[Axis, ...]
    definition: str | None
    rows: tuple[tuple[Axis, ...], ...]


Tables = Mapping[str, Table]


def is_tables(name: str) -> bool:
    """``icd10pcs_tables_2026.xml``."""
    short = name.rpartition("/")[2].lower()
    return "pcs" in short and "table" in short and short.endswith(".xml")


def read_tables(source: Source) -> Tables:
    """The tables by their first three characters; raises Invalid where a file of that name is of another kind."""
    found: dict[str, Table] = {}
    texts: dict[str, str] = {}  # some hundred labels, a hundred thousand times
    for file in source.files(is_tables):
        if is_tables(file.name):
            try:
                found |= {
                    key: table for element in _tables(source, file.stream) for key, table in _read(element, texts)
                }
            except Malformed as wrong:
                raise source.unreadable(wrong) from wrong
    return found


def _tables(source: Source, stream: Any) -> Iterator[Any]:
    for element in subtrees(stream, "pcsTable"):
        if local(element) == "pcsTable":
            yield element
        elif local(element) != ROOT:
            raise source.unreadable(f"{ROOT} expected, found {local(element)}")


def _read(element: Any, texts: dict[str, str]) -> Iterator[tuple[str, Table]]:
    axes = _axes(element, texts)
    rows = tuple(_axes(row, texts) for row in children(element, "pcsRow"))
    third = [axis for axis in children(element, "axis") if axis.get("pos") == "3"]
    definition = words(third[0], "definition") if third else ""
    keys = [""]
    for axis in axes:
        keys = [key + character for key in keys for character in axis.labels]
    table = Table(axes, definition or None, rows)
    yield from ((key, table) for key in keys)


def _axes(element: Any, texts: dict[str, str]) -> tuple[Axis, ...]:
    return tuple(
        Axis(
            place=int(axis.get("pos")),
            name=_name(words(axis, "title"), axis.get("pos")),
            labels={
                label.get("code", ""): texts.setdefault(text := words(label), text) for label in children(axis, "label")
            },
        )
        for axis in children(element, "axis")
        if axis.get("pos", "").isdigit()
    )


def _name(title: str, place: str) -> str:
    """The title of an axis as the name of a property: ``Body System / Region`` is ``body-system-region``."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or f"axis-{place}"


def names(tables: Tables) -> tuple[str, ...]:
    """Of all axes, in the order in which they occur."""
    axes = (axis for table in tables.values() for each in (table.axes, *table.rows) for axis in each)
    return tuple(dict.fromkeys(axis.name for axis in axes))


def meanings(tables: Tables, code: str) -> tuple[Property, ...] | None:
    """What each character of a code, or of the header of a table, is and means; None where no table has the code."""
    table = tables.get(code[:3])
    if table is None:
        return None
    axes = table.axes
    if len(code) == CHARACTERS:
        row = next((row for row in table.rows if all(code[axis.place - 1] in axis.labels for axis in row)), None)
        if row is None:
            return None
        axes = (*axes, *row)
    named = tuple(Property(axis.name, "String", axis.labels[code[axis.place - 1]]) for axis in axes)
    return (*named, *(Property(f"character-{axis.place}", "Code", code[axis.place - 1]) for axis in axes))
