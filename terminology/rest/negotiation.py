"""Media types: what a client accepts, what a body is, and how a resource is written.

Sources: https://hl7.org/fhir/R5/http.html#mime-type and #version-parameter, RFC 9110 section 12.5.1. ``_format``
wins over Accept; among equals JSON wins over XML and FHIR's own types over the general ones. A browser that asks
for ``text/html`` gets JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from terminology.frozen import dataclass
from terminology.issues import NotAcceptable, UnsupportedMedia, issue
from terminology.model import FHIR_VERSIONS, FhirVersion, Issue, Json
from terminology.wire import json_text

Form = Literal["json", "xml"]

FORMS: Mapping[str, Form] = {
    "application/fhir+json": "json",
    "application/json": "json",
    "text/json": "json",
    "application/json+fhir": "json",
    "application/fhir+xml": "xml",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/xml+fhir": "xml",
}
"""The types that are read and written; ``…+fhir`` are the names of DSTU2, which some clients still send."""

FORM = "application/x-www-form-urlencoded"
JSON_PATCH = "application/json-patch+json"
_WILDCARDS = ("*/*", "application/*", "*")
_PLAIN = frozenset(("application/json", "text/json", "application/xml", "text/xml"))
_SHORT = {"json": "application/fhir+json", "xml": "application/fhir+xml", "text/html": "application/json"}
_TYPES = "application/fhir+json or application/fhir+xml"


@dataclass(frozen=True, slots=True)
class Medium:
    """How an answer is written: its form, its Content-Type, and whether a general type was asked for."""

    form: Form
    content_type: str
    plain: bool = False

    def write(self, resource: Json, fhir: FhirVersion, *, pretty: bool = False) -> bytes:
        """The resource (in the form of that FHIR version) as bytes."""
        if self.form == "xml":
            from terminology.wire.xml import to_xml  # noqa: PLC0415  lxml is loaded when XML is wanted

            return to_xml(resource, fhir)
        return json_text.write(resource, pretty=pretty)


class Range(NamedTuple):
    """One media range of an Accept header: type, weight, ``fhirVersion`` and charset in lower case."""

    name: str
    weight: float = 1.0
    fhir: str | None = None
    charset: str | None = None


def medium(name: str, fhir: FhirVersion) -> Medium:
    """The Medium of one of the types in ``FORMS``."""
    plain = name in _PLAIN
    version = "" if plain else f"; fhirVersion={short(fhir)}"
    return Medium(FORMS[name], f"{name}{version}; charset=utf-8", plain)


FHIR_JSON = Medium("json", "application/fhir+json; charset=utf-8")
"""What answers where nothing could be agreed on."""


def short(fhir: FhirVersion) -> str:
    """``4.0`` or ``5.0``: the value of ``fhirVersion``."""
    return FHIR_VERSIONS[fhir].rpartition(".")[0]


def accepted(accept: str | None, wanted: str | None, fhir: FhirVersion) -> Medium:
    """The Medium for an Accept header and a ``_format``; raises NotAcceptable."""
    return _accepted(accept or "*/*", wanted or None, fhir)


@lru_cache(maxsize=512)
def _accepted(accept: str, wanted: str | None, fhir: FhirVersion) -> Medium:
    ranges = [_named(wanted)] if wanted else list(_ranges(accept))
    agreeing = [entry for entry in ranges if _agrees(entry.fhir, fhir)]
    excluded = {FORMS[entry.name] for entry in agreeing if entry.weight <= 0 and entry.name in FORMS}
    offers = [offer for entry in agreeing if entry.weight > 0 for offer in _offers(entry, excluded)]
    if offers:
        return medium(max(offers)[-1], fhir)
    other = next((entry.fhir for entry in ranges if not _agrees(entry.fhir, fhir)), None)
    if other is not None:
        raise NotAcceptable(_other_version(other, fhir))
    raise NotAcceptable(issue("OWN_NOT_ACCEPTABLE", (wanted or accept)[:200], _TYPES))


def _offers(entry: Range, excluded: set[Form]) -> Iterator[tuple[float, bool, bool, bool, str]]:
    """What a range could be answered with, as (weight, named, JSON, FHIR's own, type): the greatest wins."""
    if entry.name in _WILDCARDS:
        for name in ("application/fhir+json", "application/fhir+xml"):
            if FORMS[name] not in excluded:
                yield entry.weight, False, FORMS[name] == "json", True, name
    elif known := entry.name if entry.name in FORMS else _SHORT.get(entry.name):
        yield entry.weight, True, FORMS[known] == "json", known not in _PLAIN, known


def _named(wanted: str) -> Range:
    """``_format``: a short name, or a media type whose ``+`` a query string may have turned into a blank."""
    restored = wanted.replace("fhir json", "fhir+json").replace("fhir xml", "fhir+xml")
    entry = next(_ranges(restored), Range(wanted))
    return entry._replace(name=_SHORT.get(entry.name, entry.name), weight=1.0)


def _ranges(header: str) -> Iterator[Range]:
    for item in header.split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if not name:
            continue
        given = {}
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            given[key.strip().lower()] = value.strip().strip('"')
        yield Range(name.lower(), _weight(given.get("q")), given.get("fhirversion"), given.get("charset"))


def _weight(text: str | None) -> float:
    try:
        return 1.0 if text is None else min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _agrees(stated: str | None, fhir: FhirVersion) -> bool:
    if stated is None:
        return True
    full = FHIR_VERSIONS[fhir]
    return stated in (full, short(fhir), full.partition(".")[0], fhir.lower(), fhir)


def _other_version(stated: str, fhir: FhirVersion) -> Issue:
    other: FhirVersion = "R5" if fhir == "R4" else "R4"
    served = _agrees(stated, other)
    there = f"the path that ends in /{other.lower()}" if served else f"fhirVersion={short(fhir)}"
    return issue("OWN_FHIR_VERSION", stated, "this path", short(fhir), there)


def body_form(content_type: str | None, fhir: FhirVersion) -> Form:
    """The form of a body; one that states no type is taken for JSON. Raises UnsupportedMedia."""
    return _body_form(content_type or "application/fhir+json", fhir)


@lru_cache(maxsize=256)
def _body_form(content_type: str, fhir: FhirVersion) -> Form:
    entry = next(_ranges(content_type), Range(""))
    if entry.name not in FORMS:
        raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", content_type[:200], _TYPES))
    if (entry.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        wanted = f"{entry.name} in UTF-8"
        raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", content_type[:200], wanted))
    if not _agrees(entry.fhir, fhir):
        raise UnsupportedMedia(_other_version(entry.fhir or "", fhir))
    return FORMS[entry.name]


def is_form(content_type: str | None) -> bool:
    """True for the body of a search that is sent as a form."""
    return next(_ranges(content_type or ""), Range("")).name == FORM
