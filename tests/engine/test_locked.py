"""compose.lockedDate: the releases in force on that day answer, as if the author had named them."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, include, value_of, value_set
from engine.test_validity import UNDATED, YEARS
from hypothesis import given
from hypothesis import strategies as st

from terminology.issues import Refusal
from terminology.procedures.judging import Judge
from terminology.service import State, catalogs
from terminology.settings import Settings

Json = dict[str, Any]
INNER = "http://example.org/inner"
NEWEST = ["kept", "new", "late"]


def expansion(*resources: Json, **parameters: Any) -> Json:
    found: Json = call("ValueSet/$expand", *resources, url=VS, **parameters)["expansion"]
    return found


def answer(*resources: Json, **parameters: Any) -> tuple[list[str], list[str]]:
    """The codes, and the releases that they are from."""
    found = expansion(*resources, **parameters)
    used = [each["valueUri"] for each in found["parameter"] if each["name"] == "used-codesystem"]
    return [each["code"] for each in found.get("contains", [])], [each.partition("|")[2] for each in used]


def locked(day: str, *includes: Json, **more: Any) -> Json:
    return value_set(*(includes or (include(),)), lockedDate=day, **more)


@pytest.mark.parametrize(
    ("day", "includes", "wanted"),
    [
        ("2019-01-15", (include(),), (["kept", "gone"], ["2019"])),
        ("2020-01-15", (include(),), (["kept", "new"], ["2020"])),
        ("2030-01-01", (include(),), (NEWEST, ["2022"])),
        ("2019", (include(),), (["kept", "new"], ["2020"])),
        ("2019-09", (include(),), (["kept", "gone"], ["2019"])),
        ("2019-01-15", (include("gone", "new"),), (["gone"], ["2019"])),
        ("2019-01-15", (include(version="2022"),), (NEWEST, ["2022"])),
        (
            "2019-01-15",
            (include(version="2019"), include("late", version="2022")),
            (["kept", "gone", "late"], ["2019", "2022"]),
        ),
    ],
    ids=str,
)
def test_the_releases_of_the_locked_date_are_listed(day: str, includes: Any, wanted: Any) -> None:
    codes, used = answer(*YEARS, locked(day, *includes))
    assert (sorted(codes), sorted(used)) == (sorted(wanted[0]), wanted[1])


def test_an_exclude_is_locked_too() -> None:
    assert answer(*YEARS, locked("2019-01-15", exclude=[include("kept")])) == (["gone"], ["2019"])


@pytest.mark.parametrize(("code", "result"), [("gone", True), ("kept", True), ("new", False), ("late", False)])
def test_a_code_is_judged_in_the_release_of_the_locked_date(code: str, result: bool) -> None:
    found = call("ValueSet/$validate-code", *YEARS, locked("2019-01-15"), url=VS, system=CS, code=code)
    assert value_of(found, "result") is result


def test_a_system_whose_releases_state_no_period_is_answered_by_its_latest() -> None:
    codes, used = answer(*UNDATED, locked("2012-06-01"))
    assert (codes, used) == (["dated", "open", "ended", "bare"], ["1"])


@pytest.mark.parametrize("day", ["2017-01-01", "2021-01-15"])
def test_where_no_release_was_in_force_nothing_is_answered_for_another_day(day: str) -> None:
    with pytest.raises(Refusal, match=f"in-force-on-{day}.* Valid versions: 2019, 2020 or 2022"):
        answer(*YEARS, locked(day))
    found = call("ValueSet/$validate-code", *YEARS, locked(day), url=VS, system=CS, code="kept")
    assert value_of(found, "result") is False


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"system_version": [f"{CS}|2022"]}, (["kept", "gone"], ["2019"])),
        ({"force_system_version": [f"{CS}|2022"]}, (NEWEST, ["2022"])),
        ({"date": "2019-01-20"}, (["kept", "gone"], ["2019"])),
        ({"date": "2020-01-20"}, (["kept", "gone"], ["2019"])),
    ],
    ids=str,
)
def test_who_wins(parameters: Any, wanted: Any) -> None:
    """A default version does not, a forced one does; a date judges the codes of the locked release."""
    assert answer(*YEARS, locked("2019-01-15"), **parameters) == wanted


def test_a_date_on_which_the_locked_release_is_not_in_force_is_told() -> None:
    found = expansion(*YEARS, locked("2019-01-15"), date="2020-01-20")
    assert [each["name"] for each in found["parameter"] if each["name"].startswith("warning")] == [
        "warning-not-in-force"
    ]
    with pytest.raises(Refusal, match="2019"):
        expansion(*YEARS, locked("2019-01-15"), check_system_version=[f"{CS}|2022"])


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        (value_set(include(), url=INNER), ["kept", "gone"]),
        (value_set(include(), url=INNER, lockedDate="2020-01-15"), ["kept", "new"]),
        (value_set(include(version="2022"), url=INNER), NEWEST),
    ],
    ids=["open", "locked itself", "of a version"],
)
def test_what_is_imported_is_locked_by_its_importer_unless_it_says_otherwise(inner: Json, wanted: list[str]) -> None:
    outer = locked("2019-01-15", {"valueSet": [INNER]})
    assert answer(*YEARS, inner, outer)[0] == wanted
    assert answer(*YEARS, inner, value_set({"valueSet": [INNER]}))[0] != ["kept", "gone"]


@pytest.mark.parametrize("day", ["2019-02-30", "soon", 2019, ""])
def test_a_locked_date_that_is_none_is_refused(day: Any) -> None:
    with pytest.raises(Refusal, match="lockedDate"):
        State(Settings(), catalogs(Settings(), (locked(day),))).catalog("R5")


@given(day=st.dates().map(str), named=st.sampled_from(["2019", "2020", "2022"]))
def test_a_locked_date_is_as_good_as_the_version_in_force_on_it(day: str, named: str) -> None:
    """Law: locked on a day of a release, or of that version, is the same set."""
    of_version = answer(*YEARS, value_set(include(version=named)))
    try:
        found = answer(*YEARS, locked(day))
    except Refusal:
        return
    if found[1] == [named]:
        assert found == of_version


def test_a_judge_asks_the_locked_set() -> None:
    other = code_system("x", url="http://example.org/other", version="1")
    content = (*YEARS, other, locked("2019-01-15"))
    state = State(Settings(core_content=False), catalogs(Settings(core_content=False), content), content)
    judge = Judge.of(state, value_set=VS, fhir="R5")
    for code, wrong in (("gone", False), ("late", True)):
        judged = judge.judge(judge.row(CS, code))
        assert any(each.reason == "not-in-value-set" for each in judged.findings) == wrong
