"""Resources made at random from the table of elements: every element, choice, extension and null occurs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from terminology.procedures.elements import KINDS
from terminology.wire.crossing_plan import CODES
from terminology.wire.elements import Element, Fhir, is_primitive, type_of

RESOURCES = (
    "Parameters",
    "OperationOutcome",
    "CodeSystem",
    "ValueSet",
    "ConceptMap",
    "NamingSystem",
    "CapabilityStatement",
    "TerminologyCapabilities",
    "OperationDefinition",
    "StructureDefinition",
)
RECORDS = (*KINDS, "Patient", "Medication")
LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn"))
TEXT = st.text(LETTERS, min_size=1, max_size=4).map(lambda text: f"x{text}x")
INTEGERS = st.integers(min_value=0, max_value=2**31 - 1)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": INTEGERS,
    "unsignedInt": INTEGERS,
    "positiveInt": INTEGERS,
    "integer64": INTEGERS.map(str),
    "decimal": st.sampled_from([Decimal(text) for text in ("0", "1.10", "-2.000", "123456789.123456789")]),
    "code": st.sampled_from(
        (
            "a",
            "b",
            "=",
            "is-a",
            "child-of",
            "descendent-leaf",
            "equivalent",
            "related-to",
            "not-related-to",
            "other-map",
            "use-source-code",
            "fixed",
            "success",
            "error",
        )
    ),
    "canonical": st.sampled_from([f"http://example.org/{end}" for end in ("a", "a|1", "a|1|2")]),
    "xhtml": st.sampled_from(
        (
            '<div xmlns="http://www.w3.org/1999/xhtml">a <b>b</b> &amp; c</div>',
            '<div xmlns="http://www.w3.org/1999/xhtml"><p class="x">&#160;</p>\n</div>',
        )
    ).map(lambda text: text.replace("&#160;", "\u00a0")),
}
ORDINARY = st.fixed_dictionaries({"url": st.just("http://example.org/extension"), "valueString": TEXT})
EXTRA = st.one_of(
    st.fixed_dictionaries({"id": st.just("an-id")}),
    st.fixed_dictionaries({"extension": st.lists(ORDINARY, min_size=1, max_size=2)}),
)


@st.composite
def resources(
    draw: st.DrawFn, fhir: Fhir, names: tuple[str, ...] = RESOURCES, without: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """A resource with some of its elements, none of a type in `without`."""
    name = draw(st.sampled_from(names))
    return {"resourceType": name} | draw(_node(fhir, name, 6, without))


@st.composite
def _node(draw: st.DrawFn, fhir: Fhir, type_name: str, depth: int, without: frozenset[str]) -> dict[str, Any]:
    elements = [e for e in (type_of(fhir, type_name) or {}).values() if e.type not in without and _fits(e, depth)]
    stems = sorted({e.stem for e in elements})
    chosen = draw(st.lists(st.sampled_from(stems), min_size=1, max_size=3, unique=True)) if stems else []
    out: dict[str, Any] = {}
    for stem in chosen:
        element = draw(st.sampled_from([e for e in elements if e.stem == stem]))
        out |= draw(_element(fhir, type_name, element, depth, without))
    return out or {"id": "an-id"}


def _fits(element: Element, depth: int) -> bool:
    return depth > 0 or is_primitive(element.type)


@st.composite
def _element(
    draw: st.DrawFn, fhir: Fhir, type_name: str, element: Element, depth: int, without: frozenset[str]
) -> dict[str, Any]:
    value = _value(fhir, element.type, depth, without)
    if fhir == "R4" and (type_name, element.name) in CODES:
        value = st.sampled_from(sorted(CODES[type_name, element.name].known))
    attribute = element.name == "id" and type_name not in (*RESOURCES, *RECORDS)
    if not is_primitive(element.type) or attribute or element.type == "xhtml":
        listed = st.lists(value, min_size=1, max_size=2) if element.many else value
        return {element.name: draw(listed)}
    pair = st.one_of(st.tuples(value, st.none()), st.tuples(value, EXTRA), st.tuples(st.none(), EXTRA))
    pairs = draw(st.lists(pair, min_size=1, max_size=3) if element.many else pair.map(lambda one: [one]))
    columns = ((element.name, [p[0] for p in pairs]), (f"_{element.name}", [p[1] for p in pairs]))
    return {
        key: column if element.many else column[0]
        for key, column in columns
        if any(item is not None for item in column)
    }


def _value(fhir: Fhir, type_name: str, depth: int, without: frozenset[str]) -> st.SearchStrategy[Any]:
    if is_primitive(type_name):
        return PRIMITIVES.get(type_name, TEXT)
    if type_name == "Extension":
        return ORDINARY
    if type_name == "Resource":
        return _resource(fhir, depth - 1, without)
    return _node(fhir, type_name, depth - 1, without)


@st.composite
def _resource(draw: st.DrawFn, fhir: Fhir, depth: int, without: frozenset[str]) -> dict[str, Any]:
    name = draw(st.sampled_from(RESOURCES))
    return {"resourceType": name} | draw(_node(fhir, name, depth, without))
