"""wrk as the sender, and an open-loop one of our own: requests a second, processor time a request, latencies."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bench.report import CannotMeasureError
from bench.servers import ROOT, Server

CONNECTIONS = 32
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
    """One turn. ``processor`` is microseconds of the server's processor time a request; ``hit`` its cache's share."""

    per_second: float
    processor: float
    hit: float
    requests: int


def unseen() -> Sequence[str]:
    """Words that no server has seen: one for each request of a long run."""
    draw = Random()
    return [f"{draw.getrandbits(60):x}" for _ in range(100_000)]


def load(server: Server, requests: Requests, seconds: float, connections: int = CONNECTIONS) -> Load:
    """Sends as fast as the answers come, over so many connections; every answer must be 200."""
    program = shutil.which("wrk")
    if program is None:
        raise CannotMeasureError("wrk is missing: apt-get update && apt-get install wrk")
    command = [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(SCRIPT), server.base]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as words:
        words.write("\n".join(requests.drawn))
        words.flush()
        command += ["--", requests.path, words.name, str(requests.position), requests.body or ""]
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
    return Load(count / found["seconds"], spent / count * 1e6 if count else 0.0, hit, count)


def open_loop(server: Server, requests: Requests, share: float, seconds: float) -> tuple[float, float]:
    """p50 and p99 in milliseconds of requests that come at a fixed rate whether or not answers do, each from the moment
    at which it was due. The rate is a share of what the same sender reached just before."""
    stated = {"base": server.base, "path": requests.path, "share": share, "seconds": seconds}
    stated |= {"drawn": list(requests.drawn), "position": requests.position, "body": requests.body}
    program = [sys.executable, "-m", "bench.open_loop"]
    done = subprocess.run(program, input=json.dumps(stated), capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise CannotMeasureError(f"the open-loop sender ended with {done.returncode}: {done.stderr[-800:]}")
    found = json.loads(done.stdout)
    requests.position += found["requests"]
    return found["p50"], found["p99"]
