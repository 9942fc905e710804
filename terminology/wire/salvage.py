"""What can be used of JSON text that is not strict: what only a lenient reader takes is marked where it stands.

For text of others that cannot be sent again. `json_text` refuses such text as a whole; here the parts that are sound
are told from those on which readers differ, so that one bad part costs no more than itself.
"""

from __future__ import annotations

import json
import re
from typing import Any

from terminology.frozen import dataclass
from terminology.wire import decimals
from terminology.wire.json_text import MAX_DEPTH
from terminology.wire.malformed import Malformed

_BYTE_ORDER_MARK = "\ufeff"
_TROUBLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A value that strict JSON does not have, and why; ``value`` is what a lenient reader makes of it."""

    reason: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was read, and what follows its end though nothing may."""

    value: Any
    rest: str = ""


def read(body: bytes) -> Salvaged:
    """The value in a body with its spoiled parts; raises Malformed where it is no JSON at all."""
    text = body.decode("utf-8", "surrogateescape").removeprefix(_BYTE_ORDER_MARK).lstrip()
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as wrong:
        raise Malformed(f"it is no JSON: {wrong.msg}", f"line {wrong.lineno}, column {wrong.colno}") from None
    except RecursionError:
        raise Malformed(f"it is nested more than {MAX_DEPTH} levels deep", "body") from None
    return Salvaged(value, text[end:].strip(" \t\r\n"))


def trouble(value: Any) -> str | None:
    """Why a value that was read cannot be used, where it or something in it is spoiled; None for a sound one."""
    waiting = [(value, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, Spoiled):
            return node.reason
        texts = [node] if isinstance(node, str) else list(node) if isinstance(node, dict) else []
        if any(_TROUBLE.search(text) for text in texts):
            return "a string holds NUL, half of a surrogate pair, or bytes that are no UTF-8"
        if depth > MAX_DEPTH:
            return f"it is nested more than {MAX_DEPTH} levels deep"
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        waiting += [(each, depth + 1) for each in inner]
    return None


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return Spoiled(f"the key {twice[:80]!r} is given twice in one object", found)


def _number(text: str) -> Any:
    try:
        return decimals.parsed(text)
    except ValueError as wrong:
        return Spoiled(str(wrong))


def _integer(text: str) -> Any:
    return int(text) if len(text) <= 18 and text != "-0" else _number(text)


_DECODER = json.JSONDecoder(
    strict=False,
    object_pairs_hook=_object,
    parse_float=_number,
    parse_int=_integer,
    parse_constant=lambda text: Spoiled(f"{text} is no number of JSON"),
)
