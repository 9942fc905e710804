"""Records made in a line: codes by short names, and the resources that carry them."""

from typing import Any

CPT = "http://www.ama-assn.org/go/cpt"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
OWN = "https://flask-fhir-terminology.org/fhir/CodeSystem/bone-marrow-harvest"
OID = "urn:oid:2.16.840.1.113883.6.12"
PCS_OID = "urn:oid:2.16.840.1.113883.6.4"
PCS_OLD = "http://terminology.hl7.org/CodeSystem/icd10PCS"
SHORT = {"cpt": CPT, "pcs": PCS, "cm": CM, "icd9": ICD_9, "ops": OPS, "sct": SNOMED, "loinc": LOINC, "own": OWN}

Json = dict[str, Any]


def coding(written: str) -> Json:
    """``cpt#38232`` or ``cpt#38232 "display"``; an unknown short name is a url."""
    head, quote, display = written.partition(' "')
    system, _, code = head.partition("#")
    made = {"system": SHORT.get(system, system), "code": code}
    return {**made, "display": display.removesuffix('"')} if quote else made


def concept(*written: str) -> Json:
    return {"coding": [coding(each) for each in written]}


def procedure(*codes: str, day: str | None = None, reason: str | None = None, **more: Any) -> Json:
    """An R4 Procedure."""
    made: Json = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/example"},
        "code": concept(*codes),
    }
    if day:
        made["performedDateTime"] = day
    if reason:
        made["reasonCode"] = [concept(reason)]
    return {**made, **more}
