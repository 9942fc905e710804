"""What stands against storing a terminology resource: asked by who stores one, and by ``$validate``."""

from __future__ import annotations

from terminology import resources
from terminology.issues import Refusal, issue
from terminology.model import FhirVersion, Issue, Json
from terminology.wire.checks import reasons
from terminology.wire.r4 import from_r4
from terminology.wire.rules import KINDS, broken

__all__ = ["KINDS", "flaws"]

URL_LIMIT = 2048


def flaws(resource: Json, fhir: FhirVersion) -> tuple[Issue, ...]:
    """Every reason for which a CodeSystem, ValueSet, ConceptMap or NamingSystem in the form of a FHIR version cannot be
    stored: its shape and bindings, the rules of its type, and what the engine could not read."""
    kind = resource["resourceType"]
    found = broken(resource, fhir)
    places = {path for path, _ in found}
    found += [each for each in reasons(resource, fhir) if each[0] not in places]
    if found:
        return tuple(issue("OWN_RESOURCE_RULE", path, said, at=path) for path, said in found)
    try:
        form = from_r4(resource) if fhir == "R4" else resource
        resources.layer([{**form, "id": resource.get("id", "new")}])
    except Refusal as refused:
        return refused.issues
    if len(resource.get("url", "")) > URL_LIMIT:
        return (issue("OWN_TOO_LONG", "url", URL_LIMIT, at=f"{kind}.url"),)
    return ()
