"""The order of versions, wildcards, the version that answers, and days."""

from __future__ import annotations

from itertools import pairwise

import pytest
from engine.asking import code_system, scope
from hypothesis import given
from hypothesis import strategies as st

from terminology import dates, versions
from terminology.issues import Invalid
from terminology.versions import VersionPolicy

NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
LABELS = st.sampled_from(("", "-rc1", "-alpha.2", "-snapshot", "+build7"))
VERSIONS = st.one_of(
    st.builds(str.__add__, NUMBERS, LABELS),
    st.sampled_from(("2012", "20240101", "2024-01-01", "v2", "R5", "1.0.0", "current", "http://example.org/v/1")),
    st.text(max_size=6),
)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_the_order_is_total(a: str, b: str, c: str):
    order = versions.order
    assert (order(a) < order(b)) + (order(b) < order(a)) + (order(a) == order(b)) == 1
    if order(a) <= order(b) <= order(c):
        assert order(a) <= order(c)


@pytest.mark.parametrize("version", ["²", "1.²", "1.0-²", "\u0661", "9" * 5000, f"1.0-{'9' * 5000}", ".", "-"])
def test_any_text_has_its_place_in_the_order(version: str):
    assert versions.order(None) < versions.order(version)
    assert versions.matches(version, version)


@pytest.mark.parametrize(
    "rising",
    [
        (None, "0.1", "1.0.0-alpha", "1.0.0-alpha.2", "1.0.0-rc1", "1.0.0", "1.0.1", "1.2", "1.10", "2"),
        ("2011", "2012", "2026"),
        ("2024-01-01", "2024-02-01", "2024-11-01", "2025-01-01"),
        ("9.0.0", "10.0.0"),
    ],
)
def test_versions_rise_by_value_and_a_release_follows_its_previews(rising: tuple[str | None, ...]):
    assert all(versions.order(a) < versions.order(b) for a, b in pairwise(rising))
    assert versions.latest(rising) == rising[-1]


@given(VERSIONS)
def test_a_version_names_itself_and_nothing_wanted_names_all(version: str):
    assert versions.matches(version, version)
    assert versions.matches(None, version)
    assert versions.matches("", version)


@given(VERSIONS, VERSIONS)
def test_without_a_wildcard_only_the_same_version_is_named(wanted: str, version: str):
    if wanted and not versions.wild(wanted):
        assert versions.matches(wanted, version) == (wanted == version)


@given(NUMBERS, st.sampled_from("xX*"))
def test_a_last_wildcard_names_every_version_with_that_beginning(version: str, mark: str):
    head, _, _ = version.rpartition(".")
    assert versions.matches(f"{head}.{mark}" if head else mark, version)
    assert versions.matches(f"{version}.{mark}", f"{version}.7")
    assert not versions.matches(f"{version}.{mark}", version)


@pytest.mark.parametrize(
    ("wanted", "version", "named"),
    [
        ("1.x", "1.2", True),
        ("1.x", "1.2.3", True),
        ("1.x.x", "1.2", False),
        ("1.x.0", "1.2.0", True),
        ("1.x.0", "1.2.1", False),
        ("1.*", "1.2.3.4", True),
        ("1.x", "2.1", False),
        ("1.0.x", "1.0.0+build", True),
        ("1.0?", "1.0", True),
        ("1.0?", "1.0.5", True),
        ("1.0?", "1.0-rc1", True),
        ("1.0?", "1.01", False),
        ("1", "1.0", False),
        ("1.x", None, False),
    ],
)
def test_wildcards_stand_for_parts(wanted: str, version: str | None, named: bool):
    assert versions.matches(wanted, version) is named


URL = "http://example.org/cs"
POLICIES = [
    ([], None, None),
    ([], "1", "1"),
    ([("system-version", f"{URL}|2")], None, "2"),
    ([("system-version", f"{URL}|2")], "1", "1"),
    ([("check-system-version", f"{URL}|2")], None, "2"),
    ([("check-system-version", f"{URL}|2")], "1", "1"),
    ([("force-system-version", f"{URL}|2")], "1", "2"),
    ([("force-system-version", f"{URL}|2"), ("system-version", f"{URL}|3")], "1", "2"),
    ([("system-version", f"{URL}|3"), ("check-system-version", f"{URL}|2")], None, "3"),
    ([("system-version", "http://example.org/another|3")], None, None),
]


@pytest.mark.parametrize(("rules", "stated", "chosen"), POLICIES)
def test_force_wins_over_what_is_stated_and_that_over_a_default(rules, stated: str | None, chosen: str | None):
    assert VersionPolicy.parse(rules).choose(URL, stated).version == chosen


def test_a_check_refuses_another_version_and_takes_a_fitting_one():
    policy = VersionPolicy.parse([("check-system-version", f"{URL}|1.x")])
    assert policy.refused_by(URL, "2.0") is not None
    assert policy.refused_by(URL, "1.7") is None


@pytest.mark.parametrize(
    "rules",
    [
        [("system-version", URL)],
        [("force-system-version", f"{URL}|")],
    ],
)
def test_a_rule_without_version_is_refused(rules):
    with pytest.raises(Invalid):
        VersionPolicy.parse(rules)


@pytest.mark.parametrize("name", ["system-version", "force-system-version"])
def test_two_rules_that_contradict_each_other_are_refused(name: str):
    policy = VersionPolicy.parse([(name, f"{URL}|1"), (name, f"{URL}|2")])
    with pytest.raises(Invalid):
        policy.choose(URL, None)


def test_the_latest_complete_system_answers_before_a_newer_fragment():
    older, newer = code_system("a", version="1"), code_system("a", version="2", content="fragment")
    asked = scope(older, newer)
    assert asked.catalog.code_system(URL).info.canonical.version == "1"
    assert asked.catalog.code_system(URL, "2").info.content == "fragment"


# --- days -----------------------------------------------------------------------------------------------------

DAYS = st.dates().map(str)
PARTIAL = st.builds(lambda day, parts: day[: (4, 7, 10)[parts]], DAYS, st.integers(0, 2))


@given(DAYS, PARTIAL, PARTIAL)
def test_a_day_is_never_across_a_bound(day: str, start: str, end: str):
    assert dates.standing(day, start, end) in ("in", "out")
    assert dates.standing(day, None, None) == "in"


@given(PARTIAL, PARTIAL, PARTIAL)
def test_a_day_is_out_where_it_is_before_the_first_or_after_the_last(on: str, start: str, end: str):
    before, after = dates.standing(on, start, None), dates.standing(on, None, end)
    assert (dates.standing(on, start, end) == "out") == ("out" in (before, after))
    if dates.standing(on, start, end) == "in":
        assert before == after == "in"


@given(PARTIAL)
def test_a_date_is_within_itself(on: str):
    assert dates.first_day(on) <= dates.last_day(on)
    assert dates.standing(on, on, on) == "in"


@pytest.mark.parametrize(
    ("on", "start", "end", "standing"),
    [
        ("2011-12-31", "2012-01-01", None, "out"),
        ("2012-01-01", "2012-01-01", None, "in"),
        ("2012", "2012-01-01", None, "in"),
        ("2012", "2012-06", None, "across"),
        ("2011", "2012", None, "out"),
        ("2012-06", "2012-06-15", None, "across"),
        ("2012-01-01T23:59:00-05:00", "2012-01-02", None, "out"),
        ("2020", None, "2019-12-31", "out"),
        ("2019-12", None, "2019-12-15", "across"),
        ("2019-12-15", None, "2019-12", "in"),
    ],
)
def test_a_date_stands_in_a_period(on: str, start: str | None, end: str | None, standing: str):
    assert dates.standing(on, start, end) == standing
