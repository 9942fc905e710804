"""Comparison of an expected response (with templates) to an actual response.

This follows the rules of the official runner: objects are compared without regard to
property order; arrays are compared position by position (both sides have been put in a
canonical order before); the expected side may contain control words:

  "$optional-properties$": [..]  properties of this object that may be missing or extra
  "$count-arrays$": [..]         arrays of this object of which only the length counts
  "$optional$": true | "cond"    this array item may be missing; cond is `mode`, `!mode`,
                                 `version:<prefix>` or `warning:<text>`

and string values may be templates ($$, $id$, $uuid$, $instant$, $date$, $url$, $token$,
$string$, $semver$, $version$, $choice:a|b$, $fragments:a|b$, $external:n:a|b$).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .jsonio import JsonNumber, dumps, is_primitive, primitive_text

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY = _YEAR + r"-(0[1-9]|1[0-2])-(0[1-9]|[1-2][0-9]|3[0-1])"
_TIME = (
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?"
    r"(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
)
_NUMERIC = r"(0|[1-9][0-9]*)"
_PRE_PART = rf"({_NUMERIC}|[0-9A-Za-z-]*[A-Za-z-][0-9A-Za-z-]*)"
_BUILD_PART = r"[0-9A-Za-z-]+"

TEMPLATES = {
    "$instant$": re.compile(_DAY + _TIME),
    "$date$": re.compile(_DAY + f"({_TIME})?"),
    "$uuid$": re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "$id$": re.compile(r"[A-Za-z0-9\-.]{1,64}"),
    "$url$": re.compile(
        r"https?://(%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])+"
        r"([).!';/?:,][:blank|])?"
    ),
    "$token$": re.compile(r"[0-9a-zA-Z_][0-9a-zA-Z_.\-]*"),
    # the official runner demands a patch number here, too
    "$semver$": re.compile(
        rf"{_NUMERIC}\.{_NUMERIC}\.{_NUMERIC}(-{_PRE_PART}(\.{_PRE_PART})*)?"
        rf"(\+{_BUILD_PART}(\.{_BUILD_PART})*)?"
    ),
}

_BASE64 = {c: i for i, c in enumerate(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")}
_BASE64[ord("-")] = 62
_BASE64[ord("_")] = 63


def split_java(text: str, sep: str) -> list[str]:
    """Split as Java's String.split does: trailing empty parts are dropped."""
    parts = text.split(sep)
    while len(parts) > 1 and parts[-1] == "":
        parts.pop()
    return parts


def lenient_base64(text: str) -> bytes:
    """Decode as a lenient base64 decoder would: skip foreign characters, stop at '=',
    drop left-over bits."""
    bits = count = 0
    out = bytearray()
    for byte in text.encode("utf-8", "surrogatepass"):
        if byte == 0x3D:
            break
        value = _BASE64.get(byte)
        if value is None:
            continue
        bits = (bits << 6 | value) & 0xFFFFFF
        count += 1
        if count == 4:
            out += bits.to_bytes(3, "big")
            bits = count = 0
    if count == 2:
        out.append(bits >> 4)
    elif count == 3:
        out += (bits >> 2).to_bytes(2, "big")
    return bytes(out)


def same_as_base64(a: str, b: str) -> bool:
    left = lenient_base64(a)
    return bool(left) and left == lenient_base64(b)


class UnknownTemplate(Exception):
    pass


class Comparator:
    """Compares one expected document to one actual document.

    strict=False reproduces the official runner in one more point: it accepts two different
    strings when they are equal as (leniently decoded) base64. `lenient_hits` lists the places
    where only that rule made the strings match.
    """

    def __init__(
        self,
        modes: set[str],
        variables: dict[str, str],
        externals: dict[str, Any] | None = None,
        *,
        pattern: bool = False,
        strict: bool = False,
    ) -> None:
        self.modes = modes
        self.variables = variables
        self.externals = externals
        self.pattern = pattern
        self.strict = strict
        self.warnings: list[str] = []
        self.lenient_hits: list[str] = []

    def differences(self, expected: Any, actual: Any) -> Iterator[str]:
        """Yields the differences; the first one is the one the official runner reports."""
        if not isinstance(expected, dict) or not isinstance(actual, dict):
            yield "the response is not a JSON object"
            return
        yield from self._objects("", expected, actual)

    # -- structure ----------------------------------------------------------------------

    def _objects(self, path: str, expected: dict, actual: dict) -> Iterator[str]:
        optional: set[str] = set()
        if "$optional-properties$" in expected:
            optional = {"$optional-properties$", "$count-arrays$", *_strings(expected["$optional-properties$"])}
        count_only = set(_strings(expected.get("$count-arrays$")))
        for name, value in actual.items():
            if name == "fhir_comments":
                continue
            if name in expected:
                yield from self._nodes(f"{path}.{name}", expected[name], value, name in count_only)
            elif not self.pattern and name not in optional:
                yield f"properties differ at {path}: unexpected property {name} ({_show(value)})"
        for name, value in expected.items():
            if name in ("fhir_comments", "$optional$") or name in optional or "*" in optional:
                continue
            if name not in actual and not _all_items_optional(value):
                yield f"properties differ at {path}: missing property {name} ({_show(value)})"

    def _nodes(self, path: str, expected: Any, actual: Any, count_only: bool) -> Iterator[str]:
        if is_primitive(expected) and is_primitive(actual):
            yield from self._primitives(path, expected, actual)
        elif isinstance(expected, dict) and isinstance(actual, dict):
            yield from self._objects(path, expected, actual)
        elif isinstance(expected, list) and isinstance(actual, list):
            if count_only:
                if len(expected) != len(actual):
                    yield _unequal("array item count differs", path, len(expected), len(actual))
            elif self.pattern:
                yield from self._array_contains(path, expected, actual)
            else:
                yield from self._arrays(path, expected, actual)
        else:
            yield _unequal("properties differ", path, _kind(expected), _kind(actual))

    def _arrays(self, path: str, expected: list, actual: list) -> Iterator[str]:
        required = sum(not self._is_optional(e) for e in expected)
        if not required <= len(actual) <= len(expected):
            yield (
                _unequal("array item count differs", path, len(expected), len(actual))
                + self._first_misfit(path, expected, actual)
            )
            return
        optional_count = len(expected) - required
        pos = 0
        for i, item in enumerate(expected):
            if pos >= len(actual):
                if i >= len(expected) - optional_count and self._is_optional(item):
                    self._note_warning(item)
                else:
                    yield f"One or more array items did not match at {path} starting at index {i}"
                return
            hits = len(self.lenient_hits)
            diffs = list(self._nodes(f"{path}[{i}]", item, actual[pos], False))
            if not diffs:
                pos += 1
            elif self._is_optional(item):
                del self.lenient_hits[hits:]
            else:
                yield from diffs
                pos += 1
        if pos < len(actual):
            yield (f"Unexpected Node found in array at '{path}' at index {pos}: {_show(actual[pos])}")

    def _array_contains(self, path: str, expected: list, actual: list) -> Iterator[str]:
        pos = 0
        for i, item in enumerate(expected):
            tried: list[str] = []
            found = False
            while not found and pos < len(actual):
                diff = next(self._nodes(f"{path}[{i}]", item, actual[pos], False), None)
                found = diff is None
                if diff is not None:
                    tried.append(diff)
                pos += 1
            if not found:
                yield (
                    f"The expected item at {path} at index {i} was not found: "
                    f"{_show(item)}; tried: {' // '.join(tried)[:600]}"
                )
                return

    def _first_misfit(self, path: str, expected: list, actual: list) -> str:
        """A hint where two arrays of different length start to differ."""
        pos = 0
        for i, item in enumerate(expected):
            if pos >= len(actual):
                return "" if self._is_optional(item) else f"; missing from index {i}: {_show(item)}"
            diff = next(self._nodes(f"{path}[{i}]", item, actual[pos], False), None)
            if diff is None:
                pos += 1
            elif not self._is_optional(item):
                return f"; first difference: {diff}"
        return f"; unexpected item: {_show(actual[pos])}" if pos < len(actual) else ""

    # -- optional items -----------------------------------------------------------------

    def _is_optional(self, item: Any) -> bool:
        if not isinstance(item, dict):
            return False
        flag = item.get("$optional$")
        return flag is True or (isinstance(flag, str) and self._condition(flag))

    def _condition(self, token: str) -> bool:
        if token.startswith("!"):
            return token[1:] not in self.modes
        if token.startswith("warning:"):
            return True
        if token.startswith("version:"):
            return self.variables.get("version", "").startswith(token.removeprefix("version:"))
        return token in self.modes

    def _note_warning(self, item: dict) -> None:
        flag = item.get("$optional$")
        if isinstance(flag, str) and flag.startswith("warning:"):
            self.warnings.append(flag.removeprefix("warning:"))

    # -- values -------------------------------------------------------------------------

    def _primitives(self, path: str, expected: Any, actual: Any) -> Iterator[str]:  # noqa: C901
        if isinstance(expected, str) and isinstance(actual, str):
            if "<div" in expected and "<div" in actual:
                return
            try:
                if self._matches(expected, actual):
                    return
            except UnknownTemplate as e:
                yield f"{e} at {path}"
                return
            if same_as_base64(expected, actual):
                self.lenient_hits.append(path)
                if not self.strict:
                    return
            yield _unequal("string property values differ", path, self._describe(expected), f'"{actual}"')
        elif isinstance(expected, JsonNumber) and isinstance(actual, JsonNumber):
            if expected.text != actual.text:
                yield _unequal("number property values differ", path, expected, actual)
        elif (isinstance(expected, bool) and isinstance(actual, bool)) or expected is actual is None:
            if expected is not actual:
                yield _unequal("boolean property values differ", path, primitive_text(expected), primitive_text(actual))
        else:
            yield _unequal("property types differ", path, _show(expected), _show(actual))

    def _matches(self, expected: str, actual: str) -> bool:  # noqa: C901, PLR0911
        if not (expected.startswith("$") and expected.endswith("$")):
            if "version" in self.variables:
                expected = expected.replace("$version$", self.variables["version"])
            return expected == actual
        if expected in TEMPLATES:
            return TEMPLATES[expected].fullmatch(actual) is not None
        if expected == "$$":
            return True
        if expected == "$string$":
            return actual == actual.strip("".join(map(chr, range(33))))
        if expected == "$version$":
            return self.variables.get("version", actual) == actual
        if expected.startswith("$choice:"):
            return actual in split_java(expected[8:-1], "|")
        if expected.startswith("$fragments:"):
            return _contains_all(actual, split_java(expected[11:-1], "|"))
        if expected.startswith("$external:"):
            parts = split_java(expected[1:-1], ":")
            if self.externals is not None:
                return actual == primitive_text(self.externals.get(parts[1]))
            # only the text up to the next colon counts, as in the official runner
            return len(parts) <= 2 or _contains_all(actual, split_java(parts[2], "|"))
        raise UnknownTemplate(f"Unhandled template: {expected}")

    def _describe(self, expected: str) -> str:
        if expected.startswith("$external:") and self.externals is not None:
            text = self.externals.get(split_java(expected[1:-1], ":")[1])
            return f'"{text}" ({expected})'
        return f'"{expected}"'


def _strings(value: Any) -> list[str]:
    if isinstance(value, list):
        return [s for s in map(primitive_text, value) if s is not None]
    text = primitive_text(value)
    return [] if text is None else [text]


def _contains_all(text: str, fragments: list[str]) -> bool:
    low = text.lower()
    return all(f.lower() in low for f in fragments)


def _all_items_optional(value: Any) -> bool:
    """A missing array is fine when each object in it carries $optional$ (whatever its value)."""
    return isinstance(value, list) and all("$optional$" in item for item in value if isinstance(item, dict))


def _unequal(what: str, path: str, expected: Any, actual: Any) -> str:
    return f"{what} at {path}: expected {expected}, actual {actual}"


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else "primitive"


def _show(value: Any, limit: int = 200) -> str:
    text = dumps(value)
    return text if len(text) <= limit else text[:limit] + "…"
