"""What is published: installed content and the operator's own, brought together in one Catalog.

The only place where concrete things meet. Installed packages offer content through the entry points
``terminology.codesystems``, ``terminology.valuesets`` and ``terminology.conceptmaps``: a function that returns paths,
resources (R5 form) or providers. Our own folders come in by the same doors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from terminology import resources
from terminology.catalog import Catalog
from terminology.issues import Invalid, issue
from terminology.model import CodeSystemProvider, FhirVersion, Json
from terminology.settings import Settings

GROUPS = ("terminology.codesystems", "terminology.valuesets", "terminology.conceptmaps")
Content = Json | Path | str | CodeSystemProvider


def published(settings: Settings, fhir: FhirVersion, content: Iterable[Any] = ()) -> Catalog:
    """The catalog of a service. ``content`` and ``settings.content`` lie over what is installed; raises Invalid for a
    resource that cannot be processed."""
    installed = list(_installed()) if settings.installed_content else []
    own = [*content, *settings.content]
    base = _layer(installed)
    return _layer(own).over(base) if own else base


@cache
def _installed() -> tuple[Content, ...]:
    found: list[Content] = []
    for group in GROUPS:
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
            offer: Callable[[], Iterable[Content]] = entry.load()
            found.extend(offer())
    return tuple(found)


def _layer(content: Iterable[Content]) -> Catalog:
    providers: dict[str, tuple[CodeSystemProvider, ...]] = {}
    plain: list[Json] = []
    for entry in content:
        if isinstance(entry, dict):
            plain.append(entry)
        elif isinstance(entry, (str, Path)):
            plain.extend(read(Path(entry)))
        else:
            url = entry.info.canonical.url
            providers[url] = (*providers.get(url, ()), entry)
    made = resources.layer(plain)
    if not providers:
        return made
    joined = {url: (*made.code_systems.get(url, ()), *held) for url, held in providers.items()}
    return replace(made, code_systems={**made.code_systems, **joined})


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
