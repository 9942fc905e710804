"""The folder of loaded content: all of an import or nothing, at once, for every reader, whatever happens to writers."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from terminology import Terminology, discovery
from terminology.catalog import Catalog
from terminology.discovery import Loaded, loaded
from terminology.importing import formats
from terminology.importing.format import Source
from terminology.importing.run import load
from terminology.issues import Invalid
from terminology.model import Concept
from terminology.storage import library as storage
from terminology.storage.library import INDEX, Library

URL = "http://example.org/numbers"


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch):
    monkeypatch.setattr(storage, "GRACE", 0.0)


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "data")


def numbers(folder: Path, count: int, text: str = "number") -> Path:
    path = folder / "numbers.csv"
    lines = ["code,display,parent"]
    lines += [f"n{each},{text} {each},{f'n{each // 10}' if each >= 10 else ''}" for each in range(count)]
    path.write_text("\n".join(lines) + "\n")
    return path


def imported(library, path, version="1", **options):
    stated = {"url": URL, "version": version, "display": "display", "parent": "parent"}
    return load(formats()["csv"], Source(path, "csv", stated), library, **options)


def files(library):
    return sorted(each.name for each in library.folder.glob("codesystems/*"))


def test_a_dry_run_changes_nothing(library, tmp_path):
    report = imported(library, numbers(tmp_path, 20), dry_run=True)
    assert report.concepts == 20
    assert library.entries() == ()
    assert files(library) == []


def test_the_same_release_again_replaces_the_file(library, tmp_path):
    imported(library, numbers(tmp_path, 20))
    [before] = files(library)
    report = imported(library, numbers(tmp_path, 30))
    [after] = files(library)
    assert [len(report.change.new), len(report.change.replaced)] == [0, 1]
    assert before != after
    [entry] = library.entries()
    assert entry.concepts == 30


def test_another_version_stands_beside_the_first(library, tmp_path):
    for version in ("1", "2"):
        imported(library, numbers(tmp_path, 20), version)
    assert [entry.version for entry in library.entries()] == ["1", "2"]
    assert loaded(library).code_system(URL).info.canonical.version == "2"


def test_what_is_removed_is_gone_with_its_file(library, tmp_path):
    imported(library, numbers(tmp_path, 20))
    library.remove(library.entries())
    assert library.entries() == ()
    assert files(library) == []


def test_a_file_that_the_index_does_not_name_does_not_exist(library, tmp_path):
    imported(library, numbers(tmp_path, 20))
    (library.folder / "codesystems" / "stray-1-0000.codesystem").write_bytes(b"half a file")
    assert len(loaded(library).urls()) == 1
    imported(library, numbers(tmp_path, 21))
    assert len(files(library)) == 1


def test_what_a_killed_import_left_is_removed_by_the_next(library, tmp_path):
    library.folder.mkdir()
    left = library.folder / ".import-dead"
    left.mkdir()
    (left / "lock").touch()
    (left / ".1-1.codesystem.part").write_bytes(b"half")
    imported(library, numbers(tmp_path, 20))
    assert not left.exists()


def test_an_import_under_way_is_left_alone(library, tmp_path):
    with library.staging() as other:
        (other.folder / "mine").write_bytes(b"mine")
        imported(library, numbers(tmp_path, 20))
        assert (other.folder / "mine").exists()


def test_a_code_that_stands_twice_refuses_the_import(library, tmp_path):
    path = numbers(tmp_path, 20)
    path.write_text(path.read_text() + "n3,again,\n")
    with pytest.raises(Invalid) as refused:
        imported(library, path)
    assert refused.value.issues[0].message_id == "OWN_IMPORT_DUPLICATE"
    assert library.entries() == ()


def test_naming_systems_are_told_apart_by_id(library, tmp_path):
    path = tmp_path / "systems.ndjson"
    shared = {"resourceType": "NamingSystem", "url": "http://example.org/n", "name": "N", "status": "active"}
    shared |= {"kind": "codesystem", "date": "2099", "uniqueId": [{"type": "oid", "value": "2.999"}]}
    path.write_text("\n".join(json.dumps(shared | {"id": name}) for name in ("a", "b")))
    load(formats()["fhir"], Source(path, "fhir", {"fhir": "r5"}), library)
    assert [entry.id for entry in library.entries()] == ["a", "b"]


def test_an_index_that_cannot_be_read_is_said(library):
    library.folder.mkdir()
    (library.folder / INDEX).write_text("{")
    with pytest.raises(Invalid, match=str(library.folder)):
        library.entries()


# --- a running server -----------------------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(discovery, "CHECKED_EVERY", 0.0)


@pytest.mark.usefixtures("at_once")
def test_a_running_server_follows_the_folder(library, tmp_path):
    asked = Terminology(data_dir=str(library.folder), installed_content=False)
    base = asked.state.catalog("R5")
    assert base.code_system(URL) is None
    imported(library, numbers(tmp_path, 20))
    assert asked.lookup(URL, "n13").display == "number 13"
    imported(library, numbers(tmp_path, 20, "changed"))
    assert asked.lookup(URL, "n13").display == "changed 13"
    assert asked.subsumes(URL, "n1", "n13").outcome == "subsumes"
    library.remove(library.entries())
    assert asked.state.catalog("R5").code_system(URL) is None


def test_the_folder_is_looked_at_once_a_second(library, tmp_path, monkeypatch):
    imported(library, numbers(tmp_path, 20))
    followed, looks = Loaded(str(library.folder)), []
    monkeypatch.setattr(Library, "stamp", lambda self: looks.append(self) or (1, 1, 1))
    base = Catalog()
    catalogs = {id(followed.over(base)) for _ in range(100)}
    assert len(looks) == 1
    assert len(catalogs) == 1


@pytest.mark.usefixtures("at_once")
def test_what_was_read_stays_when_the_index_breaks(library, tmp_path, caplog):
    imported(library, numbers(tmp_path, 20))
    followed, base = Loaded(str(library.folder)), Catalog()
    assert followed.over(base).code_system(URL) is not None
    (library.folder / INDEX).write_text("{")
    assert followed.over(base).code_system(URL) is not None
    assert "what was read before stays" in caplog.text


def test_a_catalog_in_use_answers_after_its_file_was_replaced(library, tmp_path):
    imported(library, numbers(tmp_path, 20))
    before = loaded(library).code_system(URL)
    imported(library, numbers(tmp_path, 20, "changed"))
    found = before.find("n13")
    assert isinstance(found, Concept)
    assert found.display == "number 13"


def test_a_compiled_code_system_is_found_without_its_concepts(library, tmp_path):
    imported(library, numbers(tmp_path, 20))
    head = loaded(library).find_resource("CodeSystem", "numbers-1")
    assert (head["content"], head["count"]) == ("complete", 20)
    assert head["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "concept" not in head


# --- killed ---------------------------------------------------------------------------------------------------


def killed(arguments: list[str], after: float) -> int:
    """Starts the command in a group of its own and kills it without a chance to clean up."""
    child = subprocess.Popen(
        [sys.executable, "-m", "terminology", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return child.wait(after)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        return child.wait()


@pytest.mark.slow
def test_an_import_killed_at_any_moment_is_all_or_nothing(library, tmp_path):
    """Twenty kills at random moments over the time an import takes: the version before still answers, whole."""
    imported(library, numbers(tmp_path, 1_000, "before"))
    path = numbers(tmp_path, 20_000, "after")
    arguments = ["import", "csv", str(path), "--url", URL, "--version", "1", "--display", "display"]
    arguments += ["--parent", "parent", "--data-dir"]
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "terminology", *arguments, str(tmp_path / "other")], check=True, capture_output=True
    )
    needed = time.monotonic() - begun
    assert done.returncode == 0
    seed = int(os.environ.get("SEED", time.time()))
    moments = random.Random(seed)
    ends = []
    for _ in range(20):
        code = killed([*arguments, str(library.folder)], moments.uniform(0.05, 1.1) * needed)
        [entry] = library.entries()
        provider = loaded(library).code_system(URL)
        ends.append((code, entry.concepts))
        assert entry.concepts in (1_000, 20_000), f"seed {seed}: {ends}"
        assert provider.info.count == entry.concepts
        word = "before" if entry.concepts == 1_000 else "after"
        assert provider.find(f"n{entry.concepts - 1}").display == f"{word} {entry.concepts - 1}"
        assert code != 0 or entry.concepts == 20_000
        if entry.concepts == 20_000:
            imported(library, numbers(tmp_path, 1_000, "before"))
            path = numbers(tmp_path, 20_000, "after")
    assert any(code < 0 for code, _ in ends), f"seed {seed}: nothing was killed"
    subprocess.run(
        [sys.executable, "-m", "terminology", *arguments, str(library.folder)], check=True, capture_output=True
    )
    [entry] = library.entries()
    assert entry.concepts == 20_000
    assert len(files(library)) == 1
    assert not list(library.folder.glob(".import-*"))
    assert json.loads((library.folder / INDEX).read_bytes())["format"] == 1
