"""What a listed code looks like: display in the reader's language, designations, properties, extensions.

Extensions that HL7's ecosystem turns into properties or echoes: https://hl7.org/fhir/uv/tx-ecosystem
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from terminology.expansion import Member
from terminology.frozen import dataclass
from terminology.languages import Languages, best, is_display, names
from terminology.model import Designation, Json

SD = "http://hl7.org/fhir/StructureDefinition/"
CONCEPT_PROPERTIES = "http://hl7.org/fhir/concept-properties#"

TURNED = {
    f"{SD}codesystem-label": ("label", "label", "String"),
    f"{SD}valueset-label": ("label", "label", "String"),
    f"{SD}codesystem-conceptOrder": ("order", "order", "Decimal"),
    f"{SD}valueset-conceptOrder": ("order", "order", "Decimal"),
    f"{SD}itemWeight": ("weight", "itemWeight", "Decimal"),
}
"""Extension url → property code, name among FHIR's concept properties, value type."""

ECHOED_OF_SYSTEM = frozenset(
    SD + name for name in ("coding-sctdescid", "rendering-style", "rendering-xhtml", "codesystem-alternate")
)
ECHOED_OF_VALUE_SET = frozenset(
    SD + name
    for name in (
        "valueset-deprecated",
        "structuredefinition-standards-status",
        "valueset-concept-definition",
        "coding-sctdescid",
        "rendering-style",
        "rendering-xhtml",
    )
)
ECHOED_OF_DESIGNATION = ECHOED_OF_SYSTEM | {f"{SD}structuredefinition-standards-status"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants to see of each code. ``only`` restricts designations: ``system|code`` or
    ``urn:ietf:bcp:47|language``."""

    languages: Languages
    designations: bool = False
    only: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decorated:
    """A listed code, ready to be shown. ``declared`` are the properties it carries, with their uris;
    ``sources`` the supplements whose content is shown."""

    system: str
    code: str
    display: str | None
    version: str | None = None
    abstract: bool = False
    inactive: bool = False
    designations: tuple[Json, ...] = ()
    properties: tuple[tuple[str, str, Any], ...] = ()
    declared: tuple[tuple[str, str | None], ...] = ()
    extensions: tuple[Json, ...] = ()
    sources: tuple[str, ...] = ()
    contains: tuple[Decorated, ...] = ()


def decorated(member: Member, wanted: Wanted, contains: tuple[Decorated, ...] = ()) -> Decorated:
    """A member as it is shown."""
    concept, info = member.concept, member.provider.info
    if _plain(member, wanted):
        version = info.canonical.version if member.versioned else None
        url, code = info.canonical.url, concept.code
        return Decorated(url, code, concept.display, version, concept.abstract, concept.inactive, contains=contains)
    candidates = _candidates(member)
    chosen = best(candidates, wanted.languages)
    properties = list(_properties(member, wanted))
    return Decorated(
        system=info.canonical.url,
        code=concept.code,
        display=chosen.value if chosen else None,
        version=info.canonical.version if member.versioned else None,
        abstract=concept.abstract,
        inactive=concept.inactive,
        designations=tuple(_designations(candidates, chosen, wanted)),
        properties=tuple((name, kind, value) for name, kind, value, _, _ in properties),
        declared=tuple((name, uri) for name, _, _, uri, _ in properties),
        extensions=tuple(_extensions(member)),
        sources=tuple(_sources(member, chosen, wanted, properties)),
        contains=contains,
    )


def _plain(member: Member, wanted: Wanted) -> bool:
    """True for a member with nothing but a display, for a reader who wants no more: most of a long list."""
    concept = member.concept
    more = concept.designations or concept.properties or concept.extensions or member.listed
    asked = wanted.languages or wanted.properties
    return not (more or asked) and concept.display is not None and concept.status in (None, "active")


def _candidates(member: Member) -> tuple[Designation, ...]:
    """All names of a member; what the author of the value set stated stands behind what the system says."""
    held = names(member.concept, member.provider.info.language)
    if member.listed is None:
        return held
    stated = member.listed.designations
    if member.listed.display:
        stated = (Designation(member.listed.display, member.language), *stated)
    return (*held, *stated)


def _designations(candidates: tuple[Designation, ...], chosen: Designation | None, wanted: Wanted) -> Iterator[Json]:
    if not wanted.designations:
        return
    for entry in candidates:
        if entry is chosen or not _selected(entry, wanted.only) or _repeats(entry, chosen):
            continue
        made: Json = {}
        if echoed := [e for e in entry.extensions if e.get("url") in ECHOED_OF_DESIGNATION]:
            made["extension"] = echoed
        if entry.language:
            made["language"] = entry.language
        if entry.use:
            made["use"] = dict(entry.use)
        if entry.additional_use:
            made["additionalUse"] = list(entry.additional_use)
        made["value"] = entry.value
        yield made


def _repeats(entry: Designation, chosen: Designation | None) -> bool:
    """A display that says nothing beyond the one shown: same text, no language of its own, no use."""
    return bool(chosen and is_display(entry) and entry.language is None and entry.value == chosen.value)


def _selected(entry: Designation, only: tuple[str, ...]) -> bool:
    if not only:
        return True
    for stated in only:
        system, _, code = stated.partition("|")
        if system == "urn:ietf:bcp:47" and entry.language == code:
            return True
        if entry.use and (entry.use.get("system"), entry.use.get("code")) == (system, code):
            return True
    return False


Shown = tuple[str, str, Any, str | None, str | None]
"""A property as shown: code, value type, value, uri, source."""


def _properties(member: Member, wanted: Wanted) -> Iterator[Shown]:
    concept = member.concept
    if concept.status and concept.status != "active":
        yield "status", "Code", concept.status, f"{CONCEPT_PROPERTIES}status", None
    yield from _turned(member)
    if "definition" in wanted.properties and concept.definition:
        yield "definition", "String", concept.definition, f"{CONCEPT_PROPERTIES}definition", None
    if not wanted.properties:
        return
    uris = {declared.code: declared.uri for declared in member.provider.info.properties}
    for held in concept.properties:
        if held.value is None or (held.code == "status" and concept.status not in (None, "active")):
            continue
        if held.code in wanted.properties or "*" in wanted.properties:
            yield held.code, held.type, held.value, uris.get(held.code), held.source


def _turned(member: Member) -> Iterator[Shown]:
    """Extensions that become properties; what the value set says wins over what the code system says."""
    found: dict[str, Shown] = {}
    stated = member.listed.extensions if member.listed else ()
    for entry in (*member.concept.extensions, *stated):
        turned = TURNED.get(entry.get("url", ""))
        value = next((v for k, v in entry.items() if k.startswith("value")), None)
        if turned and value is not None:
            code, name, kind = turned
            found[code] = (code, kind, value, CONCEPT_PROPERTIES + name, None)
    yield from found.values()


def _extensions(member: Member) -> Iterator[Json]:
    yield from (e for e in member.concept.extensions if e.get("url") in ECHOED_OF_SYSTEM)
    if member.listed:
        yield from (e for e in member.listed.extensions if e.get("url") in ECHOED_OF_VALUE_SET)


def _sources(member: Member, chosen: Designation | None, wanted: Wanted, properties: list[Shown]) -> Iterator[str]:
    if chosen and chosen.source:
        yield chosen.source
    if wanted.designations:
        yield from (entry.source for entry in member.concept.designations if entry.source)
    yield from (source for *_, source in properties if source)
