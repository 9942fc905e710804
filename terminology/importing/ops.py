"""OPS from the metadata files of BfArM, fields parted by ``;``: ``ops2026syst_kodes.txt``, ``…gruppen``, ``…kapitel``.

What the fields hold is told by their content, not by their number: a code looks like ``5-410.00``, the title follows
the last field that holds a code. The hierarchy is chapter, group, then the codes by their beginnings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from terminology.importing import periods
from terminology.importing.archives import File
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.order_file import year_of
from terminology.importing.tables import lines
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Property, PropertyDefinition

URL = "http://fhir.de/CodeSystem/bfarm/ops"
LICENCE = (
    "Herausgegeben vom Bundesinstitut für Arzneimittel und Medizinprodukte (BfArM); "
    "es gelten die Downloadbedingungen des BfArM"
)
_CODE = re.compile(r"[1-9]-\d[0-9a-z]{1,2}(\.[0-9a-z]{1,2})?")
_START = re.compile(r"[1-9]-\d[0-9a-z]{1,2}")


def read(source: Source) -> Iterator[Loaded]:
    """The release in a folder or archive; its version is the year in the names."""
    version = source.option("version") or year_of(source.path.name) or _named(source)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="OPS",
        title="Operationen- und Prozedurenschlüssel (OPS)",
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a",
        subsumption="known",
        language="de",
        properties=(PropertyDefinition("kind", "code"), PropertyDefinition("terminal", "boolean")),
    )
    yield Loaded(info, partial(_concepts, source), source.path.name, LICENCE)


def _named(source: Source) -> str | None:
    for file in source.files(partial(_is, "kodes")):
        return year_of(file.short)
    return None


def _is(part: str, name: str) -> bool:
    short = name.rpartition("/")[2].lower()
    return short.startswith("ops") and short.endswith(f"{part}.txt")


def _fields(source: Source, part: str) -> Iterator[tuple[str, list[str]]]:
    for file in source.files(partial(_is, part)):
        if not _is(part, file.name):
            continue
        for number, line in enumerate(_decoded(file), 1):
            if line.strip():
                yield f"{file.name} line {number}", [cell.strip() for cell in line.split(";")]


def _decoded(file: File) -> Iterator[str]:
    return lines(file, "utf-8")


def _concepts(source: Source) -> Iterator[Concept]:
    chapters = set()
    for place, cells in _fields(source, "kapitel"):
        if len(cells) < 2 or not re.fullmatch(r"[1-9]", cells[0]):
            source.refuse(place, "OWN_ROW_LAYOUT")
            continue
        chapters.add(cells[0])
        yield _concept(cells[0], cells[1], "chapter", None)
    groups: list[tuple[str, str]] = []
    for place, cells in _fields(source, "gruppen"):
        starts = [cell for cell in cells if _START.fullmatch(cell)]
        if len(starts) < 2:
            source.refuse(place, "OWN_ROW_LAYOUT")
            continue
        code = f"{starts[0]}...{starts[1]}"
        groups.append((starts[0], starts[1]))
        yield _concept(code, cells[-1], "group", starts[0][0] if starts[0][0] in chapters else None)
    yield from _codes(source, groups)


def _codes(source: Source, groups: Sequence[tuple[str, str]]) -> Iterator[Concept]:
    """A code stands below the longest code before it that it begins with, else below its group."""
    path: list[str] = []
    for place, cells in _fields(source, "kodes"):
        held = [number for number, cell in enumerate(cells) if _CODE.fullmatch(cell)]
        longest = max((cells[number] for number in held), key=len, default="")
        title = next((cell for cell in cells[held[-1] + 1 :] if " " in cell or len(cell) > 8), "") if held else ""
        if not longest or not title:
            source.refuse(place, "OWN_ROW_LAYOUT")
            continue
        while path and not longest.startswith(path[-1]):
            path.pop()
        above = path[-1] if path else _group(longest, groups)
        yield _concept(longest, title, "code", above, terminal="T" in cells[:3])
        path.append(longest)


def _group(code: str, groups: Sequence[tuple[str, str]]) -> str | None:
    around = (
        f"{first}...{last}" for first, last in groups if first <= code[: len(first)] and code[: len(last)] <= last
    )
    return next(around, None)


def _concept(code: str, title: str, kind: str, parent: str | None, *, terminal: bool = False) -> Concept:
    return Concept(
        code=code,
        display=title,
        parents=(parent,) if parent else (),
        properties=(Property("kind", "Code", kind), Property("terminal", "Boolean", terminal)),
        abstract=kind != "code",
    )


OPS = Format(
    name="ops",
    summary="OPS: the metadata files of BfArM (opsYEARsyst-meta.zip)",
    read=read,
    options=(Option("version", "The year; without it the year in the names."), *periods.OPTIONS),
    period=periods.calendar_year,
    publisher="https://www.bfarm.de/DE/Kodiersysteme/Klassifikationen/OPS-ICF/OPS/",
)
