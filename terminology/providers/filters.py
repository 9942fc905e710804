"""What a filter of ``ValueSet.compose`` means, one function per operator (https://hl7.org/fhir/valueset.html#filters).

A filter becomes a predicate over concepts. The hierarchy is asked of the code system, so that the same functions serve
every provider that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Protocol

from terminology import dates, patterns
from terminology.issues import Invalid, NotSupported, issue
from terminology.model import CodeSystemInfo, Concept, Filter, Miss, Query

Predicate = Callable[[Concept], bool]


class Hierarchy(Protocol):
    """What filters need to know of a code system."""

    @property
    def info(self) -> CodeSystemInfo: ...

    def find(self, code: str) -> Concept | Miss: ...

    def ancestors(self, code: str) -> frozenset[str]: ...

    def descendants(self, code: str) -> frozenset[str]: ...

    def children(self, code: str) -> tuple[str, ...]: ...


def predicate(stated: Filter, system: Hierarchy) -> Predicate:
    """The predicate of a filter; raises Invalid without a value and NotSupported for what is not understood."""
    canonical = system.info.canonical.url
    if not stated.value:
        raise Invalid(
            issue(
                "UNABLE_TO_HANDLE_SYSTEM_FILTER_WITH_NO_VALUE",
                canonical,
                stated.property,
                stated.op,
                at=stated.path,
            )
        )
    table = _HIERARCHY if stated.property in ("concept", "code") else _VALUES
    make = table.get(stated.op) or _VALUES.get(stated.op)
    if make is None or not _known(stated, system.info):
        raise NotSupported(not_understood(stated, canonical))
    return make(stated, system)


def not_understood(stated: Filter, system: str, value_set: str = "") -> Any:
    """The issue for a filter that a code system does not know."""
    arguments = (stated.property, stated.op, stated.value, value_set, system)
    return issue("FILTER_NOT_UNDERSTOOD", *arguments, at=stated.path)


_BASE = frozenset(
    (
        "concept",
        "code",
        "display",
        "definition",
        "parent",
        "child",
        "status",
        "inactive",
        "notSelectable",
        "abstract",
        "designation",
    )
)


def _known(stated: Filter, info: CodeSystemInfo) -> bool:
    name = stated.property
    if name in _BASE:
        return True
    if any(name in (declared.code, declared.uri) for declared in info.properties):
        return True
    return any(name == declared for declared, _ in info.filters)


def dated(query: Query, info: CodeSystemInfo) -> Predicate | None:
    """The predicate of ``Query.on`` and ``undated``; None where no date is asked about."""
    on, spoken_to = query.on, info.effective_to
    if on is None:
        return None

    def stands(concept: Concept) -> dates.Standing | None:
        return dates.own_standing(on, concept.valid_from, concept.valid_to, spoken_to)

    return (lambda concept: stands(concept) is None) if query.undated else (lambda concept: stands(concept) != "out")


# --- operators over the hierarchy -------------------------------------------------------------------------


def _anchor(stated: Filter, system: Hierarchy) -> str:
    found = system.find(stated.value or "")
    return found.code if isinstance(found, Concept) else stated.value or ""


def _is_a(stated: Filter, system: Hierarchy) -> Predicate:
    root = _anchor(stated, system)
    wanted = system.descendants(root) | {root}
    return lambda concept: concept.code in wanted


def _descendent_of(stated: Filter, system: Hierarchy) -> Predicate:
    root = _anchor(stated, system)
    wanted = system.descendants(root) - {root}
    return lambda concept: concept.code in wanted


def _is_not_a(stated: Filter, system: Hierarchy) -> Predicate:
    included = _is_a(stated, system)
    return lambda concept: not included(concept)


def _child_of(stated: Filter, system: Hierarchy) -> Predicate:
    children = frozenset(system.children(_anchor(stated, system)))
    return lambda concept: concept.code in children


def _descendent_leaf(stated: Filter, system: Hierarchy) -> Predicate:
    below = system.descendants(_anchor(stated, system))
    return lambda concept: concept.code in below and not system.children(concept.code)


def _generalizes(stated: Filter, system: Hierarchy) -> Predicate:
    leaf = _anchor(stated, system)
    wanted = system.ancestors(leaf) | {leaf}
    return lambda concept: concept.code in wanted


# --- operators over values --------------------------------------------------------------------------------


def _equal(stated: Filter, system: Hierarchy) -> Predicate:
    return lambda concept: stated.value in values(concept, stated.property, system)


def _in(stated: Filter, system: Hierarchy) -> Predicate:
    wanted = frozenset(part.strip() for part in (stated.value or "").split(","))
    return lambda concept: not wanted.isdisjoint(values(concept, stated.property, system))


def _not_in(stated: Filter, system: Hierarchy) -> Predicate:
    member = _in(stated, system)
    return lambda concept: not member(concept)


def _regex(stated: Filter, system: Hierarchy) -> Predicate:
    pattern = stated.value or ""
    patterns.compiled(pattern)
    return lambda concept: any(patterns.fullmatch(pattern, text) for text in values(concept, stated.property, system))


def _exists(stated: Filter, system: Hierarchy) -> Predicate:
    if stated.value not in ("true", "false"):
        raise NotSupported(not_understood(stated, system.info.canonical.url))
    wanted = stated.value == "true"
    return lambda concept: bool(values(concept, stated.property, system)) is wanted


_VALUES = {"=": _equal, "in": _in, "not-in": _not_in, "regex": _regex, "exists": _exists}
_HIERARCHY = {
    "is-a": _is_a,
    "descendent-of": _descendent_of,
    "is-not-a": _is_not_a,
    "child-of": _child_of,
    "descendent-leaf": _descendent_leaf,
    "generalizes": _generalizes,
}


# --- values -----------------------------------------------------------------------------------------------


def values(concept: Concept, name: str, system: Hierarchy) -> tuple[str, ...]:
    """The values of a property as texts, as filters compare them."""
    if name in ("code", "concept"):
        return (concept.code,)
    if name == "display":
        return (concept.display,) if concept.display else ()
    if name == "definition":
        return (concept.definition,) if concept.definition else ()
    if name == "designation":
        return tuple(entry.value for entry in concept.designations)
    stated = tuple(
        text for held in concept.properties if _is(held.code, name, system.info) for text in as_texts(held.value)
    )
    if name in ("parent", "child"):  # a concept may stand under one, and state another
        return stated + _implied(concept, name, system)
    return stated or _implied(concept, name, system)


def _is(code: str, name: str, info: CodeSystemInfo) -> bool:
    return code == name or any(code == declared.code and name == declared.uri for declared in info.properties)


def _implied(concept: Concept, name: str, system: Hierarchy) -> tuple[str, ...]:
    if name == "parent":
        return concept.parents
    if name == "child":
        return system.children(concept.code)
    if name == "inactive":
        return ("true" if concept.inactive else "false",)
    if name == "status" and concept.status:
        return (concept.status,)
    if name == "abstract" or (name == "notSelectable" and concept.abstract):
        return ("true" if concept.abstract else "false",)
    return ()


def as_texts(value: Any) -> Iterable[str]:
    """A property value as texts to compare with: a Coding is its code, and its ``system|code``."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, dict):
        code = value.get("code", "")
        return (code, f"{value['system']}|{code}") if "system" in value else (code,)
    if isinstance(value, (int, float, Decimal)):
        return (str(value),)
    return (str(value),)
