"""HL7's tx-ecosystem cases over HTTP, suite by suite, in R5 and R4; what fails is listed in baseline.json."""

from collections.abc import Callable

import pytest
from ecosystem import live

SUITES = [(fhir, suite) for fhir in live.FHIR for suite in live.suites(fhir)] or [("R5", "simple-cases")]
Recording = Callable[[str], live.Recording]


def test_the_cases_are_at_hand():
    assert live.here(), live.WHERE


@pytest.mark.parametrize(("fhir", "suite"), SUITES, ids=lambda part: part)
def test_a_suite_passes_but_for_the_cases_of_the_baseline(fhir: str, suite: str, recording: Recording):
    client = recording(fhir)
    client.invalid.clear()
    outcome = live.run(client, suite)
    known = live.baseline(fhir)
    news = {key: difference for key, difference in outcome.failed.items() if key not in known}
    assert not news, f"{len(news)} cases fail that passed before:{live.said(news)}"
    better = sorted(known & outcome.passed)
    assert not better, f"these pass now; remove them from baseline.json, under {fhir}: {better}"
    assert not client.invalid, "answers that fhir.resources refuses:\n  " + "\n  ".join(client.invalid)


@pytest.mark.parametrize("fhir", live.FHIR)
def test_the_baseline_names_cases_that_exist(fhir: str):
    keys = {case.key for _, cases in live.tests().select(live.MODES, live.FHIR[fhir]) for case in cases}
    assert live.baseline(fhir) <= keys


def test_every_suite_answers_the_same_where_resources_come_with_each_request(live_server: str):
    client = live.WithoutCache(live_server + live.PATHS["R5"], "R5")
    failed = {
        key: text
        for fhir, suite in SUITES
        if fhir == "R5"
        for key, text in live.run(client, suite).failed.items()
        if key not in live.baseline("R5")
    }
    assert not failed, live.said(failed)
    assert not client.has_cache_control
