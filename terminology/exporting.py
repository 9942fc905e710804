"""Code systems and resources going out as files: FHIR package, NDJSON, CSV. Concepts are streamed, however many."""

from __future__ import annotations

import csv
import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from terminology.frozen import dataclass
from terminology.model import FHIR_VERSIONS, CodeSystemProvider, Concept, Designation, FhirVersion, Json, Query
from terminology.wire import json_text
from terminology.wire.r4 import to_r4

PARENT = "http://hl7.org/fhir/concept-properties#parent"
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class Exported:
    """A resource (R5 form), without concepts where ``provider`` has them."""

    head: Json
    provider: CodeSystemProvider | None = None

    @property
    def name(self) -> str:
        return f"{self.head['resourceType']}-{self.head['id']}"

    def text(self, fhir: FhirVersion) -> Iterator[bytes]:
        """The JSON of the whole resource, in parts."""
        if self.provider is None:
            yield json_text.write(to_r4(self.head) if fhir == "R4" else self.head)
            return
        head = _declaring_parents(self.head)
        begun = json_text.write(to_r4(head) if fhir == "R4" else head)
        yield begun[:-1] + b',"concept":['
        separator = b""
        for concept in self.provider.select(Query()):
            yield separator + json_text.write(concept_as_json(concept))
            separator = b","
        yield b"]}"


def _declaring_parents(head: Json) -> Json:
    plain = {key: value for key, value in head.items() if key not in ("concept", "meta")}
    declared = list(plain.get("property", ()))
    if not any(each.get("code") == "parent" for each in declared):
        declared.append({"code": "parent", "uri": PARENT, "type": "code"})
    return plain | {"property": declared}


def concept_as_json(concept: Concept) -> Json:
    """``CodeSystem.concept``; parents are properties."""
    stated = {(held.code, held.value) for held in concept.properties if isinstance(held.value, (str, bool))}
    properties: list[Json] = [{"code": held.code, f"value{held.type}": held.value} for held in concept.properties]
    properties += [{"code": "parent", "valueCode": code} for code in concept.parents if ("parent", code) not in stated]
    implied = (("notSelectable", concept.abstract), ("inactive", concept.inactive))
    properties += [
        {"code": code, "valueBoolean": True} for code, is_so in implied if is_so and (code, True) not in stated
    ]
    if concept.status and not any(held.code == "status" for held in concept.properties):
        properties.append({"code": "status", "valueCode": concept.status})
    made: Json = {
        "code": concept.code,
        "display": concept.display,
        "definition": concept.definition,
        "designation": [_designation(held) for held in concept.designations],
        "property": properties,
        "extension": list(concept.extensions),
    }
    return {key: value for key, value in made.items() if value not in (None, [])}


def _designation(held: Designation) -> Json:
    made = {"language": held.language, "use": dict(held.use) if held.use else None, "value": held.value}
    return {key: value for key, value in made.items() if value is not None}


def ndjson(found: Iterable[Exported], out: BinaryIO, fhir: FhirVersion) -> None:
    """A resource a line."""
    for each in found:
        out.writelines(each.text(fhir))
        out.write(b"\n")


def table(provider: CodeSystemProvider, out: TextIO) -> None:
    """A concept a line, with a column for each declared property; several values are parted by ``|``."""
    declared = [held.code for held in provider.info.properties]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["code", "display", "definition", "parent", "status", "inactive", "designation", *declared])
    for concept in provider.select(Query()):
        values: dict[str, list[str]] = {}
        for held in concept.properties:
            values.setdefault(held.code, []).append(_cell(held.value))
        writer.writerow(
            [
                concept.code,
                concept.display or "",
                concept.definition or "",
                SEPARATOR.join(concept.parents),
                concept.status or "",
                "true" if concept.inactive else "false",
                SEPARATOR.join(f"{held.language or ''}:{held.value}" for held in concept.designations),
                *(SEPARATOR.join(values.get(code, ())) for code in declared),
            ]
        )


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return SEPARATOR.join(str(value.get(key, "")) for key in ("system", "code"))
    return str(value)


def package(found: Sequence[Exported], out: Path, name: str, version: str, fhir: FhirVersion) -> None:
    """A FHIR package (https://hl7.org/fhir/packages.html); each resource is written aside first, since tar wants its
    size before it."""
    manifest: Json = {
        "name": name,
        "version": version,
        "type": "fhir.ig",
        "fhirVersions": [FHIR_VERSIONS[fhir]],
        "dependencies": {},
    }
    index: Json = {"index-version": 2, "files": [_listed(each) for each in found]}
    with tarfile.open(out, "w:gz") as archive:
        _add(archive, "package/package.json", [json_text.write(manifest, pretty=True)])
        _add(archive, "package/.index.json", [json_text.write(index, pretty=True)])
        for each in found:
            _add(archive, f"package/{each.name}.json", each.text(fhir))


def _listed(each: Exported) -> Json:
    stated = {key: each.head.get(key) for key in ("resourceType", "id", "url", "version", "content")}
    return {"filename": f"{each.name}.json", **{key: value for key, value in stated.items() if value}}


def _add(archive: tarfile.TarFile, name: str, parts: Iterable[bytes]) -> None:
    with tempfile.SpooledTemporaryFile(max_size=1 << 22) as aside:
        for part in parts:
            aside.write(part)
        member = tarfile.TarInfo(name)
        member.size = aside.tell()
        aside.seek(0, io.SEEK_SET)
        archive.addfile(member, aside)
