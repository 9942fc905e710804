"""Rows set aside on disk come back by key, in the order in which they came."""

import pytest

from terminology.storage.aside import ROWS, Aside


def test_rows_come_back_by_kind_and_key():
    aside = Aside()
    count = 3 * ROWS + 7
    assert aside.put(("number", f"k{each % 3}", str(each), "ü") for each in range(count)) == count
    aside.put([("other", "k1", "x")])
    assert aside.of("number", "k1") == [(str(each), "ü") for each in range(count) if each % 3 == 1]
    assert aside.of("other", "k1") == [("x",)]
    assert aside.of("number", "k9") == []
    assert aside.keys("number") == ["k0", "k1", "k2"]


def test_what_is_asked_for_gets_no_more_rows():
    aside = Aside()
    aside.put([("a", "b", "c")])
    assert aside.of("a", "b") == [("c",)]
    with pytest.raises(ValueError, match="asked for"):
        aside.put([("a", "b", "d")])
