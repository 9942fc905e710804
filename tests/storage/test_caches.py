"""Caches: private, bounded in number, bytes and idle age, and the least recently used one goes first."""

import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from terminology.issues import TooLarge
from terminology.storage import Stored, content
from terminology.storage.caches import Caches
from terminology.storage.database import Database


def stored(key: str, text: str = "{}") -> Stored:
    return Stored(key, f"digest of {key} {text}".encode(), text.encode())


A, B = stored("A", "a" * 10), stored("B", "b" * 10)
UNSEALED = "3b241101-e2bb-4255-8caf-4136c566a962"


def held(caches: Caches, identity: str, owner: str = "me", fhir: str = "R5") -> list[str] | None:
    cache = caches.find(owner, fhir, identity)
    return None if cache is None else [each.key for each in caches.resources(cache)]


def test_a_cache_holds_what_it_was_started_with_in_order(caches: Callable[..., Caches]) -> None:
    made = caches()
    identity = made.start("me", "R5", [B, A], sealed=True)
    cache = made.find("me", "R5", identity)
    assert cache is not None
    assert (cache.issued, cache.sealed, cache.content) == (True, True, content([B.digest, A.digest]))
    assert made.resources(cache) == [B, A]


def test_ids_are_fhir_ids_that_nobody_guesses(caches: Callable[..., Caches]) -> None:
    drawn = {caches(cache_limit=1).start("me", "R5", [], sealed=True) for _ in range(50)}
    assert len(drawn) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9.-]{32,64}", each) for each in drawn)


@pytest.mark.parametrize(
    ("owner", "fhir", "seen"),
    [("me", "R5", True), ("you", "R5", False), ("me", "R4", False)],
)
def test_a_cache_is_there_for_its_owner_and_fhir_version_only(
    caches: Callable[..., Caches], owner: str, fhir: str, seen: bool
) -> None:
    made = caches()
    identity = made.start("me", "R5", [A], sealed=False)
    assert (made.find(owner, fhir, identity) is not None) is seen
    assert (made.add(owner, fhir, identity, [B]) is not None) is seen
    assert made.end(owner, fhir, identity) is seen


def test_the_same_id_of_two_clients_is_two_caches(caches: Callable[..., Caches]) -> None:
    made = caches()
    made.add("me", "R5", UNSEALED, [A], create=True)
    made.add("you", "R5", UNSEALED, [B], create=True)
    assert held(made, UNSEALED) == ["A"]
    assert held(made, UNSEALED, "you") == ["B"]


def test_what_is_added_comes_after_and_a_new_text_takes_the_place_of_the_old(caches: Callable[..., Caches]) -> None:
    made = caches()
    first = made.add("me", "R5", UNSEALED, [A, B], create=True)
    newer = stored("A", "newer")
    grown = made.add("me", "R5", UNSEALED, [newer])
    assert first is not None
    assert grown is not None
    assert made.resources(grown) == [newer, B]
    assert grown.content != first.content
    assert (grown.issued, grown.sealed) == (False, False)


def test_an_unknown_id_is_made_only_where_that_is_wanted(caches: Callable[..., Caches]) -> None:
    assert caches().add("me", "R5", UNSEALED, [A]) is None
    assert caches().add("me", "R5", UNSEALED, [A], create=True) is not None


def test_an_ended_cache_is_gone_with_what_it_held(caches: Callable[..., Caches], database: Database) -> None:
    made = caches()
    identity = made.start("me", "R5", [A], sealed=True)
    assert made.end("me", "R5", identity)
    assert not made.end("me", "R5", identity)
    assert held(made, identity) is None
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM cached").fetchone() == (0,)


# --- bounds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "there"), [(59.9, True), (60, True), (60.1, False)])
def test_a_cache_ends_when_it_was_idle_for_longer_than_the_bound(caches, clock, seconds: float, there: bool) -> None:
    made = caches(cache_idle=60)
    identity = made.start("me", "R5", [A], sealed=True)
    clock.now += seconds
    assert (made.find("me", "R5", identity) is not None) is there


def test_a_use_begins_the_idle_time_anew(caches, clock) -> None:
    made = caches(cache_idle=60)
    identity = made.start("me", "R5", [A], sealed=True)
    for _ in range(5):
        clock.now += 50
        assert made.find("me", "R5", identity) is not None


def test_uses_within_a_second_write_nothing(caches, clock, database: Database) -> None:
    made = caches()
    identity = made.start("me", "R5", [A], sealed=True)

    def changes() -> int:
        with database.read() as connection:
            return int(connection.total_changes)

    before = changes()
    for _ in range(10):
        clock.now += 0.09
        made.find("me", "R5", identity)
    assert changes() == before
    clock.now += 1
    made.find("me", "R5", identity)
    assert changes() == before + 1


def test_expired_caches_leave_the_file_when_another_one_starts(caches, clock, database: Database) -> None:
    made = caches(cache_idle=60)
    made.start("me", "R5", [A], sealed=True)
    clock.now += 61
    made.start("me", "R5", [B], sealed=True)
    with database.read() as connection:
        assert connection.execute("SELECT key FROM cached").fetchall() == [("B",)]


@pytest.mark.parametrize(("limit", "left"), [(3, {"first", "second", "third"}), (2, {"first", "third"})])
def test_over_the_number_the_least_recently_used_one_goes(caches, clock, limit: int, left: set[str]) -> None:
    made, ids = caches(cache_limit=limit), {}
    for name in ("first", "second"):
        ids[name] = made.start("me", "R5", [A], sealed=True)
        clock.now += 10
    made.find("me", "R5", ids["first"])
    clock.now += 10
    ids["third"] = made.start("me", "R5", [A], sealed=True)
    assert {name for name, identity in ids.items() if held(made, identity) is not None} == left


@pytest.mark.parametrize(("limit", "left"), [(20, {"first", "second"}), (19, {"second"})])
def test_over_the_bytes_of_all_the_least_recently_used_one_goes(caches, clock, limit: int, left: set[str]) -> None:
    made, ids = caches(cache_bytes=limit), {}
    for name in ("first", "second"):
        ids[name] = made.start("me", "R5", [A], sealed=True)
        clock.now += 10
    assert {name for name, identity in ids.items() if held(made, identity) is not None} == left


def test_a_cache_that_grows_pushes_others_out_but_never_itself(caches, clock) -> None:
    made = caches(cache_bytes=25)
    older, newer = (made.start("me", "R5", [A], sealed=False) for _ in range(2))
    clock.now += 10
    made.add("me", "R5", older, [B])
    assert held(made, older) == ["A", "B"]
    assert held(made, newer) is None


@pytest.mark.parametrize(
    ("bounds", "fits", "named"),
    [
        ({"cache_size": 20}, True, ""),
        ({"cache_size": 19}, False, "cache_size"),
        ({"cache_bytes": 19, "cache_size": 100}, False, "cache_bytes"),
    ],
)
def test_one_cache_may_not_be_larger_than_its_bound(caches, bounds, fits: bool, named: str) -> None:
    made = caches(**bounds)
    identity = made.start("me", "R5", [A], sealed=False)
    if fits:
        made.add("me", "R5", identity, [B])
        assert held(made, identity) == ["A", "B"]
        return
    with pytest.raises(TooLarge, match=named):
        made.add("me", "R5", identity, [B])
    assert held(made, identity) == ["A"], "a refused addition leaves the cache as it was"


def test_threads_that_add_to_one_cache_lose_nothing(caches, database: Database) -> None:
    made = caches()
    identity = made.start("me", "R5", [], sealed=False)
    names = [f"{number:02}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: made.add("me", "R5", identity, [stored(name)]), names))
    assert sorted(held(made, identity) or ()) == names


def test_the_sums_in_the_file_are_right_after_a_storm(caches, clock, database: Database) -> None:
    """Bytes and content of each cache follow from what it holds, whatever was added, replaced and pushed out."""
    made = caches(cache_limit=4, cache_bytes=120)
    ids = [made.start("me", "R5", [], sealed=False)]
    for number in range(60):
        clock.now += 2
        if number % 7 == 0:
            ids.append(made.start("me", "R5", [stored("s", "x" * number)], sealed=False))
        made.add("me", "R5", ids[number % len(ids)], [stored(str(number % 5), "y" * (number % 13))])
    with database.read() as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM cache").fetchall()
        connection.row_factory = None
        for row in rows:
            query = "SELECT digest, length(text) FROM cached WHERE cache = ? ORDER BY number"
            kept = connection.execute(query, (row["number"],)).fetchall()
            assert row["bytes"] == sum(size for _, size in kept)
            assert row["content"] == content(digest for digest, _ in kept)
        assert 0 < len(rows) <= 4
        assert sum(row["bytes"] for row in rows) <= 120
