"""Restores: all is verified before anything changes, and a kill at any moment leaves the old state or the new."""

import hashlib
import io
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import states

from terminology.backup.making import Places, Progress, make
from terminology.backup.restoring import restore
from terminology.catalog import Catalog
from terminology.discovery import Loaded
from terminology.issues import Invalid, NotAllowed, NotSupported, Refusal
from terminology.storage import Member, Storage, restoring
from terminology.storage.durable import written
from terminology.storage.library import Library
from terminology.storage.restoring import RESTORING

RESTORER = """
import sys
from pathlib import Path
import states
from terminology.backup.making import Progress
from terminology.backup.restoring import restore
from terminology.storage import library
library.GRACE = 0
print("begins", flush=True)
restore(Path(sys.argv[1]), states.places(Path(sys.argv[2])), Progress(), replace=True)
"""


@pytest.fixture
def archive(service, tmp_path) -> Path:
    make(tmp_path / "b.tar", service, "1", Progress())
    return tmp_path / "b.tar"


def members(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as held:
        return {each.name: held.extractfile(each).read() for each in held}


def forged(archive: Path, changed: dict[str, bytes | None], **said: object) -> Path:
    """A backup with other members (None takes one away), of which the manifest gives the right sizes and hashes."""
    held = {name: body for name, body in (members(archive) | changed).items() if body is not None}
    manifest = json.loads(held.pop("backup.json")) | said
    manifest["pieces"] = [
        {"name": name, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()} for name, body in held.items()
    ]
    return packed(archive.with_name("forged.tar"), {"backup.json": json.dumps(manifest).encode()} | held)


def packed(path: Path, held: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as out:
        for name, body in held.items():
            header = tarfile.TarInfo(name)
            header.size = len(body)
            out.addfile(header, io.BytesIO(body))
    return path


def refused(path: Path, places: Places) -> str:
    """The sentence of the refusal; nothing has changed."""
    before = states.seen(places)
    with pytest.raises(Refusal) as found:
        restore(path, places, Progress(), replace=True)
    assert states.seen(places) == before
    assert not list(places.library.folder.glob(".restore*"))
    return str(found.value)


# --- what is in the way -----------------------------------------------------------------------------------------


def test_a_restore_replaces_only_when_told_to(archive, tmp_path):
    other = states.grow(tmp_path / "other", "2")
    before = states.seen(other)
    with pytest.raises(NotAllowed, match="--replace"):
        restore(archive, other, Progress(), replace=False)
    assert states.seen(other) == before
    restore(archive, other, Progress(), replace=True)
    assert states.seen(other) == states.seen(states.places(tmp_path / "old"))


def test_closure_tables_alone_are_in_the_way_too(archive, tmp_path, elsewhere):
    new = elsewhere("new")
    storage = Storage(str(new.state))
    storage.closures.initialise("me", "precious")
    storage.close()
    with pytest.raises(NotAllowed, match=r"state\.sqlite"):
        restore(archive, new, Progress(), replace=False)


def test_a_state_file_that_a_server_has_just_made_is_not_in_the_way(archive, elsewhere, service):
    new = elsewhere("new")
    storage = Storage(str(new.state))
    assert storage.closures.table("me", "x") is None
    restore(archive, new, Progress(), replace=False)
    assert storage.closures.table("me", "1") is not None
    storage.close()


def test_what_the_backup_lacks_is_gone_with_its_files(archive, tmp_path):
    other = states.grow(tmp_path / "other", "2")
    restore(archive, other, Progress(), replace=True)
    named = {entry.file for entry in other.library.entries()}
    found = {str(each.relative_to(other.library.folder)) for each in other.library.folder.glob("*/*")}
    assert found == named


def test_a_dry_run_verifies_and_changes_nothing(archive, elsewhere):
    new = elsewhere("new")
    restore(archive, new, Progress(), replace=False, dry_run=True)
    assert new.library.entries() == ()
    assert not new.state.exists()


def test_a_part_without_a_place_is_a_refusal_that_names_the_setting(archive, tmp_path):
    with pytest.raises(Invalid, match="--state-path or set TERMINOLOGY_STATE_PATH"):
        restore(archive, Places(Library(tmp_path / "new")), Progress(), replace=False)


# --- damaged and hostile archives ---------------------------------------------------------------------------------


def test_no_byte_of_a_member_can_change_unnoticed(archive, tmp_path):
    other = states.grow(tmp_path / "other", "2")
    body = bytearray(archive.read_bytes())
    with tarfile.open(archive) as held:
        spots = [(each.name, each.offset_data + each.size // 2) for each in held if each.size]
    for name, spot in spots:
        body[spot] ^= 1
        (tmp_path / "damaged.tar").write_bytes(body)
        body[spot] ^= 1
        assert refused(tmp_path / "damaged.tar", other), name


@pytest.mark.parametrize("part", [0, 100, 512, 3000, 20_000, -1])
def test_a_cut_archive_is_refused(archive, tmp_path, part):
    other = states.grow(tmp_path / "other", "2")
    body = archive.read_bytes()
    (tmp_path / "cut.tar").write_bytes(body[: part if part >= 0 else len(body) * 3 // 4])
    assert refused(tmp_path / "cut.tar", other)


def test_a_later_format_is_not_guessed_at(archive, elsewhere):
    with pytest.raises(NotSupported, match="Restore it with the version that made it"):
        restore(forged(archive, {}, format=2), elsewhere("new"), Progress(), replace=False)


@pytest.mark.parametrize(
    "name",
    [
        "library/resources/../../evil.json",
        "/library/resources/evil.json",
        "library/resources/.hidden.json",
        "library/evil.json",
        "library/resources/sub/evil.json",
        "evil",
        "library/codesystems/evil.so",
        "C:evil.json",
    ],
)
def test_a_name_that_is_none_of_ours_refuses_the_archive(archive, tmp_path, name):
    other = states.grow(tmp_path / "other", "2")
    assert refused(forged(archive, {name: b"{}"}), other)
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_refuses_the_archive(archive, tmp_path, kind):
    other = states.grow(tmp_path / "other", "2")
    with tarfile.open(tmp_path / "linked.tar", "w") as out:
        for name, body in members(archive).items():
            header = tarfile.TarInfo(name)
            header.size = len(body)
            if name.endswith(".json") and "resources" in name:
                header = tarfile.TarInfo(name)
                header.type, header.linkname = kind, "/etc/passwd"
            out.addfile(header, io.BytesIO(body))
    assert "link or a device" in refused(tmp_path / "linked.tar", other)


def test_a_member_that_comes_twice_or_is_not_named_refuses_the_archive(archive, tmp_path):
    other = states.grow(tmp_path / "other", "2")
    held = members(archive)
    body = packed(tmp_path / "plain.tar", held).read_bytes().rstrip(b"\0")
    one = next(name for name in held if "resources" in name)
    again = packed(tmp_path / "one.tar", {one: held[one]}).read_bytes()
    (tmp_path / "twice.tar").write_bytes(body + b"\0" * (-len(body) % 512) + again)
    assert "comes twice" in refused(tmp_path / "twice.tar", other)
    missing = packed(tmp_path / "missing.tar", {name: body for name, body in held.items() if name != one})
    assert "is missing" in refused(missing, other)
    more = packed(tmp_path / "more.tar", held | {"library/resources/more.json": b"{}"})
    assert "not in its manifest" in refused(more, other)


def test_a_size_that_lies_is_noticed_before_the_disk_is_full(archive, tmp_path):
    other = states.grow(tmp_path / "other", "2")
    held = members(archive)
    manifest = json.loads(held["backup.json"])
    manifest["pieces"][0]["size"] = 1 << 50
    held["backup.json"] = json.dumps(manifest).encode()
    assert "Make room" in refused(packed(tmp_path / "large.tar", held), other)


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 1, "pieces": [{"name": "library/index.json"}]}', b"[" * 100_000]
    + [
        json.dumps({"format": 1, "pieces": [{"name": "library/index.json", "size": size, "sha256": digest}]}).encode()
        for size, digest in ((-1, "0" * 64), (True, "0" * 64), (1, "../x"), ("1", "0" * 64))
    ],
)
def test_a_manifest_of_another_shape_is_refused(tmp_path, manifest):
    other = states.grow(tmp_path / "other", "2")
    assert refused(packed(tmp_path / "b.tar", {"backup.json": manifest}), other)


@pytest.mark.parametrize(
    "index",
    [
        b"{}",
        b"[]",
        b'{"format": 9, "entries": []}',
        b'{"format": 1, "entries": [{"file": "../../passwd", "kind": "x", "url": "x", "version": "x", "id": "x"}]}',
        b'{"format": 1, "entries": [{"evil": 1}]}',
        b'{"format": 1, "entries": []}',
        b"[" * 100_000,
    ],
)
def test_an_index_that_does_not_fit_the_files_is_refused(archive, tmp_path, index):
    other = states.grow(tmp_path / "other", "2")
    assert refused(forged(archive, {"library/index.json": index}), other)


@pytest.mark.parametrize(
    "evil",
    [
        "CREATE TRIGGER t AFTER INSERT ON cache BEGIN DELETE FROM closure; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE extra (n)",
        "CREATE VIRTUAL TABLE f USING fts5 (x)",
        "PRAGMA user_version = 99",
        "DROP TABLE closure_entry",
    ],
)
def test_a_state_database_with_anything_added_is_refused(archive, tmp_path, evil):
    other = states.grow(tmp_path / "other", "2")
    (tmp_path / "evil.sqlite").write_bytes(members(archive)["state.sqlite"])
    with closing(sqlite3.connect(tmp_path / "evil.sqlite", isolation_level=None)) as held:
        held.execute(evil)
    path = forged(archive, {"state.sqlite": (tmp_path / "evil.sqlite").read_bytes()})
    assert "state.sqlite" in refused(path, other)


@pytest.mark.parametrize("body", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
@pytest.mark.parametrize("name", ["state.sqlite", "store.sqlite", "codesystem"])
def test_a_database_that_is_none_is_refused(archive, tmp_path, name, body):
    other = states.grow(tmp_path / "other", "2")
    found = next((each for each in members(archive) if each.endswith(name)), name)
    assert found in refused(forged(archive, {found: body}), other)


# --- kills --------------------------------------------------------------------------------------------------------


def test_killed_at_any_moment_the_old_state_or_the_new_is_there(archive, tmp_path):
    """What a reader finds after each kill is one of the two in all parts, and the next restore is none the worse."""
    random.seed(seed := random.randrange(1 << 30))
    new = states.seen(states.places(tmp_path / "old"))
    other = states.grow(tmp_path / "other", "2")
    old = states.seen(other)
    make(tmp_path / "back.tar", other, "1", Progress())
    environment = os.environ | {"PYTHONPATH": str(Path(states.__file__).parent)}
    outcomes = {"old": 0, "new": 0}
    for _ in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", RESTORER, str(archive), str(tmp_path / "other")],
            stdout=subprocess.PIPE,
            env=environment,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.12))
            process.send_signal(signal.SIGKILL)
        found = states.seen(other)
        assert found in (old, new), f"seed {seed}"
        outcomes["old" if found == old else "new"] += 1
        if found == new:
            restore(tmp_path / "back.tar", other, Progress(), replace=True)
            assert states.seen(other) == old
    assert sum(outcomes.values()) == 20
    restore(archive, other, Progress(), replace=True)
    assert states.seen(other) == new
    assert not list(other.library.folder.glob(".restore*"))


@pytest.mark.parametrize("step", range(12))
def test_stopped_after_any_step_it_is_the_old_state_or_the_new(archive, tmp_path, monkeypatch, step):
    """Every rename, removal and copy of the decisive part fails in turn, as if the process had ended there."""
    new = states.seen(states.places(tmp_path / "old"))
    other = states.grow(tmp_path / "other", "2")
    old = states.seen(other)
    left = step

    class Killed(BaseException):
        pass

    def counted(function):
        def call(*arguments, **options):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "written", counted(written))
        patched.setattr(restoring, "_pour", counted(restoring._pour))
        patched.setattr(Path, "replace", counted(Path.replace))
        patched.setattr(Path, "unlink", counted(Path.unlink))
        with suppress(Killed):
            restore(archive, other, Progress(), replace=True)
    decided = (other.library.folder / RESTORING).exists()
    assert states.seen(other) == (new if decided or step > 2 else old)
    assert not (other.library.folder / RESTORING).exists()


def test_a_running_service_finishes_a_restore_that_was_decided(archive, tmp_path, monkeypatch):
    other = states.grow(tmp_path / "other", "2")
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "finish", lambda _: None)
        restore(archive, other, Progress(), replace=True)
    assert (other.library.folder / RESTORING).exists()
    found = Loaded(str(other.library.folder)).over(Catalog())
    assert [each.info.canonical.version for each in found.editions(states.URL)] == ["1"]
    assert not list(other.library.folder.glob(".restore*"))


def test_an_open_service_goes_on_with_the_restored_closure_tables(archive, tmp_path):
    other = states.grow(tmp_path / "other", "2")
    storage = Storage(str(other.state))
    assert storage.closures.table("me", "2") is not None
    restore(archive, other, Progress(), replace=True)
    assert storage.closures.table("me", "2") is None
    table = storage.closures.table("me", "1")
    assert table is not None
    assert storage.closures.extend("me", "1", table, [Member("s", "x", "x", None)], ()) is not None
    storage.close()
