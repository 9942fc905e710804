"""The table of what is plainly right says what the judge says of each of its codes on each of its days."""

from datetime import date, timedelta
from functools import cache

from generated_rows import CODES, days, displays, judge
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology import dates
from terminology.procedures.opinions import PlainCode


@cache
def table() -> dict[str, list[PlainCode]]:
    return dict(judge().plain_codes(100_000))


def _listed(system: str | None, code: str | None, display: str | None, day: str) -> list[PlainCode]:
    return [
        each
        for each in table().get(system or "", ())
        if each.code == code and each.first <= day <= each.last and display in (None, each.display)
    ]


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(sorted(CODES, key=str)), st.data(), days().filter(lambda day: bool(day) and dates.full(str(day)))
)
def test_a_row_is_in_the_table_where_the_judge_says_that_it_is_plainly_right(
    system: str | None, data: st.DataObject, day: str
) -> None:
    code = data.draw(st.sampled_from(CODES[system]))
    display = data.draw(st.sampled_from(displays()[code]))
    found = _listed(system, code, display, day)
    judged = judge().judge(judge().row(system, code, None, display, day))
    [plain] = judge().plain([((system, code, None, display), day, day)])
    assert [frozenset({each.used}) for each in found] == ([plain] if plain else [])
    if found:
        assert (judged.verdict, judged.findings) == ("right", ())
        assert {each.used for each in judged.codings} == {found[0].used}


def test_a_code_has_the_days_that_it_has_and_no_more() -> None:
    assert table()
    for system, codes in table().items():
        for each in codes:
            inside, outside = {each.first, each.last}, set()
            if each.first > "0001-01-01":
                outside.add(str(date.fromisoformat(each.first) - timedelta(1)))
            if each.last < "9999-12-31":
                outside.add(str(date.fromisoformat(each.last) + timedelta(1)))
            asked = [((system, each.code, None, None), day, day) for day in sorted(inside | outside)]
            for (_, day, _), said in zip(asked, judge().plain(asked), strict=True):
                assert (said == frozenset({each.used})) is (day in inside), (system, each, day)


def test_a_system_that_is_more_than_what_is_left_is_not_in_the_table() -> None:
    most = max(map(len, table().values()))
    few = dict(judge().plain_codes(most - 1))
    assert few
    assert sum(map(len, few.values())) < most
    assert not dict(judge().plain_codes(0))
