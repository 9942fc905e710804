"""CPT from the licensee's own AMA files: the consolidated code list, or ``LONGULT``, ``MEDU`` and ``SHORTU``; beside
them the clinician and the consumer descriptors, where the licensee has them.

Nothing of CPT is part of this software. The code system carries the AMA's notice and a security label, and an expansion
of it lists no more than ``CAP`` codes. The files begin with text of the licence: what has no layout of a row before the
first row is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import dropwhile

from terminology.importing import periods
from terminology.importing.archives import File
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.order_file import year_of
from terminology.importing.tables import lines
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition
from terminology.storage.aside import Aside

URL = "http://www.ama-assn.org/go/cpt"
CAP = 1_000
LABEL = "AMA-CPT"
_CODE = re.compile(r"\d{4}[0-9A-Z]")
_MODIFIER = re.compile(r"[0-9A-Z]{2}|P[1-6]")
_ROW = re.compile(r"(?P<code>\d{4}[0-9A-Z])(?:\t+| +)(?P<text>\S.*)")
_PLAIN = {"LONGULT": "long", "LONGUT": "long", "LONGULF": "long", "MEDU": "medium", "SHORTU": "short"}
_HEADER = "Concept Id\t"
_NAMES = ("Long", "Medium", "Short", "Consumer", "Spanish Consumer")
_FURTHER = {
    "CLINICIANDESCRIPTOR": ("Clinician Descriptor", "Clinician descriptor"),
    "CONSUMERDESCRIPTOR": ("Consumer Friendly Descriptor", "Consumer descriptor"),
}
"""Files with one more name a row: its column, and what use it is of."""
_CATEGORY = {"F": "II", "T": "III", "U": "PLA", "M": "MAAA", "A": "administrative"}


def read(source: Source) -> Iterator[Loaded]:
    """The release in a folder, archive or file of the licensee."""
    version = source.option("version") or year_of(source.path.name)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    notice = (
        f"CPT © {version} American Medical Association. All rights reserved. CPT is a registered trademark of the "
        "American Medical Association. Loaded from the licensee's own files; use is subject to the licensee's agreement"
    )
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="CPT",
        title="Current Procedural Terminology (CPT)",
        content="complete",
        status="active",
        copyright=notice,
        language="en",
        compositional=True,
        expansion_cap=CAP,
        labels=frozenset((LABEL,)),
        properties=(
            PropertyDefinition("kind", "code", description="code or modifier"),
            PropertyDefinition("modifier", "boolean"),
            PropertyDefinition("category", "code", description="I, II, III, PLA, MAAA or administrative"),
            PropertyDefinition("descriptor-date", "dateTime", description="Since when the descriptor is in force"),
        ),
    )
    yield Loaded(info, partial(_concepts, source), source.path.name, notice)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0].upper().replace("_", "").replace(" ", "")


def _is_consolidated(name: str) -> bool:
    return "CONSOLIDATEDCODELIST" in _stem(name) and name.lower().endswith(".txt")


def _is_plain(name: str) -> bool:
    return _stem(name) in _PLAIN and name.lower().endswith(".txt")


def _is_further(name: str) -> bool:
    return _stem(name) in _FURTHER and name.lower().endswith(".txt")


def _is_modifiers(name: str) -> bool:
    return _stem(name) == "MODIFIERS" and name.lower().endswith(".txt")


def _concepts(source: Source) -> Iterator[Concept]:
    """Of the consolidated list where there is one, else of the plain files; then the modifiers."""
    aside, listed = Aside(), False
    aside.put(_further(source))
    for file in source.files(_is_consolidated):
        if _is_consolidated(file.name):
            listed = True
            yield from (_named_further(each, aside) for each in _consolidated(source, file))
    if not listed:
        yield from (_named_further(each, aside) for each in _plain(source))
    for file in source.files(_is_modifiers):
        if _is_modifiers(file.name):
            yield from _modifiers(file)


def _further(source: Source) -> Iterator[tuple[str, ...]]:
    """Code, use and text of each further descriptor; a code has several of a clinician."""
    for file in source.files(_is_further):
        if not _is_further(file.name):
            return
        column, use = _FURTHER[_stem(file.name)]
        for place, row in _table(source, file, column):
            code, text = row["CPT Code"].strip(), row[column].strip()
            if _CODE.fullmatch(code) and text:
                yield "further", code, use, text
            else:
                source.refuse(place, "OWN_ROW_LAYOUT")


def _named_further(concept: Concept, aside: Aside) -> Concept:
    held = {concept.display, *(each.value for each in concept.designations)}
    found = dict.fromkeys(each for each in aside.of("further", concept.code) if each[1] not in held)
    added = tuple(Designation(text, "en", {"display": use}) for use, text in found)
    return replace(concept, designations=(*concept.designations, *added)) if added else concept


def _table(source: Source, file: File, needed: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows below the header, which text of the licence may precede."""
    numbered = dropwhile(lambda each: not each[1].startswith(_HEADER), enumerate(lines(file), 1))
    header = next(numbered, (0, ""))[1].split("\t")
    for column in ("CPT Code", needed):
        if column not in header:
            raise Invalid(issue("OWN_IMPORT_COLUMN", file.name, column, ", ".join(header) or "-"))
    for number, line in numbered:
        cells = line.split("\t")
        place = f"{file.name} line {number}"
        if len(cells) > len(header):
            source.refuse(place, "OWN_ROW_LAYOUT")
        elif line.strip():
            yield place, dict(zip(header, (*cells, *[""] * len(header)), strict=False))


def _consolidated(source: Source, file: File) -> Iterator[Concept]:
    for place, row in _table(source, file, "CPT Code"):
        code = row["CPT Code"].strip()
        if not _CODE.fullmatch(code):
            source.refuse(place, "OWN_ROW_LAYOUT")
            continue
        named = {name: row.get(name, "").strip() for name in _NAMES}
        date = row.get("Current Descriptor Effective Date", "").strip()
        yield _code(code, named, date)


def _code(code: str, named: dict[str, str], date: str = "") -> Concept:
    display = named.get("Long") or named.get("Medium") or named.get("Short")
    designations = [
        Designation(text, "es" if name.startswith("Spanish") else "en")
        for name, text in named.items()
        if text and text != display
    ]
    since = f"{date[:4]}-{date[4:6]}-{date[6:]}" if re.fullmatch(r"[12]\d{7}", date) else None
    return Concept(
        code=code,
        display=display,
        designations=tuple(designations),
        properties=(
            Property("kind", "Code", "code"),
            Property("modifier", "Boolean", False),
            Property("category", "Code", _CATEGORY.get(code[4], "I")),
            *((Property("descriptor-date", "DateTime", since),) if since else ()),
        ),
    )


def _plain(source: Source) -> Iterator[Concept]:
    """A descriptor a line; the three files together are some megabytes."""
    held: dict[str, dict[str, str]] = {}
    for file in source.files(_is_plain):
        column = _PLAIN.get(_stem(file.name), "long").capitalize()
        begun = False
        for number, line in enumerate(lines(file, "cp1252"), 1):
            found = _ROW.fullmatch(line.rstrip())
            if found:
                begun = True
                held.setdefault(found["code"], {})[column] = found["text"].strip()
            elif begun and line.strip():
                source.refuse(f"{file.name} line {number}", "OWN_ROW_LAYOUT")
    for code, named in held.items():
        yield _code(code, named)


def _modifiers(file: File) -> Iterator[Concept]:
    for line in lines(file):
        code, _, text = line.partition("\t")
        if _MODIFIER.fullmatch(code.strip()) and text.strip():
            yield Concept(
                code=code.strip(),
                display=text.partition("\t")[0].strip(),
                properties=(Property("kind", "Code", "modifier"), Property("modifier", "Boolean", True)),
            )


CPT = Format(
    name="cpt",
    summary="CPT: the licensee's AMA files (ConsolidatedCodeList.txt, or LONGULT, MEDU, SHORTU; descriptor files)",
    read=read,
    options=(
        Option("version", "The year of the release, such as 2026; without it the year in the file's name."),
        *periods.OPTIONS,
    ),
    period=periods.calendar_year,
    publisher="https://www.ama-assn.org/practice-management/cpt",
)
