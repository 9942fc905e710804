"""Coded records that are judged later: taken in chunks, kept in the store, judged by a thread of a serving worker.

``Bulk`` is what a service has of it. Nothing is opened or started before a client sends a job or a server says ``run``,
and nothing at all where the setting ``bulk`` is off. Records are patients' data: no line of them is ever logged.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from terminology.issues import NotAllowed, issue
from terminology.parameters import Given
from terminology.settings import Settings
from terminology.storage.records import Job
from terminology.stored import Stored
from terminology.wire import json_text

if TYPE_CHECKING:
    from terminology.jobs.runner import JudgeLine, Runner
    from terminology.storage.jobs import Jobs


def written(given: Sequence[Given]) -> str:
    """The parameters of a request as a job keeps them."""
    return json_text.write({"given": [[each.name, each.value, each.type] for each in given]}).decode()


def given(job: Job) -> list[Given]:
    """The parameters that were sent with a job."""
    return [Given(name, value, kind) for name, value, kind in json_text.read(job.parameters.encode())["given"]]


class Bulk:
    """The jobs of one service. ``judging`` makes the judge of a job's records; it raises Refusal where it cannot."""

    def __init__(self, settings: Settings, stored: Stored, judging: Callable[[Job], JudgeLine]) -> None:
        self.settings = settings
        self._stored = stored
        self._judging = judging
        self._lock = threading.Lock()
        self._runner: Runner | None = None

    def check(self) -> None:
        """Raises NotAllowed where there are no jobs, naming the setting."""
        if not self.settings.bulk:
            raise NotAllowed(issue("OWN_BULK_OFF", "bulk"))
        if not self._stored.configured:
            raise NotAllowed(issue("OWN_BULK_NO_STORE", "store"))

    @property
    def jobs(self) -> Jobs:
        """The jobs in the store, which is opened by the first who needs it. Raises StoreError."""
        from terminology.storage.jobs import Jobs  # noqa: PLC0415  SQLAlchemy is loaded by who needs it

        return Jobs(self._stored.opened(), self.settings.bulk_lease, self.settings.bulk_kept)

    def run(self) -> None:
        """Lets a thread of this process judge what waits, and tells it that something does."""
        from terminology.jobs.runner import Runner  # noqa: PLC0415

        with self._lock:
            if self._runner is None:
                self._runner = Runner(lambda: self.jobs, self._judging, self.settings.bulk_lease)
            runner = self._runner
        runner.start()

    def stop(self) -> None:
        """Ends the thread; the job that it was at is free for others."""
        with self._lock:
            runner, self._runner = self._runner, None
        if runner is not None:
            runner.stop()
