"""Value sets that nobody wrote: all codes of a code system, and those that the form of a url defines."""

from __future__ import annotations

import pytest
from engine.asking import CS, call, code_system, concept, include, scope, value_set

from terminology.issues import NotFound

ALL = "http://example.org/all"
ANIMALS = code_system(concept("animal", concept("dog", "poodle")), "stone", valueSet=ALL, version="1")
OTHER = code_system("unicorn", valueSet=ALL, version="2")


def codes(url: str, *resources, **more) -> list[str]:
    expanded = call("ValueSet/$expand", *(resources or (ANIMALS,)), url=url, excludeNested=True, **more)
    return [each["code"] for each in expanded["expansion"].get("contains", [])]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (ALL, ["animal", "dog", "poodle", "stone"]),
        (f"{CS}?fhir_vs", ["animal", "dog", "poodle", "stone"]),
        (f"{CS}?fhir_vs=isa/dog", ["dog", "poodle"]),
    ],
)
def test_a_code_system_has_value_sets_that_nobody_wrote(url, found):
    assert codes(url) == found
    imported = value_set({"valueSet": [url]})
    assert codes(imported["url"], ANIMALS, imported) == found


def test_the_newest_edition_counts_and_a_version_names_one():
    assert codes(ALL, ANIMALS, OTHER) == ["unicorn"]
    assert codes(ALL, ANIMALS, OTHER, valueSetVersion="1") == ["animal", "dog", "poodle", "stone"]


def test_a_resource_wins_over_what_its_url_would_imply():
    assert codes(ALL, ANIMALS, value_set(include("stone"), url=ALL)) == ["stone"]
    assert scope(value_set(include("stone"), url=ALL), ANIMALS).catalog.value_set(ALL, "3") is None


@pytest.mark.parametrize("url", [f"{CS}/vs", "http://example.org/no?fhir_vs", f"{CS}?fhir_vs=refset/1", f"{CS}?fhir"])
def test_other_forms_are_unknown(url):
    with pytest.raises(NotFound):
        codes(url)


def test_all_codes_of_what_lies_on_a_shelf():
    """The code systems of FHIR itself name value sets; those left out for their copyright are implied."""
    expanded = call(
        "ValueSet/$expand", installed=True, url="http://hl7.org/fhir/administrative-gender?fhir_vs", fhir="R4"
    )
    assert len(expanded["expansion"]["contains"]) == 4
