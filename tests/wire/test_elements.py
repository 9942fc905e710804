"""The table of elements says what the specification says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from terminology.wire.elements import Fhir, type_of, types

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_is_what_the_script_makes():
    """Nobody edits it by hand, and an update of the models shows."""
    made = subprocess.run([sys.executable, ROOT / "scripts" / "make-elements", "--check"], check=False)
    assert made.returncode == 0


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_every_type_used_is_in_the_table(fhir: Fhir):
    """Every complex type an element can have is a type of the table; any resource is `Resource`."""
    table = types(fhir)
    used = {e.type for elements in table.values() for e in elements.values() if e.type[0].isupper()}
    assert used - {"Resource"} <= table.keys()


def test_the_tables_of_records_are_read_when_one_is_asked_for():
    """Whoever needs XML of terminology alone does not pay for those of records."""
    program = """
from terminology.wire import elements
elements.type_of("R4", "ValueSet")
before = elements._tables.cache_info().currsize
elements.type_of("R4", "Claim.item")
print(before, elements._tables.cache_info().currsize)
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["1", "2"]


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_records_use_types_that_are_in_a_table(fhir: Fhir):
    """Also of the parts of parts: a claim's items have details, these have details again."""
    waiting, seen = ["Claim", "ExplanationOfBenefit", "Observation", "Encounter"], set[str]()
    while waiting:
        name = waiting.pop()
        elements = type_of(fhir, name)
        assert elements, name
        seen.add(name)
        used = {each.type for each in elements.values() if each.type[0].isupper()} - {"Resource"}
        waiting += used - seen
    assert {"Claim.item.detail.subDetail", "Encounter.location", "Money"} <= seen
    assert type_of(fhir, "Nothing") is None


def test_known_differences_between_the_versions_are_in_the_table():
    """R4 is 4.0.1: what 4.3.0 added is not there."""
    r4, r5 = types("R4"), types("R5")
    assert "valueRatioRange" not in r4["Extension"]
    assert "valueRatioRange" in r5["Extension"]
    assert "valueInteger64" not in r4["Parameters.parameter"]
    assert "valueMeta" in r4["Extension"]
    assert not r4["ConceptMap"]["identifier"].many
    assert r5["ConceptMap"]["identifier"].many
    designation = r5["ValueSet.expansion.contains"]["designation"]
    assert designation.type == "ValueSet.compose.include.concept.designation"
