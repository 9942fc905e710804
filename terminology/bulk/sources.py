"""What a path stands for: files of resources or tables, packed or not, alone, in folders, or on standard input.

The name tells what a file holds; where it does not, its first bytes do. Bytes are read in blocks, hashed as they lie on
the disk, and unpacked under a limit, so that neither a long line nor a packed bomb takes more than a block of memory.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Literal, get_args

import orjson

from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, Unprocessable, issue

Kind = Literal["ndjson", "json", "csv", "tsv", "parquet"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TABLES: frozenset[Kind] = frozenset(("csv", "tsv", "parquet"))

STDIN = "-"
BLOCK = 1 << 20
_SNIFFED = 1 << 16
_GZIP = b"\x1f\x8b"
_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}
_UTF_8 = b"\xef\xbb\xbf"
_SUFFIXES: dict[str, Kind] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of a line and of a document; how often its size a packed file may unpack to, once it is over ``safe``."""

    line: int = 16 << 20
    document: int = 256 << 20
    ratio: int = 200
    safe: int = 64 << 20


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read; ``path`` is None for standard input."""

    name: str
    kind: Kind
    path: Path | None
    packed: bool = False

    @property
    def size(self) -> int | None:
        return self.path.stat().st_size if self.path and self.regular else None

    @property
    def regular(self) -> bool:
        """False for what can be read only once: standard input, a pipe."""
        return self.path is not None and self.path.is_file()


def sources(names: Iterable[str], kind: Kind | None = None) -> Iterator[Source]:
    """The files that the names stand for, folders in alphabetical order; raises NotFound and Invalid.

    In a folder only files whose names tell what they hold are taken; a file that is named is always taken.
    """
    for name in names:
        if name == STDIN:
            yield _standard_input(kind)
            continue
        path = Path(name)
        if path.is_dir():
            yield from _in_folder(path, kind)
        elif path.exists():
            yield _source(path, kind)
        else:
            raise NotFound(issue("OWN_INPUT_MISSING", name))


def _in_folder(folder: Path, kind: Kind | None) -> Iterator[Source]:
    for inner, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for file in sorted(files):
            path = Path(inner, file)
            if _by_name(path) and not file.startswith(".") and path.is_file():
                yield _source(path, kind)


def _by_name(path: Path) -> Kind | None:
    suffixes = [each.lower() for each in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    return _SUFFIXES.get(suffixes[-1]) if suffixes else None


def _source(path: Path, stated: Kind | None) -> Source:
    name = str(path)
    if not path.is_file():
        return Source(name, stated or _by_name(path) or "ndjson", path, path.suffix.lower() == ".gz")
    try:
        with path.open("rb") as file:
            begun = file.read(_SNIFFED)
    except OSError:
        begun = b""  # opening it for reading will say why
    packed = begun.startswith(_GZIP)
    named = stated or _by_name(path)
    if named in (None, "json"):
        kind = stated or _sniffed(_unpacked(begun) if packed else begun) or named
        if kind is None:
            raise _untold(name, begun)
        return Source(name, kind, path, packed)
    return Source(name, named, path, packed)


def _standard_input(stated: Kind | None) -> Source:
    buffer = sys.stdin.buffer
    begun = buffer.peek(_SNIFFED) if isinstance(buffer, io.BufferedReader) else b""
    packed = begun.startswith(_GZIP)
    kind = stated or _sniffed(_unpacked(begun) if packed else begun) or ("ndjson" if not begun else None)
    if kind is None:
        raise _untold(STDIN, begun)
    return Source(STDIN, kind, None, packed)


def _untold(name: str, begun: bytes) -> Invalid:
    """The refusal of a file that is none of the kinds."""
    if begun.removeprefix(_UTF_8).lstrip().startswith(b"<"):
        return Invalid(issue("OWN_INPUT_XML", name))
    return Invalid(issue("OWN_INPUT_KIND", name, ", ".join(KINDS)))


def _unpacked(begun: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(begun, _SNIFFED)
    except zlib.error:
        return b""


def _sniffed(begun: bytes) -> Kind | None:
    """What the first bytes look like; a single object on one line is NDJSON of one line."""
    if begun.startswith(b"PAR1"):
        return "parquet"
    text = begun.removeprefix(_UTF_8).lstrip()
    if text.startswith((b"{", b"[")):
        line, ended, _ = text.partition(b"\n")
        return "ndjson" if text.startswith(b"{") and (not ended or _is_json(line)) else "json"
    first = text.partition(b"\n")[0]
    if b"\0" in first:
        return None
    return "tsv" if b"\t" in first else "csv" if b"," in first or b";" in first else None


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except ValueError:
        return False
    return True


# --- bytes ----------------------------------------------------------------------------------------------------


class Opened:
    """The bytes of a source in blocks, unpacked. ``size`` and ``digest`` are those of the bytes on the disk."""

    def __init__(self, source: Source, limits: Limits = LIMITS) -> None:
        self.source, self.limits = source, limits
        self.ended = False
        self._raw = _Hashed(source.path.open("rb") if source.path else sys.stdin.buffer)

    @property
    def size(self) -> int:
        return self._raw.size

    @property
    def digest(self) -> str | None:
        return self._raw.hash.hexdigest() if self.ended else None

    def blocks(self) -> Iterator[bytes]:
        """Raises Unprocessable where packed bytes are broken or a bomb, or the text is no UTF-8; and OSError."""
        try:
            first = True
            for block in self._blocks():
                yield marked(block) if first else block
                first = False
            self.ended = True
        finally:
            if self.source.path:
                self._raw.close()

    def _blocks(self) -> Iterator[bytes]:
        if not self.source.packed:
            while block := self._raw.read(BLOCK):
                yield block
            return
        total = 0
        try:
            with gzip.GzipFile(fileobj=self._raw) as unpacked:
                while block := unpacked.read1(BLOCK):  # ``read`` keeps back what came before a broken end
                    total += len(block)
                    if total > self.limits.safe and total > self.size * self.limits.ratio:
                        raise Unprocessable(issue("OWN_INPUT_RATIO", self.limits.ratio))
                    yield block
        except (EOFError, gzip.BadGzipFile, zlib.error) as broken:
            raise Unprocessable(issue("OWN_INPUT_GZIP", broken)) from None


def marked(block: bytes) -> bytes:
    """The first bytes of a text without the mark of UTF-8; raises Unprocessable for another encoding."""
    for mark, name in _MARKS.items():
        if block.startswith(mark):
            raise Unprocessable(issue("OWN_INPUT_ENCODING", name))
    return block.removeprefix(_UTF_8)


class _Hashed(io.RawIOBase):
    """A file of which everything that is read is hashed."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.size, self.hash = file, 0, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        block = self._file.read(size)
        self.size += len(block)
        self.hash.update(block)
        return block

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._file.close()
        super().close()


# --- lines ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines; ``first`` is the number of the first one. ``long``: the number is that of a line over the limit,
    which is left out."""

    first: int
    data: bytes = b""
    long: bool = False


def lines(blocks: Iterable[bytes], limit: int) -> Iterator[Lines]:
    """Blocks cut at ends of lines. No more than ``limit`` and a block is held at a time."""
    number, held, dropping = 1, bytearray(), False
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if dropping:
            start = block.find(b"\n") + 1
            if not start:
                continue
            number, dropping = number + 1, False
            block, end = block[start:], end - start  # noqa: PLW2901  what is left of it
        if end:
            data = bytes(held) + block[:end]
            yield Lines(number, data)
            number += data.count(b"\n")
            held.clear()
        held += block[end:]
        if len(held) > limit:
            yield Lines(number, long=True)
            held.clear()
            dropping = True
    if held:
        yield Lines(number, bytes(held))
