"""The words of a code-system file with the concepts that have each, read out of a mapping: what SQLite's text index
knows, for texts that few concepts have.

The index is SQLite's (FTS5), which cuts texts into words and answers what is common. Its words are written out in
their order, so that all that begin alike stand side by side, and the concepts of all of them in one piece. Who types a
text asks for the same beginnings again and again, so those asked for last are kept.
"""

from __future__ import annotations

import re
import sqlite3
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property, lru_cache, partial, reduce
from itertools import accumulate, islice
from mmap import mmap
from operator import and_, itemgetter
from struct import Struct

from terminology.storage.code_system_sections import Sections, numbers

TOKENIZER = "unicode61 remove_diacritics 2"
LARGEST = 1 << 18
"""In a file of more concepts the text index is asked for what many have."""
FEW = 256
"""So many concepts are combined one by one."""
MOST = 1 << 14
"""A beginning that more concepts have is the text index's."""
KEPT = 1 << 22
"""So many bytes of beginnings are kept of a file, in each process."""
_BLOCK = 64
"""So many words stand in one piece."""
_SPAN = 4096
"""So many concepts are one integer."""
_NUMBER = 4
_FROM_TO = Struct("<II")
_ASCII = re.compile(r"[0-9a-z]+")


def words(text: str) -> Sequence[str]:
    """The words of a text, as the text index has them."""
    return _ASCII.findall(text.lower()) if text.isascii() else _tokens(text)


@lru_cache(maxsize=1024)
def _tokens(text: str) -> tuple[str, ...]:
    with closing(sqlite3.connect(":memory:")) as index:
        index.execute(f"CREATE VIRTUAL TABLE own USING fts5 (names, detail=none, tokenize='{TOKENIZER}')")
        index.execute("CREATE VIRTUAL TABLE word USING fts5vocab (own, row)")
        index.execute("INSERT INTO own VALUES (?)", (text.encode(errors="replace").decode(),))
        return tuple([term for (term,) in index.execute("SELECT term FROM word")])


def sections(index: sqlite3.Connection) -> list[array[int] | bytes]:
    """The sections for the words of the text index ``search``."""
    for name in ("row", "instance"):
        index.execute(f"CREATE VIRTUAL TABLE temp.word_{name} USING fts5vocab (main, search, {name})")
    counts, firsts, pieces = [0], array("I"), []
    held = index.execute("SELECT term, doc FROM temp.word_row")
    while rows := held.fetchmany(_BLOCK):
        pieces.append("\n".join([word for word, _ in rows]).encode())
        counts.extend([number for _, number in rows])
    firsts.extend(accumulate(counts))
    ends = array("I", accumulate([0, *map(len, pieces)]))
    concepts = array("I", map(itemgetter(0), index.execute("SELECT doc FROM temp.word_instance")))
    return [concepts, firsts, b"".join(pieces), ends]


class Words:
    """The words of a file of ``size`` concepts, whose four sections begin with the one of that ``number``. Where a text
    is too common for it, nothing is said, and the text index has to be asked."""

    def __init__(self, held: Sections, number: int, size: int) -> None:
        self._held = held.held
        self._concepts, self._firsts, self._blocks, self._ends, self._end = held.places[number : number + 5]
        self._size = size
        self._read = partial(_read, held.held, self._concepts)
        self._bits = lru_cache(maxsize=min(1024, 1 + 8 * KEPT // (size + 8)))(partial(_as_bits, self._read, size))

    def count(self, beginnings: Sequence[str]) -> int | None:
        """How many concepts have words with all of these beginnings."""
        found = self._found(beginnings)
        return None if found is None else len(found)

    def page(self, beginnings: Sequence[str], offset: int, limit: int | None) -> list[int] | None:
        """The numbers of these concepts, in their order."""
        found = self._found(beginnings)
        if found is None:
            return None
        end = None if limit is None else offset + limit
        return list(islice(found, offset, end))

    def check(self) -> None:
        """Raises ValueError unless the words lead to concepts of the file."""
        firsts = numbers(self._held[self._firsts : self._blocks])
        concepts = numbers(self._held[self._concepts : self._firsts])
        held = sum([len(self._block(number)) for number in range(len(self._openings))])
        if len(firsts) != held + 1 or list(firsts) != sorted(firsts) or firsts[-1] != len(concepts):
            raise ValueError("its words do not belong together")
        if not all(0 < number <= self._size for number in concepts):
            raise ValueError("a word leads nowhere")

    def _found(self, beginnings: Sequence[str]) -> list[int] | _Bits | None:
        """The numbers in their order."""
        pieces = sorted([self._piece(each.encode()) for each in beginnings])
        if not pieces or pieces[-1][0] > MOST:
            return None
        if sum([size for size, _, _ in pieces]) <= FEW:
            return sorted(set.intersection(*[set(self._read(start, end)) for _, start, end in pieces]))
        if self._size > LARGEST:
            return None
        return reduce(and_, [self._bits(start, end) for _, start, end in pieces])

    def _piece(self, beginning: bytes) -> tuple[int, int, int]:
        """How many concepts the words with a beginning have, and from where to where these stand."""
        behind = beginning + b"\xff"  # and behind all of UTF-8
        block, held = self._opened(beginning)
        low, high = bisect_left(held, beginning), bisect_left(held, behind)
        start, last = self._first(_BLOCK * block + low), block
        if high == len(held):
            last, held = self._opened(behind)
            high = bisect_left(held, behind)
        end = self._first(_BLOCK * last + high)
        return end - start, start, end

    def _opened(self, word: bytes) -> tuple[int, list[bytes]]:
        """The piece of words in which a word would stand, with its number."""
        block = max(0, bisect_right(self._openings, word) - 1)
        return block, self._block(block) if self._openings else []

    def _block(self, number: int) -> list[bytes]:
        start, end = _FROM_TO.unpack_from(self._held, self._ends + _NUMBER * number)
        return self._held[self._blocks + start : self._blocks + end].split(b"\n")

    def _first(self, place: int) -> int:
        at = self._firsts + _NUMBER * place
        return int.from_bytes(self._held[at : at + _NUMBER], "little")

    @cached_property
    def _openings(self) -> list[bytes]:
        """The first word of each piece: some bytes of memory for each 64 words, once somebody searches."""
        pieces = (self._end - self._ends) // _NUMBER - 1
        return [self._block(number)[0] for number in range(pieces)] if self._blocks < self._ends else []


def _read(held: mmap, concepts: int, start: int, end: int) -> array[int]:
    return numbers(held[concepts + _NUMBER * start : concepts + _NUMBER * end])


def _as_bits(read: Callable[[int, int], Iterable[int]], size: int, start: int, end: int) -> _Bits:
    held = bytearray(size // 8 + 1)
    for number in read(start, end):
        held[number >> 3] |= 1 << (number & 7)
    return _Bits([int.from_bytes(held[at : at + _SPAN // 8], "little") for at in range(0, len(held), _SPAN // 8)])


class _Bits:
    """Numbers of concepts as bits, one integer for each ``_SPAN`` of them: to combine two takes a microsecond, and the
    few that are in both are read without looking at the others."""

    __slots__ = ("_spans",)

    def __init__(self, spans: list[int]) -> None:
        self._spans = spans

    def __and__(self, other: _Bits) -> _Bits:
        return _Bits(list(map(and_, self._spans, other._spans)))

    def __len__(self) -> int:
        return sum(map(int.bit_count, self._spans))

    def __iter__(self) -> Iterator[int]:
        at = -1
        for left in self._spans:
            while left:
                lowest = left & -left
                yield at + lowest.bit_length()
                left ^= lowest  # noqa: PLW2901
            at += _SPAN
