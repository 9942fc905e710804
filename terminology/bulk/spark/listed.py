"""What is plainly right, as a table: Spark's own join answers these rows, and Python is sent the others alone.

The table has a row for each code and the days on which it is plainly right (``Judge.plain_codes``), and is broadcast.
It is joined by a hash of system and code, since Spark finds a number quicker than two texts; the texts are compared
besides. It has the systems that can be listed, and ``MOST`` rows at most: what is not in it is asked in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import date

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql.functions import array, broadcast, col, instr, length, lit, locate, struct, substring, when, xxhash64
from pyspark.sql.types import DateType, TimestampNTZType, TimestampType

from terminology.procedures.judging import Judge

MOST = 300_000
"""So many rows, of about 250 bytes each on every node."""


def _own(*names: str) -> list[str]:
    return [f"__terminology_{name}" for name in names]


ARGUMENTS = _own("sent_system", "sent_code", "sent_version", "sent_display", "sent_date")
_DAY, PLAIN, _SYSTEM, _CODE, _DISPLAY, _FIRST, _LAST, _USED, _KEY = _own(
    "day", "plain", "system", "code", "display", "first", "last", "used", "key"
)
NAMES = (*ARGUMENTS, _DAY, PLAIN, _SYSTEM, _CODE, _DISPLAY, _FIRST, _LAST, _KEY)
"""Columns that are there on the way, and not at the end."""
_TABLE = pa.schema(
    [(each, pa.string()) for each in (_SYSTEM, _CODE, _DISPLAY, _USED)]
    + [(each, pa.date32()) for each in (_FIRST, _LAST)]
)


FEW = 8
"""So many tables are kept on the driver."""
_made: dict[Hashable, pa.Table | None] = {}


def plain(key: str, asked: Hashable, judge: Callable[[], Judge]) -> pa.Table | None:
    """The plain codes of the judge that ``key`` and ``asked`` make, listed once; None where there are none."""
    if (key, asked) not in _made:
        if len(_made) >= FEW:
            _made.clear()
        _made[key, asked] = _table(judge())
    return _made[key, asked]


def _table(judge: Judge) -> pa.Table | None:
    rows = [
        (system, each.code, each.display, str(each.used), date.fromisoformat(each.first), date.fromisoformat(each.last))
        for system, codes in judge.plain_codes(MOST)
        for each in codes
    ]
    if not rows:
        return None
    columns = zip(_TABLE, zip(*rows, strict=True), strict=True)
    return pa.table([pa.array(values, field.type) for field, values in columns], _TABLE)


def joined(df: DataFrame, plain: pa.Table, row: Sequence[Column], schema: str) -> DataFrame:
    """``df`` with the column ``PLAIN``: the judgement of a plain row, null where Python must be asked."""
    system, code, version, display, day = row
    dated = df.withColumn(_DAY, _day(df, day))
    held = _told(df.sparkSession, plain, schema)
    found = (
        (xxhash64(system, code) == col(_KEY))
        & system.between(col(_SYSTEM), col(_SYSTEM))
        & code.between(col(_CODE), col(_CODE))
        & col(_DAY).between(col(_FIRST), col(_LAST))
        & version.isNull()
        & (display.isNull() | (display == col(_DISPLAY)))
    )
    return dated.join(broadcast(held), found, "left")


def _told(session: SparkSession, plain: pa.Table, schema: str) -> DataFrame:
    right = struct(lit("right").alias("verdict"), array(col(_USED)).alias("used"), array().alias("findings"))
    key = xxhash64(col(_SYSTEM), col(_CODE)).alias(_KEY)
    kept = [_SYSTEM, _CODE, _DISPLAY, _FIRST, _LAST]
    return session.createDataFrame(plain).select(key, *kept, right.cast(schema).alias(PLAIN))


def _day(df: DataFrame, stated: Column) -> Column:
    """The full day that a column states, as ``Judge.row`` reads it; null for anything else."""
    kind = df.select(stated).schema[0].dataType
    if isinstance(kind, (DateType, TimestampType, TimestampNTZType)):
        return stated.cast("date")
    whole = when(length(stated) == 10, stated).when(substring(stated, 11, 1).isin("T", " "), substring(stated, 1, 10))
    written = (instr(whole, "-") == 5) & (locate("-", whole, 6) == 8) & substring(whole, 10, 1).between("0", "9")
    return when(written, whole.try_cast("date"))
