"""A query string is read as the standard library reads it, quicker."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as some

from terminology.issues import Invalid
from terminology.rest.exchange import QUERY_LIMIT, pairs


@given(some.text(alphabet="ab&=+;%20%2B%C3%A4é?/#|$", max_size=40))
def test_a_query_string_says_what_the_standard_library_reads(query: str) -> None:
    try:
        expected = tuple(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        with pytest.raises(Invalid):
            pairs(query)
    else:
        assert pairs(query) == expected


@pytest.mark.parametrize("query", ["a=%FF", "a=\0", "a=%00", "&".join(["a=1"] * (QUERY_LIMIT + 1))])
def test_what_no_query_string_may_hold_is_refused(query: str) -> None:
    with pytest.raises(Invalid):
        pairs(query)
