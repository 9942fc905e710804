"""Mirroring another FHIR server: its terminology resources, searched page by page, imported like a file of them.

Sources: https://hl7.org/fhir/R4/search.html, https://hl7.org/fhir/http.html#paging. What is fetched is kept until it is
loaded (``pages``), so that a pull can be killed and run again. What the other server deleted stays here. A page, or an
entry of one, that is no strict JSON is refused with its address; the others come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from terminology.frozen import dataclass
from terminology.importing.fhir import KINDS, items, version_of
from terminology.importing.format import Format, Kept, Loaded, Refusals, Source
from terminology.importing.pages import Pages, pages
from terminology.importing.run import Progress, Report, load
from terminology.issues import Invalid, NotSupported, Refusal, TooLarge, issue, text
from terminology.model import FhirVersion, Json
from terminology.outgoing import Gone, Origin, printable
from terminology.storage.library import Change, Library
from terminology.wire import json_text, salvage
from terminology.wire.malformed import Malformed
from terminology.wire.r4 import from_r4

BODY = 64 << 20
"""Most bytes of a page."""
TOTAL = 8 << 30
"""Most bytes of all pages."""
MOST = 20_000
"""Most pages of a type."""
LISTED = 1_000
REFUSED = "terminology-refused"
"""The key of an entry that stands, in a page that is kept, for what could not be used of it: why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. ``since``: only what changed since then, where the server knows ``_lastUpdated``."""

    kinds: tuple[str, ...] = KINDS
    since: str | None = None
    fhir: FhirVersion | None = None
    count: int = 100

    def search(self, base: str, kind: str) -> str:
        stated = {"_count": str(self.count)} | ({"_lastUpdated": f"ge{self.since}"} if self.since else {})
        return f"{base}/{kind}?{urlencode(stated)}"


@dataclass(frozen=True, slots=True)
class Telling:
    """Where a pull says how far it is: after a page (type, pages, resources), and while it loads."""

    page: Callable[[str, int, int], None] = lambda _kind, _pages, _resources: None
    loading: Callable[[Progress], None] = lambda _: None


def source_of(base: str) -> Source:
    """What will be imported, before it was fetched; it collects what is left out and why."""
    return Source(Path(urlsplit(base).hostname or base), "pull", refusals=Refusals(most=LISTED))


def pull(
    origin: Origin,
    wanted: Wanted,
    library: Library,
    source: Source,
    *,
    dry_run: bool = False,
    anew: bool = False,
    telling: Telling = Telling(),
) -> Report:
    """Fetches and loads; raises Refusal when the server cannot be read or nothing could be used."""
    request = "\n".join((origin.base, ",".join(wanted.kinds), wanted.since or "", wanted.fhir or "", str(wanted.count)))
    if origin.plain:
        source.note("OWN_PULL_PLAIN", origin.base)
    with pages(library, request, origin.base) as held:
        if anew:
            held.drop()
        fhir, offered = _capabilities(origin, wanted)
        for kind in wanted.kinds:
            if kind in offered:
                _Fetching(origin, wanted, held, source, telling).fetch(kind)
            else:
                source.note("OWN_PULL_NO_TYPE", origin.base, kind)
        form = Format(
            "pull", f"the resources of {origin.base}", lambda _: _read(held, origin, source, fhir), (), "real"
        )
        entries = [entry for page in held for entry in _entries(json_text.read(held.read(page)), page.kind)]
        if entries and all(_of_page(entry) for entry in entries):
            held.drop()
            raise Invalid(issue("OWN_PULL_NOT_FHIR", entries[0]["page"], "Bundle", entries[0][REFUSED]))
        if not entries:
            return Report((), Change(), notes=tuple(text(note) for note in source.notes))
        return load(form, source, library, dry_run=dry_run, show=telling.loading)


def _capabilities(origin: Origin, wanted: Wanted) -> tuple[FhirVersion, frozenset[str]]:
    """The FHIR version of the server, and the types that it searches; where it says nothing of those, all."""
    url = f"{origin.base}/metadata"
    try:
        found = _resource(origin.get(url, BODY), "CapabilityStatement", url)
    except Refusal:
        if wanted.fhir is None:
            raise
        return wanted.fhir, frozenset(wanted.kinds)
    fhir = wanted.fhir or version_of(found.get("fhirVersion"))
    if fhir is None:
        raise NotSupported(issue("OWN_PULL_VERSION", origin.base, printable(str(found.get("fhirVersion")))))
    offered = {
        str(each.get("type"))
        for rest in _dicts(found.get("rest"))
        for each in _dicts(rest.get("resource"))
        if any(one.get("code") == "search-type" for one in _dicts(each.get("interaction")))
    }
    return fhir, frozenset(offered or wanted.kinds)


def _resource(body: bytes, kind: str, url: str) -> Json:
    try:
        found = json_text.read(body)
    except Malformed as wrong:
        raise Invalid(issue("OWN_PULL_NOT_FHIR", url, kind, wrong)) from wrong
    if found.get("resourceType") != kind:
        named = printable(str(found.get("resourceType"))[:80])
        raise Invalid(issue("OWN_PULL_NOT_FHIR", url, kind, f"its resourceType is {named}"))
    return found


def _dicts(found: Any) -> Iterable[Json]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


# --- fetching --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Fetching:
    """The pages of one type after the other."""

    origin: Origin
    wanted: Wanted
    held: Pages
    source: Source
    telling: Telling
    size: int = 0

    def fetch(self, kind: str) -> None:
        """All pages of a type; those that an earlier run fetched are not asked for again."""
        known = self.held.of(kind)
        self.size = self.held.size
        try:
            self._follow(kind, known[-1].next if known else self.wanted.search(self.origin.base, kind))
        except Gone:
            if not known:
                raise
            self.source.note("OWN_PULL_GONE_STALE", self.origin.base, kind)
            self.held.drop(kind)
            self._follow(kind, self.wanted.search(self.origin.base, kind))

    def _follow(self, kind: str, url: str | None) -> None:
        seen = {page.url for page in self.held.of(kind)}
        number = 0
        while url is not None:
            if url in seen:
                raise Invalid(issue("OWN_PULL_LOOP", self.origin.base, url))
            if len(seen) >= MOST:
                raise TooLarge(issue("OWN_PULL_TOO_MUCH", f"{self.origin.base}/{kind}", f"{MOST} pages"))
            seen.add(url)
            bundle = _page(self.origin.get(url, BODY), url)
            number += self._whole(bundle, kind)
            following = self._next(bundle, url)
            body = json_text.write(bundle)
            self.size += len(body)
            if self.size > TOTAL:
                raise TooLarge(issue("OWN_PULL_TOO_MUCH", self.origin.base, f"{TOTAL} bytes"))
            self.held.add(kind, url, body, following)
            self.telling.page(kind, len(seen), number)
            url = following

    def _next(self, bundle: Json, url: str) -> str | None:
        for link in _dicts(bundle.get("link")):
            if link.get("relation") == "next" and isinstance(link.get("url"), str):
                return self.origin.within(link["url"], url)
        return None

    def _whole(self, bundle: Json, kind: str) -> int:
        """How many resources the page has; one that a search shows in part is read, since that may give all of it."""
        found = _entries(bundle, kind)
        for entry in found:
            resource = entry.get("resource")
            if isinstance(resource, dict) and _subsetted(resource) and isinstance(resource.get("id"), str):
                url = f"{self.origin.base}/{kind}/{resource['id']}"
                try:
                    entry["resource"] = _resource(self.origin.get(url, BODY), kind, url)
                except (Invalid, Gone, TooLarge):
                    continue
        return len(found)


def _page(body: bytes, url: str) -> Json:
    """The Bundle in a page; where it is none, or no strict JSON, an entry stands for what cannot be used."""
    try:
        return _resource(body, "Bundle", url)
    except Invalid:
        try:
            found = salvage.read(body)
        except Malformed as wrong:
            why = f"{wrong}; the pages after it could not be found"
            return {"resourceType": "Bundle", "entry": [_refused(why, page=url)]}
        return _salvaged(found, url)


def _salvaged(found: salvage.Salvaged, url: str) -> Json:
    """The sound entries of a page, and its links; nothing of a page that is itself in doubt but where it goes on."""
    spoiled = found.value if isinstance(found.value, salvage.Spoiled) else None
    bundle = spoiled.value if spoiled else found.value
    named = bundle.get("resourceType") if isinstance(bundle, dict) else None
    links = [link for link in _dicts(bundle.get("link")) if not salvage.trouble(link)] if named == "Bundle" else []
    why = spoiled.reason if spoiled else "something follows its end" if found.rest else None
    if named != "Bundle":
        why = f"its resourceType is {printable(str(named)[:80])}"
    if why:
        return {"resourceType": "Bundle", "link": links, "entry": [_refused(why, page=url)]}
    stated = bundle.get("entry")
    entries = [
        _refused(why, place=f"{url} entry {number}") if (why := salvage.trouble(each)) else each
        for number, each in enumerate(stated if isinstance(stated, list) else (), 1)
    ]
    return {"resourceType": "Bundle", "link": links, "entry": entries}


def _refused(why: str, **where: str) -> Json:
    return {REFUSED: printable(why), **where}


def _of_page(entry: Json) -> bool:
    """True for what stands for a whole page."""
    return REFUSED in entry and "page" in entry


def _entries(bundle: Json, kind: str) -> list[Json]:
    """The entries that answer the search: not outcomes, and not what was included beside them."""
    found = []
    for entry in _dicts(bundle.get("entry")):
        search, resource = entry.get("search"), entry.get("resource")
        mode = search.get("mode") if isinstance(search, dict) else None
        named = resource.get("resourceType") if isinstance(resource, dict) else None
        if mode in (None, "match") and named in (None, kind):
            found.append(entry)
    return found


def _subsetted(resource: Json) -> bool:
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return any(tag.get("code") == "SUBSETTED" for tag in _dicts(tags))


# --- reading what was fetched ----------------------------------------------------------------------------------


def _read(held: Pages, origin: Origin, source: Source, fhir: FhirVersion) -> Iterator[Loaded | Kept]:
    """The resources of all pages, in R5 form. One that cannot be used is refused with its place."""
    for page in held:
        bundle = json_text.read(held.read(page))
        for said in _outcomes(bundle):
            source.note("OWN_PULL_OUTCOME", origin.base, said)
        for number, entry in enumerate(_entries(bundle, page.kind), 1):
            resource = entry.get("resource")
            if REFUSED in entry:
                place = printable(str(entry.get("page") or entry.get("place")))
                source.refuse(place, "OWN_ROW_NOT_STRICT", printable(str(entry[REFUSED])))
                continue
            if not isinstance(resource, dict) or resource.get("resourceType") != page.kind:
                source.refuse(printable(f"{page.url} entry {number}"), "OWN_ROW_NOT_A_RESOURCE")
                continue
            yield from _used(source, resource, origin, fhir)


def _used(source: Source, resource: Json, origin: Origin, fhir: FhirVersion) -> Iterator[Loaded | Kept]:
    named = resource.get("url") or resource.get("id")
    place = printable(f"{resource['resourceType']} {named}|{resource.get('version') or ''}").rstrip("|")
    if _subsetted(resource):
        source.refuse(place, "OWN_ROW_SUBSETTED")
        return
    for item in items(source, place, from_r4(resource) if fhir == "R4" else resource):
        yield replace(item, source=origin.base)


def _outcomes(bundle: Json) -> Iterator[str]:
    for entry in _dicts(bundle.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome":
            for found in _dicts(resource.get("issue")):
                details = found.get("details")
                said = found.get("diagnostics") or (details.get("text") if isinstance(details, dict) else None)
                if said and found.get("severity") != "information":
                    yield printable(str(said))[:300]
