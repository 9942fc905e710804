"""Many codes asked together have the answers that each has alone."""

from functools import cache

import pytest
from engine.asking import include, value_set
from generated_rows import CODES, INVENTED, SORTS, VALUE_SETS, YEARS, invented_value_set
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology import Terminology
from terminology.issues import NotFound

OWN = "http://example.org/own"
SETS = (
    value_set(include(system=SORTS), url=f"{OWN}/all"),
    value_set(include(system=SORTS), url=f"{OWN}/active", inactive=False),
    value_set(include(system=SORTS), url=f"{OWN}/but", exclude=[include("named", "Case", system=SORTS)]),
    value_set(include(system=YEARS, version="2019"), include(system=YEARS, version="2022"), url=f"{OWN}/years"),
    value_set(include(system=SORTS), include(system="http://example.org/unknown"), url=f"{OWN}/half"),
    value_set(include(system=f"{SORTS}-folded"), include(system=f"{SORTS}-part"), url=f"{OWN}/parts"),
)
ASKED = (*VALUE_SETS[1:], *(each["url"] for each in SETS), f"{SORTS}?fhir_vs", f"{SORTS}-folded?fhir_vs")
PAIRS = sorted((system, code) for system, codes in CODES.items() for code in codes if system and code)


@cache
def terminology() -> Terminology:
    return Terminology(content=(*INVENTED, invented_value_set(), *SETS))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(ASKED), st.lists(st.sampled_from(PAIRS), max_size=12, unique=True), st.booleans())
def test_codes_that_are_asked_together_have_the_answers_of_each(
    url: str, codings: list[tuple[str, str]], membership_only: bool
) -> None:
    found = terminology().validate_codes(codings, url, valueset_membership_only=membership_only)
    assert found == [
        terminology().validate_code(code, system, value_set=url, valueset_membership_only=membership_only)
        for system, code in codings
    ]


def test_an_unknown_value_set_is_refused_for_all() -> None:
    with pytest.raises(NotFound):
        terminology().validate_codes([(SORTS, "named")], "http://example.org/nothing")
