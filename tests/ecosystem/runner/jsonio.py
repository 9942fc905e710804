"""JSON reading and writing that keeps number literals as written.

The comparison rules compare numbers by their literal text, so numbers are read into
`JsonNumber` instead of int/float.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class JsonNumber:
    text: str

    def __str__(self) -> str:
        return self.text


def loads(text: str | bytes) -> Any:
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    return json.loads(text.lstrip("\ufeff"), parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=JsonNumber)


def load_file(path: Path) -> Any:
    return loads(path.read_bytes())


def dumps(value: Any) -> str:  # noqa: PLR0911
    """Serialise compactly; the inverse of `loads`."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, JsonNumber):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(k)}:{dumps(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def is_primitive(value: Any) -> bool:
    return not isinstance(value, (dict, list))


def primitive_text(value: Any) -> str | None:
    """The string form of a JSON primitive, or None for null, objects and arrays."""
    if value is None or isinstance(value, (dict, list)):
        return None
    if value is True:
        return "true"
    if value is False:
        return "false"
    return str(value)
