"""Decimals of FHIR: the digits they were written with are part of them (1.100 is not 1.1)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

LARGEST_EXPONENT, SMALLEST_EXPONENT = 308, -400  # what a double can hold, and somewhat less than it can


def parsed(text: str) -> Decimal:
    """The decimal in a text. Raises ValueError for what is none, or is beyond the exponents."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text[:40]} is not a decimal") from None
    if not number.is_finite() or not SMALLEST_EXPONENT <= number.adjusted() <= LARGEST_EXPONENT:
        raise ValueError(f"{text[:40]} is not finite, or beyond 1e{LARGEST_EXPONENT}")
    return number


def written(value: Decimal) -> str:
    """The digits, as plain as can be: 0.0000001 stays so, 1e2 is 1E+2 (100 would claim more precision)."""
    exponent = value.as_tuple().exponent
    plain = isinstance(exponent, int) and 2 * SMALLEST_EXPONENT < exponent <= 0
    return format(value, "f") if plain else str(value)
