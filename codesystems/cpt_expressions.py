"""Expressions of CPT: a code with its modifiers, `38232:52:59`, over whichever content of CPT is loaded.

Syntax, properties and the six filters: https://terminology.hl7.org/CPT.html. What HL7 leaves to "the rules defined in
the CPT documentation" is judged as far as that page tells: modifiers of category II go with codes of category II,
those of the physical status with anaesthesia, 95 with codes marked for telemedicine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice

from terminology.model import (
    CodeSystemInfo,
    CodeSystemProvider,
    Concept,
    Counted,
    Expressions,
    Filter,
    Issue,
    Json,
    Miss,
    Property,
    PropertyDefinition,
    Query,
    Selection,
    Subsumption,
    Tree,
)

URL = "http://www.ama-assn.org/go/cpt"
MARK = ":"
FILTERS = (
    ("modifier", ("=",)),
    ("kind", ("=", "in")),
    ("modified", ("=",)),
    ("code", ("in",)),
    ("telemedicine", ("=",)),
    ("orthopox", ("=",)),
)
PROPERTIES = (
    PropertyDefinition("modified", "boolean", description="Whether the code is an expression with modifiers."),
    PropertyDefinition("modifier", "boolean", description="Whether the code is a modifier."),
    PropertyDefinition("base-code", "code", description="The code that the modifiers of an expression modify."),
    PropertyDefinition("modifier-code", "code", description="A modifier of an expression."),
)
HL7S_KINDS = frozenset(("code", "cat-1", "cat-2", "physical-status", "general", "hcpcs", "metadata"))
TELEMEDICINE = "95"
PROBES = ("22", "25", "26", "50", "51", "52", "59", "95", "LT", "RT", "TC")
"""Modifiers by which it is told whether loaded content has modifiers at all."""

_ANAESTHESIA = ("00100", "01999")
_KINDS = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"\d{4}[\dTUAM]", "code"),
        (r"\d{4}F|[1-8]P", "cat-2"),
        (r"P[1-6]", "physical-status"),
        (r"[A-OQ-Z][A-Z0-9]|P[A-Z]", "hcpcs"),
    )
)
_RANGE = re.compile(r"\s*([0-9A-Z]+)\s*(?:-\s*([0-9A-Z]+)\s*)?")
_SAMPLE = Concept(f"00000{MARK}00")

Test = Callable[[Concept], bool]


class WithExpressions:
    """The codes of the base, and the expressions over them; the six filters are answered here."""

    def __init__(self, base: CodeSystemProvider) -> None:
        self.base = base

    @cached_property
    def info(self) -> CodeSystemInfo:
        info = self.base.info
        known = {declared.code for declared in info.properties}
        added = tuple(declared for declared in PROPERTIES if declared.code not in known)
        return replace(info, compositional=True, properties=info.properties + added, filters=FILTERS)

    # --- one code ---------------------------------------------------------------------------------------------

    def find(self, code: str) -> Concept | Miss:
        found = self.base.find(code)
        return self._judged(code) if isinstance(found, Miss) and MARK in code else found

    def _judged(self, code: str) -> Concept | Miss:
        """The concept of an expression. A fragment that lacks a part of it cannot tell: then the Miss has no reason."""
        base, *modifiers = code.split(MARK)
        found, parts = self.base.find(base), [self.base.find(modifier) for modifier in modifiers]
        missing = isinstance(found, Miss) or any(isinstance(part, Miss) for part in parts)
        if missing and self.base.info.content == "fragment":
            return Miss(code)
        if isinstance(found, Miss):
            return _refused(code, "OWN_EXPRESSION_BASE", base)
        if missing and not self._has_modifiers():
            return _refused(code, "OWN_MODIFIERS_NOT_HELD", base)
        known = [part for part in parts if isinstance(part, Concept)]
        reasons = tuple(self._reasons(found, modifiers, known))
        return Miss(code, reasons) if reasons else _expression(code, found, known)

    def _reasons(self, found: Concept, modifiers: list[str], known: list[Concept]) -> Iterator[Issue]:
        if _true(found, "modifier"):
            yield _issue("OWN_EXPRESSION_BASE", found.code)
        held = {each.code: each for each in known if _true(each, "modifier")}
        for place, modifier in enumerate(modifiers):
            if modifier not in held:
                yield _issue("OWN_MODIFIER_UNKNOWN", modifier)
            elif modifier in modifiers[:place]:
                yield _issue("OWN_MODIFIER_TWICE", modifier)
            elif not self._fits(found, held[modifier]):
                yield _issue("OWN_MODIFIER_NOT_WITH", modifier, found.code)

    def _fits(self, found: Concept, modifier: Concept) -> bool:
        kinds = _kinds(modifier)
        if "cat-2" in kinds and "cat-2" not in _kinds(found):
            return False
        if "physical-status" in kinds and not _ANAESTHESIA[0] <= found.code <= _ANAESTHESIA[1]:
            return False
        marked = any(declared.code == "telemedicine" for declared in self.base.info.properties)
        return modifier.code != TELEMEDICINE or not marked or _true(found, "telemedicine")

    def _has_modifiers(self) -> bool:
        return any(isinstance(self.base.find(probe), Concept) for probe in PROBES)

    # --- many codes -------------------------------------------------------------------------------------------

    def select(self, query: Query) -> Selection:
        tests = {stated: test for stated in query.filters if (test := _test(stated))}
        named = [*(query.codes or ()), *(entry.code for entry in query.listed or ())]
        composed = list(dict.fromkeys(code for code in named if MARK in code))
        if not tests and not composed:
            return replace(self.base.select(query), issues=self._open(query, ()))
        rest = tuple(stated for stated in query.filters if stated not in tests)
        asked = replace(query, filters=rest, offset=0, limit=None, detailed=True)
        selection = self.base.select(asked)
        found: Iterator[Concept] = iter(selection)
        if composed:
            found = self._ordered(query, list(found), [] if rest or query.text else composed)
        kept = (concept for concept in found if all(test(concept) for test in tests.values()))
        end = None if query.limit is None else query.offset + query.limit
        return Selection(islice(kept, query.offset, end), issues=self._open(query, tuple(tests.values())))

    def _ordered(self, query: Query, plain: list[Concept], composed: list[str]) -> Iterator[Concept]:
        """Codes and expressions in the order in which the query names them."""
        found = {concept.code: concept for concept in plain}
        for code in composed:
            concept = self.find(code)
            inactive = isinstance(concept, Concept) and query.active_only and concept.inactive
            if isinstance(concept, Concept) and not inactive and self._stands(code, query):
                found[code] = concept
        listed = [entry.code for entry in query.listed] if query.listed is not None else None
        order = listed if query.codes is None else [c for c in query.codes if listed is None or c in listed]
        return (found[code] for code in dict.fromkeys(order or ()) if code in found)

    def _stands(self, code: str, query: Query) -> bool:
        """On a day an expression stands as its base code does."""
        base = Query(codes=(code.partition(MARK)[0],), on=query.on, undated=query.undated, detailed=False)
        return query.on is None or any(True for _ in self.base.select(base))

    def _open(self, query: Query, tests: tuple[Test, ...]) -> tuple[Issue, ...]:
        """What a list leaves out: expressions, of which there is no end."""
        listed = query.codes is not None or query.listed is not None
        if listed or not all(test(_SAMPLE) for test in tests):
            return ()
        return (Issue("information", "informational", None, "OWN_UNCLOSED_GRAMMAR", (URL,)),)

    def count(self, query: Query) -> int:
        if isinstance(self.base, Counted) and not any(_test(stated) for stated in query.filters):
            return self.base.count(query)
        return sum(1 for _ in self.select(replace(query, offset=0, limit=None)))

    # --- what the base says -----------------------------------------------------------------------------------

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        if MARK in a or MARK in b:
            (one, *some), (other, *more) = a.split(MARK), b.split(MARK)
            return "equivalent" if one == other and sorted(some) == sorted(more) else "not-subsumed"
        return self.base.subsumes(a, b)

    def parents(self, code: str) -> tuple[str, ...]:
        return self.base.parents(code) if isinstance(self.base, Tree) else ()

    def children(self, code: str) -> tuple[str, ...]:
        return self.base.children(code) if isinstance(self.base, Tree) else ()

    def ancestors(self, code: str) -> frozenset[str]:
        return self.base.ancestors(code) if isinstance(self.base, Tree) else frozenset()

    def descendants(self, code: str) -> frozenset[str]:
        return self.base.descendants(code) if isinstance(self.base, Tree) else frozenset()


def _expression(code: str, found: Concept, modifiers: list[Concept]) -> Concept:
    """HL7: no display is defined for an expression, and it has no kind."""
    stated = (
        Property("modified", "Boolean", value=True),
        Property("modifier", "Boolean", value=False),
        Property("base-code", "Code", found.code),
        *(Property("modifier-code", "Code", each.code) for each in modifiers),
    )
    inactive = found.inactive or any(each.inactive for each in modifiers)
    return Concept(code, properties=stated, inactive=inactive, valid_from=found.valid_from, valid_to=found.valid_to)


def _issue(message_id: str, *arguments: str) -> Issue:
    return Issue("error", "code-invalid", "invalid-code", message_id, arguments)


def _refused(code: str, message_id: str, *arguments: str) -> Miss:
    return Miss(code, (_issue(message_id, *arguments),))


# --- properties and filters -----------------------------------------------------------------------------------


def _true(concept: Concept, name: str) -> bool:
    """A property that is true or false; where it is not stated, what the form of the code tells."""
    for held in concept.properties:
        if held.code == name:
            return str(held.value).lower() == "true"
    return (name == "modifier" and len(concept.code) == 2) or (name == "modified" and MARK in concept.code)


def _kinds(concept: Concept) -> frozenset[str]:
    """The kinds that HL7 names; where content states none or only ``code``, what the form of the code tells."""
    stated = HL7S_KINDS.intersection(str(held.value) for held in concept.properties if held.code == "kind")
    if stated - {"code"}:
        return stated
    return frozenset(kind for pattern, kind in _KINDS if pattern.fullmatch(concept.code)) or stated


def _test(stated: Filter) -> Test | None:
    """One of the six filters; None for what the base has to understand."""
    value = stated.value or ""
    if stated.property in ("modifier", "modified", "telemedicine", "orthopox"):
        if stated.op != "=" or value not in ("true", "false"):
            return None
        return lambda concept: _true(concept, stated.property) is (value == "true")
    if stated.property == "kind" and stated.op in ("=", "in") and value:
        wanted = frozenset(part.strip() for part in value.split(",")) if stated.op == "in" else frozenset((value,))
        return lambda concept: not wanted.isdisjoint(_kinds(concept))
    if stated.property == "code" and stated.op == "in" and "-" in value:
        return _ranged(value)
    return None


def _ranged(value: str) -> Test | None:
    """``20100-69990, 92920``: codes of one length compare as texts. An expression counts as its base code."""
    found = [_RANGE.fullmatch(part) for part in value.split(",")]
    ranges = [(each[1], each[2] or each[1]) for each in found if each]
    if len(ranges) < len(found):
        return None

    def within(concept: Concept) -> bool:
        code = concept.code.partition(MARK)[0]
        return any(len(code) == len(first) and first <= code <= last for first, last in ranges)

    return within


# --- value sets -------------------------------------------------------------------------------------------------


_BASE_CODES = {
    "system": URL,
    "filter": [
        {"property": "modified", "op": "=", "value": "false"},
        {"property": "modifier", "op": "=", "value": "false"},
    ],
}
_MODIFIERS = {"system": URL, "filter": [{"property": "modifier", "op": "=", "value": "true"}]}
_MODIFIED = {"system": URL, "filter": [{"property": "modified", "op": "=", "value": "true"}]}
_VALUE_SETS: dict[str, Json] = {
    "cpt-all": {"include": [{"system": URL}]},
    "cpt-base": {"include": [_BASE_CODES]},
    "cpt-modifiers": {"include": [_MODIFIERS]},
    "cpt-active": {"include": [_BASE_CODES, _MODIFIED]},
}


def implicit(url: str) -> Json | None:
    """The four value sets that HL7's page predefines."""
    base, _, name = url.rpartition("/")
    return _VALUE_SETS.get(name) if base == "http://hl7.org/fhir/ValueSet" else None


_VALUES = {
    "modifier": "true or false: whether the code is a modifier",
    "modified": "true or false: whether the code is an expression with modifiers",
    "telemedicine": "true or false",
    "orthopox": "true or false",
    "kind": "A kind of codes that HL7's page names; for `in` several, with commas",
    "code": "Codes and ranges of codes, with commas: 20100-69990, 92920",
}

CPT_EXPRESSIONS = Expressions(URL, WithExpressions, implicit, _VALUES)
