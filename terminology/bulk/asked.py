"""What a run of the command line asks: a judge over the content of the settings, made in every process that judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from terminology.bulk.resources import Asking
from terminology.frozen import dataclass
from terminology.model import FhirVersion
from terminology.settings import Settings

if TYPE_CHECKING:
    from terminology.service import State


def _state(settings: Settings) -> State:
    from terminology.service import State  # noqa: PLC0415  not needed to read a table

    return State(settings)


@dataclass(frozen=True)
class FromSettings:
    """Makes the judge; it pickles, since only its words travel. Raises Refusal for a value set or profile that is not
    here, and what ``state`` raises. The engine is imported when it is called: by then a table may be being read."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    fhir: FhirVersion = "R4"
    value_set: str | None = None
    profile: str | None = None
    date: str | None = None
    state: Callable[[Settings], State] = _state

    def __call__(self) -> Asking:
        from terminology.procedures.judging import Judge  # noqa: PLC0415  not needed to read a table

        scope = self.state(Settings(**self.settings)).open_scope(self.fhir)
        return Asking(Judge.of(scope, self.value_set, profile=self.profile), self.fhir, self.date)
