"""ICD-10-PCS from the order file of CMS: codes of seven characters, and the headers of their tables (three).

With the tables (XML) beside it, or named by ``--tables``, the meaning of every character is a property of the code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from terminology.importing import periods
from terminology.importing.archives import Meter
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.order_file import is_order_file, ordered, year_of
from terminology.importing.pcs_tables import CHARACTERS, Tables, meanings, names, read_tables
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition

URL = "http://www.cms.gov/Medicare/Coding/ICD10"
LICENCE = "Public domain (Centers for Medicare & Medicaid Services)"


def read(source: Source) -> Iterator[Loaded]:
    """The release in an order file, or in a folder or archive that holds one."""
    version = source.option("version") or year_of(source.path.name) or _named(source)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    tables = _tables(source)
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
            *_declared(tables),
        ),
    )
    yield Loaded(info, partial(_concepts, source, tables), source.path.name, LICENCE)


def _tables(source: Source) -> Tables:
    named = source.option("tables")
    tables = read_tables(replace(source, path=Path(named), meter=Meter()) if named else source)
    if named and not tables:
        raise source.empty(str(named))
    return tables


def _declared(tables: Tables) -> Iterator[PropertyDefinition]:
    if tables:
        yield from (PropertyDefinition(name, "string", description="Meaning of a character") for name in names(tables))
        for place in range(1, CHARACTERS + 1):
            yield PropertyDefinition(f"character-{place}", "code", description="The character itself")


def _named(source: Source) -> str | None:
    if not source.path.is_dir():
        return None
    return next((year_of(each.name) for each in sorted(source.path.rglob("*")) if is_order_file(each.name)), None)


def _concepts(source: Source, tables: Tables) -> Iterator[Concept]:
    """A code below the header that its first three characters name, where the file has that header. A code that the
    tables lack is told and kept without their meanings."""
    headers: set[str] = set()
    for line in ordered(source, source.files(is_order_file)):
        if len(line.code) == 3:
            headers.add(line.code)
        table = line.code[:3]
        meant = meanings(tables, line.code) if tables else ()
        if meant is None:
            source.refuse(line.place, "OWN_ROW_NO_TABLE", line.code)
        yield Concept(
            code=line.code,
            display=line.long,
            definition=tables[table].definition if len(line.code) == 3 and table in tables else None,
            parents=(table,) if len(line.code) > 3 and table in headers else (),
            designations=(Designation(line.short, "en"),) if line.short != line.long else (),
            properties=(
                Property("billable", "Boolean", line.valid),
                Property("table", "Code", table),
                *(meant or ()),
            ),
            abstract=not line.valid,
        )


ICD_10_PCS = Format(
    name="icd-10-pcs",
    summary="ICD-10-PCS: the order file of CMS (icd10pcs_order_YEAR.txt, or the .zip with it)",
    read=read,
    options=(
        Option("version", "The release, such as 2026; without it the year in the file's name."),
        Option("tables", "The tables of the same release (icd10pcs_tables_YEAR.xml, or the .zip with it).", path=True),
        *periods.OPTIONS,
    ),
    period=periods.fiscal_year,
    publisher="https://www.cms.gov/medicare/coding-billing/icd-10-codes",
)
