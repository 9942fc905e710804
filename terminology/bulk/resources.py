"""The engine for resources: lines of NDJSON and documents of JSON, judged in this process and in further ones.

A resource is reduced to its Record, and equal Records are judged once as long as they are remembered: memory is bounded
by the number of Records that are kept, by the block that is read, and by the blocks under way. Answers come back in the
order of the input, whichever process was first.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from terminology.bulk.report import Batch, Found, Place, Unit
from terminology.frozen import dataclass
from terminology.issues import Refusal, issue
from terminology.model import Canonical, FhirVersion, Issue, Json
from terminology.procedures import bundles
from terminology.procedures.elements import KINDS
from terminology.procedures.records import Finding, Judgement, Record, Verdict

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

UNREADABLE = "unreadable"
"""The reason of what cannot be read; every other reason is the judge's."""

REMEMBERED = 100_000
_ALONE = 4
"""Pieces that this process judges before it starts others: a small file is done by then."""


class Judging(Protocol):
    """The judge (``procedures.judging.Judge``): how a resource or row becomes a Record, and what is said of one."""

    def turns(self, system: str | None, code: str | None) -> tuple[str, ...]: ...

    def plain(self, asked_of: Sequence[tuple[Sequence[str | None], str, str]]) -> list[frozenset[Canonical] | None]: ...

    def profiles(self, kind: str) -> bool: ...

    def read(self, resource: Json, fhir: FhirVersion) -> Record: ...

    def row(
        self,
        system: str | None,
        code: str | None,
        version: str | None = None,
        display: str | None = None,
        date: str | None = None,
    ) -> Record: ...

    def judge(self, record: Record, date: str | None = None) -> Judgement: ...


@dataclass(frozen=True, slots=True)
class Asking:
    """Who judges, the FHIR version of the resources, and the day to be judged on where one was named."""

    judge: Judging
    fhir: FhirVersion = "R4"
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the input that is judged at once: whole lines, the first of number ``first``, or a document."""

    source: str
    unit: Unit
    data: bytes
    first: int = 1
    line_limit: int = 16 << 20
    flaw: Issue | None = None
    """Why there is nothing to be judged here."""


class Memo:
    """The judgements of the Records that were asked about last."""

    def __init__(self, asking: Asking, remembered: int = REMEMBERED) -> None:
        self._asking, self._most = asking, remembered
        self._held: OrderedDict[Record, Judgement] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def judge(self, record: Record) -> Judgement:
        held = self._held.get(record)
        if held is not None:
            self._held.move_to_end(record)
            return held
        made = self._held[record] = self._asking.judge.judge(record, self._asking.date)
        if len(self._held) > self._most:
            self._held.popitem(last=False)
        return made


class Bench:
    """Judges pieces, one after the other, in one process."""

    def __init__(self, asking: Asking, remembered: int = REMEMBERED) -> None:
        self._asking, self._memo = asking, Memo(asking, remembered)

    def judged(self, piece: Piece) -> Batch:
        """All that is found in a piece. What cannot be read is a finding and ends nothing."""
        counted = _Counted()
        if piece.flaw:
            number = piece.first if piece.unit == "line" else None
            counted.flaw(Place(piece.source, piece.unit, number), piece.flaw)
        for place, data in _parts(piece):
            if len(data) > piece.line_limit and piece.unit == "line":
                counted.flaw(place, issue("OWN_INPUT_LINE_LONG", piece.line_limit))
                continue
            try:
                parsed = orjson.loads(data)
            except ValueError as wrong:
                unread = "OWN_INPUT_LINE" if piece.unit == "line" else "OWN_INPUT_DOCUMENT"
                counted.flaw(place, issue(unread, wrong))
            else:
                self._inside(parsed, place, counted)
        return counted.batch()

    def _inside(self, parsed: Any, place: Place, counted: _Counted) -> None:
        """A resource, or those that a Bundle or a list holds."""
        many = parsed if isinstance(parsed, list) else [parsed]
        for number, each in enumerate(many):
            for path, record in bundles.records(each, f"[{number}]" if many is parsed else ""):
                found = replace(place, inside=path) if path else place
                if isinstance(record, Issue):
                    counted.flaw(found, record)
                else:
                    self._resource(record, found, counted)

    def _resource(self, resource: Json, place: Place, counted: _Counted) -> None:
        if resource["resourceType"] not in KINDS:
            counted.skipped[resource["resourceType"]] += 1
            return
        try:
            record = self._asking.judge.read(resource, self._asking.fhir)
        except (Refusal, TypeError, ValueError, KeyError, AttributeError, RecursionError) as wrong:
            counted.flaw(place, issue("OWN_INPUT_RESOURCE", f"{type(wrong).__name__}: {wrong}"))
            return
        if record.elements or record.flaws:
            counted.judgement(place, self._memo.judge(record))
            counted.profiled += self._asking.judge.profiles(record.kind)
        else:
            counted.skipped[resource["resourceType"]] += 1


def _parts(piece: Piece) -> Iterator[tuple[Place, bytes]]:
    if piece.flaw:
        return
    if piece.unit == "document":
        yield Place(piece.source, "document"), piece.data
        return
    for number, line in enumerate(piece.data.split(b"\n"), piece.first):
        if line and not line.isspace():
            yield Place(piece.source, "line", number), line


class _Counted:
    """What was found so far in one piece."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self.profiled = 0
        self._verdicts: Counter[Verdict] = Counter()
        self._found: list[Found] = []
        self._used: set[Canonical] = set()

    def flaw(self, place: Place, found: Issue) -> None:
        self._verdicts["unjudged"] += 1
        self._found.append(Found(place, Finding(UNREADABLE, found)))

    def judgement(self, place: Place, judgement: Judgement) -> None:
        self._verdicts[judgement.verdict] += 1
        self._found.extend(Found(place, each) for each in judgement.findings)
        self._used.update(each.used for each in judgement.codings if each.used)

    def batch(self) -> Batch:
        return Batch(dict(self._verdicts), dict(self.skipped), tuple(self._found), frozenset(self._used), self.profiled)


# --- several processes --------------------------------------------------------------------------------------------


def judged(
    pieces: Iterable[Piece], asking: Asking, maker: Callable[[], Asking], jobs: int, stop: threading.Event
) -> Iterator[tuple[Piece, Batch]]:
    """What each piece gives, in order. ``maker`` makes what is asked in a further process, so it must pickle.

    Once ``stop`` is set no further piece is begun; those under way are given out.
    """
    bench, pending = Bench(asking), iter(pieces)
    for piece in pending if jobs == 1 else islice(pending, _ALONE):
        if stop.is_set():
            return
        yield piece, bench.judged(piece)
    if jobs == 1 or (first := next(pending, None)) is None:
        return
    with _pool(jobs, maker) as pool:
        yield from _in_order(pool, first, pending, jobs * 3, stop)


def _in_order(
    pool: ProcessPoolExecutor, first: Piece, pending: Iterator[Piece], most: int, stop: threading.Event
) -> Iterator[tuple[Piece, Batch]]:
    under_way: deque[tuple[Piece, Future[Batch]]] = deque([(first, pool.submit(_judge_there, first))])
    while under_way:
        while len(under_way) < most and not stop.is_set() and (piece := next(pending, None)) is not None:
            under_way.append((piece, pool.submit(_judge_there, piece)))
        piece, future = under_way.popleft()
        yield piece, future.result()


@contextmanager
def _pool(jobs: int, maker: Callable[[], Asking]) -> Iterator[ProcessPoolExecutor]:
    """Processes that were started afresh: one that is forked may inherit a lock that nobody will let go of."""
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415  small files need no further process
    from multiprocessing import get_context  # noqa: PLC0415

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(maker,)) as pool:
        with _deaf():
            pool.submit(int).result()
        yield pool


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; those begun here inherit that it does not concern them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_bench: Bench | None = None


def _begin(maker: Callable[[], Asking]) -> None:
    global _bench  # noqa: PLW0603  one per process, made when it starts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bench = Bench(maker())


def _judge_there(piece: Piece) -> Batch:
    assert _bench is not None
    return _bench.judged(piece)
