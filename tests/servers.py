"""Starting a server as a user does, in a process of its own, and stopping it by its id."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

READY = "/fhir/r4/metadata"


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without what would change how a server answers, plus the settings."""
    ours = ("TERMINOLOGY_", "FLASK_", "PYTHON", "GRANIAN_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **settings}


@contextmanager
def serving(
    command: Sequence[str | Path],
    port: int,
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    seconds: float = 30,
) -> Iterator[str]:
    """Runs the command in the folder until the block ends; yields the base URL once metadata answers."""
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment() if environment is None else environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(base + READY, process, log, seconds)
        yield base
    finally:
        stop(process)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError as error:
            error.close()
            trouble = f"answered {error.code}"
        except OSError as error:
            trouble = str(error)
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}:\n{log.read_text()}")
        if time.monotonic() > deadline:
            raise AssertionError(f"{url} not ready in {seconds} s ({trouble}):\n{log.read_text()}")
        time.sleep(0.1)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Asks first; what has not ended after ten seconds is killed with its workers. Returns the exit code."""
    process.terminate()
    try:
        return process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def server_processes(port: int) -> list[int]:
    """The processes of a server that this process started, its workers before itself. Nobody else's: two runs of the
    tests on one machine, or a number that was given out again, must not meet a signal that is meant for these."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(place.name))
    found, waiting = list[int](), [os.getpid()]
    while waiting:
        started = parents.get(waiting.pop(), [])
        waiting += started
        found += [each for each in started if _serves(each, port)]
    return found[::-1]


def _serves(process: int, port: int) -> bool:
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        return b"serve" in words and str(port).encode() in words
    return False
