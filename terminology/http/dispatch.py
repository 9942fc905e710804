"""The way round Flask, for an app that is ours alone: a WSGI environ straight to the door.

Flask and Werkzeug take two thirds of the time of a ``$lookup`` to find the only view there is. Where somebody added
to the app (a hook, a view, a teardown, trusted hosts), Flask answers as ever: its hooks come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any

from flask import signals
from werkzeug.exceptions import ClientDisconnected
from werkzeug.urls import iri_to_uri
from werkzeug.wsgi import get_content_length, get_input_stream

from terminology.http.door import Door, Reply

if TYPE_CHECKING:
    from flask import Flask

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_LINES = {each.value: f"{each.value} {each.phrase}" for each in HTTPStatus}
_BODILESS = (204, 304)
_STARTED, _FINISHED, _TORN_DOWN = signals.request_started, signals.request_finished, signals.request_tearing_down


class Dispatch:
    """The WSGI callable of an app with one door; ``behind`` is Flask's own."""

    def __init__(self, app: Flask, door: Door) -> None:
        self.app = app
        self.door = door
        self.behind: Wsgi = app.wsgi_app
        self._views = len(app.view_functions)
        self._root = f"{door.prefix}/"

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if not path.startswith(self._root) or not self.alone:
            return self.behind(environ, start_response)
        rest = path[len(self._root) :]
        if not rest.isascii():
            rest = rest.encode("latin-1").decode(errors="replace")  # how WSGI carries UTF-8
        made = self.door.reply(rest, environ, _WsgiBody(environ, self.app.config))
        return _sent(made, environ["REQUEST_METHOD"], start_response)

    @property
    def alone(self) -> bool:
        """True as long as nothing of Flask but our view would see a request."""
        app = self.app
        hooked = (
            app.before_request_funcs
            or app.after_request_funcs
            or app.teardown_request_funcs
            or app.teardown_appcontext_funcs
            or app.url_value_preprocessors
            or app.error_handler_spec
        )
        listened = _STARTED.receivers or _FINISHED.receivers or _TORN_DOWN.receivers
        return not (hooked or listened or app.config["TRUSTED_HOSTS"] or len(app.view_functions) != self._views)


class _WsgiBody:
    """The body as Werkzeug reads it for Flask: no further than its length and the limit."""

    __slots__ = ("_config", "_environ")

    def __init__(self, environ: dict[str, Any], config: Mapping[str, Any]) -> None:
        self._environ = environ
        self._config = config

    @property
    def most(self) -> int | None:
        most: int | None = self._config["MAX_CONTENT_LENGTH"]
        return most

    def read(self, limit: int) -> bytes:
        environ = self._environ
        length = get_content_length(environ)
        if length is None or length > limit:
            return self.stream(limit).read()
        data: bytes = environ["wsgi.input"].read(length)
        while len(data) < length:
            more = environ["wsgi.input"].read(length - len(data))
            if not more:
                raise ClientDisconnected
            data += more
        return data

    def stream(self, limit: int) -> IO[bytes]:
        return get_input_stream(self._environ, max_content_length=limit)


def _sent(made: Reply, method: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers = list(made.headers.items())
    if made.status not in _BODILESS:
        headers.append(("Content-Length", str(len(made.body))))
    if "Location" in made.headers:
        headers = [(name, iri_to_uri(value) if name == "Location" else value) for name, value in headers]
    start_response(_LINES[made.status], headers)
    return [] if method == "HEAD" or made.status in _BODILESS else [made.body]
