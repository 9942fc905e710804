"""How figures are taken and told: turns, medians, spread, ratios, goals, and on which machine.

``turns`` runs each way once a round, so that a noisy minute falls on all of them; a ratio is the median of the ratios
of the rounds. ``Report.table`` prints what was found and keeps it for the JSON file.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

Series = Mapping[str, Sequence[float]]
VERSIONS = ("flask", "werkzeug", "granian", "orjson", "marshmallow", "sqlalchemy")


class CannotMeasureError(Exception):
    """Something that a part needs is not here; the sentence says what, and where to get it."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound that a value or its ratio should keep: ``at_least`` or ``at_most``."""

    at_least: float | None = None
    at_most: float | None = None

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


def turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each way returned, one value a round, the ways turn by turn."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    return taken


def microseconds(call: Callable[[], object], times: int = 20) -> float:
    """Microseconds of processor time that one call takes here (a noisy neighbour does not count)."""
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times * 1e6


def ratios(series: Sequence[float], beside: Sequence[float]) -> list[float]:
    """Round by round."""
    return [value / other if other else float("nan") for value, other in zip(series, beside, strict=True)]


class Report:
    """What one call of ``scripts/bench`` finds. ``options`` are those of the command line."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.quick: bool = options.quick
        self.rounds: int = 2 if options.quick else options.rounds
        self.seconds: float = 0.5 if options.quick else options.seconds
        self.workers: int = options.workers
        self._parts: dict[str, dict[str, Any]] = {}
        self._tables: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self._machine = machine()
        print(" · ".join(f"{name} {value}" for name, value in self._machine.items()))

    @contextmanager
    def part(self, name: str, asks: str) -> Iterator[None]:
        """What is told inside belongs to this part."""
        print(f"\n== {name}: {asks}")
        began, self._tables, load = time.monotonic(), [], os.getloadavg()[0]
        yield
        seconds = round(time.monotonic() - began, 1)
        self._parts[name] = {"asks": asks, "seconds": seconds, "load_before": load, "tables": self._tables}
        self._parts[name]["load_after"] = os.getloadavg()[0]
        print(f"   ({seconds} s; load average {load:.1f} before, {os.getloadavg()[0]:.1f} after)")

    def table(
        self,
        title: str,
        unit: str,
        series: Series,
        *,
        beside: str | None = None,
        goals: Mapping[str, Goal] | None = None,
        more: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Prints one row for each series: median, spread, and the ratio to ``beside``; a goal is held against that, or
        against the median where there is none. ``more`` adds columns by row."""
        goals, more = goals or {}, more or {}
        width = max(28, *(len(name) for name in series))
        print(f"\n{title} [{unit}]" + (f", ratio to: {beside}" if beside else ""))
        rows = []
        for name, values in series.items():
            row = _row(name, values, series[beside] if beside else None, goals.get(name), more.get(name, {}))
            rows.append(row)
            print(_line(row, width), flush=True)
        self._tables.append({"title": title, "unit": unit, "beside": beside, "rows": rows})

    def say(self, sentence: str) -> None:
        """A sentence that belongs to the figures."""
        print(f"   {sentence}", flush=True)
        self._tables.append({"said": sentence})

    def found(self) -> dict[str, Any]:
        """All of it, for JSON."""
        seconds = round(time.monotonic() - self._began, 1)
        return {"machine": {**self._machine, "seconds": seconds, "rounds": self.rounds}, "parts": self._parts}


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    versions = {name: metadata.version(name) for name in VERSIONS if _installed(name)}
    return {
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "cpu": _cpu(),
        "load average": " ".join(f"{each:.1f}" for each in os.getloadavg()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        **versions,
    }


def _row(
    name: str, values: Sequence[float], beside: Sequence[float] | None, goal: Goal | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, **_spread(values), "values": list(values)}
    judged = row["median"]
    if beside is not None:
        found = ratios(values, beside)
        row["ratio"] = _spread(found)
        judged = row["ratio"]["median"]
    if goal is not None:
        row["goal"], row["holds"] = str(goal), goal.holds(judged)
    return {**row, **more}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def _line(row: Mapping[str, Any], width: int) -> str:
    line = f"  {row['name']:<{width}} {_shown(row['median']):>11}  ({_shown(row['low'])} … {_shown(row['high'])})"
    if "ratio" in row:
        ratio = row["ratio"]
        line = f"{line:<{width + 44}} x {ratio['median']:6.2f}  ({ratio['low']:.2f} … {ratio['high']:.2f})"
    if "goal" in row:
        line += f"  goal {row['goal']}: {'yes' if row['holds'] else 'NO'}"
    known = {"name", "median", "low", "high", "values", "ratio", "goal", "holds"}
    return line + "".join(f"  {key} {_shown(value)}" for key, value in row.items() if key not in known)


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or sys.platform
