"""Turns what a client sent into typed arguments of one operation.

One marshmallow schema per operation, made once; of it only the fields that came are asked, and all of it says what is
wrong (loading a whole schema is 20 µs of a request). Where nothing but known parameters came, each once and of the
right type, they are taken as they are. A value of any ``value[x]`` is taken for a primitive parameter
(clients send ``code`` as valueString); a parameter that may not repeat is refused when it does; an unknown one is
ignored, and refused under ``Prefer: handling=strict`` with the nearest known name.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from terminology import dates
from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import Issue, Json
from terminology.operation import Operation, Parameter
from terminology.parameters import LONGEST, LONGEST_BY_NAME, Arguments, Given, named

_DATES = ("date", "dateTime")


def read(operation: Operation, given: Sequence[Given], *, strict: bool = False) -> Arguments:
    """Arguments of ``operation``; raises Invalid with every reason at once."""
    ordinary = _ordinary(operation, given)
    return Arguments(ordinary, given) if ordinary is not None else _read(operation, given, strict)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a parameter is taken: text of ``most`` characters as it is, anything else as its field says."""

    name: str
    most: int
    repeats: bool
    field: fields.Field[Any]


def _ordinary(operation: Operation, given: Sequence[Given]) -> Mapping[str, Any] | None:
    """The values of a call as most are: known names, each once, nothing to refuse; None for any other."""
    ways = _ways(operation)
    values: dict[str, Any] = {}
    for entry in given:
        way = ways.get(entry.name)
        value = entry.value
        if way is None or way.name in values or isinstance(value, list):
            return None
        if not way.most:
            try:
                value = way.field.deserialize(value, way.name)
            except ValidationError:
                return None
        elif value.__class__ is not str or not 0 < len(value) <= way.most:
            return None
        values[way.name] = (value,) if way.repeats else value
    return None if operation.contradictions and _contradictions(operation, values) else values


def _read(operation: Operation, given: Sequence[Given], strict: bool) -> Arguments:
    known: dict[str, list[Given]] = {}
    reasons: list[Issue] = []
    names = named(operation)
    for entry in given:
        parameter = names.get(entry.name)
        if parameter is None:
            if strict:
                reasons.append(_unknown(operation, entry.name))
            continue
        known.setdefault(parameter.name, []).append(entry)
    values: dict[str, Any] = {}
    for name, entries in known.items():
        if len(entries) > 1 and not names[name].repeats:
            reasons.append(issue("OWN_REPEATED_PARAMETER", name, len(entries), at=name))
        else:
            values[name] = [entry.value for entry in entries] if names[name].repeats else entries[0].value
    reasons += _contradictions(operation, values)
    loaded: Mapping[str, Any] = {}
    try:
        loaded = _loaded(_schema(operation), values)
    except ValidationError as refused:
        reasons += _reasons(operation, refused, values)
    if reasons:
        raise Invalid(*reasons)
    return Arguments({k: tuple(v) if isinstance(v, list) else v for k, v in loaded.items()}, given)


@cache
def _ways(operation: Operation) -> Mapping[str, _Way]:
    """How each name and alias is taken."""
    found = {}
    for name, each in named(operation).items():
        field = _field(each)
        text = isinstance(field, _Text) and each.type not in _DATES
        found[name] = _Way(each.name, _longest(each) if text else 0, each.repeats, field)
    return found


def _loaded(schema: Schema, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ``schema.load`` gives, asking only for what came: no field is required or has a default."""
    try:
        fields = schema.fields
        return {name: fields[name].deserialize(value, name) for name, value in values.items()}
    except ValidationError:
        found: Mapping[str, Any] = schema.load(values)  # raises every reason
        return found


def _unknown(operation: Operation, name: str) -> Issue:
    near = difflib.get_close_matches(name, [parameter.name for parameter in operation.inputs], 1, 0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return issue("OWN_UNKNOWN_PARAMETER", name, operation.name, hint, at=name)


def _contradictions(operation: Operation, values: Mapping[str, Any]) -> list[Issue]:
    found = []
    for names in operation.contradictions:
        sent = [name for name in names if name in values]
        if len(sent) > 1:
            both = " and ".join(sent)
            found.append(
                issue("OWN_CONTRADICTORY_PARAMETERS", ", ".join(names), f"{both} came together. Leave one out")
            )
    return found


def _reasons(operation: Operation, refused: ValidationError, values: Mapping[str, Any]) -> list[Issue]:
    reasons = []
    for name, messages in _said(refused).items():
        said: Any = messages
        while isinstance(said, dict):
            said = next(iter(said.values()))
        reason = said[0] if isinstance(said, list) else said
        if isinstance(reason, Issue):
            reasons.append(reason)
        else:
            parameter = operation.parameter(name)
            kind = parameter.type if parameter else "another type"
            reasons.append(issue("OWN_WRONG_TYPE", name, f"a {kind}", _shown(values.get(name)), at=name))
    return reasons


def _said(refused: ValidationError) -> dict[str, Any]:
    messages = refused.messages
    return messages if isinstance(messages, dict) else {"_schema": messages}


def _shown(value: Any) -> str:
    text = repr(value[0] if isinstance(value, list) and len(value) == 1 else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _longest(parameter: Parameter) -> int:
    return LONGEST_BY_NAME.get(parameter.name, LONGEST.get(parameter.type, 65_536))


# --- fields ------------------------------------------------------------------------------------------------


class _Text(fields.Field[str]):
    """A primitive that travels as text."""

    def __init__(self, parameter: Parameter, **options: Any) -> None:
        super().__init__(**options)
        self.parameter = parameter

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        name, kind = self.parameter.name, self.parameter.type
        if not isinstance(value, str) or not value:
            raise ValidationError([issue("OWN_WRONG_TYPE", name, f"a non-empty {kind}", _shown(value), at=name)])
        limit = _longest(self.parameter)
        if len(value) > limit:
            raise ValidationError([issue("OWN_TOO_LONG", name, limit, at=name)])
        if kind in _DATES and not dates.known(value):
            raise ValidationError([issue("OWN_WRONG_TYPE", name, "a date such as 2012-01-31", _shown(value), at=name)])
        return value


class _Boolean(fields.Field[bool]):
    """``true`` or ``false``, as JSON boolean or as text; 1 and ``yes`` are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if isinstance(value, bool):
            return value
        if value in ("true", "false") and isinstance(value, str):
            return value == "true"
        raise ValidationError([issue("OWN_WRONG_TYPE", attr, "true or false", _shown(value), at=attr)])


class _Integer(fields.Field[int]):
    """A whole number, as JSON number or as text; never negative unless the parameter says so."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,10}", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**31 - 1:
            raise ValidationError([issue("OWN_WRONG_TYPE", attr, "a whole number", _shown(value), at=attr)])
        if value < 0:
            raise ValidationError([issue("OWN_NEGATIVE", attr, value, at=attr)])
        return value


class _Complex(fields.Field[Any]):
    """A complex datatype or a resource: an object, looked into by the operation."""

    def __init__(self, parameter: Parameter, **options: Any) -> None:
        super().__init__(**options)
        self.parameter = parameter

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Any:
        name, kind = self.parameter.name, self.parameter.type
        if kind in ("Coding", "CodeableConcept") and isinstance(value, dict):
            for reason in _coded(name, kind, value):
                raise ValidationError([reason])
            return value
        if kind not in ("Coding", "CodeableConcept") and isinstance(value, (dict, list)):
            return value
        raise ValidationError([issue("OWN_WRONG_TYPE", name, f"a {kind}", _shown(value), at=name)])


def _coded(name: str, kind: str, value: Json) -> Iterator[Issue]:
    codings = value.get("coding", []) if kind == "CodeableConcept" else [value]
    if not isinstance(codings, list) or not all(isinstance(coding, dict) for coding in codings):
        yield issue("OWN_WRONG_TYPE", f"{name}.coding", "a list of Coding", _shown(codings), at=name)
        return
    for coding in codings:
        for part in ("system", "version", "code", "display"):
            held = coding.get(part)
            if held is not None and not isinstance(held, str):
                yield issue("OWN_WRONG_TYPE", f"{name}.{part}", "text", _shown(held), at=name)
            elif held is not None and len(held) > LONGEST.get(part, 4096):
                yield issue("OWN_TOO_LONG", f"{name}.{part}", LONGEST.get(part, 4096), at=name)


def _field(parameter: Parameter) -> fields.Field[Any]:
    if parameter.type == "boolean":
        return _Boolean()
    if parameter.type in ("integer", "positiveInt", "unsignedInt"):
        return _Integer()
    if parameter.type[0].isupper() or parameter.type in ("resource", "part"):
        return _Complex(parameter)
    return _Text(parameter)


@cache
def _schema(operation: Operation) -> Schema:
    members = {p.name: fields.List(_field(p)) if p.repeats else _field(p) for p in operation.inputs}
    made = Schema.from_dict(members, name=f"{operation.resource or 'System'}_{operation.name}")
    return made(unknown=EXCLUDE)
