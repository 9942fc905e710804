"""Whether JSON has the shape of its FHIR type: lists where lists belong, texts where texts belong.

Unknown elements pass. One walk over a resource at the door, so that no reader behind it has to ask again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from terminology.wire.elements import Element, is_primitive, types

_NUMBERS = frozenset(("decimal", "integer", "positiveInt", "unsignedInt"))
_WORDS = {str: "text", bool: "true or false", dict: "an object", list: "a list"}


DEPTH = 200


def misshapen(resource: dict[str, Any]) -> str | None:
    """The first element that does not have the shape of R5, as a sentence with its path; None where all have."""
    kind = resource["resourceType"]
    return _object(resource, kind, kind, 0)


def _object(held: dict[str, Any], kind: str, path: str, depth: int) -> str | None:
    if depth > DEPTH:
        return f"it is nested deeper than {DEPTH} levels"
    known = types("R5").get(kind, {})
    for name, value in held.items():
        element = known.get(name)
        if element is not None and (said := _element(value, element, f"{path}.{name}", depth)):
            return said
    return None


def _element(value: Any, element: Element, path: str, depth: int) -> str | None:
    if not element.many:
        return _value(value, element.type, path, depth)
    if not isinstance(value, list):
        return f"{path} must be a list"
    entries = [(i, entry) for i, entry in enumerate(value) if entry is not None or not is_primitive(element.type)]
    return next((said for i, entry in entries if (said := _value(entry, element.type, f"{path}[{i}]", depth))), None)


def _value(value: Any, kind: str, path: str, depth: int) -> str | None:
    if not is_primitive(kind):
        if not isinstance(value, dict):
            return f"{path} must be an object"
        inner = value.get("resourceType") if kind == "Resource" else kind
        return _object(value, inner, path, depth + 1) if isinstance(inner, str) else f"{path} has no resourceType"
    if kind == "boolean":
        return None if isinstance(value, bool) else f"{path} must be true or false"
    if kind in _NUMBERS:
        fits = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
        return None if fits and abs(value) < 2**53 else f"{path} must be a number"
    return None if isinstance(value, str) else f"{path} must be text"
