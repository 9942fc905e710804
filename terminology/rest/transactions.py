"""A transaction Bundle: all of its changes at once, or none, in FHIR's order (DELETE, POST, PUT and PATCH, then reads).

Source: https://hl7.org/fhir/R5/http.html#trules. ``urn:`` addresses of entries that create or update something are
replaced by ``type/id`` wherever they stand as a whole value. Reads and searches are answered after the commit, so that
they see it; that they can be answered is made sure before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from terminology.frozen import dataclass
from terminology.issues import NotFound, NotSupported, Refusal, Unprocessable, issue
from terminology.model import Issue, Json
from terminology.rest.changes import KINDS, Change, Done
from terminology.rest.exchange import Answer, Asked, Conflict
from terminology.rest.interactions import Interactions
from terminology.storage.records import CanonicalTaken, Writer

ORDER = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2}
_PLACE = re.compile(r"([A-Za-z]+)(?:/([A-Za-z0-9.-]{1,64}))?")


@dataclass(frozen=True, slots=True)
class Step:
    """One entry: its place, its request, its ``fullUrl``, and the change it asks for (None for a read)."""

    index: int
    asked: Asked
    address: str
    kind: str
    identity: str | None
    change: Change | None = None

    @property
    def shown(self) -> str:
        return f"{self.asked.method} {self.asked.path}"[:120]


class Transactions:
    """The transactions of one endpoint. ``check`` refuses a search that cannot be answered."""

    def __init__(
        self,
        interactions: Interactions,
        answer: Callable[[Asked], Answer],
        check: Callable[[str, Asked], object],
        published: Callable[[str, str], Json | None],
    ) -> None:
        self._interactions = interactions
        self._answer = answer
        self._check = check
        self._published = published

    def answered(self, entries: Sequence[tuple[Asked, str]]) -> list[Answer]:
        """The answers to the entries (request and ``fullUrl``), in their order; raises Refusal where one of them cannot
        be done, and then nothing is."""
        steps = self._understood(entries)
        try:
            with self._interactions.service.stored.opened().write() as writing:
                done = self._done(writing, steps)
        except CanonicalTaken as taken:
            raise Conflict(issue("OWN_CANONICAL_TAKEN", "resource", taken.args[0], "?")) from taken
        return [
            self._interactions.answered(step.asked, step.kind, done[step.index])
            if step.index in done
            else self._answer(step.asked)
            for step in steps
        ]

    def _understood(self, entries: Sequence[tuple[Asked, str]]) -> list[Step]:
        """The steps; raises one Refusal with what is wrong with any of them."""
        steps: list[Step] = []
        reasons: list[Issue] = []
        for index, (asked, address) in enumerate(entries):
            try:
                steps.append(self._step(index, asked, address))
            except Refusal as refused:
                place = f"Bundle.entry[{index}]"
                reasons.append(issue("OWN_TRANSACTION_ENTRY", index, f"{asked.method} {asked.path}"[:120], at=place))
                reasons.extend(refused.issues)
        named = [f"{step.kind}/{step.identity}" for step in steps if step.change and step.identity]
        reasons += [issue("OWN_TRANSACTION_TWICE", each) for each in dict.fromkeys(named) if named.count(each) > 1]
        if reasons:
            raise Unprocessable(*reasons)
        return steps

    def _step(self, index: int, asked: Asked, address: str) -> Step:
        found = _PLACE.fullmatch(asked.path)
        kind, identity = (found[1], found[2]) if found else ("", None)
        reads = asked.method in ("GET", "HEAD")
        fits = reads or (kind in KINDS and asked.method in ORDER and (identity is None) == (asked.method == "POST"))
        if not found or not fits or (asked.query_string and not (reads and identity is None)):
            named = f"{asked.method} {asked.path}"[:120]
            raise NotSupported(issue("OWN_TRANSACTION_METHOD", named, ", ".join(KINDS)))
        step = Step(index, asked, address, kind, identity)
        if reads:
            if identity is None:
                self._check(kind, asked)
            return step
        return replace(step, change=self._interactions.changes.understood(asked, kind, identity))

    def _done(self, writing: Writer, steps: Sequence[Step]) -> dict[int, Done]:
        changes = [(step, step.change) for step in steps if step.change is not None]
        matched = {step.index: self._interactions.changes.matched(change) for step, change in changes}
        ids = {step.index: step.identity or next(iter(matched[step.index]), str(uuid4())) for step, _ in changes}
        addresses = {
            step.address: f"{step.kind}/{ids[step.index]}" for step, _ in changes if step.address.startswith("urn:")
        }
        done: dict[int, Done] = {}
        for step, change in sorted(changes, key=lambda each: ORDER[each[1].method]):
            resource = resolved(change.resource, addresses) if addresses else change.resource
            ready = replace(change, identity=ids[step.index], resource=resource)
            with _naming(step):
                done[step.index] = self._interactions.changes.apply(writing, ready, matched[step.index])
        for step in steps:
            if step.change is None and step.identity is not None:
                with _naming(step):
                    self._readable(writing, step.kind, step.identity)
        return done

    def _readable(self, writing: Writer, kind: str, identity: str) -> None:
        held = writing.current(kind, identity) if kind in KINDS else None
        if (held is None or held.deleted) and self._published(kind, identity) is None:
            raise NotFound(issue("OWN_UNKNOWN_RESOURCE", kind, identity))


def resolved(value: Any, addresses: dict[str, str]) -> Any:
    """A value with the addresses of entries replaced, wherever they stand as a whole text."""
    if isinstance(value, dict):
        return {name: resolved(each, addresses) for name, each in value.items()}
    if isinstance(value, list):
        return [resolved(each, addresses) for each in value]
    return addresses.get(value, value) if isinstance(value, str) else value


@contextmanager
def _naming(step: Step) -> Iterator[None]:
    """Adds to a refusal which entry it is about."""
    try:
        yield
    except Refusal as refused:
        where = issue("OWN_TRANSACTION_ENTRY", step.index, step.shown, at=f"Bundle.entry[{step.index}]")
        refused.issues = (where, *refused.issues)
        raise
