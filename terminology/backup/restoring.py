"""The way back: a backup is read as a hostile archive and verified to the last byte, aside; then it takes effect."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from terminology.backup import manifest as manifests
from terminology.backup.making import BLOCK, PRIVATE, Places, Progress
from terminology.backup.manifest import INDEX, STATE, STORE, Manifest, Piece, hostile
from terminology.importing.archives import File, Limits, files
from terminology.issues import Invalid, NotAllowed, Refusal, issue
from terminology.storage import copies, restoring
from terminology.storage.code_system_file import SUFFIX
from terminology.storage.library import FORMAT, Entry
from terminology.wire import json_text
from terminology.wire.malformed import Malformed

LIMITS = Limits(members=1_000_000, total=1 << 60)
"""The manifest bounds each member, and the room on the disk their sum."""
SPARE = 64 << 20
_SETTINGS = {STATE: ("--state-path", "TERMINOLOGY_STATE_PATH"), STORE: ("--store", "TERMINOLOGY_STORE")}
_WORDS = {STATE: "a state database", STORE: "a resource store"}


def restore(path: Path, places: Places, progress: Progress, *, replace: bool, dry_run: bool = False) -> Manifest:
    """Puts a backup in place. Raises Refusal, and then nothing has changed; killed at any moment, the old state or the
    new one is there."""
    if not replace and not dry_run:
        _empty(places)
    with restoring.place(places.library.folder) as made:
        try:
            manifest = _read(path, made, places, progress)
            _judge(path, made, manifest)
        except OSError as failed:
            raise Invalid(issue("OWN_BACKUP_UNWRITABLE", made, failed.strerror or failed)) from failed
        if not dry_run:
            databases = {name: live for name, live in places.databases.items() if name in manifest.by_name}
            places.library.restore(made, databases)
    return manifest


def _empty(places: Places) -> None:
    """Raises NotAllowed where something would be overwritten."""
    if places.library.entries():
        raise NotAllowed(issue("OWN_BACKUP_NOT_EMPTY", places.library.folder))
    for live in places.databases.values():
        if not copies.empty(live):
            raise NotAllowed(issue("OWN_BACKUP_NOT_EMPTY", live))


# --- reading ---------------------------------------------------------------------------------------------------


def _read(path: Path, made: Path, places: Places, progress: Progress) -> Manifest:
    """Writes the members aside, each with the size and hash that the manifest says."""
    manifest: Manifest | None = None
    waiting: dict[str, Piece] = {}
    for file in files(path, lambda _: True, LIMITS):
        if manifest is None:
            if file.name != manifests.NAME:
                raise Invalid(issue("OWN_BACKUP_FOREIGN", path, f"it does not start with {manifests.NAME}"))
            manifest = manifests.read(file.read(), path)
            _possible(path, manifest, places)
            waiting = dict(manifest.by_name)
            progress.total = manifest.size
            continue
        piece = waiting.pop(file.name, None)
        if piece is None:
            raise hostile(path, f"'{file.name[:200]}' is not in its manifest, or comes twice")
        _take(path, made, file, piece, progress)
    if manifest is None:
        raise Invalid(issue("OWN_BACKUP_FOREIGN", path, "it is empty"))
    if waiting:
        raise Invalid(issue("OWN_BACKUP_DAMAGED", path, f"{next(iter(waiting))} is missing"))
    return manifest


def _possible(path: Path, manifest: Manifest, places: Places) -> None:
    """Raises Refusal where a part has no place, or the disk no room."""
    for name in (STATE, STORE):
        if name in manifest.by_name and name not in places.databases:
            raise Invalid(issue("OWN_BACKUP_NO_PLACE", path, _WORDS[name], *_SETTINGS[name]))
    databases = sum(piece.size for piece in manifest.pieces if "/" not in piece.name)
    folder = places.library.folder
    needed, free = manifest.size + databases + SPARE, shutil.disk_usage(folder).free
    if needed > free:
        raise Invalid(issue("OWN_BACKUP_NO_ROOM", folder, needed, free))


def _take(path: Path, made: Path, file: File, piece: Piece, progress: Progress) -> None:
    target = made / piece.name
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), piece.size
    rights = 0o644 if "/" in piece.name else PRIVATE
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights), "wb") as out:
        while block := file.stream.read(BLOCK):
            left -= len(block)
            if left < 0:
                break
            digest.update(block)
            out.write(block)
            progress.add(len(block))
        out.flush()
        os.fsync(out.fileno())
    if left or digest.hexdigest() != piece.sha256:
        raise Invalid(issue("OWN_BACKUP_DAMAGED", path, f"{piece.name} is not what the manifest says"))


# --- judging ---------------------------------------------------------------------------------------------------


def _judge(path: Path, made: Path, manifest: Manifest) -> None:
    """Raises Refusal unless every part can be used as it is: hashes alone say nothing about a forged archive."""
    named = {f"library/{name}" for name in _indexed(path, made / INDEX)}
    held = {piece.name for piece in manifest.pieces if "/" in piece.name} - {INDEX}
    if named != held:
        raise hostile(path, f"its index and its files differ: {min(named ^ held)}")
    for piece in manifest.pieces:
        try:
            _check(piece.name)(made / piece.name)
        except (ValueError, Refusal, Malformed) as wrong:
            raise hostile(path, f"{piece.name}: {wrong}") from wrong


def _check(name: str) -> Callable[[Path], object]:
    """What a file of that name must pass."""
    if name.endswith(SUFFIX):
        return copies.is_code_system
    named = {STATE: copies.is_state, STORE: copies.is_store}
    return named.get(name, lambda file: json_text.read(file.read_bytes()))


def _indexed(path: Path, index: Path) -> set[str]:
    """The files that an index names; raises Refusal for one that is no index of this version."""
    try:
        held = json.loads(index.read_bytes())
        entries = [Entry(**{**entry, "fhir": tuple(entry.get("fhir", ()))}) for entry in held["entries"]]
        same = held["format"] == FORMAT
    except (ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise hostile(path, f"its index cannot be read: {wrong}") from wrong
    stated = [(entry.head, entry.kind, entry.url, entry.id, entry.file) for entry in entries]
    plain = all([type(each) for each in found] == [dict, str, str, str, str] for found in stated)
    if not same or not plain:
        raise hostile(path, "its index is of another version, or of another shape")
    return {entry.file for entry in entries}
