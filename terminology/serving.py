"""Starts the production server (Granian): settings reach its workers through the environment.

Granian forks workers; each makes its own app and reads its content before it listens, so a client that is let in
is answered at once. What can be seen to be wrong is said before that, in one sentence.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import packages_distributions
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from terminology.discovery import published
from terminology.http import metrics
from terminology.http.turns import Turns
from terminology.model import FHIR_VERSIONS, FhirVersion
from terminology.service import State, create_app
from terminology.settings import BY_NAME, CannotServeError, Settings, Stated, hand_down
from terminology.storage.records import StoreError
from terminology.stored import Stored

OURS = {
    "terminology": "create_app",
    "codesystems": "published",
    "valuesets": "published",
    "conceptmaps": "published",
}
"""Our import packages, and a name that each has when it is ours."""
KILL_TIMEOUT = 30
"""Seconds that requests under way may take when the server is asked to end."""
HEADER_TIMEOUT = 5000
"""Milliseconds that a client may take to send the head of a request."""
GARBAGE = 20_000
"""Objects made between two looks for garbage: the content is none, and a request leaves none that is circular."""
BACKPRESSURE = 64
"""Requests that a worker holds at once; further ones wait in Granian. Refusing them is the app's business."""


def serve(found: tuple[Stated, ...], say: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; requests under way are answered first. Raises CannotServeError."""
    settings = Settings(**{each.setting.name: each.value for each in found})
    check_names()
    check_content(settings)
    check_writes(settings)
    place = check_address(settings.host.strip("[]"), settings.port)
    check_bulk(settings)
    check_store(settings)
    hand_down(found, os.environ)
    prepare(settings)
    server = _server(settings)
    line = f"Serving FHIR R4 and R5 at {address(settings)} (Ctrl+C stops)"
    server.on_startup(Thread(target=_once_open, args=(place, lambda: say(line)), daemon=True).start)
    try:
        with shared_state(settings), shown_metrics(settings):
            server.serve()
    except SystemExit as ended:
        if ended.code:
            raise CannotServeError("The workers ended by themselves. What they said stands above") from ended


def prepare(settings: Settings) -> None:
    """Reads code and published content once for all workers: they are forked, and share the memory that it takes."""
    for name in ("terminology.http.server", "terminology.schemas"):
        import_module(name)
    versions: tuple[FhirVersion, ...] = ("R4", "R5")
    for fhir in versions:
        published(settings, fhir).editions("")  # its index too
    gc.collect()
    gc.freeze()  # else the collector of each worker would write to these pages, and so copy them


def worker() -> Any:
    """The app of one worker. Until the worker listens a signal simply ends it; Granian then sets its own handlers."""
    for sent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sent, signal.SIG_DFL)
    app = create_app()
    for service in app.extensions["terminology"].values():
        for fhir in FHIR_VERSIONS:
            service.catalog(fhir).editions("")  # its index too
        if service.settings.bulk:
            service.bulk.run()
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    return Turns(app.wsgi_app)


def address(settings: Settings) -> str:
    """Where a client on this machine finds the service."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{bracketed}:{settings.port}{settings.url_prefix}"


@contextmanager
def shared_state(settings: Settings) -> Iterator[None]:
    """All workers keep what outlives a request in one file: that of ``state_path``, else one that ends with them."""
    from terminology.storage.database import Database, NotOursError, temporary  # noqa: PLC0415  only `serve` needs it

    if settings.state_path:
        try:
            Database(settings.state_path).close()
        except NotOursError as wrong:
            raise CannotServeError(str(wrong)) from wrong
        yield
        return
    with temporary() as path:
        os.environ[BY_NAME["state_path"].variable] = path
        yield


@contextmanager
def shown_metrics(settings: Settings) -> Iterator[None]:
    """The figures of all workers, shown on loopback while the server serves."""
    if not settings.metrics_port:
        yield
        return
    try:
        page = metrics.show(settings.metrics_port)
    except OSError as taken:
        raise CannotServeError(f"metrics_port: 127.0.0.1:{settings.metrics_port} cannot be used: {taken}") from taken
    try:
        yield
    finally:
        page.shutdown()


def check_names() -> None:
    """Refuses to start where a stranger's package answers to one of our import names.

    ``terminology`` and ``valuesets`` are also distributions of other people; installed beside us they
    overwrite our files, and a folder of that name where Python is started hides them.
    """
    home = Path(__file__).resolve().parent.parent
    for name, mark in OURS.items():
        try:
            package = import_module(name)
        except ImportError as missing:
            raise CannotServeError(f"The package {name} cannot be imported: {missing}. Install again") from missing
        places = [Path(place).resolve().parent for place in package.__path__]
        if places != [home] or not hasattr(package, mark):
            strangers = packages_distributions().get(name, [])
            others = ", ".join(other for other in strangers if other != "flask-fhir-terminology")
            whose = f"the distribution {others}" if others else str(next(iter(package.__path__), "another package"))
            raise CannotServeError(
                f"The import name {name} is taken by {whose}, not by flask-fhir-terminology. "
                "Uninstall or rename that one, then install flask-fhir-terminology again"
            )


def check_content(settings: Settings) -> None:
    """Refuses to start where stated content is missing or wrong (raises Refusal for what it says)."""
    for place in settings.content:
        if not Path(place).exists():
            raise CannotServeError(f"content: there is no file or folder {place}")
    if settings.content:
        State(settings).catalog("R5")


def check_writes(settings: Settings) -> None:
    """Refuses to let clients write where others than programs on this machine could, or nothing would keep it."""
    if not settings.allow_writes:
        return
    if not _is_loopback(settings.host.strip("[]")):
        raise CannotServeError(
            f"allow_writes: without access control writes are for this machine alone, but host is {settings.host}. "
            "Use --host 127.0.0.1, or leave out --allow-writes"
        )
    if not Stored(settings).configured:
        raise CannotServeError("allow_writes: nothing would keep what is written. Name a store or a data_dir")


def check_bulk(settings: Settings) -> None:
    """Refuses to take jobs that nothing would keep."""
    if settings.bulk and not Stored(settings).configured:
        raise CannotServeError("bulk: nothing would keep the jobs of clients. Name a store or a data_dir")


def check_store(settings: Settings) -> None:
    """Brings the store up to date before a worker opens it, where clients may write, or send jobs, or it was named."""
    stored = Stored(settings)
    if stored.configured and (settings.allow_writes or settings.bulk or settings.store):
        try:
            stored.opened().close()
        except StoreError as wrong:
            raise CannotServeError(str(wrong)) from wrong


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """The socket address; refuses a port that is taken (Granian shares a port with another Granian unasked)."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as wrong:
        reason = "is in use" if wrong.errno == errno.EADDRINUSE else f"cannot be used ({wrong.strerror})"
        raise CannotServeError(f"{host}:{port} {reason}. Choose another with --host or --port") from wrong
    return family, place


def _once_open(place: tuple[socket.AddressFamily, Any], act: Callable[[], None]) -> None:
    """Acts when the first worker listens."""
    family, target = place
    while True:
        time.sleep(0.05)
        with socket.socket(family) as probe:
            if probe.connect_ex(target) == 0:
                return act()


def _server(settings: Settings) -> Any:
    from granian import Granian  # noqa: PLC0415  only `serve` pays for it
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415
    from granian.http import HTTP1Settings  # noqa: PLC0415
    from granian.log import LogLevels  # noqa: PLC0415

    return Granian(
        f"{__name__}:{worker.__name__}",
        factory=True,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        address=settings.host.strip("[]"),
        port=settings.port,
        workers=settings.workers,
        blocking_threads=settings.threads,
        backpressure=BACKPRESSURE,
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_TIMEOUT,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        websockets=False,
        log_level=LogLevels(settings.log_level if settings.log_level in ("critical", "debug") else "error"),
        log_dictconfig=_logging(settings.log_level),
    )


def _logging(level: str) -> dict[str, Any]:
    """Everything that is logged goes to standard error."""
    stderr = {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
    return {
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
        "handlers": {"stderr": stderr},
        "loggers": {
            "_granian": {"handlers": ["stderr"], "propagate": False},
            "terminology": {"handlers": ["stderr"], "propagate": False, "level": level.upper()},
        },
    }
