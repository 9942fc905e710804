"""JSON text in and out: the only door by which a JSON body comes in, and it is strict.

What JSON readers differ on is refused, so that a proxy, a log and this server never understand one body in
different ways (RFC 8259 sections 4 and 8): keys given twice, NaN and numbers no double can hold, NUL, lone
surrogates, other encodings than UTF-8. Bodies of every size are read in the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from terminology.wire import decimals
from terminology.wire.malformed import Malformed

__all__ = ["MAX_DEPTH", "Malformed", "read", "write"]

MAX_DEPTH = 200  # containers; orjson writes 254, and answers wrap what came in in a few of their own

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_A_BRACKET = re.compile(r"[^\[\]{}]+")
_ESCAPED_TROUBLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_TROUBLE = re.compile("[\0\ud800-\udfff]")


def read(body: bytes) -> dict[str, Any]:
    """The object in a body. Numbers with a fraction or an exponent, those beyond 64 bits and -0 are Decimals that
    ``write`` gives back as they were written. Raises Malformed."""
    text = _decoded(body)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Malformed(
            f"The body is not valid JSON: {error.msg}; correct it and send it again.", _place(text, error.pos)
        ) from None
    except _KeyTwiceError as error:
        raise Malformed(
            f"The key {error.key!r} is given twice in one object; send each key once.", _path_of_repeated_key(text)
        ) from None
    except _NumberError as error:
        raise Malformed(
            f"{error.text[:40]} is not a number of FHIR, which are finite and no larger than "
            f"1e{decimals.LARGEST_EXPONENT}; send a smaller one.",
            _place(text, text.find(error.text)),
        ) from None
    if _ESCAPED_TROUBLE.search(text):
        _refuse_characters(value)
    if not isinstance(value, dict):
        raise Malformed("The body is not a JSON object; send one resource, from { to }.", "line 1, column 1")
    return value


def write(value: object, *, pretty: bool = False) -> bytes:
    """JSON text in UTF-8, without spaces or indented by two. A Decimal is written with all its digits; raises
    TypeError for what JSON has no form for."""
    return orjson.dumps(value, default=_written, option=orjson.OPT_INDENT_2 if pretty else None)


def _written(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(decimals.written(value))
    raise TypeError(f"{type(value).__name__} has no form in JSON")


# -- text -----------------------------------------------------------------------------------------------


def _decoded(body: bytes) -> str:
    body = body.removeprefix(_BYTE_ORDER_MARK)
    if not body.strip():
        raise Malformed("The body is empty; send a resource in JSON.", "body")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start].decode("utf-8")
        raise Malformed(
            "The body is not UTF-8; FHIR has no other encoding: send it as UTF-8.", _place(before, len(before))
        ) from None
    if "\0" in text:
        raise Malformed(
            "The body holds a NUL character, which no FHIR string may; remove it.", _place(text, text.index("\0"))
        )
    return text


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


def _refuse_depth(text: str) -> None:
    """As far as the text is JSON, backslashes stand in strings: without those before a quotation mark, every second
    piece between quotation marks is outside of strings. A string without its end counts to the end."""
    depth = 0
    outside = text.replace("\\\\", "").replace('\\"', "").split('"')[::2]
    for bracket in _NOT_A_BRACKET.sub("", "".join(outside)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise Malformed(f"The body is nested more than {MAX_DEPTH} levels deep; send it flatter.", "body")


# -- values ---------------------------------------------------------------------------------------------


class _KeyTwiceError(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


class _NumberError(Exception):
    def __init__(self, text: str) -> None:
        self.text = text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _KeyTwiceError(_repeated(pairs))
    return found


def _repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]


def _number(text: str) -> Decimal:
    try:
        return decimals.parsed(text)
    except ValueError:
        raise _NumberError(text) from None


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= 18 and text != "-0" else _number(text)


def _constant(text: str) -> NoReturn:
    raise _NumberError(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_float=_number, parse_int=_integer, parse_constant=_constant)
"""Made once: ``json.loads`` makes one for each text."""


# -- where it is, looked for only when there is something to refuse ---------------------------------------


class _Pairs(list[tuple[str, Any]]):
    """An object with its repeated keys."""


def _path_of_repeated_key(text: str) -> str:
    value = json.loads(text, object_pairs_hook=_Pairs)
    for path, node in _nodes(value, ""):
        if isinstance(node, _Pairs) and len({key for key, _ in node}) != len(node):
            return f"{path}.{_repeated(node)}".removeprefix(".")
    return "body"


def _refuse_characters(value: Any) -> None:
    for path, node in _nodes(value, ""):
        texts = [node] if isinstance(node, str) else list(node) if isinstance(node, dict) else []
        if any(_TROUBLE.search(text) for text in texts):
            raise Malformed(
                "A string holds a NUL character or half of a surrogate pair; FHIR has neither: remove it.",
                ascii(path)[1:-1] or "body",
            )


def _nodes(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value with its path, outermost first."""
    waiting = [(path, value)]
    while waiting:
        path, node = waiting.pop()
        yield path, node
        inner: list[tuple[str, Any]] = []
        if isinstance(node, (_Pairs, dict)):
            pairs = node if isinstance(node, _Pairs) else node.items()
            inner = [(f"{path}.{key}".removeprefix("."), item) for key, item in pairs]
        elif isinstance(node, list):
            inner = [(f"{path}[{index}]", item) for index, item in enumerate(node)]
        waiting += reversed(inner)
