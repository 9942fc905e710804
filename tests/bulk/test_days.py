"""The engine for tables and the judge, asked row by row, agree on whatever rows there are, around every turn, with and
without a value set, a day for all and a limit of what is listed."""

from __future__ import annotations

import csv
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb
from coded_records import CPT, OID, Row
from generated_rows import CODES, VALUE_SETS, YEARS, days, displays, judge, turns
from hypothesis import example, given, settings
from hypothesis import strategies as st

from terminology.bulk.report import Found, Provenance, Report
from terminology.bulk.resources import Asking
from terminology.bulk.run import Plan, Run
from terminology.bulk.sources import sources
from terminology.procedures.records import Judgement

FIELDS = ("system", "code", "version", "display", "date")
Kind = Literal["csv", "parquet", "dates"]
"""Text; Parquet with days as text; Parquet with a column of type DATE."""


@dataclass(frozen=True, slots=True)
class Table:
    kind: Kind
    rows: tuple[Row, ...]

    def written(self, folder: Path) -> Path:
        path = folder / f"rows.{'csv' if self.kind == 'csv' else 'parquet'}"
        if self.kind == "csv":
            with path.open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(FIELDS)
                writer.writerows(self.rows)
            return path
        types = ", ".join(
            f"{each} {'DATE' if (each, self.kind) == ('date', 'dates') else 'VARCHAR'}" for each in FIELDS
        )
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE t ({types})")
            connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", self.rows)
            connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
        return path


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A few codings, each on many days: an answer that is carried to a day where it does not hold would show."""
    kind: Kind = draw(st.sampled_from(("csv", "parquet", "dates")))
    some = days() if kind != "dates" else days().filter(lambda day: day is None or _full(day))
    found: list[Row] = []
    for _ in range(draw(st.integers(1, 4))):
        system = draw(st.sampled_from(sorted(CODES, key=str)))
        code = draw(st.sampled_from(CODES[system]))
        version = draw(st.sampled_from((None, None, None, "2011", "2020", "1999")))
        shown = draw(st.sampled_from(displays()[code]))
        found += [(system, code, version, shown, day) for day in draw(st.lists(some, min_size=1, max_size=25))]
    return Table(kind, tuple(draw(st.permutations(found))))


def _full(day: str) -> bool:
    try:
        return date.fromisoformat(day).isoformat() == day
    except ValueError:
        return False


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.all: list[Found] = []

    def found(self, found: Found) -> None:
        self.all.append(found)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line may state for all rows."""

    value_set: str | None = None
    date: str | None = None
    limit: int | None = None

    def of(self, table: Table) -> tuple[Report, list[Found]]:
        kept = Kept()
        with TemporaryDirectory() as folder:
            path = table.written(Path(folder))
            asking = Asking(judge(self.value_set), date=self.date)
            run = Run(lambda: asking, Plan(limit=self.limit), [kept], threading.Event())
            made = Provenance("terminology validate", "0", "2026-01-01T00:00:00+00:00", "R4")
            return run.report(list(sources([str(path)])), made), kept.all

    def row_by_row(self, table: Table) -> list[Judgement]:
        asked = judge(self.value_set)
        return [asked.judge(asked.row(*row[:4], self.date or row[4]), self.date) for row in table.rows]


ASKED = st.builds(
    Asked,
    value_set=st.sampled_from(VALUE_SETS),
    date=st.none() | st.sampled_from(("2011", "2012-01-01", "2019-10", "2021-11-30")),
    limit=st.none() | st.integers(0, 30),
)


_SILENT = ("http://example.org/sorts", "named", None, None, "2012-01-01")
_TELLING = ("http://example.org/sorts", "named", None, None, "2010-12-31")


@settings(max_examples=100, deadline=None)
@given(tables(), ASKED)
@example(Table("csv", (_SILENT, _SILENT, _TELLING, _SILENT, _TELLING, _TELLING)), Asked(limit=2))
@example(Table("dates", (*[_SILENT] * 40, _TELLING)), Asked(limit=1))
def test_each_row_of_a_table_has_the_findings_of_the_judge_on_its_day(table: Table, asked: Asked) -> None:
    judged = asked.row_by_row(table)
    report, kept = asked.of(table)
    listed = [(number, each) for number, said in enumerate(judged, 1) for each in said.findings]
    assert [(each.place.number, each.finding) for each in kept] == listed[: asked.limit]
    verdicts = [each.verdict for each in judged]
    assert report.verdicts == {name: verdicts.count(name) for name in ("right", "wrong", "unjudged")}
    assert sum(group.count for group in report.groups) == len(listed)
    for group in report.groups:
        about = (group.coding.system, group.coding.code) if group.coding else None
        places = [
            number
            for number, each in listed
            if (each.reason, each.issue.severity) == (group.reason, group.severity)
            if ((each.coding.system, each.coding.code) if each.coding else None) == about
        ]
        assert (group.count, [place.number for place in group.places]) == (len(places), places[:5])


def test_the_turns_that_are_tried_are_those_of_every_kind() -> None:
    """What the test above relies on: releases, concepts with days of their own, and names that are aliases."""
    for each in ("2012-01-01", "2024-10-01", "2025-10-01", "2021-11-15", "2022-04-01", "2014-07-01", "2013-01-01"):
        assert each in turns()
    assert judge().turns(OID, "38232") == judge().turns(CPT, "38232")


def test_the_value_sets_that_are_tried_leave_codes_out() -> None:
    for named in VALUE_SETS[1:]:
        asked = judge(named)
        assert asked.judge(asked.row(YEARS, "new", None, None, "2020-01-01")).findings
        assert not judge().judge(judge().row(YEARS, "new", None, None, "2020-01-01")).findings
