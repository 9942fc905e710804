"""Where a resource has its codes: one table of resource type, FHIR version and coded elements.

Elements with a required binding (a status) are no matter of code systems: ``flaws`` looks at them. Sources: the
definitions of each type in https://hl7.org/fhir/R4 and https://hl7.org/fhir/R5. A new element is one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from terminology.frozen import dataclass
from terminology.model import FhirVersion

Shape = Literal["CodeableConcept", "CodeableReference", "Coding", "Reference"]
"""``Reference``: the code of a contained resource that is referred to."""


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded element: its ``path`` below the resource (lists on the way get their index), the ``role`` that rules
    know it by. ``main``: the code that the record is about, so a requested value set is meant for it. ``needed``: a
    record without it says nothing, whatever the specification's minimum is."""

    path: str
    role: str
    shape: Shape = "CodeableConcept"
    main: bool = False
    needed: bool = False
    only: FhirVersion | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self.path.split("."))


_R4: FhirVersion = "R4"
_R5: FhirVersion = "R5"

_PROCEDURE = (
    Coded("code", "procedure", main=True, needed=True),
    Coded("category", "category"),
    Coded("reasonCode", "reason", only=_R4),
    Coded("reasonReference", "reason", "Reference", only=_R4),
    Coded("reason", "reason", "CodeableReference", only=_R5),
    Coded("bodySite", "site"),
    Coded("outcome", "outcome"),
    Coded("complication", "complication", only=_R4),
    Coded("complication", "complication", "CodeableReference", only=_R5),
    Coded("followUp", "follow-up"),
    Coded("usedCode", "device", only=_R4),
    Coded("used", "device", "CodeableReference", only=_R5),
    Coded("statusReason", "status-reason"),
)
_SERVICE_REQUEST = (
    Coded("code", "procedure", main=True, needed=True, only=_R4),
    Coded("code", "procedure", "CodeableReference", main=True, needed=True, only=_R5),
    Coded("category", "category"),
    Coded("orderDetail", "detail", only=_R4),
    Coded("reasonCode", "reason", only=_R4),
    Coded("reasonReference", "reason", "Reference", only=_R4),
    Coded("reason", "reason", "CodeableReference", only=_R5),
    Coded("asNeededCodeableConcept", "reason"),
    Coded("bodySite", "site"),
    Coded("performerType", "performer"),
    Coded("locationCode", "location", only=_R4),
    Coded("location", "location", "CodeableReference", only=_R5),
)
_ITEM = (
    Coded("item.productOrService", "procedure", main=True, needed=True),
    Coded("item.productOrServiceEnd", "procedure", main=True, only=_R5),
    Coded("item.modifier", "modifier"),
    Coded("item.revenue", "revenue"),
    Coded("item.category", "category"),
    Coded("item.programCode", "program"),
    Coded("item.bodySite", "site", only=_R4),
    Coded("item.subSite", "site", only=_R4),
    Coded("item.bodySite.site", "site", "CodeableReference", only=_R5),
    Coded("item.detail.productOrService", "procedure", main=True),
    Coded("item.detail.modifier", "modifier"),
    Coded("item.detail.subDetail.productOrService", "procedure", main=True),
    Coded("item.detail.subDetail.modifier", "modifier"),
)
_CLAIM = (
    *_ITEM,
    Coded("procedure.procedureCodeableConcept", "procedure", main=True),
    Coded("diagnosis.diagnosisCodeableConcept", "diagnosis"),
    Coded("diagnosis.type", "diagnosis-type"),
    Coded("type", "type"),
    Coded("subType", "type"),
)
_ADDED = (
    Coded("addItem.productOrService", "procedure", main=True),
    Coded("addItem.productOrServiceEnd", "procedure", main=True, only=_R5),
    Coded("addItem.modifier", "modifier"),
    Coded("addItem.detail.productOrService", "procedure", main=True),
    Coded("addItem.detail.subDetail.productOrService", "procedure", main=True),
)
_CONDITION = (
    Coded("code", "diagnosis", main=True, needed=True),
    Coded("category", "category"),
    Coded("severity", "severity"),
    Coded("bodySite", "site"),
    Coded("evidence.code", "evidence", only=_R4),
    Coded("evidence", "evidence", "CodeableReference", only=_R5),
    Coded("stage.summary", "stage"),
    Coded("stage.type", "stage"),
)
_OBSERVATION = (
    Coded("code", "observation", main=True, needed=True),
    Coded("valueCodeableConcept", "value"),
    Coded("category", "category"),
    Coded("dataAbsentReason", "absent-reason"),
    Coded("interpretation", "interpretation"),
    Coded("bodySite", "site"),
    Coded("method", "method"),
    Coded("component.code", "observation"),
    Coded("component.valueCodeableConcept", "value"),
    Coded("component.dataAbsentReason", "absent-reason"),
    Coded("component.interpretation", "interpretation"),
)
_ENCOUNTER = (
    Coded("type", "procedure", main=True),
    Coded("class", "class", "Coding", only=_R4),
    Coded("class", "class", only=_R5),
    Coded("serviceType", "service", only=_R4),
    Coded("serviceType", "service", "CodeableReference", only=_R5),
    Coded("priority", "priority"),
    Coded("reasonCode", "reason", only=_R4),
    Coded("reasonReference", "reason", "Reference", only=_R4),
    Coded("reason.value", "reason", "CodeableReference", only=_R5),
    Coded("diagnosis.condition", "diagnosis", "Reference", only=_R4),
    Coded("diagnosis.condition", "diagnosis", "CodeableReference", only=_R5),
    Coded("diagnosis.use", "diagnosis-type"),
)

ELEMENTS: Mapping[str, tuple[Coded, ...]] = {
    "Procedure": _PROCEDURE,
    "ServiceRequest": _SERVICE_REQUEST,
    "Claim": _CLAIM,
    "ExplanationOfBenefit": (*_CLAIM, *_ADDED),
    "Condition": _CONDITION,
    "Observation": _OBSERVATION,
    "Encounter": _ENCOUNTER,
}
KINDS = tuple(ELEMENTS)
"""The resource types that can be judged."""


@cache
def coded(kind: str, fhir: FhirVersion) -> tuple[tuple[Coded, tuple[str, ...]], ...]:
    """The coded elements of a type in a version of FHIR, each with the steps to it."""
    return tuple((each, each.steps) for each in ELEMENTS[kind] if each.only in (None, fhir))
