"""What is plainly right, held against the engine: the same answer, word for word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, concept, include, scope, value_set
from engine.generated import worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.catalog import Scope
from terminology.judgement import Rules, validate
from terminology.model import Coding, ValueSet
from terminology.operations import validate_code
from terminology.plain import plainly
from terminology.resolution import prepare
from terminology.validation import Validation, combined, whole_system

Json = dict[str, Any]


def said(coding: Coding, held: ValueSet, asked: Scope) -> Validation:
    rules = Rules()
    return combined(validate([coding], held, asked, rules), "coding", held, asked, rules)


def codings(systems: list[Json]) -> list[Coding]:
    """Each code alone, with its display, another one and a version."""
    return [
        Coding(system["url"], each["code"], version, display)
        for system in systems
        for each in system["concept"]
        for version in (None, system["version"])
        for display in (None, each["display"], each["display"].upper(), "Another")
    ]


def sets(systems: list[Json], made: list[Json], asked: Scope) -> list[ValueSet]:
    """All value sets, and that of all codes of a system."""
    providers = [asked.provider(system["url"], None) for system in systems]
    held = [asked.catalog.value_set(each["url"]) for each in made]
    return [*(each for each in held if each), *(whole_system(each) for each in providers if each)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.booleans(), st.booleans())
def test_what_is_plainly_right_is_what_the_engine_says(
    world: tuple[list[Json], list[Json]], active_only: bool, abstract: bool
):
    systems, made = world
    asked = scope(*systems, *made, active_only=active_only, abstract=abstract)
    for held in sets(systems, made, asked):
        inside = prepare(held, asked)
        for coding in codings(systems):
            plain = plainly([coding], held, inside, None)
            assert plain is None or plain == said(coding, held, inside)


CONTENT = code_system(
    concept("a", display="A"), concept("b", display="B", inactive=True), concept("c", status="deprecated"), version="1"
)
PLAIN = [
    (value_set(include()), Coding(CS, "a"), True),
    (value_set(include()), Coding(CS, "a", display="A"), True),
    (value_set(include("a")), Coding(CS, "a"), True),
    (value_set(include("a")), Coding(CS, "b"), False),
    (value_set(include()), Coding(CS, "a", display="B"), False),
    (value_set(include()), Coding(CS, "a", "1"), False),
    (value_set(include()), Coding(CS, "b"), False),
    (value_set(include()), Coding(CS, "c"), False),
    (value_set(include()), Coding(CS, "d"), False),
    (value_set({**include(), "concept": [{"code": "a", "display": "Mine"}]}), Coding(CS, "a"), False),
    (value_set(include(), exclude=[include("b")]), Coding(CS, "a"), False),
    ({**value_set(include()), "status": "retired"}, Coding(CS, "a"), False),
]


@pytest.mark.parametrize(("made", "coding", "plain"), PLAIN)
def test_only_what_nothing_is_to_be_told_of_is_plain(made: Json, coding: Coding, plain: bool):
    asked = scope(CONTENT, made)
    held = asked.catalog.value_set(VS)
    assert held is not None
    assert (plainly([coding], held, prepare(held, asked), None) is not None) is plain


STATED: list[Callable[[Scope], Scope]] = [
    lambda asked: asked.but(on="2024-01-01"),
    lambda asked: asked.but(supplements=("http://example.org/supplement",)),
]


@pytest.mark.parametrize("stated", STATED)
def test_nothing_is_plain_where_the_request_states_more(stated: Callable[[Scope], Scope]):
    asked = scope(CONTENT, value_set(include()))
    held = asked.catalog.value_set(VS)
    assert held is not None
    assert plainly([Coding(CS, "a")], held, stated(asked), None) is None


def test_a_value_set_that_came_with_the_request_is_not_kept():
    asked = scope(CONTENT, value_set(include()))
    held = asked.catalog.value_set(VS)
    assert held is not None
    assert plainly([Coding(CS, "a")], replace(held), asked, None) is None
    assert not any(key[0] == "plain" for key in asked.catalog._known)


@pytest.mark.parametrize("operation", ["ValueSet/$validate-code", "CodeSystem/$validate-code"])
def test_validate_code_answers_what_is_plain_without_the_engine(operation: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validate_code, "validate", None)
    url = VS if operation.startswith("ValueSet") else CS
    more = {"system": CS} if url == VS else {}
    answer = call(operation, CONTENT, value_set(include()), url=url, code="a", display="A", **more)
    assert {"name": "result", "valueBoolean": True} in answer["parameter"]
