"""Files out of folders, zip and tar archives. Archives are hostile: members are streams, never written anywhere.

Every byte is counted as it comes out, whatever the headers say. A name that leads out of the archive, a link or a
device refuses the whole archive.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from terminology.frozen import dataclass
from terminology.issues import Invalid, Refusal, issue

BLOCK = 512
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)
_DRIVE = re.compile(r"[A-Za-z]:")
_TAR_FILE, _TAR_FOLDER = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE), tarfile.DIRTYPE
_HEADER_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one archive. ``member`` bounds what is read into memory at once; a streamed member is bounded by
    ``total``. Below ``small`` bytes the ratio is not judged."""

    members: int = 100_000
    member: int = 64 << 20
    total: int = 2 << 30
    ratio: int = 100
    small: int = 1 << 20


LIMITS = Limits()


@dataclass(slots=True)
class Meter:
    """How far one pass over a source has come: bytes on disk, read and in all."""

    read: int = 0
    size: int = 0

    def begin(self, size: int) -> None:
        self.read, self.size = 0, size


@dataclass(frozen=True, slots=True)
class File:
    """One file of a source: its name with ``/`` between folders, and its content."""

    name: str
    stream: BinaryIO
    limit: int = LIMITS.member
    origin: str = ""

    @property
    def short(self) -> str:
        return self.name.rpartition("/")[2]

    def read(self) -> bytes:
        """The whole content; raises Invalid when it is larger than what may be read into memory."""
        content = self.stream.read(self.limit + 1)
        if len(content) > self.limit:
            raise Invalid(issue("OWN_ARCHIVE_MEMBER", self.origin, self.name, self.limit))
        return content


def files(
    path: Path, wanted: Callable[[str], bool], limits: Limits = LIMITS, meter: Meter | None = None
) -> Iterator[File]:
    """The wanted files of a folder, archive or single file; raises Invalid for a hostile or broken archive.

    A file can be read until the next one is asked for. A single file is wanted by any name.
    """
    meter = meter or Meter()
    try:
        if path.is_dir():
            yield from _folder(path, wanted, limits, meter)
            return
        meter.begin(path.stat().st_size)
        with path.open("rb") as raw:
            start = raw.read(BLOCK)
            raw.seek(0)
            source = cast("BinaryIO", _Counted(raw, path, meter))
            if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                yield from _zip(path, source, wanted, limits)
            elif start.startswith(b"\x1f\x8b"):
                unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=source))
                yield from _tar(path, unpacked, wanted, limits, meter)
            elif start[257:262] == b"ustar":
                yield from _tar(path, source, wanted, limits, meter)
            else:
                yield File(path.name, _buffered(source), limits.member, str(path))
    except _BROKEN as broken:
        raise Invalid(issue("OWN_ARCHIVE_BROKEN", path, broken)) from broken
    except OSError as failed:
        raise Invalid(issue("OWN_ARCHIVE_BROKEN", path, failed.strerror or failed)) from failed


def _folder(path: Path, wanted: Callable[[str], bool], limits: Limits, meter: Meter) -> Iterator[File]:
    found = [each for each in sorted(path.rglob("*")) if each.is_file() and not each.is_symlink()]
    chosen = [each for each in found if wanted(each.relative_to(path).as_posix())]
    meter.begin(sum(each.stat().st_size for each in chosen))
    for each in chosen:
        with each.open("rb") as raw:
            source = _buffered(cast("BinaryIO", _Counted(raw, path, meter)))
            yield File(each.relative_to(path).as_posix(), source, limits.member, str(path))


def _checked(path: Path, name: str) -> str:
    """The name of a member; raises Invalid where it is absolute, climbs, or hides what it is."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or _DRIVE.match(name) or not name:
        raise _hostile("OWN_ARCHIVE_NAME", path, name)
    return "/".join(part for part in parts if part not in ("", "."))


def _hostile(message_id: str, path: Path, *arguments: object) -> Refusal:
    return Invalid(issue(message_id, path, *arguments))


# --- zip ------------------------------------------------------------------------------------------------------


def _zip(path: Path, source: BinaryIO, wanted: Callable[[str], bool], limits: Limits) -> Iterator[File]:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if len(members) > limits.members:
            raise _hostile("OWN_ARCHIVE_MEMBERS", path, limits.members)
        names = [_checked(path, member.orig_filename) for member in members]
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _hostile("OWN_ARCHIVE_LINK", path, member.orig_filename)
            if member.flag_bits & 1:
                raise _hostile("OWN_ARCHIVE_LOCKED", path, member.orig_filename)
        unpacked = _Unpacked(path, limits)
        for name, member in zip(names, members, strict=True):
            if not member.is_dir() and wanted(name):
                with archive.open(member) as stream:
                    held = cast("BinaryIO", stream)
                    yield File(name, _buffered(unpacked.of(held, member.compress_size)), limits.member, str(path))


class _Unpacked:
    """Counts what comes out of an archive, against what went in."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self.total = 0
        self.packed = 0

    def of(self, stream: BinaryIO, packed: int) -> BinaryIO:
        self.packed += packed
        return cast("BinaryIO", _Guarded(stream, self))

    def add(self, number: int) -> None:
        self.total += number
        limits = self._limits
        if self.total > limits.total:
            raise _hostile("OWN_ARCHIVE_TOTAL", self.path, limits.total)
        if self.total > limits.small and self.total > limits.ratio * max(self.packed, 1):
            raise _hostile("OWN_ARCHIVE_RATIO", self.path, limits.ratio)


# --- tar ------------------------------------------------------------------------------------------------------


def _tar(path: Path, source: BinaryIO, wanted: Callable[[str], bool], limits: Limits, meter: Meter) -> Iterator[File]:
    """Header by header (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html), forwards only."""
    unpacked = _Unpacked(path, limits)
    before = meter.read
    reader = _buffered(cast("BinaryIO", _Guarded(source, unpacked, lambda: meter.read - before)))
    told: dict[str, str] = {}
    count = 0
    while (block := _exactly(reader, BLOCK)).count(0) < BLOCK:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        count += 1
        if count > limits.members:
            raise _hostile("OWN_ARCHIVE_MEMBERS", path, limits.members)
        if header.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            count -= 1
            told |= _told(header, _whole(reader, header.size, path), local=header.type != tarfile.XGLTYPE)
            continue
        name = _checked(path, told.get("path", header.name))
        size = int(told.get("size", header.size))
        told = {}
        if header.type == _TAR_FOLDER:
            continue
        if header.type not in _TAR_FILE:
            raise _hostile("OWN_ARCHIVE_LINK", path, name)
        member = _Part(reader, path, size)
        if wanted(name):
            yield File(name, _buffered(cast("BinaryIO", member)), limits.member, str(path))
        member.skip()
        _exactly(reader, -size % BLOCK)


def _whole(reader: BinaryIO, size: int, path: Path) -> bytes:
    if size > _HEADER_LIMIT:
        raise _hostile("OWN_ARCHIVE_MEMBER", path, "pax header", _HEADER_LIMIT)
    content = _exactly(reader, size)
    _exactly(reader, -size % BLOCK)
    return content


def _exactly(reader: BinaryIO, size: int) -> bytes:
    content = reader.read(size)
    if len(content) < size:
        raise EOFError("it ends in the middle of a member")
    return content


def _told(header: tarfile.TarInfo, content: bytes, *, local: bool) -> dict[str, str]:
    """What an extended header says about the next member."""
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    found: dict[str, str] = {}
    while local and content:
        length, _, rest = content.partition(b" ")
        if not length.isdigit() or not 5 <= int(length) <= len(content):
            raise tarfile.ReadError("a pax header is wrong")
        key, _, value = rest[: int(length) - len(length) - 2].partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        content = content[int(length) :]
    if not found.get("size", "0").isdigit() or any(key.startswith("GNU.sparse") for key in found):
        raise tarfile.ReadError("a pax header is wrong")
    return {key: value for key, value in found.items() if key in ("path", "size")}


# --- streams --------------------------------------------------------------------------------------------------


def _buffered(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", stream), 1 << 16))


class _Reading(io.RawIOBase):
    """A stream over another one; subclasses see every byte that passes. Raises Invalid for a broken archive."""

    def __init__(self, source: BinaryIO, path: Path) -> None:
        super().__init__()
        self._source = source
        self._path = path

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            content = self._take(len(buffer))
        except _BROKEN as broken:
            raise Invalid(issue("OWN_ARCHIVE_BROKEN", self._path, broken)) from broken
        buffer[: len(content)] = content
        return len(content)

    def _take(self, most: int) -> bytes:
        return self._source.read(most)


class _Counted(_Reading):
    """The file on disk: how far reading has come."""

    def __init__(self, source: BinaryIO, path: Path, meter: Meter) -> None:
        super().__init__(source, path)
        self._meter = meter

    def _take(self, most: int) -> bytes:
        content = self._source.read(most)
        self._meter.read += len(content)
        return content

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()


class _Guarded(_Reading):
    """What comes out of an archive."""

    def __init__(self, source: BinaryIO, unpacked: _Unpacked, packed: Callable[[], int] | None = None) -> None:
        super().__init__(source, unpacked.path)
        self._unpacked = unpacked
        self._packed = packed

    def _take(self, most: int) -> bytes:
        content = self._source.read(most)
        if self._packed:
            self._unpacked.packed = self._packed()
        self._unpacked.add(len(content))
        return content


class _Part(_Reading):
    """The next so many bytes of a stream."""

    def __init__(self, source: BinaryIO, path: Path, size: int) -> None:
        super().__init__(source, path)
        self._left = size

    def _take(self, most: int) -> bytes:
        content = self._source.read(min(most, self._left))
        if not content and most and self._left:
            raise EOFError("it ends in the middle of a member")
        self._left -= len(content)
        return content

    def skip(self) -> None:
        while self._left:
            self._take(1 << 16)
