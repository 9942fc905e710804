"""What a code-system file costs at its own door: find, membership, is-a, filter and text, from 2 to 1,000,000 concepts.

Beside each figure stands a lookup in a plain dict of the same codes, taken in the same run, turn by turn: the ratio is
what to quote. Every call names another code. The servers' share is left out (``bench/code_systems.py`` has it).
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from terminology.model import (
    Canonical,
    CodeSystemInfo,
    Concept,
    Designation,
    Filter,
    Property,
    PropertyDefinition,
    Query,
)
from terminology.providers.file import FileProvider
from terminology.storage.code_system_file import compile_file

SIZES = (2, 10_000, 100_000, 1_000_000)
LEVELS = 10
INFO = CodeSystemInfo(
    Canonical("http://example.org/bench", "1"),
    hierarchy_meaning="is-a",
    subsumption="known",
    properties=(PropertyDefinition("kind", "code"),),
)


def concepts(size: int) -> Iterator[Concept]:
    """A tree ten levels deep; every thousandth concept has a rare word."""
    children = max(2, round(size ** (1 / (LEVELS - 1))))
    for number in range(1, size + 1):
        above = (f"C{(number - 2) // children + 1}",) if number > 1 else ()
        word = "marrow" if number % 1000 == 2 else "other"
        yield Concept(
            f"C{number}",
            f"Invented {word} concept {number}",
            parents=above,
            designations=(Designation(f"Begriff {number}", "de"),),
            properties=(Property("kind", "Code", f"k{number % 50}"),),
        )


def calls(provider: FileProvider, codes: dict[str, int], size: int) -> dict[str, Callable[[], object]]:
    draw = random.Random(size)

    def code() -> str:
        return f"C{draw.randint(1, size)}"

    def chosen(**stated: object) -> list[Concept]:
        return list(provider.select(Query(**stated)))  # type: ignore[arg-type]

    below, kind = Filter("concept", "is-a", "C1"), Filter("kind", "=", "k1")
    return {
        "a plain dict": lambda: codes.get(code()),
        "find": lambda: provider.find(code()),
        "500 codes at once": lambda: chosen(codes=tuple(code() for _ in range(500)), detailed=False),
        "code in is-a the root": lambda: chosen(filters=(below,), codes=(code(),), detailed=False),
        "subsumes": lambda: provider.subsumes("C1", code()),
        "first 20 below the root": lambda: chosen(filters=(below,), limit=20, detailed=False),
        "first 20 of a property": lambda: chosen(filters=(kind,), limit=20, detailed=False),
        "first 20 of a rare word": lambda: chosen(text="marrow", limit=20, detailed=False),
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
    asked = {}
    with tempfile.TemporaryDirectory() as held:
        for size in sizes:
            began = time.perf_counter()
            path, manifest = compile_file(INFO, concepts(size), Path(held) / str(size))
            seconds = time.perf_counter() - began
            print(
                f"{manifest.concepts:>9,} concepts: {seconds:6.1f} s, {path.stat().st_size / 1e6:6.1f} MB", flush=True
            )
            codes = {f"C{number}": number for number in range(1, size + 1)}
            asked[size] = calls(FileProvider.open(path), codes, size)
        print(f"\n{'microseconds, and how many dict lookups':<40}" + "".join(f"{size:>20,}" for size in sizes))
        plain = {}
        for name in asked[2]:
            taken: dict[int, list[float]] = {size: [] for size in sizes}
            for _ in range(stated.rounds):
                for size in sizes:
                    taken[size].append(timed(asked[size][name], 100))
            found = {size: statistics.median(taken[size]) for size in sizes}
            plain = plain or found
            cells = (f"{found[size]:>11,.1f} {found[size] / plain[size]:>7,.0f}x" for size in sizes)
            print(f"{name:<40}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
