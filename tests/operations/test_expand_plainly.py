"""A plain $expand, held against the engine: the same answer but for what tells one expansion from another."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fhir_models
import pytest
from engine.asking import CS, VS, code_system, concept, filtered, include, provider, value_set
from engine.generated import worlds
from hypothesis import HealthCheck, settings
from hypothesis import given as generated

from terminology.issues import Refusal
from terminology.operations import BY_NAME
from terminology.parameters import Given
from terminology.providers.file import FileProvider
from terminology.request import Exchange
from terminology.resources import concepts, layer
from terminology.service import State
from terminology.settings import Settings
from terminology.storage.code_system_compiler import compile_file

Json = dict[str, Any]
EXPAND = BY_NAME["ValueSet", "expand"]


@contextmanager
def loaded(systems: list[Json], sets: list[Json], **stated: Any) -> Iterator[State]:
    """A service with the code systems in files, as an import leaves them."""
    with tempfile.TemporaryDirectory() as held:
        files: dict[str, tuple[FileProvider, ...]] = {}
        for number, system in enumerate(systems):
            info = provider(system).info
            folder = Path(held) / str(number)
            folder.mkdir()
            made = FileProvider.open(compile_file(info, concepts(system, info), folder)[0])
            files[system["url"]] = (*files.get(system["url"], ()), made)
        catalog = replace(layer([*systems, *sets]), code_systems=files)
        yield State(Settings(installed_content=False, **stated), {"R4": catalog, "R5": catalog})


def asked(url: str, **stated: Any) -> list[Given]:
    return [Given("url", url), *(Given(name, value) for name, value in stated.items() if value is not None)]


def by_engine(state: State, given: list[Given], exchange: Exchange | None = None) -> Json:
    request = state.request(EXPAND, given, exchange or Exchange())
    return EXPAND.respond(EXPAND.run(request), request)


def told(answer: Json) -> list[tuple[str, Any]]:
    """All of an answer, in its order, but for the identifier and the instant."""
    expansion = [each for each in answer["expansion"].items() if each[0] not in ("identifier", "timestamp")]
    return [*(each for each in answer.items() if each[0] != "expansion"), *expansion]


def outcome(made: Callable[[], Json]) -> Any:
    """What is told, or why it was refused."""
    try:
        return told(made())
    except Refusal as refused:
        return refused.issues


def same(state: State, given: list[Given], exchange: Exchange | None = None) -> None:
    """The short way, twice, says what the engine says, or refuses as it does."""
    right = outcome(lambda: by_engine(state, given, exchange))
    for _ in range(2):
        assert outcome(lambda: state.call(EXPAND, given, exchange or Exchange())) == right


PAGES = [
    {"filter": text, "count": count, "offset": offset}
    for text, count, offset in itertools.product(
        (None, "disp", "Display a", ". -", "zz"), (None, 0, 1, "3", 8), (None, "2", 20)
    )
]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@generated(worlds())
def test_every_page_is_what_the_engine_says(world: tuple[list[Json], list[Json]]):
    systems, sets = world
    with loaded(systems, sets) as state:
        for held, page in itertools.product(sets, PAGES):
            same(state, asked(held["url"], **page))


CONTENT = code_system(
    concept("a", concept("b", display="Display b"), display="Display a", notSelectable=True),
    *[concept(f"x{number}", display=f"Display {number}") for number in range(120)],
    concept("z", display="Gone", inactive=True),
    version="1",
    property=[{"code": "p", "type": "string"}],
)
ODD = code_system(
    "nameless", concept("old", display="Display old", status="deprecated"), concept("c", display="Display c")
)
WHOLE = value_set(include())
PLAIN = [
    ([CONTENT], WHOLE, {"filter": "disp", "count": 3}, True),
    ([CONTENT], WHOLE, {"filter": "disp", "count": "3", "offset": "119"}, True),
    ([CONTENT], WHOLE, {"count": 0}, True),
    ([CONTENT], value_set(include("a", "b")), {}, True),
    ([CONTENT], value_set(filtered("concept", "is-a", "a")), {"count": 1}, True),
    ([CONTENT], value_set(filtered("concept", "is-a", "a")), {"count": 5}, False),
    ([CONTENT], value_set(include(), inactive=False), {"filter": "gone", "count": 5}, True),
    ([CONTENT], WHOLE, {"filter": "gone", "count": 5}, False),
    ([CONTENT], WHOLE, {}, False),
    ([CONTENT], WHOLE, {"filter": "disp"}, False),
    ([CONTENT], WHOLE, {"filter": "disp", "count": 3, "activeOnly": "true"}, False),
    ([CONTENT], WHOLE, {"filter": "disp", "count": 3, "includeDesignations": True}, False),
    ([CONTENT], {**WHOLE, "language": "de"}, {"filter": "disp", "count": 3}, False),
    ([CONTENT], {**WHOLE, "status": "retired"}, {"filter": "disp", "count": 3}, True),
    ([CONTENT], value_set(include("a", "b")), {"count": 1}, False),
    ([CONTENT], value_set(include(), exclude=[include("b")]), {"filter": "disp", "count": 3}, False),
    ([CONTENT], value_set(include(), lockedDate="2019-01-15"), {"filter": "disp", "count": 3}, False),
    ([ODD], WHOLE, {"filter": "disp", "count": 3}, False),
    ([ODD], WHOLE, {"count": 1}, False),
    ([ODD], WHOLE, {"filter": "c", "count": 3}, True),
    ([{**CONTENT, "content": "fragment"}], WHOLE, {"filter": "disp", "count": 3}, True),
    ([{**CONTENT, "status": "draft", "experimental": True}], WHOLE, {"filter": "disp", "count": 3}, True),
]


@pytest.mark.parametrize(("systems", "made", "stated", "plain"), PLAIN)
def test_the_engine_is_asked_again_only_for_what_is_not_plain(
    systems: list[Json], made: Json, stated: Json, plain: bool
):
    with loaded(systems, [made]) as state:
        given = asked(VS, **stated)
        same(state, given)
        answers: list[Json] = []

        def engine(given: list[Given]) -> Json:
            answers.append(by_engine(state, given))
            return answers[-1]

        assert EXPAND.plainly is not None
        answer = EXPAND.plainly(given, state.open_scope(), engine)
        assert (answer is not None and not answers) is plain
        fhir_models.parsed(state.call(EXPAND, given, Exchange()), "5.0")


@pytest.mark.parametrize(
    "stated",
    [
        {"count": -1},
        {"count": "1.5"},
        {"count": True},
        {"count": 99_999},
        {"count": [1]},
        {"filter": "", "count": 1},
        {"filter": 7, "count": 1},
        {"filter": "x" * 257, "count": 1},
        {"filter": "disp", "count": 1, "offset": 2**31},
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_as_ever(stated: Json):
    with loaded([CONTENT], [WHOLE]) as state:
        state.call(EXPAND, asked(VS, filter="disp", count=3), Exchange())
        same(state, asked(VS, **stated))


def test_what_came_twice_is_refused_and_what_nobody_knows_is_not_read():
    with loaded([CONTENT], [WHOLE]) as state:
        once = asked(VS, filter="disp", count=3)
        same(state, [*once, Given("count", 3)])
        same(state, [*once, Given("unheard-of", 3)])
        same(state, [*once, Given("unheard-of", 3)], Exchange(strict=True))


@pytest.mark.parametrize(
    "exchange",
    [
        Exchange(accept_language="de"),
        Exchange(threshold=2),
        Exchange(level="instance", identity="a"),
        Exchange(cache_id="unknown"),
    ],
    ids=["language", "threshold", "instance", "cache"],
)
def test_who_states_more_in_the_head_gets_an_answer_of_his_own(exchange: Exchange):
    with loaded([CONTENT], [{**WHOLE, "id": "a"}]) as state:
        for stated in ({"filter": "disp", "count": 3}, {}):
            given = asked(VS, **stated)
            with_more = given if exchange.level == "type" else given[1:]
            same(state, given)
            same(state, with_more, exchange)


def test_two_expansions_have_two_identifiers_of_the_form_of_a_uuid():
    with loaded([CONTENT], [WHOLE]) as state:
        given = asked(VS, filter="disp", count=3)
        answers = [state.call(EXPAND, given, Exchange())["expansion"] for _ in range(3)]
    assert len({each["identifier"] for each in answers}) == 3
    form = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(form.fullmatch(each["identifier"]) for each in answers)
    instants = [datetime.fromisoformat(each["timestamp"]) for each in answers]
    assert instants == sorted(instants)
    assert timedelta() <= datetime.now(UTC) - instants[0] < timedelta(minutes=1)


def test_pages_of_a_supplemented_system_are_the_engines():
    added = {"code": "x1", "designation": [{"language": "de", "value": "Zusatz"}]}
    kind = {"url": "http://hl7.org/fhir/StructureDefinition/codesystem-supplement-type", "valueCode": "lang-pack"}
    pack = {
        "resourceType": "CodeSystem",
        "url": f"{CS}/de",
        "status": "active",
        "content": "supplement",
        "supplements": CS,
        "extension": [kind],
        "concept": [added],
    }
    with loaded([CONTENT], [pack, WHOLE]) as state:
        for text in ("zus", "disp"):
            same(state, asked(VS, filter=text, count=3))


def test_pages_of_a_locked_set_are_of_the_release_of_that_day():
    period = {"effectivePeriod": {"start": "2019-01-01", "end": "2019-12-31"}}
    old, new = {**ODD, "version": "2019", **period}, {**CONTENT, "version": "2020"}
    with loaded([new, old], [value_set(include(), lockedDate="2019-06-01")]) as state:
        for page in PAGES:
            same(state, asked(VS, **page))
        found = state.call(EXPAND, asked(VS, filter="display", count=3), Exchange())["expansion"]
        assert [each["code"] for each in found["contains"]] == ["old", "c"]
