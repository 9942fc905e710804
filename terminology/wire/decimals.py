"""Decimals of FHIR: the digits they were written with are part of them (1.100 is not 1.1, 1e2 is not 100)."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Self

LARGEST_EXPONENT, SMALLEST_EXPONENT = 308, -400  # what a double can hold, and somewhat less than it can
_OF_JSON = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


class Written(Decimal):
    """A decimal that knows how it was written. It equals any other of its value; what is computed from it is a plain
    Decimal."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __reduce__(self) -> tuple[type[Written], tuple[str]]:
        return Written, (self.text,)


def parsed(text: str) -> Decimal:
    """The decimal in a text, which is kept where JSON can have it. Raises ValueError for what is no decimal, or is
    beyond the exponents."""
    try:
        number = Written(text) if _OF_JSON.fullmatch(text) else Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]} is not a decimal") from None
    if not number.is_finite() or not SMALLEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT:
        raise ValueError(f"{text[:40]} is not finite, or beyond 1e{LARGEST_EXPONENT}")
    return number


def written(value: Decimal) -> str:
    """The digits as they came. Those of a number that was computed are as plain as can be: 0.0000001 stays so, 1e2 is
    1E+2 (100 would claim more precision)."""
    if isinstance(value, Written):
        return value.text
    exponent = value.as_tuple().exponent
    plain = isinstance(exponent, int) and 2 * SMALLEST_EXPONENT < exponent <= 0
    return format(value, "f") if plain else str(value)
