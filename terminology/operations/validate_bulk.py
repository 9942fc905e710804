"""$validate-bulk: many coded records, judged later as ``$validate`` judges one at once.

Our own operation, in the pattern of https://hl7.org/fhir/R5/async-bulk.html. ``rest.jobs`` takes its records and gives
their outcomes; here stands what it may be told, and what is said about one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from terminology.frozen import dataclass
from terminology.issues import NotSupported, issue
from terminology.languages import Languages
from terminology.model import Json
from terminology.operation import Operation, Parameter
from terminology.operations import validate
from terminology.procedures.elements import KINDS
from terminology.procedures.records import Finding
from terminology.procedures.validating import outcome, validated
from terminology.request import Request

DEEPEST = 8
"""So many Bundles may lie in each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """All that judges the records of one job: ``outcome(resource)`` is the OperationOutcome on one, as ``$validate``
    would answer, or on all records of a Bundle; it raises Refusal where that would, and for a Bundle without any."""

    outcome: Callable[[Json], Json]


def run(request: Request) -> Prepared:
    """Makes the judge; raises Refusal for parameters with which no record could be judged."""
    judge, scope = validate.judge(request), request.scope
    date, languages = request.arguments.get("date"), scope.reader or Languages()

    def one(resource: object) -> tuple[Finding, ...]:
        return validated(resource, scope.fhir, judge, date, of_many=True).findings

    def judged(resource: Json) -> Json:
        found = tuple(_of_bundle(resource, one)) if _kind(resource) == "Bundle" else ()
        return outcome(found or one(resource), languages)

    return Prepared(judged)


def _kind(resource: object) -> str | None:
    return resource.get("resourceType") if isinstance(resource, dict) else None


def _of_bundle(bundle: Json, one: Callable[[object], tuple[Finding, ...]], depth: int = 1) -> Iterator[Finding]:
    """What is found in the entries of a Bundle, each under its place. Those of types that are not judged are passed
    over; nothing is found in a Bundle without any other."""
    entries = bundle.get("entry")
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        found: Iterable[Finding] = ()
        if _kind(resource) in KINDS:
            found = one(resource)
        elif isinstance(resource, dict) and _kind(resource) == "Bundle" and depth < DEEPEST:
            found = _of_bundle(resource, one, depth + 1)
        for each in found:
            _, dot, inside = (each.issue.expression or "").partition(".")
            yield replace(each, issue=each.issue.at(f"Bundle.entry[{place}].resource{dot}{inside}"))


def respond(outcome: Prepared, request: Request) -> Json:
    """Nothing is answered at once."""
    raise NotSupported(issue("OWN_BULK_PREFER"))


VALIDATE_BULK = Operation(
    name="validate-bulk",
    resource=None,
    levels={"R4": ("system",), "R5": ("system",)},
    summary="Judge many coded records, later: each is answered as $validate answers one.",
    specification="https://hl7.org/fhir/R5/async-bulk.html",
    inputs=(
        Parameter("resource", "resource", "A record to be judged. May repeat.", repeats=True, versions=()),
        *validate.JUDGING,
    ),
    outputs=(),
    run=run,
    respond=respond,
    effect="writes",
    scope=("CodeSystem", "ValueSet"),
    cost="costly",
    setting="bulk",
    later=True,
)
