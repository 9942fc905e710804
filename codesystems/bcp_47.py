"""Language tags (BCP 47, `urn:ietf:bcp:47`): well-formed and valid ones, with names and properties of their parts.

Rules: RFC 5646. The subtags come from IANA's registry of 2021-08-06, `sources/language-subtag-registry.txt.gz` (CC0),
read at the first question; a newer one that the operator imports takes its place. HL7 filters tags by `language`,
`ext-lang`, `script`, `region`, `variant`, `extension` and `private-use`.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from terminology.model import (
    CANONICAL_BASE,
    Canonical,
    CodeSystemInfo,
    CodeSystemProvider,
    Concept,
    Designation,
    Filter,
    Grammar,
    Issue,
    Miss,
    Property,
    PropertyDefinition,
)

URL = "urn:ietf:bcp:47"
VERSION = "2021-08-06"
SUBTAGS = f"{CANONICAL_BASE}/CodeSystem/language-subtags"
"""The code system of subtags that `terminology import iana` makes of a registry file."""

_REGISTRY = Path(__file__).parent / "sources" / "language-subtag-registry.txt.gz"
_WELL_FORMED = r"""(?P<language>[a-z]{2,8})(?:-(?P<extlang>(?<=^[a-z]{2}-)[a-z]{3}|(?<=^[a-z]{3}-)[a-z]{3}))?
    (?:-(?P<script>[a-z]{4}))? (?:-(?P<region>[a-z]{2}|[0-9]{3}))?
    (?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)
    (?P<extensions>(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*)
    (?P<private>(?:-x(?:-[a-z0-9]{1,8})+)?)"""
_PRIVATE = r"x(-[a-z0-9]{1,8})+"
_SINGLETON = r"-(?=[a-wy-z0-9]-)"


# --- the registry -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Subtag:
    """What the registry says of a subtag or of a whole tag; ``preferred`` is what to write instead."""

    code: str
    names: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    deprecated: str | None = None
    preferred: str | None = None


Registry = Callable[[str, str], Subtag | None]
"""From kind (``language``, ``extlang``, ``script``, ``region``, ``variant``, ``tag``) and code in its own case."""
_RANGES = {
    "language": ("qaa", "qtz", "qaa..qtz"),
    "script": ("Qaaa", "Qabx", "Qaaa..Qabx"),
    "region": ("QM", "QZ", "QM..QZ"),
}


class Published:
    """The registry that comes with this package. A record is read when it is asked for."""

    def __call__(self, kind: str, code: str) -> Subtag | None:
        text = self._records.get((kind, code))
        return None if text is None else _record(code, text)

    @cached_property
    def _records(self) -> Mapping[tuple[str, str], str]:
        found = {}
        for text in gzip.decompress(_REGISTRY.read_bytes()).decode("utf-8").split("\n%%\n")[1:]:
            kind, code = (line.partition(": ")[2] for line in text.split("\n", 2)[:2])
            found["tag" if kind in ("grandfathered", "redundant") else kind, code] = text
        return found


def _record(code: str, text: str) -> Subtag:
    fields: dict[str, list[str]] = {}
    for line in text.replace("\n  ", " ").splitlines():
        name, _, value = line.partition(": ")
        fields.setdefault(name, []).append(value)
    return Subtag(
        code,
        tuple(fields.get("Description", ())),
        tuple(fields.get("Prefix", ())),
        next(iter(fields.get("Deprecated", ())), None),
        next(iter(fields.get("Preferred-Value", ())), None),
    )


def loaded(provider: CodeSystemProvider) -> Registry:
    """The registry that an operator imported as a code system of subtags."""
    return partial(_held, provider)


def _held(provider: CodeSystemProvider, kind: str, code: str) -> Subtag | None:
    found = provider.find(code)
    if isinstance(found, Miss):
        return None
    stated: dict[str, list[str]] = {}
    for held in found.properties:
        stated.setdefault(held.code, []).append(str(held.value))
    types = {"tag" if each in ("grandfathered", "redundant") else each for each in stated.get("type", [])}
    if "extlang-prefix" in stated:
        types.add("extlang")
    if kind not in types:
        return None
    prefixes = stated.get("extlang-prefix" if kind == "extlang" else "prefix", [])
    preferred = [code] if kind == "extlang" else stated.get("preferred-value", [])
    names = (found.display or code, *(each.value for each in found.designations))
    deprecated = stated.get("deprecated", [])
    return Subtag(code, names, tuple(prefixes), next(iter(deprecated), None), next(iter(preferred), None))


# --- tags -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tag:
    """The parts of a tag in their canonical case; a tag of private use only has no language."""

    language: str = ""
    extlang: str = ""
    script: str = ""
    region: str = ""
    variants: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    private: str = ""

    def __str__(self) -> str:
        parts = (self.language, self.extlang, self.script, self.region, *self.variants, *self.extensions, self.private)
        return "-".join(part for part in parts if part)


def parse(code: str) -> Tag | None:
    """The parts of a well-formed tag; None where it is none. Whole tags that are grandfathered are not read here."""
    low = code.lower()
    if re.fullmatch(_PRIVATE, low):
        return Tag(private=low)
    found = re.fullmatch(_WELL_FORMED, low, re.VERBOSE)
    if found is None:
        return None
    return Tag(
        language=found["language"],
        extlang=found["extlang"] or "",
        script=(found["script"] or "").title(),
        region=(found["region"] or "").upper(),
        variants=tuple(found["variants"].split("-")[1:]),
        extensions=tuple(re.split(_SINGLETON, found["extensions"])[1:]),
        private=found["private"][1:],
    )


@dataclass(frozen=True, slots=True)
class Read:
    """A tag with what the registry says of its parts, in their order."""

    tag: Tag
    parts: tuple[tuple[str, Subtag], ...]


def read(tag: Tag, registry: Registry) -> Read | tuple[Issue, ...]:
    """The tag with its subtags, or the reasons why it is not valid."""
    parts: list[tuple[str, Subtag]] = []
    reasons: list[Issue] = []
    for kind, code in _registered(tag):
        found = _found(registry, kind, code)
        if found is None or (kind == "extlang" and tag.language not in found.prefixes):
            reasons.append(_issue(f"OWN_SUBTAG_{kind.upper()}", code, tag.language))
        else:
            parts.append((kind, found))
    single = [each[0] for each in tag.extensions]
    reasons += [_issue("OWN_SUBTAG_TWICE", each) for each in _twice(tag.variants) + _twice(single)]
    return tuple(reasons) or Read(tag, tuple(parts))


def _registered(tag: Tag) -> Iterator[tuple[str, str]]:
    named = (("language", tag.language), ("extlang", tag.extlang), ("script", tag.script), ("region", tag.region))
    yield from ((kind, code) for kind, code in named if code)
    yield from (("variant", code) for code in tag.variants)


def _found(registry: Registry, kind: str, code: str) -> Subtag | None:
    """A subtag of the registry, or one of those it leaves to private use as a range."""
    if found := registry(kind, code):
        return found
    first, last, name = _RANGES.get(kind, ("", "", ""))
    if kind == "region" and "XA" <= code <= "XZ":
        first, last, name = "XA", "XZ", "XA..XZ"
    if not name or len(code) != len(first) or not first <= code <= last:
        return None
    held = registry(kind, name)
    return replace(held, code=code) if held else None


def _twice(codes: list[str] | tuple[str, ...]) -> list[str]:
    return [code for place, code in enumerate(codes) if code in codes[:place]]


def _issue(message_id: str, *arguments: str) -> Issue:
    return Issue("error", "code-invalid", "invalid-code", message_id, arguments)


# --- the code system ----------------------------------------------------------------------------------------------


def find(code: str, registry: Registry) -> Concept | Miss:
    """The concept of a tag in its canonical case."""
    whole = _whole(code, registry)
    tag = parse(code)
    if tag is None:
        return _concept(whole) if whole else Miss(code, (_issue("OWN_CODE_SYNTAX", code, code),))
    made = read(tag, registry)
    if isinstance(made, tuple):
        return _concept(whole) if whole else Miss(code, made)
    return _composed(made, whole)


def _whole(code: str, registry: Registry) -> Subtag | None:
    """A tag that is registered as a whole, in any case."""
    parts = code.lower().split("-")
    recased = [
        part.upper() if place and len(part) == 2 and parts[0] != "i" else part for place, part in enumerate(parts)
    ]
    cased = "-".join(part.title() if place and len(part) == 4 else part for place, part in enumerate(recased))
    return registry("tag", cased) or registry("tag", code.lower())


def _concept(whole: Subtag) -> Concept:
    stated = ((name, value) for name, value in (("deprecated", whole.deprecated), ("preferred-value", whole.preferred)))
    return Concept(
        whole.code,
        display=whole.names[0],
        designations=tuple(Designation(name, "en") for name in whole.names[1:]),
        properties=tuple(_property(name, value) for name, value in stated if value),
        inactive=whole.deprecated is not None,
        status="deprecated" if whole.deprecated else None,
    )


def _composed(made: Read, whole: Subtag | None) -> Concept:
    tag = made.tag
    deprecated = [each.deprecated for _, each in made.parts if each.deprecated]
    if whole and whole.deprecated:
        deprecated.append(whole.deprecated)
    named = _display(made)
    others = [whole.names[0]] if whole and whole.names[0] != named else []
    if len(made.parts) == 1 and named == made.parts[0][1].names[0]:
        others += made.parts[0][1].names[1:]
    return Concept(
        str(tag),
        display=named,
        designations=tuple(Designation(name, "en") for name in others),
        properties=tuple(_properties(made, whole, deprecated)),
        inactive=bool(deprecated),
        status="deprecated" if deprecated else None,
    )


def _display(made: Read) -> str:
    """``German (Switzerland)``: the language, then everything else."""
    tag = made.tag
    language, *rest = (each.names[0] for _, each in made.parts) if made.parts else ("Private use",)
    if tag.extlang:
        language, *rest = rest
    rest += [*tag.extensions, *((tag.private,) if tag.private else ())]
    return f"{language} ({', '.join(rest)})" if rest else language


def _properties(made: Read, whole: Subtag | None, deprecated: list[str]) -> Iterator[Property]:
    tag = made.tag
    stated = (
        ("language", tag.language),
        ("ext-lang", tag.extlang),
        ("script", tag.script),
        ("region", tag.region),
        *(("variant", each) for each in tag.variants),
        *(("extension", each) for each in tag.extensions),
        ("private-use", tag.private),
        ("deprecated", min(deprecated, default="")),
        ("preferred-value", _preferred(made, whole)),
    )
    yield from (_property(name, value) for name, value in stated if value)


def _property(name: str, value: str) -> Property:
    return Property(name, "DateTime" if name == "deprecated" else "Code", value)


def _preferred(made: Read, whole: Subtag | None) -> str:
    """What the registry would rather have written: each part replaced, an extended language without its prefix."""
    if whole and whole.preferred:
        return whole.preferred
    tag = made.tag
    for kind, each in made.parts:
        if each.preferred and kind == "language":
            tag = replace(tag, language=each.preferred)
        elif each.preferred and kind == "extlang":
            tag = replace(tag, language=each.preferred, extlang="")
        elif each.preferred and kind == "script":
            tag = replace(tag, script=each.preferred)
        elif each.preferred and kind == "region":
            tag = replace(tag, region=each.preferred)
    return "" if tag == made.tag else str(tag)


_CASES: Mapping[str, Callable[[str], str]] = {"script": str.title, "region": str.upper}
_PARTS = ("language", "ext-lang", "script", "region", "variant", "extension", "private-use")


def meant(stated: Filter) -> Filter:
    """A filter's subtags in their canonical case."""
    if stated.property not in _PARTS or stated.op == "exists" or stated.value is None:
        return stated
    return replace(stated, value=_CASES.get(stated.property, str.lower)(stated.value))


def grammar(version: str | None, registry: Registry) -> Grammar:
    """The code system over a registry of that date."""
    return Grammar(
        replace(INFO, canonical=Canonical(URL, version)),
        partial(find, registry=registry),
        meant,
        source=SUBTAGS,
        renewed=lambda provider: grammar(provider.info.canonical.version, loaded(provider)),
        values=dict.fromkeys(_PARTS, "A subtag of that kind; for `exists` true or false, for `in` several with commas"),
    )


INFO = CodeSystemInfo(
    canonical=Canonical(URL),
    name="BCP47",
    title="Tags for Identifying Languages (BCP 47)",
    status="active",
    case_sensitive=False,
    compositional=True,
    enumerable=False,
    language="en",
    version_algorithm="date",
    value_set="http://hl7.org/fhir/ValueSet/all-languages",
    properties=(
        PropertyDefinition("language", "code", description="The language."),
        PropertyDefinition("ext-lang", "code", description="The extended language."),
        PropertyDefinition("script", "code", description="The script."),
        PropertyDefinition("region", "code", description="The region."),
        PropertyDefinition("variant", "code", description="A variant."),
        PropertyDefinition("extension", "code", description="An extension, with its singleton."),
        PropertyDefinition("private-use", "code", description="What is of private use."),
        PropertyDefinition("deprecated", "dateTime", description="Since when a part of the tag is deprecated."),
        PropertyDefinition("preferred-value", "code", description="The tag to write instead."),
    ),
    filters=tuple((name, ("=", "exists", "in", "regex")) for name in _PARTS),
)

BCP_47 = grammar(VERSION, Published())
