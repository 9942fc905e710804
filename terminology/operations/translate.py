"""ConceptMap/$translate: what a code is called elsewhere.

https://hl7.org/fhir/R5/conceptmap-operation-translate.html and, for the names of R4,
https://hl7.org/fhir/R4/conceptmap-operation-translate.html. Both sets of names are accepted on both endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from terminology import aliases, resources
from terminology.catalog import Scope
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, issue, text
from terminology.model import Canonical, Coding, ConceptMap, Issue, Json, Row, Unmapped
from terminology.operation import Operation, Parameter
from terminology.operations.shared import SCOPE_PARAMETERS, coding_of
from terminology.request import Request
from terminology.versions import matches, order
from terminology.wire.values import parameter, parameters, part

EQUIVALENCE = {
    "related-to": "relatedto",
    "equivalent": "equivalent",
    "source-is-narrower-than-target": "wider",
    "source-is-broader-than-target": "narrower",
    "not-related-to": "disjoint",
}
"""R5 relationship → R4 equivalence, which describes the target (https://hl7.org/fhir/R5/conceptmap.html)."""

REVERSED = {
    "source-is-narrower-than-target": "source-is-broader-than-target",
    "source-is-broader-than-target": "source-is-narrower-than-target",
}


@dataclass(frozen=True, slots=True)
class Match:
    """One translation: the coding, how it relates to what was asked, and the map it came from. For a reverse
    translation ``source`` is the row's source concept."""

    concept: Coding | None
    relationship: str
    origin: Canonical
    source: Coding | None = None
    products: tuple[Json, ...] = ()
    depends_on: tuple[Json, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """The answer of $translate: ``result`` is true when something else than a denial was found."""

    asked: tuple[Coding, ...]
    matches: tuple[Match, ...] = ()
    issues: tuple[Issue, ...] = ()

    @property
    def result(self) -> bool:
        return any(match.relationship != "not-related-to" for match in self.matches)

    def __str__(self) -> str:
        asked = ", ".join(map(str, self.asked))
        if not self.matches:
            return f"{asked}: " + "; ".join(text(found) for found in self.issues)
        lines = [f"{asked}:"]
        for match in self.matches:
            said = f" ({match.comment})" if match.comment else ""
            lines.append(f"  {match.relationship}: {match.concept or 'nothing'} [{match.origin}]{said}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Asked:
    codings: tuple[Coding, ...]
    reverse: bool
    by_target: bool
    other_system: str | None
    source_scope: str | None
    target_scope: str | None
    dependencies: tuple[Json, ...]


def run(request: Request) -> Translation:
    """The translations; raises Refusal for an unknown map or where nothing was asked."""
    asked, told = _settled(_asked(request), request.scope)
    maps = _maps(request, asked)
    found: list[Match] = []
    for held in maps:
        for coding in asked.codings:
            found += [m for m in _translated(held, coding, asked, request.scope, ()) if m not in found]
    issues = () if found else (issue("OWN_NO_TRANSLATION", ", ".join(map(str, asked.codings))),)
    return Translation(asked.codings, tuple(found), (*issues, *told))


def _settled(asked: _Asked, scope: Scope) -> tuple[_Asked, tuple[Issue, ...]]:
    """What is asked with the urls of the code systems, and what to tell of other names that were sent."""
    named = [aliases.settled(coding, scope) for coding in asked.codings]
    other, also = aliases.settled(Coding(asked.other_system), scope)
    told = dict.fromkeys(said for found in (*(found for _, found in named), also) for said in found)
    codings = tuple(coding for coding, _ in named)
    return replace(asked, codings=codings, other_system=other.system), tuple(told)


def _asked(request: Request) -> _Asked:
    arguments = request.arguments
    forward, r4_reverse = _forward(request), arguments.flag("reverse")
    backward = _backward(request)
    if backward and not forward:
        codings, reverse, other = backward, True, arguments.get("sourceSystem") or arguments.get("system")
    else:
        codings, reverse, other = forward, r4_reverse, arguments.get("targetSystem")
    if not codings:
        why = "send sourceCode with system, sourceCoding, sourceCodeableConcept, or targetCode to go back"
        raise Invalid(issue("OWN_MISSING_PARAMETER", "sourceCode", why, at="sourceCode"))
    for coding in codings:
        if not coding.system or not coding.code:
            missing = "system" if coding.code else "code"
            raise Invalid(issue("OWN_MISSING_PARAMETER", missing, "a code and its system belong together", at=missing))
    return _Asked(
        codings,
        reverse,
        bool(backward and not forward),
        other,
        arguments.get("sourceScope"),
        arguments.get("targetScope"),
        arguments.all("dependency"),
    )


def _forward(request: Request) -> tuple[Coding, ...]:
    arguments = request.arguments
    if "sourceCodeableConcept" in arguments:
        return tuple(coding_of(entry) for entry in arguments["sourceCodeableConcept"].get("coding", []))
    if "sourceCoding" in arguments:
        return (coding_of(arguments["sourceCoding"]),)
    if "sourceCode" in arguments:
        system = arguments.get("system") or arguments.get("sourceSystem")
        return (Coding(system, arguments["sourceCode"], arguments.get("version")),)
    return ()


def _backward(request: Request) -> tuple[Coding, ...]:
    arguments = request.arguments
    if "targetCodeableConcept" in arguments:
        return tuple(coding_of(entry) for entry in arguments["targetCodeableConcept"].get("coding", []))
    if "targetCoding" in arguments:
        return (coding_of(arguments["targetCoding"]),)
    if "targetCode" in arguments:
        return (Coding(arguments.get("targetSystem"), arguments["targetCode"]),)
    return ()


def _maps(request: Request, asked: _Asked) -> Sequence[ConceptMap]:
    arguments, scope = request.arguments, request.scope
    if request.target is not None:
        return (resources.concept_map(request.target),)
    if "conceptMap" in arguments:
        stated = arguments["conceptMap"]
        if not isinstance(stated, dict) or stated.get("resourceType") != "ConceptMap":
            raise Invalid(
                issue("OWN_WRONG_TYPE", "conceptMap", "a ConceptMap resource", "something else", at="conceptMap")
            )
        return (resources.concept_map(stated),)
    if "url" in arguments:
        canonical = Canonical.parse(arguments["url"])
        version = arguments.get("conceptMapVersion") or canonical.version
        found = scope.catalog.concept_map(canonical.url, version)
        if found is None:
            raise NotFound(issue("OWN_UNKNOWN_MAP", Canonical(canonical.url, version), at="url"))
        return (found,)
    return [held for held in _newest(scope.catalog.maps()) if _suits(held, asked)]


def _newest(maps: Sequence[ConceptMap]) -> list[ConceptMap]:
    kept: dict[str, ConceptMap] = {}
    for held in maps:
        url = held.canonical.url
        if url not in kept or order(held.canonical.version) > order(kept[url].canonical.version):
            kept[url] = held
    return list(kept.values())


def _suits(held: ConceptMap, asked: _Asked) -> bool:
    """A map is of use where its scopes, if they were named, are those that were named."""
    for wanted, stated in ((asked.source_scope, held.source_scope), (asked.target_scope, held.target_scope)):
        if wanted and (stated is None or Canonical.parse(wanted).url != stated.url):
            return False
    return True


# --- rows -----------------------------------------------------------------------------------------------------


def _translated(
    held: ConceptMap, coding: Coding, asked: _Asked, scope: Scope, path: tuple[str, ...]
) -> Iterator[Match]:
    rows = [row for row in held.rows if _about(row, coding, asked, scope)]
    for row in rows:
        yield _match(row, held, asked)
    if not rows and not asked.reverse:
        yield from _unmapped(held, coding, asked, scope, path)


def _about(row: Row, coding: Coding, asked: _Asked, scope: Scope) -> bool:
    here, there = (row.target, row.source) if asked.reverse else (row.source, row.target)
    if here is None or here.code != coding.code or not aliases.same(here.system, coding.system, scope):
        return False
    if coding.version and here.version and not matches(here.version, coding.version):
        return False
    if asked.other_system and there is not None and not aliases.same(there.system, asked.other_system, scope):
        return False
    return _depends(row, asked.dependencies)


def _depends(row: Row, given: Sequence[Any]) -> bool:
    """True when everything the row depends on was given with the same value, or nothing was given."""
    if not row.depends_on or not given:
        return True
    stated = dict(map(_parts, given))
    return all(stated.get(str(_attribute(need))) == _value(need) for need in row.depends_on)


def _parts(entry: Any) -> tuple[str, Any]:
    """A ``dependency`` parameter, whose parts are a list: attribute and value."""
    pieces = [piece for piece in entry if isinstance(piece, dict)] if isinstance(entry, list) else []
    held = {
        "attribute" if piece.get("name") in ("attribute", "element") else "value": _value(piece) for piece in pieces
    }
    return str(held.get("attribute")), held.get("value")


def _attribute(entry: Json) -> Any:
    return entry.get("attribute") or entry.get("property") or entry.get("element")


def _value(entry: Json) -> Any:
    value = next((v for k, v in entry.items() if k.startswith("value")), None)
    return value.get("code") if isinstance(value, dict) else value


def _match(row: Row, held: ConceptMap, asked: _Asked) -> Match:
    """A row as an answer. Who names a target gets the row as it stands; R4's ``reverse`` turns it around."""
    if asked.by_target:
        return Match(row.target, row.relationship, held.canonical, row.source, comment=row.comment)
    if asked.reverse:
        relationship = REVERSED.get(row.relationship, row.relationship)
        return Match(row.source, relationship, held.canonical, comment=row.comment)
    return Match(row.target, row.relationship, held.canonical, None, row.products, row.depends_on, row.comment)


def _unmapped(held: ConceptMap, coding: Coding, asked: _Asked, scope: Scope, path: tuple[str, ...]) -> Iterator[Match]:
    """What the map says about codes that it has no row for (``ConceptMap.group.unmapped``)."""
    for stated in held.unmapped:
        if stated.source_system and not aliases.same(stated.source_system, coding.system, scope):
            continue
        if (
            asked.other_system
            and stated.target_system
            and not aliases.same(stated.target_system, asked.other_system, scope)
        ):
            continue
        if stated.mode == "other-map":
            yield from _other_map(stated, coding, asked, scope, (*path, str(held.canonical)))
        elif stated.mode in ("provided", "use-source-code"):
            same = Coding(stated.target_system or coding.system, coding.code)
            yield Match(same, stated.relationship or "equivalent", held.canonical)
        elif stated.mode == "fixed":
            fixed = Coding(stated.target_system, stated.code, display=stated.display)
            yield Match(fixed, stated.relationship or "related-to", held.canonical)


def _other_map(stated: Unmapped, coding: Coding, asked: _Asked, scope: Scope, path: tuple[str, ...]) -> Iterator[Match]:
    if stated.other_map is None or str(stated.other_map) in path:
        return
    other = scope.catalog.concept_map(stated.other_map.url, stated.other_map.version)
    if other is not None and str(other.canonical) not in path:
        yield from _translated(other, coding, asked, scope, path)


# --- the answer -----------------------------------------------------------------------------------------------


R4_NAMES = frozenset(("code", "coding", "codeableConcept", "source", "target", "targetsystem", "reverse"))


def respond(outcome: Translation, request: Request) -> Json:
    """Parameters. R4 says ``equivalence``, R5 ``relationship``; the map is called ``source`` to a client of R4 that
    asks in R4's words, ``originMap`` to all others."""
    old = request.scope.fhir == "R4"
    speaks_r4 = old and any(given.name in R4_NAMES for given in request.arguments.given)
    message = "; ".join(text(found, request.scope.reader.primary) for found in outcome.issues)
    return parameters(
        (
            parameter("result", "Boolean", outcome.result),
            parameter("message", "String", message or None),
            *(_answer(match, old, speaks_r4) for match in outcome.matches),
        )
    )


def _answer(match: Match, old: bool, speaks_r4: bool) -> Json:
    origin = str(match.origin)
    return part(
        "match",
        (
            parameter("equivalence", "Code", _equivalence(match))
            if old
            else parameter("relationship", "Code", match.relationship),
            parameter("concept", "Coding", match.concept.as_json()) if match.concept else None,
            *(part("product", _product(entry)) for entry in match.products),
            *(part("dependsOn", _product(entry)) for entry in match.depends_on if not old),
            parameter("source", "Coding", match.source.as_json()) if match.source else None,
            parameter("source", "Uri", origin) if speaks_r4 else parameter("originMap", "Canonical", origin),
        ),
    )


def _equivalence(match: Match) -> str:
    return EQUIVALENCE.get(match.relationship, match.relationship) if match.concept else "unmatched"


def _product(entry: Json) -> Iterator[Json | None]:
    yield parameter("attribute", "Uri", _attribute(entry))
    for key, value in entry.items():
        if key.startswith("value"):
            yield parameter("value", key[5:], value)


TRANSLATE = Operation(
    name="translate",
    resource="ConceptMap",
    levels={"R4": ("type", "instance"), "R5": ("type", "instance")},
    summary="What a code is called in another code system.",
    specification="http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
    inputs=(
        Parameter("url", "uri", "The map to use; without it all maps are asked."),
        Parameter("conceptMap", "resource", "A ConceptMap to use, in place of url."),
        Parameter("conceptMapVersion", "string", "The version of the map."),
        Parameter("sourceCode", "code", "The code to translate (R4: code).", aliases=("code",)),
        Parameter("system", "uri", "The code system of the code."),
        Parameter(
            "sourceSystem",
            "uri",
            "Another spelling of system; for a reverse translation the wanted system.",
            versions=(),
        ),
        Parameter("version", "string", "The version of the code system."),
        Parameter("sourceCoding", "Coding", "The code as a Coding (R4: coding).", aliases=("coding",)),
        Parameter(
            "sourceCodeableConcept",
            "CodeableConcept",
            "The code as a CodeableConcept (R4: codeableConcept).",
            aliases=("codeableConcept",),
        ),
        Parameter("sourceScope", "uri", "The value set the code comes from (R4: source).", aliases=("source",)),
        Parameter("targetCode", "code", "A code to translate back from.", versions=("R5",)),
        Parameter("targetCoding", "Coding", "The same as a Coding.", versions=("R5",)),
        Parameter("targetCodeableConcept", "CodeableConcept", "The same as a CodeableConcept.", versions=("R5",)),
        Parameter("targetScope", "uri", "The value set wanted (R4: target).", aliases=("target",)),
        Parameter("targetSystem", "uri", "The code system wanted (R4: targetsystem).", aliases=("targetsystem",)),
        Parameter("dependency", "part", "What the translation may depend on: attribute and value.", repeats=True),
        Parameter("reverse", "boolean", "True: the code is a target, its sources are wanted.", versions=("R4",)),
        *SCOPE_PARAMETERS,
    ),
    outputs=(
        Parameter("result", "boolean", "True when there is a translation."),
        Parameter("message", "string", "Why there is none."),
        Parameter(
            "match",
            "part",
            "relationship (R4: equivalence), concept, product, dependsOn, source, originMap.",
            repeats=True,
        ),
    ),
    run=run,
    respond=respond,
    scope=("ConceptMap",),
    contradictions=(
        ("sourceCode", "sourceCoding", "sourceCodeableConcept"),
        ("targetCode", "targetCoding", "targetCodeableConcept"),
        ("url", "conceptMap"),
    ),
)
