"""Small shapes of FHIR JSON: parameters, codings, property values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from terminology.model import Json


def parameters(entries: Iterable[Json | None]) -> Json:
    """A Parameters resource; absent entries are left out, and so is an empty list, which FHIR does not have."""
    held = [entry for entry in entries if entry is not None]
    return {"resourceType": "Parameters", **({"parameter": held} if held else {})}


def parameter(name: str, kind: str, value: Any) -> Json | None:
    """A parameter with ``value[x]``; None for no value."""
    return None if value is None else {"name": name, f"value{kind}": value}


def part(name: str, parts: Iterable[Json | None]) -> Json:
    """A parameter with parts; absent ones are left out."""
    return {"name": name, "part": [entry for entry in parts if entry is not None]}


def resource(name: str, value: Json | None) -> Json | None:
    """A parameter that holds a resource."""
    return None if value is None else {"name": name, "resource": value}
