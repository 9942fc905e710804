"""The engine for tables: Parquet, CSV and TSV through DuckDB, each distinct coding judged once.

A first pass counts the distinct codings (system, code, version, display) with their first and last day. Most are
plainly right on all days between, and done. The others are judged once in every span of days in which no answer can
change (``days``). Where nothing was found in any of them, the rows are right too and are not looked at again; the rows
of the rest are read a second time and counted by span. So memory is bounded by the distinct codings and the distinct
days; DuckDB spills to disk what is over its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from terminology.bulk import days
from terminology.bulk.counting import AT_ONCE, Ahead, Coded, Counted, Reading, counted, written
from terminology.bulk.duck import StoppedError
from terminology.bulk.report import FIRST_PLACES, Batch, Found, Input, Place, Tally
from terminology.bulk.resources import Asking, Memo
from terminology.bulk.sources import Source
from terminology.frozen import dataclass
from terminology.model import Canonical
from terminology.procedures.records import Finding, Judgement

Codes = Iterable[tuple[str | None, str | None]]
_MOST_ODD = 64
_FURTHER = 8
"""So many times as many rows are read again where some of the first had no findings."""
_SPANS = "JOIN calendar ON calendar.day IS NOT DISTINCT FROM rows.day"


# --- a run ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class How:
    """What a table is judged by, and how it is read. ``bounds`` says on which days answers about codes may change."""

    asking: Asking
    reading: Reading
    bounds: Callable[[Codes], set[str]]


def judge(source: Source, tally: Tally, how: How, ahead: Ahead | None = None) -> None:
    """Judges a table, which may have been counted ahead, into the tally; raises what ``counted`` raises."""
    begun = tally.records
    try:
        with ahead or counted(source, how.reading) as held:
            if held:
                _judge(_Run(held, tally, how))
            size, digest = held.content.read() if held else (None, None)
    except StoppedError:
        tally.inputs.append(Input(source.name, source.kind, tally.records - begun))
        raise
    distinct = held.distinct if held else None
    tally.inputs.append(Input(source.name, source.kind, tally.records - begun, size, digest, distinct))


def _judge(run: _Run) -> None:
    run.flaws()
    run.judge()
    run.note()
    run.hand_on()


class _Run:
    """The passes over one table whose codings are counted."""

    def __init__(self, held: Counted, tally: Tally, how: How) -> None:
        self.held, self._table, self._duck, self._tally, self._how = held, held.table, held.duck, tally, how
        self._progress = how.reading.progress
        self._memo = Memo(how.asking)
        self._noted = 0
        self.calendar = days.Calendar()

    def flaws(self) -> None:
        """The rows that could not be read."""
        for place, flaw in self._table.flaws():
            self._tally.add(Batch({"unjudged": 1}, found=(Found(place, flaw),)))

    def judge(self) -> None:
        """Each coding on all its days; what has findings, or differs, is noted for the second pass."""
        self._duck.run("CREATE TABLE unsure (id BIGINT)")
        self._duck.run("CREATE TABLE noted (id BIGINT)")
        done, unsure = 0, 0
        for some in self.held.codings():
            left = self._left(some)
            self._insert("unsure", left)
            unsure += len(left)
            done += sum(coded.count for coded in some)
            self._progress("judging", done / max(self.held.total, 1) / 2)
        if not unsure:
            return
        self.calendar, done = self._calendar(), 0
        for some in self.held.codings(" JOIN unsure USING (id)"):
            noted = [coded.id for coded in some if not self._right(coded)]
            self._insert("noted", noted)
            self._noted += len(noted)
            done += len(some)
            self._progress("judging", 0.5 + done / unsure / 2)

    def _left(self, some: list[Coded]) -> list[int]:
        """Of which codings it takes more to say how they stand; those that are plainly right on all their days are
        counted."""
        whole = [(coded, coded.first, coded.last) for coded in some if coded.first and coded.last and not coded.odd]
        said = self._how.asking.judge.plain([(coded.values, first, last) for coded, first, last in whole])
        right = set()
        for (coded, *_), used in zip(whole, said, strict=True):
            if used is not None:
                right.add(coded.id)
                self._tally.verdicts["right"] += coded.count
                self._tally.used |= used
        return [coded.id for coded in some if coded.id not in right]

    def _right(self, coded: Coded) -> bool:
        """Whether nothing is to be said of a coding on any of its days; then it is counted."""
        spans = self.calendar
        if coded.odd and len(spans.odd) > _MOST_ODD:
            return False
        found: list[Judgement] = []
        odd = spans.odd if coded.odd or not self.held.dated else ()
        for span in (*odd, *spans.between(coded.first, coded.last)):
            found.append(self.judgement(coded, span.first))
            if found[-1].findings or found[-1].verdict != found[0].verdict:
                return False
        self._tally.verdicts[found[0].verdict] += coded.count
        self._tally.used |= {used for each in found for used in _used(each)}
        return True

    def note(self) -> None:
        """The second pass: how often each finding was made, and the first places of each.

        One answer counts for all rows of a coding in a span; the day that its sentence tells is that of the first row.
        """
        if not self._noted:
            return
        day, parts, spans = "NULL", "noted.id", ""
        if self.held.dated:
            day, parts, spans = "arg_min(rows.day, rows.number)", "noted.id, calendar.span", _SPANS
        self._duck.run(
            f"CREATE TABLE counted AS SELECT noted.id, count(*) AS n, {day} AS day, "  # noqa: S608
            f"min(rows.number, {FIRST_PLACES}) AS places FROM {self._joined()} {spans} GROUP BY {parts}",
            progress=lambda done: self._progress("listing", done),
        )
        cells = ", ".join(f"coded.{each}" for each in self._table.key)
        query = f"SELECT counted.id, {cells}, counted.n, counted.day, counted.places FROM counted JOIN coded USING (id)"  # noqa: S608
        for some in self._duck.rows(query, most=AT_ONCE):
            for row in some:
                self._counted(row)

    def _counted(self, row: Sequence[Any]) -> None:
        id_, *values, count, day, places = row
        judgement = self.judgement(Coded(id_, self.held.filled(values), count), written(day))
        self._tally.verdicts[judgement.verdict] += count
        self._tally.used |= set(_used(judgement))
        where = [self._place(place) for place in places]
        for finding in judgement.findings:
            self._tally.note(finding, where, count)

    def hand_on(self) -> None:
        """Every finding of every row, for those who want each."""
        if not self._noted or not self._tally.listing():
            return
        told = _Told(self)
        for number, id_, on, span, *values in self._in_order():
            for finding in told.findings(id_, values, on, span):
                self._tally.hand_on(Found(self._place(number), finding))
            if not self._tally.listing():
                return

    def _in_order(self) -> Iterator[tuple[Any, ...]]:
        """Number, coding, day, span and key of the rows whose codings are noted. With a limit as many are read first;
        more where some have no findings, which on their day happens."""
        cells = ", ".join(f"noted.{each}" for each in self._table.key)
        day, spans = ("rows.day, calendar.span", _SPANS) if self.held.dated else ("NULL, 0", "")
        found = f"SELECT rows.number, noted.id, {day}, {cells} FROM {self._joined()} {spans}"  # noqa: S608
        last, most = -1, self._tally.left
        while True:
            limit, read = "" if most is None else f"LIMIT {most}", 0
            query = f"{found} WHERE rows.number > {last} ORDER BY rows.number {limit}"
            for some in self._duck.rows(query, most=AT_ONCE):
                read, last = read + len(some), some[-1][0]
                yield from some
            if most is None or read < most:
                return
            most *= _FURTHER

    # --- parts --------------------------------------------------------------------------------------------------

    def _calendar(self) -> days.Calendar:
        """The spans that the days of the table lie in; the table ``calendar`` says which day is in which."""
        if not self.held.dated:
            return days.Calendar((), (days.Span(None, None),))
        self.held.days()
        every = [written(day) for some in self._duck.rows("SELECT day FROM calendar") for (day,) in some]
        codes = (coded.values[:2] for some in self.held.codings(" JOIN unsure USING (id)") for coded in some)
        found = days.calendar(every, self._how.bounds((system, code) for system, code in codes))
        for number, span in enumerate(found.spans, 1):
            inside = "whole BETWEEN CAST(? AS DATE) AND CAST(? AS DATE)"
            self._duck.run(f"UPDATE calendar SET span = {number} WHERE {inside}", [span.first, span.last])  # noqa: S608
        self._duck.run("UPDATE calendar SET span = -rowid - 1 WHERE span = 0")
        return found

    def judgement(self, coded: Coded, day: str | None) -> Judgement:
        system, code, version, display = coded.values
        on = day or self._how.reading.columns.constant.get("date")
        return self._memo.judge(self._how.asking.judge.row(system, code, version, display, on))

    def _joined(self) -> str:
        """The rows whose codings are noted. Only ``=`` lets DuckDB pass over rows by the dictionaries of the file."""
        noted = "(SELECT coded.* FROM coded JOIN noted USING (id))"
        gaps = ", ".join(f"count(*) > count({each})" for each in self._table.key)
        [[some]] = self._duck.rows(f"SELECT {gaps} FROM {noted}")  # noqa: S608
        signs = ("IS NOT DISTINCT FROM" if gap else "=" for gap in some)
        same = " AND ".join(
            f"rows.{each} {sign} noted.{each}" for each, sign in zip(self._table.key, signs, strict=True)
        )
        return f"{self._table.rows(numbered=True)} AS rows JOIN {noted} AS noted ON {same}"

    def _insert(self, table: str, ids: list[int]) -> None:
        if ids:
            self._duck.run(f"INSERT INTO {table} SELECT unnest(?::BIGINT[])", [ids])

    def _place(self, number: int) -> Place:
        return Place(self._table.source.name, "row", self._table.number(number))


class _Told:
    """The findings of a coding on a day. Where they are the same at both ends of a span, they are so inside it; where a
    sentence tells the day, each day is judged."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._held: dict[tuple[int, int, str | None], tuple[Finding, ...] | None] = {}

    def findings(self, id_: int, values: Sequence[Any], on: Any, span: int) -> tuple[Finding, ...]:
        if len(self._held) > 2 * AT_ONCE:
            self._held.clear()
        whole = id_, span, None
        if whole not in self._held:
            self._held[whole] = self._of_span(self._coded(id_, values), span)
        if (found := self._held[whole]) is not None:
            return found
        one = id_, span, (day := written(on))
        if (found := self._held.get(one)) is None:
            found = self._held[one] = self._run.judgement(self._coded(id_, values), day).findings
        return found

    def _coded(self, id_: int, values: Sequence[Any]) -> Coded:
        return Coded(id_, self._run.held.filled(values))

    def _of_span(self, coded: Coded, span: int) -> tuple[Finding, ...] | None:
        if span <= 0:  # a day that stands for itself
            return None if self._run.calendar.odd else self._run.judgement(coded, None).findings
        place = self._run.calendar.spans[span - 1]
        first = self._run.judgement(coded, place.first).findings
        return first if self._run.judgement(coded, place.last).findings == first else None


def _used(judgement: Judgement) -> Iterator[Canonical]:
    return (each.used for each in judgement.codings if each.used)
