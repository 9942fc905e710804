"""One contract for every computed code system: find, select, subsumes, and what cannot be listed."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import pytest

import codesystems
from terminology.issues import Invalid, NotSupported
from terminology.model import Concept, Filter, Grammar, Listed, Miss, Query
from terminology.providers.computed import Computed

GRAMMARS = {each.info.name: each for each in codesystems.published() if isinstance(each, Grammar)}
CASES = {
    "UCUM": (["mg", "[ppb]", "mm[Hg]", "L/min"], ["mmHg", "", "m g"], Filter("canonical", "=", "g"), ["mg"]),
    "BCP47": (["de", "iw", "de-CH", "zh-Hant"], ["de_CH", "", "xx"], Filter("language", "=", "de"), ["de", "de-CH"]),
    "BCP13": (
        ["text/html", "text/x-own", "image/png"],
        ["text", "", "a b"],
        Filter("base", "=", "image"),
        ["image/png"],
    ),
}


@pytest.fixture(params=GRAMMARS)
def case(request):
    return Computed(GRAMMARS[request.param]), *CASES[request.param]


def codes(selection) -> list[str]:
    return [each.code for each in selection]


def test_there_is_a_case_for_every_grammar():
    assert CASES.keys() == GRAMMARS.keys()


def test_a_code_is_found_and_any_other_is_missed_with_a_reason(case):
    held, known, unknown, *_ = case
    for code in known:
        assert isinstance(found := held.find(code), Concept)
        assert found.code == code
    for code in unknown:
        assert isinstance(missed := held.find(code), Miss)
        assert missed.code == code
        assert missed.issues


def test_every_property_of_a_concept_is_declared(case):
    held, known, *_ = case
    declared = {each.code for each in held.info.properties}
    assert {each.code for code in known for each in held.find(code).properties} <= declared


def test_select_honours_the_entire_query(case):
    held, known, unknown, stated, matching = case
    inactive = {code for code in known if held.find(code).inactive}
    listed = tuple(map(Listed, (known[-1], unknown[0], *known[:2])))
    for filters, entries, active, asked in itertools.product(
        ((), (stated,)), (None, listed), (False, True), (None, (), (*known, *unknown))
    ):
        query = Query(filters=filters, listed=entries, active_only=active, codes=asked)
        if entries is None and asked is None:
            continue
        order = (
            [e.code for e in entries]
            if asked is None
            else [c for c in asked if entries is None or Listed(c) in entries]
        )
        expected = [
            code
            for code in order
            if code in known and (not filters or code in matching) and not (active and code in inactive)
        ]
        assert codes(held.select(query)) == expected
        assert codes(held.select(replace(query, offset=1, limit=1))) == expected[1:2]


def test_a_text_is_looked_for_in_the_names(case):
    held, known, *_ = case
    word = held.find(known[0]).display
    assert known[0] in codes(held.select(Query(text=word).only(known)))
    assert codes(held.select(Query(text="nonsense").only(known))) == []


def test_nothing_is_listed_without_codes(case):
    held, _, _, stated, _ = case
    assert held.info.enumerable is False
    for query in (Query(), Query(filters=(stated,)), Query(text="a")):
        with pytest.raises(NotSupported):
            held.select(query)


def test_a_filter_that_is_not_understood_is_refused_even_for_no_codes(case):
    held, *_ = case
    with pytest.raises(NotSupported):
        held.select(Query(filters=(Filter("tail", "=", "4"),), codes=()))
    with pytest.raises(Invalid):
        held.select(Query(filters=(Filter(held.info.properties[0].code, "=", None),), codes=()))


def test_equal_codes_are_equivalent_and_others_unsaid(case):
    held, known, *_ = case
    assert held.subsumes(known[0], known[0]) == "equivalent"
    assert held.subsumes(known[0], known[1]) is None


def test_nothing_is_read_before_a_code_is_asked_for():
    """Start-up pays for no table."""
    program = (
        "import codesystems, sys; list(codesystems.published());"
        "from codesystems import ucum, bcp_13, bcp_47;"
        "assert ucum.table.cache_info().currsize == bcp_13.registered.cache_info().currsize == 0;"
        "assert '_records' not in vars(bcp_47.BCP_47.find.keywords['registry']);"
        "assert 'xml.etree.ElementTree' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
