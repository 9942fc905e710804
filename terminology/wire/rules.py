"""What FHIR forbids and fhir.resources lets pass: every place where a CodeSystem, ValueSet, ConceptMap or NamingSystem
is wrong, as (path, sentence).

Sources: https://hl7.org/fhir/R5/json.html, datatypes.html, and the invariants and required bindings of each type.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from terminology.model import FhirVersion, Json
from terminology.wire.elements import Element, is_primitive, types

Found = tuple[str, str]
DEPTH = 200
MOST = 100
"""So many reasons are said at most."""

_NUMBERS = frozenset(("decimal", "integer", "positiveInt", "unsignedInt"))
_DAY = r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"
_TIME = r"T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?(Z|[+-](0\d|1[0-4]):[0-5]\d)"
_PATTERNS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "id": (re.compile(r"[A-Za-z0-9.-]{1,64}"), "1 to 64 letters, digits, - and ."),
    "code": (re.compile(r"\S+( \S+)*"), "a code: no blanks at its ends, and none doubled"),
    "uri": (re.compile(r"\S+"), "a uri without blanks"),
    "date": (re.compile(_DAY), "a date such as 2026-11-23, 2026-11 or 2026"),
    "dateTime": (re.compile(f"{_DAY}|\\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01]){_TIME}"), "a date, or an instant"),
    "instant": (re.compile(rf"\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]){_TIME}"), "an instant with its time zone"),
    "oid": (re.compile(r"urn:oid:[0-2](\.(0|[1-9]\d*))+"), "urn:oid: and the OID"),
    "uuid": (re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "urn:uuid: and a UUID"),
}
_LIKE = {"url": "uri", "canonical": "uri"}
_FILTERS = "= is-a descendent-of is-not-a regex in not-in generalizes exists"
_STATUS = "draft active retired unknown"
_R4 = "R4"
_BINDINGS: Mapping[str, str] = {
    "CodeSystem.status": _STATUS,
    "ValueSet.status": _STATUS,
    "ConceptMap.status": _STATUS,
    "NamingSystem.status": _STATUS,
    "CodeSystem.content": "not-present example fragment complete supplement",
    "CodeSystem.hierarchyMeaning": "grouped-by is-a part-of classified-with",
    "CodeSystem.property.type": "code Coding string integer boolean dateTime decimal",
    "NamingSystem.kind": "codesystem identifier root",
    "Narrative.status": "generated extensions additional empty",
    "Identifier.use": "usual official temp secondary old",
    "ContactPoint.system": "phone fax email pager url sms other",
    "ContactPoint.use": "home work temp old mobile",
}
_BINDINGS_R4: Mapping[str, str] = {
    "CodeSystem.filter.operator": _FILTERS,
    "ValueSet.compose.include.filter.op": _FILTERS,
    "ConceptMap.group.element.target.equivalence": (
        "relatedto equivalent equal wider subsumes narrower specializes inexact unmatched disjoint"
    ),
    "ConceptMap.group.unmapped.mode": "provided fixed other-map",
    "NamingSystem.uniqueId.type": "oid uuid uri other",
}
_BINDINGS_R5: Mapping[str, str] = {
    "CodeSystem.filter.operator": f"{_FILTERS} child-of descendent-leaf",
    "ValueSet.compose.include.filter.op": f"{_FILTERS} child-of descendent-leaf",
    "ConceptMap.group.element.target.relationship": (
        "related-to equivalent source-is-narrower-than-target source-is-broader-than-target not-related-to"
    ),
    "ConceptMap.group.unmapped.mode": "use-source-code fixed other-map",
    "ConceptMap.property.type": "Coding string integer boolean dateTime decimal code",
    "ConceptMap.additionalAttribute.type": "code Coding string boolean Quantity",
    "NamingSystem.uniqueId.type": "oid uuid uri iri-stem v2csmnemonic other",
}


def broken(resource: Json, fhir: FhirVersion) -> list[Found]:
    """Every rule that a resource breaks."""
    kind = resource["resourceType"]
    found = list(_Walk(fhir).object(resource, kind, kind, 0))
    misshapen = bool(found)
    for each in (_contained(resource), _OF_KIND[kind](resource, fhir)):
        try:
            found.extend(each)
        except (AttributeError, KeyError, TypeError):
            if not misshapen:  # where a list stands for an object, what comes after it cannot be read
                raise
    return list(dict.fromkeys(found))[:MOST]


# --- the shape ---------------------------------------------------------------------------------------------------


class _Walk:
    """One walk over a resource of one FHIR version."""

    def __init__(self, fhir: FhirVersion) -> None:
        self._fhir: FhirVersion = fhir
        self._types = types(fhir)
        self._bindings = {**_BINDINGS, **(_BINDINGS_R4 if fhir == _R4 else _BINDINGS_R5)}

    def object(self, held: Json, kind: str, path: str, depth: int) -> Iterator[Found]:
        if depth > DEPTH:
            yield path, f"it is nested deeper than {DEPTH} levels"
            return
        if not held:
            yield path, "an empty object says nothing: leave it out"
        known = self._types.get(kind)
        if known is None:
            yield path, f"{kind} is no type of FHIR {self._fhir} that is known here"
            return
        if kind == "Extension" and held:
            valued = any(name.startswith(("value", "_value")) for name in held)
            if valued == ("extension" in held):
                yield path, "an extension has either a value or extensions of its own"
        for name, value in held.items():
            if name != "resourceType":
                yield from self._member(held, name, value, known, (kind, path, depth))

    def _member(
        self, held: Json, name: str, value: Any, known: Mapping[str, Element], place: tuple[str, str, int]
    ) -> Iterator[Found]:
        kind, path, depth = place
        at = f"{path}.{name}"
        element = known.get(name.removeprefix("_"))
        if element is None or (name.startswith("_") and not is_primitive(element.type)):
            yield at, f"there is no such element in {kind} of FHIR {self._fhir}"
        elif value is None:
            yield at, "null stands for nothing: leave it out"
        elif name.startswith("_"):
            yield from self._extensions(value, element, at, depth)
        elif element.many and not isinstance(value, list):
            yield at, "it must be a list"
        elif element.many and not value:
            yield at, "an empty list says nothing: leave it out"
        elif element.many:
            for index, entry in enumerate(value):
                paired = held.get(f"_{name}")
                known_elsewhere = isinstance(paired, list) and index < len(paired) and paired[index] is not None
                if entry is None and is_primitive(element.type) and known_elsewhere:
                    continue
                yield from self._value(entry, element.type, f"{at}[{index}]", (kind, name, depth))
        else:
            yield from self._value(value, element.type, at, (kind, name, depth))

    def _extensions(self, value: Any, element: Element, at: str, depth: int) -> Iterator[Found]:
        """The twin of a primitive: its id and extensions."""
        entries = value if isinstance(value, list) else [value]
        if isinstance(value, list) != element.many or not entries:
            yield at, "it must be a list" if element.many else "it must be an object"
            return
        for entry in entries:
            if entry is None and element.many:
                continue
            if not isinstance(entry, dict) or not entry.keys() <= {"id", "extension"}:
                yield at, "it may hold id and extension only"
            else:
                yield from self.object(entry, "Element", at, depth + 1)

    def _value(self, value: Any, kind: str, at: str, place: tuple[str, str, int]) -> Iterator[Found]:
        holder, name, depth = place
        if is_primitive(kind):
            said = _primitive(value, kind) or self._bound(value, holder, name)
            if said:
                yield at, said
        elif not isinstance(value, dict):
            yield at, "it must be an object"
        elif kind == "Resource":
            inner = value.get("resourceType")
            if isinstance(inner, str) and inner in self._types:
                yield from self.object(value, inner, at, depth + 1)
            else:
                yield at, "resourceType is missing, or of a type that is not read here"
        else:
            yield from self.object(value, kind, at, depth + 1)

    def _bound(self, value: Any, holder: str, name: str) -> str | None:
        codes = self._bindings.get(f"{holder}.{name}")
        if codes is None or value in codes.split():
            return None
        return f"'{str(value)[:60]}' is none of {', '.join(codes.split())}"


def _primitive(value: Any, kind: str) -> str | None:
    if value is None:
        return "null stands for nothing: leave it out"
    if kind == "boolean":
        return None if isinstance(value, bool) else "it must be true or false, without quotes"
    if kind in _NUMBERS:
        return _number(value, kind)
    return _text(value, kind) if isinstance(value, str) else "it must be text, in quotes"


def _text(value: str, kind: str) -> str | None:
    if not value.strip():
        return "an empty text says nothing: leave it out"
    if kind == "xhtml":
        return _xhtml(value)
    pattern, wanted = _PATTERNS.get(_LIKE.get(kind, kind), (None, ""))
    return None if pattern is None or pattern.fullmatch(value) else f"'{value[:60]}' is not {wanted}"


def _number(value: Any, kind: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return "it must be a number, without quotes"
    if kind == "decimal":
        return None
    least = {"positiveInt": 1, "unsignedInt": 0}.get(kind, -(2**31))
    fits = isinstance(value, int) and least <= value < 2**31
    return None if fits else f"it must be a whole number from {least} to {2**31 - 1}"


def _xhtml(text: str) -> str | None:
    from lxml import etree  # noqa: PLC0415  few resources have a narrative

    if "<!" in text.replace("<!--", ""):
        return "it must not hold a DOCTYPE"
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        return f"it is not well-formed XHTML: {str(wrong)[:100]}"
    if root.tag != "{http://www.w3.org/1999/xhtml}div":
        return "it must be one div in the namespace http://www.w3.org/1999/xhtml"
    for node in root.iter(etree.Element):
        name = str(node.tag).rpartition("}")[2].lower()
        if name in _ACTIVE or any(str(each).lower().startswith("on") for each in node.attrib):
            return f"<{name}> with active content is not allowed"
    return None


_ACTIVE = frozenset(
    ("script", "object", "embed", "iframe", "form", "input", "button", "link", "base", "frame", "style", "meta")
)


# --- across elements -----------------------------------------------------------------------------------------------


def _contained(resource: Json) -> Iterator[Found]:
    """dom-2 to dom-5 of https://hl7.org/fhir/R5/domainresource.html."""
    held = resource.get("contained", [])
    if not held:
        return
    named = set(_locals({key: value for key, value in resource.items() if key != "contained"}))
    inner = [set(_locals(entry)) for entry in held]
    counted = Counter(entry.get("id") for entry in held)
    for index, entry in enumerate(held):
        at = f"{resource['resourceType']}.contained[{index}]"
        identity = entry.get("id")
        elsewhere = named.union(*(each for place, each in enumerate(inner) if place != index))
        if not identity:
            yield at, "a contained resource needs an id"
        elif counted[identity] > 1:
            yield f"{at}.id", f"'{identity}' is the id of two contained resources"
        elif f"#{identity}" not in elsewhere and "#" not in inner[index]:
            yield at, f"nothing refers to the contained resource '{identity}' (#{identity})"
        if "contained" in entry:
            yield at, "a contained resource may contain no other"
        if entry.get("meta", {}).keys() & {"versionId", "lastUpdated"}:
            yield f"{at}.meta", "a contained resource has no versionId and no lastUpdated"


def _locals(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith("#"):
            yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _locals(each)
    elif isinstance(value, list):
        for each in value:
            yield from _locals(each)


def _twice(entries: Any, name: str, path: str) -> Iterator[Found]:
    seen: set[Any] = set()
    for index, entry in enumerate(entries):
        value = entry.get(name)
        if value is not None and value in seen:
            yield f"{path}[{index}].{name}", f"'{value}' stands twice"
        seen.add(value)


def _code_system(resource: Json, _: FhirVersion) -> Iterator[Found]:
    path = "CodeSystem"
    if resource.get("content") == "supplement" and not resource.get("supplements"):
        yield f"{path}.supplements", "a supplement must say which code system it supplements"
    if resource.get("supplements") and resource.get("content") != "supplement":
        yield f"{path}.content", "it must be supplement, as supplements is given"
    yield from _twice(resource.get("property", []), "code", f"{path}.property")
    yield from _twice(resource.get("filter", []), "code", f"{path}.filter")
    declared = {each.get("code"): each.get("type") for each in resource.get("property", [])}
    seen: set[Any] = set()
    for at, concept in _concepts(resource.get("concept", []), f"{path}.concept"):
        code = concept.get("code")
        if code is not None and code in seen:
            yield f"{at}.code", f"the code '{code}' is defined twice"
        seen.add(code)
        for index, held in enumerate(concept.get("property", [])):
            wanted = declared.get(held.get("code"))
            given = next((name for name in held if name.startswith("value")), None)
            if wanted and given and given.lower() != f"value{wanted}".lower():
                stated = f"the property '{held.get('code')}' is declared as {wanted}"
                yield f"{at}.property[{index}].{given}", stated
            if given is None and "_valueCode" not in held:
                yield f"{at}.property[{index}]", "a property needs a value"


def _concepts(held: list[Json], path: str) -> Iterator[tuple[str, Json]]:
    waiting = [(f"{path}[{index}]", entry) for index, entry in reversed(list(enumerate(held)))]
    while waiting:
        at, entry = waiting.pop()
        yield at, entry
        inner = entry.get("concept", [])
        waiting += [(f"{at}.concept[{index}]", each) for index, each in reversed(list(enumerate(inner)))]


def _value_set(resource: Json, _: FhirVersion) -> Iterator[Found]:
    compose = resource.get("compose", {})
    if "compose" in resource and not compose.get("include"):
        yield "ValueSet.compose", "it needs an include"
    for name in ("include", "exclude"):
        for index, entry in enumerate(compose.get(name, [])):
            yield from _include(entry, f"ValueSet.compose.{name}[{index}]")
    for at, entry in _contains(resource.get("expansion", {}).get("contains", []), "ValueSet.expansion.contains"):
        if not entry.get("code") and not entry.get("display"):
            yield at, "an entry of an expansion needs a code or a display"
        if entry.get("code") and not entry.get("system"):
            yield at, "a code in an expansion needs a system"
        if not entry.get("code") and entry.get("abstract") is not True:
            yield at, "an entry without code must be abstract"


def _include(entry: Json, at: str) -> Iterator[Found]:
    """vsd-1 to vsd-3 of https://hl7.org/fhir/R5/valueset.html, and what a system must not be."""
    if not entry.get("system") and not entry.get("valueSet"):
        yield at, "it needs a system or a valueSet"
    if not entry.get("system") and (entry.get("concept") or entry.get("filter")):
        yield at, "concept and filter need a system"
    if entry.get("concept") and entry.get("filter"):
        yield at, "concept and filter must not both be given: use two includes"
    if "|" in entry.get("system", ""):
        yield f"{at}.system", "a system has no version in it: write that into version"


def _contains(held: list[Json], path: str) -> Iterator[tuple[str, Json]]:
    for index, entry in enumerate(held):
        yield f"{path}[{index}]", entry
        yield from _contains(entry.get("contains", []), f"{path}[{index}].contains")


_COMMENTED = {
    "R4": ("equivalence", ("narrower", "inexact")),
    "R5": ("relationship", ("source-is-broader-than-target",)),
}


def _concept_map(resource: Json, fhir: FhirVersion) -> Iterator[Found]:
    name, codes = _COMMENTED[fhir]
    for number, group in enumerate(resource.get("group", [])):
        path = f"ConceptMap.group[{number}]"
        unmapped = group.get("unmapped", {})
        if unmapped.get("mode") == "fixed" and not (unmapped.get("code") or unmapped.get("valueSet")):
            yield f"{path}.unmapped", "the mode fixed needs a code"
        if unmapped.get("mode") == "other-map" and not (unmapped.get("url") or unmapped.get("otherMap")):
            yield f"{path}.unmapped", "the mode other-map needs the other map"
        for index, element in enumerate(group.get("element", [])):
            if element.get("noMap") is True and element.get("target"):
                yield f"{path}.element[{index}]", "noMap is true, so there must be no target"
            for place, target in enumerate(element.get("target", [])):
                commented = target.get("comment") or (fhir == "R5" and resource.get("status") == "draft")
                if target.get(name) in codes and not commented:
                    at = f"{path}.element[{index}].target[{place}]"
                    yield at, f"{target[name]} needs a comment that says what is lost"


def _naming_system(resource: Json, _: FhirVersion) -> Iterator[Found]:
    """nsd-1 and nsd-2 of https://hl7.org/fhir/R5/namingsystem.html."""
    preferred: set[Any] = set()
    for index, entry in enumerate(resource.get("uniqueId", [])):
        at = f"NamingSystem.uniqueId[{index}]"
        if resource.get("kind") == "root" and entry.get("type") == "uuid":
            yield at, "a root has no UUID"
        if entry.get("preferred") is True and entry.get("type") in preferred:
            yield at, f"only one identifier of the type {entry.get('type')} may be preferred"
        if entry.get("preferred") is True:
            preferred.add(entry.get("type"))


_OF_KIND: Mapping[str, Callable[[Json, FhirVersion], Iterator[Found]]] = {
    "CodeSystem": _code_system,
    "ValueSet": _value_set,
    "ConceptMap": _concept_map,
    "NamingSystem": _naming_system,
}
KINDS = tuple(_OF_KIND)
"""The types that have rules here."""
