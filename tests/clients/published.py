"""What every client asks about, and what it must be told: docs/content.md in a form that tests can compare."""

CPT = "http://www.ama-assn.org/go/cpt"
OURS = "https://flask-fhir-terminology.org/fhir"
CONCEPTS = f"{OURS}/CodeSystem/bone-marrow-harvest"
VALUES = f"{OURS}/CodeSystem/bone-marrow-harvest-value"
BOTH = f"{OURS}/ValueSet/bone-marrow-harvest"
OWN_USE = f"{OURS}/ValueSet/bone-marrow-harvest-own-use"
DONOR = f"{OURS}/ValueSet/bone-marrow-harvest-donor"
TO_CONCEPTS = f"{OURS}/ConceptMap/cpt-to-bone-marrow-harvest"

LABELS = {
    "en": "Marrow collection from the patient, to be given back later",
    "es": "Recogida de médula ósea del propio paciente, para devolvérsela después",
    "de": "Knochenmarkentnahme beim Patienten selbst, zur späteren Rückgabe an ihn",
    "fr": "Prélèvement de moelle osseuse chez le patient lui-même, à lui rendre plus tard",
}
"""Our own words for 38232."""
DONOR_LABEL = "Marrow collection from a donor, for another person"

FACTS = {
    "donor-type": ["self"],
    "cell-source": ["bone-marrow"],
    "cell-type": ["haematopoietic-progenitor-cell"],
    "matures-into": ["red-blood-cell", "platelet", "white-blood-cell"],
    "patient-position": ["prone"],
    "anaesthesia": ["general-anaesthesia"],
    "site": ["iliac-crest"],
    "preparation": ["skin-cleansing"],
    "approach": ["percutaneous"],
    "device": ["marrow-needle", "syringe"],
    "technique": ["repeated-puncture", "needle-redirected-in-skin"],
    "laterality": ["other-side-may-follow"],
    "purpose": ["transplantation"],
    "indication": ["certain-cancers", "blood-disorders"],
}
"""The facts about 38232 whose values are Codings of VALUES."""

NOT_A_CODE = "99999"
UNKNOWN_CODE = f"Unknown code '{NOT_A_CODE}' in the CodeSystem '{CPT}' version '2026'"
MAYBE_ELSEWHERE = "the code system is labeled as a fragment, so the code may be valid in some other fragment"
UNKNOWN_ID = "There is no CodeSystem with the id 'nope'"

MEMBERSHIP = [
    (BOTH, "38230", True),
    (BOTH, "38232", True),
    (BOTH, NOT_A_CODE, False),
    (OWN_USE, "38230", False),
    (OWN_USE, "38232", True),
    (DONOR, "38230", True),
    (DONOR, "38232", False),
]
"""Value set, CPT code, and whether it is a member."""


def not_a_member(value_set: str, code: str) -> str:
    """The message that goes with ``result=false``."""
    return f"The provided code '{CPT}#{code}' was not found in the value set '{value_set}|1.0.0'"


def parameters(**given: str) -> dict[str, object]:
    """A Parameters resource; ``code_valueString="38232"`` names the parameter and its type."""
    named = [name.rpartition("_") for name in given]
    entries = [{"name": name, kind: value} for (name, _, kind), value in zip(named, given.values(), strict=True)]
    return {"resourceType": "Parameters", "parameter": entries}


def batch(*requests: tuple[str, str] | tuple[str, str, dict[str, object]]) -> dict[str, object]:
    """A batch Bundle of (method, address) or (method, address, resource)."""
    entries: list[dict[str, object]] = []
    for method, address, *resource in requests:
        entry: dict[str, object] = {"request": {"method": method, "url": address}}
        if resource:
            entry["resource"] = resource[0]
        entries.append(entry)
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}
