"""Operations as OperationDefinition resources, made from the operation table.

Where HL7 defines the operation, ours is derived from HL7's (``base``), and tells what this server takes.
"""

from __future__ import annotations

from terminology.model import CANONICAL_BASE, FhirVersion, Json
from terminology.operation import Operation, Parameter

CHANGED = "2026-11-23"
"""The day on which statements and definitions last changed in form."""

_TYPES = {
    "resource": "Resource",
    "part": "Element",
    "valueSet": "ValueSet",
    "codeSystem": "CodeSystem",
    "conceptMap": "ConceptMap",
    "issues": "OperationOutcome",
}
"""Types that the operation table leaves open: of a part, of any resource, and of the resources it calls by name."""


def identity(operation: Operation) -> str:
    """The id of an operation's definition: ``CodeSystem-lookup``, ``cache-control``."""
    return f"{operation.resource}-{operation.name}" if operation.resource else operation.name


def own(operation: Operation) -> str:
    """The canonical of our definition of an operation."""
    return f"{CANONICAL_BASE}/OperationDefinition/{identity(operation)}"


def canonical(operation: Operation) -> str:
    """The definition that a CapabilityStatement names: HL7's where it says all, else our own."""
    return own(operation) if operation.extends else base(operation)


def base(operation: Operation) -> str:
    """HL7's definition of an operation where there is one, else our own."""
    stated = operation.specification
    return stated if "/OperationDefinition/" in stated else own(operation)


def definition(operation: Operation, fhir: FhirVersion) -> Json:
    """The OperationDefinition of an operation as this server takes it in that FHIR version (R5 form)."""
    levels = operation.levels[fhir]
    derived = base(operation)
    return {
        "resourceType": "OperationDefinition",
        "id": identity(operation),
        "url": own(operation),
        "name": "".join(word.capitalize() for word in identity(operation).replace("-", " ").split()),
        "title": f"${operation.name}",
        "status": "active",
        "kind": "operation",
        "date": CHANGED,
        "description": operation.summary,
        "affectsState": operation.effect == "writes",
        "code": operation.name,
        "comment": f"Specification: {operation.specification}",
        **({"base": derived} if derived != own(operation) else {}),
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
    kind = parameter.type
    if kind in ("resource", "part"):
        kind = _TYPES.get(parameter.name, _TYPES[kind]) if kind == "resource" else _TYPES[kind]
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
        "type": kind,
    }
