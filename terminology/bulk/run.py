"""One run: sources in, one report out. What cannot be read is a finding; only a question that makes no sense refuses.

The report is valid at any time: when the run is stopped it says what was found until then, and that it is partial.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import field, replace
from functools import partial
from itertools import groupby

from terminology.bulk import days, rows
from terminology.bulk.counting import Ahead, Reading, Stage
from terminology.bulk.duck import Resources, StoppedError
from terminology.bulk.report import Batch, Found, Input, Place, Provenance, Report, Sink, Tally, Unit
from terminology.bulk.resources import UNREADABLE, Asking, Piece, judged
from terminology.bulk.sources import LIMITS, TABLES, Limits, Opened, Source, lines
from terminology.bulk.tables import Columns
from terminology.frozen import dataclass
from terminology.issues import NotFound, Refusal, Unprocessable, issue
from terminology.model import Issue
from terminology.procedures.records import Finding

_SHARE: dict[Stage, tuple[float, float]] = {"reading": (0.0, 0.5), "judging": (0.5, 0.2), "listing": (0.7, 0.3)}
"""Where in the work on a table a stage begins, and how much of it it is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: bytes of the files (None: unknown, standard input), and what was judged and found."""

    name: str
    done: int
    total: int | None
    records: int
    findings: int


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is done. ``limit`` bounds the findings that are handed on one by one."""

    jobs: int = 1
    limit: int | None = None
    columns: Columns = Columns({}, {})
    resources: Resources = Resources()
    limits: Limits = LIMITS


@dataclass(slots=True)
class _Read:
    """What was read of a source of resources."""

    source: Source
    opened: Opened | None = None
    records: int = 0


@dataclass
class Run:
    """A run under way. ``maker`` makes what is asked, also in further processes, so it must pickle. ``bounds`` says on
    which days answers about some codes may change; by default those of the content that the judge works in.
    ``meanwhile`` is done while a first table is being counted."""

    maker: Callable[[], Asking]
    plan: Plan = Plan()
    sinks: Sequence[Sink] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Callable[[Progress], None] = lambda _: None
    bounds: Callable[[rows.Codes], set[str]] | None = None
    meanwhile: Callable[[], object] = lambda: None

    def report(self, sources: Sequence[Source], provenance: Provenance) -> Report:
        """Judges all sources; raises NotFound where none of them holds anything to judge, or to hold to the profile;
        and for a table without the columns where it is all there is to read: among others it is a finding."""
        begun = time.monotonic()
        self._tally, self._done, self._alone = Tally(self.sinks, self.plan.limit), 0, len(sources) == 1
        sizes = [each.size for each in sources]
        self._total = None if None in sizes else sum(size or 0 for size in sizes)
        self._first: Ahead | None = None
        with self._ahead(sources[0]) if sources else nullcontext():
            self._asking = self.maker()
            self.meanwhile()
        try:
            for table, some in groupby(sources, key=lambda each: each.kind in TABLES):
                (self._tables if table else self._resources)(list(some))
        except StoppedError:
            self.stop.set()
        stopped = self.stop.is_set()
        names = ", ".join(each.name for each in sources) or "no file"
        if not (self._tally.records or stopped):
            raise NotFound(issue("OWN_INPUT_NOTHING", names))
        if provenance.profile and not (self._tally.profiled or self._tally.failed or stopped):
            raise NotFound(issue("OWN_INPUT_NOT_PROFILED", provenance.profile, names))
        return self._tally.report(provenance, partial=stopped, seconds=time.monotonic() - begun)

    # --- tables ---------------------------------------------------------------------------------------------------

    def _tables(self, sources: Sequence[Source]) -> None:
        for source in sources:
            bounds = self.bounds or partial(days.bounds, self._asking.judge.turns)
            how = rows.How(self._asking, self._reading(source, self._asking.date), bounds)
            try:
                rows.judge(source, self._tally, how, self._counted_ahead(source, how.reading))
            except Unprocessable as wrong:
                self._flaw(source, "document", wrong)
            except NotFound as wrong:  # a column
                if self._alone:
                    raise
                self._tally.failed = True
                self._flaw(source, "document", wrong)
            except OSError as wrong:
                self._unreadable(source, wrong)
            self._done += source.size or 0

    def _reading(self, source: Source, date: str | None = None) -> Reading:
        """A day that is asked about for all takes the place of a column."""
        size, before = source.size or 0, self._done

        def tell(stage: Stage, share: float) -> None:
            start, length = _SHARE[stage]
            self._tell(source.name, before + int(size * (start + length * share)))

        held = self.plan.columns
        columns = replace(held, constant={**held.constant, **({"date": date} if date else {})})
        return Reading(columns, self.stop, self.plan.resources, tell)

    @contextmanager
    def _ahead(self, source: Source) -> Iterator[None]:
        """A table that comes first is being counted while what is asked is made."""
        if source.kind in TABLES:
            self._first = Ahead(source, self._reading(source))
        try:
            yield
        except BaseException:
            if self._first:
                self.stop.set()
                self._first.leave()
            raise

    def _counted_ahead(self, source: Source, reading: Reading) -> Ahead | None:
        first, self._first = self._first, None
        if first and (first.source is not source or first.reading.columns != reading.columns):
            first.leave()
            return None
        return first

    def _flaw(self, source: Source, unit: Unit, wrong: Refusal) -> None:
        found = tuple(Found(Place(source.name, unit), Finding(UNREADABLE, each)) for each in wrong.issues)
        self._tally.add(Batch({"unjudged": 1}, found=found))
        self._tally.inputs.append(Input(source.name, source.kind, 0))

    def _unreadable(self, source: Source, wrong: OSError) -> None:
        self._tally.failed = True
        self._flaw(source, "document", Unprocessable(_unreadable(wrong)))

    # --- resources ------------------------------------------------------------------------------------------------

    def _resources(self, sources: Sequence[Source]) -> None:
        read = [_Read(each) for each in sources]
        by_name, counted = {each.source.name: each for each in read}, Counter[str]()
        pieces = (piece for each in read for piece in self._pieces(each))
        for piece, batch in judged(pieces, self._asking, self.maker, self.plan.jobs, self.stop):
            self._tally.add(batch)
            counted[piece.source] += sum(batch.verdicts.values())
            opened = by_name[piece.source].opened
            self._tell(piece.source, self._done + (opened.size if opened else 0))
        for each in read:
            size, digest = (each.opened.size, each.opened.digest) if each.opened else (None, None)
            if each.opened:
                name = each.source.name
                self._tally.inputs.append(Input(name, each.source.kind, counted[name], size, digest))

    def _pieces(self, read: _Read) -> Iterator[Piece]:
        source, limits = read.source, self.plan.limits
        unit: Unit = "line" if source.kind == "ndjson" else "document"
        number = 1
        try:
            read.opened = Opened(source, limits)
            if unit == "document":
                yield self._document(read.opened)
            else:
                for some in lines(read.opened.blocks(), limits.line):
                    number = some.first
                    flaw = issue("OWN_INPUT_LINE_LONG", limits.line) if some.long else None
                    yield Piece(source.name, unit, some.data, some.first, limits.line, flaw)
                    number += some.data.count(b"\n")
        except Unprocessable as wrong:
            yield Piece(source.name, unit, b"", number, flaw=wrong.issues[0])
        except OSError as wrong:
            self._tally.failed = True
            yield Piece(source.name, unit, b"", number, flaw=_unreadable(wrong))

    def _document(self, opened: Opened) -> Piece:
        held, most = bytearray(), self.plan.limits.document
        for block in opened.blocks():
            held += block
            if len(held) > most:
                raise Unprocessable(issue("OWN_INPUT_DOCUMENT_LONG", most))
        return Piece(opened.source.name, "document", bytes(held))

    # --- progress ---------------------------------------------------------------------------------------------------

    def _tell(self, name: str, done: int) -> None:
        findings = self._tally.severities.total()
        self.progress(Progress(name, done, self._total, self._tally.records, findings))


def _unreadable(wrong: OSError) -> Issue:
    return issue("OWN_INPUT_UNREADABLE", wrong.strerror or wrong)
