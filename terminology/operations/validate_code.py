"""$validate-code on CodeSystem and ValueSet, one coded value at a time.

https://hl7.org/fhir/R5/valueset-operation-validate-code.html,
https://hl7.org/fhir/R5/codesystem-operation-validate-code.html, https://hl7.org/fhir/uv/tx-ecosystem
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from terminology.judgement import validate
from terminology.model import Coding, Json
from terminology.operation import Operation, Parameter, Ready, Value
from terminology.operations.coded_value import Matter, in_code_system, in_value_set
from terminology.operations.shared import SCOPE_PARAMETERS, SUPPLEMENTS
from terminology.plain import framed, plainly
from terminology.request import Request
from terminology.validation import Validation, combined
from terminology.wire.outcomes import operation_outcome
from terminology.wire.values import parameter, parameters, resource

Asks = Callable[[Request], Matter | Validation]


def answered(asked: Matter | Validation) -> Validation:
    """What is plainly right needs no engine."""
    if isinstance(asked, Validation):
        return asked
    codings, value_set, scope, rules, concept = asked.codings, asked.value_set, asked.scope, asked.rules, asked.concept
    outcome = plainly(codings, value_set, scope, concept)
    if outcome is None:
        judged = validate(codings, value_set, scope, rules)
        outcome = combined(judged, asked.mode, value_set, scope, rules, concept)
    return replace(outcome, issues=(*outcome.issues, *asked.told)) if asked.told else outcome


def together(asked: Matter, codings: Sequence[Coding]) -> list[Validation]:
    """``answered`` for each of many codings in place of the one that was asked: those of a system are read together."""
    value_set, scope, rules = asked.value_set, asked.scope, asked.rules
    plain = [plainly([coding], value_set, scope, None) for coding in codings]
    left = [coding for coding, known in zip(codings, plain, strict=True) if known is None]
    judged = iter(validate(left, value_set, scope, rules))
    return [known or combined([next(judged)], asked.mode, value_set, scope, rules) for known in plain]


def respond(outcome: Validation, request: Request) -> Json:
    """Parameters with result, what was judged, and the issues."""
    unknown = "x-caused-by-unknown-system" if outcome.caused_by_unknown_system else "x-unknown-system"
    issues = operation_outcome(outcome.issues, request.scope.reader) if outcome.issues else None
    return parameters(
        (
            parameter("result", "Boolean", outcome.result),
            parameter("code", "Code", _sayable(outcome.code)),
            parameter("system", "Uri", outcome.system),
            parameter("version", "String", outcome.version),
            parameter("display", "String", outcome.display),
            parameter("message", "String", outcome.message),
            parameter("codeableConcept", "CodeableConcept", outcome.codeable_concept),
            parameter("inactive", "Boolean", outcome.inactive or None),
            parameter("status", "Code", outcome.status),
            parameter("normalized-code", "Code", outcome.normalized_code),
            *(parameter(unknown, "Canonical", name) for name in outcome.unknown_systems),
            resource("issues", issues),
            parameter("diagnostics", "String", _sources(outcome)),
        )
    )


def _ready(asked: Matter | Validation, request: Request) -> Ready | None:
    """For what is plainly right: the answer to ``request`` with another code and display in it."""
    if isinstance(asked, Validation) or asked.told or len(asked.codings) != 1 or request.arguments.flag("inferSystem"):
        return None
    frame = framed(asked.value_set, asked.scope)
    if not frame.names(asked.codings[0]):
        return None
    said: list[Json] = respond(frame.validation("code", "display", asked.concept), request)["parameter"]
    place = {entry["name"]: number for number, entry in enumerate(said)}

    def answer(value: Value) -> Json | None:
        display = frame.display(value.code, value.display)
        if display is None or _sayable(value.code) is None:
            return None
        entries = said.copy()
        entries[place["code"]] = {"name": "code", "valueCode": value.code}
        entries[place["display"]] = {"name": "display", "valueString": display}
        if value.concept is not None:
            entries[place["codeableConcept"]] = {"name": "codeableConcept", "valueCodeableConcept": value.concept}
        return {"resourceType": "Parameters", "parameter": entries}

    return answer


def _sayable(code: str | None) -> str | None:
    """A code that the datatype forbids (a stray blank) is not echoed as code; the issues quote it."""
    return code if code and code == " ".join(code.split()) else None


def _sources(outcome: Validation) -> str | None:
    return f"Answered from {', '.join(outcome.sources)}" if outcome.sources else None


_CODED = (
    Parameter("code", "code", "The code to judge."),
    Parameter("display", "string", "The display to judge with the code."),
    Parameter("coding", "Coding", "The coded value as a Coding."),
    Parameter("codeableConcept", "CodeableConcept", "The coded value as a CodeableConcept."),
    Parameter("date", "dateTime", "The day that the definitions must be in force on."),
    Parameter("abstract", "boolean", "False: abstract codes are not allowed. Default true."),
    Parameter("displayLanguage", "code", "The language that displays are judged in."),
    Parameter(
        "lenient-display-validation",
        "boolean",
        "True: a wrong display is a warning, not an error.",
        versions=(),
    ),
    Parameter("activeOnly", "boolean", "True: inactive codes are not valid.", versions=()),
    Parameter("valueset-membership-only", "boolean", "True: say only whether the code is in, not why.", versions=()),
    Parameter("mode", "string", "Another spelling of lenient-display-validation.", versions=()),
    Parameter("valueSetMode", "string", "Which value set is meant.", versions=(), ignored="one value set is named"),
    Parameter(
        "default-to-latest-version",
        "boolean",
        "Use the latest version.",
        versions=(),
        ignored="it is the rule here",
    ),
    SUPPLEMENTS,
    *SCOPE_PARAMETERS,
)

_OUTPUTS = (
    Parameter("result", "boolean", "True when the coded value is right."),
    Parameter("message", "string", "What is wrong, in words."),
    Parameter("display", "string", "The display to use."),
    Parameter("code", "code", "The code that was judged.", versions=("R5",)),
    Parameter("system", "uri", "Its code system.", versions=("R5",)),
    Parameter("version", "string", "The version that answered.", versions=("R5",)),
    Parameter("codeableConcept", "CodeableConcept", "What was sent as codeableConcept.", versions=("R5",)),
    Parameter("issues", "resource", "Every finding, as OperationOutcome.", versions=("R5",)),
    Parameter("inactive", "boolean", "The concept is inactive.", versions=()),
    Parameter("status", "code", "The status of the concept.", versions=()),
    Parameter("normalized-code", "code", "The code as the code system writes it.", versions=()),
    Parameter("x-unknown-system", "canonical", "The code's system is not known.", repeats=True, versions=()),
    Parameter(
        "x-caused-by-unknown-system",
        "canonical",
        "The result hangs on an unknown system.",
        repeats=True,
        versions=(),
    ),
    Parameter("diagnostics", "string", "The systems, versions and content modes that answered.", versions=()),
)

_ONE_VALUE = ("code", "coding", "codeableConcept")
_LEVELS: dict[str, tuple[str, ...]] = {"R4": ("type", "instance"), "R5": ("type", "instance")}


def _operation(
    kind: str,
    asks: Asks,
    own: tuple[Parameter, ...],
    apart: tuple[tuple[str, ...], ...],
) -> Operation:
    return Operation(
        name="validate-code",
        resource=kind,
        levels=_LEVELS,  # type: ignore[arg-type]
        summary=f"Is a coded value right, judged against a {kind}.",
        specification=f"http://hl7.org/fhir/OperationDefinition/{kind}-validate-code",
        inputs=(*own, *_CODED),
        outputs=_OUTPUTS,
        run=lambda request: answered(asks(request)),
        respond=respond,
        ready=lambda request: _ready(asks(request), request),
        scope=(kind, "CodeSystem") if kind != "CodeSystem" else (kind,),
        contradictions=(_ONE_VALUE, *apart),
    )


CODE_SYSTEM = _operation(
    "CodeSystem",
    in_code_system,
    (
        Parameter("url", "uri", "The code system."),
        Parameter("system", "uri", "Another spelling of url.", versions=()),
        Parameter("codeSystem", "resource", "A CodeSystem to judge against, in place of url."),
        Parameter("version", "string", "The version of the code system."),
        Parameter("inferSystem", "boolean", "Find the system.", versions=(), ignored="the system is named"),
    ),
    (("url", "codeSystem"), ("url", "system")),
)

VALUE_SET = _operation(
    "ValueSet",
    in_value_set,
    (
        Parameter("url", "uri", "The value set."),
        Parameter(
            "context",
            "uri",
            "The element that the code stands in.",
            ignored="no structure definitions are held here",
        ),
        Parameter("valueSet", "resource", "A ValueSet to judge against, in place of url."),
        Parameter("valueSetVersion", "string", "The version of the value set."),
        Parameter("system", "uri", "The code system of code."),
        Parameter("systemVersion", "string", "The version of that code system."),
        Parameter(
            "inferSystem",
            "boolean",
            "True: find the system of a bare code in the value set.",
            versions=("R5",),
        ),
        Parameter("versionsMatch", "boolean", "True: versions of one system count as the same.", versions=()),
    ),
    (("url", "valueSet"),),
)
