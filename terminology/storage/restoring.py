"""The moment at which a restore happens: one file appears, and from then on the new state is what counts.

    <data_dir>/.restore-*/      the new state, verified, aside
    <data_dir>/.restore.json    its name: the restore is decided, and whoever finds this file finishes it

Killed before that file is there, nothing happened; killed after, the next one who opens the library (a running server
looks once a second) does the rest. Each step can be done twice.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from terminology.issues import Invalid, issue
from terminology.storage.durable import running, sync, written

RESTORING = ".restore.json"
PREFIX = ".restore-"
FILES = "library"
"""The folder of a place that holds the new files of the library, and its index."""


@contextmanager
def place(folder: Path) -> Iterator[Path]:
    """A folder for the new state, empty; removed at the end unless the restore is decided."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=folder))
    try:
        yield made
    finally:
        if _place_of(folder) != made.name:
            shutil.rmtree(made, ignore_errors=True)


def commit(folder: Path, made: Path, databases: Mapping[str, Path]) -> None:
    """Decides and finishes a restore; the caller holds the library's lock. ``databases``: file of the place → the live
    database that it replaces."""
    for inner in {path.parent for path in made.rglob("*")} | {made}:
        sync(inner)
    plan = {"place": made.name, "databases": {name: str(path.absolute()) for name, path in databases.items()}}
    written(folder / RESTORING, json.dumps(plan).encode())
    finish(folder)
    for left in folder.glob(f"{PREFIX}*"):
        if left.name != made.name and not _alive(left):
            shutil.rmtree(left, ignore_errors=True)


def decided(folder: Path) -> bool:
    """Whether a restore was decided that nobody finished yet."""
    return (folder / RESTORING).exists()


def finish(folder: Path) -> None:
    """Does what is left of a restore that was decided; the caller holds the library's lock. Raises Refusal, OSError."""
    plan = _plan(folder)
    if plan is None:
        return
    made, databases = folder / plan["place"], plan["databases"]
    for name, live in databases.items():
        if (made / name).exists():
            _pour(made / name, Path(live))
    files = made / FILES
    for path in sorted(files.glob("*/*")):
        target = folder / path.relative_to(files)
        target.parent.mkdir(exist_ok=True)
        path.replace(target)
        sync(target.parent)
    for index in (path for path in files.glob("*") if path.is_file()):
        index.replace(folder / index.name)
        sync(folder)
    (folder / RESTORING).unlink()
    sync(folder)
    shutil.rmtree(made, ignore_errors=True)


def _plan(folder: Path) -> dict[str, Any] | None:
    marker = folder / RESTORING
    try:
        plan = json.loads(marker.read_bytes())
        return {"place": str(plan["place"]), "databases": dict(plan["databases"])}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as wrong:
        raise Invalid(issue("OWN_LIBRARY_UNREADABLE", marker, wrong)) from wrong


def _place_of(folder: Path) -> str | None:
    """The name of the place of a restore that is decided and not finished."""
    plan = _plan(folder)
    return plan["place"] if plan else None


def _pour(copy: Path, live: Path) -> None:
    from terminology.storage import copies  # noqa: PLC0415  sqlite3 is loaded by who needs it

    copies.pour(copy, live)
    copy.unlink()
    sync(copy.parent)


def _alive(left: Path) -> bool:
    return running(left.name.removeprefix(PREFIX).partition("-")[0])
