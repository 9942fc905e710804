"""FHIR resources: JSON, XML, NDJSON and Bundles, in R4 or R5. What is no terminology is counted and left alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from terminology import resources
from terminology.importing.format import Format, Kept, Loaded, Option, Source
from terminology.issues import Refusal, text
from terminology.model import FHIR_VERSIONS, CodeSystemInfo, Concept, FhirVersion, Json
from terminology.wire import json_text
from terminology.wire.malformed import Malformed
from terminology.wire.r4 import from_r4
from terminology.wire.xml import from_xml

KINDS = ("CodeSystem", "ValueSet", "ConceptMap", "NamingSystem")
SMALL = 1_000
"""A code system with no more concepts is kept as a resource and answered from memory."""
FHIR = Option(
    "fhir", "The FHIR version of the resources; without it what the source says, else R4.", choices=("r4", "r5")
)


def read(source: Source) -> Iterator[Loaded | Kept]:
    """Every resource of a file, or of all ``.json``, ``.xml`` and ``.ndjson`` files of a folder or archive."""
    stated = {"r4": "R4", "r5": "R5"}.get(str(source.option("fhir")).lower())
    for file in source.files(_readable):
        fhir: FhirVersion = "R5" if stated == "R5" else "R4"
        if file.short.endswith(".ndjson"):
            for number, line in enumerate(file.stream, 1):
                if line.strip():
                    yield from parsed(source, f"{file.name} line {number}", line, fhir)
        else:
            yield from parsed(source, file.name, file.read(), fhir)


def _readable(name: str) -> bool:
    return name.endswith((".json", ".xml", ".ndjson")) and not name.rpartition("/")[2].startswith(".")


def parsed(source: Source, place: str, body: bytes, fhir: FhirVersion) -> Iterator[Loaded | Kept]:
    """The resources in one body; one that cannot be read is refused with its place."""
    try:
        found = from_xml(body, fhir) if body.lstrip()[:1] == b"<" else json_text.read(body)
    except Malformed as wrong:
        source.refuse(place, "OWN_ROW_RESOURCE", wrong)
        return
    if fhir == "R4":
        found = from_r4(found)
    for resource in _unbundled(found):
        yield from items(source, place, resource)


def _unbundled(found: Json) -> Iterable[Any]:
    if found.get("resourceType") == "Bundle":
        return [entry.get("resource") for entry in found.get("entry", ()) if isinstance(entry, dict)]
    return [found]


def items(source: Source, place: str, resource: Any) -> Iterator[Loaded | Kept]:
    """What is made of one resource (R5 form): nothing where it is no terminology."""
    if not isinstance(resource, dict) or resource.get("resourceType") not in KINDS:
        return
    origin = source.path.name
    if resource["resourceType"] != "CodeSystem" or resource.get("content") not in ("complete", "fragment"):
        yield Kept(resource, origin)
        return
    if not _more_than(resource, SMALL):
        yield Kept(resource, origin)
        return
    try:
        made = resources.code_system(resource)
    except Refusal as refused:
        source.refuse(place, "OWN_ROW_RESOURCE", text(refused.issues[0]))
        return
    head = {key: value for key, value in resource.items() if key not in ("concept", "text", "contained")}
    yield Loaded(
        _information(made.info), partial(_concepts, resource, made.info), origin, made.info.copyright or "", head
    )


def _information(info: CodeSystemInfo) -> CodeSystemInfo:
    return replace(info, count=None)


def _concepts(resource: Json, info: CodeSystemInfo) -> Iterable[Concept]:
    return resources.concepts(resource, info)


def _more_than(resource: Json, most: int) -> bool:
    waiting: list[Any] = [resource]
    found = -1
    while waiting and found <= most:
        found += 1
        listed = waiting.pop().get("concept", ())
        waiting.extend(each for each in listed if isinstance(each, dict))
    return found > most


FHIR_RESOURCES = Format(
    name="fhir",
    summary="FHIR resources: JSON, XML, NDJSON or a Bundle; a file, folder, .zip or .tgz",
    read=read,
    options=(FHIR,),
    verified="real",
    publisher="https://hl7.org/fhir/",
)


def version_of(stated: Any) -> FhirVersion | None:
    """The FHIR version that a package or resource names (``4.0.1``, ``5.0.0``)."""
    for fhir, number in FHIR_VERSIONS.items():
        if str(stated).startswith(number[:2]):
            return "R5" if fhir == "R5" else "R4"
    return None
