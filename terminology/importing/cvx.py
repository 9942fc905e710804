"""CVX, vaccines administered, from the CDC's ``cvx.txt``: columns parted by ``|``, no header.

Columns: code, short name, full name, notes, status, whether it is no vaccine, day of the last change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import partial

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition

URL = "http://hl7.org/fhir/sid/cvx"
LICENCE = "Public domain (Centers for Disease Control and Prevention)"
_COLUMNS = ("code", "short", "full", "notes", "status", "nonvaccine", "updated")
_DIALECT = Dialect("|", quotes=False, columns=_COLUMNS)
_INACTIVE = ("inactive", "never active")


def read(source: Source) -> Iterator[Loaded]:
    """The list; its version is the day of its last change where none is stated."""
    found = [row for file in source.files(_is_list) for row in rows(source, file, _DIALECT)]
    if not found:
        raise source.empty("cvx.txt")
    days = [day for _, row in found if (day := _day(row["updated"]))]
    version = source.option("version") or max(days, default=None)
    kinds = {"cvx-status": "code", "notes": "string", "nonvaccine": "boolean", "updated": "dateTime"}
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="CVX",
        title="Vaccine Administered (CVX)",
        status="active",
        copyright=LICENCE,
        language="en",
        properties=tuple(PropertyDefinition(name, kind) for name, kind in kinds.items()),
    )
    yield Loaded(info, partial(_concepts, source, found), source.path.name, LICENCE)


def _is_list(name: str) -> bool:
    return name.rpartition("/")[2].lower().endswith(".txt")


def _day(text: str) -> str | None:
    for pattern in ("%Y/%m/%d", "%m/%d/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text.strip(), pattern).date().isoformat()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
    return None


def _concepts(source: Source, found: list[tuple[str, Row]]) -> Iterator[Concept]:
    for place, row in found:
        code, status = row["code"].strip(), row["status"].strip()
        if not re.fullmatch(r"\d{1,4}", code):
            source.refuse(place, "OWN_ROW_VALUE", code, "CVX code")
            continue
        short, full, day = row["short"].strip(), row["full"].strip(), _day(row["updated"])
        nonvaccine = row["nonvaccine"].strip().lower() == "true"
        yield Concept(
            code=code,
            display=short or full,
            designations=(Designation(full, "en"),) if full and full != short else (),
            properties=(
                *((Property("cvx-status", "Code", status),) if status else ()),
                *((Property("notes", "String", notes),) if (notes := row["notes"].strip()) else ()),
                *((Property("nonvaccine", "Boolean", True),) if nonvaccine else ()),
                *((Property("updated", "DateTime", day),) if day else ()),
            ),
            inactive=status.lower() in _INACTIVE,
            status="inactive" if status.lower() in _INACTIVE else None,
        )


CVX = Format(
    name="cvx",
    summary="CVX vaccines: cvx.txt of the CDC",
    read=read,
    options=(Option("version", "The version; without it the day of the last change."), *periods.OPTIONS),
    period=periods.unsaid,
    publisher="https://www.cdc.gov/iis/code-sets/",
)
