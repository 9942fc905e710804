"""The servers that are compared: each a process of its own on loopback, with what the kernel knows about it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.content import environment
from bench.report import CannotMeasureError

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent
threads = 8
"""In each worker, of what is compared alike (``--threads``)."""
_TICKS = os.sysconf("SC_CLK_TCK")
_METRIC = re.compile(r"^(\w+(?:\{[^}]*\})?) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``started`` is how many seconds passed until it first answered."""

    base: str
    pid: int
    started: float = 0.0
    metrics: str | None = None

    def processor_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(_processor(pid) for pid in processes(self.pid))

    def workers(self) -> list[int]:
        """The processes that answer: those without children."""
        return [pid for pid in processes(self.pid) if not _children(pid)]

    def hits(self) -> tuple[float, float]:
        """Answers given from the response cache, and all requests that were asked of it, so far."""
        if self.metrics is None:
            return 0.0, 0.0
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            found = {name: float(value) for name, value in _METRIC.findall(answer.read().decode())}
        hits = found.get("terminology_cache_hits_total", 0.0)
        return hits, found.get("terminology_requests_total", 0.0)


@contextmanager
def ours(*flags: str, workers: int = 2, ready: str = "/fhir/r4/metadata") -> Iterator[Server]:
    """``terminology serve`` as installed, on a free port."""
    port, metrics = free_port(), free_port()
    command = [str(PROGRAMS / "terminology"), "serve", "--port", str(port)]
    command += ["--workers", str(workers), "--threads", str(threads)]
    measured = _metrics_flag(metrics)
    with running([*command, *measured, *flags], f"http://127.0.0.1:{port}", ready) as server:
        yield Server(
            server.base, server.pid, server.started, f"http://127.0.0.1:{metrics}/metrics" if measured else None
        )


@contextmanager
def bare(*, workers: int = 2, app: str = "bench.bare:app") -> Iterator[Server]:
    """A WSGI app on Granian with the settings of ours."""
    port = free_port()
    command = [str(PROGRAMS / "granian"), "--interface", "wsgi", "--http", "1", "--no-ws", "--log-level", "error"]
    command += ["--workers", str(workers), "--blocking-threads", str(threads), "--backpressure", "64"]
    with running([*command, "--port", str(port), app], f"http://127.0.0.1:{port}", "/") as server:
        yield server


@contextmanager
def running(command: Sequence[str], base: str, ready: str, seconds: float = 120) -> Iterator[Server]:
    """Runs the command until the block ends; ready when ``base + ready`` is answered with 200."""
    with tempfile.TemporaryFile() as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            while not _answers(base + ready):
                if process.poll() is not None or time.perf_counter() - began > seconds:
                    log.seek(0)
                    raise CannotMeasureError(f"{' '.join(command)} does not serve: {log.read()[-1000:].decode()}")
                time.sleep(0.005)
            yield Server(base, process.pid, time.perf_counter() - began)
        finally:
            _stop(process)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200 and answer.read())
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _metrics_flag(port: int) -> list[str]:
    """The flag that opens the metrics, where this version has it."""
    from terminology.settings import BY_NAME  # noqa: PLC0415

    return ["--metrics-port", str(port)] if "metrics_port" in BY_NAME else []


# --- what the kernel says ------------------------------------------------------------------------------------


def processes(pid: int) -> list[int]:
    """A process and all that it started."""
    return [pid, *(inner for child in _children(pid) for inner in processes(child))]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return found


def _processor(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def megabytes(pid: int, what: str = "VmRSS") -> float:
    """``VmRSS``, or ``VmHWM`` for the most it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    return 0.0


def proportional(pid: int) -> float:
    """Megabytes, pages that several processes share divided among them (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0
