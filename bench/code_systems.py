"""The cost of a code system's size: the same calls on 2 to 1,000,000 concepts, turn by turn.

The systems are invented, ten levels deep, with a property and a German name for each concept; they are imported by
the command line as a user would (``terminology import csv``) and asked through the function API. Every call names
another code, so no answer was seen before.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from terminology.model import Json
from terminology.service import Terminology

SIZES = (2, 10_000, 100_000, 1_000_000)
LEVELS = 10
URL = "http://example.org/bench/{}"


def parent(number: int, size: int) -> int:
    """The number of the concept above; so many children each that the tree is ten levels deep. 0: it is the root."""
    children = max(2, round(size ** (1 / (LEVELS - 1))))
    return (number - 2) // children + 1 if number > 1 else 0


def write(path: Path, size: int) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("code", "display", "parent", "kind", "german"))
        for number in range(1, size + 1):
            above = parent(number, size)
            rare = "marrow" if number % 1000 == 2 else "other"
            display = f"Invented {rare} concept {number}"
            rows.writerow((f"C{number}", display, f"C{above}" if above else "", f"k{number % 50}", f"Begriff {number}"))


def imported(path: Path, size: int, folder: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of the import, as a process of its own."""
    arguments = [sys.executable, "-m", "terminology", "import", "csv", str(path), "--url", URL.format(size)]
    arguments += ["--version", "1", "--display", "display", "--parent", "parent", "--property", "kind=kind:code"]
    arguments += ["--designation", "de=german", "--data-dir", str(folder), "--quiet"]
    began = time.perf_counter()
    child = os.posix_spawn(
        sys.executable, arguments, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, 1, 0)]
    )
    _, status, used = os.wait4(child, 0)
    if status:
        sys.exit(f"the import of {size} concepts ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, used.ru_maxrss / 1024


def value_sets(size: int) -> Iterator[Json]:
    system = URL.format(size)
    filters = {
        "all": [],
        "below": [{"property": "concept", "op": "is-a", "value": "C1"}],
        "kind": [{"property": "kind", "op": "=", "value": "k1"}],
    }
    for name, stated in filters.items():
        include: Json = {"system": system, **({"filter": stated} if stated else {})}
        url = f"{system}/{name}"
        yield {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": [include]}}


def calls(server: Terminology, size: int) -> dict[str, Callable[[], object]]:
    system, draw = URL.format(size), random.Random(size)

    def code() -> str:
        return f"C{draw.randint(1, size)}"

    return {
        "$lookup": lambda: server.lookup(system, code()),
        "$validate-code, code system": lambda: server.validate_code(code(), system),
        "$validate-code, is-a the root": lambda: server.validate_code(code(), system, value_set=f"{system}/below"),
        "$subsumes": lambda: server.subsumes(system, "C1", code()),
        "$expand 20, rare word": lambda: server.expand(f"{system}/all", filter="marrow", count=20),
        "$expand 20, is-a": lambda: server.expand(f"{system}/below", count=20),
        "$expand 20, property": lambda: server.expand(f"{system}/kind", count=20),
        "$expand 20, is-a and rare word": lambda: server.expand(f"{system}/below", filter="marr", count=20),
    }


def timed(call: Callable[[], object], times: int) -> float:
    """Microseconds of one call."""
    began = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - began) / times * 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--million", action="store_true", help="also 1,000,000 concepts (minutes)")
    options.add_argument("--rounds", type=int, default=7)
    stated = options.parse_args()
    sizes = SIZES if stated.million else SIZES[:-1]
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        for size in sizes:
            path = folder / f"{size}.csv"
            write(path, size)
            seconds, megabytes = imported(path, size, folder / "data")
            compiled = max(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file()) / 1e6
            print(
                f"import of {size:>9,}: {seconds:7.1f} s, peak {megabytes:5.0f} MB, file {compiled:7.1f} MB", flush=True
            )
        content = [resource for size in sizes for resource in value_sets(size)]
        server = Terminology(content=content, data_dir=str(folder / "data"), expansion_limit=2_000_000)
        asked = {size: calls(server, size) for size in sizes}
        print(f"\n{'microseconds a call, and how often that of 2':<34}" + "".join(f"{size:>20,}" for size in sizes))
        for name in asked[2]:
            taken: dict[int, list[float]] = {size: [] for size in sizes}
            for _ in range(stated.rounds):
                for size in sizes:
                    taken[size].append(timed(asked[size][name], 20))
            found = {size: statistics.median(taken[size][1:] or taken[size]) for size in sizes}
            cells = (f"{found[size]:>11,.0f} {found[size] / found[2]:>7.2f}x" for size in sizes)
            print(f"{name:<34}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
