"""The records of a Bundle, each with its place: Bundles may lie in Bundles, and what is no record is told."""

from __future__ import annotations

from collections.abc import Iterator

from terminology.issues import issue
from terminology.model import Issue, Json

DEEPEST = 8
"""So many Bundles may lie in each other."""


def records(parsed: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, Json | Issue]]:
    """A resource that is no Bundle is itself, under ``path``; of a Bundle everything that lies in it, under the path
    that leads there. An Issue stands for what is no resource, and for what lies too deep."""
    if not isinstance(parsed, dict) or not isinstance(parsed.get("resourceType"), str):
        yield path, issue("OWN_INPUT_RESOURCE", "resourceType is missing")
    elif parsed["resourceType"] != "Bundle":
        yield path, parsed
    elif depth == DEEPEST:
        yield path, issue("OWN_INPUT_DEEP", DEEPEST)
    else:
        yield from _entries(parsed.get("entry", []), path, depth)


def _entries(entries: object, path: str, depth: int) -> Iterator[tuple[str, Json | Issue]]:
    if not isinstance(entries, list):
        yield path, issue("OWN_INPUT_RESOURCE", "Bundle.entry is no list")
        return
    for place, entry in enumerate(entries):
        inner = f"{path or 'Bundle'}.entry[{place}].resource"
        if not isinstance(entry, dict):
            yield inner, issue("OWN_INPUT_RESOURCE", "the entry is no object")
        elif "resource" in entry:
            yield from records(entry["resource"], inner, depth + 1)
