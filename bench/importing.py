"""Part import: seconds and peak memory of loading 78,000 concepts with their text index, as a user does it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.content import LARGE, imported, write
from bench.report import Goal, Report


def run(report: Report) -> None:
    size = 2000 if report.quick else LARGE
    with tempfile.TemporaryDirectory() as held:
        path = Path(held) / "concepts.csv"
        write(path, size)
        found = [imported(path, size, Path(held) / str(turn)) for turn in range(report.rounds)]
    wall, spent, peak = (list(values) for values in zip(*found, strict=True))
    name = f"terminology import csv, {size:,} concepts"
    report.table("wall time", "s", {name: wall}, goals={name: Goal(at_most=3)})
    report.table("processor time", "s", {name: spent})
    report.table("peak memory", "MB", {name: peak}, goals={name: Goal(at_most=150)})
