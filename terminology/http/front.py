"""What stands before the door: kept answers, one making of what is asked twice at once, and compression.

An answer is given again only to a request that must get the same one: equal address, query (whatever the order of its
names and its percent-encoding), media type, languages, handling and host, for the same generation of the content, from
somebody who brings no identity. The generation is read on every request. The door says which answers depend on
nothing else (``PURE``); of these the front keeps those with status 200, at once where they took ``LONG``, else when
they are asked for the second time: most that are asked for once never come again. A request that brings an identity
(Authorization, Cookie) or the id of a cache of its own never meets what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from time import perf_counter
from typing import Any

from terminology.http import compression
from terminology.http.door import Door, Environ, matches, told
from terminology.http.kept import Doorkeeper, Kept, Shelf
from terminology.http.metrics import Counters
from terminology.issues import Refusal
from terminology.languages import Languages
from terminology.rest.exchange import HEADER_LIMIT, HEADERS_LIMIT, PURE, is_strict, pairs, request_id, threshold
from terminology.rest.negotiation import accepted

Start = Callable[..., Any]
AsSent = tuple[str | None, ...]
Wsgi = Callable[[Environ, Start], Iterable[bytes]]

LONG = 0.002
"""Seconds after which the answer of a costly operation is kept the first time."""

_OK = "200 OK"
_NOT_MODIFIED = "304 Not Modified"
_ANY = Languages()


class Front:
    """A WSGI callable before another one, ``behind``. ``keeps`` says whether answers may be given without it now: an
    app to which somebody added hooks must see every request."""

    def __init__(self, behind: Wsgi, door: Door, keeps: Callable[[], bool], counters: Counters | None = None) -> None:
        settings = door.service.settings
        self.behind = behind
        self.door = door
        self.counters = counters or Counters()
        self._keeps = keeps
        self._root = f"{door.prefix}/"
        self._most = settings.response_cache
        self._least = settings.compress_from
        self._shelf = Shelf(None, self._most)
        self._doorkeeper = Doorkeeper()
        self._costly = tuple(f"/${each.name}" for each in door.operations if each.cost == "costly")

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if not environ.get("PATH_INFO", "").startswith(self._root):
            return self.behind(environ, start)
        self.counters.requests()
        if self._most and environ["REQUEST_METHOD"] == "GET" and self._may_meet(environ):
            shelf = self._current()
            if shelf is not None:
                return self._answered(shelf, environ, start)
        return self._passed(environ, start)

    # --- what is kept ----------------------------------------------------------------------------------------

    def _may_meet(self, environ: Environ) -> bool:
        """True for a request without an identity, to an app that need not see it."""
        if "HTTP_AUTHORIZATION" in environ or "HTTP_COOKIE" in environ or "HTTP_X_CACHE_ID" in environ:
            return False
        return self._keeps()

    def _current(self) -> Shelf | None:
        """The shelf of the content as it is now; None where the store cannot be asked, which the door will say."""
        try:
            generation = self.door.service.generation()
        except Refusal:
            return None
        shelf = self._shelf
        if shelf.generation is not generation:
            shelf = self._shelf = Shelf(generation, self._most)
            self.counters.renewed()
        return shelf

    def _answered(self, shelf: Shelf, environ: Environ, start: Start) -> Iterable[bytes]:
        began = perf_counter()
        alias = _as_sent(environ)
        kept = shelf.get(alias)
        if kept is None:
            key = None
            if self._doorkeeper.knows(alias):
                key = self._key(environ)
                if key is None:
                    return self._passed(environ, start)
                kept = shelf.get(key)
            if kept is None:
                return self._missed(shelf, key, alias, environ, start)
            shelf.put(alias, kept, _length(alias))
        if not _within_limits(environ):
            return self._passed(environ, start)
        self.counters.hits()
        return self._sent(shelf, kept, environ, start, began)

    def _key(self, environ: Environ) -> Hashable | None:
        """What the answer depends on beside the content; None for a request that will be refused."""
        rest = environ["PATH_INFO"][len(self._root) :]
        endpoint = self.door.endpoints.get(rest.partition("/")[0], self.door.default)
        try:
            query = pairs(environ.get("QUERY_STRING", ""))
            form = next((value for name, value in reversed(query) if name == "_format"), None)
            medium = accepted(environ.get("HTTP_ACCEPT"), form, endpoint.fhir)
            stated = environ.get("HTTP_ACCEPT_LANGUAGE")
            languages = Languages.parse(stated) if stated else _ANY
        except Refusal:
            return None
        if "$" in rest:  # an operation reads its parameters by name; a search repeats them as they came
            query = tuple(sorted(query, key=_name))
        strict, most = is_strict(environ.get("HTTP_PREFER")), threshold(environ.get("HTTP_X_TOO_COSTLY_THRESHOLD"))
        pretty = "_pretty=true" in environ.get("QUERY_STRING", "")
        return rest, query, medium, pretty, languages, strict, most, _place(environ)

    def _missed(
        self, shelf: Shelf, key: Hashable | None, alias: AsSent, environ: Environ, start: Start
    ) -> Iterable[bytes]:
        """Makes the answer, and keeps it under the key of one that was asked for before; a costly one is made only once
        for all who wait for it."""
        costly = environ["PATH_INFO"].endswith(self._costly)
        if key is None and not costly:
            self.counters.misses()
            return self._passed(environ, start)
        began = perf_counter()
        own: list[_Taken] = []

        def make() -> Kept | None:
            self.counters.misses()
            own.append(_Taken.of(self.behind, environ))
            return self._keepable(shelf, key, alias, environ, own[0], perf_counter() - began)

        kept = shelf.once(alias, make) if costly else make()
        if own:
            return self._compressed(own[0], environ, start)
        if kept is None or not _within_limits(environ):
            return self._passed(environ, start)
        self.counters.shared()
        return self._sent(shelf, kept, environ, start, began)

    def _keepable(
        self, shelf: Shelf, key: Hashable | None, alias: AsSent, environ: Environ, taken: _Taken, seconds: float
    ) -> Kept | None:
        """The answer as others may get it; kept where it was asked for before (``key``) or took long."""
        if PURE not in environ or taken.status != _OK or taken.personal:
            return None
        kept = Kept(taken.status, taken.headers, taken.body)
        if key is None and seconds > LONG:
            key = self._key(environ)
        if key is not None:
            text = _length(alias)
            shelf.put(key, kept, text)
            shelf.put(alias, kept, text)
            self.counters.holds(shelf.size)
        return kept

    # --- what is sent ----------------------------------------------------------------------------------------

    def _sent(self, shelf: Shelf, kept: Kept, environ: Environ, start: Start, began: float) -> Iterable[bytes]:
        get = environ.get
        identity = request_id(get("HTTP_X_REQUEST_ID"))
        status, headers, body = kept.status, kept.plain, kept.body
        coding = get("HTTP_ACCEPT_ENCODING")
        known = get("HTTP_IF_NONE_MATCH")
        if known is not None and (etag := kept.etag) is not None and matches(known, etag):
            status, headers, body = _NOT_MODIFIED, kept.not_modified, b""
        elif coding is not None and compression.suits(coding, len(body), self._least):
            headers, body = shelf.packed(kept)
        start(status, [*headers, ("X-Request-Id", identity)])
        if self.door.logs:
            path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
            told(f"GET {path}", status[:3], began, identity)
        return [body] if body else []

    def _passed(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """The answer of what stands behind, compressed where that suits."""
        coding = environ.get("HTTP_ACCEPT_ENCODING")
        if coding is None or not self._least or not compression.suits(coding, self._least, self._least):
            return self.behind(environ, start)
        return self._compressed(_Taken.of(self.behind, environ), environ, start)

    def _compressed(self, taken: _Taken, environ: Environ, start: Start) -> Iterable[bytes]:
        coding, headers, body = environ.get("HTTP_ACCEPT_ENCODING"), taken.headers, taken.body
        if coding is not None and taken.packable and compression.suits(coding, len(body), self._least):
            body = compression.packed(body)
            headers = [each for each in headers if each[0] != "Content-Length"]
            headers += [("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]
        start(taken.status, headers)
        return [body] if body else []


class _Taken:
    """The answer of a WSGI callable, taken instead of sent."""

    __slots__ = ("body", "headers", "status")

    def __init__(self) -> None:
        self.status, self.body = "", b""
        self.headers: list[tuple[str, str]] = []

    @classmethod
    def of(cls, behind: Wsgi, environ: Environ) -> _Taken:
        taken = cls()
        written: list[bytes] = []

        def start(status: str, headers: Sequence[tuple[str, str]], _: object = None) -> Callable[[bytes], object]:
            taken.status, taken.headers = status, list(headers)
            return written.append

        parts = behind(environ, start)
        try:
            written.extend(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        taken.body = written[0] if len(written) == 1 else b"".join(written)
        return taken

    @property
    def packable(self) -> bool:
        return bool(self.body) and not any(name == "Content-Encoding" for name, _ in self.headers)

    @property
    def personal(self) -> bool:
        """True where somebody behind made it an answer for one client: a hook of another app may set a cookie."""
        for name, value in self.headers:
            if name == "Set-Cookie" or (name == "Cache-Control" and ("private" in value or "no-store" in value)):
                return True
        return False


def _within_limits(environ: Environ) -> bool:
    """False for a head that the door might refuse."""
    if len(environ) > HEADERS_LIMIT:
        return False
    for value in environ.values():  # noqa: SIM110  all() takes twice as long
        if value.__class__ is str and len(value) > HEADER_LIMIT:
            return False
    return True


def _length(alias: AsSent) -> int:
    """Characters of a request as it was sent, which its keys hold."""
    return sum(len(each) for each in alias if each)


def _as_sent(environ: Environ) -> AsSent:
    """The request as it came, which costs nothing to compare; other spellings have another one."""
    get = environ.get
    return (
        environ["PATH_INFO"],
        get("QUERY_STRING"),
        get("HTTP_ACCEPT"),
        get("HTTP_ACCEPT_LANGUAGE"),
        get("HTTP_HOST"),
        get("HTTP_PREFER"),
        get("HTTP_X_TOO_COSTLY_THRESHOLD"),
        get("SCRIPT_NAME"),
        get("wsgi.url_scheme"),
    )


def _place(environ: Environ) -> tuple[Hashable, ...]:
    """What the addresses in an answer depend on."""
    return environ.get("wsgi.url_scheme"), environ.get("HTTP_HOST"), environ.get("SCRIPT_NAME")


def _name(pair: tuple[str, str]) -> str:
    return pair[0]
