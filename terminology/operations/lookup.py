"""CodeSystem/$lookup: what is known about a code (https://hl7.org/fhir/R5/codesystem-operation-lookup.html)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from terminology import aliases, suggestions, validity
from terminology.catalog import Scope
from terminology.catalog import names as named_by
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, Unprocessable, issue, missing_supplements, text, versions_list
from terminology.languages import best, names
from terminology.model import (
    CodeSystemProvider,
    Coding,
    Concept,
    Designation,
    Entry,
    Issue,
    Json,
    Miss,
    Property,
    coded,
    displays_of,
    entry_of,
    tree_of,
)
from terminology.operation import Operation, Parameter, Ready, Value
from terminology.operations.shared import SCOPE_PARAMETERS, SUPPLEMENTS, coding_of, inline_code_system
from terminology.request import Request

Described = tuple[Property, str | None]
"""A property, and the display of the code that is its value."""

BASE_PROPERTIES = frozenset(
    (
        "url",
        "name",
        "version",
        "display",
        "definition",
        "designation",
        "parent",
        "child",
        "abstract",
        "inactive",
    )
)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer of $lookup. ``properties`` keep their FHIR value type and the supplement they came from."""

    system: str
    code: str
    display: str
    name: str
    version: str | None = None
    definition: str | None = None
    abstract: bool = False
    content: str = "complete"
    designations: tuple[Designation, ...] = ()
    properties: tuple[Described, ...] = ()
    supplements: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    notes: tuple[Issue, ...] = ()
    """What there is to say of the date and of the name of the system; what forbids an answer is a refusal."""

    def property(self, code: str) -> Any:
        """The value of the first property with that code; None where there is none."""
        return next((held.value for held, _ in self.properties if held.code == code), None)

    def __str__(self) -> str:
        lines = [f"{Coding(self.system, self.code, self.version)} ({self.content}): {self.display}"]
        if self.definition:
            lines.append(f"  {self.definition}")
        for held, described in self.properties:
            value = held.value.get("display") or held.value.get("code") if isinstance(held.value, dict) else held.value
            lines.append(f"  {held.code}: {value}" + (f" ({described})" if described else ""))
        lines += [f"  [{entry.language or '-'}] {entry.value}" for entry in self.designations]
        lines += [f"  {found.severity}: {text(found)}" for found in self.notes]
        return "\n".join(lines)


def run(request: Request) -> Lookup:
    """The Lookup of a request; raises NotFound for an unknown system or code."""
    arguments, scope = request.arguments, request.scope
    coding, told = aliases.settled(_asked(request), scope)
    inline = inline_code_system(request, "codeSystem")
    provider = inline or _provider(coding, scope)
    version = scope.versions.choose(coding.system or "", coding.version).version
    named = inline is not None or request.target is not None or validity.named(version)
    wanted = frozenset(arguments.all("property"))
    found = _entry(provider, coding.code or "", wanted)
    if scope.on and not named and not isinstance(found, Entry):
        touched = ((each, _entry(each, coding.code or "", wanted)) for each in validity.others(provider, scope))
        provider, found = next((each for each in touched if isinstance(each[1], Entry)), (provider, found))
    entry = found if isinstance(found, Entry) else None
    notes = _on_the_day(coding, entry.concept if entry else None, provider, scope, named) if scope.on else ()
    if entry is None:
        raise NotFound(_unknown(coding, provider, scope))
    outcome = _outcome(entry, provider, scope, wanted)
    said = (*notes, *told)
    return replace(outcome, notes=said) if said else outcome


def _asked(request: Request) -> Coding:
    arguments = request.arguments
    coding = (
        coding_of(arguments["coding"])
        if "coding" in arguments
        else Coding(arguments.get("system"), arguments.get("code"), arguments.get("version"))
    )
    if request.target is not None:
        coding = replace(coding, system=request.target.get("url"), version=request.target.get("version"))
    if not coding.code or not (coding.system or "codeSystem" in arguments):
        missing = "code" if not coding.code else "system"
        raise Invalid(issue("OWN_NO_CODE_TO_LOOK_UP", at=missing))
    return coding


def _provider(coding: Coding, scope: Scope) -> CodeSystemProvider:
    url = coding.system or ""
    version = scope.versions.choose(url, coding.version).version
    provider = scope.provider(url, version)
    if provider is not None:
        _refuse_supplements(provider, scope)
        return provider
    known = scope.catalog.versions_of(url)
    if known and version:
        said = issue("OWN_LOOKUP_UNKNOWN_VERSION", url, version, versions_list(known), at="version")
    else:
        hint = suggestions.unknown_system(coding, scope)
        said = issue("OWN_LOOKUP_UNKNOWN_SYSTEM", url, at="system")
        said = replace(said, diagnostics=hint[0], suggestion=hint[1]) if hint else said
    raise NotFound(said)


def _refuse_supplements(provider: CodeSystemProvider, scope: Scope) -> None:
    if not scope.supplements:
        return
    applied = scope.applying(provider)
    missing = [w for w in scope.supplements if not any(named_by([w], s.info.canonical) for s in applied)]
    if missing:
        raise NotFound(missing_supplements(missing, at="useSupplement"))


def _unknown(coding: Coding, provider: CodeSystemProvider, scope: Scope) -> Any:
    info = provider.info
    said = issue("OWN_LOOKUP_UNKNOWN_CODE", coding.code, info.canonical.url, info.canonical.version or "", at="code")
    hint = suggestions.unknown_code(coding, provider, scope)
    return replace(said, diagnostics=hint[0], suggestion=hint[1]) if hint else said


def _on_the_day(
    coding: Coding, concept: Concept | None, provider: CodeSystemProvider, scope: Scope, named: bool
) -> tuple[Issue, ...]:
    """What there is to say of the date; raises Unprocessable where the code was not valid or cannot be judged. A client
    that does not know a warning of ours would read an answer of today as one of that day."""
    said = validity.stand_of(coding, concept, provider, scope, named=named).issues
    errors = [found.at("date") for found in said if found.severity == "error"]
    if errors:
        raise Unprocessable(*errors)
    return said


def _entry(provider: CodeSystemProvider, code: str, wanted: frozenset[str]) -> Entry | Miss:
    """What is known of a code; children, who may be thousands, are read where they are wanted."""
    if not wanted or wanted & {"*", "child"}:
        return entry_of(provider, code)
    found = provider.find(code)
    if not isinstance(found, Concept):
        return found
    return Entry(found, (), displays_of(provider, (*found.parents, *coded(found))))


def _outcome(entry: Entry, provider: CodeSystemProvider, scope: Scope, wanted: frozenset[str]) -> Lookup:
    info, found = provider.info, entry.concept
    everything = not wanted or "*" in wanted
    candidates = names(found, info.language)
    languages = scope.languages or scope.reader
    chosen = best(candidates, languages)
    properties = tuple(_properties(entry, provider, wanted, everything))
    shown = candidates if everything or "designation" in wanted else ()
    return Lookup(
        system=info.canonical.url,
        code=found.code,
        display=chosen.value if chosen else found.code,
        name=info.name or info.title or info.canonical.url,
        version=info.canonical.version,
        definition=found.definition,
        abstract=found.abstract,
        content=info.content,
        designations=shown,
        properties=properties,
        supplements=_contributing(provider, scope, properties, candidates),
        fields=wanted,
    )


def _contributing(
    provider: CodeSystemProvider, scope: Scope, properties: Iterable[Described], names: Iterable[Designation]
) -> tuple[str, ...]:
    """The supplements to report: those whose content is shown, and those that were named."""
    base: CodeSystemProvider = getattr(provider, "base", provider)
    if base is provider and not scope.supplements:
        return ()
    sources = {held.source for held, _ in properties} | {each.source for each in names}
    applied = (supplement.info.canonical for supplement in scope.applying(base))
    return tuple(str(each) for each in applied if str(each) in sources or named_by(scope.supplements, each))


def _properties(
    entry: Entry, provider: CodeSystemProvider, wanted: frozenset[str], everything: bool
) -> Iterator[Described]:
    """The properties to answer, each with a description where its value is a code of the system."""
    found, displays = entry.concept, entry.displays
    if everything or "inactive" in wanted:
        yield Property("inactive", "Boolean", found.inactive), None
    if tree_of(provider):
        for code, related in (("parent", found.parents), ("child", entry.children)):
            if everything or code in wanted:
                for other in related:
                    yield Property(code, "Code", other), displays[other]
    for held in found.properties:
        if held.code in ("parent", "child", "inactive"):
            continue
        if everything or held.code in wanted:
            yield held, displays[held.value] if held.type == "Code" else None
    if provider.info.copyright and (everything or "copyright" in wanted):
        yield Property("copyright", "String", provider.info.copyright), None


# --- the answer -----------------------------------------------------------------------------------------------


def respond(outcome: Lookup, request: Request) -> Json:
    """Parameters, with the part names that R4 and R5 share; what only R5 defines is accepted in R4 too."""
    defined = not outcome.fields or not outcome.fields.isdisjoint(("*", "definition"))
    said: list[Json] = [{"name": "name", "valueString": outcome.name}]
    if outcome.version is not None:
        said.append({"name": "version", "valueString": outcome.version})
    said.append({"name": "code", "valueCode": outcome.code})
    said.append({"name": "system", "valueUri": outcome.system})
    said.append({"name": "display", "valueString": outcome.display})
    if defined and outcome.definition is not None:
        said.append({"name": "definition", "valueString": outcome.definition})
    said.append({"name": "abstract", "valueBoolean": outcome.abstract})
    said += [_designation(entry) for entry in outcome.designations]
    said += [_property(held, described) for held, described in outcome.properties if held.value is not None]
    said += [{"name": "used-supplement", "valueCanonical": source} for source in outcome.supplements]
    if outcome.notes:
        said.append({"name": "diagnostics", "valueString": "; ".join(map(_note, outcome.notes))})
    return {"resourceType": "Parameters", "parameter": said}


def _note(found: Issue) -> str:
    return f"{found.severity}: {text(found)}"


def _designation(entry: Designation) -> Json:
    parts: list[Json] = []
    if entry.language is not None:
        parts.append({"name": "language", "valueCode": entry.language})
    if entry.use:
        parts.append({"name": "use", "valueCoding": dict(entry.use)})
    parts += [{"name": "additionalUse", "valueCoding": use} for use in entry.additional_use]
    parts.append({"name": "value", "valueString": entry.value})
    if entry.source is not None:
        parts.append({"name": "source", "valueCanonical": entry.source})
    return {"name": "designation", "part": parts}


def _property(held: Property, described: str | None) -> Json:
    parts: list[Json] = [{"name": "code", "valueCode": held.code}, {"name": "value", f"value{held.type}": held.value}]
    if described is not None:
        parts.append({"name": "description", "valueString": described})
    if held.source is not None:
        parts.append({"name": "source", "valueCanonical": held.source})
    return {"name": "property", "part": parts}


def ready(request: Request) -> Ready | None:
    """The code system is settled; a code that it does not have is refused by ``run``."""
    arguments, scope = request.arguments, request.scope
    if not arguments.keys() <= _READY or "system" not in arguments:
        return None
    coding, told = aliases.settled(Coding(arguments["system"], None, arguments.get("version")), scope)
    if told:
        return None
    provider = _provider(coding, scope)
    wanted = frozenset(arguments.all("property"))

    def answer(value: Value) -> Json | None:
        entry = _entry(provider, value.code, wanted)
        return respond(_outcome(entry, provider, scope, wanted), request) if isinstance(entry, Entry) else None

    return answer


_READY = frozenset(("code", "system", "version", "property", "displayLanguage"))

LOOKUP = Operation(
    name="lookup",
    resource="CodeSystem",
    levels={"R4": ("type",), "R5": ("type", "instance")},
    summary="What is known about a code: display, definition, designations, properties.",
    specification="http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup",
    inputs=(
        Parameter("code", "code", "The code to look up; system goes with it."),
        Parameter("system", "uri", "The code system of the code."),
        Parameter("version", "string", "The version of the code system; without it the latest one answers."),
        Parameter("coding", "Coding", "The code as a Coding, in place of code and system."),
        Parameter("date", "dateTime", "The day that the definitions must be in force on."),
        Parameter("displayLanguage", "code", "The language of the display.", aliases=("language",)),
        Parameter("property", "code", "Only these properties; '*' for all. May repeat.", repeats=True),
        Parameter("codeSystem", "resource", "A CodeSystem to look into, in place of system.", versions=()),
        SUPPLEMENTS,
        *SCOPE_PARAMETERS,
    ),
    outputs=(
        Parameter("name", "string", "Name of the code system."),
        Parameter("version", "string", "The version that answered."),
        Parameter("display", "string", "The display, in the wanted language where there is one."),
        Parameter("definition", "string", "The definition.", versions=("R5",)),
        Parameter("designation", "part", "Further names: language, use, value, source.", repeats=True),
        Parameter("property", "part", "Properties: code, value, description, source.", repeats=True),
        Parameter("code", "code", "The code, as the code system writes it.", versions=()),
        Parameter("system", "uri", "The code system.", versions=()),
        Parameter("abstract", "boolean", "Whether the concept is abstract.", versions=()),
        Parameter("used-supplement", "canonical", "Supplements that contributed.", repeats=True, versions=()),
        Parameter("diagnostics", "string", "What to know of the date and of the name of the system.", versions=()),
    ),
    run=run,
    respond=respond,
    scope=("CodeSystem",),
    ready=ready,
    contradictions=(("code", "coding"), ("system", "coding"), ("system", "codeSystem")),
)
