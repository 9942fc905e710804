"""The shadow check: an answer read by fhir.resources, which serving itself never needs."""

from __future__ import annotations

from importlib import import_module

from terminology.model import FhirVersion, Json

_PACKAGES = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}
"""There is no package for 4.0.1; of the types that are answered R4B has the same shape."""


def problem(resource: Json, fhir: FhirVersion) -> str | None:
    """What fhir.resources finds wrong with a resource, on one line; None where it finds nothing."""
    kind = str(resource.get("resourceType"))
    try:
        model = getattr(import_module(f"{_PACKAGES[fhir]}.{kind.lower()}"), kind)
        model.model_validate(resource)
    except (ValueError, ImportError, AttributeError) as wrong:
        return " ".join(str(wrong).split())[:2000]
    return None
