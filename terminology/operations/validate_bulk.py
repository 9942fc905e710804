"""$validate-bulk: many coded records, judged later as ``$validate`` judges one at once.

Our own operation, in the pattern of https://hl7.org/fhir/R5/async-bulk.html. ``rest.jobs`` takes its records and gives
their outcomes; here stands what it may be told, and what is said about one record.
"""

from __future__ import annotations

from collections.abc import Callable

from terminology.frozen import dataclass
from terminology.issues import NotSupported, issue
from terminology.languages import Languages
from terminology.model import Json
from terminology.operation import Operation, Parameter
from terminology.operations import validate
from terminology.procedures.validating import validated
from terminology.request import Request


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """All that judges the records of one job: ``outcome(resource)`` is the OperationOutcome on one, as ``$validate``
    would answer; it raises Refusal where that would."""

    outcome: Callable[[Json], Json]


def run(request: Request) -> Prepared:
    """Makes the judge; raises Refusal for parameters with which no record could be judged."""
    judge, scope = validate.judge(request), request.scope
    date, languages = request.arguments.get("date"), scope.reader or Languages()
    return Prepared(lambda resource: validated(resource, scope.fhir, judge, date, of_many=True).outcome(languages))


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
