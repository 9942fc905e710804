"""$batch-validate-code: many validations in one call, each answered in its place."""

from __future__ import annotations

from typing import Any

import pytest
from animals import ANIMALS, animals
from engine.asking import VS, call, filtered, value_of, value_set, values_of

from terminology.issues import Refusal

Json = dict[str, Any]
MAMMALS = value_set(filtered("concept", "is-a", "mammal", system=ANIMALS))


def asking(**parameters: Any) -> Json:
    """The Parameters of one validation."""
    kinds = {"coding": "Coding", "codeableConcept": "CodeableConcept"}
    listed = [{"name": name, f"value{kinds.get(name, 'String')}": held} for name, held in parameters.items()]
    return {"resourceType": "Parameters", **({"parameter": listed} if listed else {})}


def summary(answer: Json) -> str | bool:
    """The result of a validation, or the text of its first refusal."""
    if answer["resourceType"] == "OperationOutcome":
        text: str = answer["issue"][0]["details"]["text"]
        return text
    result: bool = value_of(answer, "result")
    return result


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_every_validation_is_answered_in_its_place(fhir: Any):
    entries = [
        asking(system=ANIMALS, code="dog"),
        asking(system=ANIMALS, code="bird"),
        asking(coding={"system": ANIMALS, "code": "cat"}),
        asking(codeableConcept={"coding": [{"system": ANIMALS, "code": "cow"}]}),
        asking(),
        asking(url="http://example.org/nowhere", system=ANIMALS, code="dog"),
    ]
    answer = call("ValueSet/$batch-validate-code", animals(), MAMMALS, fhir=fhir, url=VS, validation=entries)
    results = [summary(each) for each in values_of(answer, "validation")]
    assert results[:4] == [True, False, True, False]
    assert "Unable to find code to validate" in str(results[4])
    assert "http://example.org/nowhere" in str(results[5])


def test_parameters_beside_the_validations_hold_for_all_that_do_not_state_them():
    entries = [
        asking(code="dog", display="Cat"),
        asking(code="dog", display="Cat", **{"lenient-display-validation": "false"}),
    ]
    shared = {"url": ANIMALS, "lenient-display-validation": True}
    answer = call("CodeSystem/$batch-validate-code", animals(), validation=entries, **shared)
    assert [summary(each) for each in values_of(answer, "validation")] == [True, False]


@pytest.mark.parametrize("count", [0, 501])
def test_none_and_too_many_are_refused(count: int):
    with pytest.raises(Refusal, match="validation"):
        call("CodeSystem/$batch-validate-code", animals(), url=ANIMALS, validation=[asking(code="dog")] * count)


def test_a_thing_that_is_no_parameters_is_refused_in_its_place():
    entries = [{"resourceType": "ValueSet"}, asking(code="dog")]
    answer = call("CodeSystem/$batch-validate-code", animals(), url=ANIMALS, validation=entries)
    refused, right = (summary(each) for each in values_of(answer, "validation"))
    assert "Parameters" in str(refused)
    assert right is True
