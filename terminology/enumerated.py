"""Membership in a value set as data: whoever holds the list of what is in need not ask about each code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from terminology import aliases
from terminology.catalog import Scope
from terminology.conceptset import leaves
from terminology.expansion import Trail, members
from terminology.frozen import dataclass
from terminology.issues import Refusal
from terminology.model import CodeSystemProvider, Import, Select, ValueSet
from terminology.resolution import edition, imported

Code = tuple[str, str]
"""The url of a code system, and a code."""


@dataclass(frozen=True, slots=True)
class Enumerated:
    """Every code that is in, under each name of its code system, and the codes that are one of one system only: of
    these the system can be inferred. No other code is in, whatever its system."""

    codes: frozenset[Code]
    inferred: frozenset[str]


def enumerated(value_set: ValueSet, scope: Scope, most: int) -> Enumerated | None:
    """What ``among`` says of codes without a version. ``scope`` is that of ``prepare``.

    None where no list says it: of more than ``most`` codes, on a date, where a code system is unknown, makes codes by
    rules or does not tell them by their case, and where several versions of one meet: which answers differs by code.
    """
    if scope.on or not scope.abstract:
        return None
    try:
        asked = [(select, edition(select, inside).provider) for select, inside in _selects(value_set, scope)]
        listed = list(islice(members(value_set, scope, Trail()), most + 1))
    except Refusal:
        return None
    editions = {each.info.canonical for _, each in asked if each}
    if len(listed) > most or len({each.url for each in editions}) < len(editions):
        return None
    if not all(provider and _told_by_a_list(select, provider, scope) for select, provider in asked):
        return None
    codes = {(member.canonical.url, member.concept.code) for member in listed}
    met = Counter(code for _, code in codes)
    names = _names({url for url, _ in codes}, scope)
    return Enumerated(
        frozenset((name, code) for url, code in codes for name in names[url]),
        frozenset(code for code, systems in met.items() if systems == 1),
    )


def _selects(value_set: ValueSet, scope: Scope) -> Iterator[tuple[Select, Scope]]:
    """What is chosen of code systems, here and in imported value sets, and the scope to read it in."""
    for leaf in leaves(value_set.concepts):
        if isinstance(leaf, Import):
            inner = imported(leaf, value_set, scope)
            yield from _selects(inner.value_set, inner.scope)
        else:
            yield leaf, scope


def _told_by_a_list(select: Select, provider: CodeSystemProvider, scope: Scope) -> bool:
    """True where a code is chosen exactly when it is listed."""
    info = provider.info
    closed = info.enumerable and info.expansion_cap is None and scope.catalog.expressed(provider) is provider
    return info.case_sensitive and (closed or select.query.listed is not None)


def _names(urls: set[str], scope: Scope) -> dict[str, list[str]]:
    """By url of a code system what it is called, the url first."""
    names = {url: [url] for url in urls}
    for other in {name for layer in scope.catalog.layers() for name in layer.aliases}:
        url = aliases.meant(other, scope)
        if url != other and url in names:
            names[url].append(other)
    return names
