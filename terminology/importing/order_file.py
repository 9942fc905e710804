"""CMS order files (ICD-10-CM, ICD-10-PCS): fixed width, one code a line, headers and codes in tabular order.

Columns, counted from one: order number 1-5, code 7-13, flag 15 (1: valid for submission, 0: header), short title
17-76, long title from 78.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from terminology.frozen import dataclass
from terminology.importing.archives import File
from terminology.importing.format import Source
from terminology.importing.tables import lines

_LINE = re.compile(r"\d{5} (?P<code>[0-9A-Z]{3,7} *) (?P<flag>[01]) (?P<short>.{60}) (?P<long>.*)")
YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")


@dataclass(frozen=True, slots=True)
class Ordered:
    """One line: the code without its dot."""

    place: str
    code: str
    valid: bool
    short: str
    long: str


def ordered(source: Source, files: Iterable[File]) -> Iterator[Ordered]:
    """The lines of order files; those of another layout are refused."""
    for file in files:
        for number, line in enumerate(lines(file, "latin-1"), 1):
            place = f"{file.name} line {number}"
            found = _LINE.fullmatch(line.ljust(78))
            if not line.strip():
                continue
            if found is None or len(found["code"]) != 7:
                source.refuse(place, "OWN_ROW_LAYOUT")
                continue
            short, long = found["short"].strip(), found["long"].strip()
            yield Ordered(place, found["code"].strip(), found["flag"] == "1", short, long or short)


def is_order_file(name: str) -> bool:
    """``icd10cm_order_2026.txt``, ``icd10pcs-order-2026.txt``; the addenda that lie beside them are none."""
    short = name.rpartition("/")[2].lower()
    return "order" in short and short.endswith(".txt") and "addend" not in short


def year_of(text: str) -> str | None:
    """The year in a name; order files are named by fiscal year."""
    found = YEAR.findall(text)
    return found[-1] if found else None
