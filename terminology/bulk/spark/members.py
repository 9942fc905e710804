"""Membership in a value set as a column of Spark's own: no row is sent to Python.

Where a list tells what is in (``Terminology.enumerated``) it travels as a subquery of one row: buckets of codes, by the
CRC of system and code. So the column may stand wherever a column may, and a plan that is shown does not show the list.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterable

import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql.functions import array_contains, concat, crc32, get, instr, length, lit, pmod, when

from terminology.bulk.spark.content import Content
from terminology.enumerated import Enumerated
from terminology.issues import Refusal
from terminology.parameters import LONGEST

MOST = 150_000
"""So many codes, of about 100 bytes each on the driver and in what each task is sent."""
FEW = 8
"""So many lists are kept on the driver."""
_BETWEEN = "\n"
"""Stands between system and code. It is in none of a list."""
_made: dict[Hashable, tuple[pa.Array, pa.Array] | None] = {}


def member(content: Content, value_set: str, system: Column, code: Column) -> Column | None:
    """Whether a code is in the value set (boolean), null where that is no question; None where no list tells it."""
    lists = _lists(content, value_set)
    if lists is None:
        return None
    named, bare = map(_contains, lists)
    found = when(system.isNull(), bare(code)).otherwise(named(concat(system, lit(_BETWEEN), code)))
    asked = code.isNotNull() & (code != "") & (length(code) <= LONGEST["code"])
    sent = system.isNull() | ((system != "") & (instr(system, "|") == 0))
    return when(found, True).when(asked & sent, False)


def _lists(content: Content, value_set: str) -> tuple[pa.Array, pa.Array] | None:
    key = (content.key, value_set)
    if key not in _made:
        if len(_made) >= FEW:
            _made.clear()
        try:
            held = content.opened().enumerated(value_set, MOST)
        except Refusal:
            held = None
        _made[key] = _packed(held) if held and _plain(held) else None
    return _made[key]


def _plain(held: Enumerated) -> bool:
    return all(
        len(code) <= LONGEST["code"] and _BETWEEN not in code and _BETWEEN not in system for system, code in held.codes
    )


def _packed(held: Enumerated) -> tuple[pa.Array, pa.Array]:
    return _buckets(f"{system}{_BETWEEN}{code}" for system, code in held.codes), _buckets(held.inferred)


def _buckets(texts: Iterable[str]) -> pa.Array:
    """One row: as many lists as there are texts or somewhat more, each text in the one of its CRC."""
    held = list(texts)
    buckets: list[list[str]] = [[] for _ in range(1 << len(held).bit_length())]
    for each in held:
        buckets[zlib.crc32(each.encode()) % len(buckets)].append(each)
    return pa.array([buckets], pa.list_(pa.list_(pa.string())))


def _contains(packed: pa.Array) -> Callable[[Column], Column]:
    many = len(packed[0])
    held = SparkSession.active().createDataFrame(pa.table({"buckets": packed})).scalar()
    return lambda text: array_contains(get(held, pmod(crc32(text.cast("binary")), lit(many)).cast("int")), text)
