"""The concepts of a code-system file as records behind its database: one by its code or its number, out of a mapping.

A record is found and read in some microseconds, however many concepts there are. In sections of their own stand the
records in the order of concepts (what stands in one row of a code system, then on a second line its designations and
properties, each as a JSON array), where each begins, a table of hashes of codes with their concepts, and the links to
parents and to children.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from struct import Struct, error
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import orjson

from terminology.model import Concept, Designation, Property
from terminology.storage.code_system_sections import Sections, numbers

_FROM_TO = Struct("<QQ")
_SLOT = Struct("<II")
_LINKS = Struct("<II")
_NUMBER = 4
_BEGINNING = 8
SECTIONS = 5

Row = list[Any]
"""Code, display, definition, status, abstract, inactive, valid from, valid to, extensions as JSON text."""


class Writer:
    """Takes the concepts of a file in their order into a file of its own: twelve bytes of memory a concept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._beginnings = array("Q", [0])
        self._hashes = array("I")
        self._links: list[array[int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, concept: Concept, fold: str) -> None:
        """The next concept; ``fold``: its code as it is asked for."""
        record = _record(concept)
        self._file.write(record)
        self._beginnings.append(self._beginnings[-1] + len(record))
        self._hashes.append(_hash(fold))

    def link(self, up: Iterable[tuple[int, int]], down: Iterable[tuple[int, int]]) -> None:
        """Takes the links (child, parent), and (parent, child), each in that order."""
        self._links = [_grouped(len(self._hashes), links) for links in (up, down)]

    def sections(self) -> list[Path | array[int]]:
        """All that was taken."""
        self._file.close()
        return [self._path, self._beginnings, self._slots(), *self._links]

    def _slots(self) -> array[int]:
        """Hash and number of each concept; at most half of the slots are taken, and the next free one is taken where
        one is taken already."""
        mask = _slots_for(len(self._hashes)) - 1
        slots = array("I", bytes(_SLOT.size * (mask + 1)))
        for number, key in enumerate(self._hashes, 1):
            slot = key & mask
            while slots[2 * slot + 1]:
                slot = (slot + 1) & mask
            slots[2 * slot], slots[2 * slot + 1] = key, number
        return slots


class Records:
    """The records of a file, whose five sections are the first; ``fold`` gives a code as it is asked for."""

    def __init__(self, held: Sections, fold: Callable[[str], str] | None = None) -> None:
        """Raises ValueError for sections that do not belong together."""
        self._held, self._fold = held.held, fold
        self._records, self._beginnings, self._slots, self._parents, self._children, end = held.places[: SECTIONS + 1]
        self.size: int = (self._slots - self._beginnings) // _BEGINNING - 1
        self._mask = _slots_for(self.size) - 1
        self._firsts = _NUMBER * (self.size + 1)
        if self._parents - self._slots != _SLOT.size * (self._mask + 1):
            raise ValueError("the records of its concepts do not belong together. Import its source again")
        self.flat: bool = end - self._parents == 2 * self._firsts
        """True when no concept has a parent."""

    def found(self, fold: str) -> tuple[int, Row, bytes] | None:
        """Number, head and the rest of the concept with a code; None where there is none."""
        held, key, mask, own = self._held, _hash(fold), self._mask, self._fold
        slot = key & mask
        for _ in range(mask + 1):
            tag, number = _SLOT.unpack_from(held, self._slots + _SLOT.size * slot)
            if not number:
                return None
            if tag == key:
                head, rest = self.read(number)
                if (own(head[0]) if own else head[0]) == fold:
                    return number, head, rest
            slot = (slot + 1) & mask
        return None

    def read(self, number: int) -> tuple[Row, bytes]:
        """Head and rest of a concept."""
        held, records = self._held, self._records
        start, end = _FROM_TO.unpack_from(held, self._beginnings + _BEGINNING * (number - 1))
        head, _, rest = held[records + start : records + end].partition(b"\n")
        return orjson.loads(head), rest

    def heads(self, concepts: Iterable[int]) -> list[Row]:
        """The heads of some concepts."""
        held, records, beginnings, found = self._held, self._records, self._beginnings, []
        for number in concepts:
            start, end = _FROM_TO.unpack_from(held, beginnings + _BEGINNING * (number - 1))
            found.append(orjson.loads(held[records + start : records + end].partition(b"\n")[0]))
        return found

    def parents(self, number: int) -> Sequence[int]:
        """In the order of the file, as all links are."""
        return () if self.flat else self._linked(self._parents, number)

    def children(self, number: int) -> Sequence[int]:
        return () if self.flat else self._linked(self._children, number)

    def _linked(self, links: int, number: int) -> Sequence[int]:
        first, end = _LINKS.unpack_from(self._held, links + _NUMBER * (number - 1))
        if first == end:
            return ()
        start = links + self._firsts
        return numbers(self._held[start + _NUMBER * first : start + _NUMBER * end])

    def check(self) -> None:
        """Raises ValueError unless each record can be read, and is found by its code."""
        for number in range(1, self.size + 1):
            try:
                head, rest = self.read(number)
                concept(head, (), rest)
                found = self.found(self._fold(head[0]) if self._fold else head[0])
                linked = {*self.parents(number), *self.children(number)}
            except (ValueError, TypeError, LookupError, AttributeError, error) as wrong:
                raise ValueError(f"record {number} cannot be read: {wrong}") from wrong
            if found is None or found[0] != number or not all(0 < each <= self.size for each in linked):
                raise ValueError(f"record {number} leads nowhere")


def _hash(fold: str) -> int:
    return crc32(fold.encode("utf-8", "surrogatepass"))


def _slots_for(size: int) -> int:
    return 1 << (2 * size).bit_length()


def _grouped(size: int, links: Iterable[tuple[int, int]]) -> array[int]:
    """Where the links of each concept begin and end, then what they lead to."""
    counts, ends = array("I", bytes(_NUMBER * (size + 1))), array("I")
    for start, end in links:
        counts[start] += 1
        ends.append(end)
    return array("I", accumulate(counts)) + ends


# --- concepts as records ----------------------------------------------------------------------------------------


def _record(concept: Concept) -> bytes:
    head = orjson.dumps(
        (
            concept.code,
            concept.display,
            concept.definition,
            concept.status,
            concept.abstract,
            concept.inactive,
            concept.valid_from,
            concept.valid_to,
            _extensions(concept.extensions),
        )
    )
    if not concept.designations and not concept.properties:
        return head + b"\n"
    named = [
        (each.value, each.language, dict(each.use) if each.use else None, each.status, _extensions(each.extensions))
        for each in concept.designations
    ]
    stated = [
        (each.code, each.type, each.value, None)
        if each.value.__class__ in _AS_IT_IS
        else (each.code, each.type, None, _json(each.value))
        for each in concept.properties
    ]
    return b"%b\n%b" % (head, orjson.dumps((named, stated), default=str))


_AS_IT_IS = (str, bool)
"""Other values are kept as the text of their JSON, so that the digits of a number survive."""


def concept(head: Row, parents: tuple[str, ...] = (), rest: bytes = b"") -> Concept:
    """The concept of a record, with the codes of its parents; without the rest it has no designations or properties."""
    code, display, definition, status, abstract, inactive, valid_from, valid_to, extensions = head
    named, stated = orjson.loads(rest) if rest else ((), ())
    return Concept(
        code,
        display,
        definition,
        parents,
        tuple([_designation(*each) for each in named]),
        tuple([Property(name, kind, _value(text) if text else value) for name, kind, value, text in stated]),
        tuple(_value(extensions)) if extensions else (),
        abstract,
        inactive,
        status,
        valid_from,
        valid_to,
    )


def _designation(value: str, language: str | None, use: Any, status: str, extensions: str | None) -> Designation:
    return Designation(value, language, use, None, tuple(_value(extensions)) if extensions else (), (), status)


def _extensions(held: tuple[Any, ...]) -> str | None:
    return _json(list(held)) if held else None


def _json(value: Any) -> str:
    return json.dumps(value, default=_number)


def _number(value: Any) -> Any:
    """A decimal as an object of its own, so that its text survives."""
    return {"\0decimal": str(value)} if isinstance(value, Decimal) else str(value)


def _revived(held: dict[str, Any]) -> Any:
    return Decimal(held["\0decimal"]) if "\0decimal" in held else held


_value = json.JSONDecoder(object_hook=_revived).decode
