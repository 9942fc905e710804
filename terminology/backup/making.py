"""A backup: one tar file. Servers go on serving and writing, and each part of it is one moment of what it copies.

The library is frozen by links to its files, which never change; databases are copied by SQLite's online backup. The
file is written under another name and renamed when all of it is on the disk.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from terminology.backup.manifest import INDEX, NAME, STATE, STORE, Manifest, Piece
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, issue
from terminology.storage import copies
from terminology.storage.durable import sync
from terminology.storage.library import FORMAT, Entry, Library

BLOCK = 1 << 20
PRIVATE = 0o600
"""Closure tables and resources of clients are nobody else's business."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the state of a service is: the library, and the two SQLite databases where it has them."""

    library: Library
    state: Path | None = None
    store: Path | None = None

    @property
    def databases(self) -> dict[str, Path]:
        named = ((STATE, self.state), (STORE, self.store))
        return {name: path for name, path in named if path is not None}


@dataclass(slots=True)
class Progress:
    """Bytes that went through, of those that are known to come; ``show`` is called as they go."""

    show: Callable[[Progress], None] = lambda _: None
    done: int = 0
    total: int = 0

    def add(self, number: int) -> None:
        self.done += number
        self.show(self)


def make(path: Path, places: Places, program: str, progress: Progress) -> Manifest:
    """Writes a backup of all that is there. Raises Refusal; then there is no file, or the one that was there before."""
    if not places.library.folder.is_dir():
        raise NotFound(issue("OWN_BACKUP_NOTHING", places.library.folder))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with places.library.frozen() as (entries, folder):
            sources = dict(_sources(entries, folder, places))
            progress.total = 2 * sum(source.stat().st_size for source in sources.values())
            pieces = tuple(_piece(name, source, progress) for name, source in sources.items())
            made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            manifest = Manifest(made, program, pieces)
            _write(part, manifest, sources, progress)
        part.replace(path)
        sync(path.parent)
    except OSError as failed:
        raise Invalid(issue("OWN_BACKUP_UNWRITABLE", path, failed.strerror or failed)) from failed
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _sources(entries: tuple[Entry, ...], folder: Path, places: Places) -> Iterator[tuple[str, Path]]:
    """Name in the backup → a file that stays as it is until the folder goes."""
    index = folder / "index.json"
    index.write_text(json.dumps({"format": FORMAT, "entries": [asdict(entry) for entry in entries]}, indent=1))
    yield INDEX, index
    for name, live in places.databases.items():
        if live.is_file():
            copies.copy(live, folder / name)
            if name == STATE:
                copies.without_caches(folder / name)
            else:
                copies.without_jobs(folder / name)
            yield name, folder / name
    for name in dict.fromkeys(entry.file for entry in entries):
        yield f"library/{name}", folder / name


def _piece(name: str, source: Path, progress: Progress) -> Piece:
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
            progress.add(len(block))
    return Piece(name, size, digest.hexdigest())


def _write(part: Path, manifest: Manifest, sources: dict[str, Path], progress: Progress) -> None:
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as raw:
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
            content = manifest.write()
            archive.addfile(_header(NAME, len(content), manifest.made), io.BytesIO(content))
            for piece in manifest.pieces:
                with sources[piece.name].open("rb") as stream:
                    archive.addfile(_header(piece.name, piece.size, manifest.made), _Told(stream, progress))
        raw.flush()
        os.fsync(raw.fileno())


def _header(name: str, size: int, made: str) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.mode, found.mtime = size, PRIVATE, int(datetime.fromisoformat(made).timestamp())
    return found


class _Told(io.RawIOBase):
    """A file that is being read; the progress hears of it."""

    def __init__(self, stream: io.BufferedReader, progress: Progress) -> None:
        super().__init__()
        self._stream, self._progress = stream, progress

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(size)
        self._progress.add(len(content))
        return content
