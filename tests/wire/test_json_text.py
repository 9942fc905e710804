"""JSON bodies: what is read, what is refused and with which place, and what is written."""

from __future__ import annotations

import json
import pickle
import time
from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminology.wire.json_text import MAX_DEPTH, Malformed, read, write

REFUSED = {
    "an empty body": (b"", "empty", "body"),
    "white space": (b"\xef\xbb\xbf \n", "empty", "body"),
    "a list": (b"[]", "not a JSON object", "line 1, column 1"),
    "a string": (b'"x"', "not a JSON object", "line 1, column 1"),
    "a missing value": (b'{\n  "a": }', "Expecting value", "line 2, column 8"),
    "something after the end": (b"{} {}", "Extra data", "line 1, column 4"),
    "a comment": (b"{/* x */}", "not valid JSON", "line 1, column 2"),
    "a single quote": (b"{'a': 1}", "not valid JSON", "line 1, column 2"),
    "a raw line feed in a string": (b'{"a": "\n"}', "control character", "line 1, column 8"),
    "a string without end": (b'{"a": "', "Unterminated", "line 1, column 7"),
    "half an object": (b'{"a": {', "not valid JSON", "line 1, column 8"),
    "a key twice": (b'{"a": [{"b": 1, "c": 2, "b": 3}]}', "'b' is given twice", "a[0].b"),
    "a key twice, once escaped": (b'{"a": 1, "\\u0061": 2}', "'a' is given twice", "a"),
    "a raw NUL": (b'{"a":\n"x\0"}', "NUL", "line 2, column 3"),
    "an escaped NUL": (b'{"a": {"b": ["x", "\\u0000"]}}', "NUL", "a.b[1]"),
    "an escaped NUL in a key": (b'{"a": {"\\u0000": 1}}', "NUL", "a"),
    "half a surrogate pair": (b'{"a": "\\ud83d"}', "surrogate", "a"),
    "the other half": (b'{"a": "\\uDE00 x"}', "surrogate", "a"),
    "NaN": (b'{"a": NaN}', "NaN is not a number", "line 1, column 7"),
    "Infinity": (b'{"a": -Infinity}', "-Infinity is not a number", "line 1, column 7"),
    "a number no double holds": (b'{"a": 1e400}', "1e400 is not a number", "line 1, column 7"),
    "an absurd exponent": (b'{"a": 1e-99999999999999999999}', "is not a number", "line 1, column 7"),
    "a thousand digits": (b'{"a": ' + b"9" * 1000 + b"}", "is not a number", "line 1, column 7"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8", "line 1, column 1"),
    "Latin-1": ('{\n"a": "ä"}'.encode("latin-1"), "not UTF-8", "line 2, column 7"),
    "an encoded surrogate": (b'{"a": "\xed\xa0\xbd"}', "not UTF-8", "line 1, column 8"),
    "a number with a leading zero": (b'{"a": 01}', "not valid JSON", "line 1, column 8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_body_readers_would_differ_on_is_refused_with_its_place(name: str):
    """The reason is a sentence with a remedy; the place is a line and column or the path of a key."""
    body, reason, where = REFUSED[name]
    with pytest.raises(Malformed) as refused:
        read(body)
    assert reason in refused.value.reason
    assert refused.value.where == where
    assert ";" in refused.value.reason or ":" in refused.value.reason


def nested(depth: int) -> bytes:
    return (
        b'{"a":' * (depth // 2)
        + b"["
        + b"[" * (depth - depth // 2 - 1)
        + b"]" * (depth - depth // 2)
        + (b"}" * (depth // 2))
    )


def test_depth_is_limited_and_what_is_read_can_be_written():
    """MAX_DEPTH containers come in and go out again, one more is refused; those in strings do not count."""
    assert write(read(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(Malformed, match="200 levels"):
        read(nested(MAX_DEPTH + 1))
    assert read(b'{"a": "' + b'\\"[' * 500 + b'"}') == {"a": '"[' * 500}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 2_000_000,
        b'{"a":' * 400_000,
        b'{"a": "' + b'\\"[' * 700_000,
        b'"[' * 1_000_000,
        b"{" * 300 + b'"' + b"\\" * 1_000_000,
        b'{"a": 1, "a": ' + b"[" * 1_000_000,
    ],
)
def test_hostile_bodies_are_refused_fast(body: bytes):
    """Millions of brackets, quotes or backslashes are looked at once."""
    start = time.perf_counter()
    with pytest.raises(Malformed):
        read(body)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("size", [1, 70_000, 1_000_000])
def test_a_repeated_key_is_refused_in_bodies_of_every_size(size: int):
    """There is no size beyond which the last one silently wins."""
    with pytest.raises(Malformed, match="twice"):
        read(b'{"a": "' + b"x" * size + b'", "a": 1}')


NUMBERS = (
    "1", "-0", "1.100", "0.0000001", "1.0e2", "1e2", "1E+02", "1e-05", "-0.0", "0e0", "1E+3", "0.00",
    "123456789012345678901234567890", "123456789012345678.123456789",
)  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_keeps_its_digits(text: str):
    """Precision is meaning in FHIR: 1.100 is not 1.1 (https://hl7.org/fhir/R5/datatypes.html#decimal)."""
    assert write(read(b'{"a":' + text.encode() + b"}")) == b'{"a":' + text.encode() + b"}"


JSON_NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)


@given(st.lists(JSON_NUMBERS, min_size=1, max_size=5))
def test_every_number_of_json_comes_back_as_it_was_written(texts: list[str]):
    """Sign, zeros, the letter and the digits of the exponent; also copied, as a JSON Patch does, or pickled."""
    body = '{{"a":[{}]}}'.format(",".join(texts)).encode()
    held = read(body)
    assert write(held) == write(deepcopy(held)) == write(pickle.loads(pickle.dumps(held))) == body


@given(JSON_NUMBERS)
def test_a_number_is_worth_what_its_text_says(text: str):
    """As equal as any other decimal of that value, and as good as key of a dictionary."""
    held = read(f'{{"a":{text}}}'.encode())["a"]
    assert held == Decimal(text)
    assert hash(held) == hash(Decimal(text))


def test_integers_are_integers_and_fractions_decimals():
    """And a boolean is neither."""
    assert read(b'\xef\xbb\xbf{"a": 1, "b": 1.0, "c": true, "d": null}') == {
        "a": 1,
        "b": Decimal("1.0"),
        "c": True,
        "d": None,
    }
    assert type(read(b'{"a": 1}')["a"]) is int


def test_text_is_kept_as_it_is():
    """Non-ASCII is written as itself; an escaped backslash before u0000 is no NUL."""
    assert read('{"ä": "\\ud83d\\ude00 \\\\u0000"}'.encode()) == {"ä": "\U0001f600 \\u0000"}
    assert write({"ä": "\U0001f600"}) == '{"ä":"\U0001f600"}'.encode()


def test_what_has_no_json_form_is_not_written():
    """A program error shows as one."""
    for value in (object(), Decimal("NaN"), {"a": {1}}):
        with pytest.raises(TypeError):
            write({"a": value})


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
        st.decimals(allow_nan=False, allow_infinity=False, places=3),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")), inner, max_size=3),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc"), VALUES))
def test_what_is_written_is_read_back(value: dict[str, Any]):
    """Equal, decimals to the digit."""
    again = read(write(value))
    assert again == value
    assert write(again) == write(value)


TEXT = st.text(st.sampled_from('{}[]":,\\u0dD8aetrufalsn1.- '), max_size=60).map(str.encode)


@given(st.binary(max_size=60) | TEXT)
def test_any_bytes_are_read_or_refused(body: bytes):
    """There is no other error than Malformed, and what is read is what the standard reader reads."""
    try:
        value = read(body)
    except Malformed:
        return
    assert value == json.loads(body.decode("utf-8-sig"), parse_float=Decimal)
