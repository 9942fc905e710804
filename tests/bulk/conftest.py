"""Files to read, and the run of them."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from coded_records import judge

from terminology.bulk.report import Found, Provenance, Report
from terminology.bulk.resources import Asking
from terminology.bulk.run import Plan, Run
from terminology.bulk.sources import sources


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.all: list[Found] = []

    def found(self, found: Found) -> None:
        self.all.append(found)

    @property
    def places(self) -> list[tuple[int | None, str]]:
        return [(each.place.number, each.finding.reason) for each in self.all]


def shared() -> Asking:
    """What is asked, made once in this process."""
    return Asking(judge())


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, bytes | str], Path]:
    """``file("a.csv", "…")`` writes it and gives its path."""

    def write(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def validated() -> Callable[..., tuple[Report, Kept]]:
    """``validated(path, …)`` judges files in this process."""

    def run(*paths: Path, plan: Plan = Plan(), stop: threading.Event | None = None, **more: Any) -> tuple[Report, Kept]:
        kept = Kept()
        made = Run(shared, plan, [kept], stop or threading.Event(), **more)
        found: Sequence[Any] = list(sources([str(each) for each in paths]))
        return made.report(found, Provenance("terminology validate", "0", "2026-01-01T00:00:00+00:00", "R4")), kept

    return run
