"""ICD-10-PCS from the order file of CMS: codes of seven characters, and the headers of their tables (three)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.order_file import is_order_file, ordered, year_of
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition

URL = "http://www.cms.gov/Medicare/Coding/ICD10"
LICENCE = "Public domain (Centers for Medicare & Medicaid Services)"


def read(source: Source) -> Iterator[Loaded]:
    """The release in an order file, or in a folder or archive that holds one."""
    version = source.option("version") or year_of(source.path.name) or _named(source)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="ICD10PCS",
        title="ICD-10 Procedure Codes",
        content="complete",
        case_sensitive=True,
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a",
        subsumption="known",
        language="en",
        properties=(
            PropertyDefinition("billable", "boolean", description="Valid for submission (the flag of the order file)"),
            PropertyDefinition("table", "code", description="The first three characters"),
        ),
    )
    yield Loaded(info, partial(_concepts, source), source.path.name, LICENCE)


def _named(source: Source) -> str | None:
    if not source.path.is_dir():
        return None
    return next((year_of(each.name) for each in sorted(source.path.rglob("*")) if is_order_file(each.name)), None)


def _concepts(source: Source) -> Iterator[Concept]:
    """A code below the header that its first three characters name, where the file has that header."""
    tables: set[str] = set()
    for line in ordered(source, source.files(is_order_file)):
        if len(line.code) == 3:
            tables.add(line.code)
        table = line.code[:3]
        yield Concept(
            code=line.code,
            display=line.long,
            parents=(table,) if len(line.code) > 3 and table in tables else (),
            designations=(Designation(line.short, "en"),) if line.short != line.long else (),
            properties=(Property("billable", "Boolean", line.valid), Property("table", "Code", table)),
            abstract=not line.valid,
        )


ICD_10_PCS = Format(
    name="icd-10-pcs",
    summary="ICD-10-PCS: the order file of CMS (icd10pcs_order_YEAR.txt, or the .zip with it)",
    read=read,
    options=(Option("version", "The release, such as 2026; without it the year in the file's name."), *periods.OPTIONS),
    period=periods.fiscal_year,
    publisher="https://www.cms.gov/medicare/coding-billing/icd-10-codes",
)
