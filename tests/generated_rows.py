"""Rows as they may come, over the shipped content and invented systems with releases and dates of their own."""

from __future__ import annotations

import json
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from coded_records import CM, CPT, OID, OPS, PCS, Row
from engine.asking import code_system, concept
from hypothesis import strategies as st

from terminology.procedures.judging import Judge
from terminology.service import State
from terminology.settings import Settings

YEARS, UNDATED, SORTS = (f"http://example.org/{name}" for name in ("years", "undated", "sorts"))


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
    _release(
        SORTS, "1", "2012-01-01", None, concept("named", display="Name"), concept("2012-01-01", valid_to="2013"),
        concept("retired", status="retired"), concept("deprecated", status="deprecated"),
        concept("abstract", notSelectable=True), concept("inactive", inactive=True), concept("a:b"), "Case",
    ),
    {**_release(f"{SORTS}-folded", "1", "2012-01-01", None, "Case"), "caseSensitive": False},
    {**_release(f"{SORTS}-part", "1", "2012-01-01", None, "some"), "content": "fragment"},
)  # fmt: skip

CODES: dict[str | None, tuple[str | None, ...]] = {
    YEARS: ("kept", "gone", "new", "late", "LATE", "never"),
    UNDATED: ("bare", "dated", "open", "ended", "never"),
    SORTS: ("named", "2012-01-01", "retired", "deprecated", "abstract", "inactive", "a:b", "Case", "case", "never"),
    f"{SORTS}-folded": ("Case", "case"),
    f"{SORTS}-part": ("some", "other"),
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


def invented_value_set() -> dict[str, Any]:
    include = {"system": YEARS, "concept": [{"code": "kept"}, {"code": "gone"}]}
    held = {"resourceType": "ValueSet", "id": "some", "url": VALUE_SETS[2], "status": "active"}
    return {**held, "compose": {"include": [include]}}


@cache
def state() -> State:
    """The shipped content and the invented one."""
    with TemporaryDirectory() as folder:
        for each in (*INVENTED, invented_value_set()):
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


def drawn(many: int, seed: int, odd: tuple[str | None, ...] = ODD_DAYS) -> list[Row]:
    """So many rows, each with any coding on any day: most have nothing odd about them."""
    draw, found = Random(seed), []
    for _ in range(many):
        system = draw.choice(sorted(CODES, key=str))
        code = draw.choice(CODES[system])
        day = draw.choice((draw.choice(turns()), draw.choice(turns()), draw.choice(odd)))
        version = draw.choice((*[None] * 8, "", "2020"))
        found.append((system, code, version, draw.choice((None, "", *displays()[code])), day))
    return found
