"""Progress on standard error: a bar with rate and time left on a terminal, else a line each ten seconds."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

import click

from terminology.bulk.run import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_EVERY = 10.0
_DRAWN_EVERY = 0.1


class Following:
    """Shows a run while it lasts."""

    def __init__(self, *, quiet: bool, colour: bool) -> None:
        self._quiet, self._begun, self._shown = quiet, time.monotonic(), time.monotonic()
        self._bar = None if quiet or not sys.stderr.isatty() else _bar(colour)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task("", total=None, said="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, at: Progress) -> None:
        now = time.monotonic()
        if self._quiet or now - self._shown < (_DRAWN_EVERY if self._bar else LINE_EVERY):
            return
        self._shown = now
        rate = at.records / max(now - self._begun, 0.001)
        said = f"{at.records:,} records, {at.findings:,} findings, {rate:,.0f}/s"
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=at.done, total=at.total, said=said)
        else:
            click.echo(f"{said}{self._left(at, now)}", err=True)

    def _left(self, at: Progress, now: float) -> str:
        """The time left, from the share of the bytes that are read."""
        if not at.total or not at.done:
            return ""
        left = (now - self._begun) * (at.total - at.done) / at.done
        return f", {100 * at.done / at.total:.0f} %, {left:,.0f} s left"


def _bar(colour: bool) -> Bar:
    from rich.console import Console  # noqa: PLC0415  a fifth of the start of the command, which most runs do without
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[said]}", markup=False))
    console = Console(stderr=True, no_color=not colour, highlight=False)
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
