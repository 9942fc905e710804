"""Each coding is right, wrong or cannot be judged, on the day that its code system goes by."""

import pickle
from collections.abc import Callable
from datetime import date
from statistics import median
from time import process_time
from typing import Any

import pytest
from coded_procedures import CM, CPT, OID, OPS, PCS, PCS_OID, procedure
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology.issues import NotFound, NotSupported
from terminology.model import Coding
from terminology.procedures.judging import Judge
from terminology.procedures.opinions import Opinions
from terminology.procedures.records import Judgement
from terminology.service import State
from terminology.settings import Settings

DONOR = "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest-donor"

ROWS: list[tuple[tuple[Any, ...], str, str | None]] = [
    ((CPT, "38232"), "right", "no-date"),
    ((CPT, "38232", None, None, "2012-01-01"), "right", None),
    ((CPT, "38232", None, None, "2011-12-31"), "wrong", "not-valid-on-date"),
    ((CPT, "38232", None, None, "2009-06-01"), "wrong", "not-valid-on-date"),
    ((CPT, "38230", None, None, "2011-12-31"), "right", None),
    ((CPT, "38230", None, None, "2009-06-01"), "unjudged", "not-known-on-date"),
    ((CPT, "38232", None, None, "2031-06-01"), "unjudged", "not-known-on-date"),
    ((CPT, "38232", None, None, "2012"), "right", None),
    ((CPT, "38232", None, None, "2011"), "wrong", "not-valid-on-date"),
    ((CPT, "99999"), "unjudged", "code-outside-fragment"),
    ((CPT, "99999", None, None, "2020-02-02"), "unjudged", "code-outside-fragment"),
    ((CPT, "3823"), "wrong", "malformed-code"),
    ((CPT, "38232", None, "Any words", "2020-01-01"), "right", "display-not-checked"),
    ((PCS, "07DR3ZZ", None, "Wrong words", "2024-11-01"), "wrong", "wrong-display"),
    ((PCS, "07DR3ZZ", None, None, "2024-11-01"), "right", None),
    ((PCS, "07DR3ZZ", None, None, "2019-11-01"), "unjudged", "not-known-on-date"),
    ((CM, "Z52.3", None, None, "2026-05-01"), "right", None),
    ((PCS, "38232"), "wrong", "code-of-another-system"),
    ((CPT, "07DR3ZZ"), "wrong", "code-of-another-system"),
    (("http://snomed.info/sct", "38232"), "wrong", "code-of-another-system"),
    (("http://snomed.info/sct", "80146002"), "unjudged", "unknown-system"),
    (("http://snomed.info/sct", "x"), "wrong", "malformed-code"),
    ((OID, "38232"), "wrong", "wrong-system"),
    ((PCS_OID, "07DR3ZZ"), "wrong", "wrong-system"),
    (("2.16.840.1.113883.6.12", "38232"), "wrong", "wrong-system"),
    (("https://www.ama-assn.org/go/CPT/", "38232"), "wrong", "wrong-system"),
    ((DONOR, "38230"), "wrong", "wrong-system"),
    (("cpt", "38230"), "wrong", "wrong-system"),
    (("http://example.org/unknown", "1"), "unjudged", "unknown-system"),
    ((CPT, "38232", "1999"), "unjudged", "unknown-version"),
    ((CPT, "38232", "2011"), "unjudged", "code-outside-fragment"),
    ((CPT, "38232", "2015", None, "2020-05-05"), "right", "version-not-in-force"),
    ((None, "38232"), "unjudged", "no-system"),
    ((CPT, None), "unjudged", "no-code"),
    ((None, None), "unjudged", "missing-code"),
    (("http://hl7.org/fhir/administrative-gender", "male"), "right", "no-date"),
    (("http://hl7.org/fhir/administrative-gender", "masculine"), "wrong", "unknown-code"),
]


@pytest.mark.parametrize(("row", "verdict", "reason"), ROWS, ids=str)
def test_a_row_has_a_verdict_and_its_reason(judge: Judge, row: Any, verdict: str, reason: str | None) -> None:
    judgement = judge.judge(judge.row(*row))
    assert judgement.verdict == verdict
    reasons = [each.reason for each in judgement.findings]
    assert reasons[:1] == ([reason] if reason else []), reasons


def test_a_code_outside_a_fragment_is_never_right(judge: Judge) -> None:
    for day in (None, "2011-05-05", "2020-05-05", "2031-05-05"):
        assert judge.judge(judge.row(CPT, "99999", date=day)).codings[0].verdict == "unjudged"


# --- days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "verdict", "reason"),
    [
        ({"performedDateTime": "2011-06-01"}, "wrong", "not-valid-on-date"),
        ({"performedDateTime": "2011-12-31T23:30:00-08:00"}, "wrong", "not-valid-on-date"),
        ({"performedDateTime": "2012-01-01T00:30:00+14:00"}, "right", None),
        ({"performedPeriod": {"start": "2011-12-20", "end": "2012-01-05"}}, "unjudged", "date-across-boundary"),
        ({"performedPeriod": {"start": "2012-01-05", "end": "2012-02-05"}}, "right", None),
        ({"performedPeriod": {"start": "2011-12"}}, "wrong", "not-valid-on-date"),
        ({"performedPeriod": {"end": "2013"}}, "right", None),
        ({"performedDateTime": "2011"}, "wrong", "not-valid-on-date"),
        ({"performedString": "last summer"}, "right", "no-date"),
        ({"performedAge": {"value": 40, "unit": "a"}}, "right", "no-date"),
        ({"performedRange": {"low": {"value": 40}}}, "right", "no-date"),
        ({}, "right", "no-date"),
    ],
    ids=str,
)
def test_every_form_of_performed_is_read(
    judged: Callable[..., Judgement], when: Any, verdict: str, reason: Any
) -> None:
    judgement = judged(procedure("cpt#38232", **when))
    assert (judgement.verdict, [each.reason for each in judgement.findings]) == (verdict, [reason] if reason else [])


@pytest.mark.parametrize(
    ("when", "verdict"),
    [
        ({"occurrenceDateTime": "2011-06-01"}, "wrong"),
        ({"occurrencePeriod": {"start": "2011-12-20", "end": "2012-01-05"}}, "unjudged"),
        ({"occurrenceTiming": {"event": ["2011-02-01", "2011-03-01"]}}, "wrong"),
        ({"occurrenceTiming": {"event": ["2012-02-01", "2011-03-01"]}}, "unjudged"),
        ({"occurrenceTiming": {"repeat": {"boundsPeriod": {"start": "2011-02-01", "end": "2011-03-01"}}}}, "wrong"),
        ({"occurrenceString": "last summer"}, "right"),
    ],
    ids=str,
)
def test_every_form_of_occurrence_is_read_in_r5(judged: Callable[..., Judgement], when: Any, verdict: str) -> None:
    assert judged(procedure("cpt#38232", **when), "R5").verdict == verdict


@pytest.mark.parametrize("written", ["2011-02-30", "2011-13", "2011-6-1", "06/01/2011", "20110601"])
def test_a_day_that_is_none_is_told_and_counts_as_no_day(judged: Callable[..., Judgement], written: str) -> None:
    judgement = judged(procedure("cpt#38232", day=written))
    assert [each.reason for each in judgement.findings] == ["invalid-value", "no-date"]


def test_a_period_in_which_the_meaning_of_a_code_changed_is_told(judged: Callable[..., Judgement]) -> None:
    judgement = judged(procedure("cpt#38230", performedPeriod={"start": "2011-12-20", "end": "2012-01-05"}))
    assert [each.reason for each in judgement.findings] == ["date-across-boundary"]


def test_the_date_of_the_request_wins_over_the_days_of_the_record(judged: Callable[..., Judgement]) -> None:
    record = procedure("cpt#38232", day="2020-01-01")
    assert judged(record).verdict == "right"
    assert judged(record, "R4", "2011-06-01").verdict == "wrong"


def stay(start: str, end: str) -> dict[str, Any]:
    inside = {"resourceType": "Encounter", "id": "e", "period": {"start": start, "end": end}}
    return {"contained": [inside], "encounter": {"reference": "#e"}}


@pytest.mark.parametrize(
    ("code", "during", "verdict"),
    [
        ("pcs#07DR3ZZ", ("2024-09-28", "2024-10-02"), "right"),
        ("pcs#07DR3ZZ", ("2025-09-28", "2025-10-02"), "unjudged"),
        ("ops#5-410.00", ("2025-12-30", "2026-01-03"), "right"),
        ("ops#5-410.00", ("2024-12-30", "2025-01-03"), "unjudged"),
        ("cpt#38232", ("2011-12-30", "2012-01-03"), "wrong"),
    ],
)
def test_each_system_goes_by_its_own_day_of_a_stay(
    judged: Callable[..., Judgement], code: str, during: tuple[str, str], verdict: str
) -> None:
    """ICD-10-PCS by the discharge, OPS by the admission, CPT by the day of service (here the day of admission)."""
    assert judged(procedure(code, day=during[0], **stay(*during))).verdict == verdict


def test_the_day_that_decides_is_a_setting(state: State) -> None:
    judge = Judge.of(state, bases={PCS: "service"})
    record = judge.read(procedure("pcs#07DR3ZZ", day="2024-09-28", **stay("2024-09-28", "2024-10-02")), "R4")
    assert judge.judge(record).verdict == "unjudged"


def test_the_operator_may_say_which_day_decides() -> None:
    judge = Judge.of(State(Settings.load(stated={"date_basis": [f"{PCS}|service"]})))
    assert judge.bases[PCS] == "service"
    assert judge.bases[CM] == "discharge"
    assert Judge.of(judge.scope, bases={PCS: "admission"}).bases[PCS] == "admission"


def test_an_unstated_basis_falls_back_to_the_day_of_service_and_says_so(judged: Callable[..., Judgement]) -> None:
    judgement = judged(procedure("ops#5-410.00", day="2025-03-01"))
    assert (judgement.verdict, [each.reason for each in judgement.findings]) == ("right", ["judged-by-day-of-service"])


# --- the judge itself ------------------------------------------------------------------------------------------


def test_equal_rows_are_equal_records_and_have_equal_answers(judge: Judge) -> None:
    one, other = judge.row(CPT, "38232", date="2011-05-01"), judge.row(CPT, "38232", date="2011-05-01T10:00:00Z")
    assert one == other
    assert hash(one) == hash(other)
    assert judge.judge(one) == judge.judge(other)


def test_a_judge_and_its_answers_go_to_another_process(judge: Judge) -> None:
    record = judge.row(CPT, "38232", date="2011-05-01")
    copy = pickle.loads(pickle.dumps(judge))
    assert pickle.loads(pickle.dumps(judge.judge(record))) == copy.judge(record)


ASKED = [
    *((CPT, code) for code in ("38232", "38230", "9", "38232:52", "38232-52")),
    *((PCS, code) for code in ("07DR3ZZ", "07dr3zz", "079T3ZZ")),
    *((OPS, code) for code in ("5-410.00", "5-410.0")),
    (CM, "Z52.3"),
    (OID, "38232"),
    ("http://hl7.org/fhir/administrative-gender", "male"),
    ("http://hl7.org/fhir/administrative-gender", "Male"),
    ("http://terminology.hl7.org/CodeSystem/v3-ActCode", "AMB"),
    ("http://unitsofmeasure.org", "mg"),
    ("urn:ietf:bcp:47", "de-CH"),
]
DAYS = st.dates(date(2009, 1, 1), date(2028, 12, 31)).map(date.isoformat)


@settings(max_examples=100, deadline=None)
@given(
    code=st.sampled_from(ASKED),
    days=st.lists(st.none() | DAYS, min_size=2, max_size=4),
    display=st.none() | st.sampled_from(["Male", "x"]),
)
def test_what_is_remembered_or_plain_is_what_the_engine_would_say(
    judge: Judge, code: tuple[str, str], days: list[str | None], display: str | None
) -> None:
    coding, shared = Coding(*code, display=display), Opinions(judge.scope)
    for day in days:
        held, afresh = shared.of(coding, day), Opinions(judge.scope, plain=False).of(coding, day)
        assert (held.verdict, held.found, held.used) == (afresh.verdict, afresh.found, afresh.used)
        assert (held.display, held.valid_from) == (afresh.display, afresh.valid_from)


def test_what_is_plainly_right_costs_a_fraction(judge: Judge) -> None:
    """Of the whole engine's processor time, in turns on the same codings."""
    codings = [Coding(PCS, f"07D{bone}{way}ZZ") for bone in "QRST" for way in "03"] * 5

    def spent(plain: bool) -> float:
        opinions = Opinions(judge.scope, plain=plain)
        opinions.of(codings[0], "2025-01-01")
        started = process_time()
        for place, coding in enumerate(codings):
            opinions._known.clear()
            opinions.of(coding, f"2025-01-{place % 28 + 1:02}")
        return process_time() - started

    ratios = [spent(plain=True) / spent(plain=False) for _ in range(5)]
    assert median(ratios) < 0.5


def test_a_value_set_is_asked_of_the_main_code_alone(state: State) -> None:
    judge = Judge.of(state, value_set=DONOR)
    wrong = judge.judge(judge.read(procedure("cpt#38232", day="2020-01-01", reason="cm#Z52.3"), "R4"))
    assert wrong.verdict == "wrong"
    assert [each.reason for each in wrong.findings if each.issue.severity == "error"] == ["not-in-value-set"]
    assert judge.judge(judge.read(procedure("cpt#38230", day="2020-01-01"), "R4")).verdict == "right"
    assert judge.judge(judge.row(CPT, "38232", date="2020-01-01")).verdict == "wrong"


def test_one_coding_in_the_value_set_is_enough(state: State) -> None:
    judge = Judge.of(state, value_set=DONOR)
    assert judge.judge(judge.read(procedure("ops#5-410.01", "cpt#38230", day="2025-01-01"), "R4")).verdict == "right"


@pytest.mark.parametrize(
    ("options", "refusal"),
    [({"value_set": "http://example.org/none"}, NotFound), ({"profile": "http://example.org/none"}, NotSupported)],
)
def test_what_is_not_known_is_refused(state: State, options: Any, refusal: type[Exception]) -> None:
    with pytest.raises(refusal, match="example"):
        Judge.of(state, **options)


@pytest.mark.parametrize("system", [CPT, "urn:oid:2.16.840.1.113883.6.12"])
def test_the_days_on_which_a_judgement_may_change_are_those_of_the_system_whatever_its_name(
    judge: Judge, system: str
) -> None:
    turns = judge.turns(system, "38232")
    assert "2012-01-01" in turns
    assert list(turns) == sorted(set(turns))
