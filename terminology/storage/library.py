"""The folder of loaded content (setting ``data_dir``): code-system files and resources, and the one index that counts.

    <data_dir>/index.json             what is loaded; a file that it does not name does not exist for a reader
    <data_dir>/codesystems/*.codesystem
    <data_dir>/resources/*.json       R5 form
    <data_dir>/.import-*/             an import under way
    <data_dir>/.restore.json          a restore that is decided and not finished (``storage.restoring``)

An import writes its files aside, then, under a lock, moves them in and replaces the index: one rename makes all of it
visible at once. Killed before, nothing happened; what it left is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field, fields, replace
from pathlib import Path

from terminology.frozen import dataclass
from terminology.issues import Invalid, Refusal, issue
from terminology.model import Canonical, Json
from terminology.storage import restoring
from terminology.storage.code_system_file import SUFFIX
from terminology.storage.durable import abandoned, durable, locked, sync, written

log = logging.getLogger(__name__)

INDEX = "index.json"
FORMAT = 1
GRACE = 2.0
"""Seconds for which a file that was replaced is kept: a server looks for a new index once a second."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that is loaded. ``head`` is the resource without its large parts; ``file`` is relative; ``fhir`` and
    ``snapshot`` say which FHIR versions its package was made for, and that a FHIR release took it from others."""

    kind: str
    url: str
    version: str | None
    id: str
    file: str
    head: Json = field(default_factory=dict)
    concepts: int | None = None
    size: int = 0
    format: str = ""
    source: str = ""
    licence: str = ""
    refused: int = 0
    loaded: str = ""
    fhir: tuple[str, ...] = ()
    snapshot: bool = False

    @property
    def canonical(self) -> Canonical:
        return Canonical(self.url, self.version)

    @property
    def key(self) -> tuple[str, str, str | None]:
        """What an import replaces. Naming systems are told apart by id: one url may have several."""
        return (self.kind, self.id if self.kind == "NamingSystem" else self.url, self.version)

    @property
    def compiled(self) -> bool:
        return self.file.endswith(SUFFIX)


_MEMBERS = tuple(each.name for each in fields(Entry))


@dataclass(frozen=True, slots=True)
class Change:
    """What publishing did: canonicals by what happened to them."""

    new: tuple[Entry, ...] = ()
    replaced: tuple[Entry, ...] = ()
    unchanged: tuple[Entry, ...] = ()


class Library:
    """The folder. Reading costs one file; writing is for one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stamp(self) -> tuple[int, int, int] | None:
        """Changes when the index does; None where there is none."""
        self._settle()
        try:
            found = (self.folder / INDEX).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def entries(self) -> tuple[Entry, ...]:
        """What is loaded; raises Invalid for an index that cannot be read."""
        self._settle()
        try:
            held = json.loads((self.folder / INDEX).read_bytes())
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as failed:
            raise Invalid(issue("OWN_LIBRARY_UNREADABLE", self.folder, failed)) from failed
        if held.get("format") != FORMAT:
            raise Invalid(issue("OWN_LIBRARY_UNREADABLE", self.folder, f"format {held.get('format')}, not {FORMAT}"))
        return tuple(Entry(**{**entry, "fhir": tuple(entry.get("fhir", ()))}) for entry in held["entries"])

    def path(self, entry: Entry) -> Path:
        return self.folder / entry.file

    def find(self, url: str, version: str | None = None) -> tuple[Entry, ...]:
        """The entries that a url or id names, in any version where none is said."""
        return tuple(
            entry for entry in self.entries() if url in (entry.url, entry.id) and version in (None, entry.version)
        )

    @contextmanager
    def staging(self) -> Iterator[Stage]:
        """A place to write to; what was not published is removed at the end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".import-", dir=self.folder))
        try:
            with locked(place / "lock"):
                yield Stage(self, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def remove(self, gone: Iterable[Entry]) -> None:
        """Takes entries away, at once; their files go after the grace time."""
        keys = {entry.key for entry in gone}
        with self._alone():
            held = self.entries()
            left = [entry for entry in held if entry.key not in keys]
            self._write(left)
            self._sweep(left, waiting=len(left) < len(held))

    def publish(self, staged: Iterable[tuple[Path, Entry]]) -> Change:
        """Moves files in and replaces the index."""
        with self._alone():
            held = {entry.key: entry for entry in self.entries()}
            new: list[Entry] = []
            replaced: list[Entry] = []
            unchanged: list[Entry] = []
            moving: list[tuple[Path, Path]] = []
            for path, entry in staged:
                known = held.get(entry.key)
                if known is not None and _same(known, entry) and self.path(known).is_file():
                    unchanged.append(known)
                    continue
                moving.append((path, self.path(entry)))
                (new if known is None else replaced).append(entry)
                held[entry.key] = entry
            durable(path for path, _ in moving)
            for path, target in moving:
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
            if new or replaced:
                for folder in {self.path(entry).parent for entry in (*new, *replaced)}:
                    sync(folder)
                self._write(list(held.values()))
            self._sweep(held.values(), waiting=bool(replaced))
        return Change(tuple(new), tuple(replaced), tuple(unchanged))

    @contextmanager
    def frozen(self) -> Iterator[tuple[tuple[Entry, ...], Path]]:
        """What is loaded at this moment, and a folder with links to its files that imports do not take away."""
        with self.staging() as stage:
            with self._alone():
                entries = self.entries()
                for name in dict.fromkeys(entry.file for entry in entries):
                    linked = stage.folder / name
                    linked.parent.mkdir(exist_ok=True)
                    try:
                        os.link(self.folder / name, linked)
                    except FileNotFoundError:
                        raise Invalid(issue("OWN_LIBRARY_UNREADABLE", self.folder, f"{name} is missing")) from None
                    except OSError:  # a file system without links
                        shutil.copyfile(self.folder / name, linked)
            yield entries, stage.folder

    def restore(self, made: Path, databases: Mapping[str, Path]) -> None:
        """Puts the new state in ``made`` (``storage.restoring``) in place of this one."""
        with self._alone():
            restoring.commit(self.folder, made, databases)
            self._sweep(self.entries(), waiting=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The lock of those who write; a restore that was decided is finished first."""
        with locked(self.folder / ".lock"):
            restoring.finish(self.folder)
            yield

    def _settle(self) -> None:
        """Finishes a restore that was decided, unless somebody is at it."""
        if not restoring.decided(self.folder):
            return
        try:
            with locked(self.folder / ".lock", wait=False):
                restoring.finish(self.folder)
        except BlockingIOError:
            return
        except (OSError, Refusal) as failed:
            log.error("The restore of %s cannot be finished: %s", self.folder, failed)  # noqa: TRY400  once a second

    def _write(self, entries: list[Entry]) -> None:
        ordered = sorted(entries, key=lambda entry: (entry.kind, entry.url, entry.version or ""))
        lines = ",\n".join(json.dumps({name: getattr(entry, name) for name in _MEMBERS}) for entry in ordered)
        written(self.folder / INDEX, f'{{"format": {FORMAT}, "entries": [\n{lines}\n]}}\n'.encode())

    def _sweep(self, entries: Iterable[Entry], *, waiting: bool) -> None:
        """Removes what nothing names: replaced files, and what killed imports left."""
        named = {entry.file for entry in entries}
        found = [*self.folder.glob(f"codesystems/*{SUFFIX}"), *self.folder.glob("resources/*.json")]
        stale = [each for each in found if each.relative_to(self.folder).as_posix() not in named]
        if waiting and stale:
            time.sleep(GRACE)
        for each in stale:
            each.unlink(missing_ok=True)
        for place in self.folder.glob(".import-*"):
            if abandoned(place / "lock"):
                shutil.rmtree(place, ignore_errors=True)


class Stage:
    """An import under way: files written aside, and the entries that will name them."""

    def __init__(self, library: Library, folder: Path) -> None:
        self._library = library
        self.folder = folder
        self._files: dict[tuple[str, str, str | None], tuple[Path, Entry]] = {}

    def compiled(self, path: Path, entry: Entry) -> None:
        """Takes up a code-system file that was compiled into ``folder``."""
        self._add(path, replace(entry, file=f"codesystems/{path.name}", size=path.stat().st_size))

    def resource(self, content: bytes, entry: Entry) -> None:
        """Takes up a resource as JSON text."""
        name = f"{_slug(entry)}-{hashlib.sha256(content).hexdigest()[:16]}.json"
        path = self.folder / name
        path.write_bytes(content)
        self._add(path, replace(entry, file=f"resources/{name}", size=len(content)))

    def _add(self, path: Path, entry: Entry) -> None:
        """The later of two with one key counts."""
        self._files[entry.key] = (path, entry)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for _, entry in self._files.values())

    def publish(self) -> Change:
        return self._library.publish(self._files.values())


def _same(a: Entry, b: Entry) -> bool:
    return (a.file, a.head, a.fhir, a.snapshot) == (b.file, b.head, b.fhir, b.snapshot)


def _slug(entry: Entry) -> str:
    text = f"{entry.kind}-{entry.url.rstrip('/').rpartition('/')[2]}-{entry.version or 'unversioned'}"
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-") else "_" for letter in text)[:80]
