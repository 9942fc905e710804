"""The formats on files of the publishers, out of packages that carry them; counts as counted by others."""

import subprocess
import sys
from pathlib import Path

import pytest

from terminology.importing import formats
from terminology.importing.format import Source
from terminology.importing.run import load
from terminology.model import Query
from terminology.providers.file import FileProvider
from terminology.storage.library import Library

pytestmark = pytest.mark.system

PACKAGES = ("simple-icd-10-cm==1.5.0", "langcodes==3.5.1", "ucumvert==0.3.2")
CODES = "simple_icd_10_cm/data/code-list-April-2026.txt"
FILES = {
    "icd-10-cm": ("simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml", 98_505),
    "iana": ("langcodes/data/language-subtag-registry.txt", 9_172 - 245),
    "ucum-essence": ("ucumvert/vendor/ucum-essence.xml", 7 + 305),
}


@pytest.fixture(scope="session")
def packages(tmp_path_factory) -> Path:
    """A folder with the packages, installed by name and without what they depend on."""
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *PACKAGES], check=True
    )
    return folder


@pytest.fixture
def imported(packages, tmp_path):
    """imported(format): the provider of the real file."""

    def made(name: str) -> FileProvider:
        library = Library(tmp_path / name)
        source = Source(packages / FILES[name][0], name)
        report = load(formats()[name], source, library)
        assert report.refused == 0
        return FileProvider.open(library.path(library.entries()[0]))

    return made


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_real_file_holds_what_others_counted(imported, name):
    assert imported(name).info.count == FILES[name][1]


def test_icd_10_cm_has_the_codes_of_an_independent_list(imported, packages):
    """The list has every category and code, with the seventh characters; sections of one category are named there
    like the category."""
    listed = {line.strip() for line in (packages / CODES).read_text(encoding="utf-8").splitlines() if line.strip()}
    provider = imported("icd-10-cm")
    plain = Query(detailed=False)
    ours = {concept.code.replace(".", "") for concept in provider.select(plain) if not concept.abstract}
    assert ours - listed == set()
    assert {code for code in listed - ours if "-" not in code and not code.isdigit()} == set()
    donor = provider.find("Z52.3")
    assert (donor.display, donor.parents) == ("Bone marrow donor", ("Z52",))
    assert provider.subsumes("T86", "T86.01") == "subsumes"


def test_the_registry_knows_what_it_replaced(imported):
    provider = imported("iana")
    indonesian = {held.code: held.value for held in provider.find("in").properties}
    assert indonesian["preferred-value"] == "id"
    assert provider.find("in").inactive


def test_units_of_ucum(imported):
    held = {each.code: each.value for each in imported("ucum-essence").find("[degF]").properties}
    assert (held["special"], held["property"]) == (True, "temperature")
