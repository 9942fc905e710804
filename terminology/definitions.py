"""Operations as OperationDefinition resources, made from the operation table.

Where HL7 defines the operation, ours is derived from HL7's (``base``), and tells what this server takes.
"""

from __future__ import annotations

from terminology.model import CANONICAL_BASE, FhirVersion, Json
from terminology.operation import Operation, Parameter

CHANGED = "2026-11-23"
"""The day on which statements and definitions last changed in form."""

HL7 = "http://hl7.org/fhir/OperationDefinition/"
_BY_HL7 = frozenset(
    (
        "CodeSystem-lookup",
        "CodeSystem-validate-code",
        "CodeSystem-subsumes",
        "CodeSystem-find-matches",
        "ValueSet-expand",
        "ValueSet-validate-code",
        "ConceptMap-translate",
        "ConceptMap-closure",
    )
)
_ELSEWHERE = {(None, "closure"): "ConceptMap-closure", ("Procedure", "validate"): "Resource-validate"}
_WIDE = {"resource": "Resource", "part": "Element"}


def identity(operation: Operation) -> str:
    """The id of an operation's definition: ``CodeSystem-lookup``, ``cache-control``."""
    return f"{operation.resource}-{operation.name}" if operation.resource else operation.name


def of_hl7(operation: Operation) -> str | None:
    """The canonical of HL7's definition; None for operations of the terminology ecosystem and our own."""
    name = _ELSEWHERE.get((operation.resource, operation.name), identity(operation))
    return HL7 + name if name in _BY_HL7 or name == "Resource-validate" else None


def canonical(operation: Operation) -> str:
    """The definition that a CapabilityStatement names: HL7's where there is one, else our own."""
    return of_hl7(operation) or f"{CANONICAL_BASE}/OperationDefinition/{identity(operation)}"


def definition(operation: Operation, fhir: FhirVersion) -> Json:
    """The OperationDefinition of an operation as this server takes it in that FHIR version (R5 form)."""
    levels = operation.levels[fhir]
    base = of_hl7(operation)
    return {
        "resourceType": "OperationDefinition",
        "id": identity(operation),
        "url": f"{CANONICAL_BASE}/OperationDefinition/{identity(operation)}",
        "name": "".join(word.capitalize() for word in identity(operation).replace("-", " ").split()),
        "title": f"${operation.name}",
        "status": "active",
        "kind": "operation",
        "date": CHANGED,
        "description": operation.summary,
        "affectsState": operation.effect == "writes",
        "code": operation.name,
        "comment": f"Specification: {operation.specification}",
        **({"base": base} if base else {}),
        **({"resource": [operation.resource]} if operation.resource else {}),
        "system": "system" in levels,
        "type": "type" in levels,
        "instance": "instance" in levels,
        "parameter": [
            *(_parameter(each, "in") for each in operation.inputs),
            *(_parameter(each, "out") for each in operation.outputs),
        ],
    }


def _parameter(parameter: Parameter, use: str) -> Json:
    kind = _WIDE.get(parameter.type, parameter.type)
    words = [parameter.summary]
    if parameter.ignored:
        words.append(f"Accepted without effect: {parameter.ignored}.")
    if not parameter.versions:
        words.append("Of the terminology ecosystem.")
    return {
        "name": parameter.name,
        "use": use,
        "min": parameter.minimum or 0,
        "max": "*" if parameter.repeats else "1",
        "documentation": " ".join(words),
        **({"type": kind} if kind else {}),
    }
