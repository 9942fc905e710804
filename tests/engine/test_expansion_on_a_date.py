"""$expand as of a date: the codes in force on it, counted, paged and nested as ever; or a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, concept, filtered, include, value_of, value_set
from engine.test_validity import BOTH, CODES, DAYS, UNDATED, YEARS, release
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology.issues import Refusal, Unprocessable

Json = dict[str, Any]
INNER = "http://example.org/inner"
WHOLE = value_set(include())
DATED_ONLY = value_set(include("dated", "open", "ended"))


def expansion(*resources: Json, **parameters: Any) -> Json:
    found: Json = call("ValueSet/$expand", *resources, url=VS, **parameters)["expansion"]
    return found


def codes(found: Json) -> list[str]:
    return [each["code"] for each in found.get("contains", [])]


def said(found: Json, *names: str) -> list[tuple[str, str]]:
    """The parameters of those names, or of those that begin so."""
    return [(each["name"], each["valueUri"]) for each in found["parameter"] if each["name"].startswith(names)]


# (releases, value set, date, codes, version used, other parameters)
TABLE: list[tuple[tuple[Json, ...], Json, str, list[str], str, list[str]]] = [
    (YEARS, WHOLE, "2019-01-15", ["kept", "gone"], "2019", []),
    (YEARS, WHOLE, "2020-01-15", ["kept", "new"], "2020", []),
    (YEARS, WHOLE, "2021-11-14", ["kept", "new"], "2022", []),
    (YEARS, WHOLE, "2021-11-15", ["kept", "new", "late"], "2022", []),
    (YEARS, WHOLE, "2022-04-01", ["kept", "new"], "2022", []),
    (YEARS, WHOLE, "2019", ["kept", "new"], "2020", ["warning-date-across-releases"]),
    (YEARS, WHOLE, "2021-11", ["kept", "new", "late"], "2022", ["warning-date-across-concept"]),
    (YEARS, value_set(include("gone", "new", "kept")), "2019-01-15", ["gone", "kept"], "2019", []),
    (YEARS, value_set(include(), exclude=[include("kept")]), "2019-01-15", ["gone"], "2019", []),
    (YEARS, value_set(include(version="2019")), "2019-01-15", ["kept", "gone"], "2019", []),
    (YEARS, value_set(include(version="2019")), "2020-01-15", ["kept", "gone"], "2019", ["warning-not-in-force"]),
    (UNDATED, DATED_ONLY, "2012-06-01", ["dated", "open", "ended"], "1", ["date-by-concept"]),
    (UNDATED, DATED_ONLY, "2013-06-01", ["dated", "open"], "1", ["date-by-concept"]),
    (UNDATED, DATED_ONLY, "2011-06-01", ["ended"], "1", ["date-by-concept"]),
    (UNDATED, DATED_ONLY, "2012", ["dated", "open", "ended"], "1", ["date-by-concept"]),
    (UNDATED, value_set(include(), exclude=[include("bare")]), "2015-01-01", ["open"], "1", ["date-by-concept"]),
    (UNDATED, value_set(include(version="1")), "2015-01-01", ["open", "bare"], "1", ["warning-without-period"]),
    (BOTH, WHOLE, "2020-06-01", ["bare", "dated"], "2", []),
]
IDS = [f"{day}: {', '.join(codes) or 'none'}" for _, _, day, codes, _, _ in TABLE]


@pytest.mark.parametrize(("releases", "wanted", "date", "listed", "version", "others"), TABLE, ids=IDS)
def test_only_codes_in_force_are_listed(
    releases: tuple[Json, ...], wanted: Json, date: str, listed: list[str], version: str, others: list[str]
):
    found = expansion(*releases, wanted, date=date)
    assert codes(found) == listed
    assert found["total"] == len(listed)
    assert {"name": "date", "valueDateTime": date} in found["parameter"]
    assert said(found, "used-codesystem") == [("used-codesystem", f"{CS}|{version}")]
    assert said(found, "warning-", "date-") == [(name, f"{CS}|{version}") for name in others]


@pytest.mark.parametrize(("releases", "wanted", "date", "listed", "version", "others"), TABLE, ids=IDS)
def test_pages_as_of_a_date_are_cut_out_of_the_whole(
    releases: tuple[Json, ...], wanted: Json, date: str, listed: list[str], version: str, others: list[str]
):
    for offset in range(len(listed) + 1):
        found = expansion(*releases, wanted, date=date, count=1, offset=offset)
        assert codes(found) == listed[offset : offset + 1]
        assert found["total"] == len(listed)


# (releases, value set, date): nothing tells which codes there were
REFUSED: list[tuple[tuple[Json, ...], Json, str]] = [
    (YEARS, WHOLE, "2018-09-30"),
    (YEARS, WHOLE, "2021-01-01"),
    (UNDATED, WHOLE, "2013-01-01"),
    (UNDATED, value_set(include("open", "bare")), "2013-01-01"),
    (UNDATED, value_set({"valueSet": [INNER]}), "2013-01-01"),
    (BOTH, WHOLE, "2021-01-01"),
]


@pytest.mark.parametrize(("releases", "wanted", "date"), REFUSED)
@pytest.mark.parametrize("page", [{}, {"count": 1}, {"count": 1, "offset": 1}, {"count": 0}])
def test_what_cannot_be_known_is_refused(releases: tuple[Json, ...], wanted: Json, date: str, page: Json):
    with pytest.raises(
        Unprocessable, match=f"on {date} cannot be listed: no release is known to be in force"
    ) as refused:
        expansion(*releases, wanted, value_set(include(), url=INNER), date=date, **page)
    assert [found.message_id for found in refused.value.issues] == ["OWN_CANNOT_LIST_ON_DATE"]


def test_a_code_that_an_intersection_leaves_out_spoils_nothing():
    both = value_set({"system": CS, "valueSet": [INNER]})
    assert codes(expansion(*UNDATED, both, value_set(include("open"), url=INNER), date="2013-01-01")) == ["open"]


def test_a_search_text_is_looked_for_among_the_codes_in_force():
    assert codes(expansion(*YEARS, WHOLE, date="2019-01-15", filter="ne")) == []
    assert codes(expansion(*YEARS, WHOLE, date="2020-01-15", filter="ne")) == ["new"]


def test_what_stood_below_a_code_that_is_not_in_force_stands_at_the_top():
    tree = release("1", "2010", "2012", concept("root", concept("middle", "leaf", valid_from="2012"), "other"))
    whole = value_set(filtered("concept", "is-a", "root"))

    def nested(found: Json) -> Json:
        return {each["code"]: nested(each) for each in found.get("contains", [])}

    stated = {"excludeNested": False}
    assert nested(expansion(tree, whole, date="2012-05-01", **stated)) == {
        "root": {"middle": {"leaf": {}}, "other": {}}
    }
    assert nested(expansion(tree, whole, date="2011-05-01", **stated)) == {"root": {"leaf": {}, "other": {}}}
    assert expansion(tree, whole, date="2011-05-01", **stated)["total"] == 3


def test_without_a_date_all_are_listed():
    found = expansion(*YEARS, WHOLE)
    assert codes(found) == ["kept", "new", "late"]
    assert said(found, "warning-", "date-") == []


def test_a_second_system_that_cannot_be_judged_spoils_the_whole():
    other = code_system("x", url="http://example.org/other")
    both = value_set(include(), include(system="http://example.org/other"))
    with pytest.raises(Refusal, match=r"The codes of the CodeSystem 'http://example.org/other' on 2019-01-15"):
        expansion(*YEARS, other, both, date="2019-01-15")


@settings(deadline=None, max_examples=15)
@given(DAYS, st.permutations(YEARS))
def test_the_order_in_which_releases_come_does_not_matter(day: str, releases: list[Json]):
    def listed(*resources: Json) -> list[str]:
        try:
            return codes(expansion(*resources, WHOLE, date=day))
        except Unprocessable as refused:
            return [refused.issues[0].message_id]

    assert listed(*releases) == listed(*YEARS)


SETS = st.sampled_from([
    WHOLE, value_set(include("late", "kept", "gone")), value_set(include(), exclude=[include("kept")]),
    value_set({"valueSet": [INNER]}), value_set({"system": CS, "valueSet": [INNER]}),
    value_set({"valueSet": [INNER]}, include("gone")),
])  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(SETS, st.lists(CODES, max_size=3, unique=True), DAYS)
def test_what_is_listed_on_a_day_is_what_is_right_on_it(wanted: Json, inner: list[str], day: str):
    resources = (*YEARS, wanted, value_set(include(*inner), url=INNER))
    right = {
        code
        for code in ("kept", "gone", "new", "late", "never")
        if value_of(call("ValueSet/$validate-code", *resources, url=VS, system=CS, code=code, date=day), "result")
    }
    try:
        assert set(codes(expansion(*resources, date=day))) == right
    except Unprocessable:
        assert "kept" not in right
