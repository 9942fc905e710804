"""The store under several server processes: nothing that was answered is lost, and all see what one writes."""

import json
import os
import random
import signal
import subprocess
import sys
import sysconfig
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import postgresql
import pytest
from servers import clean_environment, free_port, server_processes, serving

from terminology.storage.store import Store

WRITER = """
import sys
from terminology.storage.records import Head, Version
from terminology.storage.store import Store
store = Store(sys.argv[1])
number = 0
while True:
    number += 1
    identity = f"{sys.argv[2]}-{number}"
    with store.write() as writing:
        made = Version("ValueSet", identity, 1, writing.generation, "PUT", writing.instant, "R4", "x" * 2000)
        writing.put(made, None, Head(f"http://x/{identity}"), {"code": frozenset((identity,))})
    print(identity, flush=True)
"""
KILLS = 30


def test_what_a_writer_confirmed_before_it_was_killed_is_found(tmp_path: Path) -> None:
    """kill -9 of a writer, thirty times at random moments; reopened each time without repair."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    chance = random.Random(1)
    said: set[str] = set()
    for number in range(KILLS):
        command = [sys.executable, "-c", WRITER, url, str(number)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.15))
        process.kill()
        said |= {first.strip(), *process.stdout.read().split("\n")[:-1]}
        process.wait()
        process.stdout.close()
    store = Store(url)
    found = {each.id for each in store.changed(0)[1]}
    with store._opened().connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()
    assert said <= found
    assert len(found - said) <= KILLS
    assert len(said) >= KILLS


# --- servers -----------------------------------------------------------------------------------------------


@contextmanager
def node(folder: Path, **settings: str) -> Iterator[int]:
    """A server with one worker that may be written to; its port."""
    port = free_port()
    program = Path(sysconfig.get_path("scripts"), "terminology")
    named = {f"TERMINOLOGY_{name.upper()}": value for name, value in settings.items()}
    environment = clean_environment(TERMINOLOGY_CORE_CONTENT="false", TERMINOLOGY_WORKERS="1", **named)
    command: list[str | Path] = [program, "serve", "--port", str(port), "--allow-writes"]
    with serving(command, port, folder=folder, environment=environment):
        yield port


def put(connection: HTTPConnection, identity: str, code: str) -> int:
    url = f"http://example.org/{identity}"
    concepts = [{"code": code}]
    body = {"resourceType": "CodeSystem", "id": identity, "url": url, "status": "active", "content": "complete"}
    text = json.dumps({**body, "concept": concepts})
    headers = {"Content-Type": "application/fhir+json"}
    connection.request("PUT", f"/fhir/r4/CodeSystem/{identity}", text, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def known(connection: HTTPConnection, identity: str, code: str) -> bool:
    connection.request("GET", f"/fhir/r4/CodeSystem/$lookup?system=http://example.org/{identity}&code={code}")
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200


@pytest.mark.system
def test_two_nodes_over_one_postgresql_see_what_each_other_writes(tmp_path: Path) -> None:
    with (
        postgresql.cluster() as url,
        node(tmp_path, store=url) as a,
        node(tmp_path, store=url) as b,
        closing(HTTPConnection("127.0.0.1", a)) as first,
        closing(HTTPConnection("127.0.0.1", b)) as second,
    ):
        nodes = [first, second]
        for number in range(40):
            writer, reader = nodes[number % 2], nodes[1 - number % 2]
            assert put(writer, "shared", f"code-{number}") in (200, 201)
            assert known(reader, "shared", f"code-{number}")
            assert not known(reader, "shared", f"code-{number - 1}")


@pytest.mark.system
def test_a_node_goes_on_answering_while_the_database_is_down(tmp_path: Path) -> None:
    with (
        postgresql.cluster() as url,
        node(tmp_path, store=url) as port,
        closing(HTTPConnection("127.0.0.1", port)) as connection,
    ):
        assert put(connection, "kept", "a") == 201
        assert known(connection, "kept", "a")
        stop(url)
        assert known(connection, "kept", "a")
        assert put(connection, "kept", "b") == 503
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/fhir/r4/metadata") as answer:
            assert answer.status == 200


def stop(url: str) -> None:
    """Stops the server of a cluster at once, as a crash would."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    with suppress(ProcessLookupError):
        os.kill(int(Path(row[0], "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    time.sleep(0.5)


def test_what_a_server_answered_before_it_was_killed_is_there(tmp_path: Path) -> None:
    answered: list[str] = []
    with node(tmp_path, data_dir=str(tmp_path / "data")) as port:

        def write() -> None:
            with closing(HTTPConnection("127.0.0.1", port)) as connection, suppress(OSError, HTTPException):
                for number in range(10_000):
                    assert put(connection, f"r{number}", "a") == 201
                    answered.append(f"r{number}")

        thread = threading.Thread(target=write)
        thread.start()
        while not answered and thread.is_alive():
            time.sleep(0.05)
        time.sleep(1.5)
        for each in server_processes(port):
            os.kill(each, signal.SIGKILL)
        thread.join()
    store = Store(f"sqlite:///{tmp_path / 'data' / 'store.sqlite'}")
    found = {each.id for each in store.changed(0)[1]}
    store.close()
    assert answered
    assert set(answered) <= found
