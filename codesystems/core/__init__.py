"""The code systems and value sets that FHIR itself defines (http://hl7.org/fhir/…), R4 and R5, read one by one.

``scripts/make-core`` writes the files; ``manifest.json`` names their sources, licence and counts. A file is a gzip
file of JSON lines with several members: the first holds the index, each further one a block of resources in R5 form.
"""

import json
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

Json = dict[str, Any]
_GZIP = 31
"""zlib's ``wbits`` for one gzip member."""


class Shelf:
    """The resources of one file: the index is read at first need, a resource when it is asked for."""

    def __init__(self, fhir: Literal["R4", "R5"], path: Path) -> None:
        self.fhir = fhir
        self._path = path
        self._block = lru_cache(maxsize=2)(self._unpacked)

    def heads(self) -> Iterator[Json]:
        """Every resource without concepts, compose and texts; by type and url."""
        return (head for head, _ in self._index[1].values())

    def read(self, kind: str, identity: str) -> Json:
        """A whole resource, new at each call; raises KeyError for one that is not here. The two blocks read last stay
        unpacked: a page of a search finds neighbours."""
        start, index = self._index
        offset, length, line = index[kind, identity][1]
        found: Json = json.loads(self._block(start + offset, length)[line])
        return found

    def _unpacked(self, start: int, length: int) -> list[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            return zlib.decompress(file.read(length), _GZIP).splitlines()

    @cached_property
    def _index(self) -> tuple[int, Mapping[tuple[str, str], tuple[Json, tuple[int, int, int]]]]:
        """Where the blocks begin; by type and id the head, and block, length and line of the whole."""
        data = self._path.read_bytes()
        unpacking = zlib.decompressobj(_GZIP)
        rows = json.loads(unpacking.decompress(data))
        index = {(row["head"]["resourceType"], row["head"]["id"]): (row["head"], tuple(row["at"])) for row in rows}
        return len(data) - len(unpacking.unused_data), index


def published() -> Iterator[Shelf]:
    """One shelf for each FHIR version."""
    here = Path(__file__).parent
    yield Shelf("R4", here / "fhir-r4.jsonl.gz")
    yield Shelf("R5", here / "fhir-r5.jsonl.gz")
