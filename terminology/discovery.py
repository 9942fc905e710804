"""What is published: installed content and the operator's own, brought together in one Catalog.

The only place where concrete things meet. Installed packages offer content through the entry points
``terminology.codesystems``, ``terminology.valuesets`` and ``terminology.conceptmaps``: a function that returns paths,
resources (R5 form), providers, or shelves for what is too much to be read at start. Our own folders come in by the
same doors. Shelves lie below everything else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from terminology import resources, shelves
from terminology.catalog import Catalog
from terminology.issues import Invalid, issue
from terminology.model import CodeSystemProvider, FhirVersion, Json
from terminology.settings import Settings
from terminology.shelves import Shelf

GROUPS = ("terminology.codesystems", "terminology.valuesets", "terminology.conceptmaps")
Content = Json | Path | str | CodeSystemProvider | Shelf


CORE = "fhir-core"
"""The entry point with what the FHIR specification itself defines; ``core_content`` turns it off."""


def published(settings: Settings, fhir: FhirVersion, content: Iterable[Any] = ()) -> Catalog:
    """The catalog of a service. ``content`` and ``settings.content`` lie over what is installed; raises Invalid for a
    resource that cannot be processed."""
    offers = _installed() if settings.installed_content else ()
    installed = [each for name, offer in offers if settings.core_content or name != CORE for each in offer]
    own = [*content, *settings.content]
    base = _layers(installed, fhir)
    return _layers(own, fhir).over(base) if own else base


@cache
def _installed() -> tuple[tuple[str, tuple[Content, ...]], ...]:
    """By name, what each entry point offers."""
    found: list[tuple[str, tuple[Content, ...]]] = []
    for group in GROUPS:
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
            offer: Callable[[], Iterable[Content]] = entry.load()
            found.append((entry.name, tuple(offer())))
    return tuple(found)


def _layers(content: Iterable[Content], fhir: FhirVersion) -> Catalog:
    providers: dict[str, tuple[CodeSystemProvider, ...]] = {}
    plain: list[Json] = []
    held: list[Shelf] = []
    for entry in content:
        if isinstance(entry, dict):
            plain.append(entry)
        elif isinstance(entry, (str, Path)):
            plain.extend(read(Path(entry)))
        elif isinstance(entry, Shelf):
            held.append(entry)
        else:
            url = entry.info.canonical.url
            providers[url] = (*providers.get(url, ()), entry)
    made = resources.layer(plain)
    joined = {url: (*made.code_systems.get(url, ()), *more) for url, more in providers.items()}
    made = replace(made, code_systems={**made.code_systems, **joined})
    visible = [shelf for shelf in held if shelf.fhir in (None, fhir)]
    return made.over(shelves.layer(visible)) if visible else made


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
