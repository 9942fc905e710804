"""What is published: installed content and the operator's own, brought together in one Catalog.

The only place where concrete things meet. Installed packages offer content through the entry points
``terminology.codesystems``, ``terminology.valuesets`` and ``terminology.conceptmaps``: a function that returns paths,
resources (R5 form), providers, grammars, or shelves for what is too much to be read at start. Our own folders come in
by the same doors. Shelves lie below everything else, what was loaded into ``data_dir`` above.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from terminology import described, naming, resources, shelves
from terminology.catalog import Catalog
from terminology.issues import Invalid, Refusal, issue
from terminology.model import FHIR_VERSIONS, Canonical, CodeSystemProvider, Expressions, FhirVersion, Grammar, Json
from terminology.providers.computed import Computed
from terminology.providers.file import FileProvider
from terminology.settings import Settings
from terminology.shelves import Shelf
from terminology.storage.library import Entry, Library
from terminology.wire import json_text

GROUPS = ("terminology.codesystems", "terminology.valuesets", "terminology.conceptmaps")
Content = Json | Path | str | CodeSystemProvider | Grammar | Expressions | Shelf

CHECKED_EVERY = 1.0
"""Seconds between two looks at the folder of loaded content."""
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
logger = logging.getLogger(__name__)

CORE = "fhir-core"
"""The entry point with what the FHIR specification itself defines; ``core_content`` turns it off."""


def published(settings: Settings, fhir: FhirVersion, content: Iterable[Any] = ()) -> Catalog:
    """The catalog of a service. ``content`` and ``settings.content`` lie over what is installed; raises Invalid for a
    resource that cannot be processed."""
    base = _base(settings.installed_content, settings.core_content, fhir)
    own = [*content, *settings.content]
    return _layers(own, fhir).over(base) if own else base


@cache
def _base(installed: bool, core: bool, fhir: FhirVersion) -> Catalog:
    """The installed content: compiled once for all services of a process, and of those that it forks."""
    offers = _installed() if installed else ()
    return _layers([each for name, offer in offers if core or name != CORE for each in offer], fhir)


@cache
def _installed() -> tuple[tuple[str, tuple[Content, ...]], ...]:
    """By name, what each entry point offers."""
    found: list[tuple[str, tuple[Content, ...]]] = []
    offered = entry_points()  # each call reads what every installed distribution says of itself
    for group in GROUPS:
        for entry in sorted(offered.select(group=group), key=lambda entry: entry.name):
            offer: Callable[[], Iterable[Content]] = entry.load()
            found.append((entry.name, tuple(offer())))
    return tuple(found)


def _layers(content: Iterable[Content], fhir: FhirVersion) -> Catalog:
    providers: dict[str, tuple[CodeSystemProvider, ...]] = {}
    plain: list[Json] = []
    held: list[Shelf] = []
    rules: list[Grammar | Expressions] = []
    computed: list[Json] = []
    for entry in content:
        if isinstance(entry, dict):
            plain.append(entry)
        elif isinstance(entry, (str, Path)):
            plain.extend(read(Path(entry)))
        elif isinstance(entry, Shelf):
            held.append(entry)
        elif isinstance(entry, Expressions):
            rules.append(entry)
        else:
            if isinstance(entry, Grammar):
                rules.append(entry)
                computed.append(described.code_system(entry))
            provider = Computed(entry) if isinstance(entry, Grammar) else entry
            url = provider.info.canonical.url
            providers[url] = (*providers.get(url, ()), provider)
    made = resources.layer(plain)
    joined = {url: (*made.code_systems.get(url, ()), *more) for url, more in providers.items()}
    made = replace(
        made,
        code_systems={**made.code_systems, **joined},
        resources={**made.resources, "CodeSystem": {**made.resources.get("CodeSystem", {}), **_by_id(computed)}},
        rules=tuple(rules),
    )
    visible = [shelf for shelf in held if shelf.fhir in (None, fhir)]
    return made.over(shelves.layer(visible)) if visible else made


def _by_id(resources: Iterable[Json]) -> dict[str, Json]:
    return {resource["id"]: resource for resource in resources}


def read(path: Path) -> Iterator[Json]:
    """The resources of a JSON file or of all JSON files below a folder; raises Invalid naming the file."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    for file in files:
        try:
            held = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as failed:
            raise Invalid(issue("OWN_RESOURCE_INVALID", "file", file, failed)) from failed
        yield from (
            (entry["resource"] for entry in held.get("entry", [])) if held.get("resourceType") == "Bundle" else (held,)
        )


# --- what was loaded ------------------------------------------------------------------------------------------


class Loaded:
    """The content of ``data_dir``, over what is published. Each process looks once a second whether it changed."""

    def __init__(self, folder: str | None) -> None:
        self._library = Library(Path(folder)) if folder else None
        self._stamp: tuple[int, int, int] | None = None
        self._layer: Catalog | None = None
        self._entries: tuple[Entry, ...] = ()
        self._over: dict[int, tuple[Catalog, Catalog]] = {}
        self._next = 0.0

    def over(self, base: Catalog, fhir: FhirVersion = "R5") -> Catalog:
        """``base`` with what is loaded over it, as readers of that FHIR version see it; the first call raises Invalid
        when that cannot be read."""
        layer = self.layer()
        if layer is None:
            return base
        known = self._over.get(id(base))
        if known is None:
            seen = replace(layer, behind=_behind(self._entries, fhir))
            known = base, _renewed(base, layer).over(seen.over(base))
            self._over[id(base)] = known
        return known[1]

    def layer(self) -> Catalog | None:
        """What is loaded, another object whenever that changed; raises as ``over`` does."""
        if self._library is not None and time.monotonic() >= self._next:
            self._next = time.monotonic() + CHECKED_EVERY
            self._refresh(self._library)
        return self._layer

    def _refresh(self, library: Library) -> None:
        stamp = library.stamp()
        if stamp == self._stamp:
            return
        try:
            entries = library.entries() if stamp else ()
            made = loaded(library, entries) if stamp else None
        except Refusal:
            if self._layer is None:
                raise
            logger.exception("The loaded content cannot be read; what was read before stays")
        else:
            self._layer, self._entries, self._over = made, entries, {}
        self._stamp = stamp


def _behind(entries: Iterable[Entry], fhir: FhirVersion) -> dict[Canonical, int]:
    """How far a reader of one FHIR version puts loaded content behind other versions of it: by one what its package
    made for other FHIR versions only, by two what a FHIR release took up from others."""
    release = FHIR_VERSIONS[fhir].rpartition(".")[0]
    found: dict[Canonical, int] = {}
    for entry in entries:
        fits = not entry.fhir or any(each.startswith(release) for each in entry.fhir)
        if behind := 2 if entry.snapshot else int(not fits):
            found[entry.canonical] = behind
    return found


def loaded(library: Library, entries: Iterable[Entry] | None = None) -> Catalog:
    """What entries of the library (all of them, unless some are given) hold as a layer; of code-system files only what
    they say about themselves is read. Raises Invalid for what cannot be read."""
    systems: dict[str, tuple[CodeSystemProvider, ...]] = {}
    heads: dict[str, Json] = {}
    plain: list[Json] = []
    later: list[Entry] = []
    for entry in _told_apart(library.entries() if entries is None else entries):
        try:
            if entry.compiled:
                systems[entry.url] = (*systems.get(entry.url, ()), FileProvider.open(library.path(entry)))
                heads[entry.id] = {**entry.head, "meta": {**entry.head.get("meta", {}), "tag": [SUBSETTED]}}
            elif entry.kind in shelves.KINDS and entry.head.get("content") != "supplement":
                later.append(entry)
            else:
                plain.append(json_text.read(library.path(entry).read_bytes()))
        except (OSError, ValueError) as failed:
            raise Invalid(issue("OWN_LIBRARY_UNREADABLE", library.path(entry), failed)) from failed
    files = Catalog(
        code_systems=systems,
        aliases=naming.of_code_systems(heads.values()),
        resources={"CodeSystem": heads},
        heads={"CodeSystem": heads},
    )
    return files.over(resources.layer(plain).over(shelves.layer([_Resources(library, later)])))


def _renewed(base: Catalog, layer: Catalog) -> Catalog:
    """The computed code systems whose source was loaded, made of that."""
    made: dict[str, tuple[CodeSystemProvider, ...]] = {}
    computed: list[Json] = []
    for rule in (rule for each in base.layers() for rule in each.rules):
        if not isinstance(rule, Grammar) or rule.source is None or rule.renewed is None:
            continue
        if held := layer.code_system(rule.source):
            grammar = rule.renewed(held)
            made[grammar.info.canonical.url] = (Computed(grammar),)
            computed.append(described.code_system(grammar))
    return Catalog(code_systems=made, resources={"CodeSystem": _by_id(computed)} if computed else {})


def provider_of(library: Library, entry: Entry) -> CodeSystemProvider:
    """The code system of one entry, whichever way it is kept. Raises Invalid for what cannot be read."""
    path = library.path(entry)
    try:
        return FileProvider.open(path) if entry.compiled else resources.code_system(json_text.read(path.read_bytes()))
    except (OSError, ValueError) as failed:
        raise Invalid(issue("OWN_LIBRARY_UNREADABLE", path, failed)) from failed


def _told_apart(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, so that no two of a kind have one id (versions of one resource often do)."""
    taken: set[tuple[str, str]] = set()
    for entry in entries:
        identity, number = entry.id, 1
        while (entry.kind, identity) in taken:
            number += 1
            identity = f"{entry.id[:60]}-{number}"
        taken.add((entry.kind, identity))
        yield replace(entry, id=identity, head={**entry.head, "id": identity})


class _Resources:
    """The shelf of loaded resources."""

    fhir: FhirVersion | None = None

    def __init__(self, library: Library, entries: Iterable[Entry]) -> None:
        self._library = library
        self._entries = {(entry.kind, entry.id): entry for entry in entries}

    def heads(self) -> Iterable[Json]:
        return [entry.head for entry in self._entries.values()]

    def read(self, kind: str, identity: str) -> Json:
        return {**json_text.read(self._library.path(self._entries[kind, identity]).read_bytes()), "id": identity}
