"""The terminology as data of a Spark job: packed on the driver, opened once in each Python worker.

What is loaded into ``data_dir``, and the SQLite store of created resources, travel as one backup file among the files
of the job; resources that were given as such travel beside it. A node unpacks the backup once, verified to the last
byte; its workers share the files.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Mapping
from dataclasses import field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from terminology import discovery
from terminology.backup.making import Places, Progress, make
from terminology.backup.restoring import restore
from terminology.frozen import dataclass
from terminology.issues import NotSupported, issue
from terminology.service import Terminology
from terminology.settings import TABLE, Settings
from terminology.storage.durable import locked
from terminology.storage.library import Library

DISTRIBUTION = "flask-fhir-terminology"
STORE = "store.sqlite"
_SQLITE = "sqlite:///"
_OF_THE_DRIVER = frozenset(("content", "data_dir", "state_path", "store", "host", "port", "workers", "threads"))
_opened: dict[str, Terminology] = {}
_opening = threading.Lock()


@dataclass(frozen=True)
class Content:
    """What a worker needs to open the terminology: made by ``share``, carried along with every column.

    ``key`` names it among the job's files and in the workers; ``packed`` is false where nothing was loaded.
    """

    key: str
    packed: bool
    resources: tuple[Any, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def opened(self, files: Path | None = None) -> Terminology:
        """The terminology in this process, opened by the first who asks. ``files`` is the folder of the job's files
        where Spark does not know it: in a process that it did not start."""
        with _opening:
            if self.key not in _opened:
                settings = dict(self.settings)
                if self.packed:
                    packed = _name(self.key)
                    settings["data_dir"] = str(_unpacked(files / packed if files else Path(SparkFiles.get(packed))))
                _opened[self.key] = Terminology(content=self.resources, **settings)
            return _opened[self.key]


def share(spark: SparkSession, *, content: Iterable[Any] = (), **settings: Any) -> Content:
    """The terminology that ``Terminology(content=…, **settings)`` answers with, for the workers of a session.

    It stays what it was at this moment. Raises SettingsError, and NotSupported for a store that is no SQLite file.
    """
    held = Settings.load(stated=settings)
    key = uuid4().hex
    places = _places(held)
    if places is not None:
        folder = Path(tempfile.mkdtemp(prefix="terminology-spark-"))
        make(folder / _name(key), places, version(DISTRIBUTION), Progress())
        spark.sparkContext.addFile(str(folder / _name(key)))
    kept = {
        each.name: getattr(held, each.name)
        for each in TABLE
        if each.name not in _OF_THE_DRIVER and getattr(held, each.name) != each.default
    }
    return Content(key, places is not None, tuple(_resources((*held.content, *content))), kept)


def _name(key: str) -> str:
    return f"terminology-{key}.tar"


def _resources(content: Iterable[Any]) -> Iterable[Any]:
    """Files are read here: a node may not have them."""
    for entry in content:
        if isinstance(entry, (str, Path)):
            yield from discovery.read(Path(entry))
        else:
            yield entry


def _places(settings: Settings) -> Places | None:
    """What is to be packed; None where nothing was loaded and nothing is stored."""
    if settings.store and not settings.store.startswith(_SQLITE):
        raise NotSupported(issue("OWN_SPARK_STORE"))
    folder = Path(settings.data_dir) if settings.data_dir else None
    stated = Path(settings.store.removeprefix(_SQLITE)) if settings.store else None
    store = stated or (folder / STORE if folder else None)
    if store is not None and not store.is_file():
        store = None
    if folder is not None and folder.is_dir():
        return Places(Library(folder), None, store)
    return Places(Library(Path(tempfile.mkdtemp(prefix="terminology-spark-"))), None, store) if store else None


def _unpacked(archive: Path) -> Path:
    """The folder of a packed terminology on this node; the workers of the node wait for the first."""
    folder = archive.with_suffix(".data")
    folder.mkdir(exist_ok=True)
    library = Library(folder)
    with locked(archive.with_suffix(".lock")):
        if library.stamp() is None:
            restore(archive, Places(library, None, folder / STORE), Progress(), replace=True)
    return folder
