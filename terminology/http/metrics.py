"""Figures of the running server, for Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).

Workers count into one page of memory that they share with the process that started them, which shows the sums to
programs on this machine alone: who may reach the service need not know how it is used (``metrics_port``). A worker
counts in the row of its process id, so that nobody waits and what a worker counted stays when it ends.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

ROWS = 1024
COUNTED = {
    "terminology_requests_total": "Requests.",
    "terminology_cache_hits_total": "Answers that were given again (response_cache).",
    "terminology_cache_misses_total": "Answers that might be given again and had to be made.",
    "terminology_cache_shared_total": "Answers that waited for an equal request that was being answered.",
    "terminology_cache_renewed_total": "Times that a worker let go of all kept answers, as the content had changed.",
}
HELD = {"terminology_cache_bytes": "Bytes of kept answers in all workers that live."}
_COLUMNS = (*COUNTED, *HELD, "process")
_WIDTH = len(_COLUMNS)
_ADDRESS = "127.0.0.1"


class Board:
    """The page that is shared; made before the workers are forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, ROWS * _WIDTH * 8)
        self.cells = memoryview(self._memory).cast("Q")

    def sums(self) -> Mapping[str, int]:
        """Each figure over all workers."""
        found = dict.fromkeys(_COLUMNS[:-1], 0)
        for row in range(0, ROWS * _WIDTH, _WIDTH):
            process = self.cells[row + _WIDTH - 1]
            if not process:
                continue
            for column, name in enumerate(_COLUMNS[:-1]):
                if name in COUNTED or _lives(process):
                    found[name] += self.cells[row + column]
        return found

    def text(self) -> str:
        """The sums as Prometheus reads them."""
        lines = []
        for name, value in self.sums().items():
            kind, help_text = ("counter", COUNTED[name]) if name in COUNTED else ("gauge", HELD[name])
            lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", f"{name} {value}"]
        return "\n".join(lines) + "\n"


BOARD = Board()
"""The page of this process and of those that it forks."""


class Counters:
    """Where one worker counts. Each addition is one step of the interpreter, so no lock is needed."""

    def __init__(self, board: Board = BOARD) -> None:
        self._cells = board.cells
        self._row = (os.getpid() % ROWS) * _WIDTH
        self._cells[self._row + _WIDTH - 1] = os.getpid()

    def requests(self) -> None:
        self._cells[self._row] += 1

    def hits(self) -> None:
        self._cells[self._row + 1] += 1

    def misses(self) -> None:
        self._cells[self._row + 2] += 1

    def shared(self) -> None:
        self._cells[self._row + 3] += 1

    def renewed(self) -> None:
        self._cells[self._row + 4] += 1

    def holds(self, size: int) -> None:
        self._cells[self._row + 5] = size


def show(port: int, board: Board = BOARD) -> ThreadingHTTPServer:
    """Shows the board at /metrics on loopback, in a thread of its own. Raises OSError where the port is taken."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415  workers need neither

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/metrics"
            body = board.text().encode() if known else b"There is /metrics and nothing else\n"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        log_message: Callable[..., None] = lambda *_: None

    server = ThreadingHTTPServer((_ADDRESS, port), Page)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    return server


def _lives(process: int) -> bool:
    with suppress(OSError):
        os.kill(process, 0)
        return True
    return False
