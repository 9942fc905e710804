"""One thread of a worker serves at a time, and another one is let in when it is held up.

A server that hands requests to a pool of threads wakes many of them at once; in Python each then waits for the
interpreter, which does not go to the one that waits longest, so that requests overtake each other and a few wait ten
times as long as the rest. One thread alone answers them in the order in which they came, and quicker, but a client that
sends its body slowly, or a costly question, would hold up everybody. So the threads of the pool that are not needed
are kept: each waits at the end of an answer that it has already given (``_Last.close``), and comes back when one that
serves has been at the same request for more than a tick. For ``CALM`` seconds after that as many stay as were needed.

Only a server that sends what an iterable gives before it calls its ``close`` (PEP 3333) may be asked this: Granian is,
under ``terminology serve``. The end of such an answer is known by its Content-Length, and what was asked by it has been
read, so nobody waits for the thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from terminology.http.door import Environ
    from terminology.http.front import Start, Wsgi

TICK = 0.01
"""Seconds between two looks at what the threads do; one to two pass before a thread counts as held up."""
CALM = 1.0
"""Seconds for which as many threads serve as were needed together."""


class Turns:
    """A WSGI callable before another one, ``behind``, for the threads of a pool. ``tick``: see ``TICK``."""

    def __init__(self, behind: Wsgi, tick: float = TICK) -> None:
        self.behind = behind
        self._every = tick
        self._own = threading.local()
        self._lock = threading.Lock()
        self._seats: set[_Seat] = set()
        self._wanted = 1
        self._kept: list[threading.Lock] = []
        self._tick = 1
        self._resting = False
        self._bell = threading.Event()
        threading.Thread(target=self._watch, name="turns", daemon=True).start()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        try:
            seat = self._own.entered.seat
        except AttributeError:
            seat = self._enter()
        seat.since = self._tick
        if self._resting:
            self._wake()
        try:
            if self.serving > self._wanted and _was_read(environ):
                return self._perhaps_last(environ, start)
            return self.behind(environ, start)
        finally:
            seat.since = 0

    @property
    def serving(self) -> int:
        """Threads that serve or wait for a request."""
        return len(self._seats) - len(self._kept)

    @property
    def kept(self) -> int:
        """Threads that wait until they are needed."""
        return len(self._kept)

    @property
    def resting(self) -> bool:
        """True where no request was there for a while, and nobody looks."""
        return self._resting

    # --- the threads ---------------------------------------------------------------------------------------------

    def _enter(self) -> _Seat:
        """A thread of the pool comes for the first time."""
        seat = _Seat()
        with self._lock:
            self._seats.add(seat)
        self._own.entered = _Entered(self, seat)
        return seat

    def left(self, seat: _Seat) -> None:
        """A thread has ended: a pool lets go those that had nothing to do for long."""
        with self._lock:
            self._seats.discard(seat)
            self._let_in()

    def _perhaps_last(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """The answer of a thread that is one too many: its last one for now, where its end can be known."""
        told: list[tuple[str, Sequence[tuple[str, str]]]] = []

        def noted(status: str, headers: Sequence[tuple[str, str]], *more: Any) -> Any:
            told[:] = [(status, headers)]
            return start(status, headers, *more)

        parts = self.behind(environ, noted)
        status, headers = told[0]
        if parts.__class__ is list and status[0] == "2" and any(name == "Content-Length" for name, _ in headers):
            return _Last(parts, self._keep)
        return parts

    def _keep(self) -> None:
        """Keeps this thread until it is needed, unless it is already."""
        with self._lock:
            if self.serving <= self._wanted:
                return
            gate = threading.Lock()
            gate.acquire()
            self._kept.append(gate)
        gate.acquire()

    def _let_in(self) -> None:
        """Lets so many come back as are wanted. Called with the lock."""
        while self._kept and self.serving < self._wanted:
            self._kept.pop().release()

    # --- who looks after them ------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._resting = False
        self._bell.set()

    def _watch(self) -> None:
        calm = 0
        while True:
            time.sleep(self._every)
            self._tick += 1
            calm = 0 if self._look() else calm + 1
            if calm * self._every >= CALM:
                calm = 0
                self._calm_down()

    def _held(self) -> int:
        """Threads that are held up. Called with the lock."""
        return sum(1 for seat in self._seats if 0 < seat.since < self._tick - 1)

    def _look(self) -> bool:
        """Lets in a thread more than are held up; False where fewer would do."""
        with self._lock:
            needed = self._held() + 1
            if needed == 1 or needed < self._wanted:
                return False
            self._wanted = needed
            self._let_in()
            return True

    def _calm_down(self) -> None:
        """Wants no more threads than are needed now, and sleeps where one is enough."""
        with self._lock:
            self._wanted = self._held() + 1
        if self._wanted == 1:
            self._rest()

    def _rest(self) -> None:
        """Sleeps until a request comes, as long as none is there."""
        self._bell.clear()
        self._resting = True
        with self._lock:
            busy = any(seat.since for seat in self._seats)
        if busy:
            self._wake()
        self._bell.wait()


class _Seat:
    """What a thread does: ``since`` is the tick at which it took its request, 0 while it has none."""

    __slots__ = ("since",)

    def __init__(self) -> None:
        self.since = 0


class _Entered:
    """Held by the locals of a thread alone, and so gone when the thread is."""

    __slots__ = ("seat", "turns")

    def __init__(self, turns: Turns, seat: _Seat) -> None:
        self.turns = turns
        self.seat = seat

    def __del__(self) -> None:
        self.turns.left(self.seat)


class _Last:
    """The answer of a thread that is kept when it has been given."""

    __slots__ = ("_keep", "_parts")

    def __init__(self, parts: Iterable[bytes], keep: Callable[[], None]) -> None:
        self._parts = parts
        self._keep = keep

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        self._keep()


def _was_read(environ: Environ) -> bool:
    """True for a request of which nothing is left to be read once it was answered with success."""
    method = environ["REQUEST_METHOD"]
    if method == "POST":
        return True
    return method == "GET" and "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ
