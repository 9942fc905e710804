"""The answer to a plain $expand, made of what the engine said before.

Most clients state nothing but a value set, or ask for a page of it by a text. Of two such answers only the codes, what
the client stated and the identifier differ. What they have in common is taken from an answer of the engine, and kept
by the catalog; the codes come from one query. Of everything else nothing is said here: the engine is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import lru_cache
from random import getrandbits
from time import time
from typing import Any

from terminology.catalog import Scope
from terminology.expansion import one_query, total_of
from terminology.frozen import dataclass
from terminology.model import Canonical, Json, Listing, Query
from terminology.operation import Engine
from terminology.parameters import LONGEST_BY_NAME, Given
from terminology.wire.r4 import Alike, to_r4

KEPT_CODES = 100
"""The largest expansion that is kept whole: a client that asks by POST, to which no answer is kept, asks for the same
ones again and again."""

_NUMBER = re.compile(r"[0-9]{1,9}")
_BEYOND = 10**9
_ECHOED = {"filter": "valueString", "offset": "valueInteger", "count": "valueInteger"}
"""What a client may state beside the url, in the order in which it is told."""


def identifier() -> str:
    """A new ``expansion.identifier``, a UUID of version 4; unlikely to come twice is all that is asked of it."""
    drawn = f"{getrandbits(120):030x}"
    return f"urn:uuid:{drawn[:8]}-{drawn[8:12]}-4{drawn[12:15]}-a{drawn[15:18]}-{drawn[18:]}"


def now() -> str:
    """The instant for ``expansion.timestamp``."""
    instant = time()
    return f"{_second(int(instant))}.{int(instant % 1 * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def plainly(given: Sequence[Given], scope: Scope, engine: Engine) -> Json | None:
    """The answer to a request that states nothing of its ``scope``; None: ask the engine. Raises what that does."""
    stated = {each.name: each.value for each in given}
    url = stated.pop("url", None)
    if url.__class__ is not str or len(stated) + 1 < len(given) or scope.reader or not _plain(stated):
        return None
    if "count" in stated:
        return _page(url, stated, scope, given, engine)
    return None if stated else _whole(url, scope, given, engine)


def _plain(stated: dict[str, Any]) -> bool:
    """True for a text, a count and an offset as they should be; numbers become numbers."""
    for name, value in stated.items():
        if name == "filter":
            if value.__class__ is not str or not 0 < len(value) <= LONGEST_BY_NAME["filter"]:
                return False
        elif name not in _ECHOED:
            return False
        elif value.__class__ is str and _NUMBER.fullmatch(value):
            stated[name] = int(value)
        elif value.__class__ is not int or not 0 <= value < _BEYOND:
            return False
    return True


# --- all codes of a small value set -----------------------------------------------------------------------------


def _whole(url: str, scope: Scope, given: Sequence[Given], engine: Engine) -> Json:
    made: list[Json] = []

    def small() -> Json | None:
        made.append(engine(given))
        return made[0] if made[0]["expansion"].get("total", KEPT_CODES + 1) <= KEPT_CODES else None

    kept = scope.catalog.remembered(("expansion", url, scope.fhir, scope.default_supplements, scope.limits), small)
    if made or kept is None:
        return made[0]
    return {**kept, "expansion": {**kept["expansion"], "identifier": identifier(), "timestamp": now()}}


# --- a page of one code system ----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What the pages of a value set have in common: the ``query`` to a ``listing`` of the system ``url``, the longest
    page (-1: none is plain), the answer, how it is ``made``, its expansion, and what that tells behind what the client
    stated."""

    most: int = -1
    url: str = ""
    query: Query = Query()
    listing: Listing | None = None
    answer: Json = field(default_factory=dict)
    made: Callable[..., Json] = dict
    expansion: Json = field(default_factory=dict)
    told: Sequence[Json] = ()


ENGINES = Frame()
"""No page is plain."""


def _page(url: str, stated: dict[str, Any], scope: Scope, given: Sequence[Given], engine: Engine) -> Json | None:
    made: list[Json] = []

    def framed() -> Frame:
        made.append(engine(given))
        return _frame(url, scope, made[0])

    frame = scope.catalog.remembered(("pages", url, scope.fhir, scope.default_supplements, scope.limits), framed)
    if made or frame is None:
        return made[0]
    return _filled(frame, stated, stated.get("offset", 0), stated["count"])


def _frame(url: str, scope: Scope, answer: Json) -> Frame:
    """What an answer of the engine has in common with others of its value set."""
    canonical = Canonical.parse(url)
    value_set = scope.catalog.value_set(canonical.url, canonical.version)
    if value_set is None or value_set.defaults or value_set.info.language or value_set.supplements or value_set.locked:
        return ENGINES
    found = one_query(value_set, scope)
    if found is None or found.select.alias or not isinstance(found.provider, Listing):
        return ENGINES
    head, expansion = _but(answer, "expansion"), _but(answer["expansion"], "contains")
    told = [each for each in expansion["parameter"] if each["name"] not in _ECHOED]
    query = replace(found.select.query, active_only=value_set.inactive is False, detailed=False)
    most = min(scope.limits.page, found.provider.info.expansion_cap or scope.limits.page)
    made = Alike if to_r4({**head, "expansion": expansion}) == {**head, "expansion": expansion} else dict
    return Frame(most, found.provider.info.canonical.url, query, found.provider, head, made, expansion, told)


def _but(held: Json, left_out: str) -> Json:
    return {name: value for name, value in held.items() if name != left_out}


def _filled(frame: Frame, stated: dict[str, Any], start: int, count: int) -> Json | None:
    """The answer with the codes of a page; None where the frame does not know how they look."""
    listing, query = frame.listing, frame.query
    if listing is None or count > frame.most:
        return None
    text = stated.get("filter")
    asked = Query(query.filters, None, text, query.active_only, None, start, count + 1, detailed=False)
    searching = text is not None and query.whole
    if not (searching or start) and listing.count(asked) <= count:
        return None  # it may be nested
    heads = listing.heads(asked)
    if heads is None:
        return None
    expansion = {**frame.expansion, "identifier": identifier(), "timestamp": now(), "offset": start}
    expansion["total"] = total_of(len(heads), start, count, lambda: listing.count(asked))
    echoed = [{"name": name, _ECHOED[name]: stated[name]} for name in _ECHOED if name in stated]
    expansion["parameter"] = [*echoed, *frame.told]
    if heads := heads[:count]:
        expansion["contains"] = [_contains(frame.url, *head) for head in heads]
    return frame.made(frame.answer, expansion=expansion)


def _contains(system: str, code: str, display: str, abstract: int) -> Json:
    if abstract:
        return {"system": system, "abstract": True, "code": code, "display": display}
    return {"system": system, "code": code, "display": display}
