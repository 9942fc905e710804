"""Calendar days as FHIR writes them: a date may be partial, a day is the day as it was written.

Source: https://hl7.org/fhir/datatypes.html#dateTime. No time zone is applied: the day of a service is the day somebody
wrote down.
"""

from __future__ import annotations

from typing import Literal

Standing = Literal["in", "out", "across"]


def first_day(text: str) -> str:
    """The first day a date names: ``2012`` → ``2012-01-01``."""
    day = text[:10]
    return day + "-01-01"[len(day) - 4 :] if len(day) < 10 else day


def last_day(text: str) -> str:
    """The last day a date names; months end on the 31st, which is enough to compare."""
    day = text[:10]
    return day + "-12-31"[len(day) - 4 :] if len(day) < 10 else day


def standing(on: str, valid_from: str | None, valid_to: str | None) -> Standing:
    """Whether ``on`` lies in the period (bounds inclusive), outside, or across a bound (a partial date)."""
    first, last = first_day(on), last_day(on)
    start = first_day(valid_from) if valid_from else ""
    end = last_day(valid_to) if valid_to else "9999-12-31"
    if last < start or first > end:
        return "out"
    return "in" if start <= first and last <= end else "across"


def period(valid_from: str | None, valid_to: str | None) -> str:
    """The period in words."""
    if valid_from and valid_to:
        return f"it is valid from {valid_from} to {valid_to}"
    return f"it is valid from {valid_from}" if valid_from else f"it was valid until {valid_to}"
