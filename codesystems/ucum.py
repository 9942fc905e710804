"""UCUM, the units of measure: case-sensitive expressions, their canonical units and what HL7 asks of them.

Grammar and meaning: https://ucum.org/ucum, sections 2 and 3; use with FHIR: https://terminology.hl7.org/UCUM.html.
The table of units, `sources/ucum-essence.xml`, is Regenstrief's file as it was published, read at the first question
(UCUM licence, see NOTICE: it may be copied, not changed).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from terminology.model import (
    Canonical,
    CodeSystemInfo,
    Concept,
    Designation,
    Filter,
    Grammar,
    Issue,
    Json,
    Miss,
    Property,
    PropertyDefinition,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

URL = "http://unitsofmeasure.org"
VERSION = "2.2"
ALL_UNITS = (
    f"{URL}/vs",
    "http://hl7.org/fhir/ValueSet/ucum-units",
    "http://terminology.hl7.org/ValueSet/ucum-units",
)
COPYRIGHT = (
    "The UCUM codes, UCUM table (regardless of format), and UCUM Specification are copyright 1999-2024, Regenstrief "
    "Institute, Inc. All rights reserved. Licensed under the UCUM License: https://unitsofmeasure.org/license"
)
DEPRECATED = frozenset(("[ppb]", "[pptr]"))
"""Named as deprecated by HL7's page; the table itself marks only what it calls retired."""
POWERS_OF_TEN = ("10*", "10^")
LONGEST, DEEPEST = 1000, 50
"""Characters and nested parentheses of an expression; beyond, it is no unit anyone means."""

_ESSENCE = Path(__file__).parent / "sources" / "ucum-essence.xml"
_NAMESPACE = "{http://unitsofmeasure.org/ucum-essence}"
_COMPONENT = re.compile(
    r"""(?:(?P<symbol>10[*^]|(?:[!\#-'*,:-Z\\^-z|~]|\[[^][{}\s]+\])+)(?P<exponent>[+-]?[0-9]+)?
        |(?P<number>0*[1-9][0-9]*)(?P<power>[+-][0-9]+)?)?
        (?P<note>\{[!-z|~]*\})?""",
    re.VERBOSE,
)


# --- expressions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, or a positive number in place of one (section 8), with what stands directly at it; without a symbol only
    an annotation. A sign tells the exponent of a number from its digits: ``2+10`` (section 9)."""

    symbol: str = ""
    exponent: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.symbol}{self.exponent}{self.note}"


@dataclass(frozen=True, slots=True)
class Group:
    """A term in parentheses."""

    term: Term
    note: str = ""

    def __str__(self) -> str:
        return f"({self.term}){self.note}"


@dataclass(frozen=True, slots=True)
class Term:
    """Components from left to right, each with the operator before it (the first one's may be missing)."""

    parts: tuple[tuple[str, Unit | Group], ...]

    def __str__(self) -> str:
        return "".join(f"{operator}{part}" for operator, part in self.parts)


class Malformed(Exception):
    """An expression that is no UCUM code; carries the message id and arguments of the reason."""

    def __init__(self, message_id: str, *arguments: str) -> None:
        super().__init__(message_id, *arguments)
        self.message_id = message_id
        self.arguments = arguments


def parse(code: str) -> Term:
    """The expression as it is written, units not looked up; raises Malformed."""
    if len(code) > LONGEST or not code:
        raise Malformed("OWN_CODE_SYNTAX", code[:80], "")
    term, end = _term(code, 0, 0)
    if end < len(code):
        raise Malformed("OWN_CODE_SYNTAX", code, code[end:])
    return term


def _term(code: str, at: int, depth: int) -> tuple[Term, int]:
    operator = "/" if not depth and code.startswith("/") else ""
    at += len(operator)
    parts = []
    while True:
        part, at = _component(code, at, depth)
        parts.append((operator, part))
        if at >= len(code) or code[at] not in "./":
            return Term(tuple(parts)), at
        operator, at = code[at], at + 1


def _component(code: str, at: int, depth: int) -> tuple[Unit | Group, int]:
    if code.startswith("(", at) and depth < DEEPEST:
        term, at = _term(code, at + 1, depth + 1)
        if not code.startswith(")", at):
            raise Malformed("OWN_CODE_SYNTAX", code, code[at:])
        noted = _COMPONENT.match(code, at + 1)
        bare = noted is not None and not (noted["symbol"] or noted["number"])
        note = noted["note"] or "" if noted and bare else ""
        return Group(term, note), at + 1 + len(note)
    found = _COMPONENT.match(code, at)
    if found is None or not found[0]:
        raise Malformed("OWN_CODE_SYNTAX", code, code[at:])
    symbol, exponent = found["symbol"] or found["number"] or "", found["exponent"] or found["power"] or ""
    return Unit(symbol, exponent, found["note"] or ""), found.end()


# --- the table ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Atom:
    """A unit of the table. ``ratio`` is false for special units, which have no proportional scale (Cel, pH)."""

    symbol: str
    name: str
    kind: str
    metric: bool
    ratio: bool
    arbitrary: bool
    value: str | None
    """The expression it is defined by; None for a base unit."""


@dataclass(frozen=True, slots=True)
class Table:
    atoms: Mapping[str, Atom]
    prefixes: Mapping[str, str]
    dimensions: Mapping[str, str]
    """Base unit → the letter of its dimension, in the table's order."""


@cache
def table() -> Table:
    """The table of units, read once, and its reader with it."""
    from xml.etree import ElementTree as ET  # noqa: PLC0415

    root = ET.parse(_ESSENCE).getroot()  # noqa: S314 (our own file)
    bases, units = root.findall(f"{_NAMESPACE}base-unit"), root.findall(f"{_NAMESPACE}unit")
    return Table(
        atoms={each.get("Code", ""): _atom(each) for each in (*bases, *units)},
        prefixes={each.get("Code", ""): _text(each, "name") for each in root.findall(f"{_NAMESPACE}prefix")},
        dimensions={each.get("Code", ""): each.get("dim", "") for each in bases},
    )


def _atom(element: Element) -> Atom:
    value = element.find(f"{_NAMESPACE}value")
    function = value.find(f"{_NAMESPACE}function") if value is not None else None
    defining = function if function is not None else value
    return Atom(
        symbol=element.get("Code", ""),
        name=_text(element, "name"),
        kind=_text(element, "property"),
        metric=value is None or element.get("isMetric") == "yes",
        ratio=element.get("isSpecial") != "yes",
        arbitrary=element.get("isArbitrary") == "yes",
        value=None if defining is None else defining.get("Unit"),
    )


def _text(element: Element, name: str) -> str:
    return " ".join((element.findtext(f"{_NAMESPACE}{name}") or "").split())


@lru_cache(4096)
def _looked_up(symbol: str) -> tuple[str, Atom]:
    """Prefix and unit of a symbol; a unit's own symbol wins over a prefix and another unit. Raises Malformed."""
    held = table()
    if atom := held.atoms.get(symbol):
        return "", atom
    for length in (1, 2):
        atom = held.atoms.get(symbol[length:])
        if atom and symbol[:length] in held.prefixes:
            if not atom.metric:
                raise Malformed("OWN_UNIT_TAKES_NO_PREFIX", atom.symbol, symbol)
            return symbol[:length], atom
    raise Malformed("OWN_UNIT_UNKNOWN", symbol)


# --- meaning --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a term measures: powers of base units and of arbitrary units, which are like nothing but themselves.

    ``special`` names the special unit in it: such a unit may be multiplied by numbers and by nothing else.
    """

    powers: Mapping[str, int]
    special: str | None = None


_ONE = Meaning({})


def meaning(term: Term) -> Meaning:
    """The meaning of an expression; raises Malformed for a symbol that is no unit and for a misused special unit."""
    total = _ONE
    for operator, part in term.parts:
        total = _divided(total, _of(part)) if operator == "/" else _multiplied(total, _of(part))
    return total


def _of(part: Unit | Group) -> Meaning:
    if isinstance(part, Group):
        return meaning(part.term)
    if not part.symbol or part.symbol.isdecimal():
        return _ONE
    power = int(part.exponent or 1)
    known = _symbol(part.symbol)
    if known.special and part.exponent:
        raise Malformed("OWN_UNIT_SPECIAL", known.special)
    return known if power == 1 else Meaning({base: n * power for base, n in known.powers.items() if power})


@lru_cache(4096)
def _symbol(symbol: str) -> Meaning:
    _, atom = _looked_up(symbol)
    special = None if atom.ratio else atom.symbol
    if atom.value is None:
        return Meaning({atom.symbol: 1})
    defined = meaning(parse(atom.value)).powers
    if atom.arbitrary and not any(base.startswith("[") for base in defined):
        return Meaning({atom.symbol: 1})
    return Meaning(defined, special)


def _multiplied(a: Meaning, b: Meaning) -> Meaning:
    if not b.powers and not b.special:
        return a
    if not a.powers and not a.special:
        return b
    if special := a.special or b.special:
        raise Malformed("OWN_UNIT_SPECIAL", special)
    return _summed(a, b, 1)


def _divided(a: Meaning, b: Meaning) -> Meaning:
    if special := a.special or b.special:
        raise Malformed("OWN_UNIT_SPECIAL", special)
    return _summed(a, b, -1)


def _summed(a: Meaning, b: Meaning, sign: int) -> Meaning:
    powers = dict(a.powers)
    for base, power in b.powers.items():
        powers[base] = powers.get(base, 0) + sign * power
    return Meaning({base: power for base, power in powers.items() if power})


def canonical(code: str) -> str:
    """The canonical unit that an expression is commensurable with: ``g.m-1.s-2`` for mm[Hg], ``1`` for a number."""
    return _product(meaning(parse(code)).powers)


def _product(powers: Mapping[str, int]) -> str:
    return ".".join(f"{base}{'' if n == 1 else n}" for base, n in sorted(powers.items())) or "1"


def _dimension(powers: Mapping[str, int]) -> str | None:
    """The dimension, as ``L-1.M.T-2``; None where an arbitrary unit is in it."""
    letters = table().dimensions
    if any(base not in letters for base in powers):
        return None
    return _product({letters[base]: power for base, power in powers.items()})


# --- names ----------------------------------------------------------------------------------------------------


def _named(term: Term) -> str:
    """An English name, put together from those of the table."""
    words = {"/": " per ", ".": " · ", "": ""}
    return "".join(f"{words[operator]}{_name(part)}" for operator, part in term.parts).strip()


def _name(part: Unit | Group) -> str:
    if isinstance(part, Group):
        return f"({_named(part.term)})"
    words = ["10" if part.symbol in POWERS_OF_TEN else part.symbol] if part.symbol else []
    if part.symbol and not words[0].isdecimal():
        prefix, atom = _looked_up(part.symbol)
        words = [table().prefixes.get(prefix, "") + atom.name]
    if part.exponent:
        words.append({2: "squared", 3: "cubed"}.get(int(part.exponent), f"to the power {int(part.exponent)}"))
    return " ".join((*words, *((part.note,) if part.note else ())))


# --- the code system --------------------------------------------------------------------------------------------


def find(code: str) -> Concept | Miss:
    """The concept of an expression. HL7: the code itself is the display."""
    try:
        term = parse(code)
        powers = meaning(term).powers
    except Malformed as wrong:
        return Miss(code, (Issue("error", "code-invalid", "invalid-code", wrong.message_id, wrong.arguments),))
    return Concept(
        code,
        display=code,
        designations=tuple(Designation(name, "en") for name in (_named(term),) if name not in (code, "")),
        properties=tuple(_properties(term, powers)),
        inactive=_retired(term),
        status="deprecated" if _retired(term) else None,
    )


def _properties(term: Term, powers: Mapping[str, int]) -> Iterator[Property]:
    yield Property("canonical", "Code", _product(powers))
    if dimension := _dimension(powers):
        yield Property("dimension", "String", dimension)
    if len(powers) == 1 and set(powers.values()) == {1}:
        yield Property("property", "String", table().atoms[next(iter(powers))].kind)
    if atom := _alone(term):
        yield Property("kind", "String", atom.kind)


def _alone(term: Term) -> Atom | None:
    """The unit of the table that an expression is, whatever its prefix and note."""
    operator, part = term.parts[0]
    if len(term.parts) > 1 or operator or isinstance(part, Group) or part.exponent:
        return None
    return _looked_up(part.symbol)[1] if part.symbol and not part.symbol.isdecimal() else None


def _retired(term: Term) -> bool:
    atom = _alone(term)
    return atom is not None and (atom.symbol in DEPRECATED or atom.name.endswith("(retired)"))


def meant(stated: Filter) -> Filter | None:
    """HL7's filters: ``canonical`` and ``comparable`` take any expression, ``property`` a base unit's property."""
    if stated.property not in ("canonical", "comparable"):
        return stated
    if stated.op not in ("=", "in", "not-in") or stated.value is None:
        return None if stated.property == "comparable" else stated
    values = stated.value.split(",") if stated.op != "=" else [stated.value]
    try:
        return replace(stated, property="canonical", value=",".join(canonical(value.strip()) for value in values))
    except Malformed:
        return None


def implicit(url: str) -> Json | None:
    """All units, and ``http://unitsofmeasure.org/vs/[expression]``: those comparable with an expression."""
    if url in ALL_UNITS:
        return {"include": [{"system": URL}]}
    expression = url.removeprefix(f"{URL}/vs/")
    if expression == url or isinstance(find(expression), Miss):
        return None
    comparable = {"property": "canonical", "op": "=", "value": expression}
    return {"include": [{"system": URL, "filter": [comparable]}]}


INFO = CodeSystemInfo(
    canonical=Canonical(URL, VERSION),
    name="UCUM",
    title="Unified Code for Units of Measure (UCUM)",
    status="active",
    compositional=True,
    enumerable=False,
    displays_defined=False,
    language="en",
    value_set=ALL_UNITS[0],
    copyright=COPYRIGHT,
    properties=(
        PropertyDefinition("canonical", "code", description="The canonical unit that the unit is commensurable with."),
        PropertyDefinition("dimension", "string", description="The dimension: powers of L, T, M, A, C, Q and F."),
        PropertyDefinition("property", "string", description="What it measures, if that is what a base unit measures."),
        PropertyDefinition("kind", "string", description="What a single unit measures."),
    ),
    filters=(("canonical", ("=", "in")), ("comparable", ("=", "in")), ("property", ("=",))),
)

_VALUES = {
    "canonical": "A unit: those with the same canonical unit; for `in` several, with commas",
    "comparable": "A unit: those that can be converted into it; for `in` several, with commas",
    "property": "What a base unit measures, as the table of units says it: length, mass, time, …",
}

UCUM = Grammar(INFO, find, meant, implicit, values=_VALUES)
