"""The making of code-system files: concepts stream in, one finished file comes out, or none.

A file is written in full, closed, hashed, opened again and counted before it gets its name, so that a reader never
sees half of one. Rows go in by hundreds a statement and in the order in which they are kept, indexes are made once all
is in, and what has to be sorted is sorted by SQLite, on disk: memory grows by some bytes a concept.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

from terminology.frozen import dataclass
from terminology.model import Canonical, CodeSystemInfo, Concept
from terminology.storage.code_system_file import DESIGNATION, FORMAT, SECTIONS, SUFFIX, Manifest, dump_info
from terminology.storage.code_system_records import Records, Writer
from terminology.storage.code_system_sections import Sections, append
from terminology.storage.code_system_texts import MANY, Texts
from terminology.storage.code_system_texts import SCHEMA as TEXTS
from terminology.storage.descendants import Hierarchy
from terminology.storage.durable import running, sync, synced
from terminology.storage.filling import Filling

BATCH = 2_000
STEPS = 1_000_000
"""Steps of SQLite's between two calls of ``progress`` while concepts are linked."""

_SETTINGS = """
PRAGMA page_size=8192; PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;
PRAGMA secure_delete=OFF; PRAGMA cache_size=-32768; PRAGMA analysis_limit=1000;
"""
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE concept (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL, fold TEXT NOT NULL, display TEXT, definition TEXT, status TEXT,
    abstract INTEGER NOT NULL, inactive INTEGER NOT NULL, valid_from TEXT, valid_to TEXT);
CREATE TABLE parent (child INTEGER NOT NULL, parent INTEGER NOT NULL, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE closure (
    ancestor INTEGER NOT NULL, descendant INTEGER NOT NULL, PRIMARY KEY (ancestor, descendant)) WITHOUT ROWID;
CREATE TABLE below (ancestor INTEGER PRIMARY KEY, concepts INTEGER NOT NULL);
CREATE TEMP TABLE link (child INTEGER NOT NULL, parent_code TEXT NOT NULL);
"""


class Duplicate(ValueError):
    """A code stands twice in the source."""

    def __init__(self, code: str, canonical: Canonical) -> None:
        super().__init__(f"The code '{code}' stands twice in {canonical}")
        self.code = code
        self.canonical = canonical


@dataclass(frozen=True, slots=True)
class Telling:
    """How a compilation and its caller talk: concepts done, parents (child, parent) that the source lacks, and at the
    end how many rows of the source were left out."""

    progress: Callable[[int], None] = lambda _: None
    lacking: Callable[[str, str], None] = lambda _child, _parent: None
    refused: Callable[[], int] = lambda: 0


_SILENT = Telling()


def compile_file(
    info: CodeSystemInfo,
    concepts: Iterable[Concept],
    folder: Path,
    *,
    source: str = "",
    licence: str = "",
    telling: Telling = _SILENT,
    aside: bool = False,
) -> tuple[Path, Manifest]:
    """Compiles concepts (in the order to keep; a parent may come later) into ``folder``; memory stays bounded.

    ``aside``: where concepts are many, a second process makes what is about texts. Returns the path of the finished
    file; the same content gives the same name. Raises Duplicate. Killed at any moment it leaves at most temporary files
    that the next call removes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f".*{SUFFIX}.part*"):
        if not _alive(stale):
            stale.unlink(missing_ok=True)
    part = folder / f".{os.getpid()}-{threading.get_ident()}{SUFFIX}.part"
    part.unlink(missing_ok=True)
    try:
        with (
            Writer(part.with_name(f"{part.name}-records")) as records,
            Texts(part.with_name(f"{part.name}-texts"), aside=aside) as texts,
        ):
            manifest = _write(part, info, concepts, records, texts, (source, licence), telling)
        digest = _hash(part)
        target = folder / f"{_slug(info.canonical)}-{digest[:16]}{SUFFIX}"
        _verify(part, manifest)
        part.replace(target)
        sync(folder)
    finally:
        part.unlink(missing_ok=True)
    return target, replace(manifest, hash=digest)


def _alive(part: Path) -> bool:
    owner = part.name[1:].partition("-")[0]
    return running(owner) and owner != str(os.getpid())


def _slug(canonical: Canonical) -> str:
    text = f"{canonical.url.rstrip('/').rpartition('/')[2]}-{canonical.version or 'unversioned'}"
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in text)[:80]


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _verify(path: Path, manifest: Manifest) -> None:
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
        counted = database.execute("SELECT count(*) FROM concept").fetchone()[0]
    database.close()
    held = Sections(path, SECTIONS)
    kept = min(counted, Records(held).size)
    held.close()
    if kept != manifest.concepts:
        raise OSError(f"{path} holds {kept} concepts of {manifest.concepts}: the disk did not keep what was written")


# --- writing --------------------------------------------------------------------------------------------------


def _write(
    path: Path,
    info: CodeSystemInfo,
    concepts: Iterable[Concept],
    records: Writer,
    texts: Texts,
    origin: tuple[str, str],
    telling: Telling,
) -> Manifest:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript(_SETTINGS + _SCHEMA + TEXTS)
        database.execute("BEGIN")
        counts = _insert(database, info, concepts, records, texts, telling.progress)
        texts.end()
        database.set_progress_handler(lambda: telling.progress(counts[0]), STEPS)  # linking is a third of the time
        _index(database, info)
        _link(database, info, telling.lacking)
        _close(database, counts[0])
        manifest = Manifest(
            url=info.canonical.url,
            version=info.canonical.version,
            content=info.content,
            concepts=counts[0],
            designations=counts[1],
            properties=counts[2],
            hash="",
            source=origin[0],
            licence=origin[1],
            refused=telling.refused(),
        )
        meta = {"format": str(FORMAT), "info": dump_info(replace(info, count=counts[0]))}
        meta["manifest"] = json.dumps(asdict(manifest), sort_keys=True)
        database.executemany("INSERT INTO meta VALUES (?, ?)", sorted(meta.items()))
        database.execute("COMMIT")
        links = database.execute("SELECT child, parent FROM parent ORDER BY child, parent")
        back = database.execute("SELECT parent, child FROM parent WHERE parent <> child ORDER BY parent, child")
        records.link(links, back)
        words = texts.pour(database)
        database.execute("ANALYZE")
    finally:
        database.close()
    append(path, [*records.sections(), *words])
    synced(path)
    return manifest


def _insert(
    database: sqlite3.Connection,
    info: CodeSystemInfo,
    concepts: Iterable[Concept],
    records: Writer,
    texts: Texts,
    progress: Callable[[int], None],
) -> tuple[int, int, int]:
    concept, link = Filling(database, "concept", 10), Filling(database, "link", 2)
    designations = properties = 0
    iterator = iter(concepts)
    while batch := list(islice(iterator, BATCH)):
        names: list[Any] = []
        stated: list[Any] = []
        for number, each in enumerate(batch, concept.rows + 1):
            fold = each.code if info.case_sensitive else each.code.casefold()
            records.add(each, fold)
            concept.values += (
                number,
                each.code,
                fold,
                each.display,
                each.definition,
                each.status,
                each.abstract,
                each.inactive,
                each.valid_from,
                each.valid_to,
            )
            names += number, _names(each)
            for parent in each.parents:
                link.values += number, parent
            for name in each.designations:
                stated += DESIGNATION, name.value, number
            for held in each.properties:
                for text in property_texts(held.value):
                    stated += held.code, text, number
            designations += len(each.designations)
            properties += len(each.properties)
        concept.put()
        link.put()
        texts.add(names, stated)
        progress(concept.rows)
    return concept.rows, designations, properties


def property_texts(value: Any) -> tuple[str, ...]:
    """A property value as filters compare it: a Coding is its code, and its ``system|code``."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, dict):
        code = str(value.get("code", ""))
        return (code, f"{value['system']}|{code}") if "system" in value else (code,)
    return (str(value),)


def _names(concept: Concept) -> str:
    if not concept.designations:
        return f"{concept.code}\n{concept.display or ''}"
    return "\n".join((concept.code, concept.display or "", *(held.value for held in concept.designations)))


# --- linking --------------------------------------------------------------------------------------------------


def _index(database: sqlite3.Connection, info: CodeSystemInfo) -> None:
    try:
        database.execute("CREATE UNIQUE INDEX concept_code ON concept (fold)")
    except sqlite3.IntegrityError:
        twice = "SELECT code FROM concept GROUP BY fold HAVING count(*) > 1 LIMIT 1"
        raise Duplicate(database.execute(twice).fetchone()[0], info.canonical) from None
    database.execute("CREATE INDEX concept_status ON concept (inactive, id)")


def _link(database: sqlite3.Connection, info: CodeSystemInfo, lacking: Callable[[str, str], None]) -> None:
    """Parents by number; what points nowhere is told and left out."""
    own = "concept.fold = link.parent_code" if info.case_sensitive else "concept.fold = fold(link.parent_code)"
    database.create_function("fold", 1, str.casefold, deterministic=True)
    linked = f"SELECT link.child, concept.id FROM link CROSS JOIN concept ON {own}"
    database.execute(f"INSERT OR IGNORE INTO parent {linked}")
    unknown = (
        "SELECT child.code, link.parent_code FROM link CROSS JOIN concept AS child ON child.id = link.child "
        f"WHERE NOT EXISTS (SELECT 1 FROM concept WHERE {own})"
    )
    for child, parent in database.execute(unknown):
        lacking(child, parent)
    database.execute("DROP TABLE link")
    database.execute("CREATE INDEX parent_of ON parent (parent, child)")


def _close(database: sqlite3.Connection, size: int) -> None:
    """The closure, in its order, and how many are below whom."""
    hierarchy = Hierarchy(size, database.execute("SELECT parent, child FROM parent ORDER BY parent, child"))
    closure, below = Filling(database, "closure", 2), Filling(database, "below", 2)
    for ancestor, found in hierarchy.rows():
        closure.values += chain.from_iterable(zip(repeat(ancestor), found, strict=False))
        if len(found) >= MANY:
            below.values += ancestor, len(found)
        if len(closure.values) >= BATCH * 10:
            closure.put()
    closure.put()
    below.put()
