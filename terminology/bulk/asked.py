"""What a run of the command line asks: a judge over the content of the settings, made in every process that judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from terminology.bulk.resources import Asking
from terminology.model import FhirVersion
from terminology.procedures.judging import Judge
from terminology.service import State
from terminology.settings import Settings


@dataclass(frozen=True)
class FromSettings:
    """Makes the judge; it pickles, since only its words travel. Raises Refusal for a value set or profile that is not
    here."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    fhir: FhirVersion = "R4"
    value_set: str | None = None
    profile: str | None = None
    date: str | None = None

    def __call__(self) -> Asking:
        scope = State(Settings(**self.settings)).open_scope(self.fhir)
        return Asking(Judge.of(scope, self.value_set, profile=self.profile), self.fhir, self.date)
