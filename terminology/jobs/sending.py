"""What a client sends becomes chunks: lines of NDJSON, as they came or made of the resources of a Bundle or Parameters.

A line keeps its number: blank lines are counted. Nothing here looks into a line.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from terminology.issues import Invalid, TooCostly, TooLarge, issue
from terminology.model import Json
from terminology.storage.records import Chunk
from terminology.wire import json_text

RECORDS = 100
"""Most records of a chunk: what is judged again, at worst, when a worker dies."""
BYTES = 524_288
"""A chunk of this size takes no further line."""
_MARK = b"\xef\xbb\xbf"
_GZIP = 31
_PIECE = 65_536


def gunzipped(pieces: Iterable[bytes], limit: int, setting: str) -> Iterator[bytes]:
    """The content of gzip members; at most ``limit`` bytes. Raises TooLarge, and Invalid for what is no gzip."""
    member, taken, within = zlib.decompressobj(_GZIP), 0, False
    try:
        for piece in pieces:
            left = piece
            while left:
                within = True
                made = member.decompress(left, _PIECE)
                taken += len(made)
                if taken > limit:
                    raise TooLarge(issue("OWN_BODY_TOO_LARGE", limit, setting))
                if made:
                    yield made
                left = member.unconsumed_tail
                if member.eof:
                    left, member, within = member.unused_data, zlib.decompressobj(_GZIP), False
            while not member.eof and (made := member.decompress(b"", _PIECE)):
                taken += len(made)
                if taken > limit:
                    raise TooLarge(issue("OWN_BODY_TOO_LARGE", limit, setting))
                yield made
    except zlib.error:
        raise Invalid(issue("OWN_MALFORMED_BODY", "it is not gzip")) from None
    if within:
        raise Invalid(issue("OWN_MALFORMED_BODY", "it ended before the end of its gzip stream")) from None


def lines(pieces: Iterable[bytes], longest: int, setting: str) -> Iterator[bytes]:
    """The lines of a body, without their ends. Raises TooLarge for one that is longer than ``longest``."""
    rest, first = b"", True
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if max(map(len, (*whole, rest))) > longest:
            raise TooLarge(issue("OWN_BULK_LONG_LINE", longest, setting))
        for line in whole:
            yield line.removeprefix(_MARK) if first else line
            first = False
    if rest:
        yield rest.removeprefix(_MARK) if first else rest


def written(resources: Iterable[Json]) -> Iterator[bytes]:
    """The resources of a Bundle or Parameters as lines, in their order."""
    return (json_text.write(each) for each in resources)


def chunks(found: Iterable[bytes], most: int, setting: str) -> Iterator[Chunk]:
    """Lines in chunks. Raises TooCostly for more than ``most`` records, and Invalid for none."""
    held: list[bytes] = []
    first, records, size, total = 1, 0, 0, 0
    for number, line in enumerate(found, 1):
        if not line or line.isspace():
            if not records:
                first = number + 1
                continue
            line = b""  # noqa: PLW2901  its number counts
        else:
            records += 1
            total += 1
        if total > most:
            raise TooCostly(issue("OWN_TOO_MANY", "records", most, setting))
        held.append(line)
        size += len(line) + 1
        if records >= RECORDS or size >= BYTES:
            yield Chunk(first, records, b"\n".join(held))
            held, first, records, size = [], number + 1, 0, 0
    if records:
        yield Chunk(first, records, b"\n".join(held))
    if not total:
        raise Invalid(issue("OWN_BULK_EMPTY"))
