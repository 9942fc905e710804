"""What a catalog holds, as rows for ``terminology list``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from terminology.catalog import Catalog

Row = dict[str, Any]


def rows(catalog: Catalog, kind: str) -> Iterator[Row]:
    """One row for each version of each resource of a kind (a key of ``KINDS``)."""
    return KINDS[kind](catalog)


def _code_systems(catalog: Catalog) -> Iterator[Row]:
    for url in sorted(catalog.urls()):
        for provider in catalog.editions(url):
            info = provider.info
            yield {
                "url": url,
                "version": info.canonical.version,
                "name": info.name,
                "status": info.status,
                "content": info.content,
                "count": info.count,
            }


def _value_sets(catalog: Catalog) -> Iterator[Row]:
    for held in sorted(catalog.all_value_sets(), key=lambda held: str(held.info.canonical)):
        canonical = held.info.canonical
        yield {
            "url": canonical.url,
            "version": canonical.version,
            "name": held.info.name,
            "status": held.info.status,
        }


def _concept_maps(catalog: Catalog) -> Iterator[Row]:
    for held in sorted(catalog.maps(), key=lambda held: str(held.canonical)):
        yield {
            "url": held.canonical.url,
            "version": held.canonical.version,
            "status": held.status,
            "source": str(held.source_scope) if held.source_scope else None,
            "target": str(held.target_scope) if held.target_scope else None,
            "count": len(held.rows),
        }


def _supplements(catalog: Catalog) -> Iterator[Row]:
    for held in sorted(catalog.all_supplements(), key=lambda held: str(held.info.canonical)):
        info = held.info
        yield {
            "url": info.canonical.url,
            "version": info.canonical.version,
            "name": info.name,
            "status": info.status,
            "supplements": str(info.supplements) if info.supplements else None,
            "language": info.language if info.language_pack else None,
            "count": len(held.additions),
        }


KINDS: Mapping[str, Callable[[Catalog], Iterator[Row]]] = {
    "code-systems": _code_systems,
    "value-sets": _value_sets,
    "concept-maps": _concept_maps,
    "supplements": _supplements,
}
