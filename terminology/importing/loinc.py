"""LOINC from its release: ``LoincTable/Loinc.csv``, the component hierarchy with its parts, and the answers.

Parts (LP) and answers (LA) are codes of LOINC beside its terms. A term stands below every part that the hierarchy file
names for it; without that file there is no hierarchy, and the import says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition

URL = "http://loinc.org"
LICENCE = (
    "This material contains content from LOINC (http://loinc.org). LOINC is copyright © Regenstrief Institute, Inc. "
    "and the Logical Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under the "
    "license at http://loinc.org/license. LOINC® is a registered United States trademark of Regenstrief Institute, Inc."
)
TABLE, HIERARCHY, ANSWERS = "Loinc.csv", "ComponentHierarchyBySystem.csv", "AnswerList.csv"
_DIALECT = Dialect(",")
_PROPERTIES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "CLASSTYPE",
               "ORDER_OBS", "STATUS", "VersionFirstReleased", "VersionLastChanged", "EXAMPLE_UCUM_UNITS")  # fmt: skip
_NAMES = ("SHORTNAME", "DisplayName", "CONSUMER_NAME")


def read(source: Source) -> Iterator[Loaded]:
    """The release in a folder or archive."""
    found = re.search(r"(?<!\d)(\d\.\d\d)(?!\d)", source.path.name)
    version = source.option("version") or (found[1] if found else None)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    parents, parts = _hierarchy(source)
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="LOINC",
        title="Logical Observation Identifiers, Names and Codes (LOINC)",
        case_sensitive=False,
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a" if parents else None,
        subsumption="known" if parents else "unsaid",
        language="en",
        properties=(
            *(PropertyDefinition(name, "string") for name in _PROPERTIES),
            PropertyDefinition("kind", "code", description="term, part or answer"),
        ),
    )
    yield Loaded(info, partial(_concepts, source, parents, parts), source.path.name, LICENCE)


def _named(short: str, name: str) -> bool:
    return name.rpartition("/")[2] == short


def _hierarchy(source: Source) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Parents of each code, and the names of parts; some ten megabytes for a full release."""
    parents: dict[str, tuple[str, ...]] = {}
    parts: dict[str, str] = {}
    for file in source.files(partial(_named, HIERARCHY)):
        if not _named(HIERARCHY, file.name):
            break
        for _, row in rows(source, file, _DIALECT, ("IMMEDIATE_PARENT", "CODE", "CODE_TEXT")):
            code, parent = row["CODE"].strip(), row["IMMEDIATE_PARENT"].strip()
            if code.startswith("LP"):
                parts[code] = row["CODE_TEXT"].strip()
            held = parents.setdefault(code, ())
            if parent and parent not in held:
                parents[code] = (*held, parent)
    if not parents:
        source.note("OWN_NO_COUNTS", HIERARCHY, source.path, "the hierarchy")
    return parents, parts


def _concepts(source: Source, parents: dict[str, tuple[str, ...]], parts: dict[str, str]) -> Iterator[Concept]:
    for code, name in parts.items():
        yield Concept(code, name, parents=parents.get(code, ()), properties=(Property("kind", "Code", "part"),))
    for file in source.files(partial(_named, TABLE)):
        for place, row in rows(source, file, _DIALECT, ("LOINC_NUM", "LONG_COMMON_NAME", "STATUS")):
            code = row["LOINC_NUM"].strip()
            if not checked(code):
                source.refuse(place, "OWN_ROW_VALUE", code, "LOINC number (check digit)")
                continue
            yield _term(code, row, parents.get(code, ()))
    seen: set[str] = set()
    for file in source.files(partial(_named, ANSWERS)):
        if not _named(ANSWERS, file.name):
            break
        for _, row in rows(source, file, _DIALECT, ("AnswerStringId", "DisplayText")):
            code = row["AnswerStringId"].strip()
            if code and code not in seen:
                seen.add(code)
                yield Concept(code, row["DisplayText"].strip(), properties=(Property("kind", "Code", "answer"),))


def _term(code: str, row: Row, parents: tuple[str, ...]) -> Concept:
    display, status = row["LONG_COMMON_NAME"].strip(), row["STATUS"].strip()
    named = dict.fromkeys(text for name in _NAMES if (text := row.get(name, "").strip()) and text != display)
    return Concept(
        code=code,
        display=display or row.get("SHORTNAME", "").strip(),
        definition=row.get("DefinitionDescription", "").strip() or None,
        parents=parents,
        designations=tuple(Designation(name, "en") for name in named),
        properties=(
            Property("kind", "Code", "term"),
            *(Property(name, "String", text) for name in _PROPERTIES if (text := row.get(name, "").strip())),
        ),
        status=status.lower() or None,
        inactive=status == "DEPRECATED",
    )


def checked(code: str) -> bool:
    """True for a number with the right check digit (mod 10, https://loinc.org/kb/users-guide/)."""
    number, _, check = code.partition("-")
    if not number.isdigit() or len(check) != 1 or not check.isdigit():
        return False
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    total = sum(value // 10 + value % 10 for value in doubled)
    return -total % 10 == int(check)


LOINC = Format(
    name="loinc",
    summary="LOINC: the release (Loinc_VERSION.zip or its folder)",
    read=read,
    options=(
        Option("version", "The release, such as 2.81; without it the number in the file's name."),
        *periods.OPTIONS,
    ),
    period=periods.unsaid,
    publisher="https://loinc.org/downloads/",
)
