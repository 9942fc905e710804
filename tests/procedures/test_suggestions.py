"""What was probably meant: an own table of input → suggestion, since no suite of others looks at it."""

from typing import Any

import pytest
from coded_procedures import CM, CPT, ICD_9, OID, OPS, OWN, PCS, PCS_OID, PCS_OLD, SNOMED, concept, procedure

from terminology.model import Coding
from terminology.procedures.judging import Judge
from terminology.procedures.records import Judgement
from terminology.service import Terminology

OWN_LABEL = "Marrow collection from the patient, to be given back later"
DONOR_LABEL = "Marrow collection from a donor, for another person"
BOTH_LABEL = "Marrow collection for a transplant, from the patient or from a donor"
NONE: list[tuple[str, str]] = []


def suggested(judgement: Judgement) -> list[tuple[str, str]]:
    found = [each.issue.suggestion for each in judgement.findings if each.issue.suggestion]
    return [(str(each.system), str(each.code)) for each in found]


CODES: list[tuple[tuple[Any, ...], list[tuple[str, str]]]] = [
    # --- on a day
    ((CPT, "38232", None, None, "2011-06-01"), [(CPT, "38230")]),
    ((CPT, "38232", None, None, "2011"), [(CPT, "38230")]),
    ((CPT, "38232", None, None, "2010-06-01"), NONE),  # nothing is claimed of the years before 2011
    ((CPT, "38232", None, None, "2012-01-01"), NONE),
    ((CPT, "38230", None, None, "2011-06-01"), NONE),
    # --- spelling
    ((CPT, "38232 "), [(CPT, "38232")]),
    ((CPT, " 38230"), [(CPT, "38230")]),
    ((CPT, "38 232"), [(CPT, "38232")]),
    ((CPT, "38232-52"), [(CPT, "38232:52")]),
    ((PCS, "07dr3zz"), [(PCS, "07DR3ZZ")]),
    ((PCS, "07D.R3ZZ"), [(PCS, "07DR3ZZ")]),
    ((CM, "Z523"), [(CM, "Z52.3")]),
    ((CM, "z52.3"), [(CM, "Z52.3")]),
    ((CM, "Z52011"), [(CM, "Z52.011")]),
    ((ICD_9, "4191"), [(ICD_9, "41.91")]),
    ((OPS, "541000"), [(OPS, "5-410.00")]),
    ((OPS, "5-41000"), [(OPS, "5-410.00")]),
    ((OPS, "5410.01"), [(OPS, "5-410.01")]),
    ((OWN, "Harvest-Own-Use"), [(OWN, "harvest-own-use")]),
    # --- the wrong system
    ((PCS, "38232"), [(CPT, "38232")]),
    ((SNOMED, "38232"), [(CPT, "38232")]),
    ((CM, "38230"), [(CPT, "38230")]),
    ((CPT, "07DR3ZZ"), [(PCS, "07DR3ZZ")]),
    ((CM, "07DT3ZZ"), [(PCS, "07DT3ZZ")]),
    ((PCS, "Z52.3"), [(CM, "Z52.3")]),
    ((CPT, "5-410.00"), [(OPS, "5-410.00")]),
    ((PCS, "41.91"), [(ICD_9, "41.91")]),
    # --- a wrong display
    ((PCS, "07DR3ZZ", None, "Something else"), [(PCS, "07DR3ZZ")]),
    ((CPT, "38232", None, "Something else"), NONE),  # displays are not held
    # --- another name of a system
    ((OID, "38232"), [(CPT, "38232")]),
    (("2.16.840.1.113883.6.12", "38230"), [(CPT, "38230")]),
    (("https://www.ama-assn.org/go/cpt/", "38232"), [(CPT, "38232")]),
    ((PCS_OID, "07DR3ZZ"), [(PCS, "07DR3ZZ")]),
    ((PCS_OLD, "079T3ZZ"), [(PCS, "079T3ZZ")]),
    # --- nothing is known, so nothing is suggested
    ((CPT, "38231"), NONE),  # an older code of another meaning: never 38232
    ((CPT, "38231", None, None, "2011-06-01"), NONE),
    ((CPT, "99999"), NONE),
    ((CPT, "38233"), NONE),
    ((PCS, "30230G1"), NONE),  # deleted, but what replaced it is not held here
    ((SNOMED, "234336002"), NONE),
    ((None, "38232"), NONE),
]


@pytest.mark.parametrize(("row", "wanted"), CODES, ids=str)
def test_a_code_leads_to_what_was_probably_meant(judge: Judge, row: Any, wanted: list[tuple[str, str]]) -> None:
    assert suggested(judge.judge(judge.row(*row))) == wanted


RECORDS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (procedure("cpt#38230", reason="cm#Z52.011"), [(CPT, "38232")]),
    (procedure("cpt#38232", reason="cm#Z52.091"), [(CPT, "38230")]),
    (procedure("cpt#38232", reason="cm#Z52.011"), [(CM, "Z52.3")]),
    (procedure("cpt#38230", reason="cm#Z52.091"), [(CM, "Z52.3")]),
    (procedure("own#harvest-donor", reason="cm#Z52.011"), [(OWN, "harvest-own-use")]),
    (procedure("cpt#38230", reason="cm#Z00.5"), NONE),
    (procedure("cpt#38230", reason="cm#Z52.3"), NONE),
    (procedure("cpt#38232", reason="cm#Z52.001"), NONE),
    (procedure("cpt#38230", reason="cm#Z52.011", day="2011-05-05"), NONE),  # then 38230 was for either
    (procedure("cpt#38230", "ops#5-410.00"), [(OPS, "5-410.01")]),
    (procedure("cpt#38232", "ops#5-410.01"), [(OPS, "5-410.00")]),
    (procedure("cpt#38230", "ops#5-410.01"), NONE),
    (procedure("cpt#38230", "pcs#07DR3ZX"), NONE),  # a biopsy: confused, and who knows with what
    (procedure("cpt#38230", "pcs#07DR3ZZ"), NONE),
]


@pytest.mark.parametrize(("record", "wanted"), RECORDS)
def test_a_record_leads_to_what_was_probably_meant(judge: Judge, record: Any, wanted: list[tuple[str, str]]) -> None:
    assert suggested(judge.judge(judge.read(record, "R4"))) == wanted


@pytest.mark.parametrize(
    ("row", "label"),
    [
        ((OID, "38232"), OWN_LABEL),
        ((PCS, "38230"), DONOR_LABEL),
        ((CPT, "38232", None, None, "2011-06-01"), BOTH_LABEL),
        ((PCS, "07DR3ZZ", None, "Something else"), "Extraction of Iliac Bone Marrow, Percutaneous Approach"),
        ((CPT, "07DR3ZZ"), "Extraction of Iliac Bone Marrow, Percutaneous Approach"),
    ],
    ids=str,
)
def test_a_suggestion_has_the_label_of_its_day(judge: Judge, row: Any, label: str) -> None:
    found = [each.issue.suggestion for each in judge.judge(judge.row(*row)).findings]
    assert [each.display for each in found if each] == [label]


def test_what_replaced_a_deleted_code_is_suggested_where_the_content_says_so() -> None:
    """As a loaded ICD-10-PCS would say it: 30230G1 went, and the content names what came."""
    successor = "https://flask-fhir-terminology.org/fhir/concept-properties#replaced-by"
    code_system = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/procedures",
        "version": "1",
        "status": "active",
        "content": "complete",
        "caseSensitive": True,
        "property": [
            {"code": "valid-to", "uri": successor.replace("replaced-by", "valid-to"), "type": "dateTime"},
            {"code": "replaced-by", "uri": successor, "type": "code"},
        ],
        "concept": [
            {
                "code": "30230G1",
                "property": [
                    {"code": "valid-to", "valueDateTime": "2019-09-30"},
                    {"code": "replaced-by", "valueCode": "30233G1"},
                ],
            },
            {"code": "30233G1", "display": "By the skin"},
        ],
    }
    judge = Terminology(content=[code_system]).judge(fhir="R5")
    judgement = judge.judge(judge.row("http://example.org/procedures", "30230G1", date="2020-01-01"))
    assert judgement.verdict == "wrong"
    assert [each.issue.suggestion for each in judgement.findings if each.issue.suggestion] == [
        Coding("http://example.org/procedures", "30233G1", display="By the skin")
    ]


def test_a_value_set_of_one_code_leads_to_it() -> None:
    judge = Terminology().judge(
        value_set="https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest-own-use"
    )
    judgement = judge.judge(judge.read({**procedure(day="2020-01-01"), "code": concept("cpt#38230")}, "R4"))
    assert suggested(judgement) == [(CPT, "38232")]
