"""The figures of a running server: the sums over its workers, on loopback alone, and off unless asked for."""

import os
import socket
import subprocess
import sysconfig
import urllib.request
from pathlib import Path

from servers import clean_environment, free_port, serving

from terminology.http.metrics import COUNTED, Board, Counters

PROGRAM = Path(sysconfig.get_path("scripts"), "terminology")
LOOKUP = "/fhir/r4/CodeSystem/$lookup?system=http://www.ama-assn.org/go/cpt&code=38232"


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


def test_the_workers_figures_are_summed_and_shown_on_loopback_alone(tmp_path):
    port, page = free_port(), free_port()
    command = [PROGRAM, "serve", "--host", "0.0.0.0", "--port", str(port), "--metrics-port", str(page)]
    with serving(command, port, folder=tmp_path) as base:
        before = figures(page)
        for _ in range(20):
            read_json(base + LOOKUP)
        after = figures(page)
        sockets = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        listening = {local for _, local, _, state, *_ in sockets if state == "0A" and local.endswith(f":{page:04X}")}
    assert after["terminology_requests_total"] - before["terminology_requests_total"] == 20
    made = after["terminology_cache_misses_total"] - before["terminology_cache_misses_total"]
    assert 2 <= made <= 4  # the second time an answer is kept; two workers
    assert after["terminology_cache_hits_total"] - before["terminology_cache_hits_total"] == 20 - made
    assert after["terminology_cache_bytes"] > 0
    assert listening == {f"0100007F:{page:04X}"}


def read_json(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.status == 200


def figures(page: int) -> dict[str, int]:
    lines = read(f"http://127.0.0.1:{page}/metrics").splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


def test_a_port_that_is_taken_is_said_at_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        page = taken.getsockname()[1]
        done = subprocess.run(
            [PROGRAM, "serve", "--port", str(free_port()), "--metrics-port", str(page)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env=clean_environment(),
            check=False,
        )
    assert done.returncode == 2
    assert f"metrics_port: 127.0.0.1:{page} cannot be used" in done.stderr


def test_what_a_worker_counted_stays_when_it_ends_and_what_it_held_does_not():
    board = Board()
    counters = Counters(board)
    counters.hits()
    counters.holds(5)
    assert (board.sums()["terminology_cache_bytes"], len(board.sums())) == (5, len(COUNTED) + 1)
    process = board.cells.tolist().index(os.getpid())
    board.cells[process] = 2**22 + 1  # no process has this id
    sums = board.sums()
    assert (sums["terminology_cache_hits_total"], sums["terminology_cache_bytes"]) == (1, 0)
