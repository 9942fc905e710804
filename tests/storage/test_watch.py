"""The number of the last change of a SQLite store: never an old one, and not read again while nobody writes."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from terminology.storage import watch
from terminology.storage.watch import FileWatch


@pytest.fixture(params=["delete", "wal"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> sqlite3.Connection:
    """A connection of somebody who writes."""
    connection = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={request.param}")
    connection.execute("CREATE TABLE generation (value INTEGER)")
    connection.execute("INSERT INTO generation VALUES (1)")
    return connection


@pytest.fixture
def watched(tmp_path: Path) -> FileWatch:
    return FileWatch(str(tmp_path / "store.sqlite"))


def reads(watched: FileWatch, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers that were read from the file from now on."""
    seen, read = [], watched._read

    def counted(inode: int) -> int:
        seen.append(read(inode))
        return seen[-1]

    monkeypatch.setattr(watched, "_read", counted)
    return seen


@pytest.mark.parametrize("settled", [watch.SETTLED, 20_000_000], ids=["as it is", "believed after 20 ms"])
def test_every_change_is_seen_at_once(
    store: sqlite3.Connection, watched: FileWatch, monkeypatch: pytest.MonkeyPatch, settled: int
) -> None:
    monkeypatch.setattr(watch, "SETTLED", settled)
    for number in range(2, 60):
        store.execute("UPDATE generation SET value = ?", (number,))
        assert [watched.generation() for _ in range(3)] == [number] * 3
        if number % 10 == 0:
            time.sleep(0.03)
    watched.close()
    store.close()


def test_a_file_that_was_left_alone_is_not_read_again(
    store: sqlite3.Connection, watched: FileWatch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watch, "SETTLED", 20_000_000)
    watched.generation()  # opening a write-ahead log touches it
    time.sleep(0.04)
    seen = reads(watched, monkeypatch)
    assert [watched.generation() for _ in range(50)] == [1] * 50
    assert seen == [1]
    store.execute("UPDATE generation SET value = 2")
    assert watched.generation() == 2
    past = time.time() - 1000
    os.utime(tmp_path / "store.sqlite", (past, past))  # who sets the clock of a file back changes its inode
    assert watched.generation() == 2
    watched.close()
    store.close()


def test_another_file_in_its_place_is_read(watched: FileWatch, store: sqlite3.Connection, tmp_path: Path) -> None:
    assert watched.generation() == 1
    other = sqlite3.connect(tmp_path / "other.sqlite", isolation_level=None)
    other.execute("CREATE TABLE generation (value INTEGER)")
    other.execute("INSERT INTO generation VALUES (7)")
    other.close()
    store.close()
    for name in ("-wal", "-shm"):
        (tmp_path / f"store.sqlite{name}").unlink(missing_ok=True)
    (tmp_path / "other.sqlite").rename(tmp_path / "store.sqlite")
    assert watched.generation() == 7
    (tmp_path / "store.sqlite").unlink()
    assert watched.generation() == 0
    watched.close()
