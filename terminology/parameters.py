"""What a client sent (a query string or a Parameters resource) as named values, and the arguments that they become.

``terminology.schemas`` makes the arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import Json
from terminology.operation import Operation, Parameter

MAX_ENTRIES = 1000
LONGEST = {
    "code": 1024,
    "id": 64,
    "uri": 2048,
    "url": 2048,
    "canonical": 2048,
    "string": 65_536,
    "dateTime": 64,
}
LONGEST_BY_NAME = {"filter": 256}


@dataclass(frozen=True, slots=True)
class Given:
    """One parameter as it came: ``type`` is the suffix of ``value[x]``, ``resource``, ``part`` or None (a query)."""

    name: str
    value: Any
    type: str | None = None


class Arguments(Mapping[str, Any]):
    """Typed arguments by parameter name; a repeating parameter holds a tuple. Absent ones are absent."""

    __slots__ = ("_given", "_values")

    def __init__(self, values: Mapping[str, Any], given: Sequence[Given] = ()) -> None:
        self._values = dict(values)
        self._given = tuple(given)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def get(self, name: str, default: Any = None) -> Any:
        """As of any mapping, asking once."""
        return self._values.get(name, default)

    @property
    def given(self) -> tuple[Given, ...]:
        """What came, as it came, in order."""
        return self._given

    def all(self, name: str) -> tuple[Any, ...]:
        """The values of a repeating parameter, empty when it is absent."""
        values: tuple[Any, ...] = self._values.get(name, ())
        return values

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self._values.get(name, default))


def from_query(pairs: Iterable[tuple[str, str]]) -> list[Given]:
    """Query parameters; those whose name starts with ``_`` belong to the exchange, not to the operation."""
    return [Given(name, value) for name, value in pairs if not name.startswith("_")]


def from_parameters(resource: object) -> list[Given]:
    """The entries of a Parameters resource, read leniently. Raises Invalid for what is no Parameters."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Parameters":
        named = resource.get("resourceType") if isinstance(resource, dict) else type(resource).__name__
        raise Invalid(issue("OWN_WRONG_RESOURCE", "Parameters", named or "one without resourceType"))
    entries = resource.get("parameter", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Invalid(issue("OWN_MALFORMED_BODY", "Parameters.parameter must be a list of objects"))
    if len(entries) > MAX_ENTRIES:
        raise Invalid(issue("OWN_TOO_MANY", "Parameters.parameter", MAX_ENTRIES, "none: this limit is fixed"))
    return [_entry(entry, index) for index, entry in enumerate(entries)]


def _entry(entry: Json, index: int) -> Given:
    name = entry.get("name")
    if not isinstance(name, str) or not name:
        raise Invalid(issue("OWN_MALFORMED_BODY", f"Parameters.parameter[{index}] has no name"))
    if "resource" in entry:
        return Given(name, entry["resource"], "resource")
    for key, value in entry.items():
        if key.startswith("value"):
            return Given(name, value, key[5:])
    if "part" in entry:
        return Given(name, entry["part"], "part")
    return Given(name, None, "empty")


def known(operation: Operation, given: Sequence[Given]) -> Sequence[Given]:
    """What came without what the operation does not know."""
    names = named(operation)
    return [entry for entry in given if entry.name in names]


@cache
def named(operation: Operation) -> Mapping[str, Parameter]:
    """The parameters by name and alias."""
    return {name: each for each in reversed(operation.inputs) for name in (*each.aliases, each.name)}
