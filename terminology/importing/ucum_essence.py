"""UCUM's base units and units from ``ucum-essence.xml``, as a fragment: expressions of them are for UCUM's grammar."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from terminology.importing.format import Format, Loaded, Option, Source
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition
from terminology.wire.malformed import Malformed
from terminology.wire.xml_stream import children, local, subtrees, words

URL = "http://unitsofmeasure.org"
LICENCE = (
    "UCUM is Copyright © 1999-2024 Regenstrief Institute, Inc. and The UCUM Organization, Indianapolis, IN. All rights "
    "reserved. See https://ucum.org/license for the terms"
)
_KINDS = {"kind": "code", "property": "string", "metric": "boolean", "special": "boolean", "arbitrary": "boolean",
          "class": "code", "dimension": "code", "unit": "string", "value": "string", "upper-case": "string",
          "symbol": "string"}  # fmt: skip


def read(source: Source) -> Iterator[Loaded]:
    """The units of one file; its version is UCUM's own."""
    version = source.option("version") or _version(source)
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="UCUM",
        title="Unified Code for Units of Measure: base units and units",
        content="fragment",
        status="active",
        copyright=LICENCE,
        language="en",
        compositional=True,
        properties=tuple(PropertyDefinition(name, kind) for name, kind in _KINDS.items()),
    )
    yield Loaded(info, partial(_concepts, source), source.path.name, LICENCE)


def _is_essence(name: str) -> bool:
    return name.lower().endswith(".xml")


def _version(source: Source) -> str:
    for file in source.files(_is_essence):
        for root in _parts(source, file.stream):
            if found := root.get("version"):
                return str(found)
            break
    raise Invalid(issue("OWN_IMPORT_VERSION", source.path))


def _parts(source: Source, stream: Any) -> Iterator[Any]:
    try:
        yield from subtrees(stream, "base-unit", "unit")
    except Malformed as wrong:
        raise source.unreadable(wrong) from wrong


def _concepts(source: Source) -> Iterator[Concept]:
    for file in source.files(_is_essence):
        for unit in _parts(source, file.stream):
            if local(unit) not in ("base-unit", "unit"):
                continue
            code = unit.get("Code")
            if not code:
                source.refuse(f"{file.name} line {unit.sourceline}", "OWN_ROW_NO_CODE")
                continue
            names = [words(each) for each in children(unit, "name")]
            yield Concept(
                code=code,
                display=names[0] if names else None,
                designations=tuple(Designation(name, "en") for name in names[1:]),
                properties=tuple(_properties(unit)),
            )


def _properties(unit: Any) -> Iterator[Property]:
    yield Property("kind", "Code", local(unit))
    flags = {"metric": "isMetric", "special": "isSpecial", "arbitrary": "isArbitrary"}
    for name, attribute in flags.items():
        if unit.get(attribute):
            yield Property(name, "Boolean", unit.get(attribute) == "yes")
    value = next(iter(children(unit, "value")), None)
    texts = {
        "property": words(unit, "property"),
        "class": unit.get("class"),
        "dimension": unit.get("dim"),
        "unit": value.get("Unit") if value is not None else None,
        "value": value.get("value") if value is not None else None,
        "upper-case": unit.get("CODE"),
        "symbol": words(unit, "printSymbol"),
    }
    for name, text in texts.items():
        if text:
            yield Property(name, "Code" if _KINDS[name] == "code" else "String", text)


UCUM_ESSENCE = Format(
    name="ucum-essence",
    summary="UCUM: base units and units of ucum-essence.xml",
    read=read,
    options=(Option("version", "The version; without it that of the file."),),
    verified="real",
    publisher="https://ucum.org",
)
