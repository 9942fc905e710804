"""What a worker does with a batch of coded rows: the judge is asked once for each distinct coding and span of days.

A span is the days between two turns of a coding (``Judge.turns``). Where nothing is found on one of them, nothing is
found on any. A finding may name its day: where two days differ in nothing else, so do all of the span; where they do,
each day is asked.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from terminology import dates
from terminology.bulk.spark.distinct import distinct, spread
from terminology.issues import Refusal, issue, text
from terminology.model import Coding, FhirVersion, Issue
from terminology.procedures.judging import Judge
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

_DAY = "\0"
Row = tuple[str | None, str | None, str | None, str | None]
"""system, code, version, display."""
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
class Form:
    """What is said on one day, with a mark in the place of that day."""

    told: Told

    @classmethod
    def of(cls, judgement: Judgement, day: str) -> Form:
        return cls(_named(told(judgement), day, _DAY))

    @property
    def names_day(self) -> bool:
        return any(_DAY in found["text"] for found in self.told["findings"])

    def on(self, day: str) -> Told:
        return _named(self.told, _DAY, day) if self.names_day else self.told


def _named(said: Told, day: str, other: str) -> Told:
    return {**said, "findings": [{**each, "text": each["text"].replace(day, other)} for each in said["findings"]]}


def _beside(day: str) -> Iterator[str]:
    """The day after and the day before, as far as the calendar has them."""
    for step in (1, -1):
        with suppress(OverflowError):
            yield str(date.fromisoformat(day) + timedelta(step))


class Rows:
    """The judge of a worker, and what it said."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._turns: dict[Code, tuple[str, ...]] = {}
        self._held: dict[tuple[Row, int], Form | None] = {}

    def judged(self, coding: Sequence[pa.Array], day: pa.Array) -> pa.Array:
        """The judgement of each row; ``coding`` are the columns of a ``Row``."""
        if len(self._held) > REMEMBERED:
            self._held.clear()
            self._turns.clear()
        rows, codings = distinct(coding)
        dated, named = distinct([day])
        spans, example = _spans([each for (each,) in named], self._every_turn(codings))
        which, pairs = distinct([rows, spread(dated, spans, pa.string())])
        steady = [self._steady(codings[row], example[span]) for row, span in pairs]
        answers = spread(which, steady, ARROW)
        if None not in steady:
            return answers
        unsteady = spread(which, [each is None for each in steady], pa.bool_())
        which, pairs = distinct([rows.filter(unsteady), day.filter(unsteady)])
        daily = spread(which, [self._told(codings[row], each) for row, each in pairs], ARROW)
        return _merged(answers, unsteady, daily)

    def _every_turn(self, codings: Sequence[Row]) -> list[str]:
        """The turns of all codings of a batch: between two of them one day stands for all."""
        return sorted({turn for system, code, *_ in codings for turn in self._of((system, code))})

    def _of(self, code: Code) -> tuple[str, ...]:
        if code not in self._turns:
            self._turns[code] = self._judge.turns(*code)
        return self._turns[code]

    def _steady(self, row: Row, day: str | None) -> Told | None:
        """What is said of a coding on all days of the span that a day lies in; None where each day is to be asked."""
        if day is None or not dates.full(day):
            return self._told(row, day)
        form = self._form(row, day)
        return None if form is None or form.names_day else form.told

    def _told(self, row: Row, day: str | None) -> Told:
        form = self._form(row, day) if day and dates.full(day) else None
        return form.on(day or "") if form else told(self._judged(row, day))

    def _form(self, row: Row, day: str) -> Form | None:
        """What is said of a coding on the days of a span but for the day's own name; None where they differ in more."""
        place = bisect_right(self._of(row[:2]), day)
        if (row, place) not in self._held:
            self._held[row, place] = self._made(row, day, place)
        return self._held[row, place]

    def _made(self, row: Row, day: str, place: int) -> Form | None:
        judgement = self._judged(row, day)
        found = Form.of(judgement, day)
        if not judgement.findings:
            return found
        if any(said.issue.suggestion and said.issue.suggestion.system != row[0] for said in judgement.findings):
            return None  # the other system has turns of its own
        others = (each for each in _beside(day) if bisect_right(self._of(row[:2]), each) == place)
        other = next(others, None)
        return found if other is None or Form.of(self._judged(row, other), other) == found else None

    def _judged(self, row: Row, day: str | None) -> Judgement:
        system, code, version, display = row
        return self._judge.judge(self._judge.row(system, code, version, display, day))


def _spans(named: Sequence[str | None], turns: Sequence[str]) -> tuple[list[str | None], dict[str | None, str | None]]:
    """The name of the span of each day, and one day of each; what is no full day stands for itself."""
    names = [f"span {bisect_right(turns, day)}" if day and dates.full(day) else day for day in named]
    return names, dict(zip(names, named, strict=True))


def _merged(answers: pa.Array, unsteady: pa.Array, daily: pa.Array) -> pa.Array:
    """``answers``, with those of ``daily`` in the rows that are unsteady, one after the other."""
    late = pc.subtract(pc.cumulative_sum(unsteady.cast(pa.int64())), 1)
    own = pa.array(range(len(answers)), pa.int64())
    places = pc.if_else(unsteady, pc.add(late, len(answers)), own)
    return pa.concat_arrays([answers, daily]).take(places)


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
