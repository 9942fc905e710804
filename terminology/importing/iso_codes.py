"""ISO's lists of countries, subdivisions, currencies, languages and scripts, from the JSON files of Debian's iso-codes.

The Python package pycountry carries these files as ``pycountry/databases/*.json``. In HL7's code system of countries
(https://terminology.hl7.org/NamingSystem-ISO3166Part1.html) each country stands three times: by two letters, by three
and by number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from terminology.frozen import dataclass
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Json, Property, PropertyDefinition
from terminology.wire import json_text
from terminology.wire.malformed import Malformed

LICENCE = "The codes are ISO's, which keeps its copyright in them; the lists are those of iso-codes (LGPL-2.1)"
_KINDS = {"numeric": "code", "alpha_2": "code", "alpha_3": "code", "type": "string", "scope": "code",
          "bibliographic": "code", "withdrawal_date": "dateTime", "comment": "string", "form": "code",
          "country": "code"}  # fmt: skip
NAMES = ("official_name", "common_name", "inverted_name")


@dataclass(frozen=True, slots=True)
class Part:
    """One file: which fields are codes, and which become properties."""

    stem: str
    url: str
    name: str
    title: str
    codes: tuple[str, ...]
    fields: tuple[str, ...] = ()
    nested: bool = False

    @property
    def properties(self) -> tuple[str, ...]:
        more = (*(("form",) if len(self.codes) > 1 else ()), *(("country",) if self.nested else ()))
        return (*self.fields, *more)


_COUNTRY = ("alpha_2", "alpha_3", "numeric")
PARTS = (
    Part("iso3166-1", "urn:iso:std:iso:3166", "ISO3166Part1", "ISO 3166-1 country codes", _COUNTRY, _COUNTRY),
    Part("iso3166-2", "urn:iso:std:iso:3166:-2", "ISO3166Part2", "ISO 3166-2 country subdivision codes", ("code",),
         ("type",), nested=True),
    Part("iso3166-3", "urn:iso:std:iso:3166:-3", "ISO3166Part3", "ISO 3166-3 codes of former countries", ("alpha_4",),
         (*_COUNTRY, "withdrawal_date", "comment")),
    Part("iso4217", "urn:iso:std:iso:4217", "ISO4217", "ISO 4217 currency codes", ("alpha_3",), ("numeric",)),
    Part("iso639-3", "urn:iso:std:iso:639:-3", "ISO639Part3", "ISO 639-3 language codes", ("alpha_3",),
         ("alpha_2", "scope", "type", "bibliographic")),
    Part("iso639-5", "urn:iso:std:iso:639:-5", "ISO639Part5", "ISO 639-5 language group codes", ("alpha_3",)),
    Part("iso15924", "urn:iso:std:iso:15924", "ISO15924", "ISO 15924 script codes", ("alpha_4",), ("numeric",)),
)  # fmt: skip
_BY_FILE: Mapping[str, Part] = {f"{part.stem}.json": part for part in PARTS}


def read(source: Source) -> Iterator[Loaded]:
    """A code system for each file of a folder, archive or single file; of those that ``--only`` names."""
    only = source.option("only") or tuple(part.stem for part in PARTS)
    wanted = {f"{stem}.json" for stem in only}
    for file in source.files(lambda name: name.rpartition("/")[2] in wanted):
        part = _BY_FILE.get(file.short)
        if part is None:
            raise source.empty(", ".join(_BY_FILE))
        found = _records(source, file.read())
        yield Loaded(
            _info(part, source.option("version")), partial(_concepts, source, part, found), file.short, LICENCE
        )


def _records(source: Source, content: bytes) -> list[Json]:
    try:
        held = json_text.read(content)
    except Malformed as wrong:
        raise source.unreadable(wrong) from wrong
    lists = [each for each in held.values() if isinstance(each, list)]
    if len(lists) != 1 or not all(isinstance(each, dict) for each in lists[0]):
        raise source.unreadable("it is not one list of records")
    return lists[0]


def _info(part: Part, version: str | None) -> CodeSystemInfo:
    return CodeSystemInfo(
        canonical=Canonical(part.url, version),
        name=part.name,
        title=part.title,
        status="active",
        copyright=LICENCE,
        language="en",
        hierarchy_meaning="part-of" if part.nested else None,
        subsumption="unsaid" if part.nested else "none",
        properties=tuple(PropertyDefinition(_spelled(name), _KINDS[name]) for name in part.properties),
    )


def _spelled(field: str) -> str:
    return field.replace("_", "-")


def _concepts(source: Source, part: Part, records: Iterable[Json]) -> Iterator[Concept]:
    for number, record in enumerate(records, 1):
        codes = {field: str(record[field]) for field in part.codes if record.get(field)}
        if not codes:
            source.refuse(f"{part.stem}.json record {number}", "OWN_ROW_NO_CODE")
            continue
        held = {name: str(record[name]) for name in part.fields if record.get(name)}
        for field, code in codes.items():
            more = {"form": field} if len(part.codes) > 1 else {}
            if part.nested:
                more["country"] = code.partition("-")[0]
            parent = record.get("parent") if part.nested else None
            yield Concept(
                code=code,
                display=record.get("name"),
                parents=(str(parent),) if parent else (),
                designations=tuple(Designation(str(record[name]), "en") for name in NAMES if record.get(name)),
                properties=tuple(_property(name, value) for name, value in {**held, **more}.items()),
            )


def _property(name: str, value: str) -> Property:
    kind = _KINDS[name]
    return Property(_spelled(name), kind[0].upper() + kind[1:], _spelled(value) if name == "form" else value)


ISO_CODES = Format(
    name="iso-codes",
    summary="ISO 3166, 4217, 639 and 15924: the JSON files of iso-codes (pycountry/databases)",
    read=read,
    options=(
        Option("only", "Only this part of them.", repeats=True, choices=tuple(part.stem for part in PARTS)),
        Option("version", "The version, such as that of pycountry."),
    ),
    verified="real",
    publisher="https://salsa.debian.org/iso-codes-team/iso-codes",
)
