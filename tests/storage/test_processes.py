"""Two worker processes are one service: what one keeps the other has, and a killed one loses nothing it confirmed."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from animals import ANIMALS, animals
from http_client import parameters
from servers import clean_environment, free_port, serving

from terminology.storage import Storage

KEEPER = """
import json, sys
from terminology.storage import Member, Storage, Stored
from terminology.issues import Refusal
storage = Storage(sys.argv[1])
for line in sys.stdin:
    name, number = line.split()
    if name == "cache":
        stored = Stored(number, number.encode(), b"{}")
        kept = storage.caches.add("me", "R5", "one-cache-for-all", [stored], create=True)
    else:
        table = storage.closures.table("me", "t") or storage.closures.initialise("me", "t")
        kept = storage.closures.extend("me", "t", table, [Member("s", number, number, None)], ())
    print(number if kept else "-", flush=True)
"""


class Keeper:
    """A process that keeps what it is told, and says what it has kept."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str, number: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what} {number}\n")
        self.process.stdin.flush()

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> list[str]:
        """Kills it at once; returns what it had said until then."""
        self.process.kill()
        assert self.process.stdout is not None
        rest = self.process.stdout.read().split()
        self.process.wait()
        self.process.stdout.close()
        with suppress(BrokenPipeError):
            if self.process.stdin is not None:
                self.process.stdin.close()
        return rest


@pytest.mark.parametrize("what", ["cache", "closure"])
def test_two_processes_see_what_each_other_keeps(tmp_path: Path, what: str) -> None:
    keepers = [Keeper(tmp_path / "state") for _ in range(2)]
    for number in range(10):
        keepers[number % 2].ask(what, number)
        assert keepers[number % 2].said() == str(number)
    for keeper in keepers:
        keeper.kill()
    assert confirmed(tmp_path / "state", what) == {str(number) for number in range(10)}


@pytest.mark.parametrize("what", ["cache", "closure"])
def test_what_a_process_confirmed_before_it_was_killed_is_there(tmp_path: Path, what: str) -> None:
    """Eight processes are killed in the midst of writing, each at another moment."""
    said: set[str] = set()
    for round_ in range(8):
        keeper = Keeper(tmp_path / "state")
        for number in range(round_ * 1000, round_ * 1000 + 400):
            keeper.ask(what, number)
        said.add(keeper.said())
        time.sleep(0.01 * round_)
        said.update(keeper.kill())
    assert len(said) > 8
    assert said <= confirmed(tmp_path / "state", what)


def confirmed(path: Path, what: str) -> set[str]:
    """What is in the file, asked by this process."""
    storage = Storage(str(path))
    try:
        if what == "cache":
            cache = storage.caches.find("me", "R5", "one-cache-for-all")
            assert cache is not None
            return {each.key for each in storage.caches.resources(cache)}
        table = storage.closures.table("me", "t")
        assert table is not None
        return {member.code for member in table.members}
    finally:
        storage.close()


# --- a served one -------------------------------------------------------------------------------------------


def post(url: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and body; each call is a connection of its own, so any worker may get it."""
    asking = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"Content-Type": "application/fhir+json", **{name.replace("_", "-"): held for name, held in headers.items()}},
    )
    try:
        with urllib.request.urlopen(asking, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def children(process: int) -> list[int]:
    """The processes that a process started, from whichever thread."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A server with two workers and no state_path: its address and its process."""
    port, content = free_port(), tmp_path / "animals.json"
    content.write_text(json.dumps(animals()))
    program = Path(sysconfig.get_path("scripts"), "terminology")
    command: list[str | Path] = [program, "serve", "--port", str(port), "--workers", "2", "--content", content]
    with serving(command, port, folder=tmp_path, environment=clean_environment(TMPDIR=str(tmp_path))) as base:
        yield f"{base}/fhir/r5", next(each for each in children(os.getpid()) if str(port) in arguments(each))
    assert not list(tmp_path.glob("terminology-state-*")), "the private state ends with the server"


def arguments(process: int) -> list[str]:
    return Path(f"/proc/{process}/cmdline").read_text().split("\0")


@pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")
def test_caches_and_closure_tables_are_those_of_all_workers_and_outlive_them(served: tuple[str, int]) -> None:
    base, server = served
    value_set = {
        "resourceType": "ValueSet",
        "url": "https://example.org/v",
        "status": "active",
        "compose": {"include": [{"system": ANIMALS}]},
    }
    _, started = post(f"{base}/$cache-control?mode=start", parameters(**{"tx-resource": value_set}))
    cache = started["parameter"][0]["valueId"]
    assert post(f"{base}/$closure", parameters(name="t"))[0] == 200
    asked = parameters(url="https://example.org/v")
    codes = ["dog", "mammal", "animal", "cat", "bird"]
    victims = children(server)  # each once: Granian takes a second death within 5.5 s for a crash loop and ends
    assert len(victims) == 2
    for round_, code in enumerate(codes):
        added, table = post(f"{base}/$closure", parameters(name="t", concept={"system": ANIMALS, "code": code}))
        assert (added, table["version"]) == (200, str(round_ + 1))
        if victims and round_:
            killed = victims.pop()
            os.kill(killed, signal.SIGKILL)
            deadline = time.monotonic() + 20
            while killed in children(server) or len(children(server)) < 2:
                assert time.monotonic() < deadline, "no new worker came"
                time.sleep(0.05)
        for _ in range(6):
            assert patient(f"{base}/ValueSet/$expand", asked, cache) == 200
    replayed = post(f"{base}/$closure", parameters(name="t", version="0"))[1]
    pairs = {
        (element["code"], target["code"])
        for group in replayed["group"]
        for element in group["element"]
        for target in element["target"]
    }
    above = {"dog": ["mammal", "animal"], "cat": ["mammal", "animal"], "mammal": ["animal"], "bird": ["animal"]}
    assert pairs == {(low, high) for low, highs in above.items() for high in highs}


def patient(url: str, body: Any, cache: str) -> int:
    """The status of an answer; a connection that a killed worker had taken is tried again."""
    for _ in range(20):
        with suppress(OSError):
            return post(url, body, X_Cache_Id=cache)[0]
        time.sleep(0.1)
    raise AssertionError("no worker answers")
