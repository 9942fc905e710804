"""The HTTP service in Flask: one catch-all rule under the prefix, and nothing else of the app is touched.

``register`` adds a service to an app under a prefix: ``/r4`` and ``/r5`` below it, and the prefix itself, which
answers as R4. ``app.extensions["terminology"]`` maps each prefix to the service registered there, so several live
in one app. Every address below the prefix is ours, unknown ones too, with any method: no error handler of the app
is needed, or touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Protocol

from flask import Blueprint, Flask, Response, request
from werkzeug.routing import BaseConverter, Rule

from terminology.http.dispatch import Dispatch
from terminology.http.door import Body, Door, Elsewhere, Environ, Reply
from terminology.http.front import Front
from terminology.operation import Operation
from terminology.operations import OPERATIONS
from terminology.rest.exchange import Service

if TYPE_CHECKING:
    from flask.blueprints import BlueprintSetupState

EXTENSION = "terminology"


class _Rest(BaseConverter):
    """The rest of an address, its slashes as they came (Werkzeug's ``path`` takes none at the start)."""

    regex = r"[\s\S]*?"
    part_isolating = False
    weight = 1000


def register(
    app: Flask, service: Service, url_prefix: str = "/fhir", operations: Sequence[Operation] = OPERATIONS
) -> Door:
    """Serves ``service`` under ``url_prefix``. Raises ValueError where the app already has one there."""
    prefix = "/" + url_prefix.strip("/") if url_prefix.strip("/") else ""
    held: dict[str, Service] = app.extensions.setdefault(EXTENSION, {})
    if prefix in held:
        raise ValueError(f"There is a terminology service under {prefix or '/'} already: use another url_prefix")
    held[prefix] = service
    name = f"terminology:{prefix.replace('.', ':') or '/'}"
    door = Door(service, prefix, operations)
    app.register_blueprint(_blueprint(name, prefix, _view(door.reply)))
    return door


def put_front(app: Flask, door: Door) -> None:
    """Lets kept answers go out before the app sees a request: its hooks do not run for those."""
    app.wsgi_app = Front(app.wsgi_app, door, lambda: True)  # type: ignore[method-assign,assignment]


def make_app(terminology: Extension) -> Flask:
    """A Flask app that serves nothing but ``terminology``; outside its prefix every address is a FHIR 404. As long as
    nobody adds to the app, requests go round Flask (``dispatch``)."""
    app = Flask("terminology", static_folder=None)
    service = terminology.state
    prefix = service.settings.url_prefix
    door = register(app, service, prefix)
    if prefix.strip("/"):
        elsewhere = Elsewhere(service, prefix)
        app.register_blueprint(_blueprint("terminology:elsewhere", "", _view(elsewhere.reply)))
    dispatch = Dispatch(app, door)
    app.wsgi_app = Front(dispatch, door, lambda: dispatch.alone)  # type: ignore[method-assign,assignment]
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


def _view(reply: Callable[[str, Environ, Body], Reply]) -> Callable[..., Response]:
    """The view of a door."""

    def view(rest: str = "") -> Response:
        made = reply(rest, request.environ, _FlaskBody())
        response = Response(made.body, made.status, made.headers)
        if "Content-Type" not in made.headers:
            del response.headers["Content-Type"]  # Flask's own
        return response

    return view


class _FlaskBody:
    """The body of Flask's request at hand: a hook of the host may have read it already."""

    @property
    def most(self) -> int | None:
        return request.max_content_length

    def read(self, limit: int) -> bytes:
        request.max_content_length = limit
        return request.get_data(cache=False)

    def stream(self, limit: int) -> IO[bytes]:
        request.max_content_length = limit
        return request.stream
