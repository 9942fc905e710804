"""Answers that are kept: bounded by bytes, and never older than the content that they were made of.

A ``Shelf`` belongs to one generation of the content; where the content changed, a new empty one takes its place, so a
kept answer is not invalidated: it is out of reach. What is being made while the content changes is kept, if at all, on
the old shelf. Reads take no lock: two dicts, of which the older is dropped when the younger holds half of the
bytes; what is asked for again moves to the younger.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

from terminology.http import compression

Header = tuple[str, str]

_OF_ONE = frozenset(("Content-Length", "X-Request-Id"))

OVERHEAD = 1200
"""Bytes that a kept answer takes beside its body: headers, keys, and what Python adds (measured with tracemalloc)."""
KEY = 700
"""Bytes that a key takes beside its text."""
SEATS = 8192
"""So many requests are remembered that came once: 64 KiB."""
PATIENCE = 10.0
"""Seconds for which a request waits for the answer to an equal one; then it makes its own."""


@dataclass(slots=True, eq=False)
class Kept:
    """One answer, with its headers as they were sent first. Most are never asked for again, so what is needed to give
    it once more is made then. ``counted``: the half that counts its bytes."""

    status: str
    sent: Sequence[Header]
    body: bytes
    packed: tuple[tuple[Header, ...], bytes] | None = None
    counted: int = -1
    _headers: tuple[Header, ...] = ()
    _plain: tuple[Header, ...] = ()

    @property
    def headers(self) -> tuple[Header, ...]:
        """Without those of one request and one coding."""
        if not self._headers:
            self._headers = tuple(each for each in self.sent if each[0] not in _OF_ONE)
        return self._headers

    @property
    def plain(self) -> tuple[Header, ...]:
        """The headers of the body as it is."""
        if not self._plain:
            self._plain = (*self.headers, ("Content-Length", str(len(self.body))))
        return self._plain

    @property
    def etag(self) -> str | None:
        return next((value for name, value in self.sent if name == "ETag"), None)

    @property
    def size(self) -> int:
        return OVERHEAD + len(self.body) + (len(self.packed[1]) if self.packed else 0)

    @property
    def not_modified(self) -> tuple[Header, ...]:
        """The headers of 304 (RFC 9110 section 15.4.5)."""
        return tuple(each for each in self.headers if each[0] != "Content-Type")


class Doorkeeper:
    """Which requests came before, by their hash: the last one of each of ``SEATS``. One that is forgotten, or taken for
    another one, costs an answer made anew or kept for nothing. Needs no lock."""

    __slots__ = ("_seats",)

    def __init__(self) -> None:
        self._seats = array("q", bytes(8 * SEATS))

    def knows(self, key: Hashable) -> bool:
        """True for a key that was asked about before."""
        marked = hash(key)
        seat = marked % SEATS
        if self._seats[seat] == marked:
            return True
        self._seats[seat] = marked
        return False


@dataclass(slots=True, eq=False)
class Flight:
    """An answer that is being made, for those who asked the same meanwhile."""

    landed: threading.Lock = field(default_factory=threading.Lock)
    """Held by who makes it; an Event would cost five times as much."""
    made: Kept | None = None


class Shelf:
    """The answers of one ``generation``, up to ``most`` bytes."""

    def __init__(self, generation: object, most: int) -> None:
        self.generation = generation
        self._half = most // 2
        self._lock = threading.Lock()
        self._young: dict[Hashable, Kept] = {}
        self._old: dict[Hashable, Kept] = {}
        self._young_bytes = self._old_bytes = self._halves = 0
        self._flights: dict[Hashable, Flight] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    @property
    def size(self) -> int:
        """Bytes that are held, as estimated."""
        return self._young_bytes + self._old_bytes

    def get(self, key: Hashable) -> Kept | None:
        """The answer under a key."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: Hashable, kept: Kept, text: int = 0) -> None:
        """Keeps an answer under a key, a text of that length; it may stand under several, and is counted once."""
        if kept.size > self._half // 4:  # one answer must not push out all others
            return
        with self._lock:
            size = KEY + text + (kept.size if kept.counted != self._halves else 0)
            if self._young_bytes + size > self._half:
                self._old, self._young = self._young, {}
                self._old_bytes, self._young_bytes = self._young_bytes, 0
                self._halves += 1
                size = KEY + text + kept.size
            if key not in self._young:
                self._young[key] = kept
                self._young_bytes += size
                kept.counted = self._halves

    def packed(self, kept: Kept) -> tuple[tuple[Header, ...], bytes]:
        """Headers and body in gzip, made when they are first wanted."""
        if kept.packed is None:
            body = compression.packed(kept.body)
            more = (("Content-Encoding", "gzip"), ("Content-Length", str(len(body))))
            kept.packed = (*kept.headers, *more), body
            with self._lock:
                self._young_bytes += len(body)
        return kept.packed

    def once(self, key: Hashable, make: Callable[[], Kept | None]) -> Kept | None:
        """What ``make`` makes, made once for all who ask for the key meanwhile.

        Only an answer that may be kept is shared. Who gets none, because it failed or took longer than PATIENCE, gets
        None and makes its own. Whatever ``make`` raises, only its caller sees.
        """
        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = Flight()
                flight.landed.acquire()
        if not leads:
            if flight.landed.acquire(timeout=PATIENCE):
                flight.landed.release()
            return flight.made
        try:
            flight.made = make()
            return flight.made
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.release()
