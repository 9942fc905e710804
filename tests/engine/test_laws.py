"""Laws of the algebra, over code systems and value sets made at random: two readings of a value set, one meaning."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, concept, held, include, listed, scope, value_set
from engine.generated import CODES, SYSTEMS, code_systems, includes, value_sets, worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.enumerated import Enumerated, enumerated
from terminology.model import Coding
from terminology.resolution import prepare

Json = dict[str, Any]
World = tuple[list[Json], list[Json]]

slow_is_fine = [HealthCheck.too_slow]
moderate = settings(max_examples=60, deadline=None, suppress_health_check=slow_is_fine)
few = settings(max_examples=25, deadline=None, suppress_health_check=slow_is_fine)

A, B, BOTH = ("http://example.org/A", "http://example.org/B", "http://example.org/both")


def every(systems: list[Json], *, versions: bool = True) -> list[Coding]:
    """All codings that the systems define, and some that they do not."""
    known = [
        Coding(system["url"], each["code"], system.get("version") if versions else None)
        for system in systems
        for each in system["concept"]
    ]
    return [*known, *(Coding(system["url"], "nowhere") for system in systems)]


def codings(triples: list[tuple[str, str | None, str]]) -> set[Coding]:
    return {Coding(system, code, version) for system, version, code in triples}


def with_sets(left: Json, right: Json, compose: Json) -> list[Json]:
    return [{**left, "url": A}, {**right, "url": B}, {**value_set(url=BOTH), "compose": compose}]


def inside(world: list[Json], sets: list[Json], url: str) -> set[Coding]:
    return set(held(every(world), *world, *sets, url=url))


SYSTEMS_OF_ONE_VERSION = st.tuples(*(code_systems(url, "1") for url in SYSTEMS)).map(list)
SETS = value_sets("http://example.org/any", versions=("1",))


@moderate
@given(worlds(), st.booleans())
def test_what_is_listed_is_what_is_found_in(world: World, active_only: bool):
    systems, sets = world
    url = sets[-1]["url"]
    found = held(every(systems), *systems, *sets, url=url, active_only=active_only)
    assert codings(listed(*systems, *sets, url=url, active_only=active_only)) == set(found)


@moderate
@given(worlds(), st.booleans())
def test_what_is_listed_is_found_by_code_and_system_alone(world: World, active_only: bool):
    systems, sets = world
    url = sets[-1]["url"]
    found = held(every(systems, versions=False), *systems, *sets, url=url, active_only=active_only)
    named = {Coding(system, code) for system, _, code in listed(*systems, *sets, url=url, active_only=active_only)}
    assert named == set(found)


@moderate
@given(worlds(versions=("1", "2")))
def test_what_is_listed_is_found_in_where_two_versions_meet(world: World):
    systems, sets = world
    url = sets[-1]["url"]
    everything = listed(*systems, *sets, url=url)
    assert codings(everything) <= set(held(every(systems), *systems, *sets, url=url))


@moderate
@given(worlds(versions=("1", "2")) | worlds(), st.booleans())
def test_the_list_of_what_is_in_says_what_is_found_by_code_and_system_alone(world: World, active_only: bool):
    systems, sets = world
    asked = scope(*systems, *sets, active_only=active_only)
    value = asked.catalog.value_set(sets[-1]["url"])
    assert value is not None
    told = enumerated(value, prepare(value, asked), 100)
    if told is not None:
        found = held(every(systems, versions=False), *systems, *sets, url=sets[-1]["url"], active_only=active_only)
        assert told.codes == {(each.system, each.code) for each in found}
        once = [code for _, code in told.codes]
        assert told.inferred == {code for code in once if once.count(code) == 1}


def list_of(include: Json, *resources: Json, most: int = 100, **options: Any) -> Enumerated | None:
    asked = scope(*resources, value_set(include), **options)
    value = asked.catalog.value_set(VS)
    assert value is not None
    return enumerated(value, prepare(value, asked), most)


def test_a_list_has_the_other_names_of_its_code_systems():
    oid = [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"}]
    told = list_of(include("a", "b"), code_system("a", "b", "c", identifier=oid))
    assert told is not None
    assert told.codes == {(name, code) for name in (CS, "urn:oid:1.2.3") for code in "ab"}
    assert told.inferred == {"a", "b"}


@pytest.mark.parametrize(
    ("resources", "options"),
    [
        pytest.param([], {}, id="unknown code system"),
        pytest.param([code_system("a", "b", caseSensitive=False)], {}, id="case does not matter"),
        pytest.param([code_system("a", "b")], {"most": 1}, id="too many"),
        pytest.param([code_system("a", "b")], {"on": "2020-01-01"}, id="on a date"),
        pytest.param([code_system("a", "b")], {"abstract": False}, id="abstract codes are asked about"),
    ],
)
def test_there_is_no_list_where_it_would_not_tell_all(resources: list[Json], options: dict[str, Any]):
    assert list_of(include(), *resources, **options) is None


OLD = code_system(concept("a", inactive=True), "b", url=SYSTEMS[0], version="1")
NEW = code_system("a", "b", "c", url=SYSTEMS[0], version="2")
IMPORTS_OF_ANOTHER_VERSION = {
    "intersected": ({"include": [include(system=SYSTEMS[0], version="2", valueSet=[A])]}, "ab"),
    "or": ({"include": [include(system=SYSTEMS[0], version="2", valueSet=[A]), {"valueSet": [A]}]}, "ab"),
    "taken away": ({"include": [include(system=SYSTEMS[0], version="2")], "exclude": [{"valueSet": [A]}]}, "c"),
}


@pytest.mark.parametrize("name", IMPORTS_OF_ANOTHER_VERSION)
def test_compose_inactive_is_asked_of_the_member_and_not_of_its_other_version(name: str):
    compose, codes = IMPORTS_OF_ANOTHER_VERSION[name]
    first = value_set(include(system=SYSTEMS[0], version="1"), url=A)
    sets = [first, {**value_set(url=B), "compose": compose}, value_set({"valueSet": [B]}, url=BOTH, inactive=False)]
    wanted = {Coding(SYSTEMS[0], code, "2") for code in codes}
    assert codings(listed(OLD, NEW, *sets, url=BOTH)) == wanted
    assert set(held(every([NEW]), OLD, NEW, *sets, url=BOTH)) == wanted


@moderate
@given(worlds(versions=("1", "2")))
def test_no_code_is_listed_twice(world: World):
    systems, sets = world
    everything = listed(*systems, *sets, url=sets[-1]["url"])
    assert len(everything) == len(set(everything))


@few
@given(SYSTEMS_OF_ONE_VERSION, SETS, SETS)
def test_a_union_holds_what_one_of_its_parts_holds(systems: list[Json], left: Json, right: Json):
    both = with_sets(left, right, {"include": [{"valueSet": [A]}, {"valueSet": [B]}]})
    assert inside(systems, both, BOTH) == inside(systems, both, A) | inside(systems, both, B)


@few
@given(SYSTEMS_OF_ONE_VERSION, st.lists(includes(versions=("1",)), min_size=2, max_size=4), st.randoms())
def test_the_order_of_includes_does_not_matter(systems: list[Json], parts: list[Json], random: Any):
    turned = random.sample(parts, len(parts))
    assert held(every(systems), *systems, value_set(*parts)) == held(every(systems), *systems, value_set(*turned))
    assert set(listed(*systems, value_set(*parts))) == set(listed(*systems, value_set(*turned)))


@few
@given(SYSTEMS_OF_ONE_VERSION, SETS, SETS)
def test_imports_of_one_include_hold_what_both_hold(systems: list[Json], left: Json, right: Json):
    both = with_sets(left, right, {"include": [{"valueSet": [A, B]}]})
    turned = with_sets(left, right, {"include": [{"valueSet": [B, A]}]})
    assert inside(systems, both, BOTH) == inside(systems, both, A) & inside(systems, both, B)
    assert inside(systems, both, BOTH) == inside(systems, turned, BOTH)


@few
@given(SYSTEMS_OF_ONE_VERSION, SETS, SETS)
def test_an_exclude_takes_away_what_it_holds(systems: list[Json], left: Json, right: Json):
    right = {**right, "compose": {**right["compose"], "inactive": True}}
    both = with_sets(left, right, {"include": [{"valueSet": [A]}], "exclude": [{"valueSet": [B]}]})
    assert inside(systems, both, BOTH) == inside(systems, both, A) - inside(systems, both, B)


@few
@given(SYSTEMS_OF_ONE_VERSION, SETS)
def test_a_set_without_itself_is_empty_and_with_itself_is_itself(systems: list[Json], one: Json):
    one = {**one, "compose": {**one["compose"], "inactive": True}}
    twice = with_sets(one, one, {"include": [{"valueSet": [A]}, {"valueSet": [A]}]})
    nothing = with_sets(one, one, {"include": [{"valueSet": [A]}], "exclude": [{"valueSet": [A]}]})
    assert inside(systems, twice, BOTH) == inside(systems, twice, A)
    assert inside(systems, nothing, BOTH) == set()


@moderate
@given(worlds())
def test_activeOnly_leaves_the_active_ones(world: World):  # noqa: N802
    systems, sets = world
    url = sets[-1]["url"]
    inactive = {
        (system["url"], system.get("version"), each["code"])
        for system in systems
        for each in system["concept"]
        if {"code": "inactive", "valueBoolean": True} in each.get("property", [])
    }
    everything = listed(*systems, *sets, url=url)
    assert set(listed(*systems, *sets, url=url, active_only=True)) == set(everything) - inactive


def flattened(contains: list[Json]) -> list[tuple[str, str | None, str]]:
    return [
        found
        for entry in contains
        for found in [(entry["system"], entry.get("version"), entry["code"]), *flattened(entry.get("contains", []))]
    ]


def expansion(systems: list[Json], sets: list[Json], **parameters: Any) -> Json:
    return call("ValueSet/$expand", *systems, *sets, url=sets[-1]["url"], **parameters)["expansion"]


@few
@given(worlds(), st.integers(1, 5))
def test_pages_one_after_another_are_the_whole(world: World, size: int):
    systems, sets = world
    whole = expansion(systems, sets, excludeNested=True)
    pages: list[Json] = []
    for offset in range(0, whole["total"] + size, size):
        page = expansion(systems, sets, offset=offset, count=size, excludeNested=True)
        assert page["total"] == whole["total"]
        assert len(page.get("contains", [])) <= size
        pages += page.get("contains", [])
    assert pages == whole.get("contains", [])


@few
@given(worlds())
def test_count_0_counts_only(world: World):
    counted = expansion(*world, count=0)
    assert counted["total"] == expansion(*world)["total"]
    assert "contains" not in counted


@moderate
@given(worlds(versions=("1", "2")))
def test_a_nested_expansion_holds_the_codes_of_the_flat_one(world: World):
    flat, nested = expansion(*world, excludeNested=True), expansion(*world, excludeNested=False)
    assert sorted(flattened(nested.get("contains", [])), key=str) == sorted(
        flattened(flat.get("contains", [])), key=str
    )
    assert nested["total"] == flat["total"] == len(flattened(flat.get("contains", [])))


@few
@given(worlds(), st.sampled_from((*CODES, "Display", "disp a", "nothing")))
def test_a_search_text_leaves_some_of_the_codes_in_the_same_order(world: World, text: str):
    everything = flattened(expansion(*world, excludeNested=True).get("contains", []))
    some = flattened(expansion(*world, filter=text).get("contains", []))
    assert some == [entry for entry in everything if entry in set(some)]
    if text == "Display":
        assert some == everything


def test_the_members_stand_in_the_order_of_the_includes():
    codes = [
        code
        for _, _, code in listed(
            *_abc(), value_set(include("c", "a", system=SYSTEMS[0]), include("b", system=SYSTEMS[0]))
        )
    ]
    assert codes == ["c", "a", "b"]


def _abc() -> list[Json]:
    concepts = [{"code": code, "display": code} for code in "abc"]
    return [
        {
            "resourceType": "CodeSystem",
            "url": SYSTEMS[0],
            "status": "active",
            "content": "complete",
            "concept": concepts,
        }
    ]
