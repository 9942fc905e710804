"""$batch-validate-code on CodeSystem and ValueSet: many validations in one call, answered in their order.

Not in the base specification: https://hl7.org/fhir/uv/tx-ecosystem. Parameters beside ``validation`` hold for every
entry that does not state them itself.
"""

from __future__ import annotations

from dataclasses import replace

from terminology import parameters
from terminology.issues import Invalid, Refusal, TooCostly, issue
from terminology.model import Json
from terminology.operation import Operation, Parameter
from terminology.operations import validate_code
from terminology.operations.shared import of_ecosystem, restated
from terminology.parameters import Given
from terminology.request import Request
from terminology.resources import layer
from terminology.wire.outcomes import operation_outcome
from terminology.wire.values import parameters as parameters_resource
from terminology.wire.values import resource


def run(request: Request) -> tuple[Json, ...]:
    """One Parameters or OperationOutcome for each ``validation``, in order; raises Invalid when there is none."""
    entries = request.arguments.all("validation")
    if not entries:
        why = "send one Parameters for each code to judge"
        raise Invalid(issue("OWN_MISSING_PARAMETER", "validation", why, at="validation"))
    if len(entries) > request.scope.limits.batch:
        raise TooCostly(issue("OWN_TOO_MANY", "validation", request.scope.limits.batch, "batch_limit", at="validation"))
    single = validate_code.CODE_SYSTEM if request.operation.resource == "CodeSystem" else validate_code.VALUE_SET
    shared = [given for given in request.arguments.given if given.name != "validation"]
    return tuple(_one(entry, single, shared, request) for entry in entries)


def _one(entry: Json, single: Operation, shared: list[Given], request: Request) -> Json:
    from terminology.schemas import read  # noqa: PLC0415  marshmallow is loaded when a request is read

    try:
        own = parameters.from_parameters(entry)
        stated = {given.name for given in own}
        merged = [*own, *(given for given in shared if given.name not in stated)]
        arguments = read(single, merged)
        scope = restated(request.scope, arguments)
        if brought := [given.value for given in own if given.name == "tx-resource"]:
            scope = replace(scope, catalog=layer(brought).over(scope.catalog), guests=scope.guests + 1)
        asked = replace(request, operation=single, arguments=arguments, scope=scope)
        return single.respond(single.run(asked), asked)
    except Refusal as refused:
        return operation_outcome(refused.issues, request.scope.reader)


def respond(outcome: tuple[Json, ...], request: Request) -> Json:
    """Parameters with one ``validation`` for each that came."""
    return parameters_resource(resource("validation", answer) for answer in outcome)


def _operation(single: Operation) -> Operation:
    shared = of_ecosystem(single.inputs)
    return replace(
        single,
        name="batch-validate-code",
        levels={"R4": ("type",), "R5": ("type",)},
        summary=f"Many coded values judged against {single.resource}s, answered in their order.",
        specification=f"http://hl7.org/fhir/uv/tx-ecosystem/OperationDefinition/{single.resource}-batch-validate-code",
        inputs=(
            Parameter(
                "validation",
                "resource",
                "Parameters of one $validate-code. May repeat.",
                repeats=True,
                versions=(),
            ),
            *shared,
        ),
        outputs=(Parameter("validation", "resource", "Its answer: Parameters or OperationOutcome.", repeats=True),),
        run=run,
        respond=respond,
        cost="costly",
        contradictions=(),
    )


CODE_SYSTEM_BATCH = _operation(validate_code.CODE_SYSTEM)
VALUE_SET_BATCH = _operation(validate_code.VALUE_SET)
