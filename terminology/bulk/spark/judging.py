"""What a worker does with a batch of coded rows: the judge is asked once for each distinct coding and span of days.

A span is the days between two turns of a coding (``Judge.turns``): what is said on one of them holds on each, but for
the name of the day (``Judgement.on``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from terminology import dates
from terminology.bulk.spark.distinct import distinct, spread
from terminology.frozen import dataclass
from terminology.issues import Refusal, issue, text
from terminology.model import Coding, FhirVersion, Issue
from terminology.procedures.judging import Judge
from terminology.procedures.reading import BEFORE_TIME
from terminology.procedures.records import Finding, Judgement, Record
from terminology.wire import json_text

REMEMBERED = 500_000
"""Answers that a worker keeps; over it, it begins anew."""

FINDING = (
    "struct<reason:string,severity:string,text:string,expression:string,"
    "suggestion:struct<system:string,code:string,display:string>>"
)
JUDGEMENT = f"struct<verdict:string,used:array<string>,findings:array<{FINDING}>>"
_SUGGESTION = pa.struct([("system", pa.string()), ("code", pa.string()), ("display", pa.string())])
_FINDING = pa.struct(
    [
        ("reason", pa.string()),
        ("severity", pa.string()),
        ("text", pa.string()),
        ("expression", pa.string()),
        ("suggestion", _SUGGESTION),
    ]
)
ARROW = pa.struct([("verdict", pa.string()), ("used", pa.list_(pa.string())), ("findings", pa.list_(_FINDING))])

WIDTH = 5
"""What is asked of a row: system, code, version, display, date."""
Row = tuple[str | None, str | None, str | None, str | None]
"""Without the date."""
Code = tuple[str | None, str | None]
Told = dict[str, Any]


def told(judgement: Judgement) -> Told:
    """A judgement as the value of a column."""
    return {
        "verdict": judgement.verdict,
        "used": list(dict.fromkeys(str(each.used) for each in judgement.codings if each.used)),
        "findings": [
            {
                "reason": found.reason,
                "severity": found.issue.severity,
                "text": text(found.issue),
                "expression": found.issue.expression,
                "suggestion": _coding(found.issue.suggestion),
            }
            for found in judgement.findings
        ],
    }


def _coding(suggested: Coding | None) -> dict[str, str | None] | None:
    if suggested is None:
        return None
    return {"system": suggested.system, "code": suggested.code, "display": suggested.display}


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a coding on one day, and so of all days of its span where it is ``movable``."""

    judgement: Judgement
    day: str | None
    told: Told
    movable: bool = False

    @property
    def steady(self) -> bool:
        """True where it is the same on all days of the span, to the last word."""
        return self.movable and all(self.day not in each.issue.arguments for each in self.judgement.findings)

    def on(self, day: str | None) -> Told:
        return self.told if day == self.day or self.steady else told(self.judgement.on(str(self.day), str(day)))


class Rows:
    """The judge of a worker, and what it said."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._turns: dict[Code, tuple[str, ...]] = {}
        self._held: dict[tuple[Row, int | str | None], Said] = {}

    def judged(self, asked: pa.ListArray) -> pa.Array:
        """The judgement of each row that is asked about, in a list, null for the others. What is asked is a list: a
        ``Row`` and its date. A list that is null is the least that can be sent."""
        known = asked.drop_null()
        if not len(known):
            return pa.nulls(len(asked), pa.list_(ARROW))
        cells = known.flatten()
        *coding, day = (cells[place::WIDTH] for place in range(WIDTH))
        answers = self._judged(coding, _without_time(day))
        starts = pa.concat_arrays([_places(asked.is_valid()), pa.array([len(known)])])
        return pa.ListArray.from_arrays(starts.cast(pa.int32()), answers)

    def _judged(self, coding: Sequence[pa.Array], day: pa.Array) -> pa.Array:
        if len(self._held) > REMEMBERED:
            self._held.clear()
            self._turns.clear()
        rows, codings = distinct(coding)
        dated, named = distinct([day])
        spans, example = _spans([each for (each,) in named], self._every_turn(codings))
        which, pairs = distinct([rows, spread(dated, spans, pa.string())])
        steady = [self._steady(codings[row], example[span]) for row, span in pairs]
        answers = _answers(which, steady)
        if None not in steady:
            return answers
        unsteady = spread(which, [each is None for each in steady], pa.bool_())
        which, pairs = distinct([rows.filter(unsteady), day.filter(unsteady)])
        daily = _answers(which, [self._said(codings[row], each).on(each) for row, each in pairs])
        return pa.concat_arrays([answers, daily]).take(_merged(unsteady))

    def _every_turn(self, codings: Sequence[Row]) -> list[str]:
        """The turns of all codings of a batch: between two of them one day stands for all."""
        return sorted({turn for system, code, *_ in codings for turn in self._of((system, code))})

    def _of(self, code: Code) -> tuple[str, ...]:
        if code not in self._turns:
            self._turns[code] = self._judge.turns(*code)
        return self._turns[code]

    def _steady(self, row: Row, day: str | None) -> Told | None:
        """What is said of a coding on all days of the span that a day lies in; None where each day is to be asked."""
        said = self._said(row, day)
        return said.told if said.steady or not _full(day) else None

    def _said(self, row: Row, day: str | None) -> Said:
        if _full(day):
            said = self._asked((row, bisect_right(self._of(row[:2]), str(day))), day)
            if said.movable or said.day == day:
                return said
        return self._asked((row, day), day)

    def _asked(self, key: tuple[Row, int | str | None], day: str | None) -> Said:
        if key not in self._held:
            judgement = self._judge.judge(self._judge.row(*key[0], day))
            self._held[key] = Said(judgement, day, told(judgement), _full(day) and judgement.movable(str(day)))
        return self._held[key]


def _full(day: str | None) -> bool:
    return bool(day) and dates.full(str(day))


def _without_time(day: pa.Array) -> pa.Array:
    """A date with a time is its first ten characters, as ``Judge.row`` reads it."""
    timed = pc.is_in(pc.utf8_slice_codeunits(day, 10, 11), pa.array(BEFORE_TIME))
    return pc.if_else(timed, pc.utf8_slice_codeunits(day, 0, 10), day)


def _answers(places: pa.Array, values: Sequence[Told | None]) -> pa.Array:
    """The value of each row's tuple. Many tuples have the same one: each is written to Arrow once."""
    unique = {id(each): each for each in values}
    number = {each: place for place, each in enumerate(unique)}
    which = pa.array([number[id(each)] for each in values], pa.int64())
    return pa.array(list(unique.values()), ARROW).take(which.take(places))


def _spans(named: Sequence[str | None], turns: Sequence[str]) -> tuple[list[str | None], dict[str | None, str | None]]:
    """The name of the span of each day, and one day of each; what is no full day stands for itself."""
    names = [f"span {bisect_right(turns, day)}" if day and dates.full(day) else day for day in named]
    return names, dict(zip(names, named, strict=True))


def _merged(late: pa.Array) -> pa.Array:
    """Where each row's answer is, when those of the rows that are ``late`` stand behind all, one after the other."""
    own = pa.array(range(len(late)), pa.int64())
    return pc.if_else(late, pc.add(_places(late), len(late)), own)


def _places(asked: pa.Array) -> pa.Array:
    """The place of each row among those that were asked about, null for the others."""
    counted = pc.subtract(pc.cumulative_sum(asked.cast(pa.int64())), 1)
    return pc.if_else(asked, counted, pa.scalar(None, pa.int64()))


class Resources:
    """The judge of a worker for resources in JSON, one in each row."""

    def __init__(self, judge: Judge, fhir: FhirVersion) -> None:
        self._judge, self._fhir = judge, fhir
        self._held: dict[Record, Told] = {}

    def judged(self, resource: pa.Array) -> pa.Array:
        """The judgement of each row; what cannot be read is a finding of it."""
        places, texts = distinct([resource])
        return spread(places, [None if each is None else self._one(each) for (each,) in texts], ARROW)

    def _one(self, resource: str) -> Told:
        try:
            record = self._judge.read(json_text.read(resource.encode()), self._fhir)
        except json_text.Malformed as broken:
            return _unread(issue("OWN_MALFORMED_BODY", broken))
        except Refusal as refused:
            return _unread(*refused.issues)
        if record not in self._held:
            if len(self._held) > REMEMBERED:
                self._held.clear()
            self._held[record] = told(self._judge.judge(record))
        return self._held[record]


def _unread(*reasons: Issue) -> Told:
    return told(Judgement(findings=tuple(Finding("unreadable", reason) for reason in reasons)))
