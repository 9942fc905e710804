"""What a person may write for a code system or value set: url, id, name, alias, or last part of the url.

An id or name that belongs to one version names that version: ``cpt-2012`` is ``http://www.ama-assn.org/go/cpt|2012``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from terminology.catalog import Catalog
from terminology.frozen import dataclass
from terminology.model import Canonical, CodeSystemProvider, Query

Named = tuple[str, Canonical]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The canonical that a text names; without one, those it may have meant: several fit, or some are near."""

    canonical: Canonical | None
    candidates: tuple[str, ...] = ()
    ambiguous: bool = False


def code_system(catalog: Catalog, text: str) -> Resolved:
    """The code system that ``text`` or ``text|version`` names; an url that nobody holds is left as it is."""
    wanted = Canonical.parse(text)
    if wanted.url in catalog.urls():
        return Resolved(wanted)
    if target := catalog.alias(wanted.url) or catalog.alias(f"urn:oid:{wanted.url}"):
        return Resolved(Canonical(target, wanted.version))
    editions = (each.info for url in catalog.urls() for each in catalog.editions(url))
    names = ((info.name, info.canonical) for info in editions if info.name)
    return _resolved(wanted, _ids(catalog, "CodeSystem", catalog.urls()), names)


def value_set(catalog: Catalog, text: str) -> Resolved:
    """The value set that ``text`` or ``text|version`` names; an url that nobody holds is left as it is."""
    wanted = Canonical.parse(text)
    if catalog.value_set(wanted.url) is not None:
        return Resolved(wanted)
    held = [each.info for each in catalog.all_value_sets()]
    names = ((info.name, info.canonical) for info in held if info.name)
    return _resolved(wanted, _ids(catalog, "ValueSet", {info.canonical.url for info in held}), names)


def code_system_candidates(catalog: Catalog, begun: str) -> list[str]:
    """Short names and urls of code systems that begin so."""
    return _beginning(begun, {text for url in catalog.urls() for text in (url, _last(url))})


def value_set_candidates(catalog: Catalog, begun: str) -> list[str]:
    """Short names and urls of value sets that begin so."""
    urls = {held.info.canonical.url for held in catalog.all_value_sets()}
    return _beginning(begun, {text for url in urls for text in (url, _last(url))})


def code_candidates(provider: CodeSystemProvider, begun: str, most: int = 50) -> list[tuple[str, str | None]]:
    """Codes that begin so, with their display; none of a code system that cannot be listed."""
    if not provider.info.enumerable:
        return []
    found = (concept for concept in provider.select(Query()) if concept.code.startswith(begun))
    return [(concept.code, concept.display) for concept in islice(found, most)]


def _resolved(wanted: Canonical, ids: Iterable[Named], names: Iterable[Named]) -> Resolved:
    """What the text names: an id or last part of an url before a name, since names are less distinct."""
    if ":" in wanted.url:
        return Resolved(wanted)
    held: list[Named] = []
    for named in (ids, names):
        tier = list(named)
        held += tier
        meant = {canonical for text, canonical in tier if _plain(text) == _plain(wanted.url)}
        urls = sorted({canonical.url for canonical in meant})
        if len(urls) == 1:
            versions = {canonical.version for canonical in meant}
            stated = wanted.version or (versions.pop() if len(versions) == 1 else None)
            return Resolved(Canonical(urls[0], stated))
        if urls:
            return Resolved(None, tuple(urls), ambiguous=True)
    near = difflib.get_close_matches(_plain(wanted.url), {_plain(text) for text, _ in held}, 3, 0.5)
    return Resolved(None, tuple(dict.fromkeys(found.url for text, found in held if _plain(text) in near)))


def _ids(catalog: Catalog, kind: str, urls: set[str]) -> Iterator[Named]:
    """Last parts of urls, and ids of resources; ``icd-10-pcs-2025`` of version 2025 also without its version."""
    yield from ((_last(url), Canonical(url)) for url in urls)
    for layer in catalog.layers():
        for identity, resource in layer.resources.get(kind, {}).items():
            url, version = resource.get("url"), resource.get("version")
            if url in urls:
                yield identity, Canonical(url, version)
                if version and identity.endswith(f"-{version}"):
                    yield identity.removesuffix(f"-{version}"), Canonical(url)


def _beginning(begun: str, texts: Iterable[str]) -> list[str]:
    return sorted(text for text in texts if text.lower().startswith(begun.lower()))


def _last(url: str) -> str:
    """The last part of an url or urn: ``http://www.ama-assn.org/go/cpt`` is ``cpt``."""
    return re.split(r"[/:]", url.rstrip("/"))[-1]


def _plain(text: str) -> str:
    """A name without what does not matter in it, case and punctuation: ``ICD10PCS`` is ``icd-10-pcs``."""
    return text if ":" in text else re.sub(r"[^a-z0-9]", "", text.lower())
