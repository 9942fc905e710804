"""What an operation is: all that route, CLI verb, CapabilityStatement, documentation and authorization need to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from terminology.frozen import dataclass
from terminology.model import FhirVersion, Json

Level = Literal["system", "type", "instance"]
BOTH: tuple[FhirVersion, ...] = ("R4", "R5")


Engine = Callable[[Any], Json]
"""Answers what is given (``parameters.Given``) in full."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation.

    ``type`` is a FHIR type (``code``, ``uri``, ``Coding``, ``resource``, …); ``versions`` are the FHIR versions whose
    definition has it, empty for those of the terminology ecosystem. ``ignored`` gives the reason where the
    parameter is known and deliberately without effect. Every endpoint accepts every declared parameter.
    """

    name: str
    type: str
    summary: str
    repeats: bool = False
    versions: tuple[FhirVersion, ...] = BOTH
    ignored: str | None = None
    aliases: tuple[str, ...] = ()
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A coded value, without its system: what differs from request to request. ``concept`` is the CodeableConcept that
    it came in."""

    code: str
    display: str | None = None
    concept: Json | None = None


Ready = Callable[[Value], Json | None]
"""The R5 form of the answer for a coded value; None: ask ``Operation.run``."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation: its definition as data, and the two functions that make it work.

    ``run(request)`` is pure: it returns a frozen outcome or raises Refusal. ``respond(outcome, request)`` turns the
    outcome into the R5 form of the answer, a dict; the wire converts it for R4. ``effect`` is ``writes`` where state is
    kept; ``scope`` names the resource types that a token must be allowed to read; ``cost`` is the class for limits.
    ``setting`` names the one that switches the operation off. ``extends``: it takes more than HL7's definition says, so
    statements name ours. One that is answered ``later`` is a job (``rest.jobs``): its ``run`` says whether its records
    could be judged, and it has no ``respond`` of its own. ``plainly(given, scope, engine)`` is the short way of what is
    most often asked, for who states nothing of the ``scope``: the same answer in R5 form, or None to ask the engine.
    ``ready(request)``, of an operation on one code, tells how the requests are answered that differ from this one in
    their coded value alone, as long as the catalog is the same: what ``run`` and ``respond`` would answer, for less;
    None where that cannot be told. ``verbatim``: a resource in its body is about itself, so it is handed over in the
    FHIR version in which it came.
    """

    name: str
    resource: str | None
    levels: Mapping[FhirVersion, tuple[Level, ...]]
    summary: str
    specification: str
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    run: Callable[[Any], Any]
    respond: Callable[[Any, Any], Json]
    effect: Literal["reads", "writes"] = "reads"
    scope: tuple[str, ...] = ()
    cost: Literal["cheap", "costly"] = "cheap"
    contradictions: tuple[tuple[str, ...], ...] = field(default=())
    setting: str | None = None
    extends: bool = False
    later: bool = False
    plainly: Callable[[Any, Any, Engine], Json | None] | None = None
    verbatim: bool = False
    ready: Callable[[Any], Ready | None] | None = None

    @property
    def asked_by_get(self) -> bool:
        """False where state is kept, or a resource must be sent (https://hl7.org/fhir/R5/operations.html#executing)."""
        sends = any(each.type == "resource" and each.minimum for each in self.inputs)
        return self.effect == "reads" and not sends

    def parameter(self, name: str) -> Parameter | None:
        """The input of that name or alias."""
        return next((p for p in self.inputs if name == p.name or name in p.aliases), None)
