"""Which elements each FHIR type has, in the specification's order, for R4 (4.0.1) and R5 (5.0.0).

The tables themselves are `elements.json` and, for the records that $validate judges and what they contain,
`records.json`, made by `scripts/make-elements`; each is read once, when first asked for.
Types inside a resource are named by their path (`ValueSet.compose.include`), data types by their name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from terminology.frozen import dataclass

Fhir = Literal["R4", "R5"]
Type = Mapping[str, "Element"]


@dataclass(frozen=True, slots=True)
class Element:
    """One element under one JSON name: of a choice (`value[x]`) every type is an element of its own.

    `name` is the JSON name (`valueCode`), `stem` the element's (`value`), the same but for a choice.
    """

    name: str
    stem: str
    type: str
    many: bool

    @property
    def choice(self) -> bool:
        return self.name != self.stem


@cache
def types(fhir: Fhir) -> Mapping[str, Type]:
    """Type name -> JSON name of an element -> the element, in the order of the specification."""
    return {name: _elements(text) for name, text in _tables("elements.json")[fhir].items()}


def type_of(fhir: Fhir, name: str) -> Type | None:
    """The elements of one type, those of coded records too; None where it is in no table."""
    known = types(fhir).get(name)
    if known is None and name in _tables("records.json")[fhir]:
        return _of_records(fhir, name)
    return known


def is_primitive(type_name: str) -> bool:
    return type_name[0].islower()


def capitalized(type_name: str) -> str:
    """The type as it stands in the name of a choice element: `dateTime` in `valueDateTime`."""
    return type_name[0].upper() + type_name[1:]


@cache
def _of_records(fhir: Fhir, name: str) -> Type:
    return _elements(_tables("records.json")[fhir][name])


@cache
def _tables(file: str) -> dict[str, dict[str, str]]:
    text = Path(__file__).with_name(file).read_text("utf-8")
    tables: dict[str, dict[str, str]] = json.loads(text)
    return tables


def _elements(text: str) -> Type:
    found: dict[str, Element] = {}
    for entry in text.split():
        stem, _, type_names = entry.partition(":")
        many = type_names.endswith("*")
        for type_name in type_names.rstrip("*").split("|"):
            bare = stem.removesuffix("[x]")
            name = bare if bare == stem else bare + capitalized(type_name)
            found[name] = Element(name, bare, type_name, many)
    return found
