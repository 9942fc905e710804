"""Part expand: what an expansion costs in the engine, beside a lookup of one code; every call draws another one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle
from pathlib import Path
from urllib.parse import unquote

from bench.content import LARGE, System, loaded
from bench.questions import SMALL
from bench.report import Report, microseconds, turns
from terminology.service import Terminology

LOOKUP = "$lookup of one code"


def run(report: Report) -> None:
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        large = loaded(2000 if report.quick else LARGE, folder)
        server = Terminology(content=[str(folder / "content")], data_dir=str(folder / "data"))
        ways = {name: partial(microseconds, call) for name, call in calls(server, large).items()}
        taken = turns(ways, report.rounds + 1)
        found = {name: values[1:] for name, values in taken.items()}
        report.table("function API, every call with another word or page", "µs", found, beside=LOOKUP)


def calls(server: Terminology, large: System) -> Mapping[str, Callable[[], object]]:
    codes, filters = cycle(large.codes), cycle(large.filters)
    below, kind, everything = (f"{large.url}/{name}" for name in ("below", "kind", "all"))
    offsets = cycle(range(0, len(large.codes) - 1000, 1000))

    def page(value_set: str, count: int) -> object:
        return list(server.expand(value_set, count=count, offset=next(offsets)))

    return {
        LOOKUP: lambda: server.lookup(large.url, next(codes)),
        "2 codes": lambda: server.expand(SMALL),
        "20 with a filter": lambda: server.expand(everything, filter=unquote(next(filters)), count=20),
        "20 with a filter below the root": lambda: server.expand(below, filter=unquote(next(filters)), count=20),
        "20 of a property": lambda: page(kind, 20),
        "20 from anywhere": lambda: page(everything, 20),
        "1,000 from anywhere": lambda: page(everything, 1000),
    }
