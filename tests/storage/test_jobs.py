"""Jobs keep one contract over SQLite and PostgreSQL: no chunk is lost or kept twice, whoever dies or is slow."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from terminology.issues import Invalid, TooCostly
from terminology.storage.jobs import PART, SENDING, Jobs
from terminology.storage.records import Chunk, Claim, Found, Job
from terminology.storage.store import Store

LEASE, KEPT = 30.0, 3600.0
NEW = Job("", "me", "R4", "http://x", "{}", "de", "2026-01-01T00:00:00.000Z")


@pytest.fixture
def jobs(store: Store, clock: Callable[[], float]) -> Jobs:
    return Jobs(store, LEASE, KEPT, clock)


def sent(jobs: Jobs, identity: str, chunks: int = 3, owner: str = "me") -> str:
    """A job of chunks with two records each."""
    jobs.open(replace(NEW, id=identity, owner=owner), 10)
    for number in range(chunks):
        jobs.add(identity, number, Chunk(2 * number + 1, 2, f"{number}a\n{number}b".encode()))
    jobs.ready(identity, 2 * chunks, chunks)
    return identity


def claimed(jobs: Jobs) -> Claim:
    claim = jobs.claim()
    assert claim is not None
    return claim


def keep(jobs: Jobs, claim: Claim, said: bytes = b"x\n") -> Claim | None:
    chunk = jobs.chunk(claim)
    assert chunk is not None
    return jobs.keep(claim, chunk, [Found("outcomes", chunk.records, said), Found("errors", 0, b"")])


def found(jobs: Jobs, identity: str, owner: str = "me") -> Job:
    job = jobs.find(owner, identity)
    assert job is not None
    return job


def text(jobs: Jobs, identity: str) -> bytes:
    return b"".join(jobs.texts(identity, "outcomes", 1))


def test_a_job_is_judged_chunk_by_chunk_and_its_records_go(jobs: Jobs) -> None:
    sent(jobs, "a")
    claim: Claim | None = claimed(jobs)
    assert claim is not None
    assert (claim.job.language, claim.job.records, claim.position) == ("de", 6, 0)
    said = []
    while claim is not None:
        chunk = jobs.chunk(claim)
        assert chunk is not None
        said.append((chunk.line, chunk.records, chunk.text))
        before, claim = claim, keep(jobs, claim, chunk.text + b"\n")
        assert jobs.chunk(before) is None
    assert said == [(1, 2, b"0a\n0b"), (3, 2, b"1a\n1b"), (5, 2, b"2a\n2b")]
    job = found(jobs, "a")
    assert (job.state, job.judged) == ("done", 6)
    assert [(each.kind, each.number, each.records) for each in jobs.parts("a")] == [("outcomes", 1, 6)]
    assert text(jobs, "a") == b"0a\n0b\n1a\n1b\n2a\n2b\n"
    assert jobs.claim() is None


def test_results_are_several_files_of_a_bounded_number_of_chunks(jobs: Jobs) -> None:
    sent(jobs, "a", PART + 1)
    claim: Claim | None = claimed(jobs)
    while claim is not None:
        claim = keep(jobs, claim, f"{claim.position}\n".encode())
    assert [(each.number, each.records) for each in jobs.parts("a")] == [(1, 2 * PART), (2, 2)]
    assert list(jobs.texts("a", "outcomes", 2)) == [f"{PART}\n".encode()]
    assert list(jobs.texts("a", "outcomes", 3)) == list(jobs.texts("a", "errors", 1)) == []


def test_what_one_worker_has_claimed_no_other_gets_while_it_lives(jobs: Jobs, clock) -> None:
    sent(jobs, "a")
    claim = claimed(jobs)
    for _ in range(3):
        clock.now += LEASE - 1
        assert jobs.beat(claim)
        assert jobs.claim() is None


def test_a_worker_that_died_is_followed_by_one_that_goes_on_with_its_chunk(jobs: Jobs, clock) -> None:
    sent(jobs, "a")
    keep(jobs, claimed(jobs), b"first\n")
    clock.now += LEASE
    after = claimed(jobs)
    assert (after.position, after.attempts) == (1, 0)
    clock.now += LEASE
    assert claimed(jobs).attempts == 1


def test_a_worker_that_was_only_slow_keeps_nothing_after_another_has_taken_over(jobs: Jobs, clock) -> None:
    sent(jobs, "a")
    slow = claimed(jobs)
    clock.now += LEASE
    quick = claimed(jobs)
    keep(jobs, quick, b"quick\n")
    chunk = Chunk(1, 2, b"0a\n0b")
    assert not jobs.beat(slow)
    assert jobs.keep(slow, chunk, [Found("outcomes", 2, b"slow\n")]) is None
    jobs.fail(slow, "no")
    jobs.release(slow)
    assert text(jobs, "a") == b"quick\n"
    assert (found(jobs, "a").judged, found(jobs, "a").state) == (2, "waiting")
    assert jobs.claim() is None


def test_a_worker_that_was_slow_keeps_its_chunk_where_nobody_took_over(jobs: Jobs, clock) -> None:
    sent(jobs, "a", 1)
    slow = claimed(jobs)
    clock.now += 10 * LEASE
    keep(jobs, slow)
    assert found(jobs, "a").state == "done"


def test_a_job_that_was_let_go_comes_after_those_that_waited_longer(jobs: Jobs, clock) -> None:
    for each in ("a", "b"):
        sent(jobs, each)
        clock.now += 1
    first = claimed(jobs)
    left = keep(jobs, first)
    assert left is not None
    jobs.release(left)
    assert [first.job.id, claimed(jobs).job.id, claimed(jobs).job.id] == ["a", "b", "a"]


@pytest.mark.parametrize("when", ["before", "claimed", "judged", "done"])
def test_a_job_that_is_ended_leaves_nothing_and_its_worker_notices(jobs: Jobs, store: Store, when: str) -> None:
    sent(jobs, "a", 1 if when == "done" else 3)
    claim = claimed(jobs) if when != "before" else None
    chunk = jobs.chunk(claim) if claim else None
    if when in ("judged", "done"):
        assert claim is not None
        claim = keep(jobs, claim)
    jobs.end("a")
    assert jobs.find("me", "a") is None
    if claim is not None and chunk is not None:
        assert not jobs.beat(claim)
        assert jobs.chunk(claim) is None
        assert jobs.keep(claim, chunk, [Found("outcomes", 2, b"x\n")]) is None
    assert rows(store) == 0


def rows(store: Store) -> int:
    with store.transaction() as connection:
        counts = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
            for table in ("job", "job_input", "job_result")
        ]
    return sum(counts)


def test_a_job_is_seen_by_its_owner_alone(jobs: Jobs) -> None:
    sent(jobs, "a")
    assert jobs.find("you", "a") is None
    assert found(jobs, "a").owner == "me"


def test_a_client_has_so_many_jobs_and_no_more(jobs: Jobs) -> None:
    for number in range(3):
        jobs.open(replace(NEW, id=f"{number}"), 3)
    with pytest.raises(TooCostly, match="bulk_jobs"):
        jobs.open(replace(NEW, id="3"), 3)
    jobs.open(replace(NEW, id="3", owner="you"), 3)
    jobs.end("0")
    jobs.open(replace(NEW, id="4"), 3)


def test_what_has_expired_is_gone_for_readers_at_once_and_from_the_store_with_the_next_sweep(
    jobs: Jobs, store: Store, clock
) -> None:
    sent(jobs, "a", 1)
    keep(jobs, claimed(jobs))
    clock.now += KEPT - 1
    assert found(jobs, "a").state == "done"
    assert jobs.sweep() == 0
    clock.now += 1
    assert jobs.find("me", "a") is None
    assert jobs.sweep() == 1
    assert rows(store) == 0


def test_a_client_that_is_gone_leaves_nothing_behind(jobs: Jobs, store: Store, clock) -> None:
    jobs.open(replace(NEW, id="a"), 3)
    jobs.add("a", 0, Chunk(1, 1, b"x"))
    assert jobs.claim() is None
    clock.now += SENDING
    assert jobs.sweep() == 1
    assert rows(store) == 0
    with pytest.raises(Invalid, match="nothing of it came"):
        jobs.add("a", 1, Chunk(2, 1, b"y"))
    with pytest.raises(Invalid):
        jobs.ready("a", 2, 2)


def test_a_job_that_is_given_up_says_why_and_holds_no_records(jobs: Jobs, store: Store) -> None:
    sent(jobs, "a")
    left = keep(jobs, claimed(jobs))
    assert left is not None
    jobs.fail(left, "because")
    assert (found(jobs, "a").state, found(jobs, "a").problem) == ("failed", "because")
    assert jobs.claim() is None
    assert rows(store) == 1


def test_bytes_that_are_no_text_come_back_as_they_were(jobs: Jobs) -> None:
    jobs.open(replace(NEW, id="a"), 3)
    jobs.add("a", 0, Chunk(1, 1, b"\x00\xff\xfe{"))
    jobs.ready("a", 1, 1)
    chunk = jobs.chunk(claimed(jobs))
    assert chunk is not None
    assert chunk.text == b"\x00\xff\xfe{"


def test_many_workers_that_die_at_random_keep_every_chunk_once(store: Store) -> None:
    """Workers in threads, with the database's own clock and a lease that is over at once: everybody takes over."""
    chunks, kept = 10, []
    lock = threading.Lock()
    jobs = Jobs(store, 0.0, KEPT)
    sent(jobs, "a", chunks)

    def work() -> None:
        while found(jobs, "a").state != "done":
            claim = jobs.claim()
            chunk = jobs.chunk(claim) if claim else None
            if claim is None or chunk is None:
                continue
            before = found(jobs, "a").judged
            jobs.keep(claim, chunk, [Found("outcomes", 2, chunk.text + b"\n")])
            with lock:
                kept.append(before)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found(jobs, "a").judged == 2 * chunks
    lines = text(jobs, "a").decode().splitlines()
    assert lines == [f"{number}{letter}" for number in range(chunks) for letter in "ab"]
