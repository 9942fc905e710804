"""The search parameters of each type: what they look at, and when a value of a resource (R5 form) fits one asked for.

Sources: https://hl7.org/fhir/R5/search.html#ptypes, https://hl7.org/fhir/R5/codesystem-search.html and the pages of the
other types; names that only R4 has stand beside those of R5. A path goes through lists; ``+`` takes an element and all
of its like below it. Parameters without a path are looked up in an index (``search_terms``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from terminology.model import Json
from terminology.rest.search_terms import INDEXED


class SearchParameter(NamedTuple):
    """Its FHIR type, a sentence about it, and the paths of what it looks at."""

    type: str
    summary: str
    paths: tuple[str, ...] = ()


def _rows(text: str) -> dict[str, SearchParameter]:
    """``name | type | paths | sentence`` a line."""
    found = {}
    for line in text.strip().splitlines():
        name, kind, paths, summary = (part.strip() for part in line.split("|"))
        found[name] = SearchParameter(kind, summary, tuple(paths.split()))
    return found


SHARED = _rows("""
_id          | token  | id               | The id of the resource
_lastUpdated | date   | meta.lastUpdated | When the stored resource was last changed
_profile     | uri    | meta.profile     | Profiles that the resource claims
_security    | token  | meta.security    | Security labels
_source      | uri    | meta.source      | Where the resource came from
_tag         | token  | meta.tag         | Tags
url          | uri    | url              | The canonical url
version      | token  | version          | The business version
name         | string | name             | The computer-friendly name
title        | string | title            | The human-friendly name
status       | token  | status           | draft, active, retired or unknown
context      | token  | useContext.valueCodeableConcept | A use context
context-type | token  | useContext.code  | The type of a use context
date         | date   | date             | When the resource was published
description  | string | description      | Words of the description
identifier   | token  | identifier       | External identifiers
jurisdiction | token  | jurisdiction     | Where it is meant to be used
publisher    | string | publisher        | Who published it
""")
_CANONICAL = _rows("""
derived-from | uri   | relatedArtifact@derived-from.resource | What it was derived from
effective    | date  | effectivePeriod | When it is meant to be used
predecessor  | uri   | relatedArtifact@predecessor.resource  | What it follows
topic        | token | topic           | Topics
""")
_OF_KIND: Mapping[str, dict[str, SearchParameter]] = {
    "CodeSystem": _CANONICAL
    | _rows("""
code         | token     |                               | A code that it defines
content-mode | token     | content                       | not-present, example, fragment, complete or supplement
language     | token     | concept+.designation.language | A language of designations
supplements  | reference | supplements                   | The code system that it supplements
system       | uri       | url                           | The system of its codes: its url
"""),
    "ValueSet": _CANONICAL
    | _rows("""
code      | token |                      | A code that it lists, or that its stored expansion holds
expansion | uri   | expansion.identifier | The identifier of its stored expansion
reference | uri   |                      | A code system that it includes codes of
"""),
    "ConceptMap": _CANONICAL
    | _rows("""
dependson           | uri       |  | An attribute that a mapping depends on (R4)
mapping-attribute   | uri       |  | An attribute that a mapping depends on
mapping-property    | uri       |  | A property of a mapping
other               | reference |  | The map for codes without a mapping (R4)
other-map           | reference |  | The map for codes without a mapping
product             | uri       |  | An attribute that a mapping produces (R4)
source              | reference | sourceScopeCanonical sourceScopeUri | The value set of the source (R4)
source-code         | token     |  | A code that is mapped
source-group-system | reference |  | The system of codes that are mapped
source-scope        | reference | sourceScopeCanonical | The value set of the source
source-scope-uri    | uri       | sourceScopeUri | The value set of the source, as uri
source-system       | uri       |  | The system of codes that are mapped (R4)
source-uri          | reference | sourceScopeUri sourceScopeCanonical | The value set of the source (R4)
target              | reference | targetScopeCanonical targetScopeUri | The value set of the target (R4)
target-code         | token     |  | A code that is mapped to
target-group-system | reference |  | The system of codes that are mapped to
target-scope        | reference | targetScopeCanonical | The value set of the target
target-scope-uri    | uri       | targetScopeUri | The value set of the target, as uri
target-system       | uri       |  | The system of codes that are mapped to (R4)
target-uri          | reference | targetScopeUri targetScopeCanonical | The value set of the target (R4)
"""),
    "NamingSystem": _rows("""
contact     | string | contact.name            | Who can be asked
id-type     | token  | uniqueId.type           | oid, uuid, uri or other
kind        | token  | kind                    | codesystem, identifier or root
period      | date   | uniqueId.period         | When an identifier is valid
responsible | string | responsible             | Who maintains it
telecom     | token  | contact.telecom         | How to reach whom
type        | token  | type                    | The kind of identifier
value       | string | uniqueId.value          | One of its identifiers
"""),
}


def of(kind: str) -> Mapping[str, SearchParameter]:
    """The parameters of a type, by name."""
    return SHARED | _OF_KIND.get(kind, {})


def indexed(kind: str, name: str) -> bool:
    """True for a parameter whose values stand too deep to be looked at resource by resource."""
    return name in INDEXED.get(kind, ()) and not of(kind)[name].paths


# --- values ------------------------------------------------------------------------------------------------------


def values(resource: Json, parameter: SearchParameter) -> list[Any]:
    """What a parameter looks at in a resource."""
    return [found for path in parameter.paths for found in _at(resource, path.split("."))]


def _at(value: Any, parts: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _at(each, parts)
    elif not parts:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        name, _, wanted = parts[0].partition("@")
        deep = name.endswith("+")
        inner = value.get(name.rstrip("+"))
        if wanted:
            inner = [each for each in inner or () if each.get("type") == wanted]
        if inner is not None:
            yield from _at(inner, parts[1:])
            if deep:
                yield from _at(inner, parts)


def fits(held: Any, kind: str, modifier: str, wanted: str) -> bool:
    """True when a value of a resource fits a value that was asked for."""
    if kind == "token":
        return _token(held, wanted)
    if kind == "date":
        return _date(held, wanted)
    text = str(held)
    if kind == "string":
        return _string(text, modifier, wanted)
    if modifier == "below":
        return text == wanted or text.startswith(wanted if wanted.endswith("/") else f"{wanted}/")
    if modifier == "above":
        return text == wanted or wanted.startswith(text if text.endswith("/") else f"{text}/")
    return text == wanted or (kind == "reference" and "|" not in wanted and text.partition("|")[0] == wanted)


def _string(held: str, modifier: str, wanted: str) -> bool:
    if modifier == "exact":
        return held == wanted
    return folded(wanted) in folded(held) if modifier == "contains" else folded(held).startswith(folded(wanted))


def folded(text: str) -> str:
    """As FHIR compares strings: without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


def _token(held: Any, wanted: str) -> bool:
    """``code``, ``system|code``, ``|code`` (without system) or ``system|``."""
    system, bar, code = wanted.rpartition("|")
    if not isinstance(held, dict):
        text = str(held).lower() if isinstance(held, bool) else str(held)
        return text == code  # a code by itself: its system is what the element is bound to
    if "coding" in held:
        return any(_token(each, wanted) for each in held["coding"])
    value = held.get("code", held.get("value"))
    if not bar:
        return bool(value == code)
    if code and value != code:
        return False
    return held.get("system") == (system or None)


_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.+)", re.DOTALL)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
Span = tuple[datetime, datetime]


def span(text: str) -> Span:
    """The time that a date with or without month, day or time stands for: from, until (that excluded). Raises
    ValueError."""
    text = text.replace(" ", "+")
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    if len(text) == 4:
        year = datetime(int(text), 1, 1, tzinfo=UTC)
        return year, year.replace(year=year.year + 1)
    if len(text) == 7:
        month = datetime(int(text[:4]), int(text[5:]), 1, tzinfo=UTC)
        return month, (month + timedelta(days=32)).replace(day=1)
    at = datetime.fromisoformat(text)
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    if len(text) == 10:
        return at, at + timedelta(days=1)
    clock = text[11:].split("Z")[0].split("+")[0].split("-")[0]
    step = timedelta(minutes=1) if len(clock) == 5 else timedelta(seconds=1)
    return at, at + (timedelta(milliseconds=1) if "." in clock else step)


def asked_date(text: str) -> tuple[str, Span]:
    """Prefix and time of a value of a date parameter; raises ValueError."""
    found = _PREFIX.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found[1] or "eq", span(found[2])


def _date(held: Any, wanted: str) -> bool:
    prefix, (start, end) = asked_date(wanted)
    try:
        if isinstance(held, dict):
            first = span(held["start"])[0] if "start" in held else _FIRST
            last = span(held["end"])[1] if "end" in held else _LAST
        else:
            first, last = span(str(held))
    except ValueError:
        return False
    if prefix == "ap":
        start, end = start - timedelta(days=1), end + timedelta(days=1)
        return first < end and last > start
    within = start <= first and last <= end
    return {
        "eq": within,
        "ne": not within,
        "gt": last > end,
        "lt": first < start,
        "ge": last > end or within,
        "le": first < start or within,
        "sa": first >= end,
        "eb": last <= start,
    }[prefix]
