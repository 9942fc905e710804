"""A resource of FHIR R4 or R5, or a row of a table, as a Record: its codes, and the days that they are judged on.

It reads plain dicts and takes them as they come: what has the wrong shape is left out here and told by ``flaws``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from terminology import dates
from terminology.issues import Invalid, issue
from terminology.model import Coding, FhirVersion, Json
from terminology.procedures.elements import KINDS, Coded, coded
from terminology.procedures.flaws import flaws
from terminology.procedures.records import BASES, Basis, Days, Element, Finding, Record
from terminology.procedures.rules import rule_of

ROW = "row"
BEFORE_TIME = ("T", " ")
_SHOWN = 40
Chain = tuple[Json, ...]
"""The objects from the resource down to the one that holds an element."""


def record(resource: object, fhir: FhirVersion) -> Record:
    """The Record of a resource; raises Invalid for what is none of the types that are judged."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else type(resource).__name__
    if not isinstance(resource, dict) or kind not in KINDS:
        raise Invalid(issue("OWN_TYPE_NOT_JUDGED", kind, ", ".join(KINDS)))
    days: dict[int, tuple[Days, ...]] = {}
    elements = [
        element
        for row, steps in coded(kind, fhir)
        if steps[0] in resource
        for path, chain, value in _walk(resource, steps, kind, (resource,))
        for element in _elements(row, path, chain, value, days)
    ]
    elements += _missing(resource, kind, fhir, elements)
    found = tuple(Finding(rule_of(each.message_id, each.severity).name, each) for each in flaws(resource, fhir))
    return Record(kind, tuple(elements), found)


def row(
    system: str | None,
    code: str | None,
    version: str | None = None,
    display: str | None = None,
    date: str | None = None,
) -> Record:
    """The Record of a row: one coding, judged on ``date``, whichever day its system goes by. A time after the day is
    not looked at, whether a T or a space stands between; a text that is no date is a flaw."""
    stated = date[:10] if date and date[10:11] in BEFORE_TIME else date
    day = _day(stated)
    days = tuple(Days(basis, day) for basis in BASES) if day else ()
    coding = Coding(system or None, code or None, version or None, display or None)
    codings = (coding,) if coding != Coding() else ()
    flaws = (_no_date(stated),) if stated and not day else ()
    return Record(ROW, (Element(ROW, "procedure", codings, None, days, main=True, single=True),), flaws)


def _no_date(stated: str) -> Finding:
    said = issue("OWN_ROW_NO_DATE", stated[:_SHOWN], at=ROW)
    return Finding(rule_of(said.message_id, said.severity).name, said)


# --- elements --------------------------------------------------------------------------------------------------


def _walk(node: Json, steps: tuple[str, ...], path: str, chain: Chain) -> Iterator[tuple[str, Chain, Json]]:
    """Every object at the end of the steps, with its path and the objects above it."""
    value = node.get(steps[0])
    if value is None:
        return
    several = isinstance(value, list)
    for place, entry in enumerate(value if several else (value,)):
        if not isinstance(entry, dict):
            continue
        here = f"{path}.{steps[0]}[{place}]" if several else f"{path}.{steps[0]}"
        if len(steps) == 1:
            yield here, chain, entry
        else:
            yield from _walk(entry, steps[1:], here, (*chain, entry))


def _elements(
    row: Coded, path: str, chain: Chain, value: Json, known: dict[int, tuple[Days, ...]]
) -> Iterator[Element]:
    """``known`` are the days of the objects met so far, by the identity of the object."""
    here = id(chain[-1])
    days = known.get(here)
    if days is None:
        days = known[here] = _days(chain)
    if row.shape == "Coding":
        yield Element(path, row.role, (_coding(value),), None, days, main=row.main, single=True)
    elif row.shape == "Reference":
        yield from _contained(row, chain[0], value, days)
    elif row.shape == "CodeableReference":
        if isinstance(concept := value.get("concept"), dict):
            yield _concept(row, f"{path}.concept", concept, days)
        if isinstance(reference := value.get("reference"), dict):
            yield from _contained(row, chain[0], reference, days)
    else:
        yield _concept(row, path, value, days)


def _concept(row: Coded, path: str, value: Json, days: tuple[Days, ...]) -> Element:
    listed = value.get("coding")
    codings = tuple(_coding(each) for each in listed if isinstance(each, dict)) if isinstance(listed, list) else ()
    return Element(path, row.role, codings, _text(value, "text"), days, main=row.main)


def _contained(row: Coded, resource: Json, reference: Json, days: tuple[Days, ...]) -> Iterator[Element]:
    """The code of a contained resource that is referred to."""
    named, held = reference.get("reference"), resource.get("contained")
    if not isinstance(named, str) or not named.startswith("#") or not isinstance(held, list):
        return
    for place, each in enumerate(held):
        if isinstance(each, dict) and each.get("id") == named[1:] and isinstance(each.get("code"), dict):
            path = f"{resource['resourceType']}.contained[{place}].code"
            yield _concept(row, path, each["code"], days)


def _missing(resource: Json, kind: str, fhir: FhirVersion, found: list[Element]) -> Iterator[Element]:
    """An element without any code for each one that a record cannot do without."""
    paths = [re.sub(r"\[\d+\]", "", each.path).removesuffix(".concept") for each in found]
    for row, steps in coded(kind, fhir):
        if not row.needed:
            continue
        above = [(kind, resource)] if len(steps) == 1 else []
        if len(steps) > 1:
            above = [(path, node) for path, _, node in _walk(resource, steps[:-1], kind, (resource,))]
        for path, node in above:
            if not isinstance(node.get(steps[-1]), dict) and not (len(steps) == 1 and f"{kind}.{row.path}" in paths):
                yield Element(f"{path}.{steps[-1]}", row.role, main=True)


def _coding(value: Json) -> Coding:
    return Coding(_text(value, "system"), _text(value, "code"), _text(value, "version"), _text(value, "display"))


def _text(value: Json, name: str) -> str | None:
    held = value.get(name)
    return held if isinstance(held, str) and held else None


# --- days ------------------------------------------------------------------------------------------------------

_SERVICE: Mapping[str, tuple[str, ...]] = {
    "Procedure": ("performed", "occurrence"),
    "ServiceRequest": ("occurrence", "authoredOn"),
    "Claim": ("billablePeriod",),
    "ExplanationOfBenefit": ("billablePeriod",),
    "Condition": ("recordedDate",),
    "Observation": ("effective", "issued"),
    "Encounter": ("period", "actualPeriod"),
}
"""Where a type states the day of service: choices by their stem, the first that states one decides."""

_STAY = ("hospitalized", "admissionperiod")
"""Categories of ``supportingInfo`` that state a stay: FHIR's own, and that of CARIN's Blue Button guide."""


def _days(chain: Chain) -> tuple[Days, ...]:
    """The days for an element: of the innermost object above it that states any, else those of the resource."""
    resource = chain[0]
    kind = resource["resourceType"]
    for node in reversed(chain[1:]):
        if found := _stated(node, ("serviced", "date")):
            return (Days("service", *found), *_stay(resource, kind))
    found = _stated(resource, _SERVICE[kind])
    return (*((Days("service", *found),) if found else ()), *_stay(resource, kind))


def _stated(node: Json, stems: tuple[str, ...]) -> tuple[str | None, str | None] | None:
    for stem in stems:
        for name in (stem, f"{stem}DateTime", f"{stem}Date", f"{stem}Instant", f"{stem}Period", f"{stem}Timing"):
            if name in node and (found := _span(node[name])):
                return found
    return None


def _span(value: Any) -> tuple[str | None, str | None] | None:
    """First and last day of a date, a Period or a Timing; None where none is stated."""
    if isinstance(value, str):
        day = _day(value)
        return (day, None) if day else None
    if not isinstance(value, dict):
        return None
    if isinstance(events := value.get("event"), list):
        days = sorted(day for each in events if (day := _day(each)))
        return (days[0], days[-1] if len(days) > 1 else None) if days else None
    if isinstance(repeat := value.get("repeat"), dict):
        return _span(repeat.get("boundsPeriod"))
    first, last = _day(value.get("start")), _day(value.get("end"))
    return (first, last) if first or last else None


def _day(value: Any) -> str | None:
    """The day as it was written: no time, no time zone."""
    return str(value)[:10] if dates.known(value) else None


def _stay(resource: Json, kind: str) -> Iterator[Days]:
    """Admission and discharge, where the record states them."""
    stay: Any = None
    if kind == "Encounter":
        stay = resource.get("actualPeriod") or resource.get("period")
    elif kind in ("Claim", "ExplanationOfBenefit"):
        stay = next((each.get("timingPeriod") for each in _listed(resource, "supportingInfo") if _is_stay(each)), None)
    elif isinstance(reference := resource.get("encounter"), dict):
        held = [each for each in _listed(resource, "contained") if f"#{each.get('id')}" == reference.get("reference")]
        stay = next((each.get("actualPeriod") or each.get("period") for each in held), None)
    if not isinstance(stay, dict):
        return
    edges: tuple[tuple[Basis, str], ...] = (("admission", "start"), ("discharge", "end"))
    for basis, name in edges:
        if day := _day(stay.get(name)):
            yield Days(basis, day)


def _is_stay(information: Json) -> bool:
    category = information.get("category")
    codings = category.get("coding") if isinstance(category, dict) else None
    return isinstance(codings, list) and any(isinstance(c, dict) and c.get("code") in _STAY for c in codings)


def _listed(node: Json, name: str) -> list[Json]:
    held = node.get(name)
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
