"""The thread that judges jobs: one at a time in a process, behind the requests that the process answers.

It claims a job, judges some chunks, lets the job go and claims the one that has waited longest. What it holds in memory
is one chunk. A record that cannot be judged is an outcome that says so; a chunk that ends its worker again and again
makes its job fail. The log names jobs and kinds of errors, never what a record or an error says.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from terminology.issues import Refusal, Unavailable, issue, text
from terminology.model import Json
from terminology.storage.records import Chunk, Claim, Found, Job, Kind, StoreError
from terminology.wire import json_text
from terminology.wire.malformed import Malformed
from terminology.wire.outcomes import operation_outcome

if TYPE_CHECKING:
    from terminology.storage.jobs import Jobs

JudgeLine = Callable[[Json], Json]
"""A resource as it was sent → the OperationOutcome on it."""

ATTEMPTS = 5
"""So often a chunk is tried whose worker ended without a result."""
TURN = 20
"""Chunks after which another job has its turn."""
POLL = 1.0
"""Seconds between two looks for a job that another process took."""
SWEEP = 60.0
"""Seconds between two removals of what has expired."""
NICE = 10
SLICE, PAUSE = 0.02, 0.005
"""After so many seconds of judging the thread rests: requests of the same process do not wait for it."""
STOP = 5.0

log = logging.getLogger(__name__)


class Runner:
    """The thread of one process, which is started once. ``lease`` is that of the jobs, in seconds."""

    def __init__(self, jobs: Callable[[], Jobs], judging: Callable[[Job], JudgeLine], lease: float) -> None:
        self._jobs = jobs
        self._judging = judging
        self._beat = lease / 3
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread: tuple[int, threading.Thread] | None = None
        self._swept = -SWEEP

    def start(self) -> None:
        """Starts the thread where this process has none (one that was forked has none), and wakes it."""
        with self._lock:
            if self._thread is None or self._thread[0] != os.getpid():
                thread = threading.Thread(target=self._run, name="terminology-bulk", daemon=True)
                self._thread = os.getpid(), thread
                atexit.register(self.stop)
                thread.start()
        self._awake.set()

    def stop(self) -> None:
        """Ends the thread after the record that it is at, and frees its job."""
        self._stopped.set()
        self._awake.set()
        atexit.unregister(self.stop)
        held = self._thread
        if held is not None and held[0] == os.getpid():
            held[1].join(STOP)

    def _run(self) -> None:
        _yield_to_others()
        while not self._stopped.is_set():
            self._awake.clear()
            try:
                busy = self.turn()
            except (Unavailable, StoreError):
                busy = False  # the store said so in the log
            except Exception as failed:  # noqa: BLE001  what it says may quote a record
                log.error("jobs: %s at %s", type(failed).__name__, _place(failed))  # noqa: TRY400
                busy = False
            if not busy:
                self._awake.wait(POLL)

    # --- one turn ------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Judges some chunks of the job that has waited longest; False where nothing waits. Raises Unavailable."""
        jobs = self._jobs()
        if time.monotonic() - self._swept > SWEEP:
            self._swept = time.monotonic()
            jobs.sweep()
        claim = jobs.claim()
        if claim is None:
            return False
        if claim.attempts >= ATTEMPTS:
            log.error("job %s: given up: chunk %d ended %d workers", claim.job.id, claim.position, ATTEMPTS)
            jobs.fail(claim, f"its part {claim.position + 1} could not be judged in {ATTEMPTS} attempts")
            return True
        try:
            judge = self._judging(claim.job)
        except Refusal as refused:
            jobs.fail(claim, "; ".join(text(each) for each in refused.issues))
            return True
        for _ in range(TURN):
            left = self._chunk(jobs, claim, judge)
            if left is None:
                return True
            claim = left
            if self._stopped.is_set():
                break
        jobs.release(claim)
        return True

    def _chunk(self, jobs: Jobs, claim: Claim, judge: JudgeLine) -> Claim | None:
        """Judges a chunk; the claim of the next one, None where there is none or the job is not ours any more."""
        chunk = jobs.chunk(claim)
        if chunk is None:
            return None
        beaten = rested = time.monotonic()
        found: list[tuple[Kind, Json]] = []
        for each in judged(claim.job, chunk, judge):
            found.append(each)
            now = time.monotonic()
            if now - beaten > self._beat:
                beaten = now
                if not jobs.beat(claim):
                    return None
            if now - rested > SLICE:
                time.sleep(PAUSE)
                rested = time.monotonic()
            if self._stopped.is_set():
                return claim
        kinds: tuple[Kind, ...] = ("outcomes", "errors")
        return jobs.keep(claim, chunk, [_ndjson(kind, found) for kind in kinds])


def judged(job: Job, chunk: Chunk, judge: JudgeLine) -> Iterator[tuple[Kind, Json]]:
    """The outcome of each record of a chunk, in order. A line that cannot be read is an error with its number."""
    for number, line in enumerate(chunk.text.split(b"\n"), chunk.line):
        if not line or line.isspace():
            continue
        try:
            record = json_text.read(line)
        except Malformed as broken:
            yield "errors", _numbered(operation_outcome([issue("OWN_BULK_LINE", number, broken)]), number)
            continue
        try:
            yield "outcomes", _numbered(judge(record), number)
        except Refusal as refused:
            yield "errors", _numbered(operation_outcome(refused.issues), number)
        except Exception as failed:  # noqa: BLE001  one record must not end the job
            log.error("job %s: %s at %s", job.id, type(failed).__name__, _place(failed))  # noqa: TRY400
            yield "errors", _numbered(operation_outcome([issue("OWN_BULK_RECORD", number, job.id)]), number)


def _numbered(outcome: Json, number: int) -> Json:
    """The outcome with the number of its line as its id."""
    return {"resourceType": "OperationOutcome", "id": f"line-{number}", **_without_type(outcome)}


def _without_type(outcome: Json) -> Json:
    return {name: value for name, value in outcome.items() if name not in ("resourceType", "id")}


def _ndjson(kind: Kind, found: list[tuple[Kind, Json]]) -> Found:
    chosen = [json_text.write(outcome) for name, outcome in found if name == kind]
    return Found(kind, len(chosen), b"".join(line + b"\n" for line in chosen))


def _place(failed: BaseException) -> str:
    """File and line where it was raised."""
    trace = failed.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"


def _yield_to_others() -> None:
    """On Linux the priority of a thread is its own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
