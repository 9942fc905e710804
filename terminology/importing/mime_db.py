"""Media types from ``db.json`` of the npm package mime-db: a fragment, since others are registered any day."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from terminology.importing.format import Format, Loaded, Option, Source
from terminology.model import Canonical, CodeSystemInfo, Concept, Json, Property, PropertyDefinition
from terminology.wire import json_text
from terminology.wire.malformed import Malformed

URL = "urn:ietf:bcp:13"
LICENCE = "mime-db (MIT), Copyright (c) 2014 Jonathan Ong, 2015-2022 Douglas Christopher Wilson"
_KINDS = {"source": "code", "charset": "string", "compressible": "boolean", "extension": "code"}


def read(source: Source) -> Iterator[Loaded]:
    """The types of one ``db.json``."""
    for file in source.files(_is_list):
        try:
            held = json_text.read(file.read())
        except Malformed as wrong:
            raise source.unreadable(wrong) from wrong
        info = CodeSystemInfo(
            canonical=Canonical(URL, source.option("version")),
            name="MediaTypes",
            title="Media types (MIME, BCP 13)",
            content="fragment",
            case_sensitive=False,
            status="active",
            copyright=LICENCE,
            subsumption="none",
            properties=tuple(PropertyDefinition(name, kind) for name, kind in _KINDS.items()),
        )
        yield Loaded(info, partial(_concepts, source, held), file.short, LICENCE)


def _is_list(name: str) -> bool:
    return name.rpartition("/")[2] == "db.json"


def _concepts(source: Source, held: Json) -> Iterator[Concept]:
    for code, facts in held.items():
        if "/" not in code or not isinstance(facts, dict):
            source.refuse(code, "OWN_ROW_VALUE", code, "media type")
            continue
        yield Concept(
            code=code,
            display=code,
            properties=(
                *((Property("source", "Code", facts["source"]),) if facts.get("source") else ()),
                *((Property("charset", "String", facts["charset"]),) if facts.get("charset") else ()),
                *((Property("compressible", "Boolean", True),) if facts.get("compressible") else ()),
                *(Property("extension", "Code", each) for each in facts.get("extensions", ())),
            ),
        )


MIME_DB = Format(
    name="mime-db",
    summary="Media types: db.json of the npm package mime-db, or its .tgz",
    read=read,
    options=(Option("version", "The version, such as that of the package."),),
    verified="real",
    publisher="https://www.npmjs.com/package/mime-db",
)
