"""The nouns of judging coded records: what is asked about one, and what is answered.

A ``Record`` holds only what matters to the judgement, so two records with the same codes and days are equal, hash
equally and are judged once, however many rows a file has.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from terminology.frozen import dataclass
from terminology.model import Canonical, Coding, Issue

Basis = Literal["service", "admission", "discharge"]
"""Which day decides: the day the care was furnished, of admission, or of discharge. It differs by code system."""

BASES: tuple[Basis, ...] = ("service", "admission", "discharge")

Verdict = Literal["right", "wrong", "unjudged"]
"""``unjudged``: cannot be judged (a code outside a fragment, an unknown system, no code); it never counts as right."""


@dataclass(frozen=True, slots=True)
class Days:
    """The days that a record states for one basis: FHIR dates as they were written, partial ones too; ``last`` is the
    end of a period. No time zone is applied."""

    basis: Basis
    first: str | None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class Element:
    """One coded element: a CodeableConcept, a CodeableReference.concept, a Coding or a code column.

    ``path`` is its FHIRPath in the resource (``Procedure.code``, ``Claim.item[0].productOrService``); ``role`` is what
    the rules of coherence know it by (``procedure``, ``reason``, ``diagnosis``, …). ``main``: it is the code that the
    record is about. ``single``: the element is a Coding or a column, not a concept with a list of them.
    """

    path: str
    role: str
    codings: tuple[Coding, ...] = ()
    text: str | None = None
    days: tuple[Days, ...] = ()
    main: bool = False
    single: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The coded content of one resource, or of one row of a table (``kind`` is then ``row``).

    ``flaws`` are what reading the resource found (a reversed period, an empty coding, a status FHIR does not have).
    """

    kind: str
    elements: tuple[Element, ...] = ()
    flaws: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a record.

    ``reason`` is its machine-readable name: a code of our published code system of reasons, and the name of the rule
    that found it. ``issue`` has severity, sentence, FHIRPath and the suggested coding. ``coding`` is what was judged.
    """

    reason: str
    issue: Issue
    coding: Coding | None = None


@dataclass(frozen=True, slots=True)
class JudgedCoding:
    """The verdict on one coding (or on an element without one): ``path`` names it, ``used`` what answered."""

    path: str
    coding: Coding
    verdict: Verdict
    used: Canonical | None = None
    display: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that is said about one record. ``findings`` are in the order of the elements, the worst first within one."""

    codings: tuple[JudgedCoding, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the codings; an error that belongs to no coding makes the record wrong too."""
        verdicts = {each.verdict for each in self.codings}
        if "wrong" in verdicts or any(each.issue.severity in ("error", "fatal") for each in self.findings):
            return "wrong"
        return "unjudged" if "unjudged" in verdicts or not verdicts else "right"

    def movable(self, day: str) -> bool:
        """Whether the same is said of a row on every day between the same turns of its coding (``Judge.turns``), but
        for the name of the day. A label that a value set suggests may turn on other days."""
        named = {part for each in self.codings for part in (each.coding.code, each.coding.display, each.coding.version)}
        return day not in named and all(
            each.issue.arguments.count(day) < 2 and (each.coding or not each.issue.suggestion) for each in self.findings
        )

    def on(self, day: str, other: str) -> Judgement:
        """What is said of ``day``, said of another one on which it holds too."""
        if day == other or not self.findings:
            return self
        said = (replace(each, issue=redated(each.issue, day, other)) for each in self.findings)
        return replace(self, findings=tuple(said))


def redated(said: Issue, old: str | None, new: str | None) -> Issue:
    """The same sentence of another day."""
    return replace(said, arguments=tuple(str(new) if each == old else each for each in said.arguments))
