"""Backups: one file that is complete or not there, taken while others read and write."""

import json
import sqlite3
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import closing

import pytest
import states

from terminology.backup.making import Progress, make
from terminology.backup.restoring import restore
from terminology.issues import Invalid, NotFound, Unavailable
from terminology.storage import copies
from terminology.storage.jobs import Jobs
from terminology.storage.records import Chunk, Job
from terminology.storage.store import Store

WRITER = """
import sys
from terminology.storage import Member, Storage
storage = Storage(sys.argv[1])
table = storage.closures.table("me", "w") or storage.closures.initialise("me", "w")
number = 0
while True:
    number += 1
    members = [Member("s", f"{number}-{part}", "c", None) for part in range(5)]
    table = storage.closures.extend("me", "w", table, members, ())
    print(number, flush=True)
    if len(table.members) > 5000:
        table = storage.closures.initialise("me", "w")
"""


def test_what_is_backed_up_is_all_that_comes_back(service, elsewhere, tmp_path):
    make(tmp_path / "b.tar", service, "1", Progress())
    new = elsewhere("new")
    restore(tmp_path / "b.tar", new, Progress(), replace=False)
    assert states.seen(new) == states.seen(service)


def test_caches_are_not_kept_and_closure_tables_are(service, elsewhere, tmp_path):
    make(tmp_path / "b.tar", service, "1", Progress())
    new = elsewhere("new")
    restore(tmp_path / "b.tar", new, Progress(), replace=False)
    with closing(sqlite3.connect(new.state)) as held:
        assert held.execute("SELECT count(*) FROM cache").fetchone() == (0,)
        assert held.execute("SELECT count(*) FROM closure_member").fetchone() == (1,)


def test_records_that_wait_to_be_judged_are_not_kept(service, tmp_path):
    """They are patients' data: neither a row nor a byte of a free page goes into a backup."""
    store = Store(f"sqlite:///{service.store}")
    jobs = Jobs(store, 30, 3600)
    jobs.open(Job("a", "me", "R4", "http://x", "Jane Doe", None, "2026-01-01T00:00:00.000Z"), 1)
    jobs.add("a", 0, Chunk(1, 1, b"Jane Doe"))
    store.close()
    assert b"Jane Doe" in service.store.read_bytes()
    make(tmp_path / "b.tar", service, "1", Progress())
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert "store.sqlite" in archive.getnames()
    assert b"Jane Doe" not in (tmp_path / "b.tar").read_bytes()


def test_the_resource_store_comes_back_with_its_history(service, elsewhere, tmp_path):
    Store(f"sqlite:///{service.store}").close()
    with closing(sqlite3.connect(service.store, isolation_level=None)) as held:
        held.execute("UPDATE generation SET value = 7")
        held.execute("INSERT INTO history VALUES ('ValueSet', 'a', 1, 7, 'PUT', '2026-01-01T00:00:00Z', 'R5', '{}')")
    make(tmp_path / "b.tar", service, "1", Progress())
    new = elsewhere("new")
    restore(tmp_path / "b.tar", new, Progress(), replace=False)
    store = Store(f"sqlite:///{new.store}")
    assert store.generation() == 7
    assert store.history("ValueSet", count=5)[0] == 1
    store.close()


def test_a_backup_is_private_and_leaves_nothing_else_behind(service, tmp_path):
    make(tmp_path / "b.tar", service, "1", Progress())
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".*"))
    assert not list(service.library.folder.glob(".import-*"))


def test_progress_ends_at_all_of_it(service, tmp_path):
    told = []
    make(tmp_path / "b.tar", service, "1", Progress(lambda progress: told.append((progress.done, progress.total))))
    assert told[-1][0] == told[-1][1] > 0
    assert told == sorted(told)


def test_a_file_that_cannot_be_written_is_a_refusal(service, tmp_path):
    with pytest.raises(Invalid, match=r"no\.folder.*cannot be written"):
        make(tmp_path / "no.folder" / "b.tar", service, "1", Progress())


def test_a_folder_that_is_not_there_is_a_refusal_not_an_empty_backup(elsewhere, tmp_path):
    with pytest.raises(NotFound, match="nothing to back up"):
        make(tmp_path / "b.tar", elsewhere("typo"), "1", Progress())
    assert not (tmp_path / "b.tar").exists()


def test_a_failed_backup_leaves_the_earlier_one(service, tmp_path, monkeypatch):
    make(tmp_path / "b.tar", service, "1", Progress())
    before = (tmp_path / "b.tar").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("terminology.backup.making._write", full)
    with pytest.raises(Invalid, match="No space left"):
        make(tmp_path / "b.tar", service, "2", Progress())
    assert (tmp_path / "b.tar").read_bytes() == before


def test_an_import_during_a_backup_neither_waits_nor_harms_it(service, elsewhere, tmp_path, monkeypatch):
    """The import replaces and removes files that the backup has yet to copy."""
    before = states.seen(service)

    def show(progress: Progress) -> None:
        if not done.is_set():
            done.set()
            service.library.remove(service.library.entries())
            states.grow(tmp_path / "old", "2")

    done = threading.Event()
    make(tmp_path / "b.tar", service, "1", Progress(show))
    assert done.is_set()
    new = elsewhere("new")
    restore(tmp_path / "b.tar", new, Progress(), replace=False)
    assert states.seen(new)[0] == before[0]
    assert states.seen(service)[0] != before[0]


def test_a_backup_while_a_writer_writes_is_one_moment(service, elsewhere, tmp_path):
    """Each change writes five codes in one transaction: a copy has all five or none. Writers go on meanwhile."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(service.state)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        for number in range(5):
            writer.stdout.readline()
            make(tmp_path / f"{number}.tar", service, "1", Progress())
            said = int(writer.stdout.readline())
        assert writer.poll() is None
        assert said > 5
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    for number in range(5):
        new = elsewhere(f"new{number}")
        restore(tmp_path / f"{number}.tar", new, Progress(), replace=False)
        codes = states.tables(new.state)
        changes = {code.partition("-")[0] for code in codes if "-" in code}
        assert len(codes) == 1 + 5 * len(changes)


def test_a_database_that_never_rests_is_copied_in_one_step(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "PAGES", 1)
    path = tmp_path / "busy.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("CREATE TABLE t (n INTEGER, filler TEXT)")
        held.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * 3000) for n in range(60)))
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as mine:
            while not stop.is_set():
                mine.execute("UPDATE t SET filler = filler || 'y' WHERE n = 0")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies.copy(path, tmp_path / "copy.sqlite")
    finally:
        stop.set()
        writer.join()
    with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as held:
        assert held.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert held.execute("SELECT count(*) FROM t").fetchone() == (60,)


def test_a_database_that_stays_locked_is_a_refusal(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "PATIENCE", 0.2)
    path = tmp_path / "locked.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("CREATE TABLE t (n INTEGER)")
        held.execute("BEGIN EXCLUSIVE")
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="Run this again"):
            copies.copy(path, tmp_path / "copy.sqlite")
        assert time.monotonic() - begun < 10


def test_every_tar_reads_it(service, tmp_path):
    make(tmp_path / "b.tar", service, "1", Progress())
    with tarfile.open(tmp_path / "b.tar") as archive:
        names = archive.getnames()
        assert names[:2] == ["backup.json", "library/index.json"]
        held = json.load(archive.extractfile("backup.json"))
    assert {piece["name"] for piece in held["pieces"]} == set(names[1:])
