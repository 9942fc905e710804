"""Arrow columns reduced to their distinct tuples, so that Python looks at each tuple of a batch once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def distinct(columns: Sequence[pa.Array]) -> tuple[pa.Array, list[tuple[Any, ...]]]:
    """For each row the place of its tuple, and the tuples; a missing value is None."""
    places, tuples = _encoded(columns[0])
    held = [(value,) for value in tuples]
    for column in columns[1:]:
        more, values = _encoded(column)
        pairs = pc.add(pc.multiply(places, len(values)), more).dictionary_encode()
        places = pairs.indices.cast(pa.int64())
        held = [(*held[pair // len(values)], values[pair % len(values)]) for pair in pairs.dictionary.to_pylist()]
    return places, held


def _encoded(column: pa.Array) -> tuple[pa.Array, list[Any]]:
    """The place of each row's value among the distinct ones. int64, so that products of two counts of rows fit."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode(null_encoding="encode")
    return encoded.indices.cast(pa.int64()), encoded.dictionary.to_pylist() or [None]


def spread(places: pa.Array, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The value of each row's tuple."""
    return pa.array(values, kind).take(places)
