"""The invented content that is asked about: a tree of concepts with words from a small vocabulary, as a user loads it.

``loaded(size, folder)`` writes a CSV file of so many concepts and imports it with the command line; value sets over it
are files for ``--content``. Everything is the same at every run (a fixed seed).
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter, sleep
from typing import Any
from urllib.parse import quote

from bench.report import CannotMeasureError

LEVELS = 10
LARGE = 78_000
"""As many as a yearly release of a national procedure classification has."""
_SYLLABLES = ("ba", "co", "di", "fe", "gu", "ka", "lo", "mi", "no", "pe", "ra", "si", "to", "vu", "ze")
_VALUE_SETS: Mapping[str, list[dict[str, str]]] = {
    "all": [],
    "below": [{"property": "concept", "op": "is-a", "value": "C1"}],
    "kind": [{"property": "kind", "op": "=", "value": "k1"}],
}


def url(size: int) -> str:
    return f"http://example.org/bench/{size}"


def rows(size: int) -> Iterator[tuple[str, str, str, str, str]]:
    """code, display, parent, kind, German name; ten levels deep, every thousandth has the rare word ``marrow``."""
    draw, children = Random(size), max(2, round(size ** (1 / (LEVELS - 1))))
    for number in range(1, size + 1):
        above = f"C{(number - 2) // children + 1}" if number > 1 else ""
        rare = "marrow" if number % 1000 == 2 else _word(draw)
        yield (
            f"C{number}",
            f"{_word(draw).title()} {rare} {_word(draw)} {number}",
            above,
            f"k{number % 50}",
            f"Begriff {number}",
        )


def _word(draw: Random) -> str:
    return "".join(draw.choices(_SYLLABLES, k=draw.choice((2, 2, 3, 3))))


@dataclass(frozen=True, slots=True)
class System:
    """An invented code system in a data_dir. Words are percent-encoded, in random order, for bench.wrk.Requests."""

    url: str
    codes: Sequence[str]
    displays: Sequence[str]
    filters: Sequence[str]
    """Two beginnings of words each, of one concept each; none twice."""

    @property
    def coded(self) -> Sequence[str]:
        """code and its display, as the tail of a query string."""
        return [f"{code}&display={quote(shown)}" for code, shown in zip(self.codes, self.displays, strict=True)]


def system(size: int) -> System:
    """What the system of that size is made of, in an order of its own."""
    written, draw = list(rows(size)), Random(1)
    draw.shuffle(written)
    filters = dict.fromkeys(quote(" ".join(word[:4] for word in row[1].split()[:2])) for row in written)
    return System(url(size), [row[0] for row in written], [row[1] for row in written], list(filters))


def loaded(size: int, folder: Path, *period: str) -> System:
    """Imports the system into ``folder``/data; value sets over it go to ``folder``/content. ``period``: flags of the
    import that say when the release is in force."""
    path = folder / f"{size}.csv"
    write(path, size)
    imported(path, size, folder / "data", *period)
    (folder / "content").mkdir(exist_ok=True)
    for kept in value_sets(size):
        (folder / "content" / f"{kept['id']}.json").write_text(json.dumps(kept), encoding="utf-8")
    return system(size)


def write(path: Path, size: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("code", "display", "parent", "kind", "german"))
        table.writerows(rows(size))


def value_sets(size: int) -> list[dict[str, Any]]:
    """Of everything (``…/all``), of what is below the root, of one kind."""
    return [value_set(size, name, stated) for name, stated in _VALUE_SETS.items()]


def value_set(size: int, name: str, stated: list[dict[str, str]]) -> dict[str, Any]:
    include: dict[str, Any] = {"system": url(size), **({"filter": stated} if stated else {})}
    held = {"resourceType": "ValueSet", "id": f"bench-{size}-{name}", "url": f"{url(size)}/{name}"}
    return {**held, "status": "active", "compose": {"include": [include]}}


def imported(path: Path, size: int, folder: Path, *period: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of the import, as a process of its own."""
    arguments = [sys.executable, "-m", "terminology", "import", "csv", str(path), "--url", url(size), "--version", "1"]
    arguments += ["--display", "display", "--parent", "parent", "--property", "kind=kind:code"]
    return child([*arguments, "--designation", "de=german", "--data-dir", str(folder), "--quiet", *period])


def environment() -> dict[str, str]:
    """That of what is measured: no settings of ours, and modules of Python compiled once, as where it is installed."""
    unwanted = ("TERMINOLOGY_", "FLASK_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def child(arguments: Sequence[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak megabytes of a process that must end well, and of those that it starts:
    the peaks of all of them together, as if they came at the same time."""
    began = perf_counter()
    most: dict[int, float] = {}
    with subprocess.Popen(arguments, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        watching = threading.Thread(target=_watch, args=(process.pid, most))
        watching.start()
        _, status, used = os.wait4(process.pid, 0)
        took = perf_counter() - began
        watching.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        said = process.stderr.read().decode() if process.stderr and process.returncode else ""
    if process.returncode:
        raise CannotMeasureError(f"{' '.join(arguments[1:4])} ended with {process.returncode}: {said[-800:]}")
    return took, used.ru_utime + used.ru_stime, sum(most.values())


def _watch(pid: int, most: dict[int, float]) -> None:
    """The most memory of a process and of each that it starts, until it ends. What ``wait4`` says may be the memory of
    who started it."""
    from bench.servers import megabytes, processes  # noqa: PLC0415  it imports from here

    while Path(f"/proc/{pid}").exists():
        for each in processes(pid):
            with suppress(OSError, KeyError):
                most[each] = megabytes(each, "VmHWM") or most[each]  # the last: before its program begins, a parent's
        sleep(0.02)
