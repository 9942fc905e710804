"""CodeSystem/$subsumes: how two codes relate (https://hl7.org/fhir/R5/codesystem-operation-subsumes.html)."""

from __future__ import annotations

from dataclasses import replace

from terminology import aliases, suggestions
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, NotSupported, Unprocessable, issue, text, versions_list
from terminology.model import CodeSystemProvider, Coding, Concept, Issue, Json, Subsumption
from terminology.operation import Operation, Parameter
from terminology.operations.shared import SCOPE_PARAMETERS, coding_of
from terminology.request import Request
from terminology.wire.values import parameter, parameters


@dataclass(frozen=True, slots=True)
class Subsumed:
    """How ``code_a`` relates to ``code_b`` in one version of one code system."""

    outcome: Subsumption
    system: str
    version: str | None
    content: str
    code_a: str
    code_b: str
    issues: tuple[Issue, ...] = ()

    def __str__(self) -> str:
        return f"{self.code_a} {_WORDS[self.outcome]} {self.code_b} in {Coding(self.system, None, self.version)}"[:-1]


_WORDS = {
    "equivalent": "is equivalent to",
    "subsumes": "subsumes",
    "subsumed-by": "is subsumed by",
    "not-subsumed": "neither subsumes nor is subsumed by",
}


def run(request: Request) -> Subsumed:
    """The relation; raises Refusal for an unknown code, and where it cannot be determined."""
    a, b, told = _pair(request)
    provider = _provider(a, request.scope)
    found = [_known(coding, name, provider, request.scope) for coding, name in ((a, "codeA"), (b, "codeB"))]
    reasons = [entry for entry in found if isinstance(entry, Issue)]
    if reasons:
        raise NotFound(*reasons)
    first, second = (entry.code for entry in found if isinstance(entry, Concept))
    outcome = provider.subsumes(first, second)
    info = provider.info
    if outcome is None:
        raise NotSupported(issue("OWN_SUBSUMPTION_UNDEFINED", info.canonical))
    if outcome == "not-subsumed" and info.content == "fragment" and info.subsumption == "known":
        raise Unprocessable(issue("OWN_SUBSUMPTION_FRAGMENT", info.canonical))
    return Subsumed(outcome, info.canonical.url, info.canonical.version, info.content, first, second, told)


def _pair(request: Request) -> tuple[Coding, Coding, tuple[Issue, ...]]:
    arguments = request.arguments
    system = arguments.get("system")
    version = arguments.get("version")
    if request.target is not None:
        system, version = request.target.get("url"), request.target.get("version")
    if "codingA" in arguments and "codingB" in arguments:
        a, b = coding_of(arguments["codingA"]), coding_of(arguments["codingB"])
        a, b = (replace(c, system=c.system or system, version=c.version or version) for c in (a, b))
    else:
        missing = [name for name in ("codeA", "codeB") if name not in arguments]
        if missing:
            why = "send codeA and codeB with system, or codingA and codingB"
            raise Invalid(*(issue("OWN_MISSING_PARAMETER", name, why, at=name) for name in missing))
        a, b = (Coding(system, arguments[name], version) for name in ("codeA", "codeB"))
    if not a.system or not b.system:
        raise Invalid(issue("OWN_MISSING_PARAMETER", "system", "name the code system of the codes", at="system"))
    (a, told), (b, also) = aliases.settled(a, request.scope), aliases.settled(b, request.scope)
    if a.system != b.system:
        raise Invalid(issue("OWN_SYSTEMS_DIFFER", a.system, b.system, at="codingB"))
    if a.version and b.version and a.version != b.version:
        raise Invalid(issue("OWN_SYSTEMS_DIFFER", f"{a.system}|{a.version}", f"{b.system}|{b.version}", at="codingB"))
    return a, b, tuple(dict.fromkeys((*told, *also)))


def _provider(coding: Coding, scope: Scope) -> CodeSystemProvider:
    url = coding.system or ""
    version = scope.versions.choose(url, coding.version).version
    provider = scope.provider(url, version)
    if provider is not None:
        return provider
    known = scope.catalog.versions_of(url)
    if known:
        raise NotFound(issue("OWN_LOOKUP_UNKNOWN_VERSION", url, version, versions_list(known), at="version"))
    said = issue("OWN_LOOKUP_UNKNOWN_SYSTEM", url, at="system")
    hint = suggestions.unknown_system(coding, scope)
    raise NotFound(replace(said, diagnostics=hint[0], suggestion=hint[1]) if hint else said)


def _known(coding: Coding, name: str, provider: CodeSystemProvider, scope: Scope) -> Concept | Issue:
    found = provider.find(coding.code or "")
    if isinstance(found, Concept):
        return found
    canonical = provider.info.canonical
    said = issue("OWN_LOOKUP_UNKNOWN_CODE", coding.code, canonical.url, canonical.version or "", at=name)
    hint = suggestions.unknown_code(coding, provider, scope)
    return replace(said, diagnostics=hint[0], suggestion=hint[1]) if hint else said


def respond(outcome: Subsumed, request: Request) -> Json:
    """Parameters with the outcome, and where it came from."""
    source = Coding(outcome.system, None, outcome.version)
    told = (f". {text(said, request.scope.reader.primary)}" for said in outcome.issues)
    return parameters(
        (
            parameter("outcome", "Code", outcome.outcome),
            parameter("diagnostics", "String", f"Answered from {str(source)[:-1]} ({outcome.content}){''.join(told)}"),
        )
    )


SUBSUMES = Operation(
    name="subsumes",
    resource="CodeSystem",
    levels={"R4": ("type", "instance"), "R5": ("type", "instance")},
    summary="How two codes of one code system relate.",
    specification="http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes",
    inputs=(
        Parameter("codeA", "code", "The first code."),
        Parameter("codeB", "code", "The second code."),
        Parameter("system", "uri", "The code system of both."),
        Parameter("version", "string", "Its version."),
        Parameter("codingA", "Coding", "The first code as a Coding."),
        Parameter("codingB", "Coding", "The second code as a Coding."),
        *SCOPE_PARAMETERS,
    ),
    outputs=(
        Parameter("outcome", "code", "equivalent, subsumes, subsumed-by or not-subsumed: A seen from B."),
        Parameter("diagnostics", "string", "The system, version and content mode that answered.", versions=()),
    ),
    run=run,
    respond=respond,
    scope=("CodeSystem",),
    contradictions=(("codeA", "codingA"), ("codeB", "codingB")),
)
