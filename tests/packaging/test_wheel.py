"""The wheel, installed in an empty environment elsewhere, serves the published codes."""

import json
import re
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import clean_environment, free_port, serving

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("terminology", "codesystems", "valuesets", "conceptmaps")
LOOKUP = "/fhir/r4/CodeSystem/$lookup?" + urllib.parse.urlencode(
    {"system": "http://www.ama-assn.org/go/cpt", "code": "38232"}
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command: list[str | Path] = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_each_package_with_its_type_marker(package: str, in_wheel: set[str]) -> None:
    assert {f"{package}/__init__.py", f"{package}/py.typed"} <= in_wheel


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_all_that_is_committed_of_a_package(package: str, in_wheel: set[str]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= in_wheel


def test_the_wheel_holds_licence_and_notice_and_nothing_beside_the_packages(in_wheel: set[str]) -> None:
    assert {Path(name).name for name in in_wheel if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    tops = {name.split("/")[0] for name in in_wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_sdist_holds_tests_and_locks(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"requirements/runtime.lock", "tests/conftest.py", "scripts/test", "LICENSE", "NOTICE"} <= names


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel and, by its own metadata, its dependencies; the lock says which."""
    venv = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip: list[str | Path] = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
    ]
    lock = ROOT / "requirements" / "runtime.lock"
    listed = venv / "constraints.txt"
    listed.write_text("\n".join(sorted(releases(lock.read_text()))) + "\n")
    subprocess.run([*pip, "-c", listed, wheel], check=True, env=clean_environment())
    return venv


@pytest.fixture(scope="module")
def served(elsewhere: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command: list[str | Path] = [elsewhere / "bin" / "terminology", "serve", "--port", str(port)]
    with serving(command, port, folder=tmp_path_factory.mktemp("folder")) as base:
        yield base


@pytest.mark.slow
def test_the_installed_wheel_looks_up_a_published_code(served: str) -> None:
    with urllib.request.urlopen(served + LOOKUP) as response:
        assert response.status == 200
        answer = json.load(response)
    assert answer["resourceType"] == "Parameters"
    assert "autologous" in json.dumps(answer)


@pytest.mark.slow
def test_the_lock_holds_every_dependency_of_the_wheel(elsewhere: Path) -> None:
    command: list[str | Path] = [elsewhere / "bin" / "pip", "freeze"]
    frozen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert releases(frozen) <= releases((ROOT / "requirements" / "runtime.lock").read_text())


def releases(text: str) -> set[str]:
    """The lines name==version of a freeze or a lock, the names spelled in one way."""
    found = re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)
    return {f"{re.sub('[-_.]+', '-', name).lower()}=={version}" for name, version in found}
