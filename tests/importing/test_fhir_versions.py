"""Loaded packages beside each other: which version answers readers of R4 and of R5 that name none."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from archive_makers import tar_of, zip_of

from terminology import Terminology
from terminology.importing import formats
from terminology.importing.format import Source
from terminology.importing.run import load
from terminology.storage.library import Library

OWN, V3 = "http://hl7.org/fhir/CodeSystem/colours", "http://terminology.hl7.org/CodeSystem/v3-colours"
VALUES = "http://terminology.hl7.org/ValueSet/v3-colours"


def system(url: str, version: str) -> dict[str, Any]:
    """Of each version one code tells which it is."""
    return {
        "resourceType": "CodeSystem",
        "id": f"{url.rpartition('/')[2]}-{version}",
        "url": url,
        "version": version,
        "status": "active",
        "content": "complete",
        "concept": [{"code": "red", "display": f"Red of {version}"}],
    }


def package(folder: Path, name: str, version: str, fhir: list[str], *resources: dict[str, Any]) -> Path:
    manifest = {"name": name, "version": version, "fhirVersions": fhir}
    files = {f"{each['resourceType']}-{each['id']}.json": each for each in resources} | {"package.json": manifest}
    members = {f"package/{name}": json.dumps(content).encode() for name, content in files.items()}
    return tar_of(folder / f"{name}-{version}.tgz", members)


def value_set(version: str) -> dict[str, Any]:
    compose = {"include": [{"system": V3, "version": version}]}
    made = {"resourceType": "ValueSet", "id": f"vs-{version}", "url": VALUES, "version": version, "status": "active"}
    return {**made, "compose": compose}


THO, R4, R4B, R5, GUIDE = "tho", "r4", "r4b", "r5", "guide"


def made(folder: Path, name: str) -> tuple[str, Path]:
    """A package as its publisher makes it, and the format that reads it. R4 and R4B are XML in a jar."""
    if name == THO:
        held = (system(V3, "3.0.0"), value_set("3.0.0"))
        return "fhir-package", package(folder, "hl7.terminology", "5.1.0", ["5.0.0"], *held)
    if name == R5:
        return "fhir-package", package(folder, "hl7.fhir.r5.core", "5.0.0", ["5.0.0"], system(OWN, "5.0.0"))
    if name == GUIDE:
        return "fhir-package", package(folder, "example.guide", "9", ["4.0.1", "5.0.0"], system(OWN, "6.0.0"))
    version = {"r4": "4.0.1", "r4b": "4.3.0"}[name]
    xml = "".join(
        f'<entry><resource><CodeSystem xmlns="http://hl7.org/fhir"><url value="{url}"/><version value="{each}"/>'
        f'<status value="active"/><content value="complete"/><concept><code value="red"/>'
        f'<display value="Red of {each}"/></concept></CodeSystem></resource></entry>'
        for url, each in ((OWN, version), (V3, "2018-08-12"))
    )
    bundle = f'<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/>{xml}</Bundle>'.encode()
    path = f"org/hl7/fhir/{name}/model/valueset/valuesets.xml"
    return "fhir-jar", zip_of(folder / f"hapi-fhir-validation-resources-{name}.jar", {path: bundle})


ANSWERS = [
    # loaded, url, R4 is answered by, R5 is answered by
    ((R4, R5), OWN, "4.0.1", "5.0.0"),
    ((R4, R4B), OWN, "4.0.1", "4.3.0"),
    ((R4, R4B, R5), OWN, "4.0.1", "5.0.0"),
    ((R5,), OWN, "5.0.0", "5.0.0"),
    ((R4B,), OWN, "4.3.0", "4.3.0"),
    ((R4, R5, GUIDE), OWN, "6.0.0", "6.0.0"),
    ((R4, THO), V3, "3.0.0", "3.0.0"),
    ((R4, R4B, THO), V3, "3.0.0", "3.0.0"),
    ((R4,), V3, "2018-08-12", "2018-08-12"),
]


@pytest.mark.parametrize(("loaded", "url", "in_r4", "in_r5"), ANSWERS)
@pytest.mark.parametrize("backwards", [False, True])
def test_who_names_no_version_is_answered_by_that_of_his_fhir_version_or_by_the_publisher(
    tmp_path: Path, loaded: tuple[str, ...], url: str, in_r4: str, in_r5: str, backwards: bool
) -> None:
    """Whatever is loaded first; and who names a version gets it, on either endpoint."""
    library = Library(tmp_path / "data")
    for name in reversed(loaded) if backwards else loaded:
        form, path = made(tmp_path, name)
        load(formats()[form], Source(path, form, {}), library)
    terminology = Terminology(data_dir=str(library.folder), installed_content=False)
    assert terminology.lookup(url, "red", fhir="R4").version == in_r4
    assert terminology.lookup(url, "red", fhir="R5").version == in_r5
    versions = {entry.version for entry in library.entries() if entry.url == url}
    for version, fhir in itertools.product(versions, ("R4", "R5")):
        assert terminology.lookup(url, "red", version=version, fhir=fhir).display == f"Red of {version}"


def test_a_value_set_that_was_taken_up_stands_behind_that_of_its_publisher(tmp_path: Path) -> None:
    library = Library(tmp_path / "data")
    old = package(tmp_path, "hl7.fhir.r4.core", "4.0.1", ["4.0.1"], value_set("2018-08-12"), system(V3, "2018-08-12"))
    for path in (old, made(tmp_path, THO)[1]):
        load(formats()["fhir-package"], Source(path, "fhir-package", {}), library)
    terminology = Terminology(data_dir=str(library.folder), installed_content=False)
    for fhir in ("R4", "R5"):
        [code] = terminology.expand(VALUES, fhir=fhir)
        assert code.display == "Red of 3.0.0"


def test_core_content_that_comes_with_the_server_answers_before_a_loaded_one_of_another_version(tmp_path: Path) -> None:
    url = "http://hl7.org/fhir/administrative-gender"
    newer = {**system(url, "5.0.0"), "concept": [{"code": "red"}]}
    library = Library(tmp_path / "data")
    path = package(tmp_path, "hl7.fhir.r5.core", "5.0.0", ["5.0.0"], newer)
    load(formats()["fhir-package"], Source(path, "fhir-package", {}), library)
    terminology = Terminology(data_dir=str(library.folder))
    assert terminology.lookup(url, "male", fhir="R4").version == "4.0.1"
    assert terminology.lookup(url, "red", fhir="R5").version == "5.0.0"


def test_what_was_loaded_before_versions_were_kept_apart_is_taken_up_by_the_next_import(tmp_path: Path) -> None:
    """An index without the new words is read, and the same package again completes it."""
    library = Library(tmp_path / "data")
    form, path = made(tmp_path, R5)
    load(formats()[form], Source(path, form, {}), library)
    index = library.folder / "index.json"
    held = json.loads(index.read_bytes())
    for entry in held["entries"]:
        del entry["fhir"], entry["snapshot"]
    index.write_text(json.dumps(held))
    assert library.entries()[0].fhir == ()
    assert len(load(formats()[form], Source(path, form, {}), library).change.replaced) == 1
    assert library.entries()[0].fhir == ("5.0.0",)
    assert len(load(formats()[form], Source(path, form, {}), library).change.unchanged) == 1
