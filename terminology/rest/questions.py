"""Requests that differ in a code alone: what the first one meant is kept, and each further code is one read.

All that a request says but its code, and the display that goes with it, is its *question*. Who asks for thousands of
codes asks one question, so an operation says once for each question and content how codes are answered
(``Operation.ready``). Nothing is said here of any other request, nor where that way has no answer: the request then
goes the whole way, where it is also refused.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from terminology.catalog import Catalog
from terminology.issues import Refusal
from terminology.model import FhirVersion, Json
from terminology.operation import Operation, Ready, Value
from terminology.parameters import LONGEST, from_parameters, from_query
from terminology.request import Exchange
from terminology.rest.exchange import Asked, Service, decoded
from terminology.wire.r4 import from_r4

KEPT = 256
"""So many questions are kept."""

Question = tuple[Hashable, ...]
_CODING = frozenset(("system", "code", "display"))
_CONCEPT = frozenset(("coding", "text"))
_VARIED = frozenset(("code", "display"))
_DISPLAY = 4096
"""The longest display that is taken in every parameter."""


class Questions:
    """The questions to one endpoint, for the content as it is now."""

    def __init__(self, service: Service, fhir: FhirVersion) -> None:
        self._service = service
        self._fhir: FhirVersion = fhir
        self._kept: tuple[Catalog | None, dict[Question, Ready]] = None, {}

    def answer(self, operation: Operation, asked: Asked, body: Json | None) -> Json | None:
        """The answer in R5 form to a request of the type level; None for any that must go the whole way. ``body`` is
        what was sent in a POST."""
        header = asked.header
        if operation.ready is None or header("x-cache-id") is not None:
            return None
        if header("prefer") or header("x-too-costly-threshold"):
            return None
        told = _of_query(asked.query_string) if body is None else _of_parameters(body, asked.query_string)
        if told is None:
            return None
        stated, value = told
        catalog, kept = self._kept
        if catalog is not (current := self._service.catalog(self._fhir)):
            catalog, kept = self._kept = current, {}
        languages = header("accept-language")
        question = operation.resource, operation.name, languages, stated
        ready = kept.get(question)
        if ready is None:
            if len(kept) >= KEPT:
                kept.clear()
            ready = kept[question] = self._ready(operation, asked, body, languages) or _unready
        return ready(value)

    def _ready(self, operation: Operation, asked: Asked, body: Json | None, languages: str | None) -> Ready | None:
        try:
            given = from_query(asked.query) if body is None else from_parameters(self._in(body))
            exchange = Exchange(self._fhir, accept_language=languages)
            request = self._service.request(operation, given, exchange)
            return operation.ready(request) if operation.ready and "cache-id" not in request.arguments else None
        except Refusal:
            return None

    def _in(self, body: Json) -> Json:
        return from_r4(body) if self._fhir == "R4" else body


def _unready(_: Value) -> None:
    return None


# --- a request as its question and its code --------------------------------------------------------------------


def _of_query(query: str) -> tuple[Question, Value] | None:
    """What a query string asks, as it is written; None where it is not of the form."""
    found: dict[str, str] = {}
    stated = []
    for field in query.split("&"):
        name, _, text = field.partition("=")
        if name in _VARIED:
            if name in found or not text:
                return None
            found[name] = text
        elif name[:1] != "_" or "%" in field or "\0" in field:  # the others belong to the exchange
            stated.append(field)
    try:
        value = Value(_decoded(found["code"]), _decoded(found["display"]) if "display" in found else None)
    except (KeyError, UnicodeError):
        return None
    return (tuple(stated), value) if _fits(value) else None


def _decoded(text: str) -> str:
    if not text.isascii():
        raise UnicodeError(text)
    return decoded(text)


def _of_parameters(body: Json, query: str) -> tuple[Question, Value] | None:
    """The same of Parameters: one coded value, beside it primitive values."""
    entries = body.get("parameter")
    if query or len(body) != 2 or body["resourceType"] != "Parameters" or not isinstance(entries, list):
        return None
    found: Json = {}
    concept: Json | None = None
    stated: list[Hashable] = []
    for entry in entries:
        if not isinstance(entry, dict) or len(entry) != 2 or "name" not in entry:
            return None
        name = entry["name"]
        if name.__class__ is not str:
            return None
        kind, held = next(each for each in entry.items() if each[0] != "name")
        own = {name: held} if name in _VARIED else _coding_in(name, held)
        if own is None:
            if held.__class__ is not str and held.__class__ is not bool:
                return None
            stated.append((name, kind, held))
        elif found.keys() & own.keys():
            return None
        else:
            found |= own
            concept = held if name == "codeableConcept" else concept
            stated.append((name, kind, own.get("system")))
    value = Value(found.get("code", ""), found.get("display"), concept)
    return (tuple(stated), value) if _fits(value) else None


def _coding_in(name: str, held: Any) -> Json | None:
    """The one coding that a value is, or has; None for what says more."""
    if name == "codeableConcept" and isinstance(held, dict) and held.keys() <= _CONCEPT:
        if not isinstance(held.get("text", ""), str):
            return None
        codings = held.get("coding")
        held = codings[0] if isinstance(codings, list) and len(codings) == 1 else None
    elif name != "coding":
        return None
    if not isinstance(held, dict) or not held.keys() <= _CODING:
        return None
    return held if all(each.__class__ is str for each in held.values()) else None


def _fits(value: Value) -> bool:
    """True for a code and a display that no limit forbids."""
    code, display = value.code, value.display
    if code.__class__ is not str or not 0 < len(code) <= LONGEST["code"] or "\0" in code:
        return False
    return display is None or (display.__class__ is str and 0 < len(display) <= _DISPLAY and "\0" not in display)
