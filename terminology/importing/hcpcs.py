"""HCPCS Level II from the alpha-numeric file of CMS (``HCPC2026_JAN_ANWEB.txt``): fixed width, 320 characters.

Columns, counted from one: code 1-5 (a modifier in 4-5), sequence 6-10, record 11 (3 and 7: first line of a code or
modifier, 4 and 8: more of its long text), long text 12-91, short text 92-119, coverage 230, BETOS 257-259, added
269-276, action date 277-284, terminated 285-292, action 293. D codes are the American Dental Association's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import lines
from terminology.issues import Invalid, issue
from terminology.model import (
    OWN_PROPERTIES,
    Canonical,
    CodeSystemInfo,
    Concept,
    Designation,
    Property,
    PropertyDefinition,
)

URL = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
LICENCE = (
    "Public domain (Centers for Medicare & Medicaid Services); codes D0000-D9999 belong to the ADA and are left out"
)
_NAME = re.compile(r"HCPC(\d{4})_([A-Z]{3})", re.IGNORECASE)
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_CODE = re.compile(r"[A-Z][0-9]{4}|[A-Z0-9]{2}")
_PROPERTIES = {"kind": "code", "coverage": "code", "betos": "code", "action": "code",
               "valid-from": "dateTime", "valid-to": "dateTime"}  # fmt: skip


@dataclass(slots=True)
class _Record:
    place: str
    code: str
    line: str
    long: list[str] = field(default_factory=list)


def read(source: Source) -> Iterator[Loaded]:
    """The release in a file, or in a folder or archive that holds one."""
    found = _NAME.search(source.path.name)
    month = found[2].upper() if found else ""
    version = source.option("version") or (
        f"{found[1]}-{_MONTHS.index(month) + 1:02}" if found and month in _MONTHS else None
    )
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="HCPCS",
        title="Healthcare Common Procedure Coding System (HCPCS) Level II",
        content="complete",
        status="active",
        copyright=LICENCE,
        language="en",
        properties=tuple(
            PropertyDefinition(name, kind, OWN_PROPERTIES + name if name.startswith("valid-") else None)
            for name, kind in _PROPERTIES.items()
        ),
    )
    yield Loaded(info, partial(_concepts, source), source.path.name, LICENCE)


def _is_release(name: str) -> bool:
    short = name.rpartition("/")[2].upper()
    return short.endswith(".TXT") and "ANWEB" in short and "NOTE" not in short and "LAYOUT" not in short


def _concepts(source: Source) -> Iterator[Concept]:
    dental = 0
    for record in _records(source):
        if record.code.startswith("D") and len(record.code) == 5:
            dental += 1
            continue
        yield _concept(record)
    if dental:
        source.note("OWN_LEFT_OUT", dental, "the American Dental Association (D codes)")


def _records(source: Source) -> Iterator[_Record]:
    for file in source.files(_is_release):
        held: _Record | None = None
        for number, line in enumerate(lines(file, "latin-1"), 1):
            if not line.strip():
                continue
            place, code, kind = f"{file.name} line {number}", line[:5].strip(), line[10:11]
            if kind in ("4", "8") and held is not None and held.code == code:
                held.long.append(line[11:91])
                continue
            if held is not None:
                yield held
            held = None
            if kind not in ("3", "7") or not _CODE.fullmatch(code):
                source.refuse(place, "OWN_ROW_LAYOUT")
                continue
            held = _Record(place, code, line.ljust(320), [line[11:91]])
        if held is not None:
            yield held


def _concept(record: _Record) -> Concept:
    line = record.line
    long, short = " ".join(" ".join(record.long).split()), line[91:119].strip()
    stated = {
        "kind": "modifier" if line[10] == "7" else "code",
        "coverage": line[229].strip(),
        "betos": line[256:259].strip(),
        "action": line[292].strip(),
    }
    added, ended = _date(line[268:276]), _date(line[284:292])
    return Concept(
        code=record.code,
        display=long or short,
        designations=(Designation(short, "en"),) if short and short != long else (),
        properties=(
            *(Property(name, "Code", value) for name, value in stated.items() if value),
            *((Property("valid-from", "DateTime", added),) if added else ()),
            *((Property("valid-to", "DateTime", ended),) if ended else ()),
        ),
        valid_from=added,
        valid_to=ended,
        inactive=stated["action"] == "D",
        status="retired" if stated["action"] == "D" else None,
    )


def _date(text: str) -> str | None:
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if re.fullmatch(r"[12]\d{7}", text) else None


HCPCS = Format(
    name="hcpcs",
    summary="HCPCS Level II: the alpha-numeric file of CMS (HCPCyear_month_ANWEB.txt, or the .zip with it)",
    read=read,
    options=(
        Option("version", "The release, such as 2026-01; without it what the file's name says."),
        *periods.OPTIONS,
    ),
    period=periods.quarter,
    publisher="https://www.cms.gov/medicare/coding-billing/healthcare-common-procedure-system",
)
