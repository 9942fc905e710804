"""The resource store keeps one contract over SQLite and over PostgreSQL."""

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from terminology.issues import Unavailable
from terminology.storage import migrations
from terminology.storage import store as storing
from terminology.storage.records import CanonicalTaken, Head, StoreError, Version
from terminology.storage.store import Store, Watch, Writing
from terminology.storage.tables import METADATA
from terminology.storage.watch import FileWatch


def put(
    writing: Writing, identity: str, text: str = "{}", canonical: str | None = None, method: str = "PUT"
) -> Version:
    before = writing.current("CodeSystem", identity)
    number = before.number + 1 if before else 1
    made = Version("CodeSystem", identity, number, writing.generation, method, writing.instant, "R4", text)
    writing.put(made, before, Head(canonical or f"http://x/{identity}"), {"code": frozenset((text, "a" * 3000))})
    return made


def test_what_was_written_is_read_as_it_was_sent(store: Store) -> None:
    text = '{"decimal": 1.100, "date": "2026", "name": "\u00e4\U0001f9ea"}'
    with store.write() as writing:
        made = put(writing, "a", text)
    assert store.read("CodeSystem", "a") == store.version("CodeSystem", "a", 1) == made
    assert made.text == text
    assert store.read("CodeSystem", "b") is store.version("CodeSystem", "a", 2) is None


def test_a_change_that_fails_leaves_nothing(store: Store) -> None:
    def fails() -> None:
        with store.write() as writing:
            put(writing, "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert (store.generation(), store.read("CodeSystem", "a")) == (0, None)


def test_numbers_and_instants_only_rise(store: Store) -> None:
    seen = []
    for _ in range(5):
        with store.write() as writing:
            seen.append((writing.generation, writing.instant))
    assert seen == sorted(seen)
    assert [number for number, _ in seen] == [1, 2, 3, 4, 5]


def test_only_what_changed_after_a_number_is_told(store: Store) -> None:
    for identity in "aba":
        with store.write() as writing:
            put(writing, identity)
    assert [(each.id, each.number) for each in store.changed(0)[1]] == [("b", 1), ("a", 2)]
    assert [(each.id, each.number) for each in store.changed(2)[1]] == [("a", 2)]
    assert store.changed(3) == (3, [])


def test_history_is_whole_and_its_pages_do_not_move_under_writes(store: Store) -> None:
    for identity in "abacab":
        with store.write() as writing:
            put(writing, identity)
    walked, before = [], None
    while True:
        total, page = store.history("CodeSystem", before=before, count=2)
        if not page:
            break
        walked += [(each.id, each.number) for each in page]
        before = page[-1].generation, page[-1].id
        with store.write() as writing:
            put(writing, "new")
    assert walked == [("b", 2), ("a", 3), ("c", 1), ("a", 2), ("b", 1), ("a", 1)]
    assert [each.number for each in store.history("CodeSystem", "a", count=9)[1]] == [3, 2, 1]
    assert total > 6


def test_a_canonical_is_one_resources_alone_until_it_is_deleted(store: Store) -> None:
    with store.write() as writing:
        first = put(writing, "a", canonical="http://x|1")
    with pytest.raises(CanonicalTaken), store.write() as writing:
        put(writing, "b", canonical="http://x|1")
    with store.write() as writing:
        assert writing.owner("CodeSystem", "http://x|1") == "a"
        gone = Version("CodeSystem", "a", 2, writing.generation, "DELETE", writing.instant, "R4", "")
        writing.put(gone, first, Head(), {})
        put(writing, "b", canonical="http://x|1")
    assert store.having("CodeSystem", "code", ["{}"]) == {"b"}


def test_a_version_that_somebody_else_replaced_is_not_written_over(store: Store) -> None:
    with store.write() as writing:
        old = put(writing, "a")
    with store.write() as writing:
        put(writing, "a")
    stale = Version("CodeSystem", "a", 2, 3, "PUT", "2026-11-23T00:00:00.000Z", "R4", "lost")
    with pytest.raises(Unavailable), store.write() as writing:
        writing.put(stale, old, Head(), {})
    assert [each.number for each in store.history("CodeSystem", "a", count=9)[1]] == [2, 1]


def test_terms_of_any_length_are_found(store: Store) -> None:
    with store.write() as writing:
        put(writing, "a", "x" * 5000)
    assert store.having("CodeSystem", "code", ["x" * 5000]) == {"a"}
    assert store.having("CodeSystem", "code", ["x" * 4999, "a" * 2999]) == frozenset()


def test_eight_writers_lose_nothing(store: Store, url: str) -> None:
    """Who waits longer than the store lets anybody wait is told so, and asks again, as a client does."""

    def work(name: str) -> None:
        own, written = Store(url), 0
        while written < 10:
            with suppress(StoreError):
                with own.write() as writing:
                    put(writing, "one", name, canonical="http://one")
                written += 1
        own.close()

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    total, found = store.history("CodeSystem", "one", count=200)
    assert total == store.generation() == 80
    assert [each.number for each in found] == list(range(80, 0, -1))


def test_several_that_start_at_once_make_the_tables_once(url: str) -> None:
    program = "import sys; from terminology.storage.store import Store; print(Store(sys.argv[1]).generation())"
    started = [
        subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [each.communicate()[0].strip() for each in started] == ["0", "0", "0"]


def test_the_watch_sees_every_change(store: Store, url: str) -> None:
    watches: list[Watch | FileWatch] = [Watch(store)]
    if url.startswith("sqlite"):
        watches.append(FileWatch(url.removeprefix("sqlite:///")))
    for number in range(1, 4):
        with store.write() as writing:
            put(writing, "a")
        assert {each.generation() for each in watches} == {number}
    for each in watches:
        each.close()


def test_the_migrations_make_the_tables_that_the_program_uses(store: Store) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])))
    assert ScriptDirectory.from_config(config).get_current_head() == storing.HEAD
    with store._opened().connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "store_version"})
        assert compare_metadata(context, METADATA) == []


def test_a_store_of_a_later_version_is_refused(store: Store, url: str) -> None:
    with store._opened().begin() as connection:
        connection.exec_driver_sql("UPDATE store_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="later version"):
        Store(url)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("mysql://x/y", "not supported"),
        ("sqlite://", "lost"),
        ("sqlite:////nowhere/at/all/store", "cannot be used"),
        ("postgresql://u:secret@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_what_cannot_be_a_store_is_said_without_its_password(wrong: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as refused:
        Store(wrong)
    assert "secret" not in str(refused.value)
