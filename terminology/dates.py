"""Calendar days as FHIR writes them: a date may be partial, a day is the day as it was written.

Source: https://hl7.org/fhir/datatypes.html#dateTime. No time zone is applied: the day of a service is the day somebody
wrote down. A period without a start or an end is open there (https://hl7.org/fhir/search.html#date).
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

Standing = Literal["in", "out", "across"]
FIRST, LAST = "0001-01-01", "9999-12-31"
_WRITTEN = re.compile(
    r"(?!0000)[0-9]{4}(-(0[1-9]|1[0-2])(-[0-9]{2}"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)(\.[0-9]+)?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?)?)?"
)


def known(text: object) -> bool:
    """True for a date, partial date or date with time that the calendar has: not for 2011-02-30, nor for hour 24."""
    if not isinstance(text, str) or not _WRITTEN.fullmatch(text):
        return False
    return len(text) < 10 or 1 <= int(text[8:10]) <= monthrange(int(text[:4]), int(text[5:7]))[1]


def full(text: str) -> bool:
    """True for a day of the calendar; a partial date, one with a time, or another text is none."""
    return len(text) == 10 and known(text)


def first_day(text: str) -> str:
    """The first day a date names: ``2012`` → ``2012-01-01``."""
    day = text[:10]
    return day + "-01-01"[len(day) - 4 :] if len(day) < 10 else day


def last_day(text: str) -> str:
    """The last day a date names: ``2012-02`` → ``2012-02-29``."""
    day = text[:10]
    if len(day) == 4:
        return f"{day}-12-31"
    return f"{day}-{monthrange(int(day[:4]), int(day[5:7]))[1]}" if len(day) == 7 else day


def day_after(day: str) -> str:
    """The day after a full day; the last one of the calendar has none and is its own."""
    return day if day >= LAST else (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def day_before(day: str) -> str:
    """The day before a full day; the first one of the calendar has none and is its own."""
    return day if day <= FIRST else (date.fromisoformat(day) - timedelta(days=1)).isoformat()


@lru_cache(maxsize=4096)
def bounds(start: str | None, end: str | None) -> tuple[str, str]:
    """The first and the last day of a period, both inside."""
    return first_day(start) if start else FIRST, last_day(end) if end else LAST


def standing(on: str, valid_from: str | None, valid_to: str | None) -> Standing:
    """Whether ``on`` lies in the period (bounds inclusive), outside, or across a bound (a partial date)."""
    first, last = first_day(on), last_day(on)
    start, end = bounds(valid_from, valid_to)
    if last < start or first > end:
        return "out"
    return "in" if start <= first and last <= end else "across"


def own_standing(on: str, valid_from: str | None, valid_to: str | None, spoken_to: str | None) -> Standing | None:
    """How a concept stands by the dates stated for it; None where they do not tell: none are stated, or the end is open
    and ``on`` lies after ``spoken_to``, the last day of the release that states them, which cannot know what came then.
    """
    if not valid_from and not valid_to:
        return None
    found = standing(on, valid_from, valid_to)
    beyond = not valid_to and spoken_to and last_day(on) > last_day(spoken_to)
    return None if beyond and found != "out" else found


def period(valid_from: str | None, valid_to: str | None) -> str:
    """The period in words."""
    if valid_from and valid_to:
        return f"it is valid from {valid_from} to {valid_to}"
    return f"it is valid from {valid_from}" if valid_from else f"it was valid until {valid_to}"
