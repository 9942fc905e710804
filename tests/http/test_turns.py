"""Who serves when: in a pool of threads as Granian's, and over real connections."""

import http.client
import json
import queue
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from http_client import CPT, parameters
from servers import free_port, serving

from terminology.http.turns import Turns

LENGTH = [("Content-Length", "2")]
LOOKUP = f"/fhir/r4/CodeSystem/$lookup?system={CPT}&code=38232"
TICK = 0.05
"""Longer than a busy machine lets a thread wait that nothing holds up."""
PATIENCE = 20.0
"""Seconds that a test waits for what must come."""


class Pool:
    """Threads that take requests from a queue, as those of Granian do; an answer is out before its ``close``."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.tasks: queue.SimpleQueue[tuple[dict[str, str], threading.Event] | None] = queue.SimpleQueue()
        self.threads: list[threading.Thread] = []

    def grow(self, threads: int) -> None:
        for _ in range(threads):
            thread = threading.Thread(target=self._work, daemon=True)
            thread.start()
            self.threads.append(thread)

    def _work(self) -> None:
        while (task := self.tasks.get()) is not None:
            environ, answered = task
            parts = self.turns(environ, lambda *_: None)
            assert b"".join(parts) == b"ok"
            answered.set()
            close = getattr(parts, "close", None)
            if close is not None:
                close()

    def ask(self, path: str = "/", **environ: str) -> threading.Event:
        answered = threading.Event()
        self.tasks.put(({"REQUEST_METHOD": "GET", "PATH_INFO": path, **environ}, answered))
        return answered


class Behind:
    """Answers; ``/slow`` when ``gate`` opens."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.status = "200 OK"
        self.headers = LENGTH
        self.threads: list[int] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        self.threads.append(threading.get_ident())
        if environ["PATH_INFO"] == "/slow":
            assert self.gate.wait(PATIENCE)
        start(self.status, self.headers)
        return [b"ok"]


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def pool(behind: Behind) -> Iterator[Pool]:
    made = Pool(Turns(behind, TICK))
    yield made
    behind.gate.set()


def comes(true: Callable[[], bool]) -> bool:
    """True as soon as it is."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK / 5)
    return True


def settled(pool: Pool, threads: int) -> None:
    """Each of so many threads has served once, and all but one are kept."""
    pool.grow(threads)
    while pool.turns.serving + pool.turns.kept < threads or pool.turns.serving > 1:
        assert pool.ask().wait(PATIENCE)
        time.sleep(0.001)


def test_of_many_threads_one_serves(pool: Pool, behind: Behind) -> None:
    settled(pool, 8)
    behind.threads.clear()
    for answered in [pool.ask() for _ in range(200)]:
        assert answered.wait(PATIENCE)
    assert Counter(behind.threads).most_common(1)[0][1] > 150  # all, on a machine that does nothing else


def test_another_is_let_in_for_each_that_is_held_up(pool: Pool, behind: Behind) -> None:
    settled(pool, 5)
    slow = [pool.ask("/slow") for _ in range(4)]
    assert pool.ask().wait(PATIENCE)
    assert not any(each.is_set() for each in slow)
    assert comes(lambda: pool.turns.serving == 5)
    behind.gate.set()
    assert all(each.wait(PATIENCE) for each in slow)


def test_those_that_were_needed_stay_for_a_while_and_then_one_serves_again(pool: Pool, behind: Behind) -> None:
    settled(pool, 3)
    slow = pool.ask("/slow")
    assert pool.ask().wait(PATIENCE)
    behind.gate.set()
    assert slow.wait(PATIENCE)
    assert pool.ask().wait(PATIENCE)
    assert pool.turns.serving >= 2

    def one() -> bool:
        assert pool.ask().wait(PATIENCE)
        return pool.turns.serving == 1

    assert comes(one)


def test_no_more_stay_than_are_held_up_now(pool: Pool, behind: Behind) -> None:
    settled(pool, 5)
    own = Behind()
    pool.turns.behind = lambda environ, start: (own if environ["PATH_INFO"] == "/slow" else behind)(environ, start)
    held = pool.ask("/slow")
    assert comes(lambda: pool.turns.serving == 2)
    pool.turns.behind = behind
    many = [pool.ask("/slow") for _ in range(3)]
    assert comes(lambda: pool.turns.serving == 5)
    behind.gate.set()
    assert all(each.wait(PATIENCE) for each in many)

    def two() -> bool:
        assert pool.ask().wait(PATIENCE)
        return pool.turns.serving == 2

    assert comes(two)
    assert not held.is_set()
    own.gate.set()
    assert held.wait(PATIENCE)


def test_a_request_that_comes_to_a_resting_pool_may_be_slow_too(pool: Pool, behind: Behind) -> None:
    settled(pool, 2)
    assert comes(lambda: pool.turns.resting)
    slow = pool.ask("/slow")
    assert pool.ask().wait(PATIENCE)
    assert not slow.is_set()


def test_a_thread_that_ends_lets_in_one_that_is_kept(pool: Pool, behind: Behind) -> None:
    """Granian's pool lets go what had nothing to do for half a minute, the one that serves too."""
    settled(pool, 3)
    pool.tasks.put(None)
    assert comes(lambda: pool.turns.serving + pool.turns.kept == 2)
    assert pool.turns.serving == 1
    assert pool.ask().wait(PATIENCE)


@pytest.mark.parametrize(
    ("environ", "status", "headers"),
    [
        pytest.param({}, "200 OK", [("Content-Type", "text/plain")], id="an answer without a length"),
        pytest.param({}, "304 Not Modified", LENGTH, id="an answer without a body"),
        pytest.param({"REQUEST_METHOD": "HEAD"}, "200 OK", LENGTH, id="HEAD"),
        pytest.param({"CONTENT_LENGTH": "9"}, "200 OK", LENGTH, id="a body that nobody reads"),
        pytest.param({"HTTP_TRANSFER_ENCODING": "chunked"}, "200 OK", LENGTH, id="the same in chunks"),
        pytest.param({"REQUEST_METHOD": "POST"}, "413 Content Too Large", LENGTH, id="a body that was refused"),
        pytest.param({"REQUEST_METHOD": "PUT"}, "200 OK", LENGTH, id="a rare method"),
    ],
)
def test_no_thread_is_kept_where_the_connection_might_wait_for_it(
    pool: Pool, behind: Behind, environ: dict[str, str], status: str, headers: list[tuple[str, str]]
) -> None:
    behind.status, behind.headers = status, headers
    pool.grow(3)
    slow = [pool.ask("/slow", **environ) for _ in range(3)]  # so that each of them serves
    assert comes(lambda: pool.turns.serving == 3)
    behind.gate.set()
    assert all(each.wait(PATIENCE) for each in slow)
    for _ in range(20):
        assert pool.ask(**environ).wait(PATIENCE)
    assert pool.turns.kept == 0


# --- over real connections ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """One worker with eight threads."""
    port = free_port()
    command = [Path(sys.executable).parent / "terminology", "serve", "--workers", "1", "--port", str(port)]
    with serving(command, port, folder=tmp_path_factory.mktemp("turns")) as base:
        parts = urlsplit(base)
        yield parts.hostname or "", parts.port or 0


def test_connections_go_on_after_answers_whose_threads_are_kept(place: tuple[str, int]) -> None:
    body = json.dumps(parameters(system=CPT, code="38230")).encode()

    def talk(number: int) -> list[int]:
        connection = http.client.HTTPConnection(*place, timeout=PATIENCE)
        found = []
        for each in range(40):
            if (number + each) % 4 < 2:
                chunked = (number + each) % 4 == 0
                headers = {"Content-Type": "application/fhir+json"}
                sent = iter([body[:20], body[20:]]) if chunked else body
                connection.request("POST", "/fhir/r4/CodeSystem/$lookup", sent, headers, encode_chunked=chunked)
            elif (number + each) % 4 == 2:
                connection.request("HEAD", LOOKUP)
            else:
                connection.request("GET", LOOKUP)
            answer = connection.getresponse()
            answer.read()
            found.append(answer.status)
        connection.close()
        return found

    with ThreadPoolExecutor(16) as callers:
        assert {status for found in callers.map(talk, range(16)) for status in found} == {200}


def test_half_sent_bodies_leave_a_thread_for_others(place: tuple[str, int]) -> None:
    head = "POST /fhir/r4/CodeSystem/$lookup HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    slow = [socket.create_connection(place, timeout=PATIENCE) for _ in range(7)]
    try:
        for each in slow:
            each.sendall(f"{head}Content-Length: 500\r\n\r\n{{".encode())
        connection = http.client.HTTPConnection(*place, timeout=PATIENCE)
        for _ in range(20):
            connection.request("GET", LOOKUP)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["resourceType"]) == (200, "Parameters")
        connection.close()
    finally:
        for each in slow:
            each.close()
