"""Part bulk: a table of coded rows judged, beside the bare DuckDB join of the same file with the list of right codes.

The rows are invented: 8,000 codes of a code system in force on every day, 80 codes it does not have in 1 % of the rows,
and a day out of six years. ``uniform``: every code as often; ``skewed``: half of the rows have 6 % of the codes.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

from bench.content import child
from bench.report import CannotMeasureError, Goal, Report

URL = "http://example.org/bench/codes"
CODES, WRONG, DAYS = 8_000, 80, 2_190
SIZES = (("uniform", 10_000_000), ("skewed", 10_000_000))
LARGE = (("skewed", 100_000_000),)
"""Measured too where ``BENCH_LARGE`` is set in the environment: some minutes more."""
QUICK = (("uniform", 200_000),)
TURNS = {10_000_000: 3, 100_000_000: 2}
"""So many turns at most are taken of a table of that size."""

_MAKE = f"""
import duckdb, sys
rows, kind, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
draw = {{"uniform": "random()", "skewed": "power(random(), 4)"}}[kind]
with duckdb.connect(config={{"threads": 2, "memory_limit": "2GB"}}) as connection:
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(f'''COPY (
        SELECT '{URL}' AS system,
            CASE WHEN wrong THEN printf('W%05d', k % {WRONG}) ELSE printf('C%05d', k) END AS code,
            DATE '2019-01-01' + CAST(floor(random() * {DAYS}) AS INTEGER) AS date
        FROM (SELECT CAST(floor({CODES} * {{draw}}) AS INTEGER) AS k, random() < 0.01 AS wrong FROM range({{rows}}))
    ) TO '{{path}}' (FORMAT parquet)''')
"""

_JOIN = """
import duckdb, sys
with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
    print(connection.execute(
        "SELECT count(*), count(known.code) FROM read_parquet($rows) AS rows "
        "LEFT JOIN read_parquet($known) AS known USING (system, code)",
        {"rows": sys.argv[1], "known": sys.argv[2]},
    ).fetchall())
"""

_KNOWN = """
import duckdb, sys
duckdb.execute("COPY (SELECT $url AS system, code FROM read_csv($codes)) TO '" + sys.argv[3] + "' (FORMAT parquet)",
               {"url": sys.argv[1], "codes": sys.argv[2]})
"""


def run(report: Report) -> None:
    if importlib.util.find_spec("duckdb") is None:
        raise CannotMeasureError("tables need DuckDB: pip install 'flask-fhir-terminology[bulk]'")
    with tempfile.TemporaryDirectory(prefix="bench-bulk-") as held:
        folder = Path(held)
        _content(folder)
        sizes = (*SIZES, *(LARGE if os.environ.get("BENCH_LARGE") else ()))
        for kind, size in QUICK if report.quick else sizes:
            _measure(report, folder, kind, size)


def _content(folder: Path) -> None:
    """The code system, loaded, and the same codes as a table for the bare join."""
    codes = folder / "codes.csv"
    with codes.open("w", encoding="utf-8") as file:
        file.write("code,display\n")
        file.writelines(f"C{number:05d},Invented {number}\n" for number in range(CODES))
    terminology = [sys.executable, "-m", "terminology", "import", "csv", str(codes), "--url", URL, "--version", "1"]
    child(
        [
            *terminology,
            "--display",
            "display",
            "--effective-from",
            "2010-01-01",
            "--data-dir",
            str(folder / "data"),
            "-q",
        ]
    )
    child([sys.executable, "-c", _KNOWN, URL, str(codes), str(folder / "known.parquet")])


def _measure(report: Report, folder: Path, kind: str, size: int) -> None:
    rows = folder / "rows.parquet"
    child([sys.executable, "-c", _MAKE, str(size), kind, str(rows)])
    judge = [sys.executable, "-m", "terminology", "validate", str(rows), "--data-dir", str(folder / "data")]
    judge += ["--exit-zero", "--quiet", "--jobs", "2", "--report", f"json={folder / 'report.json'}"]
    ways = {
        "terminology validate": judge,
        "the same, every finding as CSV": [*judge, "--report", f"csv={folder / 'findings.csv'}"],
        "bare DuckDB join": [sys.executable, "-c", _JOIN, str(rows), str(folder / "known.parquet")],
    }
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    for _ in range(min(report.rounds, TURNS.get(size, report.rounds))):
        for name, command in ways.items():
            taken[name].append(child(command))
    what = f"{size:,} rows, {kind}, {rows.stat().st_size / 1e6:,.0f} MB Parquet"
    report.say(f"{CODES + WRONG:,} distinct codings on {DAYS:,} days; 1 % of the rows are wrong")
    speeds = {name: [size / wall for wall, _, _ in found] for name, found in taken.items()}
    goals = {"terminology validate": Goal(at_least=0.5)}
    report.table(f"speed, {what}", "rows/s", speeds, beside="bare DuckDB join", goals=goals)
    work = {name: [size / spent for _, spent, _ in found] for name, found in taken.items()}
    report.table(f"rows a second of processor time, {what}", "rows/s", work, beside="bare DuckDB join", goals=goals)
    report.table("peak memory", "MB", {name: [peak for _, _, peak in found] for name, found in taken.items()})
    rows.unlink()
