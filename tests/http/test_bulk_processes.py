"""Jobs under several server processes: killed at any moment, a job goes on, with every record answered once."""

import json
import os
import signal
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import postgresql
import pytest
from servers import clean_environment, free_port, server_processes, serving

CPT = "http://www.ama-assn.org/go/cpt"
RECORDS = 3000
SECONDS = 90
SETTINGS = {"BULK": "true", "BULK_LEASE": "2", "CORE_CONTENT": "false", "LOG_LEVEL": "warning"}


@contextmanager
def server(folder: Path, **settings: str) -> Iterator[tuple[str, int]]:
    """A server that takes jobs: its base, and its port."""
    port = free_port()
    program = Path(sysconfig.get_path("scripts"), "terminology")
    named = {f"TERMINOLOGY_{name}": value for name, value in {**SETTINGS, **settings}.items()}
    with serving(
        [program, "serve", "--port", str(port)], port, folder=folder, environment=clean_environment(**named)
    ) as base:
        yield f"{base}/fhir/r4", port


def ask(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, Any, bytes]:
    headers = {"Prefer": "respond-async", "Content-Type": "application/fhir+ndjson"} if body else {}
    asked = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


def records(count: int = RECORDS) -> bytes:
    """Each with a day of its own, so that none is judged without work."""
    made = []
    for number in range(count):
        day = f"20{10 + number % 15}-{number // 15 % 12 + 1:02}-{number // 180 % 28 + 1:02}"
        coding = {"system": CPT, "code": "38232" if number % 2 else "38230"}
        made.append({"resourceType": "Procedure", "code": {"coding": [coding]}, "performedDateTime": day})
    return b"\n".join(json.dumps(each).encode() for each in made)


def started(base: str, count: int = RECORDS) -> str:
    """The status address of a job that was sent."""
    status, headers, body = ask(f"{base}/$validate-bulk", "POST", records(count))
    assert status == 202, body
    return str(headers["Content-Location"])


def judged(place: str) -> int | None:
    """How many records are judged; None when all are."""
    status, headers, _ = ask(place)
    return int(headers["X-Progress"].partition(" ")[0]) if status == 202 else None


def until(place: str, count: int) -> None:
    """Waits until so many records are judged, and asserts that more are to come."""
    ends = time.monotonic() + SECONDS
    while (now := judged(place)) is not None and now < count:
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert now is not None, "all was judged before anything could be killed"


def results(place: str) -> list[str]:
    """The ids of all outcomes of a job, when it is done."""
    ends = time.monotonic() + SECONDS
    while True:
        with suppress(OSError):
            status, _, body = ask(place)
            if status != 202:
                break
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert status == 200, body
    found = []
    for each in json.loads(body)["output"]:
        status, _, text = ask(each["url"])
        assert status == 200
        read = [json.loads(line)["id"] for line in text.splitlines()]
        assert len(read) == each["count"]
        found += read
    return found


def every(count: int = RECORDS) -> list[str]:
    return [f"line-{number}" for number in range(1, count + 1)]


def kill(processes: list[int]) -> None:
    for each in processes:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def test_a_job_survives_its_killed_workers_and_its_killed_server(tmp_path: Path) -> None:
    """Two workers over SQLite, as `scripts/serve` starts them: each worker is killed in mid-job, later the server."""
    with server(tmp_path, DATA_DIR=str(tmp_path / "data")) as (base, port):
        place = started(base)
        until(place, 1)
        kill(server_processes(port)[:-1])  # Granian starts new ones
        until_answered(place)
        until(place, 500)
        kill(server_processes(port))
    with server(tmp_path, DATA_DIR=str(tmp_path / "data")) as (base, port):
        place = f"{base}/$validate-bulk-status/{place.rpartition('/')[2]}"
        assert results(place) == every()


def test_a_client_that_goes_on_sending_reads_the_refusal(tmp_path: Path) -> None:
    """It sends all of 40 MB before it reads; the server stopped at the eleventh record."""
    with server(tmp_path, DATA_DIR=str(tmp_path / "data"), WORKERS="1", BULK_RECORDS="10") as (base, _):
        status, _, body = ask(f"{base}/$validate-bulk", "POST", b"\n".join([records(10_000)] * 20))
    assert (status, b"bulk_records" in body) == (422, True)


def until_answered(url: str) -> None:
    ends = time.monotonic() + SECONDS
    while True:
        with suppress(OSError):
            ask(url)
            return
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.system
def test_two_nodes_over_one_postgresql_share_jobs_and_the_dead_ones_work(tmp_path: Path) -> None:
    """A job sent to one node is seen, finished and answered by the other, when the first is killed with it."""
    with ExitStack() as open_, postgresql.cluster() as url:
        first, port = open_.enter_context(server(tmp_path, STORE=url, WORKERS="1"))
        second, _ = open_.enter_context(server(tmp_path, STORE=url, WORKERS="1"))
        places = [started(first), started(first, 200), started(first, 200)]
        there = [place.replace(first, second) for place in places]
        until(there[0], 1)
        kill(server_processes(port))
        assert [sorted(results(place)) for place in there] == [sorted(every(n)) for n in (RECORDS, 200, 200)]
        status, _, _ = ask(there[0], "DELETE")
        assert (status, ask(there[0])[0]) == (202, 404)
        open_.close()
