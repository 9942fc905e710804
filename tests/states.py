"""The state of a service in a folder: loaded content, closure tables, a cache; and what a reader finds of it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from terminology.backup.making import Places
from terminology.importing import formats
from terminology.importing.format import Source
from terminology.importing.run import load
from terminology.storage import Bounds, Member, Stored
from terminology.storage.caches import Caches
from terminology.storage.closures import Closures
from terminology.storage.database import Database
from terminology.storage.library import Library

URL = "http://example.org/numbers"
BOUNDS = Bounds()


def places(folder: Path) -> Places:
    """The places of a service in ``folder``; nothing is in them yet."""
    folder.mkdir(parents=True, exist_ok=True)
    return Places(Library(folder / "data"), folder / "state.sqlite", folder / "data" / "store.sqlite")


def grow(folder: Path, version: str = "1", count: int = 30) -> Places:
    """The places of a service in ``folder``, with content of that version in all of them."""
    held = places(folder)
    table = folder / "numbers.csv"
    table.write_text("code,display\n" + "".join(f"n{each},number {each} of {version}\n" for each in range(count)))
    stated = {"url": URL, "version": version, "display": "display"}
    load(formats()["csv"], Source(table, "csv", stated), held.library)
    value_set = {"resourceType": "ValueSet", "url": "http://example.org/all", "version": version, "status": "active"}
    table.with_suffix(".json").write_text(json.dumps(value_set))
    load(formats()["fhir"], Source(table.with_suffix(".json"), "fhir", {"fhir": "r5"}), held.library)
    database = Database(str(held.state))
    closures = Closures(database, BOUNDS)
    seen = closures.table("me", version) or closures.initialise("me", version)
    closures.extend("me", version, seen, [Member("s", version, version, None)], ())
    Caches(database, BOUNDS).start("me", "R5", [Stored(version, version.encode(), b"{}")], sealed=False)
    database.close()
    return held


def seen(held: Places) -> tuple[object, ...]:
    """All that a reader finds: loaded versions with the codes of each, and the closure tables."""
    loaded = []
    for entry in held.library.entries():
        number = None
        if entry.compiled:
            with closing(sqlite3.connect(held.library.path(entry))) as file:
                number = file.execute("SELECT count(*), max(display) FROM concept").fetchone()
        assert held.library.path(entry).is_file()
        loaded.append((entry.kind, entry.url, entry.version, number))
    return tuple(loaded), tables(held.state)


def tables(state: Path | None) -> list[str]:
    if state is None or not state.is_file():
        return []
    with closing(sqlite3.connect(state)) as held:
        assert held.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return sorted(row[0] for row in held.execute("SELECT code FROM closure_member"))
