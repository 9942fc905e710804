"""The rules of judging coded records: one table. A new rule is one entry here, one small function and its cases.

A rule has a name, which is the published reason of its findings, a severity, what it makes of the verdict, and a period
in which it holds. Rules about a coding see what the engine said of it; ``said_by`` are the engine's messages that are
published under the rule's name, ``instead_of`` the reasons that its own findings replace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Literal

from terminology import aliases, dates, judgement, suggestions
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import issue
from terminology.membership import Verdict as Membership
from terminology.model import Coding, Issue, ValueSet
from terminology.procedures.agreements import Agreements
from terminology.procedures.coded import Said, holds
from terminology.procedures.coherence import Pair, knowledge
from terminology.procedures.profiles import Profile
from terminology.procedures.records import Basis, Element, Record, Verdict
from terminology.releases import dated

Severity = Literal["error", "warning", "information"]
About = Literal["coding", "element", "record", "shape"]


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at. ``on`` is the day that counts."""

    scope: Scope
    record: Record = Record("")
    element: Element | None = None
    path: str = ""
    said: Said | None = None
    on: str | None = None
    value_set: ValueSet | None = None
    profile: Profile | None = None
    agreements: Agreements = field(default_factory=Agreements)


Find = Callable[[Case], Iterator[Issue]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``severity`` None: each finding has its own. ``find`` None: the engine or the reading finds it."""

    name: str
    about: About
    severity: Severity | None
    verdict: Verdict
    find: Find | None = None
    said_by: tuple[str, ...] = ()
    instead_of: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def holds(self, on: str | None) -> bool:
        if not on or not (self.since or self.until):
            return True
        return dates.standing(on, self.since, self.until) != "out"


# --- a coding --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Form:
    form: re.Pattern[str]
    example: str
    basis: Basis = "service"


@cache
def forms() -> Mapping[str, Form]:
    """Code system → the form of its codes, and the day that it goes by: ``forms.json``."""
    stated = json.loads(Path(__file__).with_name("forms.json").read_text(encoding="utf-8"))
    rows = {system: row for system, row in stated.items() if isinstance(row, dict)}
    return {
        system: Form(re.compile(row["form"]), row["example"], row.get("basis", "service"))
        for system, row in rows.items()
    }


def _parts(case: Case) -> tuple[str, str]:
    assert case.said is not None
    return case.said.coding.system or "", case.said.coding.code or ""


def misspelled(case: Case) -> Iterator[Issue]:
    """The same code, written as its system does not write it."""
    system, code = _parts(case)
    for said in case.said.issues if case.said else ():
        meant = said.suggestion
        if meant and meant.code and meant.system == system and meant.code != code and _bare(meant.code) == _bare(code):
            yield issue("OWN_CODE_SPELLING", code, system, meant.code, at="code", suggestion=Coding(system, meant.code))


def _bare(code: str) -> str:
    return re.sub(r"[\W_]", "", code).casefold()


def elsewhere(case: Case) -> Iterator[Issue]:
    """A code of another system, which this one cannot have."""
    system, code = _parts(case)
    own = forms().get(system)
    provider = case.said.provider if case.said else None
    complete = provider is not None and provider.info.content == "complete"
    if not complete and (own is None or own.form.fullmatch(code.strip())):
        return
    for other, form in forms().items():
        if other != system and form.form.fullmatch(code.strip()):
            meant = Coding(other, code.strip())
            if holds(meant, case.scope):
                yield issue("OWN_CODE_ELSEWHERE", code, system, other, at="system", suggestion=meant)
                return


def malformed(case: Case) -> Iterator[Issue]:
    system, code = _parts(case)
    own = forms().get(system)
    if own and not own.form.fullmatch(code):
        yield issue("OWN_CODE_FORM", code, system, own.example, at="code")


def wrong_display(case: Case) -> Iterator[Issue]:
    """What the engine says of a display, with the one that is right."""
    said = case.said
    for each in said.issues if said else ():
        if said and rule_of(each.message_id, each.severity).name == "wrong-display":
            meant = replace(said.coding, display=said.display) if said.display else None
            yield replace(each, suggestion=meant)


def undated_system(case: Case) -> Iterator[Issue]:
    """A code of a whole system of which no release states a date: that of FHIR's own codes, say. Not of the systems
    with a form here: these have releases, so that an undated one says nothing of other years."""
    system, code = _parts(case)
    said = case.said
    if said is None or said.concept is None or said.provider is None or system in forms():
        return
    if said.provider.info.content == "complete" and not any(
        dated(each.info) for each in case.scope.catalog.editions(system)
    ):
        yield issue("OWN_UNDATED_SYSTEM", code, system, case.on, at="code")


def used_before(case: Case) -> Iterator[Issue]:
    """Before its first day another code was used for the same."""
    system, code = _parts(case)
    known = knowledge().predecessors.get((system, code))
    if known and case.on and dates.standing(case.on, known.since, known.until) == "in":
        was, until = known.code, known.until
        yield issue("OWN_USED_BEFORE", code, system, case.on, until, was, at="code", suggestion=Coding(system, was))


# --- an element ------------------------------------------------------------------------------------------------


def outside(case: Case) -> Iterator[Issue]:
    """The main code is not in the value set that was asked for."""
    verdict, named = _among(case)
    if verdict is Membership.OUT:
        codings = [each for each in (case.element.codings if case.element else ()) if each.code and each.system]
        hints = (suggestions.not_in_value_set(each, case.value_set, case.scope) for each in codings if case.value_set)
        meant = next((hint[1] for hint in hints if hint and hint[1]), None)
        yield issue("OWN_NOT_IN_ANY", case.path, named, at=case.path, suggestion=meant)


def unsure(case: Case) -> Iterator[Issue]:
    verdict, named = _among(case)
    if verdict is Membership.UNKNOWN:
        yield issue("OWN_VALUE_SET_UNSURE", case.path, named, at=case.path)


def _among(case: Case) -> tuple[Membership, str]:
    """Whether one of the codings of the main element is in the value set; IN where there is nothing to ask."""
    wanted, element = case.value_set, case.element
    if wanted is None or element is None or not element.main or not element.codings:
        return Membership.IN, ""
    scope = replace(case.scope, on=case.on) if case.on else case.scope
    judged = judgement.validate(element.codings, wanted, scope, judgement.Rules(lenient_display=True))
    verdicts = {each.verdict for each in judged if each.concept or each.verdict is not Membership.IN}
    guessed = any(each.verdict is Membership.IN and each.concept is None for each in judged)
    named = str(wanted.info)
    if Membership.IN in verdicts:
        return Membership.IN, named
    return Membership.UNKNOWN if guessed or Membership.UNKNOWN in verdicts else Membership.OUT, named


def unbound(case: Case) -> Iterator[Issue]:
    """None of the code systems of the value set to which the profile binds the element, whatever name was sent."""
    element, profile = case.element, case.profile
    if profile is None or profile.kind != case.record.kind or element is None or not element.codings:
        return
    path = re.sub(r"\[\d+\]", "", element.path).partition(".")[2]
    for binding in profile.bindings:
        if path == binding.path and not any(_one_of(each, binding.systems, case.scope) for each in element.codings):
            how = binding.purpose or binding.strength
            yield issue("OWN_PROFILE_BINDING", element.path, binding.value_set, str(profile), how, at=element.path)


def _one_of(coding: Coding, systems: Iterable[str], scope: Scope) -> bool:
    """HCPCS and CDT changed their urls from one version of US Core to the next."""
    sent = coding.system or ""
    return any(aliases.same(sent, each, scope) or suggestions.alike(sent, each) for each in systems)


def contradictory(case: Case) -> Iterator[Issue]:
    """Codings of one concept of which a map says that they do not go together."""
    for one, other in _pairs(case):
        if one.system == other.system or _before_maps(case, one, other):
            continue
        if said := case.agreements.contradiction(one, other, case.scope):
            targets = ", ".join(each.code or "" for each in said.targets)
            pair = (_named(one), _named(other), said.map, said.source.code, targets)
            meant = said.targets[0] if len(said.targets) == 1 else None
            yield issue("OWN_CODINGS_CONTRADICT", *pair, at=case.path, suggestion=meant)


def _before_maps(case: Case, *codings: Coding) -> bool:
    starts = [knowledge().maps_from.get(each.system or "") for each in codings]
    return any(start and case.on and dates.standing(case.on, start, None) != "in" for start in starts)


def confused(case: Case) -> Iterator[Issue]:
    """Codings of one concept that are often taken for each other."""
    known = knowledge()
    for one, other in _pairs(case):
        for first, second in ((one, other), (other, one)):
            for pair in known.apart(known.confusions, first, second, case.on):
                yield issue(pair.says, first.code, second.code, at=case.path)


def _pairs(case: Case) -> Iterable[tuple[Coding, Coding]]:
    return combinations(case.element.codings if case.element else (), 2)


def _named(coding: Coding) -> str:
    return f"'{coding.code}' ({coding.system})"


# --- a record --------------------------------------------------------------------------------------------------

_COHERENT = ("Procedure", "Encounter")
"""Where procedure and reason are of one patient; in a claim the donor's harvest may stand on the recipient's."""


def incoherent(case: Case) -> Iterator[Issue]:
    """Procedure and reason do not go together."""
    for pair, procedure, reason, place, _ in _reasons(case):
        if pair.severity == "warning":
            meant = knowledge().in_group(pair.meant, procedure) if pair.meant else None
            yield issue(pair.says, procedure.code, reason.code, at=place, suggestion=meant)


def worth_a_look(case: Case) -> Iterator[Issue]:
    """A reason that fits, though another code says it better."""
    for pair, procedure, reason, _, place in _reasons(case):
        if pair.severity == "information":
            meant = knowledge().in_group(pair.meant_other, reason) if pair.meant_other else None
            yield issue(pair.says, procedure.code, reason.code, at=place, suggestion=meant)


def _reasons(case: Case) -> Iterator[tuple[Pair, Coding, Coding, str, str]]:
    if case.record.kind not in _COHERENT:
        return
    known = knowledge()
    for procedure, place in _of_role(case.record, "procedure"):
        for reason, other in _of_role(case.record, "reason", "diagnosis"):
            for pair in known.apart(known.reasons, procedure, reason, case.on):
                yield pair, procedure, reason, place, other


def _of_role(record: Record, *roles: str) -> Iterator[tuple[Coding, str]]:
    for element in record.elements:
        if element.role in roles:
            for place, coding in enumerate(element.codings):
                yield coding, f"{element.path}.coding[{place}]"


def undated(case: Case) -> Iterator[Issue]:
    """No day: nothing is judged by date."""
    if any(each.reason == "not-a-date" for each in case.record.flaws):
        return
    if case.on is None and case.record.elements and not any(_dated(each) for each in case.record.elements):
        yield issue("OWN_NO_DAY", case.record.kind, at=case.record.kind)


def _dated(element: Element) -> bool:
    return any(each.first or each.last for each in element.days)


# --- the table -------------------------------------------------------------------------------------------------

_NOT_FOUND = ("unknown-code", "code-outside-fragment", "unknown-system", "not-known-on-date")

RULES: tuple[Rule, ...] = (
    Rule("unknown-code", "coding", "error", "wrong", said_by=("Unknown_Code_in_Version", "Unknown_Code_in")),
    Rule("code-outside-fragment", "coding", "warning", "unjudged", said_by=("UNKNOWN_CODE_IN_FRAGMENT",)),
    Rule("misspelled-code", "coding", "error", "wrong", misspelled, instead_of=_NOT_FOUND),
    Rule("code-of-another-system", "coding", "error", "wrong", elsewhere, instead_of=_NOT_FOUND),
    Rule("malformed-code", "coding", "error", "wrong", malformed, instead_of=_NOT_FOUND),
    Rule(
        "wrong-system",
        "coding",
        "error",
        "wrong",
        said_by=(
            "OWN_SYSTEM_ALIAS",
            "Terminology_TX_System_Relative",
            "Terminology_TX_System_ValueSet2",
            "CODESYSTEM_CS_NO_SUPPLEMENT",
        ),
    ),
    Rule("unknown-system", "coding", "warning", "unjudged", said_by=("UNKNOWN_CODESYSTEM",)),
    Rule(
        "unknown-version",
        "coding",
        "warning",
        "unjudged",
        said_by=("UNKNOWN_CODESYSTEM_VERSION", "UNKNOWN_CODESYSTEM_VERSION_NONE"),
    ),
    Rule("no-system", "coding", "warning", "unjudged", said_by=("Coding_has_no_system__cannot_validate",)),
    Rule("no-code", "coding", "warning", "unjudged", said_by=("OWN_CODING_HAS_NO_CODE",)),
    Rule("empty-coding", "coding", "warning", "unjudged", said_by=("Coding_has_no_system_or_code__cannot_validate",)),
    Rule(
        "not-valid-on-date",
        "coding",
        "error",
        "wrong",
        used_before,
        said_by=("OWN_NOT_VALID_ON_DATE",),
        instead_of=("not-valid-on-date", "code-outside-fragment"),
    ),
    Rule(
        "date-across-boundary",
        "coding",
        "warning",
        "unjudged",
        said_by=("OWN_NOT_VALID_ON_DATE/warning", "OWN_PERIOD_ACROSS", "OWN_DATE_ACROSS_RELEASES"),
    ),
    Rule("not-known-on-date", "coding", "warning", "unjudged", said_by=("OWN_CANNOT_JUDGE_ON_DATE",)),
    Rule("undated-system", "coding", "information", "right", undated_system, instead_of=("not-known-on-date",)),
    Rule(
        "version-not-in-force",
        "coding",
        "warning",
        "right",
        said_by=("OWN_VERSION_NOT_IN_FORCE", "OWN_VERSION_WITHOUT_PERIOD"),
    ),
    Rule("judged-by-concept-dates", "coding", "information", "right", said_by=("OWN_DATE_BY_CONCEPT",)),
    Rule("judged-by-day-of-service", "coding", "information", "right", said_by=("OWN_OTHER_BASIS",)),
    Rule("inactive-code", "coding", "warning", "right", said_by=("INACTIVE_CONCEPT_FOUND",)),
    Rule("deprecated-code", "coding", "warning", "right", said_by=("DEPRECATED_CONCEPT_FOUND",)),
    Rule("abstract-code", "coding", "warning", "right", said_by=("ABSTRACT_CODE_NOT_ALLOWED",)),
    Rule("other-case", "coding", "information", "right", said_by=("CODE_CASE_DIFFERENCE", "CODE_NOT_IN_NORMAL_FORM")),
    Rule(
        "wrong-display",
        "coding",
        "error",
        "wrong",
        wrong_display,
        said_by=("Display_Name*", "NO_VALID_DISPLAY*"),
        instead_of=("wrong-display",),
    ),
    Rule("old-display", "coding", "warning", "right", said_by=("INACTIVE_DISPLAY_FOUND",)),
    Rule("other-display", "coding", "information", "right", said_by=("NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_OK",)),
    Rule(
        "display-not-checked",
        "coding",
        "information",
        "right",
        said_by=("OWN_DISPLAY_NOT_CHECKED", "OWN_DISPLAY_NOT_DEFINED"),
    ),
    Rule("text-only", "element", None, "unjudged", said_by=("OWN_TEXT_ONLY",)),
    Rule("missing-code", "element", None, "unjudged", said_by=("OWN_CODE_MISSING", "OWN_ROW_UNCODED")),
    Rule("not-in-value-set", "element", "error", "wrong", outside),
    Rule("value-set-not-judged", "element", "warning", "unjudged", unsure),
    Rule("outside-binding", "element", "warning", "right", unbound),
    Rule("contradictory-codings", "element", "warning", "right", contradictory),
    Rule("confused-codes", "element", "warning", "right", confused),
    Rule("incoherent-reason", "record", "warning", "right", incoherent),
    Rule("imprecise-reason", "record", "information", "right", worth_a_look),
    Rule("no-date", "record", "information", "right", undated),
    Rule("missing-for-profile", "shape", "error", "wrong", said_by=("OWN_PROFILE_NEEDS",)),
    Rule("invalid-shape", "shape", "error", "wrong", said_by=("OWN_SHAPE", "OWN_EMPTY", "OWN_NULL", "OWN_NOT_TYPED")),
    Rule("invalid-value", "shape", "error", "wrong", said_by=("OWN_NOT_BOUND", "OWN_NO_SUCH_DAY")),
    Rule("not-a-date", "shape", "warning", "right", said_by=("OWN_ROW_NO_DATE",)),
    Rule("reversed-period", "shape", "error", "wrong", said_by=("OWN_REVERSED",)),
    Rule("unreadable", "shape", None, "unjudged", said_by=("OWN_INPUT_*",)),
    Rule("not-checked", "record", "information", "right", said_by=("OWN_NOT_CHECKED", "OWN_PROFILE_CHECKED")),
    Rule("other", "coding", None, "right"),
)
"""Every reason that a finding may have. ``other``: what the engine says and no rule speaks of."""

BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in RULES}


@cache
def rule_of(message_id: str, severity: str) -> Rule:
    """The rule under whose name a message of the engine is published."""
    for wanted in (f"{message_id}/{severity}", message_id):
        for rule in RULES:
            if wanted in rule.said_by:
                return rule
    for rule in RULES:
        if any(each.endswith("*") and message_id.startswith(each[:-1]) for each in rule.said_by):
            return rule
    return BY_NAME["other"]


def raised(rule: Rule, case: Case) -> Iterable[Issue]:
    """What a rule finds in a case, where it holds on the day."""
    return rule.find(case) if rule.find and rule.holds(case.on) else ()


def weighed(rule: Rule, said: Issue) -> Issue:
    """An issue with the severity of its rule."""
    return said if rule.severity in (None, said.severity) else replace(said, severity=str(rule.severity))


def of(about: About) -> Sequence[Rule]:
    """The rules with a function of their own that look at a coding, an element or a record."""
    return _OF[about]


_OF: Mapping[About, Sequence[Rule]] = {
    about: tuple(rule for rule in RULES if rule.about == about and rule.find)
    for about in ("coding", "element", "record", "shape")
}
