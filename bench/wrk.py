"""wrk as the sender: requests a second, processor time a request, latencies."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.report import CannotMeasureError
from bench.servers import ROOT, Server

CONNECTIONS = 32
CALLERS = 100
SCRIPT = Path(__file__).with_name("drawn.lua")


@dataclass(slots=True)
class Requests:
    """What is sent: one address (hot), or each time another of ``drawn``, which fills the ``%s`` of the path and body.

    A walk never comes back to what it sent in an earlier turn before all was sent (``position``).
    """

    path: str
    drawn: Sequence[str] = ()
    body: str | None = None
    position: int = field(default=0, init=False)

    @property
    def first(self) -> str:
        """One of the addresses."""
        return self.path.replace("%s", self.drawn[0]) if self.drawn else self.path


@dataclass(frozen=True, slots=True)
class Load:
    """One turn. ``processor`` is microseconds of the server's processor time a request; ``hit`` its cache's share;
    ``mean``, ``p50`` and ``p99`` are milliseconds of a request."""

    per_second: float
    processor: float
    hit: float
    requests: int
    mean: float
    p50: float
    p99: float


def unseen() -> Sequence[str]:
    """Words that no server has seen: one for each request of a long run."""
    draw = Random()
    return [f"{draw.getrandbits(60):x}" for _ in range(100_000)]


def load(server: Server, requests: Requests, seconds: float, connections: int = CONNECTIONS, wait: float = 0.0) -> Load:
    """Sends over so many connections, on each as fast as the answers come, or after a random wait of so many
    milliseconds on average; every answer must be 200."""
    program = shutil.which("wrk")
    if program is None:
        raise CannotMeasureError("wrk is missing: apt-get update && apt-get install wrk")
    command = [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(SCRIPT), server.base]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as words:
        words.write("\n".join(requests.drawn))
        words.flush()
        command += ["--", requests.path, words.name, str(requests.position), requests.body or "", str(wait)]
        hits, spent = server.hits(), server.processor_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        spent, after = server.processor_seconds() - spent, server.hits()
    said = next((line for line in done.stdout.splitlines() if line.startswith("{")), None)
    if said is None:
        raise CannotMeasureError(f"wrk ended with {done.returncode}: {done.stdout}{done.stderr}")
    found = json.loads(said)
    if found["wrong"]:
        raise CannotMeasureError(f"{found['wrong']} of {found['requests']} answers to {requests.first} were no 200")
    count = found["requests"]
    requests.position += count + connections
    asked = after[1] - hits[1]
    hit = (after[0] - hits[0]) / asked if asked else 0.0
    processor = spent / count * 1e6 if count else 0.0
    return Load(count / found["seconds"], processor, hit, count, found["mean"], found["p50"], found["p99"])


def at_share(server: Server, requests: Requests, share: float, seconds: float) -> tuple[float, Load]:
    """A load of about this share of the maximum that the server just reached, and what share it was. ``CALLERS`` who do
    not wait for each other send it, each some time after it got its last answer, so that a queue builds up where they
    come together; as wrk counts in milliseconds, some always do."""
    most = load(server, requests, seconds, CALLERS).per_second
    wait = CALLERS / (most * share) * 1000
    answered = load(server, requests, 1.0, CALLERS, max(1.0, wait - 1.0)).mean
    found = load(server, requests, seconds, CALLERS, max(1.0, wait - answered))
    return found.per_second / most, found
