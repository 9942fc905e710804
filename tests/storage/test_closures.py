"""Closure tables in the file: versions that never come twice, replay, owners, bounds, and two writers at once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from terminology.issues import TooCostly
from terminology.storage import Bounds, Entry, Member, Table
from terminology.storage.closures import ENTRIES, Closures
from terminology.storage.database import Database

SYSTEM = "https://example.org/system"


def members(*codes: str) -> list[Member]:
    return [Member(SYSTEM, code, code, "1") for code in codes]


def entry(source: str, target: str) -> Entry:
    return Entry(SYSTEM, source, target, "source-is-narrower-than-target")


@pytest.fixture
def closures(database: Database) -> Closures:
    return Closures(database, Bounds(closure_tables=2, closure_limit=3))


def extended(closures: Closures, *codes: str, entries: tuple[Entry, ...] = ()) -> Table:
    seen = closures.table("me", "t")
    assert seen is not None
    grown = closures.extend("me", "t", seen, members(*codes), entries)
    assert grown is not None
    return grown


def test_a_new_table_is_at_version_0_and_each_addition_is_a_new_version(closures: Closures) -> None:
    assert closures.initialise("me", "t").shown == "0"
    assert [extended(closures, "a").shown, extended(closures).shown, extended(closures, "b").shown] == ["1", "2", "3"]


def test_replay_is_what_came_after_a_version(closures: Closures) -> None:
    closures.initialise("me", "t")
    extended(closures, "a")
    extended(closures, "b", entries=(entry("b", "a"),))
    extended(closures, "c", entries=(entry("c", "a"), entry("c", "b")))
    expected = {0: ["b", "c", "c"], 1: ["b", "c", "c"], 2: ["c", "c"], 3: []}
    for version, sources in expected.items():
        found = closures.since("me", "t", version)
        assert found is not None
        assert (found[0].shown, [each.source for each in found[1]]) == ("3", sources)


def test_a_table_made_anew_is_empty_and_goes_on_counting(closures: Closures) -> None:
    closures.initialise("me", "t")
    extended(closures, "a")
    extended(closures, "b", entries=(entry("b", "a"),))
    assert closures.initialise("me", "t").shown == "0"
    table = closures.table("me", "t")
    assert table is not None
    assert (table.shown, table.members, table.entries) == ("0", (), 0)
    assert extended(closures, "a").shown == "3", "version 1 was another table's"


def test_a_table_is_its_owners(closures: Closures) -> None:
    closures.initialise("me", "t")
    assert closures.table("you", "t") is None
    assert closures.since("you", "t", 0) is None
    closures.initialise("you", "t")
    extended(closures, "a")
    theirs = closures.table("you", "t")
    assert theirs is not None
    assert theirs.members == ()


def test_what_was_computed_from_an_old_state_is_not_added(closures: Closures) -> None:
    seen = closures.initialise("me", "t")
    assert closures.extend("me", "t", seen, members("a"), ()) is not None
    assert closures.extend("me", "t", seen, members("b"), ()) is None, "another call came first"
    current = closures.table("me", "t")
    assert current is not None
    closures.initialise("me", "t")
    assert closures.extend("me", "t", current, members("b"), ()) is None, "the table was made anew"


@pytest.mark.parametrize(("count", "fits"), [(3, True), (4, False)])
def test_a_table_holds_no_more_concepts_than_its_bound(closures: Closures, count: int, fits: bool) -> None:
    seen = closures.initialise("me", "t")
    codes = members(*(str(number) for number in range(count)))
    if fits:
        assert closures.extend("me", "t", seen, codes, ()) is not None
        return
    with pytest.raises(TooCostly, match="closure_limit"):
        closures.extend("me", "t", seen, codes, ())
    assert closures.table("me", "t") == seen


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_a_table_holds_no_more_relations_than_its_bound(closures: Closures, extra: int, fits: bool) -> None:
    seen = closures.initialise("me", "t")
    entries = [entry(str(number), "a") for number in range(3 * ENTRIES + extra)]
    if fits:
        assert closures.extend("me", "t", seen, members("a"), entries) is not None
        return
    with pytest.raises(TooCostly, match="closure_limit"):
        closures.extend("me", "t", seen, members("a"), entries)


def test_a_client_has_no_more_tables_than_the_bound_but_may_make_one_anew(closures: Closures) -> None:
    for name in ("one", "two", "one"):
        closures.initialise("me", name)
    closures.initialise("you", "three")
    with pytest.raises(TooCostly, match="closure_tables"):
        closures.initialise("me", "three")


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[list[Database]]:
    opened: list[Database] = []
    yield opened
    for each in opened:
        each.close()


def test_a_table_outlives_the_process(tmp_path: Path, reopened: list[Database]) -> None:
    reopened.extend(Database(str(tmp_path / "kept.sqlite")) for _ in range(2))
    first, second = (Closures(each, Bounds()) for each in reopened)
    first.initialise("me", "t")
    extended(first, "a")
    reopened[0].close()
    table = second.table("me", "t")
    assert table is not None
    assert table.members == tuple(members("a"))
