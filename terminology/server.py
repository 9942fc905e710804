"""The HTTP service in Flask: one catch-all rule under the prefix, and nothing else of the app is touched.

``register`` adds a service to an app under a prefix: ``/r4`` and ``/r5`` below it, and the prefix itself, which
answers as R4. ``app.extensions["terminology"]`` maps each prefix to the service registered there, so several live
in one app. Every address below the prefix is ours, unknown ones too, with any method: no error handler of the app
is needed, or touched.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_address
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.routing import BaseConverter, Rule

from terminology.issues import Invalid, NotAcceptable, NotFound, Refusal, TooLarge, UnsupportedMedia, issue
from terminology.model import FhirVersion, Json
from terminology.operation import Operation
from terminology.operations import OPERATIONS
from terminology.rest.endpoint import Endpoint
from terminology.rest.exchange import (
    FORM_LIMIT,
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

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

log = logging.getLogger(__name__)

EXTENSION = "terminology"
DRAINED = 4
"""A body that is larger than this many times the limit is not read to its end."""
VERSIONS: Mapping[str, FhirVersion] = {"r4": "R4", "r5": "R5"}
DEFAULT: FhirVersion = "R4"
"""The version that the prefix itself speaks."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WSGI = {
    name: f"HTTP_{name.upper().replace('-', '_')}"
    for name in (
        "accept",
        "accept-language",
        "if-match",
        "if-none-exist",
        "if-none-match",
        "prefer",
        "x-cache-id",
        "x-too-costly-threshold",
    )
}
_PROXIED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_VIA")
_HEADERS = (("Vary", "Accept, Accept-Language"), ("X-Content-Type-Options", "nosniff"))


class _Rest(BaseConverter):
    """The rest of an address, its slashes as they came (Werkzeug's ``path`` takes none at the start)."""

    regex = r"[\s\S]*?"
    part_isolating = False
    weight = 1000


def register(
    app: Flask, service: Service, url_prefix: str = "/fhir", operations: Sequence[Operation] = OPERATIONS
) -> None:
    """Serves ``service`` under ``url_prefix``. Raises ValueError where the app already has one there."""
    prefix = "/" + url_prefix.strip("/") if url_prefix.strip("/") else ""
    held: dict[str, Service] = app.extensions.setdefault(EXTENSION, {})
    if prefix in held:
        raise ValueError(f"There is a terminology service under {prefix or '/'} already: use another url_prefix")
    held[prefix] = service
    name = f"terminology:{prefix.replace('.', ':') or '/'}"
    app.register_blueprint(_blueprint(name, prefix, Door(service, prefix, operations)))


def make_app(terminology: Extension) -> Flask:
    """A Flask app that serves nothing but ``terminology``; outside its prefix every address is a FHIR 404."""
    app = Flask("terminology", static_folder=None)
    service = terminology.state
    prefix = service.settings.url_prefix
    register(app, service, prefix)
    if prefix.strip("/"):
        app.register_blueprint(_blueprint("terminology:elsewhere", "", _Elsewhere(service, prefix)))
    return app


class Extension(Protocol):
    """What ``make_app`` serves."""

    @property
    def state(self) -> Service: ...


def _blueprint(name: str, prefix: str, view: Callable[..., Response]) -> Blueprint:
    """Every address below the prefix goes to the view, whatever the method (``methods=None`` takes all)."""
    blueprint = Blueprint(name, __name__)
    endpoint = f"{name}.answer"

    def add(setup: BlueprintSetupState) -> None:
        setup.app.url_map.converters.setdefault("terminology_rest", _Rest)
        for address in (prefix, f"{prefix}/<terminology_rest:rest>"):
            if address:
                rule = Rule(address, endpoint=endpoint, methods=None, strict_slashes=False, merge_slashes=False)
                setup.app.url_map.add(rule)
        setup.app.view_functions[endpoint] = view

    blueprint.record(add)
    return blueprint


class Door:
    """The view of one registration: a Flask request becomes an ``Asked``, the ``Answer`` a Flask response."""

    def __init__(self, service: Service, prefix: str, operations: Sequence[Operation]) -> None:
        self.service = service
        self.prefix = prefix
        self.endpoints = {path: Endpoint(service, fhir, operations) for path, fhir in VERSIONS.items()}
        default = next(path for path, fhir in VERSIONS.items() if fhir == DEFAULT)
        self.default = self.endpoints[default]

    def __call__(self, rest: str = "") -> Response:
        started = perf_counter()
        asking = request
        identity = request_id(asking.environ.get("HTTP_X_REQUEST_ID"))
        head, _, path = rest.partition("/")
        endpoint = self.endpoints.get(head)
        below = f"{self.prefix}/{head}" if endpoint else self.prefix
        if endpoint is None:
            endpoint, path = self.default, rest
        answer = self._answer(endpoint, path, below, identity)
        response = _response(answer, endpoint, identity, check=self.service.settings.shadow_check)
        if log.isEnabledFor(logging.INFO):
            taken = (perf_counter() - started) * 1000
            line = f"{asking.method} {asking.path}"[:2048]
            log.info("%s %d %.1f ms %s", _UNPRINTABLE.sub("?", line), response.status_code, taken, identity)
        return response

    def _answer(self, endpoint: Endpoint, path: str, below: str, identity: str) -> Answer:
        environ = request.environ
        try:
            check_head(environ)
        except Refusal as refused:
            return endpoint.refused(refused)
        return endpoint.answer(
            Asked(
                method=environ["REQUEST_METHOD"].upper(),
                path=path,
                query_string=environ.get("QUERY_STRING", ""),
                base=self._base(below),
                header=lambda name: environ.get(_WSGI[name]),
                body=lambda: self._body(endpoint.fhir),
                form=self._form,
                patch=self._patch,
                request_id=identity,
                local=is_local(environ),
            )
        )

    def _base(self, below: str) -> str:
        """The address of an endpoint: as the operator says, else as the request says."""
        if stated := self.service.settings.base_url:
            return stated.rstrip("/") + below.removeprefix(self.prefix)
        host = request.host
        root = request.environ.get("SCRIPT_NAME", "").rstrip("/")
        return f"{request.scheme}://{host}{root}{below}" if host else f"{root}{below}"

    def _body(self, fhir: FhirVersion) -> Json | None:
        if _bodiless():
            return None
        if (coding := request.environ.get("HTTP_CONTENT_ENCODING", "identity").lower()) != "identity":
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", coding[:40], "it uncompressed"))
        form = body_form(request.environ.get("CONTENT_TYPE"), fhir)
        return read(_data(self.service.settings.body_limit, "body_limit"), form, fhir)

    def _patch(self) -> Json:
        """A JSON Patch under the name ``patch``: a list, which is read as strictly as an object."""
        content_type = request.environ.get("CONTENT_TYPE", "")
        if content_type.partition(";")[0].strip().lower() != JSON_PATCH:
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", content_type[:200], JSON_PATCH))
        data = _data(self.service.settings.body_limit, "body_limit")
        found = read(b'{"resourceType":"Patch","patch":' + data + b"}", "json", "R5")
        return found or {}

    def _form(self) -> Pairs:
        if _bodiless():
            return ()
        content_type = request.environ.get("CONTENT_TYPE", FORM)
        if not is_form(content_type):
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", content_type[:200], FORM))
        try:
            return pairs(_data(FORM_LIMIT, "none: this limit is fixed").decode("ascii"))
        except UnicodeDecodeError:
            raise Invalid(issue("OWN_MALFORMED_BODY", "a form must be percent-encoded")) from None


class _Elsewhere:
    """The view of addresses outside the prefix, in an app that is ours alone."""

    def __init__(self, service: Service, prefix: str) -> None:
        self.endpoint = Endpoint(service, DEFAULT, ())
        self.prefix = prefix

    def __call__(self, rest: str = "") -> Response:
        identity = request_id(request.environ.get("HTTP_X_REQUEST_ID"))
        hint = f"The service is at {self.prefix}: start with {self.prefix}/r4/metadata"
        refusal = NotFound(issue("OWN_UNKNOWN_ROUTE", f"/{rest[:200]}", hint))
        return _response(self.endpoint.refused(refusal), self.endpoint, identity)


def is_local(environ: Mapping[str, Any]) -> bool:
    """True for a request that a program on this machine sent to a loopback address itself: no proxy stands between, and
    no page of another site makes a browser send it."""
    if any(environ.get(name) for name in _PROXIED):
        return False
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and not _loopback(urlsplit(origin).hostname):
        return False
    host = urlsplit(f"//{environ.get('HTTP_HOST', 'localhost')}").hostname
    return _loopback(environ.get("REMOTE_ADDR")) and _loopback(host)


def _loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False


def _bodiless() -> bool:
    """True where the request says that nothing follows; HTTP/2 and chunks give no length, and may have a body."""
    length = request.content_length
    return length == 0 or (length is None and not request.environ.get("wsgi.input_terminated"))


def _data(limit: int, setting: str) -> bytes:
    """The body; raises TooLarge: on Content-Length alone where there is one, else as the limit is passed."""
    own = request.max_content_length
    if own is not None and own < limit:
        limit, setting = own, "MAX_CONTENT_LENGTH of the app"
    # Werkzeug ends a body without Content-Length silently at the maximum, so one byte more tells it is too large.
    request.max_content_length = limit + 1
    try:
        data = request.get_data(cache=False)
    except RequestEntityTooLarge:
        data = None
    except (ClientDisconnected, HTTPException, OSError):
        raise Invalid(issue("OWN_MALFORMED_BODY", "it ended before its announced length")) from None
    if data is None or len(data) > limit:
        _drain(0 if data is None else len(data), DRAINED * limit)
        raise TooLarge(issue("OWN_BODY_TOO_LARGE", limit, setting))
    return data


def _drain(taken: int, most: int) -> None:
    """Reads the rest of a body that is somewhat too large: a client that is still sending would see the connection
    break, and not the refusal. ``taken`` bytes were read; one that is longer than ``most`` is left unread."""
    length = request.content_length
    if length is not None and length > most:
        return
    left = (most if length is None else length) - taken
    stream = request.environ["wsgi.input"]
    with suppress(OSError):
        while left > 0 and (piece := stream.read(min(left, 65_536))):
            left -= len(piece)


def _response(answer: Answer, endpoint: Endpoint, identity: str, *, check: bool = False) -> Response:
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


def _made(answer: Answer, body: bytes | None, identity: str) -> Response:
    response = Response(body or b"", answer.status, _HEADERS, content_type=answer.medium.content_type)
    headers = response.headers
    headers["X-Request-Id"] = identity
    if answer.headers:
        headers.update(answer.headers)
    if body is None:
        del headers["Content-Type"]
    return response


def _shadow_check(resource: Json, fhir: FhirVersion, identity: str) -> None:
    from terminology.wire.checks import problem  # noqa: PLC0415  fhir.resources is loaded when it is wanted

    if found := problem(resource, fhir):
        log.error("the answer to request %s is not valid FHIR %s: %s", identity, fhir, found)
