"""Read and search of resources: what matches, how much of it is shown, and the pages.

Sources: https://hl7.org/fhir/R5/search.html, https://hl7.org/fhir/R5/http.html#read. Resources are held in R5 form
and leave in the form of the endpoint. What matches is ordered by url, newest version first, so that pages never overlap
and a client that takes the first one found (HAPI does) has the newest.
"""

from __future__ import annotations

import difflib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlencode

from terminology import aliases, versions
from terminology.catalog import Catalog
from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import Issue, Json
from terminology.rest import search_parameters
from terminology.rest.exchange import Pairs

Convert = Callable[[Json], Json]
Place = tuple[str, ...]
"""The keys of a resource in an order: those of ``_sort``, then url, version and id."""

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


PARAMETERS = search_parameters.SHARED
"""The parameters that every type has."""
RESULT_PARAMETERS = ("_count", "_sort", "_offset", "_after", "_before", "_summary", "_elements", "_total")
_KEPT = ("_format", "_pretty")
_MODIFIERS = {
    "token": ("", "not", "missing"),
    "uri": ("", "below", "above", "missing"),
    "string": ("", "exact", "contains", "missing"),
    "reference": ("", "missing"),
    "date": ("", "missing"),
}
_INDEXED_MODIFIERS = ("", "not")
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

    kind: str
    name: str
    modifier: str
    values: tuple[str, ...]

    @property
    def indexed(self) -> bool:
        return search_parameters.indexed(self.kind, self.name)

    def matches(self, resource: Json) -> bool:
        """For a term that is not indexed."""
        parameter = search_parameters.of(self.kind)[self.name]
        held = search_parameters.values(resource, parameter)
        if self.modifier == "missing":
            return (not held) == (self.values[0] == "true")
        kind, modifier = parameter.type, "" if self.modifier == "not" else self.modifier
        found = any(search_parameters.fits(each, kind, modifier, value) for each in held for value in self.values)
        return found != (self.modifier == "not")


@dataclass(frozen=True, slots=True)
class Order:
    """One key of ``_sort``."""

    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was understood: what must hold, which page, how it is shown, which parameters counted. ``after``
    and ``before`` are the place of a page: the keys of the resource that it follows, or that follows it."""

    terms: tuple[Term, ...]
    count: int
    offset: int
    view: View
    total: bool
    used: Pairs
    order: tuple[Order, ...] = ()
    after: Place | None = None
    before: Place | None = None


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
    known = search_parameters.of(kind)
    for name, value in given:
        base, _, modifier = name.partition(":")
        if base in known:
            if term := _term(base, modifier, value, kind, reasons):
                terms.append(term)
                used.append((name, value))
        elif strict and name not in (*RESULT_PARAMETERS, *_KEPT):
            reasons.append(_unknown(kind, name))
    shown = view(given, reasons)
    size = min(_number(given, "_count", count, reasons), limit)
    offset = _number(given, "_offset", 0, reasons)
    order = tuple(_order(kind, given, reasons, strict=strict))
    places = [_place(given, name, len(order), reasons) for name in ("_after", "_before")]
    if reasons:
        raise Invalid(*reasons)
    used += [(name, value) for name, value in given if name in ("_summary", "_elements", "_total", *_KEPT)]
    if order:
        used.append(("_sort", ",".join(f"{'-' if each.descending else ''}{each.name}" for each in order)))
    total = dict(given).get("_total") != "none"
    size = 0 if shown.summary == "count" else size
    return Search(tuple(terms), size, offset, shown, total, tuple(used), order, *places)


def _order(kind: str, given: Pairs, reasons: list[Issue], *, strict: bool) -> Iterator[Order]:
    known = search_parameters.of(kind)
    for part in (dict(given).get("_sort") or "").split(","):
        name = part.strip().removeprefix("-")
        if name in known and not search_parameters.indexed(kind, name):
            yield Order(name, part.strip().startswith("-"))
        elif name and strict:
            reasons.append(_unknown(kind, f"_sort={name}"))


def _place(given: Pairs, name: str, keys: int, reasons: list[Issue]) -> Place | None:
    text = dict(given).get(name)
    if not text:
        return None
    try:
        found = json.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        if isinstance(found, list) and len(found) == keys + 3 and all(isinstance(each, str) for each in found):
            return tuple(found)
    except ValueError:
        pass
    reasons.append(issue("OWN_WRONG_TYPE", name, "what a link of a page says", repr(text[:60]), at=name))
    return None


def _term(name: str, modifier: str, value: str, kind: str, reasons: list[Issue]) -> Term | None:
    kind_of_value = search_parameters.of(kind)[name].type
    allowed = _INDEXED_MODIFIERS if search_parameters.indexed(kind, name) else _MODIFIERS[kind_of_value]
    if modifier not in allowed:
        named = ", ".join(f"{name}:{each}" if each else name for each in allowed)
        reasons.append(issue("OWN_UNKNOWN_SEARCH_PARAMETER", f"{name}:{modifier}", kind, named, at=name))
        return None
    values = tuple(_ESCAPED.sub(r"\1", part) for part in _COMMA.split(value) if part)
    if modifier == "missing" and values not in (("true",), ("false",)):
        reasons.append(issue("OWN_WRONG_TYPE", f"{name}:missing", "true or false", repr(value[:60]), at=name))
    elif kind_of_value == "date" and modifier != "missing":
        for each in values:
            try:
                search_parameters.asked_date(each)
            except ValueError:
                wanted = "a date such as 2026, 2026-11-23 or ge2026-11-23T17:00:00Z"
                reasons.append(issue("OWN_WRONG_TYPE", name, wanted, repr(each[:60]), at=name))
    return Term(kind, name, modifier, values) if values else None


def _unknown(kind: str, name: str) -> Issue:
    known = (*search_parameters.of(kind), *RESULT_PARAMETERS)
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


def unaliased(search: Search, catalog: Catalog) -> tuple[Search, tuple[Issue, ...]]:
    """The search with the urls of the CodeSystems that are asked for by another name, and what to tell of that."""
    told: list[Issue] = []
    terms = tuple(_unaliased(term, catalog, told) for term in search.terms)
    return (replace(search, terms=terms), tuple(told)) if told else (search, ())


def _unaliased(term: Term, catalog: Catalog, told: list[Issue]) -> Term:
    if (term.kind, term.modifier) != ("CodeSystem", "") or term.name not in ("url", "system"):
        return term
    urls = {value: url for value in term.values if (url := catalog.alias(value))}
    told += (aliases.told(value, url, at=term.name) for value, url in urls.items())
    return replace(term, values=(*term.values, *urls.values()))


# --- what is answered --------------------------------------------------------------------------------------


def searched(
    kind: str,
    search: Search,
    resources: Sequence[Json],
    convert: Convert,
    base: str,
    show: Callable[[Json, View], Json] | None = None,
    matches: Callable[[Json], bool] | None = None,
) -> Json:
    """The searchset Bundle of a search; ``base`` is the endpoint's address, ``show`` gives what a View shows of the
    resource of a head (else the head is the resource), ``matches`` says what is found (else the terms do)."""
    matching = [each for each in resources if matches(each)] if matches else _matching(search, resources)
    ordered, keys = _ordered(kind, search, matching)
    start = _start(search, keys)
    page = ordered[start : start + search.count]
    bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
    if search.total:
        bundle["total"] = len(matching)
    bundle["link"] = list(_links(f"{base}/{kind}", search, keys, start))
    if page:
        shown = [show(each, search.view) if show else cut(each, search.view, convert) for each in page]
        bundle["entry"] = [_entry(each, f"{base}/{kind}") for each in shown]
    return bundle


def with_outcome(bundle: Json, outcome: Json) -> Json:
    """A searchset with an OperationOutcome that tells of the search (https://hl7.org/fhir/R5/search.html#entries)."""
    return {**bundle, "entry": [*bundle.get("entry", ()), {"resource": outcome, "search": {"mode": "outcome"}}]}


def _entry(resource: Json, address: str) -> Json:
    return {"fullUrl": f"{address}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}


def _matching(search: Search, resources: Sequence[Json]) -> list[Json]:
    return [each for each in resources if all(term.matches(each) for term in search.terms)]


def _links(address: str, search: Search, keys: Sequence[Key], start: int) -> Iterator[Json]:
    """Pages are named by the resource that they follow, so that what is written meanwhile moves none of them."""

    def link(relation: str, *place: tuple[str, str]) -> Json:
        query = urlencode([*search.used, ("_count", str(search.count)), *place], safe=":/|$,")
        return {"relation": relation, "url": f"{address}?{query}"}

    count, total = search.count, len(keys)
    at = [(name, token) for name, token in (("_after", search.after), ("_before", search.before)) if token]
    here = [(name, _token(place)) for name, place in at] or ([("_offset", str(start))] if start else [])
    yield link("self", *here)
    if not count:
        return
    yield link("first")
    if 0 < start <= total and start < total:
        yield link("previous", ("_before", _token(keys[start].place)))
    elif start and total:
        yield link("previous", ("_offset", str(max(total - count, 0))))
    if start + count < total:
        yield link("next", ("_after", _token(keys[start + count - 1].place)))
    last = max(total - 1, 0) // count * count
    yield link("last", *([("_offset", str(last))] if last else []))


def _token(place: Place) -> str:
    return urlsafe_b64encode(json.dumps(place, ensure_ascii=False, separators=(",", ":")).encode()).decode().rstrip("=")


# --- the order -----------------------------------------------------------------------------------------------


class Key:
    """Where a resource stands: by the keys of ``_sort``, then by url, newest version first, then by id."""

    __slots__ = ("_parts", "place")

    def __init__(self, order: Sequence[Order], place: Place) -> None:
        self.place = place
        *keys, url, version, identity = place
        parts: list[tuple[Any, bool]] = [
            ((key == "", key), each.descending and key != "") for each, key in zip(order, keys, strict=True)
        ]
        self._parts = (*parts, (url, False), ((versions.order(version), identity), True))

    def __lt__(self, other: Key) -> bool:
        for (mine, descending), (theirs, _) in zip(self._parts, other._parts, strict=True):
            if mine != theirs:
                return bool(theirs < mine if descending and _both(mine, theirs) else mine < theirs)
        return False


def _both(mine: Any, theirs: Any) -> bool:
    """What has no value comes last in either direction."""
    return not (isinstance(mine[0], bool) and (mine[0] or theirs[0]))


def _ordered(kind: str, search: Search, matching: list[Json]) -> tuple[list[Json], list[Key]]:
    made = [(Key(search.order, _place_of(kind, search.order, each)), each) for each in matching]
    made.sort(key=lambda each: each[0])
    return [each for _, each in made], [key for key, _ in made]


def _place_of(kind: str, order: Sequence[Order], resource: Json) -> Place:
    known = search_parameters.of(kind)
    keys = [_sorted_by(resource, known[each.name], descending=each.descending) for each in order]
    return (*keys, resource.get("url") or "", resource.get("version") or "", resource.get("id") or "")


def _sorted_by(resource: Json, parameter: search_parameters.SearchParameter, *, descending: bool) -> str:
    found = [_sortable(each, parameter.type) for each in search_parameters.values(resource, parameter)]
    return (max(found) if descending else min(found)) if found else ""


def _sortable(value: Any, kind: str) -> str:
    if isinstance(value, dict):
        value = next((value[name] for name in ("start", "code", "value", "text") if name in value), "")
    if kind == "date" and value:
        try:
            return search_parameters.span(str(value))[0].isoformat(timespec="microseconds")
        except ValueError:
            return ""
    return search_parameters.folded(str(value))


def _start(search: Search, keys: Sequence[Key]) -> int:
    """The index at which a page begins."""
    if search.after is not None:
        return bisect_right(keys, Key(search.order, search.after))
    if search.before is not None:
        return max(bisect_left(keys, Key(search.order, search.before)) - search.count, 0)
    return search.offset


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
