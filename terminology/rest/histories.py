"""Versions of stored resources: vread, and the history of one resource or of a type, newest first.

Source: https://hl7.org/fhir/R5/http.html#history. A page ends with a link that names the last version it showed, so
that what is written meanwhile moves nothing: later pages show what is older.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlencode

from terminology.issues import Invalid, issue
from terminology.model import Issue, Json
from terminology.rest.exchange import Pairs
from terminology.storage.records import Version

_INSTANT = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?)?)?")
_BEFORE = re.compile(r"(\d{1,18})-([A-Za-z0-9.-]{1,64})")
_KEPT = ("_since", "_format", "_pretty")
PARAMETERS = ("_since", "_count", "_before")


class Wanted:
    """What was asked of a history; raises Invalid with every reason."""

    def __init__(self, given: Pairs, *, count: int, limit: int) -> None:
        values = dict(given)
        reasons: list[Issue] = []
        self.since = _since(values.get("_since"), reasons)
        self.before = _before(values.get("_before"), reasons)
        stated = values.get("_count") or str(count)
        if not (stated.isascii() and stated.isdigit() and len(stated) < 10):
            reasons.append(issue("OWN_WRONG_TYPE", "_count", "a whole number from 0", repr(stated[:60]), at="_count"))
            stated = "0"
        if reasons:
            raise Invalid(*reasons)
        self.count = min(int(stated), limit)
        self.kept = [(name, value) for name, value in given if name in _KEPT]


def _since(text: str | None, reasons: list[Issue]) -> str | None:
    """The instant as the store writes it."""
    if not text:
        return None
    text = text.replace(" ", "+")  # a plus that nobody escaped
    padded = text + "0000-01-01"[len(text) :] if len(text) < 10 else text
    try:
        found = datetime.fromisoformat(padded if _INSTANT.fullmatch(text) else "")
    except ValueError:
        wanted = "an instant such as 2026-11-23T17:00:00Z"
        reasons.append(issue("OWN_WRONG_TYPE", "_since", wanted, repr(text[:60]), at="_since"))
        return None
    at = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _before(text: str | None, reasons: list[Issue]) -> tuple[int, str] | None:
    if not text:
        return None
    if found := _BEFORE.fullmatch(text):
        return int(found[1]), found[2]
    reasons.append(issue("OWN_WRONG_TYPE", "_before", "what a next link says", repr(text[:60]), at="_before"))
    return None


def bundle(
    wanted: Wanted, found: tuple[int, list[Version]], address: str, base: str, show: Callable[[Version], Json]
) -> Json:
    """The history Bundle; ``address`` is that of the history, ``base`` the endpoint's, ``show`` the resource of a
    version in the form of the endpoint."""
    total, versions = found
    made: Json = {"resourceType": "Bundle", "type": "history", "total": total}

    def link(relation: str, *more: tuple[str, str]) -> Json:
        query = urlencode([*wanted.kept, ("_count", str(wanted.count)), *more], safe=":/|$,")
        return {"relation": relation, "url": f"{address}?{query}"}

    at = (("_before", f"{wanted.before[0]}-{wanted.before[1]}"),) if wanted.before else ()
    made["link"] = [link("self", *at)]
    if versions and len(versions) == wanted.count:
        made["link"].append(link("next", ("_before", f"{versions[-1].generation}-{versions[-1].id}")))
    if versions:
        made["entry"] = [_entry(each, base, show) for each in versions]
    return made


def _entry(version: Version, base: str, show: Callable[[Version], Json]) -> Json:
    made: Json = {"fullUrl": f"{base}/{version.kind}/{version.id}"}
    if not version.deleted:
        made["resource"] = show(version)
    url = version.kind if version.method == "POST" else f"{version.kind}/{version.id}"
    made["request"] = {"method": version.method, "url": url}
    status = 204 if version.deleted else 201 if version.number == 1 else 200
    made["response"] = {
        "status": f"{status} {HTTPStatus(status).phrase}",
        "etag": f'W/"{version.number}"',
        "lastModified": version.instant,
    }
    return made
