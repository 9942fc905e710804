"""Which name is shown in which language, and whether a display that was sent is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminology.issues import Invalid
from terminology.languages import Languages, best, closeness, judge
from terminology.model import Designation

TAGS = ("de", "de-CH", "de-AT", "fr", "en", "en-GB", "zh-Hans-CN", "nl", None)
DESIGNATIONS = st.builds(
    Designation,
    st.sampled_from(("One", "Two", "Three", "Four")),
    st.sampled_from(TAGS),
    st.sampled_from((None, {"system": "http://example.org/use", "code": "synonym"})),
    status=st.sampled_from(("active", "active", "deprecated")),
)
RANGES = st.lists(
    st.builds(
        lambda tag, weight: tag if weight is None else f"{tag};q={weight / 10}",
        st.sampled_from([tag for tag in TAGS if tag]),
        st.one_of(st.none(), st.integers(0, 10)),
    ),
    max_size=3,
).map(", ".join)


@given(st.lists(DESIGNATIONS, max_size=6), RANGES)
def test_the_name_shown_is_one_of_the_names_and_always_the_same(names: list[Designation], wanted: str):
    languages = Languages.parse(wanted)
    shown = best(names, languages)
    assert shown is best(names, languages)
    assert (shown is None) if not names else shown in names


@given(st.lists(DESIGNATIONS, max_size=6), st.lists(DESIGNATIONS, max_size=3), RANGES)
def test_names_that_come_later_change_nothing_where_a_wanted_one_was_shown(
    names: list[Designation], more: list[Designation], wanted: str
):
    languages = Languages.parse(wanted)
    shown = best(names, languages)
    plain = shown and shown.use is None and shown.status == "active"
    if plain and languages.wanted and closeness(languages.wanted[0], shown.language) == 3:
        assert best([*names, *more], languages) is shown


@given(st.lists(DESIGNATIONS, min_size=1, max_size=6), RANGES)
def test_an_active_name_goes_before_a_withdrawn_one(names: list[Designation], wanted: str):
    shown = best(names, Languages.parse(wanted))
    assert shown is None or shown.status == "active" or all(each.status != "active" for each in names)


@given(st.lists(DESIGNATIONS, max_size=6), st.sampled_from([tag for tag in TAGS if tag]))
def test_nothing_else_will_do_shows_no_other_language(names: list[Designation], tag: str):
    shown = best(names, Languages.parse(f"{tag}, *;q=0"))
    assert shown is None or shown.language is None or closeness(tag, shown.language)


@given(st.lists(DESIGNATIONS, min_size=1, max_size=6), RANGES)
def test_the_name_shown_is_right_as_a_display(names: list[Designation], wanted: str):
    languages = Languages.parse(wanted)
    shown = best(names, languages)
    if shown and shown.status == "active" and languages.match(shown.language):
        assert judge(shown.value, names, languages, "en").verdict == "right"


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("", "Base"),
        ("de", "Deutsch"),
        ("de-CH", "Schweizer"),
        ("de-AT", "Deutsch"),
        ("de-DE", "Deutsch"),
        ("fr, de;q=0.5", "Deutsch"),
        ("fr;q=0.5, de", "Deutsch"),
        ("fr", "Base"),
        ("fr, *;q=0", None),
        ("en", "Base"),
        ("es", "Sinónimo"),
    ],
)
def test_the_first_wanted_language_that_has_a_name_is_shown(wanted: str, shown: str | None):
    names = [
        Designation("Base", "en"),
        Designation("Deutsch", "de"),
        Designation("Schweizer", "de-CH"),
        Designation("Sinónimo", "es", {"system": "http://example.org/use", "code": "synonym"}),
    ]
    found = best(names, Languages.parse(wanted))
    assert (found.value if found else None) == shown


@pytest.mark.parametrize("text", ["de;q=x", "de;q=2", "de;x=1", "d e", "--", "de_CH", ";q=1", "de;q=-0.1", "äöü"])
def test_a_list_that_is_none_is_refused(text: str):
    with pytest.raises(Invalid):
        Languages.parse(text)


def lenient(text: str) -> Languages:
    try:
        return Languages.parse(text)
    except Invalid:
        return Languages()


@given(st.text(max_size=20))
def test_any_text_is_a_list_of_languages_or_refused(text: str):
    assert all(0 <= each.weight <= 1 for each in lenient(text).ranges)


@pytest.mark.parametrize(
    ("display", "languages", "verdict"),
    [
        ("Base", "", "right"),
        ("BASE", "", "right"),
        ("Base  ", "", "spaces"),
        ("Other", "", "wrong"),
        ("Deutsch", "de", "right"),
        ("Base", "de", "wrong"),
        ("Base", "fr", "other"),
        ("Other", "fr", "none"),
        ("Veraltet", "de", "old"),
    ],
)
def test_a_display_is_judged_in_the_wanted_language(display: str, languages: str, verdict: str):
    names = [
        Designation("Base", "en"),
        Designation("Deutsch", "de"),
        Designation("Veraltet", "de", status="deprecated"),
    ]
    assert judge(display, names, Languages.parse(languages), "en").verdict == verdict


def test_without_any_name_a_display_cannot_be_judged():
    assert judge("Base", [], Languages(), None).verdict == "unknown"
