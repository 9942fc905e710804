"""The resources that a client brings: with a request (``tx-resource``), or earlier, into a cache.

Two ways lead to a cache (https://hl7.org/fhir/tools/terminology-caching.html): the header ``X-Cache-Id`` with an id
that ``$cache-control`` drew, and for older clients the parameter ``cache-id`` with an id of their own, which the first
resources sent with it start. A cache that is not sealed takes up what requests bring with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from terminology.catalog import Catalog
from terminology.issues import Invalid, NotFound, issue
from terminology.layers import Layer, Layers, Part
from terminology.model import Json
from terminology.operation import Operation
from terminology.parameters import Arguments
from terminology.request import Exchange, client
from terminology.settings import Settings
from terminology.storage import Cache, Storage

PRIMARY = ("valueSet", "codeSystem")
"""Parameters whose resource a cache takes up, where it has a url."""
GUESSABLE = 16
"""Characters that an id of a client's own must have to be its alone; those in use are UUIDs."""


class Guests:
    """The layers of resources that requests bring, for one service."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._settings = settings
        self._storage = storage
        self._layers = Layers(2 * settings.cache_size)

    def layers(self, operation: Operation, arguments: Arguments, exchange: Exchange) -> tuple[Catalog, ...]:
        """The layers over what is published, the top one first; raises Refusal."""
        sent = arguments.all("tx-resource")
        if len(sent) > self._settings.resource_limit:
            limit = self._settings.resource_limit
            raise Invalid(issue("OWN_TOO_MANY", "tx-resource", limit, "resource_limit", at="tx-resource"))
        own = self._layers.of(sent) if sent else None
        cached = self._cached(operation, arguments, exchange, own)
        return tuple(layer.catalog for layer in (own, cached) if layer is not None)

    def _cached(
        self, operation: Operation, arguments: Arguments, exchange: Exchange, own: Layer | None
    ) -> Layer | None:
        identity = exchange.cache_id or arguments.get("cache-id")
        if not identity or operation.parameter("cache-id") is None:
            return None
        issued, who = bool(exchange.cache_id), client(exchange)
        if not self._settings.cache_control:
            return _unknown(identity) if issued else None
        caches = self._storage.caches
        cache = caches.find(who, exchange.fhir, identity)
        if issued and (cache is None or not cache.issued):
            return _unknown(identity)
        if cache is not None and cache.sealed:
            return self._kept(cache)
        brought = {part.stored.digest: part for part in (*(own.parts if own else ()), *self._brought(arguments))}
        layer = self._kept(cache) if cache is not None else None
        new = [part.stored for digest, part in brought.items() if layer is None or digest not in layer.digests]
        if not new:
            return layer
        if cache is None and len(identity) < GUESSABLE:
            raise Invalid(issue("OWN_CACHE_ID_GUESSABLE", identity, GUESSABLE, at="cache-id"))
        grown = caches.add(who, exchange.fhir, identity, new, create=not issued)
        return _unknown(identity) if grown is None else self._kept(grown)

    def _kept(self, cache: Cache) -> Layer:
        return self._layers.known(cache.content) or self._layers.kept(self._storage.caches.resources(cache))

    def _brought(self, arguments: Arguments) -> Iterator[Part]:
        """What a cache takes up beside the request's own ``tx-resource``; what cannot be processed is left out: the
        call that it belongs to says so."""
        for resource in _inline(arguments):
            with suppress(Invalid):
                yield self._layers.part(resource)


def _inline(arguments: Arguments) -> Iterator[Any]:
    yield from (found for name in PRIMARY if _has_url(found := arguments.get(name)))
    for entry in arguments.all("validation"):
        for given in _listed(entry):
            found = given.get("resource")
            if given.get("name") == "tx-resource" or (given.get("name") in PRIMARY and _has_url(found)):
                yield found


def _listed(entry: Any) -> list[Json]:
    listed = entry.get("parameter") if isinstance(entry, dict) else None
    return [given for given in listed if isinstance(given, dict)] if isinstance(listed, list) else []


def _has_url(resource: Any) -> bool:
    return isinstance(resource, dict) and isinstance(resource.get("url"), str)


def _unknown(identity: str) -> Layer:
    raise NotFound(issue("OWN_CACHE_ID_UNKNOWN", identity[:64]))
