"""What a server answers, read by fhir.resources: R4 through R4B, which has the same shape for our types."""

import importlib
from typing import Any

PACKAGES = {"4.0": "fhir.resources.R4B", "4.3": "fhir.resources.R4B", "5.0": "fhir.resources"}


def parsed(resource: dict[str, Any], fhir_version: str = "4.0") -> Any:
    """The resource as a model of a FHIR version ("4.0.1", "4.3", "5.0"); raises when it is not valid."""
    package = PACKAGES[".".join(fhir_version.split(".")[:2])]
    kind = resource["resourceType"]
    model = getattr(importlib.import_module(f"{package}.{kind.lower()}"), kind)
    return model.model_validate(resource)
