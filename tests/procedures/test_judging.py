"""Each coding is right, wrong or cannot be judged, on the day that its code system goes by."""

import pickle
from typing import Any

import pytest

from terminology.model import SUGGESTED_CODING  # noqa: F401
from terminology.procedures.judging import Judge
from terminology.service import State
from terminology.settings import Settings

CPT = "http://www.ama-assn.org/go/cpt"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
OID = "urn:oid:2.16.840.1.113883.6.12"


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge.of(State(Settings.load(stated={})))


ROWS: list[tuple[tuple[Any, ...], str, str | None]] = [
    ((CPT, "38232"), "right", "no-date"),
    ((CPT, "38232", None, None, "2012-01-01"), "right", None),
    ((CPT, "38232", None, None, "2011-12-31"), "wrong", "not-valid-on-date"),
    ((CPT, "38230", None, None, "2011-12-31"), "right", None),
    ((CPT, "99999"), "unjudged", "code-outside-fragment"),
    ((CPT, "38232", None, "Any words", "2020-01-01"), "right", "display-not-checked"),
    ((PCS, "07DR3ZZ", None, "Wrong words", "2024-11-01"), "wrong", "wrong-display"),
    ((OID, "38232"), "wrong", "wrong-system"),
    (("http://example.org/unknown", "1"), "unjudged", "unknown-system"),
    ((CPT, "38232", "1999"), "unjudged", "unknown-version"),
    ((None, "38232"), "unjudged", "no-system"),
    ((CPT, None), "unjudged", "no-code"),
    ((None, None), "unjudged", "missing-code"),
]


@pytest.mark.parametrize(("row", "verdict", "reason"), ROWS, ids=str)
def test_a_row_has_a_verdict_and_its_reason(judge: Judge, row: Any, verdict: str, reason: str | None) -> None:
    judgement = judge.judge(judge.row(*row))
    assert judgement.verdict == verdict
    reasons = [each.reason for each in judgement.findings]
    assert reasons[:1] == ([reason] if reason else []), reasons


def test_equal_rows_are_equal_records_and_have_equal_answers(judge: Judge) -> None:
    one, other = judge.row(CPT, "38232", date="2011-05-01"), judge.row(CPT, "38232", date="2011-05-01T10:00:00Z")
    assert one == other
    assert hash(one) == hash(other)
    assert judge.judge(one) == judge.judge(other)


def test_a_judge_and_its_answers_go_to_another_process(judge: Judge) -> None:
    record = judge.row(CPT, "38232", date="2011-05-01")
    copy = pickle.loads(pickle.dumps(judge))
    assert pickle.loads(pickle.dumps(judge.judge(record))) == copy.judge(record)
