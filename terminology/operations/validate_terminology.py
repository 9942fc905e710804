"""$validate on CodeSystem, ValueSet, ConceptMap and NamingSystem: the checks of who stores one, and nothing is stored.

https://hl7.org/fhir/R4/resource-operation-validate.html, https://hl7.org/fhir/R5/resource-operation-validate.html.
"""

from __future__ import annotations

from terminology.acceptance import KINDS, flaws
from terminology.issues import Invalid, NotSupported, issue
from terminology.languages import Languages
from terminology.model import Issue, Json
from terminology.operation import Level, Operation, Parameter
from terminology.operations.shared import FOUND, USAGE_CONTEXT
from terminology.request import Request
from terminology.wire.outcomes import operation_outcome
from terminology.wire.r4 import to_r4

MODES: dict[Level, tuple[str, ...]] = {"type": ("create",), "instance": ("update", "profile")}
"""What delete would be answered hangs on who may write."""


def run(request: Request) -> tuple[Issue, ...]:
    """Everything that is wrong with the resource, which is the one that was sent, or that of the address; raises
    Invalid and NotSupported where it cannot be validated."""
    arguments, kind = request.arguments, request.operation.resource
    mode, modes = arguments.get("mode"), MODES[request.level]
    if mode is not None and mode not in modes:
        raise NotSupported(issue("OWN_VALIDATE_MODE", mode, " or mode=".join(modes), at="mode"))
    base = f"http://hl7.org/fhir/StructureDefinition/{kind}"
    if (profile := arguments.get("profile")) not in (None, base):
        raise NotSupported(issue("OWN_PROFILE_UNKNOWN", profile, request.scope.fhir, base, at="profile"))
    resource = arguments.get("resource")
    if resource is not None and mode == "profile":
        raise Invalid(
            issue(
                "OWN_CONTRADICTORY_PARAMETERS",
                "mode=profile, resource",
                "the mode is about what is here",
                at="resource",
            )
        )
    if resource is None and request.target is not None and mode != "update":
        return flaws(_held(request), request.scope.fhir)
    if resource is None:
        raise Invalid(issue("OWN_MISSING_PARAMETER", "resource", f"send the {kind} to validate", at="resource"))
    sent = resource.get("resourceType") if isinstance(resource, dict) else type(resource).__name__
    if sent != kind:
        raise Invalid(issue("OWN_WRONG_RESOURCE", kind, sent, at="resource"))
    return (*_identity(resource, request), *flaws(resource, request.scope.fhir))


def _held(request: Request) -> Json:
    """The resource of the address, as the endpoint speaks of it."""
    assert request.target is not None
    return to_r4(request.target) if request.scope.fhir == "R4" else request.target


def _identity(resource: Json, request: Request) -> tuple[Issue, ...]:
    """An update names the resource that it changes (https://hl7.org/fhir/R5/http.html#update)."""
    if request.target is None or resource.get("id") == request.target.get("id"):
        return ()
    said = repr(resource["id"])[:80] if "id" in resource else "none"
    return (issue("OWN_WRONG_ID", said, request.target.get("id"), at=f"{request.operation.resource}.id"),)


def respond(found: tuple[Issue, ...], request: Request) -> Json:
    """The OperationOutcome; one that found nothing says what was checked."""
    kind = request.operation.resource
    said = found or (issue("OWN_RESOURCE_FITS", kind, at=kind),)
    return operation_outcome(said, request.scope.reader or Languages())


def _operation(kind: str) -> Operation:
    return Operation(
        name="validate",
        resource=kind,
        levels={"R4": ("type", "instance"), "R5": ("type", "instance")},
        summary=f"Could a {kind} be stored: its shape, its bindings and the rules of its type. Nothing is stored.",
        specification="http://hl7.org/fhir/OperationDefinition/Resource-validate",
        inputs=(
            Parameter(
                "resource", "resource", f"The {kind}, or the body itself; of one that is here it may be left out."
            ),
            Parameter("mode", "code", "Of the type only create, of one that is here update and profile."),
            Parameter("profile", "uri", f"Only FHIR's own definition of {kind}; any other is refused."),
            USAGE_CONTEXT,
        ),
        outputs=(FOUND,),
        run=run,
        respond=respond,
        scope=(kind,),
        cost="costly",
        verbatim=True,
    )


CODE_SYSTEM, VALUE_SET, CONCEPT_MAP, NAMING_SYSTEM = map(_operation, KINDS)
