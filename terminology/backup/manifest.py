"""The first member of a backup: the format, and name, size and hash of every other member.

The hashes tell damage, not forgery: a backup is as trustworthy as the place where it was kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from terminology.frozen import dataclass
from terminology.issues import Invalid, NotSupported, issue
from terminology.wire import json_text
from terminology.wire.malformed import Malformed

NAME = "backup.json"
FORMAT = 1
INDEX, STATE, STORE = "library/index.json", "state.sqlite", "store.sqlite"
_NAMES = re.compile(
    r"library/index\.json|state\.sqlite|store\.sqlite"
    r"|library/codesystems/[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\.codesystem"
    r"|library/resources/[A-Za-z0-9_][A-Za-z0-9._-]{0,200}\.json"
)
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a backup."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds, when it was made, and by which version of this program."""

    made: str
    program: str
    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)

    @property
    def by_name(self) -> Mapping[str, Piece]:
        return {piece.name: piece for piece in self.pieces}

    def write(self) -> bytes:
        held = {"format": FORMAT, "made": self.made, "program": self.program}
        return json.dumps(held | {"pieces": [asdict(piece) for piece in self.pieces]}, indent=1).encode()


def read(content: bytes, path: Path) -> Manifest:
    """Raises Refusal for another format, and for anything that no manifest of ours says."""
    try:
        held = json_text.read(content)
    except Malformed as wrong:
        raise Invalid(issue("OWN_BACKUP_FOREIGN", path, wrong)) from wrong
    if held.get("format") != FORMAT:
        raise NotSupported(issue("OWN_BACKUP_FORMAT", path, held.get("format"), FORMAT))
    listed = held.get("pieces")
    pieces = tuple(_piece(each, path) for each in (listed if isinstance(listed, list) else ()))
    names = {piece.name for piece in pieces}
    if len(names) < len(pieces):
        raise hostile(path, "its manifest names a file twice")
    if INDEX not in names:
        raise Invalid(issue("OWN_BACKUP_FOREIGN", path, f"{INDEX} is missing"))
    return Manifest(str(held.get("made")), str(held.get("program")), pieces)


def _piece(held: Any, path: Path) -> Piece:
    if not isinstance(held, dict) or held.keys() != {"name", "size", "sha256"}:
        raise Invalid(issue("OWN_BACKUP_FOREIGN", path, "its manifest has another shape"))
    name, size, digest = held["name"], held["size"], held["sha256"]
    if not isinstance(name, str) or not _NAMES.fullmatch(name):
        raise hostile(path, f"its manifest names '{str(name)[:200]}'")
    if type(size) is not int or size < 0 or not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise Invalid(issue("OWN_BACKUP_FOREIGN", path, f"size or hash of {name} is none"))
    return Piece(name, size, digest)


def hostile(path: Path, why: str) -> Invalid:
    return Invalid(issue("OWN_BACKUP_HOSTILE", path, why))
