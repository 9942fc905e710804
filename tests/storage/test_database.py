"""The state file: whose it is, who may read it, and what happens when it cannot be used."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from terminology.issues import Unavailable
from terminology.storage import Storage
from terminology.storage import database as opening
from terminology.storage.database import Database, NotOursError, temporary


def test_the_file_is_readable_by_its_user_only_and_never_in_wal_mode(database: Database) -> None:
    assert stat.S_IMODE(Path(database.path).stat().st_mode) == 0o600
    with database.read() as connection:
        modes = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["delete", 2]


def test_a_private_file_ends_with_its_database() -> None:
    held = Database()
    folder = Path(held.path).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    held.close()
    assert not folder.exists()


def test_a_temporary_path_is_gone_after_its_block() -> None:
    with temporary() as path:
        held = Database(path)
        assert Path(path).exists()
        held.close()
    assert not Path(path).parent.exists()


def test_a_storage_makes_no_file_before_something_is_kept(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "state.sqlite"))
    assert not storage.opened
    assert list(tmp_path.iterdir()) == []
    storage.caches.end("me", "R5", "nothing")
    assert storage.opened
    storage.close()


def test_a_service_that_keeps_nothing_never_opens_its_file_and_a_lookup_needs_no_sqlite(tmp_path: Path) -> None:
    program = (
        "import sys, terminology\n"
        "service = terminology.Terminology()\n"
        "service.lookup('http://www.ama-assn.org/go/cpt', '38232')\n"
        "print(service.state.storage.opened, 'terminology.storage.database' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == ["False", "False"]


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def later(path: Path) -> None:
    Database(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(foreign, "no state file of this version", id="another program's"),
        pytest.param(later, "no state file of this version", id="of a later version"),
        pytest.param(lambda path: path.write_text("dear diary, " * 100), "no SQLite file", id="no database"),
        pytest.param(Path.mkdir, "is no file", id="a folder"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, make, said: str) -> None:
    path = tmp_path / "theirs"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(NotOursError, match=said):
        Database(str(path))
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_file_that_another_one_writes_for_too_long_is_unavailable_not_broken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "BUSY", 0.05)
    outcome: list[BaseException] = []

    def other() -> None:
        try:
            with database.write():
                pass
        except Unavailable as refused:
            outcome.append(refused)

    with database.write():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert [type(each) for each in outcome] == [Unavailable]
    with database.write() as connection:
        assert connection.execute("SELECT count(*) FROM cache").fetchone() == (0,)


def test_what_a_block_did_before_it_failed_is_undone(database: Database) -> None:
    insert = "INSERT INTO closure (owner, name, version, floor) VALUES ('a', 'b', 0, 0)"
    with suppress(ZeroDivisionError), database.write() as connection:
        connection.execute(insert)
        _ = 1 / 0
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM closure").fetchone() == (0,)


def test_a_fork_opens_its_own_connection(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM cache").fetchone() == (0,)
    insert = "INSERT INTO closure (owner, name, version, floor) VALUES ('child', 'b', 0, 0)"
    child = os.fork()
    if not child:
        outcome = 1
        with suppress(Exception), database.write() as inherited:
            inherited.execute(insert)
            outcome = int(inherited is connection)
        os._exit(outcome)
    assert os.waitpid(child, 0)[1] == 0
    with database.read() as connection:
        assert connection.execute("SELECT owner FROM closure").fetchone() == ("child",)
