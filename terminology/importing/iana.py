"""The IANA language subtag registry (RFC 5646 section 3.1): languages, scripts, regions, variants, whole tags.

They become a code system of subtags of our own; tags made of them (``urn:ietf:bcp:47``) are for a grammar. An extlang
is also a language: it is one concept, with its prefix as a property.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import lines
from terminology.model import CANONICAL_BASE, Canonical, CodeSystemInfo, Concept, Designation, Property
from terminology.model import PropertyDefinition as Defined

URL = f"{CANONICAL_BASE}/CodeSystem/language-subtags"
LICENCE = "IANA registries are free of known restrictions (https://www.iana.org/help/licensing-terms)"
Record = dict[str, list[str]]
_FIELDS = {
    "Type": Defined("type", "code"),
    "Added": Defined("added", "dateTime"),
    "Deprecated": Defined("deprecated", "dateTime"),
    "Preferred-Value": Defined("preferred-value", "code"),
    "Suppress-Script": Defined("suppress-script", "code"),
    "Macrolanguage": Defined("macrolanguage", "code"),
    "Scope": Defined("scope", "code"),
    "Prefix": Defined("prefix", "string"),
    "Comments": Defined("comments", "string"),
}
_EXTLANG = Defined("extlang-prefix", "code")


def read(source: Source) -> Iterator[Loaded]:
    """The registry in a file; its version is the file's own date."""
    first, records = _records(source)
    date = next(iter(first.get("File-Date", ())), None)
    version = source.option("version") or date
    if version is None:
        raise source.empty("File-Date: as the first record")
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="LanguageSubtags",
        title="IANA language subtag registry",
        status="active",
        copyright=LICENCE,
        language="en",
        properties=(*_FIELDS.values(), _EXTLANG),
    )
    yield Loaded(info, partial(_concepts, source, records), source.path.name, LICENCE)


def _records(source: Source) -> tuple[Record, list[tuple[str, Record]]]:
    """The head, and the other records with their places."""
    for file in source.files(lambda name: name.endswith("registry.txt") or "subtag-registry" in name):
        found = list(_jar(lines(file)))
        if found:
            return found[0][1], [(f"{file.name} line {line}", record) for line, record in found[1:]]
    return {}, []


def _jar(text: Iterable[str]) -> Iterator[tuple[int, Record]]:
    """Records parted by ``%%``; a line that begins with a space continues the one before."""
    record: Record = {}
    name, begun = "", 1
    for number, line in enumerate(text, 1):
        if line.strip() == "%%":
            yield begun, record
            record, name, begun = {}, "", number + 1
        elif line.startswith(" ") and name:
            record[name][-1] += f" {line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            record.setdefault(name, []).append(value.strip())
    if record:
        yield begun, record


def _concepts(source: Source, records: list[tuple[str, Record]]) -> Iterator[Concept]:
    extended = {
        record["Subtag"][0]: record["Prefix"]
        for _, record in records
        if record.get("Type") == ["extlang"] and "Prefix" in record
    }
    for place, record in records:
        if record.get("Type") == ["extlang"]:
            continue
        code = (record.get("Subtag") or record.get("Tag") or [""])[0]
        if not code or not record.get("Description"):
            source.refuse(place, "OWN_ROW_LAYOUT")
            continue
        display, *others = record["Description"]
        prefixes = extended.get(code, []) if record.get("Type") == ["language"] else []
        yield Concept(
            code=code,
            display=display,
            designations=tuple(Designation(other, "en") for other in others),
            properties=(*_properties(record), *(Property("extlang-prefix", "Code", prefix) for prefix in prefixes)),
            inactive="Deprecated" in record,
            status="deprecated" if "Deprecated" in record else None,
        )


def _properties(record: Record) -> Iterator[Property]:
    for name, defined in _FIELDS.items():
        for value in record.get(name, ()):
            yield Property(defined.code, defined.type[0].upper() + defined.type[1:], value)


IANA = Format(
    name="iana",
    summary="The IANA language subtag registry (language-subtag-registry)",
    read=read,
    options=(Option("version", "The version; without it the File-Date of the registry."),),
    verified="real",
    publisher="https://www.iana.org/assignments/language-subtag-registry",
)
