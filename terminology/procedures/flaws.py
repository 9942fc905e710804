"""What FHIR forbids, and what fhir.resources lets pass: wrong codes of required bindings, reversed periods, dates that
are none, empty and null elements.

Sources: the definition of each type in https://hl7.org/fhir/R4 and https://hl7.org/fhir/R5, json.html, datatypes.html.
It walks over any JSON and never raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from terminology import dates
from terminology.frozen import dataclass
from terminology.issues import issue
from terminology.model import FhirVersion, Issue, Json

DEPTH = 200
MOST = 50
"""So many flaws of one record are told at most."""

_EVENT = "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
_REQUEST = "draft active on-hold revoked completed entered-in-error unknown"
_FINANCIAL = "active cancelled draft entered-in-error"
_OBSERVED = "registered preliminary final amended corrected cancelled entered-in-error unknown"
_INTENT = "proposal plan directive order original-order reflex-order filler-order instance-order option"

_BINDINGS: Mapping[str, str] = {
    "Procedure.status": _EVENT,
    "ServiceRequest.status": _REQUEST,
    "ServiceRequest.intent": _INTENT,
    "ServiceRequest.priority": "routine urgent asap stat",
    "Claim.status": _FINANCIAL,
    "Claim.use": "claim preauthorization predetermination",
    "ExplanationOfBenefit.status": _FINANCIAL,
    "ExplanationOfBenefit.use": "claim preauthorization predetermination",
    "ExplanationOfBenefit.outcome": "queued complete error partial",
    "Observation.status": _OBSERVED,
    "Encounter.status": "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
    "identifier.use": "usual official temp secondary old",
    "text.status": "generated extensions additional empty",
    "comparator": "< <= >= >",
}
"""By the path in a resource, by the last two elements anywhere, or by the last one."""

_BINDINGS_R5: Mapping[str, str] = {
    "Encounter.status": (
        "planned in-progress on-hold discharged completed cancelled discontinued entered-in-error unknown"
    ),
    "ExplanationOfBenefit.outcome": "queued complete error partial",
    "comparator": "< <= >= > ad",
}
_CLINICAL = {
    "Condition.clinicalStatus": (
        "http://terminology.hl7.org/CodeSystem/condition-clinical",
        {
            "R4": "active recurrence relapse inactive remission resolved",
            "R5": "active recurrence relapse inactive remission resolved unknown",
        },
    ),
    "Condition.verificationStatus": (
        "http://terminology.hl7.org/CodeSystem/condition-ver-status",
        dict.fromkeys(("R4", "R5"), "unconfirmed provisional differential confirmed refuted entered-in-error"),
    ),
}
"""Concepts whose binding is required: the code system, and its codes."""

_DATES = ("DateTime", "Date", "Instant", "start", "end", "authoredOn", "issued", "recordedDate", "created", "date")
_NO_DATES = frozenset(("performedString", "occurrenceString"))


_CHECKED = frozenset(path.rpartition(".")[2] for path in _BINDINGS)
"""The names of the elements whose binding is checked."""


@lru_cache(maxsize=1024)  # bounded: a resource may name anything
def bound(path: str, fhir: FhirVersion) -> frozenset[str]:
    """The codes that the required binding of an element allows; empty where there is none."""
    stated = (_BINDINGS_R5.get(path) if fhir == "R5" else None) or _BINDINGS.get(path, "")
    return frozenset(stated.split())


def paths() -> tuple[str, ...]:
    """The elements of resources whose required binding is checked."""
    return tuple(_BINDINGS)


def flaws(resource: Json, fhir: FhirVersion) -> tuple[Issue, ...]:
    """Every flaw of a resource, in the order of its elements."""
    kind = str(resource.get("resourceType"))
    walk = _Walk(fhir, list(_concepts(resource, kind, fhir)))
    walk.node(resource, kind, kind, 0)
    return tuple(walk.found[:MOST])


def _concepts(resource: Json, kind: str, fhir: FhirVersion) -> Iterator[Issue]:
    for path, (system, codes) in _CLINICAL.items():
        value = resource.get(path.removeprefix(f"{kind}."))
        codings = value.get("coding") if isinstance(value, dict) else None
        if isinstance(codings, list) and codings:
            sent = [each.get("code") for each in codings if isinstance(each, dict) and each.get("system") == system]
            if not any(code in codes[fhir].split() for code in sent):
                shown = ", ".join(str(each.get("code")) for each in codings if isinstance(each, dict))
                allowed = ", ".join(sorted(codes[fhir].split()))
                yield issue("OWN_NOT_BOUND", path, shown[:200], allowed, at=path)


# --- any element -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Walk:
    """One walk over a resource; plain recursion, since a file has millions of them."""

    fhir: FhirVersion
    found: list[Issue]

    def node(self, node: Json, path: str, last: str, depth: int) -> None:
        """``last`` is the name of the element that holds the node."""
        if depth > DEPTH or len(self.found) >= MOST:
            return
        if "start" in node and "end" in node:
            self.found.extend(_period(node, path))
        for name, value in node.items():
            if isinstance(value, str):
                if not value or name in _CHECKED or _dated(name):
                    self.text(name, value, path, last)
            else:
                self.value(value, f"{path}.{name}", name, depth)
                if name in _CHECKED:
                    self.text(name, value, path, last)

    def text(self, name: str, value: Any, path: str, last: str) -> None:
        allowed = bound(f"{last}.{name}", self.fhir) or bound(name, self.fhir)
        at = f"{path}.{name}"
        if allowed and (not isinstance(value, str) or value not in allowed):
            self.found.append(issue("OWN_NOT_BOUND", at, _shown(value), ", ".join(sorted(allowed)), at=at))
        elif value == "":
            self.found.append(issue("OWN_EMPTY", at, at=at))
        elif _dated(name) and not dates.known(value):
            self.found.append(issue("OWN_NO_SUCH_DAY", at, _shown(value), at=at))

    def value(self, value: Any, path: str, name: str, depth: int) -> None:
        """Any value but text."""
        if value is None:
            self.found.append(issue("OWN_NULL", path, at=path))
        elif isinstance(value, (dict, list)) and not value:
            self.found.append(issue("OWN_EMPTY", path, at=path))
        elif isinstance(value, dict):
            self.node(value, path, name, depth + 1)
        elif isinstance(value, list):
            self.entries(value, path, name, depth)

    def entries(self, values: list[Any], path: str, name: str, depth: int) -> None:
        """A primitive without a value stands as null beside its extension."""
        nulls = name.startswith("_") or any(not isinstance(each, (dict, list)) for each in values if each is not None)
        for place, each in enumerate(values):
            if each == "":
                self.found.append(issue("OWN_EMPTY", f"{path}[{place}]", at=f"{path}[{place}]"))
            elif not isinstance(each, str) and (each is not None or not nulls):
                self.value(each, f"{path}[{place}]", name, depth)


@lru_cache(maxsize=1024)  # bounded: a resource may name anything
def _dated(name: str) -> bool:
    return name.endswith(_DATES) and name not in _NO_DATES and not name.startswith("_")


def _period(node: Json, path: str) -> Iterator[Issue]:
    """A period that ends before it starts; of partial dates only what is certain."""
    start, end = node.get("start") or "", node.get("end") or ""
    if dates.known(start) and dates.known(end) and dates.last_day(end) < dates.first_day(start):
        yield issue("OWN_REVERSED", path, start, end, at=path)


def _shown(value: object) -> str:
    return str(value)[:60]
