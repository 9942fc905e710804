"""What is plainly right, packed for Codings.java: rows that it holds are answered there, and Python is asked of others.

A row of the table is a code and the days on which it is plainly right (``Judge.plain_codes``). It has the systems that
can be listed, and ``MOST`` rows at most: what is not in it is asked in Python.
"""

from __future__ import annotations

from struct import pack
from typing import NamedTuple

from terminology.procedures.judging import Judge

MOST = 300_000
"""So many rows, of about 150 bytes each on the driver and on every node."""


class Packed(NamedTuple):
    """The table, big-endian as Java reads it, and the releases that its rows name by their place."""

    table: bytes
    used: list[str]


def plain(judge: Judge) -> Packed | None:
    """The plain codes of a judge; None where there are none."""
    systems: list[str] = []
    used: dict[str, int] = {}
    rows = bytearray()
    many = 0
    for system, codes in judge.plain_codes(MOST):
        at = pack(">i", len(systems))
        systems.append(system)
        many += len(codes)
        for each in codes:
            answer = used.setdefault(str(each.used), len(used))
            days = pack(">3i", _day(each.first), _day(each.last), answer)
            rows += b"".join((at, text(each.code), text(each.display), days))
    if not many:
        return None
    head = b"".join((pack(">i", len(systems)), *map(text, systems), pack(">i", many)))
    return Packed(head + rows, list(used))


def text(value: str | None) -> bytes:
    """The length in bytes and the UTF-8; -1 for None."""
    if value is None:
        return pack(">i", -1)
    held = value.encode()
    return pack(">i", len(held)) + held


def _day(full: str) -> int:
    return int(full.replace("-", ""))
