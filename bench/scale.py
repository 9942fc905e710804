"""Part scale: what a call costs on 2 to 1,000,000 concepts, the sizes turn by turn; every call names another code.

Through the function API, so the socket and Flask do not dilute what grows. ``the same again`` names one code every
time, and ``file alone`` is the code-system file without the engine.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from random import Random

from bench.content import loaded, url
from bench.report import Goal, Report, microseconds, turns
from terminology.model import Query
from terminology.service import Terminology

SIZES = (2, 10_000, 100_000, 1_000_000)
QUICK = (2, 10_000)


def run(report: Report) -> None:
    sizes = QUICK if report.quick else SIZES
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        for size in sizes:
            loaded(size, folder)
        content, data = str(folder / "content"), str(folder / "data")
        server = Terminology(content=[content], data_dir=data, expansion_limit=2_000_000)
        asked = {size: calls(server, size) for size in sizes}
        for name in asked[2]:
            ways = {f"{size:,} concepts": partial(microseconds, asked[size][name]) for size in sizes}
            taken = turns(ways, report.rounds + 1)
            found = {way: values[1:] for way, values in taken.items()}
            goals = {f"{sizes[-1]:,} concepts": Goal(at_most=1.2)} if name == "$lookup" else {}
            report.table(name, "µs", found, beside="2 concepts", goals=goals)


def calls(server: Terminology, size: int) -> Mapping[str, Callable[[], object]]:
    system, draw = url(size), Random(size)

    def code() -> str:
        return f"C{draw.randint(1, size)}"

    same, file = f"C{size // 2 + 1}", server.state.catalog("R5").code_system(system)

    def members(*, text: str | None = None) -> object:
        codes = None if text else tuple(code() for _ in range(500))
        return list(file.select(Query(codes=codes, text=text, limit=20 if text else None, detailed=False)))

    return {
        "find, file alone": lambda: file.find(code()),
        "subsumes, file alone": lambda: file.subsumes("C1", code()),
        "500 codes at once, file alone": members,
        "first 20 of a rare word, file alone": lambda: members(text="marrow"),
        "$lookup, the same again": lambda: server.lookup(system, same),
        "CodeSystem/$validate-code, the same again": lambda: server.validate_code(same, system),
        "ValueSet/$validate-code, is-a the root, the same again": lambda: server.validate_code(
            same, system, value_set=f"{system}/below"
        ),
        "$subsumes, the same again": lambda: server.subsumes(system, "C1", same),
        "$lookup": lambda: server.lookup(system, code()),
        "CodeSystem/$validate-code": lambda: server.validate_code(code(), system),
        "ValueSet/$validate-code, is-a the root": lambda: server.validate_code(
            code(), system, value_set=f"{system}/below"
        ),
        "$subsumes": lambda: server.subsumes(system, "C1", code()),
        "$expand 20, rare word": lambda: server.expand(f"{system}/all", filter="marrow", count=20),
        "$expand 20, common word": lambda: server.expand(f"{system}/all", filter="ba", count=20),
        "$expand 20, is-a": lambda: server.expand(f"{system}/below", count=20),
        "$expand 20, property": lambda: server.expand(f"{system}/kind", count=20),
        "$expand 20, is-a and rare word": lambda: server.expand(f"{system}/below", filter="marr", count=20),
    }
