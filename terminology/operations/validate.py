"""$validate on the resources that carry codes of procedures: FHIR's own operation, with two parameters of ours.

https://hl7.org/fhir/R4/resource-operation-validate.html, https://hl7.org/fhir/R5/resource-operation-validate.html.
The answer is an OperationOutcome, whatever was found; a refusal says that the validation could not be done.
"""

from __future__ import annotations

from dataclasses import replace

from terminology.issues import Invalid, NotSupported, issue
from terminology.languages import Languages
from terminology.model import Json
from terminology.operation import Operation, Parameter
from terminology.operations.shared import FOUND, USAGE_CONTEXT
from terminology.procedures.judging import Judge, read_bases
from terminology.procedures.validating import Validated, validated
from terminology.request import Request

JUDGING = (
    Parameter(
        "profile",
        "uri",
        "A profile whose bound codes and needed elements are checked, of resources of its type; one that is not known "
        "is refused.",
    ),
    Parameter("valueSet", "canonical", "A value set that the main code must be in (ours).", versions=()),
    Parameter("date", "dateTime", "The day that counts, instead of those in the resource (ours).", versions=()),
    Parameter(
        "dateBasis",
        "string",
        "Which day decides for a code system: url|service, url|admission or url|discharge (ours).",
        repeats=True,
        versions=(),
    ),
)
"""What a judge may be told, about one resource and about many."""

MODES = ("create",)
"""Of update and delete the answer would hang on what a server stores; profile is about a resource that is stored."""


def run(request: Request) -> Validated:
    """The resource validated; raises Invalid, NotFound and NotSupported where it cannot be."""
    arguments, kind = request.arguments, request.operation.resource
    mode = arguments.get("mode")
    if mode is not None and mode not in MODES:
        raise NotSupported(issue("OWN_VALIDATE_MODE", mode, "create", at="mode"))
    resource = arguments.get("resource")
    if resource is None:
        raise Invalid(issue("OWN_MISSING_PARAMETER", "resource", f"send the {kind} to validate", at="resource"))
    sent = resource.get("resourceType") if isinstance(resource, dict) else type(resource).__name__
    if sent != kind:
        raise Invalid(issue("OWN_WRONG_RESOURCE", kind, sent, at="resource"))
    return validated(resource, request.scope.fhir, judge(request), arguments.get("date"))


def judge(request: Request) -> Judge:
    """The judge that the parameters ask for; raises Invalid, NotFound and NotSupported."""
    arguments = request.arguments
    scope = replace(request.scope, on=None, languages=request.scope.reader)
    return Judge.of(
        scope, arguments.get("valueSet"), read_bases(arguments.all("dateBasis"), "dateBasis"), arguments.get("profile")
    )


def respond(found: Validated, request: Request) -> Json:
    """The OperationOutcome, in the reader's language where it is translated."""
    return found.outcome(request.scope.reader or Languages())


def _operation(kind: str) -> Operation:
    return Operation(
        name="validate",
        resource=kind,
        levels={"R4": ("type",), "R5": ("type",)},
        summary=f"Is a {kind} rightly coded, on the day of the service: shape, codes, and whether they go together.",
        specification="http://hl7.org/fhir/OperationDefinition/Resource-validate",
        inputs=(
            Parameter("resource", "resource", f"The {kind}; it may also be the body itself.", minimum=1),
            Parameter("mode", "code", "Only create is understood; update, delete and profile are refused."),
            *JUDGING,
            USAGE_CONTEXT,
        ),
        outputs=(FOUND,),
        run=run,
        respond=respond,
        scope=(kind,),
        extends=True,
    )


PROCEDURE = _operation("Procedure")
SERVICE_REQUEST = _operation("ServiceRequest")
CLAIM = _operation("Claim")
EXPLANATION_OF_BENEFIT = _operation("ExplanationOfBenefit")
CONDITION = _operation("Condition")
OBSERVATION = _operation("Observation")
ENCOUNTER = _operation("Encounter")
