"""$validate-bulk: many coded records, judged later as ``$validate`` judges one at once.

Our own operation, in the pattern of https://hl7.org/fhir/R5/async-bulk.html. ``rest.jobs`` takes its records and gives
their outcomes; here stands what it may be told, and what is said about one record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from terminology.frozen import dataclass
from terminology.issues import NotSupported, issue
from terminology.languages import Languages
from terminology.model import Issue, Json
from terminology.operation import Operation, Parameter
from terminology.operations import validate
from terminology.procedures.bundles import records
from terminology.procedures.elements import KINDS
from terminology.procedures.records import Finding
from terminology.procedures.rules import rule_of
from terminology.procedures.validating import outcome, validated
from terminology.request import Request


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

    def judged(resource: object) -> Json:
        is_bundle = isinstance(resource, dict) and resource.get("resourceType") == "Bundle"
        found = tuple(_of_bundle(resource, one)) if is_bundle else ()
        return outcome(found or one(resource), languages)

    return Prepared(judged)


def _of_bundle(bundle: object, one: Callable[[object], tuple[Finding, ...]]) -> Iterator[Finding]:
    """What is found in the records of a Bundle, each under its place. Those of types that are not judged are passed
    over: a Bundle has patients beside procedures."""
    for path, record in records(bundle):
        if isinstance(record, Issue):
            yield Finding(rule_of(record.message_id, record.severity).name, record.at(path or "Bundle"))
        elif record["resourceType"] in KINDS:
            for each in one(record):
                _, dot, inside = (each.issue.expression or "").partition(".")
                yield replace(each, issue=each.issue.at(f"{path}{dot}{inside}"))


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
