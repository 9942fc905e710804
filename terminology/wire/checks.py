"""The shadow check: an answer read by fhir.resources, which serving itself never needs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from terminology.model import FhirVersion, Json

_PACKAGES = {"R4": "fhir.resources.R4B", "R5": "fhir.resources"}
"""There is no package for 4.0.1; of the types that are answered R4B has the same shape."""


def checkable(value: Any) -> Any:
    """Without what the models of fhir.resources 8 do not know: ``_valueCode`` and its like on an extension."""
    if isinstance(value, list):
        return [checkable(each) for each in value]
    if not isinstance(value, dict):
        return value
    unknown = "_value" if "url" in value else "\0"
    return {key: checkable(each) for key, each in value.items() if not key.startswith(unknown)}


def problem(resource: Json, fhir: FhirVersion) -> str | None:
    """What fhir.resources finds wrong with a resource, on one line; None where it finds nothing. It goes to the log, so
    it holds nothing of what the resource says."""
    try:
        found = "; ".join(f"{path}: {sentence}" for path, sentence in reasons(resource, fhir))
    except (ImportError, AttributeError) as wrong:
        return " ".join(str(wrong).split())[:2000]
    return found[:2000] or None


def reasons(resource: Json, fhir: FhirVersion) -> list[tuple[str, str]]:
    """Every reason for which fhir.resources refuses a resource, as (path, sentence)."""
    from pydantic import ValidationError  # noqa: PLC0415  loaded by who checks

    kind = str(resource.get("resourceType"))
    model = getattr(import_module(f"{_PACKAGES[fhir]}.{kind.lower()}"), kind)
    try:
        model.model_validate(checkable(resource))
    except ValidationError as wrong:
        return [(_path(kind, each["loc"]), str(each["msg"]).removeprefix("Value error, ")) for each in wrong.errors()]
    except ValueError as wrong:
        return [(kind, " ".join(str(wrong).split())[:500])]
    return []


def _path(kind: str, places: tuple[int | str, ...]) -> str:
    named = (f"[{place}]" if isinstance(place, int) else f".{place}" for place in places)
    return kind + "".join(named)
