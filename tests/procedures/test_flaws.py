"""What FHIR forbids is found, by us where fhir.resources lets it pass; what is sound has no flaw."""

from typing import Any

import pytest
from coded_procedures import concept, procedure
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology.issues import Invalid
from terminology.model import FhirVersion
from terminology.procedures.flaws import flaws
from terminology.procedures.judging import Judge
from terminology.procedures.validating import validated
from terminology.service import State
from terminology.wire import checks

SOUND = procedure("cpt#38232", day="2020-01-01")

PASSED_BY_THE_MODELS: list[tuple[dict[str, Any], str, str]] = [
    ({"status": "done"}, "invalid-value", "Procedure.status"),
    ({"performedDateTime": None, "performedPeriod": {"start": "2020-02-01", "end": "2020-01-01"}},
     "reversed-period", "Procedure.performedPeriod"),
    ({"performedDateTime": None, "performedPeriod": {"start": "2020-02", "end": "2020-01-31"}},
     "reversed-period", "Procedure.performedPeriod"),
    ({"code": {"coding": [{}]}}, "invalid-shape", "Procedure.code.coding[0]"),
    ({"note": []}, "invalid-shape", "Procedure.note"),
    ({"outcome": {}}, "invalid-shape", "Procedure.outcome"),
    ({"bodySite": [{"text": None}]}, "invalid-shape", "Procedure.bodySite[0].text"),
    ({"identifier": [{"use": "mine", "value": "1"}]}, "invalid-value", "Procedure.identifier[0].use"),
    ({"text": {"status": "mine", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}},
     "invalid-value", "Procedure.text.status"),
]  # fmt: skip


def changed(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**SOUND, **change}.items() if value is not None}


@pytest.fixture(params=["R4", "R5"])
def fhir(request: pytest.FixtureRequest) -> FhirVersion:
    found: FhirVersion = request.param
    return found


@pytest.mark.parametrize(("change", "reason", "place"), PASSED_BY_THE_MODELS)
def test_a_flaw_that_fhir_resources_lets_pass_is_found(judge: Judge, change: Any, reason: str, place: str) -> None:
    resource = changed(change)
    assert checks.reasons(resource, "R4") == []
    found = [each for each in validated(resource, "R4", judge).findings if each.issue.severity == "error"]
    assert [(each.reason, each.issue.expression) for each in found] == [(reason, place)]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"subject": None}, "Procedure.subject"),
        ({"colour": "red"}, "Procedure.colour"),
        ({"performedPeriod": {"start": "2020"}}, "Procedure"),
        ({"code": {"coding": "x"}}, "Procedure.code.coding"),
        ({"performedDateTime": "2020-01-01T10:00:00"}, "Procedure.performedDateTime"),
        ({"performedDateTime": "2020-02-30"}, "Procedure.performedDateTime"),
        ({"performedDateTime": "yesterday"}, "Procedure.performedDateTime"),
        ({"code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": " 38232"}]}}, None),
    ],
    ids=str,
)
def test_what_fhir_resources_refuses_is_an_issue_with_its_place(judge: Judge, change: Any, place: str | None) -> None:
    found = [each for each in validated(changed(change), "R4", judge).findings if each.issue.severity == "error"]
    assert found
    assert place is None or place in [each.issue.expression for each in found]


def test_one_place_is_told_once(judge: Judge) -> None:
    found = validated(changed({"performedDateTime": "2020-02-30"}), "R4", judge).findings
    places = [each.issue.expression for each in found if each.issue.severity == "error"]
    assert len(places) == len(set(places)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"performedDateTime": None, "performedPeriod": {"start": "2020-02", "end": "2020-02-01"}},
        {"performedDateTime": None, "performedString": "yesterday"},
        {"performedDateTime": "2020-02-29"},
        {"performedDateTime": "2020-01-01T10:00:00+01:00"},
        {"extension": [{"url": "http://example.org/x", "valueString": "2020-02-30"}]},
        {"_performedDateTime": {"id": "a"}},
        {"note": [{"text": "words", "time": "2020-01-01"}]},
    ],
    ids=str,
)
def test_what_is_sound_has_no_flaw(judge: Judge, change: Any) -> None:
    found = validated(changed(change), "R4", judge).findings
    assert [each.reason for each in found if each.issue.severity == "error"] == []
    assert flaws(changed(change), "R4") == ()


@pytest.mark.parametrize(
    ("fhir", "status", "wanted"),
    [
        ("R4", "finished", []),
        ("R5", "finished", ["OWN_NOT_BOUND"]),
        ("R5", "completed", []),
        ("R4", "completed", ["OWN_NOT_BOUND"]),
    ],
)
def test_bindings_are_those_of_the_version(fhir: FhirVersion, status: str, wanted: list[str]) -> None:
    assert [each.message_id for each in flaws({"resourceType": "Encounter", "status": status}, fhir)] == wanted


@pytest.mark.parametrize(("code", "sound"), [("active", True), ("aktiv", False)])
def test_a_required_concept_has_one_of_its_codes(code: str, sound: bool) -> None:
    status = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": code}]}
    assert (flaws({"resourceType": "Condition", "clinicalStatus": status}, "R4") == ()) is sound


NAMES = st.sampled_from(
    [
        "coding",
        "code",
        "system",
        "text",
        "start",
        "end",
        "performedPeriod",
        "performedDateTime",
        "reasonCode",
        "item",
        "productOrService",
        "reference",
        "concept",
        "contained",
        "id",
        "encounter",
        "repeat",
        "event",
        "category",
        "_x",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("2011-13-41"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(body=st.dictionaries(NAMES, JSON, max_size=8), kind=st.sampled_from(["Procedure", "Claim", "Encounter"]))
def test_any_json_is_judged_and_nothing_breaks(judge: Judge, body: dict[str, Any], kind: str) -> None:
    for fhir in ("R4", "R5"):
        resource = {**body, "resourceType": kind}
        judgement = judge.judge(judge.read(resource, fhir))  # type: ignore[arg-type]
        assert judgement.verdict in ("right", "wrong", "unjudged")


@pytest.mark.parametrize("body", [[], None, "x", {}, {"resourceType": "Patient"}, {"resourceType": 5}])
def test_what_is_no_coded_resource_is_refused(judge: Judge, body: Any) -> None:
    with pytest.raises(Invalid, match="Procedure"):
        validated(body, "R4", judge)


def test_a_resource_is_never_changed(state: State) -> None:
    resource = {**procedure("cpt#38232 ", day="2011"), "followUp": [concept("x#y")]}
    before = repr(resource)
    validated(resource, "R4", Judge.of(state))
    assert repr(resource) == before
