"""Read and search of the resources that are published: what matches, how much of it is shown, and the pages.

Sources: https://hl7.org/fhir/R5/search.html, https://hl7.org/fhir/R5/http.html#read. Resources are held in R5 form
and leave in the form of the endpoint. What matches is ordered by url, newest version first, so that pages never overlap
and a client that takes the first one found (HAPI does) has the newest.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from terminology import versions
from terminology.catalog import Catalog
from terminology.exchange import Pairs
from terminology.issues import Invalid, issue
from terminology.model import Issue, Json

Convert = Callable[[Json], Json]

SUBSETTED = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
    "display": "subsetted",
}

_SHARED = (
    "id meta implicitRules modifierExtension url identifier version versionAlgorithmString versionAlgorithmCoding "
    "name title status experimental date publisher contact useContext jurisdiction "
)


class Kind(NamedTuple):
    """A resource type that is read and searched: its summary elements and the elements it may not lack."""

    summary: frozenset[str]
    mandatory: frozenset[str]


def _kind(summary: str, mandatory: str) -> Kind:
    return Kind(frozenset((_SHARED + summary).split()), frozenset(mandatory.split()))


KINDS: Mapping[str, Kind] = {
    "CodeSystem": _kind(
        "effectivePeriod caseSensitive valueSet hierarchyMeaning compositional versionNeeded content supplements "
        "count filter property",
        "status content",
    ),
    "ValueSet": _kind("immutable effectivePeriod", "status"),
    "ConceptMap": _kind(
        "effectivePeriod property additionalAttribute sourceScopeUri sourceScopeCanonical targetScopeUri "
        "targetScopeCanonical",
        "status",
    ),
    "NamingSystem": _kind("kind effectivePeriod uniqueId", "name status kind date uniqueId"),
    "StructureDefinition": _kind(
        "keyword fhirVersion kind abstract context contextInvariant type baseDefinition derivation",
        "url name status kind abstract type",
    ),
    "OperationDefinition": _kind(
        "kind affectsState code base resource system type instance",
        "name status kind code system type instance",
    ),
}
"""https://hl7.org/fhir/R5/search.html#summary: elements marked as summary, by type."""


class SearchParameter(NamedTuple):
    """A search parameter: its FHIR type, and what it looks at (the element of its name; ``_id``: the id)."""

    type: str
    summary: str


PARAMETERS: Mapping[str, SearchParameter] = {
    "_id": SearchParameter("token", "The id of the resource"),
    "url": SearchParameter("uri", "The canonical url"),
    "version": SearchParameter("token", "The business version"),
    "name": SearchParameter("string", "The computer-friendly name"),
    "title": SearchParameter("string", "The human-friendly name"),
    "status": SearchParameter("token", "draft, active, retired or unknown"),
}
RESULT_PARAMETERS = ("_count", "_offset", "_summary", "_elements", "_total")
_KEPT = ("_format", "_pretty")
_MODIFIERS = {"token": ("", "not"), "uri": ("",), "string": ("", "exact", "contains")}
_COMMA, _ESCAPED = re.compile(r"(?<!\\),"), re.compile(r"\\([,|$\\])")
_SUMMARIES = ("true", "false", "text", "data", "count")


@dataclass(frozen=True, slots=True)
class View:
    """How much of a resource is shown."""

    summary: str = "false"
    elements: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return not self.elements and self.summary in ("false", "count")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a search; the values are alternatives."""

    name: str
    modifier: str
    values: tuple[str, ...]

    def matches(self, resource: Json) -> bool:
        held = resource.get("id" if self.name == "_id" else self.name)
        kind = PARAMETERS[self.name].type
        if kind == "string":
            text = _folded(str(held or ""))
            return held is not None and any(self._fits(str(held), text, value) for value in self.values)
        wanted = [value.rpartition("|")[2] if kind == "token" else value for value in self.values]
        return (held in wanted) != (self.modifier == "not")

    def _fits(self, held: str, folded: str, value: str) -> bool:
        if self.modifier == "exact":
            return held == value
        return _folded(value) in folded if self.modifier == "contains" else folded.startswith(_folded(value))


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was understood: what must hold, which page, how it is shown, which parameters counted."""

    terms: tuple[Term, ...]
    count: int
    offset: int
    view: View
    total: bool
    used: Pairs


def held(catalog: Catalog, kind: str, more: Iterable[Json] = ()) -> list[Json]:
    """All resources of a type (or their heads) by url, newest first; an upper layer hides the same id, or url and
    version."""
    by_id: dict[str, Json] = {}
    for identity, resource in catalog.listed(kind):
        by_id.setdefault(identity, resource)
    for resource in more:
        by_id.setdefault(resource["id"], resource)
    found: dict[tuple[str, str], Json] = {}
    for identity, resource in by_id.items():
        url = resource.get("url")
        found.setdefault((url, resource.get("version") or "") if url else ("", identity), resource)
    newest_first = sorted(found.values(), key=_age, reverse=True)
    return sorted(newest_first, key=lambda resource: resource.get("url") or "")


def _age(resource: Json) -> tuple[tuple[tuple[int, int, str], ...], str]:
    return versions.order(resource.get("version")), resource.get("id") or ""


# --- what was asked ----------------------------------------------------------------------------------------


def understood(kind: str, given: Pairs, *, strict: bool, count: int, limit: int) -> Search:
    """The search of a query string; raises Invalid with every reason. ``_count`` above ``limit`` is ``limit``."""
    reasons: list[Issue] = []
    terms, used = [], []
    for name, value in given:
        base, _, modifier = name.partition(":")
        if base in PARAMETERS:
            if term := _term(base, modifier, value, kind, reasons):
                terms.append(term)
                used.append((name, value))
        elif strict and name not in (*RESULT_PARAMETERS, *_KEPT):
            reasons.append(_unknown(kind, name))
    shown = view(given, reasons)
    size = min(_number(given, "_count", count, reasons), limit)
    offset = _number(given, "_offset", 0, reasons)
    if reasons:
        raise Invalid(*reasons)
    used += [(name, value) for name, value in given if name in ("_summary", "_elements", "_total", *_KEPT)]
    total = dict(given).get("_total") != "none"
    return Search(tuple(terms), 0 if shown.summary == "count" else size, offset, shown, total, tuple(used))


def _term(name: str, modifier: str, value: str, kind: str, reasons: list[Issue]) -> Term | None:
    allowed = _MODIFIERS[PARAMETERS[name].type]
    if modifier not in allowed:
        named = ", ".join(f"{name}:{each}" if each else name for each in allowed)
        reasons.append(issue("OWN_UNKNOWN_SEARCH_PARAMETER", f"{name}:{modifier}", kind, named, at=name))
        return None
    values = tuple(_ESCAPED.sub(r"\1", part) for part in _COMMA.split(value) if part)
    return Term(name, modifier, values) if values else None


def _unknown(kind: str, name: str) -> Issue:
    known = (*PARAMETERS, *RESULT_PARAMETERS)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f". Did you mean '{near[0]}'?" if near else ""
    return issue("OWN_UNKNOWN_SEARCH_PARAMETER", name, kind, ", ".join(known) + hint, at=name)


def view(given: Pairs, reasons: list[Issue]) -> View:
    """``_summary`` and ``_elements``; what is wrong with them is added to ``reasons``."""
    values = dict(given)
    summary = values.get("_summary") or "false"
    if summary not in _SUMMARIES:
        wanted = "one of " + ", ".join(_SUMMARIES)
        reasons.append(issue("OWN_WRONG_TYPE", "_summary", wanted, repr(summary[:60]), at="_summary"))
    named = (values.get("_elements") or "").split(",")
    return View(summary, tuple(part.strip().rpartition(".")[2] for part in named if part.strip()))


def _number(given: Pairs, name: str, default: int, reasons: list[Issue]) -> int:
    text = dict(given).get(name)
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    reasons.append(issue("OWN_WRONG_TYPE", name, "a whole number from 0", repr(text[:60]), at=name))
    return default


def _folded(text: str) -> str:
    """As FHIR compares strings: without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


# --- what is answered --------------------------------------------------------------------------------------


def searched(
    kind: str,
    search: Search,
    resources: Sequence[Json],
    convert: Convert,
    base: str,
    show: Callable[[Json, View], Json] | None = None,
) -> Json:
    """The searchset Bundle of a search; ``base`` is the endpoint's address, ``show`` gives what a View shows of the
    resource of a head (else the head is the resource)."""
    matching = [each for each in resources if all(term.matches(each) for term in search.terms)]
    page = matching[search.offset : search.offset + search.count]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if search.total:
        bundle["total"] = len(matching)
    bundle["link"] = list(_links(f"{base}/{kind}", search, len(matching)))
    if page:
        shown = [show(each, search.view) if show else cut(each, search.view, convert) for each in page]
        bundle["entry"] = [_entry(each, f"{base}/{kind}") for each in shown]
    return bundle


def _entry(resource: Json, address: str) -> Json:
    return {"fullUrl": f"{address}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}


def _links(address: str, search: Search, total: int) -> Iterator[Json]:
    def link(relation: str, offset: int) -> Json:
        place = (("_offset", str(offset)),) if offset else ()
        query = urlencode([*search.used, ("_count", str(search.count)), *place], safe=":/|$,")
        return {"relation": relation, "url": f"{address}?{query}"}

    count, offset = search.count, search.offset
    yield link("self", offset)
    if not count:
        return
    yield link("first", 0)
    if offset > 0:
        yield link("previous", max(min(offset, total) - count, 0))
    if offset + count < total:
        yield link("next", offset + count)
    yield link("last", max(total - 1, 0) // count * count)


def cut(resource: Json, shown: View, convert: Convert) -> Json:
    """What a View shows of a resource, converted; a part of it is tagged SUBSETTED."""
    if shown.whole:
        return convert(resource)
    kind = resource["resourceType"]
    if shown.elements:
        return _kept(convert(resource), {*shown.elements, *KINDS[kind].mandatory, "id", "meta"})
    if shown.summary == "text":
        return convert(_kept(resource, {"id", "meta", "text", *KINDS[kind].mandatory}))
    if shown.summary == "data":
        return convert(_kept(resource, resource.keys() - {"text"}))
    return convert(_kept(resource, KINDS[kind].summary))


def _kept(resource: Json, names: Iterable[str]) -> Json:
    wanted = {"resourceType", *names}
    kept = {key: value for key, value in resource.items() if key.removeprefix("_") in wanted}
    meta = kept.pop("meta", {})
    head: Json = {key: kept.pop(key) for key in ("resourceType", "id") if key in kept}
    return {**head, "meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}, **kept}
