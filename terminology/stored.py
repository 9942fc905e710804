"""The resources of the store as one layer over what is published and loaded; each process keeps its own copy fresh.

The number of the last change is read on every request. Where it rose, only the resources that changed are read and
compiled, and the layer is replaced in one assignment. A CodeSystem with more than ``FILE_FROM`` concepts is compiled
to a code-system file of this node, found again by the hash of its text.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from terminology import resources
from terminology.catalog import Catalog
from terminology.frozen import dataclass
from terminology.issues import Refusal, Unavailable
from terminology.layers import merged
from terminology.model import Json
from terminology.providers.file import FileProvider
from terminology.settings import Settings
from terminology.storage.code_system_compiler import compile_file
from terminology.storage.code_system_file import SUFFIX
from terminology.storage.records import StoreError, Version
from terminology.storage.watch import FileWatch
from terminology.wire import json_text
from terminology.wire.r4 import from_r4

if TYPE_CHECKING:
    from terminology.storage.store import Store

FILE_FROM = 5000
"""A CodeSystem with more concepts is served from a file."""
RETRY = 1.0
"""Seconds for which a store that could not be asked is not asked again."""
PATIENCE = 0.1
"""Seconds between two looks of a service that writes nothing for a store that is not there."""
KEPT = 86_400
"""Seconds after which a compiled file that no resource needs is removed."""
BASES = 16
"""So many catalogs, with this layer over them, are kept."""
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
FILE = "store.sqlite"
SQLITE = "sqlite:///"
_LARGE = ("concept", "text")

log = logging.getLogger(__name__)


class Watching(Protocol):
    def generation(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Part:
    """One resource: its version, without the text, and what was made of it."""

    number: int
    fhir: str
    layer: Catalog


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What the store held after a change. ``over``: the catalogs that this layer was laid over, by their identity."""

    generation: int = -1
    parts: Mapping[tuple[str, str], Part] = field(default_factory=dict)
    layer: Catalog | None = None
    over: dict[int, tuple[Catalog, Catalog]] = field(default_factory=dict)


def address(settings: Settings) -> str | None:
    """The database url of the store: as stated, else of a file in ``data_dir``; None for a service without one."""
    if settings.store:
        return settings.store
    return f"{SQLITE}{Path(settings.data_dir).absolute() / FILE}" if settings.data_dir else None


class Stored:
    """The store of one service and the layer made of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = address(settings)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._store: Store | None = None
        self._snapshot = Snapshot()
        self._quiet = 0.0
        self._inode: int | None = None
        self._files: dict[tuple[str, str], str] = {}
        self._own: tempfile.TemporaryDirectory[str] | None = None
        path = self._url.removeprefix(SQLITE) if self._url and self._url.startswith(SQLITE) else None
        self._file = Path(path) if path else None
        self._watch: Watching | None = FileWatch(path, 0 if settings.allow_writes else PATIENCE) if path else None

    @property
    def here(self) -> bool:
        """True where there is a store, or where one may be made now."""
        if self._url is None:
            return False
        return self._settings.allow_writes or self._file is None or self._file.is_file()

    @property
    def configured(self) -> bool:
        """True where a store is named."""
        return self._url is not None

    @property
    def empty(self) -> bool:
        """True where this process knows of no change at all."""
        return self._snapshot.generation <= 0

    def opened(self) -> Store:
        """The Store; opened by the first who needs it. Raises StoreError."""
        with self._opening:
            if self._store is None:
                if self._file is not None and not self._settings.store:
                    self._file.parent.mkdir(parents=True, exist_ok=True)
                self._store = _open(self._url or "")
            return self._store

    # --- the layer -------------------------------------------------------------------------------------------

    def over(self, base: Catalog) -> Catalog:
        """``base`` with the stored resources over it."""
        if self._url is None:
            return base
        held = self.snapshot()
        if held.layer is None:
            return base
        known = held.over.get(id(base))
        if known is None:
            if len(held.over) >= BASES:
                held.over.clear()
            known = held.over[id(base)] = base, held.layer.over(base)
        return known[1]

    def find(self, kind: str, identity: str) -> Part | None:
        """The stored resource of a type and id, as this process knows it."""
        return self._snapshot.parts.get((kind, identity))

    def snapshot(self) -> Snapshot:
        """What the store holds now; what it held before, where it cannot be asked."""
        held = self._snapshot
        if self._quiet and time.monotonic() < self._quiet:
            return held
        try:
            number = self._generation()
            if number != held.generation or self._replaced():
                held = self._refreshed()
            self._quiet = 0.0
        except Unavailable:
            if held.generation < 0:
                raise
            self._quiet = time.monotonic() + RETRY
            log.warning("the resource store cannot be asked; what was read before answers")
        return held

    def _generation(self) -> int:
        if self._watch is None:
            from terminology.storage.store import Watch  # noqa: PLC0415  SQLAlchemy is loaded by who needs it

            self._watch = Watch(self.opened())
        return self._watch.generation()

    def _refreshed(self) -> Snapshot:
        with self._lock:
            held = self._snapshot
            number = self._generation()
            if number == held.generation and not self._replaced():
                return held
            if self._replaced() or number < held.generation:
                held = self._anew()
            self._inode = self._watch.inode if isinstance(self._watch, FileWatch) else None
            changes: list[Version] = []
            if number:
                number, changes = self.opened().changed(max(held.generation, 0))
            parts = dict(held.parts)
            for each in changes:
                parts.pop((each.kind, each.id), None)
                self._files.pop((each.kind, each.id), None)
                if not each.deleted:
                    parts[each.kind, each.id] = Part(each.number, each.fhir, self._made(each))
            newest_first = [part.layer for part in reversed(parts.values())]
            layer = merged(newest_first) if newest_first else None
            self._snapshot = Snapshot(number, parts, layer)
            if changes:
                self._sweep()
            return self._snapshot

    def _replaced(self) -> bool:
        """True where another file stands in the place of the one that was read: a copy was restored."""
        return isinstance(self._watch, FileWatch) and self._inode not in (None, self._watch.inode)

    def _anew(self) -> Snapshot:
        """Lets go of a store that was replaced; all of the new one is read."""
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None
        self._files.clear()
        return Snapshot()

    def _made(self, version: Version) -> Catalog:
        """The layer of one resource. One that this release cannot process is still read and searched."""
        resource = read(version)
        try:
            if version.kind == "CodeSystem" and resource.get("content") != "supplement" and _large(resource):
                return self._filed(resource, version.text)
            return resources.layer([resource])
        except (Refusal, OSError, ValueError):
            log.exception("%s/%s of the store cannot be processed", version.kind, version.id)
            return Catalog(resources={version.kind: {version.id: resource}})

    def _filed(self, resource: Json, text: str) -> Catalog:
        info = resources.code_system_info(resource)
        folder = self._folder() / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        path = next(iter(sorted(folder.glob(f"*{SUFFIX}"))), None)
        if path is None:
            path, _ = compile_file(info, resources.concepts(resource, info), folder, source="store")
        folder.touch()
        self._files["CodeSystem", resource["id"]] = folder.name
        head = {key: value for key, value in resource.items() if key not in _LARGE}
        heads = {resource["id"]: {**head, "meta": {**head.get("meta", {}), "tag": [SUBSETTED]}}}
        return Catalog(code_systems={info.canonical.url: (FileProvider.open(path),)}, resources={"CodeSystem": heads})

    def _folder(self) -> Path:
        """Where this node keeps compiled files: beside a SQLite store, in ``data_dir``, or for this process alone."""
        if self._file is not None:
            beside = self._file.with_name(f"{self._file.name}-compiled")
        elif self._settings.data_dir:
            beside = Path(self._settings.data_dir, f"{FILE}-compiled")
        else:
            if self._own is None:
                self._own = tempfile.TemporaryDirectory(prefix="terminology-compiled-")
            return Path(self._own.name)
        beside.mkdir(mode=0o700, parents=True, exist_ok=True)
        return beside

    def _sweep(self) -> None:
        """Removes the files that no resource has needed for a day."""
        if not self._files:
            return
        needed = set(self._files.values())
        for old in self._folder().iterdir():
            with suppress(OSError):
                if old.name not in needed and time.time() - old.stat().st_mtime > KEPT:
                    shutil.rmtree(old)


def read(version: Version) -> Json:
    """A stored resource in R5 form."""
    resource = json_text.read(version.text.encode())
    return from_r4(resource) if version.fhir == "R4" else resource


def _large(resource: Json) -> bool:
    count, waiting = 0, list(resource.get("concept", []))
    while waiting and count <= FILE_FROM:
        count += len(waiting)
        waiting = [inner for each in waiting for inner in each.get("concept", [])]
    return count > FILE_FROM


def _open(url: str) -> Store:
    try:
        from terminology.storage.store import Store  # noqa: PLC0415  SQLAlchemy is loaded by who needs it
    except ImportError as missing:
        extra = "pip install 'flask-fhir-terminology[store]'"
        raise StoreError(f"store: {missing.name} is missing, which keeps resources: {extra}") from missing
    return Store(url)
