"""Assertions for the tests of other projects: what is right passes, everything else says why."""

import json
from typing import Any

import pytest
from fhir.resources.R4B.procedure import Procedure

from terminology import Terminology
from terminology.testing import Assertions, PinnedVersionError, check_versions

CPT = "http://www.ama-assn.org/go/cpt"
OWN_USE = "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest-own-use"


@pytest.fixture(scope="module")
def terminology() -> Terminology:
    return Terminology()


@pytest.fixture(scope="module")
def asserts(terminology: Terminology) -> Assertions:
    return Assertions(terminology)


def procedure(code: str = "38232", day: str = "2024-03-01", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "performedDateTime": day,
        "code": {"coding": [{"system": CPT, "code": code}]},
        **more,
    }


def test_a_right_code_passes_and_gives_what_was_found(asserts: Assertions) -> None:
    assert asserts.valid_code(CPT, "38232").version == "2026"
    assert asserts.valid_code(CPT, "38232", value_set=OWN_USE, date="2012-01-01").result


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"code": "38232", "date": "2011-05-05"}, ["not valid", "valid from 2012-01-01"], id="date"),
        pytest.param(
            {"code": "38230", "value_set": OWN_USE}, ["not valid", "was not found in the value set"], id="set"
        ),
        pytest.param({"code": "99999"}, ["cannot be judged", "fragment"], id="outside the fragment"),
        pytest.param({"system": "http://example.org/none", "code": "1"}, ["could not be found"], id="system"),
        pytest.param({"code": "38232", "value_set": "http://example.org/none"}, ["cannot be judged"], id="no set"),
        pytest.param(
            {"system": "http://hl7.org/fhir/administrative-gender", "code": "female", "display": "Male"},
            ["not valid", "Female"],
            id="display",
        ),
    ],
)
def test_another_code_fails_with_the_verdict_and_the_reasons(
    asserts: Assertions, asked: dict[str, str], said: list[str]
) -> None:
    with pytest.raises(AssertionError) as failed:
        asserts.valid_code(**{"system": CPT, **asked})
    assert [each for each in said if each not in str(failed.value)] == []


def test_a_rightly_coded_procedure_passes_and_gives_what_was_found(asserts: Assertions) -> None:
    found = asserts.coded_procedure(procedure())
    assert found.verdict == "right"
    in_r5 = {"occurrenceDateTime": "2024-03-01", **procedure()}
    del in_r5["performedDateTime"]
    assert asserts.coded_procedure(in_r5, fhir="R5").verdict == "right"


@pytest.mark.parametrize(
    ("resource", "options", "said"),
    [
        pytest.param(
            procedure(day="2011-03-01"), {}, ["wrong", "Procedure.code.coding[0]", "probably meant: 38230"], id="day"
        ),
        pytest.param(procedure("38230"), {"value_set": OWN_USE}, ["wrong", "value set"], id="value set"),
        pytest.param(procedure("99999"), {}, ["cannot be judged"], id="outside the fragment"),
        pytest.param(procedure(), {"date": "2011-03-01"}, ["wrong", "2011-03-01"], id="another day"),
        pytest.param(procedure(), {"profile": "http://example.org/none"}, ["cannot be judged"], id="no profile"),
        pytest.param({"resourceType": "Patient"}, {}, ["Patient cannot be judged"], id="another type"),
    ],
)
def test_another_one_fails_with_the_verdict_and_every_reason(
    asserts: Assertions, resource: dict[str, Any], options: dict[str, str], said: list[str]
) -> None:
    with pytest.raises(AssertionError) as failed:
        asserts.coded_procedure(resource, **options)
    assert [each for each in said if each not in str(failed.value)] == []


def test_a_warning_fails_only_where_it_was_asked_for(asserts: Assertions) -> None:
    """Z00.5 is the examination of somebody who may become a donor, not the reason of a harvest."""
    examined = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "Z00.5"}]}
    warned = procedure(reasonCode=[examined])
    del warned["performedDateTime"]
    assert "warning" in {each.issue.severity for each in asserts.coded_procedure(warned).findings}
    with pytest.raises(AssertionError, match="warning"):
        asserts.coded_procedure(warned, warnings=True)


def test_content_of_the_pinned_versions_passes(terminology: Terminology) -> None:
    check_versions(terminology, [f"{CPT}|2026", f"{OWN_USE}|1.0.0"])


def test_content_of_another_version_is_told_with_every_reason(terminology: Terminology) -> None:
    with pytest.raises(PinnedVersionError) as failed:
        check_versions(terminology, [f"{CPT}|2025", "http://example.org/none|1", "nothing", f"{OWN_USE}|2"])
    lines = str(failed.value).splitlines()
    assert lines[0].startswith(f"{CPT} is pinned to 2025, but 2026 answers (the content has 2011, ")
    assert lines[1:] == [
        "http://example.org/none is pinned to 1, but the content does not have it",
        "'nothing' is no pin. Write url|version, one a line",
        f"{OWN_USE} is pinned to 2, but 1.0.0 answers",
    ]


@pytest.mark.parametrize("resource", [None, '{"resourceType": "Procedure"}', 7, [{}]])
def test_what_is_no_dict_is_told_how_to_become_one(asserts: Assertions, resource: Any) -> None:
    with pytest.raises(TypeError, match="a resource is a dict, as"):
        asserts.coded_procedure(resource)


def test_a_model_of_fhir_resources_is_judged_as_the_message_says(asserts: Assertions) -> None:
    model = Procedure.model_validate(procedure())
    with pytest.raises(TypeError, match="model_dump_json"):
        asserts.coded_procedure(model)
    assert asserts.coded_procedure(json.loads(model.model_dump_json())).verdict == "right"
