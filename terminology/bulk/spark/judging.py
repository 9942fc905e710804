"""What a Python process of a node does with coded rows and with resources: the judge is asked, and remembered.

A span is the days between two turns of a coding (``Judge.turns``): what is said on one of them holds on each, but for
the name of the day (``Judgement.on``).
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from terminology import dates
from terminology.bulk.spark.content import Content
from terminology.bulk.spark.distinct import distinct, spread
from terminology.frozen import dataclass
from terminology.issues import Refusal, issue, text
from terminology.model import Coding, FhirVersion, Issue
from terminology.procedures.judging import Judge
from terminology.procedures.reading import BEFORE_TIME
from terminology.procedures.records import Basis, Finding, Judgement, Record
from terminology.wire import json_text

REMEMBERED = 500_000
"""Answers that a process keeps; over it, it begins anew."""

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

END = 99_999_999
"""After all days."""
Row = tuple[str | None, str | None, str | None, str | None]
"""System, code, version and display."""
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
class Answer:
    """What is said of a row. It is said of its coding on all days from ``first`` until before ``until``, which are
    numbers (``20120131``); zero where it is said of this row alone."""

    told: Told
    first: int = 0
    until: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a coding on one day, and so of all days of its span where it is ``movable``."""

    judgement: Judgement
    day: str
    told: Told
    movable: bool = False

    @property
    def steady(self) -> bool:
        """True where it is the same on all days of the span, to the last word."""
        return self.movable and all(self.day not in each.issue.arguments for each in self.judgement.findings)

    def on(self, day: str) -> Told:
        return self.told if day == self.day else told(self.judgement.on(self.day, day))


class Asked(NamedTuple):
    """What a judge is made for."""

    value_set: str | None
    bases: tuple[tuple[str, Basis], ...]
    profile: str | None
    fhir: FhirVersion

    def judge(self, content: Content, files: Path | None = None) -> Judge:
        """The judge over shared content; ``files`` as in ``Content.opened``."""
        return Judge.of(content.opened(files).state, self.value_set, dict(self.bases), self.profile, self.fhir)


class Codings:
    """The judge of a process, and what it said: it is asked once for each distinct coding and span of days."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._held: dict[tuple[Row, int | str | None], Said] = {}

    def answer(self, row: Row, date: str | None) -> Answer:
        """What is said of a row, and the days on which it is said of its coding to the last word."""
        day = date[:10] if date and date[10:11] in BEFORE_TIME else date
        if day and dates.full(day):
            turns = self._judge.turns(*row[:2])
            place = bisect_right(turns, day)
            said = self._said(row, day, place)
            if said.steady:
                first = _number(turns[place - 1]) if place else 1
                return Answer(said.told, first, _number(turns[place]) if place < len(turns) else END)
            if said.movable:
                return Answer(said.on(day))
        return Answer(self._said(row, day, day).told)

    def _said(self, row: Row, day: str | None, span: int | str | None) -> Said:
        if (row, span) not in self._held:
            if len(self._held) >= REMEMBERED:
                self._held.clear()
            judgement = self._judge.judge(self._judge.row(*row, day))
            movable = isinstance(span, int) and judgement.movable(str(day))
            self._held[row, span] = Said(judgement, str(day), told(judgement), movable)
        return self._held[row, span]


def _number(turn: str) -> int:
    """A day as the number by which Codings.java compares days; of a month or a year, what is before its first."""
    return int(turn.replace("-", "").ljust(8, "0"))


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
