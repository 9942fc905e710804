"""Searches for what stands deep inside resources (codes, systems, references): in the index of the store for what is
stored, in the code systems and resources themselves for what is published.
"""

from __future__ import annotations

from collections.abc import Callable

from terminology.model import FhirVersion, Json, Miss
from terminology.rest.exchange import Service
from terminology.rest.search import Search, Term
from terminology.rest.search_terms import terms

Matches = Callable[[Json], bool]


class Index:
    """The index of one endpoint."""

    def __init__(self, service: Service, fhir: FhirVersion) -> None:
        self._service = service
        self._fhir: FhirVersion = fhir
        self._known: dict[tuple[str, str], tuple[Json, dict[str, frozenset[str]]]] = {}

    def matches(self, search: Search) -> Matches:
        """What says of the head of a resource whether it is found."""
        plain = [term for term in search.terms if not term.indexed]
        deep = [self._deep(term) for term in search.terms if term.indexed]
        return lambda head: all(term.matches(head) for term in plain) and all(each(head) for each in deep)

    def _deep(self, term: Term) -> Matches:
        stored = self._service.stored
        ids: frozenset[str] = frozenset()
        if stored.here and not stored.empty:
            ids = stored.opened().having(term.kind, term.name, _keys(term))

        def found(head: Json) -> bool:
            if stored.find(term.kind, head["id"]) is None:
                hit = self._published(term, head)
            else:
                hit = head["id"] in ids and _of_system(term, head)
            return hit != (term.modifier == "not")

        return found

    def _published(self, term: Term, head: Json) -> bool:
        if term.kind == "CodeSystem" and head.get("content") != "supplement":
            return _of_system(term, head) and self._defines(term, head)
        held = self._terms(term.kind, head).get(term.name, frozenset())
        return not held.isdisjoint(_keys(term))

    def _defines(self, term: Term, head: Json) -> bool:
        provider = self._service.catalog(self._fhir).code_system(str(head.get("url")), head.get("version"))
        if provider is None:
            return False
        return any(not isinstance(provider.find(value.rpartition("|")[2]), Miss) for value in term.values)

    def _terms(self, kind: str, head: Json) -> dict[str, frozenset[str]]:
        """The terms of a published resource, which are taken from it once."""
        place = kind, head["id"]
        known = self._known.get(place)
        if known is None or known[0] is not head:
            whole = self._service.catalog(self._fhir).find_resource(*place) or head
            known = self._known[place] = head, dict(terms(whole))
        return known[1]


def _keys(term: Term) -> list[str]:
    """The values as the index has them: the codes of a CodeSystem stand without their system."""
    bare = term.kind == "CodeSystem"
    return [value.rpartition("|")[2] if bare or value.startswith("|") else value for value in term.values]


def _of_system(term: Term, head: Json) -> bool:
    """False for a code that was asked for in another system."""
    if term.kind != "CodeSystem":
        return True
    return any(value.rpartition("|")[0] in ("", head.get("url")) for value in term.values)
