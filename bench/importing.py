"""Part import: seconds and peak memory of loading concepts, ten levels deep, with their text index, as a user does it.

Beside it, in the same round: the rows of the same concepts through a bare ``executemany`` into an SQLite file without
an index or a check, by a process of its own, which makes these rows, the pairs of the closure and a text index in
Python and SQLite too. That is what no importer in Python can be faster than by much.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from pathlib import Path

from bench.content import LARGE, child, imported, rows, write
from bench.report import Goal, Report

MILLION = 1_000_000
Way = Callable[[], tuple[float, float, float]]


def run(report: Report) -> None:
    sizes = (2_000,) if report.quick else (LARGE, MILLION)
    for size in sizes:
        with tempfile.TemporaryDirectory() as held:
            _measure(report, size, report.rounds if size <= LARGE else 1, Path(held))


def _measure(report: Report, size: int, rounds: int, folder: Path) -> None:
    path = folder / "concepts.csv"
    write(path, size)
    ours, base = f"terminology import csv, {size:,} concepts", f"bare executemany, {size:,} concepts"
    taken: Mapping[str, list[tuple[float, float, float]]] = {ours: [], base: []}
    for turn in range(rounds):
        ways: Mapping[str, Way] = {
            ours: partial(imported, path, size, folder / f"data-{turn}"),
            base: partial(child, [sys.executable, "-m", "bench.importing", str(size), str(folder / f"{turn}.db")]),
        }
        for name, way in ways.items():
            taken[name].append(way())
    columns = {name: tuple(zip(*found, strict=True)) for name, found in taken.items()}
    goals = {ours: Goal(at_most=3)} if size == LARGE else {}
    report.table("wall time", "s", {ours: columns[ours][0]}, goals=goals)
    report.table(
        "wall time, beside the bare way", "s", {name: found[0] for name, found in columns.items()}, beside=base
    )
    report.table("processor time", "s", {name: found[1] for name, found in columns.items()}, beside=base)
    memory = {ours: Goal(at_most=150)} if size == LARGE else {}
    report.table("peak memory", "MB", {ours: columns[ours][2]}, goals=memory)


def bare(size: int, path: Path) -> None:
    """The concepts, their words and every pair of a concept with one above it."""
    database = sqlite3.connect(path)
    database.executescript("PRAGMA synchronous=OFF; CREATE TABLE concept (code, display, parent, kind, german);"
                           "CREATE VIRTUAL TABLE search USING fts5 (names, content='');"
                           "CREATE TABLE closure (ancestor INTEGER, descendant INTEGER);")  # fmt: skip
    database.executemany("INSERT INTO concept VALUES (?,?,?,?,?)", rows(size))
    words = ((f"{code}\n{display}\n{german}",) for code, display, _, _, german in rows(size))
    database.executemany("INSERT INTO search (names) VALUES (?)", words)
    database.executemany("INSERT INTO closure VALUES (?,?)", _pairs(size))
    database.commit()
    database.close()


def _pairs(size: int) -> Iterable[tuple[int, int]]:
    above = [0, *(int(parent[1:] or 0) for _, _, parent, _, _ in rows(size))]

    def upwards(number: int) -> Iterable[tuple[int, int]]:
        ancestor = number
        while ancestor:
            yield ancestor, number
            ancestor = above[ancestor]

    return chain.from_iterable(map(upwards, range(1, size + 1)))


if __name__ == "__main__":
    bare(int(sys.argv[1]), Path(sys.argv[2]))
