"""The door of a service: the WSGI environ of a request becomes an ``Asked``, its ``Answer`` a reply of bytes.

Two adapters stand before it, Flask's view (``server``) and the dispatch that goes round Flask (``dispatch``); what is
checked, limited, logged and said is said here, once.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from time import perf_counter
from typing import IO, Any, Protocol
from urllib.parse import urlsplit

from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.sansio.utils import get_host
from werkzeug.wsgi import get_content_length

from terminology.frozen import dataclass
from terminology.issues import Invalid, NotAcceptable, NotFound, Refusal, TooLarge, UnsupportedMedia, issue
from terminology.model import FhirVersion, Json
from terminology.operation import Operation
from terminology.rest.endpoint import Endpoint
from terminology.rest.exchange import (
    FORM_LIMIT,
    PURE,
    Answer,
    Asked,
    Pairs,
    Service,
    check_head,
    pairs,
    read,
    request_id,
)
from terminology.rest.negotiation import FHIR_JSON, FORM, JSON_PATCH, body_form, is_form
from terminology.wire.malformed import Malformed

log = logging.getLogger(__name__)

Environ = dict[str, Any]

DRAINED = 4
"""A body that is larger than this many times the limit is not read to its end."""
PIECE = 65_536
HASHED = 2000
"""Bytes that are hashed at once: for more, Python lets another thread in, which costs more than hashing."""
VERSIONS: Mapping[str, FhirVersion] = {"r4": "R4", "r5": "R5"}
DEFAULT: FhirVersion = "R4"
"""The version that the prefix itself speaks."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WSGI = {"content-type": "CONTENT_TYPE"} | {
    name: f"HTTP_{name.upper().replace('-', '_')}"
    for name in (
        "accept",
        "accept-language",
        "content-encoding",
        "if-match",
        "if-none-exist",
        "if-none-match",
        "prefer",
        "x-cache-id",
        "x-too-costly-threshold",
    )
}
_PROXIED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_VIA")
_SAFE = ("GET", "HEAD")
_VOLATILE = ("identifier", "timestamp")
"""What is new in each expansion, though it says the same."""
_HEADERS = {"Vary": "Accept, Accept-Language, Accept-Encoding", "X-Content-Type-Options": "nosniff"}


class Body(Protocol):
    """The body of a request, as the adapter reads it. ``most`` is the app's own limit, where it has one."""

    @property
    def most(self) -> int | None: ...

    def read(self, limit: int) -> bytes:
        """All of it; raises RequestEntityTooLarge, or gives ``limit`` bytes, where it is longer."""
        ...

    def stream(self, limit: int) -> IO[bytes]:
        """The same, to be read in pieces."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back over HTTP; the length of the body is for the adapter to tell."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class Door:
    """The door of one registration under a prefix."""

    def __init__(self, service: Service, prefix: str, operations: Sequence[Operation]) -> None:
        self.service = service
        self.prefix = prefix
        self.operations = operations
        self.endpoints = {path: Endpoint(service, fhir, operations) for path, fhir in VERSIONS.items()}
        default = next(path for path, fhir in VERSIONS.items() if fhir == DEFAULT)
        self.default = self.endpoints[default]

    def reply(self, rest: str, environ: Environ, body: Body) -> Reply:
        """The reply to a request for the address ``rest`` below the prefix; never raises."""
        started = perf_counter()
        identity = request_id(environ.get("HTTP_X_REQUEST_ID"))
        head, _, path = rest.partition("/")
        endpoint = self.endpoints.get(head)
        below = f"{self.prefix}/{head}" if endpoint else self.prefix
        if endpoint is None:
            endpoint, path = self.default, rest
        answer = self._answer(endpoint, path, below, _Incoming(environ, body, self.service, endpoint.fhir, identity))
        made = _written(answer, endpoint, identity, check=self.service.settings.shadow_check)
        if environ["REQUEST_METHOD"] in _SAFE:
            made = _validated(made, answer, environ)
        if self.logs:
            told(f"{environ['REQUEST_METHOD']} {self.prefix}/{rest}", made.status, started, identity)
        return made

    @property
    def logs(self) -> bool:
        """True where each request is a line of the log."""
        return self.service.settings.access_log and log.isEnabledFor(logging.INFO)

    def _answer(self, endpoint: Endpoint, path: str, below: str, incoming: _Incoming) -> Answer:
        environ = incoming.environ
        try:
            check_head(environ)
        except Refusal as refused:
            return endpoint.refused(refused)
        return endpoint.answer(
            Asked(
                method=environ["REQUEST_METHOD"].upper(),
                path=path,
                query_string=environ.get("QUERY_STRING", ""),
                base=self._base(environ, below),
                header=lambda name: environ.get(_WSGI[name]),
                body=incoming.resource,
                form=incoming.form,
                patch=incoming.patch,
                pieces=incoming.pieces,
                request_id=incoming.identity,
                local=incoming.local,
            )
        )

    def _base(self, environ: Environ, below: str) -> str:
        """The address of an endpoint: as the operator says, else as the request says."""
        if stated := self.service.settings.base_url:
            return stated.rstrip("/") + below.removeprefix(self.prefix)
        server = (environ["SERVER_NAME"], environ["SERVER_PORT"])
        host = _host(environ["wsgi.url_scheme"], environ.get("HTTP_HOST"), *server)
        root = environ.get("SCRIPT_NAME", "").rstrip("/")
        return f"{environ['wsgi.url_scheme']}://{host}{root}{below}" if host else f"{root}{below}"


class Elsewhere:
    """The door at addresses outside the prefix, in an app that is ours alone."""

    def __init__(self, service: Service, prefix: str) -> None:
        self.endpoint = Endpoint(service, DEFAULT, ())
        self.prefix = prefix

    def reply(self, rest: str, environ: Environ, _: Body) -> Reply:
        identity = request_id(environ.get("HTTP_X_REQUEST_ID"))
        hint = f"The service is at {self.prefix}: start with {self.prefix}/r4/metadata"
        refusal = NotFound(issue("OWN_UNKNOWN_ROUTE", f"/{rest[:200]}", hint))
        return _written(self.endpoint.refused(refusal), self.endpoint, identity)


@lru_cache(maxsize=256)
def _host(scheme: str, stated: str | None, name: str, port: str) -> str:
    """The host that a request names; empty where it names none that could be one."""
    try:
        return get_host(scheme, stated, (name, int(port) if port.isdecimal() else None))
    except HTTPException:
        return ""


def is_local(environ: Environ) -> bool:
    """True for a request that a program on this machine sent to a loopback address itself: no proxy stands between, and
    no page of another site makes a browser send it."""
    if any(environ.get(name) for name in _PROXIED):
        return False
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _loopback(urlsplit(origin).hostname):
        return False
    return _loopback(environ.get("REMOTE_ADDR")) and _loopback(_hostname(environ.get("HTTP_HOST", "localhost")))


@lru_cache(maxsize=256)
def _hostname(host: str) -> str | None:
    return urlsplit(f"//{host}").hostname


@lru_cache(maxsize=256)
def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


# --- what came ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Incoming:
    """The body of a request, read when a handler wants it, as what the handler takes it for."""

    environ: Environ
    body: Body
    service: Service
    fhir: FhirVersion
    identity: str

    def resource(self) -> Json | None:
        if self._bodiless():
            return None
        if (coding := self.environ.get("HTTP_CONTENT_ENCODING", "identity").lower()) != "identity":
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", coding[:40], "it uncompressed"))
        form = body_form(self.environ.get("CONTENT_TYPE"), self.fhir)
        return read(self._data(self.service.settings.body_limit, "body_limit"), form, self.fhir)

    def local(self) -> bool:
        return is_local(self.environ)

    def patch(self) -> Json:
        """A JSON Patch under the name ``patch``: a list, which is read as strictly as an object."""
        content_type = self.environ.get("CONTENT_TYPE", "")
        if content_type.partition(";")[0].strip().lower() != JSON_PATCH:
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", content_type[:200], JSON_PATCH))
        data = self._data(self.service.settings.body_limit, "body_limit")
        found = read(b'{"resourceType":"Patch","patch":' + data + b"}", "json", "R5")
        return found or {}

    def form(self) -> Pairs:
        if self._bodiless():
            return ()
        content_type = self.environ.get("CONTENT_TYPE", FORM)
        if not is_form(content_type):
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", content_type[:200], FORM))
        try:
            return pairs(self._data(FORM_LIMIT, "none: this limit is fixed").decode("ascii"))
        except UnicodeDecodeError:
            raise Invalid(issue("OWN_MALFORMED_BODY", "a form must be percent-encoded")) from None

    def pieces(self, limit: int, setting: str) -> Iterator[bytes]:
        """The body as it comes; raises as ``_data`` does, when it has come that far."""
        if self._bodiless():
            return
        limit, setting = self._lower(limit, setting)
        taken = 0
        try:
            stream = self.body.stream(limit + 1)
            while taken <= limit and (piece := stream.read(PIECE)):
                taken += len(piece)
                if taken <= limit:
                    yield piece
            large = taken > limit
        except RequestEntityTooLarge:
            large = True
        except (ClientDisconnected, HTTPException, OSError):
            raise Invalid(issue("OWN_MALFORMED_BODY", "it ended before its announced length")) from None
        if large:
            self._drain(taken, DRAINED * limit)
            raise TooLarge(issue("OWN_BODY_TOO_LARGE", limit, setting))

    def _lower(self, limit: int, setting: str) -> tuple[int, str]:
        """The limit or, where that is lower, the app's own."""
        own = self.body.most
        return (limit, setting) if own is None or own >= limit else (own, "MAX_CONTENT_LENGTH of the app")

    def _bodiless(self) -> bool:
        """True where the request says that nothing follows; HTTP/2 and chunks give no length, and may have a body."""
        length = get_content_length(self.environ)
        return length == 0 or (length is None and not self.environ.get("wsgi.input_terminated"))

    def _data(self, limit: int, setting: str) -> bytes:
        """The body; raises TooLarge: on Content-Length alone where there is one, else as the limit is passed."""
        limit, setting = self._lower(limit, setting)
        # Werkzeug ends a body without Content-Length silently at the maximum, so one byte more tells it is too large.
        try:
            data = self.body.read(limit + 1)
        except RequestEntityTooLarge:
            data = None
        except (ClientDisconnected, HTTPException, OSError):
            raise Invalid(issue("OWN_MALFORMED_BODY", "it ended before its announced length")) from None
        if data is None or len(data) > limit:
            self._drain(0 if data is None else len(data), DRAINED * limit)
            raise TooLarge(issue("OWN_BODY_TOO_LARGE", limit, setting))
        return data

    def _drain(self, taken: int, most: int) -> None:
        """Reads the rest of a body that is somewhat too large: a client that is still sending would see the connection
        break, and not the refusal. ``taken`` bytes were read; one that is longer than ``most`` is left unread."""
        length = get_content_length(self.environ)
        if length is not None and length > most:
            return
        left = (most if length is None else length) - taken
        stream = self.environ["wsgi.input"]
        with suppress(OSError):
            while left > 0 and (piece := stream.read(min(left, 65_536))):
                left -= len(piece)


# --- what goes back ----------------------------------------------------------------------------------------------


def _written(answer: Answer, endpoint: Endpoint, identity: str, *, check: bool = False) -> Reply:
    if answer.bare is not None:
        return _made(answer, answer.bare, identity)
    if answer.resource is None:
        return _made(answer, None, identity)
    try:
        if check:
            _shadow_check(answer.resource, endpoint.fhir, identity)
        return _made(answer, answer.medium.write(answer.resource, endpoint.fhir, pretty=answer.pretty), identity)
    except Malformed as wrong:
        log.warning("the answer to request %s has no XML form: %s", identity, _UNPRINTABLE.sub("?", str(wrong)))
        name = answer.medium.content_type.partition(";")[0]
        reason = issue("OWN_NOT_ACCEPTABLE", name, "application/fhir+json", diagnostics=wrong.reason)
        failed = endpoint.refused(NotAcceptable(reason))
    except Exception:
        log.exception("the answer to request %s could not be written", identity)
        failed = endpoint.failed(identity)
    return _made(failed, FHIR_JSON.write(failed.resource or {}, endpoint.fhir), identity)


def _made(answer: Answer, body: bytes | None, identity: str) -> Reply:
    headers = {**_HEADERS, "X-Request-Id": identity}
    if body is not None:
        headers["Content-Type"] = answer.medium.content_type
    if answer.headers:
        headers.update(answer.headers)
    return Reply(answer.status, headers, body or b"")


def _validated(made: Reply, answer: Answer, environ: Environ) -> Reply:
    """What a GET is answered with: its ETag, whether it may be kept, and 304 where the client has it.

    ``no-cache`` lets it be kept by who asks again before giving it (RFC 9111 section 5.2.2.4): content may change.
    """
    headers = made.headers
    if "Cache-Control" in headers:
        return made  # what may speak of patients says no-store itself
    known = "HTTP_AUTHORIZATION" in environ or "HTTP_COOKIE" in environ
    headers["Cache-Control"] = "private, no-cache" if known else "no-cache"
    if made.status != 200:
        return made
    if answer.pure:
        environ[PURE] = True
    etag = headers.get("ETag")
    if etag is None:
        etag = headers["ETag"] = _etag(made.body, answer.resource)
    asked = environ.get("HTTP_IF_NONE_MATCH")
    if asked is None or not matches(asked, etag):
        return made
    del headers["Content-Type"]
    return Reply(304, headers)


def _etag(body: bytes, resource: Json | None) -> str:
    """A weak ETag: of what the body says."""
    if resource is not None and (expansion := resource.get("expansion")):
        for name in _VOLATILE:
            body = body.replace(expansion.get(name, "").encode(), b"", 1)
    digest = hashlib.blake2b(digest_size=12)
    for start in range(0, len(body), HASHED):
        digest.update(body[start : start + HASHED])
    return f'W/"{digest.hexdigest()}"'


def matches(if_none_match: str, etag: str) -> bool:
    """True where the client holds what a weak ETag names."""
    bare = etag.removeprefix("W/")
    return any(each.strip() in ("*", etag, bare) for each in if_none_match.split(","))


def told(line: str, status: int | str, started: float, identity: str) -> None:
    """Writes the line of a request into the log."""
    taken = (perf_counter() - started) * 1000
    log.info("%s %s %.1f ms %s", _UNPRINTABLE.sub("?", line[:2048]), status, taken, identity)


def _shadow_check(resource: Json, fhir: FhirVersion, identity: str) -> None:
    from terminology.wire.checks import problem  # noqa: PLC0415  fhir.resources is loaded when it is wanted

    if found := problem(resource, fhir):
        log.error("the answer to request %s is not valid FHIR %s: %s", identity, fhir, found)
