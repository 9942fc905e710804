"""Code-system files: one loaded (url, version) of a code system, compiled to SQLite, immutable, read-only.

A file is written in full, closed, hashed, opened again and counted before it gets its name, so that a reader never
sees half of one. Its name ends in the hash of its content. Inside: concepts in the order of the source, parents, the
transitive closure (each concept above itself), designations, typed properties, a text index over codes and names, and
the sizes of what is large, so that a first page with its total costs a page.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from terminology import patterns
from terminology.model import Canonical, CodeSystemInfo, Concept, Json, PropertyDefinition

FORMAT = 2
SUFFIX = ".codesystem"
BATCH = 5_000
STEPS = 1_000_000
"""Steps of SQLite's between two calls of ``progress`` while concepts are linked."""
MANY = 200
"""From how many concepts on the number of those below a concept, or with a property, is kept and not counted."""

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE concept (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL, fold TEXT NOT NULL, display TEXT, definition TEXT, status TEXT,
    abstract INTEGER NOT NULL, inactive INTEGER NOT NULL, valid_from TEXT, valid_to TEXT, extensions TEXT);
CREATE TABLE parent (child INTEGER NOT NULL, parent INTEGER NOT NULL, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE closure (
    ancestor INTEGER NOT NULL, descendant INTEGER NOT NULL, PRIMARY KEY (ancestor, descendant)) WITHOUT ROWID;
CREATE TABLE designation (
    concept INTEGER NOT NULL, place INTEGER NOT NULL, value TEXT NOT NULL, language TEXT, use TEXT,
    status TEXT NOT NULL, extensions TEXT, PRIMARY KEY (concept, place)) WITHOUT ROWID;
CREATE TABLE property (
    concept INTEGER NOT NULL, place INTEGER NOT NULL, code TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (concept, place)) WITHOUT ROWID;
CREATE TABLE property_text (
    code TEXT NOT NULL, text TEXT NOT NULL, concept INTEGER NOT NULL, PRIMARY KEY (code, text, concept)) WITHOUT ROWID;
CREATE TABLE below (ancestor INTEGER PRIMARY KEY, concepts INTEGER NOT NULL);
CREATE TABLE with_property (
    code TEXT NOT NULL, text TEXT NOT NULL, concepts INTEGER NOT NULL, PRIMARY KEY (code, text)) WITHOUT ROWID;
CREATE TEMP TABLE link (child INTEGER NOT NULL, parent_code TEXT NOT NULL);
CREATE TEMP TABLE stated (code TEXT NOT NULL, text TEXT NOT NULL, concept INTEGER NOT NULL);
CREATE VIRTUAL TABLE search USING fts5 (
    names, content='', columnsize=0, detail='none', tokenize="unicode61 remove_diacritics 2", prefix='2 3');
"""

_INDEXES = (
    "CREATE INDEX parent_of ON parent (parent, child)",
    "CREATE INDEX ancestors_of ON closure (descendant, ancestor)",
    "CREATE INDEX concept_status ON concept (inactive, id)",
)
_TALLIES = (
    "INSERT INTO below SELECT ancestor, count(*) FROM closure GROUP BY ancestor HAVING count(*) >= ?",
    "INSERT INTO with_property SELECT code, text, count(*) FROM property_text GROUP BY 1, 2 HAVING count(*) >= ?",
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file holds and where it came from. ``refused`` counts the rows of the source that were left out."""

    url: str
    version: str | None
    content: str
    concepts: int
    designations: int
    properties: int
    hash: str
    source: str = ""
    licence: str = ""
    refused: int = 0


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
) -> tuple[Path, Manifest]:
    """Compiles concepts (in the order to keep; a parent may come later) into ``folder``; memory stays bounded.

    Returns the path of the finished file; the same content gives the same name. Raises Duplicate. Killed at any moment
    it leaves at most a temporary file that the next call removes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(f".*{SUFFIX}.part*"):
        if not _alive(stale):
            stale.unlink(missing_ok=True)
    part = folder / f".{os.getpid()}-{threading.get_ident()}{SUFFIX}.part"
    part.unlink(missing_ok=True)
    try:
        manifest = _write(part, info, concepts, (source, licence), telling)
        digest = _hash(part)
        target = folder / f"{_slug(info.canonical)}-{digest[:16]}{SUFFIX}"
        _verify(part, manifest)
        part.replace(target)
        _sync(folder)
    finally:
        part.unlink(missing_ok=True)
    return target, replace(manifest, hash=digest)


def _alive(part: Path) -> bool:
    owner = part.name[1:].partition("-")[0]
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return int(owner) != os.getpid()


def _slug(canonical: Canonical) -> str:
    text = f"{canonical.url.rstrip('/').rpartition('/')[2]}-{canonical.version or 'unversioned'}"
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in text)[:80]


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _verify(path: Path, manifest: Manifest) -> None:
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
        counted = database.execute("SELECT count(*) FROM concept").fetchone()[0]
    database.close()
    if counted != manifest.concepts:
        raise OSError(f"{path} holds {counted} concepts of {manifest.concepts}: the disk did not keep what was written")


# --- writing --------------------------------------------------------------------------------------------------


def _write(
    path: Path,
    info: CodeSystemInfo,
    concepts: Iterable[Concept],
    origin: tuple[str, str],
    telling: Telling,
) -> Manifest:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.executescript("PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF; PRAGMA page_size=8192;")
        database.execute("PRAGMA cache_size=-65536")
        database.executescript(_SCHEMA)
        database.execute("BEGIN")
        counts = _insert(database, info, concepts, telling.progress)
        database.set_progress_handler(lambda: telling.progress(counts[0]), STEPS)  # linking is half of the time
        _link(database, info, telling.lacking)
        for index in _INDEXES:
            database.execute(index)
        for tally in _TALLIES:
            database.execute(tally, (MANY,))
        database.execute("INSERT INTO search(search) VALUES ('optimize')")
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
        database.execute("ANALYZE")
    finally:
        database.close()
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
    return manifest


def _insert(
    database: sqlite3.Connection, info: CodeSystemInfo, concepts: Iterable[Concept], progress: Callable[[int], None]
) -> tuple[int, int, int]:
    iterator, done, designations, properties = iter(concepts), 0, 0, 0
    while batch := list(islice(iterator, BATCH)):
        numbered = list(enumerate(batch, done + 1))
        database.executemany(
            "INSERT INTO concept VALUES (?,?,?,?,?,?,?,?,?,?,?)", (_row(i, c, info) for i, c in numbered)
        )
        database.executemany(
            "INSERT INTO link VALUES (?, ?)", ((i, parent) for i, c in numbered for parent in c.parents)
        )
        named = [row for i, c in numbered for row in _designations(i, c)]
        stated = [row for i, c in numbered for row in _properties(i, c)]
        database.executemany("INSERT INTO designation VALUES (?,?,?,?,?,?,?)", named)
        database.executemany("INSERT INTO property VALUES (?,?,?,?,?)", stated)
        database.executemany("INSERT INTO stated VALUES (?,?,?)", (row for i, c in numbered for row in _texts(i, c)))
        database.executemany("INSERT INTO search(rowid, names) VALUES (?, ?)", ((i, _names(c)) for i, c in numbered))
        done, designations, properties = done + len(batch), designations + len(named), properties + len(stated)
        progress(done)
    return done, designations, properties


def _row(number: int, concept: Concept, info: CodeSystemInfo) -> tuple[Any, ...]:
    fold = concept.code if info.case_sensitive else concept.code.casefold()
    extensions = json.dumps(list(concept.extensions), default=str) if concept.extensions else None
    return (
        number,
        concept.code,
        fold,
        concept.display,
        concept.definition,
        concept.status,
        int(concept.abstract),
        int(concept.inactive),
        concept.valid_from,
        concept.valid_to,
        extensions,
    )


def _designations(number: int, concept: Concept) -> Iterator[tuple[Any, ...]]:
    for place, held in enumerate(concept.designations):
        use = json.dumps(dict(held.use)) if held.use else None
        extensions = json.dumps(list(held.extensions), default=str) if held.extensions else None
        yield number, place, held.value, held.language, use, held.status, extensions


def _properties(number: int, concept: Concept) -> Iterator[tuple[Any, ...]]:
    for place, held in enumerate(concept.properties):
        yield number, place, held.code, held.type, json.dumps(held.value, default=_number)


def _number(value: Any) -> Any:
    """A decimal as an object of its own, so that its text survives."""
    if isinstance(value, Decimal):
        return {"\0decimal": str(value)}
    raise TypeError(value)


def revived(held: dict[str, Any]) -> Any:
    """The JSON hook that undoes ``_number``."""
    return Decimal(held["\0decimal"]) if "\0decimal" in held else held


def _texts(number: int, concept: Concept) -> Iterator[tuple[str, str, int]]:
    for held in concept.properties:
        for text in property_texts(held.value):
            yield held.code, text, number


def property_texts(value: Any) -> tuple[str, ...]:
    """A property value as filters compare it: a Coding is its code, and its ``system|code``."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, dict):
        code = str(value.get("code", ""))
        return (code, f"{value['system']}|{code}") if "system" in value else (code,)
    return (str(value),)


def _names(concept: Concept) -> str:
    return "\n".join((concept.code, concept.display or "", *(held.value for held in concept.designations)))


def _link(database: sqlite3.Connection, info: CodeSystemInfo, lacking: Callable[[str, str], None]) -> None:
    """Parents by number, and the closure, grown level by level; what points nowhere is told and left out."""
    duplicate = database.execute("SELECT code FROM concept GROUP BY fold HAVING count(*) > 1 LIMIT 1").fetchone()
    if duplicate:
        raise Duplicate(duplicate[0], info.canonical)
    database.execute("CREATE UNIQUE INDEX concept_code ON concept (fold)")
    own = "concept.fold = link.parent_code" if info.case_sensitive else "concept.fold = fold(link.parent_code)"
    database.create_function("fold", 1, str.casefold, deterministic=True)
    database.execute(f"INSERT OR IGNORE INTO parent SELECT link.child, concept.id FROM link JOIN concept ON {own}")
    unknown = (
        "SELECT child.code, link.parent_code FROM link JOIN concept AS child ON child.id = link.child "
        f"WHERE NOT EXISTS (SELECT 1 FROM concept WHERE {own})"
    )
    for child, parent in database.execute(unknown):
        lacking(child, parent)
    database.execute("INSERT OR IGNORE INTO property_text SELECT code, text, concept FROM stated ORDER BY 1, 2, 3")
    database.execute("DROP TABLE link")
    database.execute("DROP TABLE stated")
    database.execute("INSERT INTO closure SELECT id, id FROM concept")
    database.execute("CREATE TEMP TABLE level (ancestor INTEGER, descendant INTEGER)")
    database.execute("CREATE TEMP TABLE next_level (ancestor INTEGER, descendant INTEGER)")
    database.execute("INSERT INTO level SELECT parent, child FROM parent WHERE parent <> child")
    while database.execute("SELECT 1 FROM level LIMIT 1").fetchone():
        database.execute(
            "INSERT INTO next_level SELECT DISTINCT parent.parent, level.descendant FROM level "
            "JOIN parent ON parent.child = level.ancestor WHERE parent.parent <> level.descendant"
        )
        database.execute("INSERT OR IGNORE INTO closure SELECT ancestor, descendant FROM level ORDER BY 1, 2")
        database.execute("DELETE FROM level")
        database.execute(
            "INSERT INTO level SELECT ancestor, descendant FROM next_level WHERE NOT EXISTS (SELECT 1 FROM closure "
            "WHERE closure.ancestor = next_level.ancestor AND closure.descendant = next_level.descendant)"
        )
        database.execute("DELETE FROM next_level")


# --- what a file says about itself ------------------------------------------------------------------------------


def dump_info(info: CodeSystemInfo) -> str:
    """CodeSystemInfo as JSON."""
    held = asdict(info)
    held["labels"] = sorted(info.labels)
    return json.dumps(held, sort_keys=True)


def load_info(text: str) -> CodeSystemInfo:
    """CodeSystemInfo from ``dump_info``; unknown members of a newer format are ignored."""
    held: Json = json.loads(text)
    known = {field.name for field in fields(CodeSystemInfo)}
    held = {name: value for name, value in held.items() if name in known}
    held["canonical"] = Canonical(**held["canonical"])
    if held.get("supplements"):
        held["supplements"] = Canonical(**held["supplements"])
    held["properties"] = tuple(PropertyDefinition(**entry) for entry in held["properties"])
    held["filters"] = tuple((code, tuple(ops)) for code, ops in held["filters"])
    held["labels"] = frozenset(held["labels"])
    return CodeSystemInfo(**held)


class CodeSystemFile:
    """An open file. One read-only connection per thread, closed when the thread or the last reader of the file is
    gone; nothing here is ever written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: list[tuple[threading.Thread, sqlite3.Connection]] = []
        weakref.finalize(self, _close, self._opened)
        try:
            meta = dict(self.connection.execute("SELECT name, value FROM meta").fetchall())
        except sqlite3.Error as failed:
            raise OSError(f"{path} cannot be read: {failed}") from failed
        if meta.get("format") != str(FORMAT):
            raise ValueError(f"{path} is of the format {meta.get('format')}, not {FORMAT}. Import its source again")
        self.info = load_info(meta["info"])
        self.manifest = Manifest(**json.loads(meta["manifest"]))

    @property
    def connection(self) -> sqlite3.Connection:
        held: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if held is None:
            held = sqlite3.connect(f"file:{self.path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
            self._keep(held)
            held.execute("PRAGMA query_only=1")
            held.create_function("matches", 2, _matches, deterministic=True)
            held.execute("PRAGMA cache_size=-8192")
            self._local.connection = held
        return held

    def _keep(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            gone = [entry for entry in self._opened if not entry[0].is_alive()]
            self._opened[:] = [entry for entry in self._opened if entry not in gone]
            self._opened.append((threading.current_thread(), connection))
        _close(gone)


def _close(opened: list[tuple[threading.Thread, sqlite3.Connection]]) -> None:
    for _, connection in opened:
        connection.close()


def _matches(pattern: str, text: str | None) -> bool:
    return text is not None and patterns.fullmatch(pattern, text)
