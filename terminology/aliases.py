"""Other names of code systems (OIDs, old urls): which system one means, and what an answer tells of it.

NamingSystems and the identifiers of CodeSystems state the names (``Catalog.namings``). Where two state one name of
different systems none is chosen. Whatever answers names the url of the code system; what was sent is told beside it.
"""

from __future__ import annotations

from dataclasses import replace

from terminology.catalog import Catalog, Scope
from terminology.conceptset import leaves, reselected
from terminology.issues import issue
from terminology.model import Coding, Issue, Select, ValueSet


def meant(url: str, scope: Scope) -> str:
    """The url of the code system that ``url`` names: itself, or that of the known system of which it is another
    name."""
    return _held(url, scope.catalog) or url


def settled(coding: Coding, scope: Scope) -> tuple[Coding, tuple[Issue, ...]]:
    """A coding with the url of its system; where another name was sent, what to tell of that."""
    system = coding.system or ""
    url = _held(system, scope.catalog)
    return (replace(coding, system=url), (told(system, url),)) if url else (coding, ())


def told(sent: str, url: str, at: str = "system") -> Issue:
    """What to tell where another name of a code system was sent."""
    return issue("OWN_OTHER_NAME", sent, url, at=at)


def same(one: str | None, other: str | None, scope: Scope) -> bool:
    """Whether two names are those of one code system, which need not be known here (maps name what they like)."""
    if one == other:
        return True
    return bool(one and other) and _named(one or "", scope.catalog) == _named(other or "", scope.catalog)


def _named(url: str, catalog: Catalog) -> str:
    return catalog.alias(url) or url


def _held(url: str, catalog: Catalog) -> str | None:
    """The url of the code system of which ``url`` is another name, where that system can answer."""
    named = catalog.alias(url)
    return named if named and catalog.code_system(named) else None


# --- value sets -----------------------------------------------------------------------------------------------


def unaliased(value_set: ValueSet, scope: Scope) -> ValueSet:
    """The value set with the urls of the code systems that its author named otherwise."""
    systems = {leaf.system.url for leaf in leaves(value_set.concepts) if isinstance(leaf, Select)}
    urls = {system: url for system in systems if (url := _held(system, scope.catalog))}
    if not urls:
        return value_set
    return replace(value_set, concepts=reselected(value_set.concepts, lambda select: _renamed(select, urls)))


def _renamed(select: Select, urls: dict[str, str]) -> Select:
    sent = select.system.url
    return replace(select, system=replace(select.system, url=urls[sent]), alias=sent) if sent in urls else select
