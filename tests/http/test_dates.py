"""A date over HTTP: every value is answered or refused with its reason, in every operation, and never fails."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from http_client import CPT, HARVEST, Client
from hypothesis import given, settings
from hypothesis import strategies as st

import terminology
from terminology import dates

OPERATIONS = {
    "$lookup": f"CodeSystem/$lookup?system={CPT}&code=38230",
    "$validate-code of a code system": f"CodeSystem/$validate-code?url={CPT}&code=38230",
    "$validate-code of a value set": f"ValueSet/$validate-code?url={HARVEST}&system={CPT}&code=38230",
    "$expand": f"ValueSet/$expand?url={HARVEST}",
}
NO_DATES = (
    "0000", "0000-01-01", "9999-99", "2011-00", "2011-13", "2011-1", "2011-02-30", "2011-04-31", "2100-02-29",
    "2011-01-00", "2012-02-29T24:00:00Z", "2012-02-29T12:60:00Z", "2012-02-29T12:00:61Z", "2012-02-29T12",
    "2012-02-29T12:00:00+99:00", "-2011", "-0044-03-15", "+2011", "02011", "12011-01-01", "2011/01/01", "20110101",
    "2011-W01", "now", "%20", "2011 ", "\u0662\u0660\u0661\u0661", "2011-01-01%00", "1e3", "NaN", "2011-01-01T",
    "T10:00", "x" * 100_000,
)  # fmt: skip
DATES = (
    "0001", "0001-01-01", "9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59.999999999Z", "2012-02-29", "2000-02-29",
    "2012-02-29T00:00:00-14:00", "2016-12-31T23:59:60Z", "2011", "2011-12", "2026-12-31", "2027",
)  # fmt: skip


@pytest.fixture(scope="module")
def app() -> Flask:
    return terminology.create_app()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_no_date_of_the_calendar_is_refused_with_its_reason(app: Flask, operation: str):
    for date in NO_DATES:
        reply = Client(app, "r4").get(f"{OPERATIONS[operation]}&date={date}")
        assert reply.status in (400, 414), date
        assert {issue["severity"] for issue in reply.resource["issue"]} == {"error"}
        assert all(issue["details"]["text"] for issue in reply.resource["issue"])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_date_of_the_calendar_is_answered_or_refused_as_unknown(app: Flask, operation: str):
    for date in DATES:
        reply = Client(app, "r4").get(f"{OPERATIONS[operation]}&date={date.replace('+', '%2B')}")
        known = "2011" <= date[:4] <= "2026"
        if operation.startswith("$validate"):
            assert (reply.status, reply.parameter("result")) == (200, known), date
        else:
            assert reply.status == (200 if known else 422), date


def test_an_empty_date_and_two_dates_are_refused(app: Flask):
    for stated in ("date=", "date=2011&date=2012"):
        assert Client(app, "r4").get(f"{OPERATIONS['$lookup']}&{stated}").status == 400


VALUES = [5, True, None, [], {}, 2011.5, ["2011"], "2011-02-30", "", {"value": "2011"}]


@pytest.mark.parametrize("value", VALUES, ids=str)
@pytest.mark.parametrize("name", ["valueDateTime", "valueDate", "valueString", "valueCode", "valueBoolean"])
def test_a_date_in_a_body_is_text_or_refused(app: Flask, name: str, value: Any):
    parameter = [
        {"name": "url", "valueUri": CPT},
        {"name": "code", "valueCode": "38230"},
        {"name": "date", name: value},
    ]
    reply = Client(app, "r5").post("CodeSystem/$validate-code", {"resourceType": "Parameters", "parameter": parameter})
    assert reply.status == 400
    assert reply.resource["issue"]


@settings(max_examples=150, deadline=None)
@given(st.text("0123456789-T:Z.+ ", max_size=30) | st.text(max_size=12) | st.dates().map(str) | st.datetimes().map(str))
def test_the_calendar_is_what_python_says_it_is(text: str):
    if dates.known(text):
        first, last = dates.first_day(text), dates.last_day(text)
        assert first <= last
        assert {len(first), len(last)} == {10}
        assert dates.standing(text, first, last) == "in"
        assert dates.day_after(last) >= last


@given(st.dates())
def test_a_day_of_the_calendar_is_known_and_is_its_own_bounds(day: Any):
    text = day.isoformat()
    assert dates.known(text)
    assert dates.first_day(text) == dates.last_day(text) == text
    assert dates.first_day(text[:7]) <= text <= dates.last_day(text[:7])
    assert dates.standing(text[:4], text, text) == dates.standing(text[:7], text, text) == "across"
    assert dates.standing(text, text[:4], text[:7]) == "in"
