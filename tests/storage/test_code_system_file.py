"""Code-system files: sizes that are kept, and files that are not what they should be."""

from __future__ import annotations

import gc
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from terminology.model import Canonical, CodeSystemInfo, Concept, Filter, Property, PropertyDefinition, Query
from terminology.providers.file import FileProvider
from terminology.storage import code_system_file, code_system_texts
from terminology.storage.code_system_compiler import Duplicate, compile_file
from terminology.storage.code_system_file import FORMAT, CodeSystemFile
from terminology.storage.code_system_texts import MANY

INFO = CodeSystemInfo(
    Canonical("http://example.org/large", "1"), subsumption="known", properties=(PropertyDefinition("kind", "code"),)
)
SIZE = 3 * MANY


def concepts(size: int) -> Iterator[Concept]:
    """A root, a branch of half of them, and every second of one kind."""
    for number in range(1, size + 1):
        parents = () if number == 1 else ("C1",) if number <= size // 2 else ("C2",)
        kind = Property("kind", "Code", "even" if number % 2 == 0 else "odd")
        yield Concept(f"C{number}", parents=parents, properties=(kind,), inactive=number % 5 == 0)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> FileProvider:
    path, _ = compile_file(INFO, concepts(SIZE), tmp_path_factory.mktemp("large"))
    return FileProvider.open(path)


@pytest.mark.parametrize("active_only", [False, True])
@pytest.mark.parametrize(
    "filters",
    [
        (Filter("concept", "is-a", "C1"),),
        (Filter("concept", "descendent-of", "C1"),),
        (Filter("concept", "is-a", "C2"),),
        (Filter("concept", "descendent-of", "C2"),),
        (Filter("concept", "is-a", "C3"),),
        (Filter("concept", "is-a", "nothing"),),
        (Filter("kind", "=", "even"),),
        (Filter("kind", "=", "neither"),),
        (Filter("kind", "=", "odd"), Filter("concept", "is-a", "C2")),
        (),
    ],
)
def test_the_number_of_an_answer_is_that_of_its_list(
    large: FileProvider, filters: tuple[Filter, ...], active_only: bool
):
    query = Query(filters=filters, active_only=active_only)
    assert large.count(query) == len(list(large.select(query)))


def test_sizes_that_are_kept_are_right(large: FileProvider):
    assert dict(large.file.rows("SELECT code, concepts FROM below JOIN concept ON id = ancestor")) == {
        "C1": SIZE,
        "C2": SIZE // 2 + 1,
    }
    assert dict(large.file.rows("SELECT text, concepts FROM with_property")) == {"even": SIZE // 2, "odd": SIZE // 2}


@pytest.mark.parametrize(("least", "mapped"), [(0, True), (code_system_file.LARGE, False)])
def test_a_large_file_is_mapped_and_says_the_same(
    large: FileProvider, least: int, mapped: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(code_system_file, "LARGE", least)
    again = FileProvider.open(large.file.path)
    [(size,)] = again.file.rows("PRAGMA mmap_size")
    assert (size > 0) is mapped
    assert all(again.find(f"C{number}") == large.find(f"C{number}") for number in (1, 2, SIZE, SIZE + 1))


def test_a_code_that_stands_twice_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(Duplicate, match="C1"):
        compile_file(INFO, [Concept("C1"), Concept("C2"), Concept("C1")], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_same_content_has_the_same_name(tmp_path: Path):
    first, one = compile_file(INFO, concepts(20), tmp_path / "a")
    second, two = compile_file(INFO, concepts(20), tmp_path / "b")
    assert (first.name, one.hash) == (second.name, two.hash)


def test_another_process_makes_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(code_system_texts, "FEW", 7)
    alone, one = compile_file(INFO, concepts(SIZE), tmp_path / "a")
    together, two = compile_file(INFO, concepts(SIZE), tmp_path / "b", aside=True)
    assert (alone.name, one.hash) == (together.name, two.hash)
    assert list((tmp_path / "b").iterdir()) == [together]


@pytest.mark.parametrize(
    ("program", "said"),
    [("/bin/false", "ended with 1"), ("/bin/true", "ended too early|no such table"), ("/nowhere", "nowhere")],
)
def test_another_process_that_fails_says_so_and_leaves_nothing_behind(
    tmp_path: Path, program: str, said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(code_system_texts, "FEW", 7)
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises((sqlite3.OperationalError, OSError), match=said):
        compile_file(INFO, concepts(SIZE), tmp_path, aside=True)
    assert list(tmp_path.iterdir()) == []


def test_another_process_ends_with_its_sender_and_tells_what_went_wrong(tmp_path: Path):
    command = [sys.executable, "-c", "from terminology.storage.code_system_texts import main; main()"]

    def ended(path: Path, sent: bytes) -> tuple[int, bytes, bytes]:
        done = subprocess.run([*command, str(path)], input=sent, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    assert ended(tmp_path / "texts", pickle.dumps(([1, "a"], []))) == (1, b"", b"")
    assert ended(tmp_path / "none" / "texts", b"") == (1, b"unable to open database file", b"")


def test_a_code_that_stands_twice_among_many_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(code_system_texts, "FEW", 7)
    with pytest.raises(Duplicate, match="C7"):
        compile_file(INFO, [*concepts(SIZE), Concept("C7")], tmp_path, aside=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_format_says_what_to_do(tmp_path: Path):
    path, _ = compile_file(INFO, concepts(3), tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE meta SET value = ? WHERE name = 'format'", (str(FORMAT - 1),))
    database.close()
    with pytest.raises(ValueError, match="Import its source again"):
        CodeSystemFile(path)


def test_what_is_no_database_cannot_be_read(tmp_path: Path):
    path = tmp_path / "torn.codesystem"
    path.write_bytes(b"SQLite format 3\0 and then nothing of it")
    with pytest.raises(OSError, match="cannot be read"):
        CodeSystemFile(path)


def _used(file: CodeSystemFile, together: Barrier, held: list[sqlite3.Connection]) -> None:
    with file.connected() as connection:
        together.wait(10)
        held.append(connection)
        assert connection.execute("SELECT count(*) FROM concept").fetchone() == (3,)


def test_as_many_connections_are_opened_as_are_used_at_once_and_closed_with_the_file(tmp_path: Path):
    path, _ = compile_file(INFO, concepts(3), tmp_path)
    file = CodeSystemFile(path)
    held: list[sqlite3.Connection] = []
    for _ in range(3):
        together = Barrier(2)
        threads = [Thread(target=_used, args=(file, together, held)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(held) == 6
    assert file.row("SELECT count(*) FROM concept") == (3,)
    assert len(set(map(id, held))) == 2
    del file
    gc.collect()
    for connection in held:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def _reading(file: CodeSystemFile) -> Iterator[sqlite3.Connection]:
    with file.connected() as connection:
        yield connection


def test_a_reader_that_goes_with_its_file_leaves_no_connection_open(tmp_path: Path):
    file = CodeSystemFile(compile_file(INFO, concepts(3), tmp_path)[0])
    reader = _reading(file)
    held = [next(reader)]
    circle: list[Any] = [file, reader]
    circle.append(circle)
    del file, reader, circle
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        held[0].execute("SELECT 1")


def test_the_connection_that_was_used_last_is_taken_first(tmp_path: Path):
    file = CodeSystemFile(compile_file(INFO, concepts(3), tmp_path)[0])
    with file.connected() as first, file.connected() as second:
        assert first is not second
    with file.connected() as again:
        assert again is first


def test_a_query_that_fails_gives_its_connection_back(tmp_path: Path):
    file = CodeSystemFile(compile_file(INFO, concepts(3), tmp_path)[0])
    with file.connected() as connection:
        pass
    for ask in (file.row, file.rows):
        with pytest.raises(sqlite3.OperationalError):
            ask("SELECT nothing FROM nowhere")
    assert file.row("SELECT count(*) FROM concept") == (3,)
    with file.connected() as again:
        assert again is connection


def test_a_child_uses_no_connection_of_its_parent(tmp_path: Path):
    program = (
        "import os, sys; from pathlib import Path;"
        "from terminology.storage.code_system_file import CodeSystemFile;"
        "file = CodeSystemFile(Path(sys.argv[1])); context = file.connected(); held = context.__enter__();"
        "context.__exit__(None, None, None); child = os.fork();"
        "context = file.connected(); mine = context.__enter__();"
        "count = mine.execute('SELECT count(*) FROM concept').fetchone()[0];"
        "[code] = file.row('SELECT 0 FROM concept LIMIT 1');"
        "code = code if (mine is held) == bool(child) and count == 3 else 1;"
        "code = code or (os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0); os._exit(code)"
    )
    path, _ = compile_file(INFO, concepts(3), tmp_path)
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60).returncode == 0
