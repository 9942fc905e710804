"""The engine for tables and the judge, asked row by row, agree on whatever rows there are, around every turn, with and
without a value set, a day for all and a limit of what is listed."""

from __future__ import annotations

import csv
import json
import threading
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import duckdb
from coded_records import CM, CPT, OID, OPS, PCS, Row
from engine.asking import code_system, concept
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology.bulk.report import Found, Provenance, Report
from terminology.bulk.resources import Asking
from terminology.bulk.run import Plan, Run
from terminology.bulk.sources import sources
from terminology.procedures.judging import Judge
from terminology.procedures.records import Judgement
from terminology.service import State
from terminology.settings import Settings

FIELDS = ("system", "code", "version", "display", "date")
YEARS, UNDATED = "http://example.org/years", "http://example.org/undated"


def _release(url: str, version: str, start: str | None, end: str | None, *concepts: Any) -> dict[str, Any]:
    period = {name: day for name, day in (("start", start), ("end", end)) if day}
    stated = {"effectivePeriod": period} if period else {}
    return code_system(*concepts, version=version, **{"id": f"{url[-5:]}-{version}", "url": url, **stated})


INVENTED = (
    _release(YEARS, "2019", "2018-10-01", "2019-09-30", "kept", concept("gone", replaced_by="new")),
    _release(YEARS, "2020", "2019-10-01", "2020-09-30", "kept", "new"),
    _release(
        YEARS, "2022", "2021-10-01", None, "kept", "new",
        concept("late", valid_from="2021-11-15", valid_to="2022-03-31"),
    ),
    _release(
        UNDATED, "1", None, None, "bare", concept("dated", valid_from="2012-01-01", valid_to="2014-06-30"),
        concept("open", valid_from="2012-01"), concept("ended", valid_to="2012"),
    ),
)  # fmt: skip

CODES: dict[str | None, tuple[str | None, ...]] = {
    YEARS: ("kept", "gone", "new", "late", "LATE", "never"),
    UNDATED: ("bare", "dated", "open", "ended", "never"),
    CPT: ("38230", "38232", "38232 ", "99999", "07DR3ZZ", "Z52.3", None),
    OID: ("38232", "38230"),
    f"urn:oid:{PCS}": ("07DR3ZZ",),
    "cpt": ("38232",),
    PCS: ("07DR3ZZ", "30230G1", "38232", "07DR3Z"),
    CM: ("Z52.3", "Z523", "38230"),
    OPS: ("5-410.00",),
    "http://example.org/unknown": ("1",),
    None: ("38232", None),
}
ODD_DAYS = (
    None, "2011", "2012-03", "2019", "2021-11", "2011-02-30", "2012-02-29", "2012-13-01", "0000-01-01", "garbage",
    "2012-01-01T00:30:00+02:00", "2011-12-31 23:59:59", "9999-12-31", "0001-01-01", "20120101", "2012-1-1",
    " 2012-01-01",
)  # fmt: skip


VALUE_SETS = (None, "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest-own-use", YEARS + "/some")
"""None, one that is shipped, and one of an invented system."""


def _value_set() -> dict[str, Any]:
    include = {"system": YEARS, "concept": [{"code": "kept"}, {"code": "gone"}]}
    held = {"resourceType": "ValueSet", "id": "some", "url": VALUE_SETS[2], "status": "active"}
    return {**held, "compose": {"include": [include]}}


@cache
def state() -> State:
    """The shipped content and the invented one."""
    with TemporaryDirectory() as folder:
        for each in (*INVENTED, _value_set()):
            Path(folder, f"{each['id']}.json").write_text(json.dumps(each))
        held = State(Settings.load(stated={"content": (folder,)}))
        held.catalog("R4")
    return held


@cache
def judge(value_set: str | None = None) -> Judge:
    return Judge.of(state().open_scope("R4"), value_set)


@cache
def turns() -> tuple[str, ...]:
    """Every day that is the turn of any of the codes, and its neighbours."""
    found = {turn for system, codes in CODES.items() for code in codes for turn in judge().turns(system, code)}
    near = (date.fromisoformat(turn) + timedelta(step) for turn in found if turn < "9999" for step in (-1, 0, 1))
    return tuple(sorted({each.isoformat() for each in near}))


@cache
def displays() -> dict[str | None, tuple[str | None, ...]]:
    """For each code no display, the right one where one is held, and a wrong one."""
    found: dict[str | None, tuple[str | None, ...]] = {}
    for system, codes in CODES.items():
        for code in codes:
            said = judge().judge(judge().row(system, code)).codings
            found[code] = (None, "Wrong words", *(each.display for each in said if each.display))
    return found


def days() -> st.SearchStrategy[str | None]:
    return st.sampled_from(turns()) | st.sampled_from(ODD_DAYS) | st.dates().map(date.isoformat)


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


@settings(max_examples=100, deadline=None)
@given(tables(), ASKED)
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
