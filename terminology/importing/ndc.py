"""National Drug Codes from the FDA's directory: ``product.txt`` and ``package.txt``, tab-separated with a header.

A package stands below its product. Both are known by the code that the FDA prints (``0002-0152``, ``0002-0152-01``);
a package also by the eleven digits of claims (``00002015201``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
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

URL = "http://hl7.org/fhir/sid/ndc"
LICENCE = "Public domain (U.S. Food and Drug Administration)"
_DIALECT = Dialect("\t", quotes=False, encoding="cp1252")
_PRODUCT = {"PRODUCTTYPENAME": "product-type", "DOSAGEFORMNAME": "dose-form", "ROUTENAME": "route",
            "LABELERNAME": "labeler", "MARKETINGCATEGORYNAME": "category", "DEASCHEDULE": "dea-schedule"}  # fmt: skip
_TEXTS = ("kind", "code11", *_PRODUCT.values())


def read(source: Source) -> Iterator[Loaded]:
    """The directory in a folder or archive; its version is a day that the operator states."""
    version = source.option("version")
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="NDC",
        title="National Drug Code Directory",
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a",
        subsumption="known",
        language="en",
        properties=(
            *(PropertyDefinition(name, "string") for name in _TEXTS),
            PropertyDefinition("valid-from", "dateTime", OWN_PROPERTIES + "valid-from"),
            PropertyDefinition("valid-to", "dateTime", OWN_PROPERTIES + "valid-to"),
        ),
    )
    yield Loaded(info, partial(_concepts, source), source.path.name, LICENCE)


def _named(short: str, name: str) -> bool:
    return name.rpartition("/")[2].lower() == short


def _concepts(source: Source) -> Iterator[Concept]:
    names: dict[str, str] = {}
    for file in source.files(partial(_named, "product.txt")):
        for place, row in rows(source, file, _DIALECT, ("PRODUCTNDC", "PROPRIETARYNAME", "NONPROPRIETARYNAME")):
            code = row["PRODUCTNDC"].strip()
            if not re.fullmatch(r"\d{4,5}-\d{3,4}", code):
                source.refuse(place, "OWN_ROW_VALUE", code, "product code of an NDC")
            elif code not in names:
                names[code] = _product_name(row)
                yield _product(code, row, names[code])
    seen: set[str] = set()
    for file in source.files(partial(_named, "package.txt")):
        for place, row in rows(source, file, _DIALECT, ("PRODUCTNDC", "NDCPACKAGECODE", "PACKAGEDESCRIPTION")):
            code = row["NDCPACKAGECODE"].strip()
            eleven = eleven_digits(code)
            if eleven is None:
                source.refuse(place, "OWN_ROW_VALUE", code, "package code of an NDC")
            elif code not in seen:
                seen.add(code)
                yield _package(code, eleven, row, names)


def eleven_digits(code: str) -> str | None:
    """The form of claims: 5 + 4 + 2 digits, where the short part got its zero."""
    found = re.fullmatch(r"(\d{4,5})-(\d{3,4})-(\d{1,2})", code)
    return f"{found[1]:0>5}{found[2]:0>4}{found[3]:0>2}" if found else None


def _product_name(row: Row) -> str:
    parts = (row["PROPRIETARYNAME"], row.get("PROPRIETARYNAMESUFFIX", ""))
    return " ".join(part.strip() for part in parts if part.strip()) or row["NONPROPRIETARYNAME"].strip()


def _product(code: str, row: Row, name: str) -> Concept:
    plain = row["NONPROPRIETARYNAME"].strip()
    stated = [
        Property(ours, "String", text) for theirs, ours in _PRODUCT.items() if (text := row.get(theirs, "").strip())
    ]
    begun, ended = _day(row.get("STARTMARKETINGDATE")), _day(row.get("ENDMARKETINGDATE"))
    return Concept(
        code=code,
        display=name,
        designations=(Designation(plain, "en"),) if plain and plain.lower() != name.lower() else (),
        properties=(Property("kind", "String", "product"), *stated, *_validity(begun, ended)),
        valid_from=begun,
        valid_to=ended,
    )


def _package(code: str, eleven: str, row: Row, names: dict[str, str]) -> Concept:
    product = row["PRODUCTNDC"].strip()
    begun, ended = _day(row.get("STARTMARKETINGDATE")), _day(row.get("ENDMARKETINGDATE"))
    display = ", ".join(text for text in (names.get(product, ""), row["PACKAGEDESCRIPTION"].strip()) if text)
    return Concept(
        code=code,
        display=display,
        parents=(product,),
        designations=(Designation(eleven),),
        properties=(
            Property("kind", "String", "package"), Property("code11", "String", eleven), *_validity(begun, ended)
        ),
        valid_from=begun,
        valid_to=ended,
    )  # fmt: skip


def _validity(begun: str | None, ended: str | None) -> Iterator[Property]:
    if begun:
        yield Property("valid-from", "DateTime", begun)
    if ended:
        yield Property("valid-to", "DateTime", ended)


def _day(text: str | None) -> str | None:
    found = re.fullmatch(r"([12]\d{3})(\d\d)(\d\d)", (text or "").strip())
    return f"{found[1]}-{found[2]}-{found[3]}" if found else None


NDC = Format(
    name="ndc",
    summary="National Drug Codes: product.txt and package.txt of the FDA (folder or ndctext.zip)",
    read=read,
    options=(
        Option("version", "The version: the day of the download, such as 2026-11-23.", required=True),
        *periods.OPTIONS,
    ),
    period=periods.unsaid,
    publisher="https://www.fda.gov/drugs/drug-approvals-and-databases/national-drug-code-directory",
)
