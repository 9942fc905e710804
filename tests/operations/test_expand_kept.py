"""A small expansion that a catalog keeps: the same answer, made once, and only for who states nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import VS, code_system, concept, include, value_set

from terminology.catalog import Catalog
from terminology.operations import BY_NAME, expand
from terminology.parameters import Given
from terminology.request import Exchange
from terminology.resources import layer
from terminology.service import State
from terminology.settings import Settings

Json = dict[str, Any]
CONTENT = code_system(
    concept("a", concept("b", display="B", inactive=True), display="A"), *[f"x{n}" for n in range(120)], version="1"
)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The urls of the value sets that were listed."""
    urls: list[str] = []
    listed = expand.members

    def counting(held: Any, *arguments: Any, **more: Any) -> Any:
        urls.append(held.info.canonical.url)
        return listed(held, *arguments, **more)

    monkeypatch.setattr(expand, "members", counting)
    return urls


def state(*sets: Json) -> State:
    catalog: Catalog = layer([CONTENT, *sets])
    return State(Settings(installed_content=False), {"R4": catalog, "R5": catalog})


def expanded(held: State, exchange: Exchange | None = None, **stated: Any) -> Json:
    given = [Given("url", VS), *(Given(name, value) for name, value in stated.items())]
    return held.call(BY_NAME["ValueSet", "expand"], given, exchange or Exchange())


def told(answer: Json) -> Json:
    """The answer without what tells one from another."""
    expansion = {name: held for name, held in answer["expansion"].items() if name not in ("identifier", "timestamp")}
    return {**answer, "expansion": expansion}


SMALL = value_set(include("a", "b"))


@pytest.mark.parametrize("made", [SMALL, {**SMALL, "language": "de"}], ids=["plain", "in a language"])
def test_a_small_value_set_is_listed_once_and_answered_alike_under_another_identifier(made: Json, read: list[str]):
    held = state(made)
    first, second = expanded(held), expanded(held)
    assert told(first) == told(second) == told(expanded(state(made)))
    assert first["expansion"]["identifier"] != second["expansion"]["identifier"]
    assert len(read) == 2


@pytest.mark.parametrize(
    "stated",
    [{"activeOnly": True}, {"count": 1}, {"filter": "a"}, {"excludeNested": True}, {"displayLanguage": "de"}],
    ids=str,
)
def test_who_states_more_gets_an_answer_of_his_own(stated: Json, read: list[str]):
    held = state(SMALL)
    expanded(held)
    assert told(expanded(held, **stated)) == told(expanded(state(SMALL), **stated))
    assert len(read) == 3


def test_a_reader_of_another_language_gets_an_answer_of_his_own(read: list[str]):
    held = state(SMALL)
    expanded(held)
    german = expanded(held, Exchange(accept_language="de"))
    assert told(german) == told(expanded(state(SMALL), Exchange(accept_language="de")))
    assert len(read) == 3


def test_a_long_list_is_made_each_time(read: list[str]):
    held = state(value_set(include()))
    assert told(expanded(held)) == told(expanded(held))
    assert len(read) == 2
