"""Every rule finds what it is for, and nothing where it is not: one table of records and the reasons found in them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coded_procedures import CPT, LOINC, OPS, SNOMED, coding, concept, procedure

from terminology.issues import SENTENCES, NotSupported
from terminology.model import FhirVersion, Query
from terminology.procedures import profiles
from terminology.procedures.coherence import knowledge
from terminology.procedures.elements import ELEMENTS, KINDS, coded
from terminology.procedures.flaws import bound, paths
from terminology.procedures.judging import Judge
from terminology.procedures.records import Judgement
from terminology.procedures.rules import RULES, forms
from terminology.procedures.validating import FINDING_REASON
from terminology.service import State

ROOT = Path(__file__).resolve().parents[2]
Judging = Callable[..., Judgement]
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure"
DAY = "2026-05-01"
QUIET = (
    "no-date",
    "judged-by-day-of-service",
    "not-known-on-date",
    "undated-system",
    "code-outside-fragment",
    "unknown-system",
)


def reasons(judgement: Judgement) -> list[str]:
    """What was found, but for what is only said beside it."""
    quiet = (
        "no-date",
        "judged-by-day-of-service",
        "not-known-on-date",
        "undated-system",
        "code-outside-fragment",
        "unknown-system",
    )
    return [each.reason for each in judgement.findings if each.reason not in quiet]


COHERENCE: list[tuple[str, str, list[str]]] = [
    # the table of docs/how-to/validate-procedures.md, column by column
    ("cpt#38230", "cm#Z52.3", []),
    ("cpt#38230", "cm#Z52.001", []),
    ("cpt#38230", "cm#Z52.011", ["incoherent-reason"]),
    ("cpt#38230", "cm#Z52.091", ["imprecise-reason"]),
    ("cpt#38230", "cm#Z00.5", ["incoherent-reason"]),
    ("cpt#38232", "cm#Z52.3", []),
    ("cpt#38232", "cm#Z52.001", []),
    ("cpt#38232", "cm#Z52.011", ["imprecise-reason"]),
    ("cpt#38232", "cm#Z52.091", ["incoherent-reason"]),
    ("cpt#38232", "cm#Z00.5", ["incoherent-reason"]),
    ("own#harvest-own-use", "cm#Z52.091", ["incoherent-reason"]),
    ("cpt#38230", "cm#Z94.81", []),
]


@pytest.mark.parametrize(("code", "reason", "wanted"), COHERENCE)
def test_procedure_and_reason_go_together_or_not(judged: Judging, code: str, reason: str, wanted: list[str]) -> None:
    assert reasons(judged(procedure(code, day=DAY, reason=reason))) == wanted


@pytest.mark.parametrize(("code", "reason", "wanted"), [row for row in COHERENCE if row[2]])
def test_incoherence_is_a_warning_with_its_reason_and_no_failure(
    judged: Judging, code: str, reason: str, wanted: list[str]
) -> None:
    judgement = judged(procedure(code, day=DAY, reason=reason))
    [found] = [each for each in judgement.findings if each.reason == wanted[0]]
    assert found.issue.severity in ("warning", "information")
    assert judgement.verdict == "right"
    assert code.partition("#")[2] in found.issue.arguments
    assert reason.partition("#")[2] in found.issue.arguments


def test_before_2012_a_code_for_either_kind_fits_every_donor(judged: Judging) -> None:
    assert reasons(judged(procedure("cpt#38230", day="2011-06-01", reason="cm#Z52.011"))) == []


@pytest.mark.parametrize(
    ("codes", "wanted"),
    [
        (("cpt#38230", "cpt#38220"), ["confused-codes"]),
        (("cpt#38232", "cpt#38221"), ["confused-codes"]),
        (("cpt#38241", "cpt#38232"), ["confused-codes"]),
        (("cpt#38230", "cpt#38232"), ["confused-codes"]),
        (("cpt#38230", "sct#234336002"), ["confused-codes"]),
        (("cpt#38230", "pcs#07DR3ZX"), ["confused-codes"]),
        (("ops#5-410.00", "pcs#079T3ZX"), ["confused-codes"]),
        (("cpt#38230", "pcs#07DR3ZZ"), []),
        (("cpt#38230", "ops#5-410.00"), ["contradictory-codings"]),
        (("ops#5-410.01", "cpt#38232"), ["contradictory-codings"]),
        (("cpt#38230", "ops#5-410.01"), []),
        (("cpt#38232", "own#harvest-own-use"), []),
        (("cpt#38232", "own#harvest-donor"), ["contradictory-codings"]),
        (("icd9#41.91", "pcs#07DR3ZZ"), []),
        (("cpt#38230", "http://example.org/local#x"), []),
        (("cpt#38230",), []),
    ],
    ids=str,
)
def test_codings_of_one_concept_go_together_or_not(judged: Judging, codes: tuple[str, ...], wanted: list[str]) -> None:
    assert reasons(judged(procedure(*codes, day=DAY))) == wanted


def test_a_map_does_not_speak_of_the_years_before_it(judged: Judging) -> None:
    assert reasons(judged(procedure("cpt#38230", "ops#5-410.00", day="2011-06-01"))) == []


def test_what_stands_in_two_concepts_is_not_confused(judged: Judging) -> None:
    assert reasons(judged(procedure("cpt#38230", day=DAY, followUp=[concept("cpt#38241")]))) == []


def test_in_a_claim_the_donors_harvest_may_stand_on_the_recipient(judged: Judging) -> None:
    claim = {
        "resourceType": "Claim",
        "status": "active",
        "billablePeriod": {"start": DAY, "end": DAY},
        "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": concept("cm#Z52.091")}],
        "item": [{"sequence": 1, "productOrService": concept("cpt#38232")}],
    }
    assert reasons(judged(claim)) == []


def test_an_encounter_is_held_together_too(judged: Judging) -> None:
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": coding("http://terminology.hl7.org/CodeSystem/v3-ActCode#AMB"),
        "type": [concept("cpt#38230")],
        "reasonCode": [concept("cm#Z52.011")],
        "period": {"start": DAY, "end": DAY},
    }
    assert reasons(judged(encounter)) == ["incoherent-reason"]


def test_the_reason_may_be_a_contained_condition(judged: Judging) -> None:
    held = {"resourceType": "Condition", "id": "c", "code": concept("cm#Z52.011")}
    record = procedure("cpt#38230", day=DAY, contained=[held], reasonReference=[{"reference": "#c"}])
    assert reasons(judged(record)) == ["incoherent-reason"]


# --- elements and days of each type ----------------------------------------------------------------------------


ITEM = {"sequence": 1, "productOrService": concept("cpt#38232")}
PERIOD = {"start": "2020-03-01", "end": "2020-03-02"}
TYPES: list[tuple[FhirVersion, dict[str, Any], str]] = [
    (
        "R4",
        {"resourceType": "ServiceRequest", "code": concept("cpt#38232"), "occurrenceDateTime": "2011-05-05"},
        "code",
    ),
    ("R4", {"resourceType": "ServiceRequest", "code": concept("cpt#38232"), "authoredOn": "2011-05-05"}, "code"),
    (
        "R5",
        {"resourceType": "ServiceRequest", "code": {"concept": concept("cpt#38232")}, "authoredOn": "2011-05-05"},
        "code.concept",
    ),
    (
        "R4",
        {"resourceType": "Claim", "billablePeriod": PERIOD, "item": [{**ITEM, "servicedDate": "2011-05-05"}]},
        "item[0].productOrService",
    ),
    (
        "R4",
        {"resourceType": "Claim", "billablePeriod": {"start": "2011-05-05", "end": "2011-05-09"}, "item": [ITEM]},
        "item[0].productOrService",
    ),
    (
        "R4",
        {
            "resourceType": "Claim",
            "billablePeriod": PERIOD,
            "item": [
                {
                    "sequence": 1,
                    "productOrService": concept("own#harvest"),
                    "servicedPeriod": {"start": "2011-05-05"},
                    "detail": [{"sequence": 1, "productOrService": concept("cpt#38232")}],
                }
            ],
        },
        "item[0].detail[0].productOrService",
    ),
    (
        "R5",
        {
            "resourceType": "ExplanationOfBenefit",
            "billablePeriod": PERIOD,
            "procedure": [{"sequence": 1, "date": "2011-05-05", "procedureCodeableConcept": concept("cpt#38232")}],
        },
        "procedure[0].procedureCodeableConcept",
    ),
    (
        "R4",
        {
            "resourceType": "ExplanationOfBenefit",
            "addItem": [{"servicedDate": "2011-05-05", "productOrService": concept("cpt#38232")}],
        },
        "addItem[0].productOrService",
    ),
    ("R4", {"resourceType": "Condition", "code": concept("cpt#38232"), "recordedDate": "2011-05-05"}, "code"),
    ("R4", {"resourceType": "Observation", "code": concept("cpt#38232"), "effectiveDateTime": "2011-05-05"}, "code"),
    (
        "R5",
        {
            "resourceType": "Observation",
            "code": concept("own#harvest"),
            "effectiveInstant": "2011-05-05T10:00:00Z",
            "component": [{"code": concept("cpt#38232")}],
        },
        "component[0].code",
    ),
    ("R4", {"resourceType": "Encounter", "type": [concept("cpt#38232")], "period": {"start": "2011-05-05"}}, "type[0]"),
    (
        "R5",
        {"resourceType": "Encounter", "type": [concept("cpt#38232")], "actualPeriod": {"start": "2011-05-05"}},
        "type[0]",
    ),
    (
        "R5",
        {
            "resourceType": "Procedure",
            "code": concept("own#harvest"),
            "occurrenceDateTime": "2011-05-05",
            "reason": [{"concept": concept("cpt#38232")}],
        },
        "reason[0].concept",
    ),
]


@pytest.mark.parametrize(("fhir", "resource", "path"), TYPES, ids=lambda each: str(each)[:60])
def test_each_type_is_read_on_its_own_day(judged: Judging, fhir: FhirVersion, resource: Any, path: str) -> None:
    judgement = judged(resource, fhir)
    [found] = [each for each in judgement.findings if each.reason == "not-valid-on-date"]
    assert found.issue.expression == f"{resource['resourceType']}.{path}.coding[0].code"
    assert "2011-05-05" in found.issue.arguments


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_every_element_of_the_table_is_one_of_the_model(kind: str, fhir: FhirVersion) -> None:
    """As fhir.resources has them (of R4 in R4B)."""
    package = __import__(f"fhir.resources{'.R4B' if fhir == 'R4' else ''}", fromlist=["get_fhir_model_class"])
    for row, steps in coded(kind, fhir):
        model = package.get_fhir_model_class(kind)
        for step in steps[:-1]:
            model = package.get_fhir_model_class(_type_of(model, step))
        shape = {"Reference": "Reference"}.get(row.shape, row.shape)
        assert _type_of(model, steps[-1]) == shape, row


def _type_of(model: Any, name: str) -> str:
    field = next(each for each in model.model_fields.values() if (each.alias or "") == name)
    return next(iter(re.findall(r"(\w+)Type\b", str(field.annotation))))


BOUND = {
    "Procedure.status": "event-status",
    "ServiceRequest.status": "request-status",
    "ServiceRequest.intent": "request-intent",
    "ServiceRequest.priority": "request-priority",
    "Claim.status": "fm-status",
    "Claim.use": "claim-use",
    "ExplanationOfBenefit.status": "explanationofbenefit-status",
    "ExplanationOfBenefit.use": "claim-use",
    "Observation.status": "observation-status",
    "Encounter.status": "encounter-status",
    "identifier.use": "identifier-use",
    "text.status": "narrative-status",
    "comparator": "quantity-comparator",
}


@pytest.mark.parametrize(("path", "system"), BOUND.items())
@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_a_required_binding_is_the_value_set_of_the_specification(
    state: State, path: str, system: str, fhir: FhirVersion
) -> None:
    """The table against FHIR's own code systems, which come with the server."""
    provider = state.catalog(fhir).code_system(f"http://hl7.org/fhir/{system}", "4.0.1" if fhir == "R4" else None)
    assert provider is not None
    assert bound(path, fhir) == {each.code for each in provider.select(Query())}


def test_no_required_binding_goes_unproven() -> None:
    """That of ``ExplanationOfBenefit.outcome`` has no code system of FHIR's core with the server."""
    assert set(paths()) - set(BOUND) == {"ExplanationOfBenefit.outcome"}


# --- profiles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "change", "wanted"),
    [
        ("6.1.0", {}, []),
        ("3.1.1", {}, []),
        ("6.1.0", {"code": concept(f"{LOINC}#8867-4")}, []),
        ("3.1.1", {"code": concept(f"{LOINC}#8867-4")}, ["outside-binding"]),
        ("6.1.0", {"code": concept("own#harvest")}, ["outside-binding"]),
        ("6.1.0", {"code": concept("own#harvest", f"{SNOMED}#80146002")}, []),
        ("6.1.0", {"performedDateTime": None}, ["missing-for-profile"]),
        ("6.1.0", {"performedDateTime": None, "status": "not-done"}, []),
        ("3.1.1", {"performedDateTime": None, "status": "not-done"}, ["missing-for-profile"]),
        ("6.1.0", {"performedDateTime": None, "_performedDateTime": {"extension": [{"url": "http://x"}]}}, []),
        ("6.1.0", {"subject": None}, ["missing-for-profile"]),
        ("4.0.0", {"performedDateTime": None, "status": "not-done"}, ["missing-for-profile"]),
        ("5.0.1", {"performedDateTime": None, "status": "not-done"}, []),
        ("8.0.0", {"performedDateTime": None, "status": "not-done"}, []),
        ("4.0.0", {"code": concept(f"{LOINC}#8867-4")}, []),
        ("8.0.0", {"code": concept("own#harvest")}, ["outside-binding"]),
        ("6.1.0", {"reasonCode": [concept("own#harvest")]}, []),
        ("7.0.0", {"reasonCode": [concept("cm#Z52.3"), concept("own#harvest")]}, ["outside-binding"]),
        ("7.0.0", {"reasonCode": [{"text": "words"}]}, ["text-only"]),
    ],
    ids=str,
)
def test_a_profile_is_checked_by_name_and_version(state: State, version: str, change: Any, wanted: list[str]) -> None:
    judge = Judge.of(state, profile=f"{US_CORE}|{version}")
    resource = {**procedure("cpt#38232", day=DAY), **change}
    record = judge.read({name: value for name, value in resource.items() if value is not None}, "R4")
    assert reasons(judge.judge(record)) == wanted


@pytest.mark.parametrize("url", ["http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "https://www.ada.org/cdt/"])
@pytest.mark.parametrize("version", ["4.0.0", "5.0.1", "8.0.0"])
def test_a_binding_names_a_code_system_whose_url_has_changed(state: State, url: str, version: str) -> None:
    judge = Judge.of(state, profile=f"{US_CORE}|{version}")
    record = judge.read({**procedure(day=DAY), "code": {"coding": [{"system": url, "code": "S2150"}]}})
    assert "outside-binding" not in reasons(judge.judge(record))


def test_without_a_version_the_newest_profile_is_meant() -> None:
    assert profiles.named(US_CORE).canonical.version == "8.0.0"


def test_a_profile_is_known_in_its_version_of_fhir_alone(state: State) -> None:
    with pytest.raises(NotSupported):
        Judge.of(state, profile=US_CORE, fhir="R5")


def test_a_judge_holds_the_resources_of_a_profiles_type_to_it_and_judges_others_as_ever(state: State) -> None:
    judge, plain = Judge.of(state, profile=US_CORE), Judge.of(state)
    condition = {"resourceType": "Condition", "code": concept("cm#Z52.3"), "recordedDate": DAY}
    assert judge.judge(judge.read(condition)) == plain.judge(plain.read(condition))
    right = ((CPT, "38232", None, None), DAY, DAY)
    assert judge.plain([right]) == plain.plain([right]) != [None]


@pytest.mark.parametrize("profile", profiles.known(), ids=str)
def test_a_profile_says_where_it_was_read_and_binds_what_can_be_checked(profile: profiles.Profile) -> None:
    assert all(each.startswith("https://") for each in profile.read)
    for binding in profile.bindings:
        if binding.strength == "required":
            assert bound(f"{profile.kind}.{binding.path}", profile.fhir)
        else:
            assert binding.systems
            assert binding.strength == "extensible" or binding.purpose == "current"
            assert binding.value_set.endswith(f"|{profile.canonical.version}")


# --- the tables ------------------------------------------------------------------------------------------------


def test_every_rule_is_a_published_reason_and_every_reason_a_rule() -> None:
    published = json.loads((ROOT / "codesystems/finding-reason.json").read_text(encoding="utf-8"))
    stated = {each["code"]: {p["code"]: p["valueString"] for p in each["property"]} for each in published["concept"]}
    assert published["url"] == FINDING_REASON
    assert stated == {
        rule.name: {"verdict": rule.verdict, **({"severity": rule.severity} if rule.severity else {})} for rule in RULES
    }


def test_every_sentence_that_a_rule_is_said_by_exists() -> None:
    for rule in RULES:
        for said in rule.said_by:
            name = said.partition("/")[0]
            assert name in SENTENCES or any(each.startswith(name.rstrip("*")) for each in SENTENCES), said


def test_every_pair_of_the_coherence_table_has_its_sentence_and_its_groups() -> None:
    known = knowledge()
    for pair in (*known.confusions, *known.reasons):
        assert pair.says in SENTENCES
        assert {pair.one, pair.other} <= set(known.members)


def test_every_example_of_a_form_has_the_form() -> None:
    assert all(each.form.fullmatch(each.example) for each in forms().values())
    assert not forms()[CPT].form.fullmatch("5-410.00")
    assert forms()[OPS].form.fullmatch("5-410.00")


def test_every_kind_has_a_main_element() -> None:
    assert all(any(row.main for row in rows) for rows in ELEMENTS.values())
