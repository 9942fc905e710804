"""One contract for every code system, wherever it is held: find, select, subsumes, and the hierarchy.

``select`` honours the entire query: every combination is compared with the plainest reading of it, code by code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine.asking import CS, code_system, concept, provider
from engine.generated import CODES, code_systems
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.dates import own_standing
from terminology.issues import Invalid, NotSupported, Refusal
from terminology.model import CodeSystemProvider, Concept, Counted, Filter, Listed, Miss, Query, Tree
from terminology.providers.file import FileProvider
from terminology.resources import concepts
from terminology.storage.code_system_compiler import compile_file

Json = dict[str, Any]
Build = Callable[[Json], CodeSystemProvider]

ANIMALS = code_system(
    concept("animal", concept("dog", "terrier", "poodle", display="Dog", legs=4), display="Animal", notSelectable=True),
    concept("bird", "owl", display="Bird", legs=2, wing="left"),
    concept("owl dog", display="Great owl dog", parent=["dog", "owl"], inactive=True, legs=3),
    concept("dodo", display="Dodo bird", parent="bird", inactive=True, legs=2, status="retired"),
    concept("stone", display="Stone"),
    property=[{"code": "legs", "type": "integer"}, {"code": "wing", "type": "string"}],
)
CODES_OF_ANIMALS = ["animal", "dog", "terrier", "poodle", "bird", "owl", "owl dog", "dodo", "stone"]

ADDED = {
    "resourceType": "CodeSystem",
    "url": "http://example.org/supplement",
    "status": "active",
    "content": "supplement",
    "supplements": CS,
    "property": [{"code": "sound", "type": "string"}],
    "concept": [
        {
            "code": "dog",
            "designation": [{"language": "de", "value": "Hund"}],
            "property": [{"code": "sound", "valueString": "wuff"}],
        },
        {"code": "owl", "property": [{"code": "sound", "valueString": "hu"}]},
        {"code": "nowhere", "display": "Nowhere"},
    ],
}
EMPTY = {**ADDED, "property": [], "concept": []}


@pytest.fixture(params=["memory", "supplemented", "supplemented with nothing", "file"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """build(CodeSystem): a provider of it."""
    numbers = itertools.count()

    def made(resource: Json) -> CodeSystemProvider:
        plain = provider(resource)
        match request.param:
            case "memory":
                return plain
            case "file":
                folder = tmp_path / str(next(numbers))
                folder.mkdir()
                return FileProvider.open(compile_file(plain.info, concepts(resource, plain.info), folder)[0])
            case name:
                supplement = ADDED if name == "supplemented" else EMPTY
                bound = {**supplement, "supplements": resource["url"]}
                return provider(resource, bound, supplements=(supplement["url"],))

    return made


@pytest.fixture
def animals(build: Build) -> CodeSystemProvider:
    return build(ANIMALS)


def codes(selection: Any) -> list[str]:
    return [each.code for each in selection]


def test_find_knows_every_code_and_no_other(animals: CodeSystemProvider):
    for code in CODES_OF_ANIMALS:
        assert isinstance(found := animals.find(code), Concept)
        assert found.code == code
    for code in ("Dog", "dog ", "", "nowhere", "x" * 2000):
        assert isinstance(missed := animals.find(code), Miss)
        assert missed.code == code


def test_find_tells_all_about_a_code(animals: CodeSystemProvider):
    found = animals.find("owl dog")
    assert isinstance(found, Concept)
    assert found.display == "Great owl dog"
    assert set(found.parents) == {"dog", "owl"}
    assert found.inactive
    assert not found.abstract
    assert [(held.code, held.type, held.value) for held in found.properties if held.code == "legs"] == [
        ("legs", "Integer", 3)
    ]
    assert isinstance(root := animals.find("animal"), Concept)
    assert root.abstract


def test_a_code_of_a_system_without_case_is_found_in_any_case(build: Build):
    lax = build(code_system(concept("Dog", "Puppy"), url=CS, caseSensitive=False))
    assert isinstance(found := lax.find("dOG"), Concept)
    assert found.code == "Dog"
    assert codes(lax.select(Query(codes=("PUPPY", "cat")))) == ["Puppy"]
    assert codes(lax.select(Query(listed=(Listed("pUPPY"),)))) == ["Puppy"]
    assert codes(lax.select(Query(filters=(Filter("concept", "is-a", "DOG"),)))) == ["Dog", "Puppy"]


# --- select: the whole query ------------------------------------------------------------------------------------

FILTERS: list[tuple[Filter, ...]] = [
    (),
    (Filter("concept", "is-a", "animal"),),
    (Filter("concept", "descendent-of", "bird"), Filter("legs", "=", "2")),
    (Filter("legs", "exists", "true"),),
    (Filter("inactive", "=", "false"), Filter("code", "regex", ".*o.*")),
]
LISTED = [None, (), tuple(map(Listed, ("stone", "owl dog", "owl", "nowhere", "dog")))]
TEXTS = [None, "", "owl", "bird dod", "gre dog"]
ASKED = [None, (), ("dog", "owl dog", "nowhere"), ("dodo", "stone", "owl", "dog")]


def plainly(held: CodeSystemProvider, query: Query) -> list[str]:
    """What a query asks for, one constraint after the other, each by itself."""
    found = [code for code in CODES_OF_ANIMALS if query.codes is None or code in query.codes]
    for stated in query.filters:
        alone = codes(held.select(Query(filters=(stated,))))
        found = [code for code in found if code in alone]
    if query.listed is not None:
        found = [code for code in found if code in {entry.code for entry in query.listed}]
    if query.text:
        found = [code for code in found if code in TEXT_HITS[query.text]]
    if query.active_only:
        found = [code for code in found if code not in ("owl dog", "dodo")]
    return found


TEXT_HITS = {"owl": {"owl", "owl dog"}, "bird dod": {"dodo"}, "gre dog": {"owl dog"}}


def queries() -> Iterator[Query]:
    for filters, listed, text, active, asked in itertools.product(FILTERS, LISTED, TEXTS, (False, True), ASKED):
        yield Query(filters=filters, listed=listed, text=text, active_only=active, codes=asked)


def test_select_honours_the_entire_query(animals: CodeSystemProvider):
    for query in queries():
        found = codes(animals.select(query))
        assert sorted(found) == sorted(plainly(animals, query)), query
        assert len(found) == len(set(found)), query


def test_a_page_is_cut_out_of_the_answer(animals: CodeSystemProvider):
    for query in itertools.islice(queries(), 0, None, 7):
        whole = codes(animals.select(query))
        for offset, limit in ((0, 2), (1, 1), (2, None), (0, 0), (20, 5)):
            end = None if limit is None else offset + limit
            assert codes(animals.select(replace(query, offset=offset, limit=limit))) == whole[offset:end], query


def test_a_count_is_that_of_the_whole_answer_and_so_is_a_total(animals: CodeSystemProvider):
    assert isinstance(animals, Counted)
    for query in itertools.islice(queries(), 0, None, 7):
        size = len(codes(animals.select(query)))
        assert animals.count(query) == size, query
        assert animals.select(query).total in (None, size), query
        assert animals.count(replace(query, offset=1, limit=1)) == size, query


def test_codes_come_in_the_order_of_the_system_and_enumerated_ones_in_the_order_of_the_author(
    animals: CodeSystemProvider,
):
    assert codes(animals.select(Query())) == CODES_OF_ANIMALS
    assert codes(animals.select(Query(listed=LISTED[2]))) == ["stone", "owl dog", "owl", "dog"]


def test_a_query_for_no_codes_reads_none_but_refuses_a_filter_it_does_not_understand(animals: CodeSystemProvider):
    assert codes(animals.select(Query(filters=(Filter("legs", "=", "4"),), codes=()))) == []
    with pytest.raises(NotSupported):
        animals.select(Query(filters=(Filter("tail", "=", "4"),), codes=()))
    with pytest.raises(NotSupported):
        animals.select(Query(filters=(Filter("legs", "is-about", "4"),), codes=()))
    with pytest.raises(Invalid):
        animals.select(Query(filters=(Filter("legs", "=", None),), codes=()))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(resource=code_systems(), data=st.data())
def test_membership_of_many_codes_is_that_of_each(build: Build, resource: Json, data: st.DataObject):
    held = build(resource)
    op = data.draw(st.sampled_from(("is-a", "descendent-of", "is-not-a", "child-of", "descendent-leaf", "generalizes")))
    query = Query(filters=(Filter("concept", op, data.draw(st.sampled_from(CODES))),))
    whole = codes(held.select(query))
    assert set(codes(held.select(query.only(CODES)))) == set(whole)
    assert [code for code in CODES if codes(held.select(query.only([code])))] == sorted(whole)


# --- select: as of a date ----------------------------------------------------------------------------------------

BOUNDS = (None, "2011", "2011-12", "2012-01-01", "2012-06", "2012-06-15T10:00:00+02:00", "2013")
DATED = code_system(
    *(
        concept(f"{start}..{end}", display="Owl", valid_from=[start] if start else [], valid_to=[end] if end else [])
        for start, end in itertools.product(BOUNDS, BOUNDS)
    ),
    version="1",
    effectivePeriod={"end": "2012-12-31"},
)
LATER = {
    **EMPTY,
    "concept": [
        {"code": "None..None", "property": [{"code": "valid-from", "valueDateTime": "2012-03"}]},
        {"code": "2011..None", "property": [{"code": "valid-to", "valueDateTime": "2012-03-31"}]},
    ],
}
ON = ("2010", "2011-12-31", "2012", "2012-01-01", "2012-02", "2012-06-15", "2013-01-01T00:00:00Z", "2014-05")


def standings(held: CodeSystemProvider, on: str, wanted: Callable[[Any], bool]) -> list[str]:
    """The codes whose own dates stand as wanted, each looked up by itself."""
    found = [held.find(each["code"]) for each in DATED["concept"]]
    ends = held.info.effective_to
    return [
        each.code
        for each in found
        if isinstance(each, Concept) and wanted(own_standing(on, each.valid_from, each.valid_to, ends))
    ]


@pytest.mark.parametrize("on", ON)
def test_a_query_as_of_a_date_leaves_out_what_its_own_dates_exclude(build: Build, on: str):
    for held in (build(DATED), provider(DATED, LATER, supplements=(LATER["url"],))):
        kept, undated = Query(on=on), Query(on=on, undated=True)
        assert codes(held.select(kept)) == standings(held, on, lambda found: found != "out")
        assert codes(held.select(undated)) == standings(held, on, lambda found: found is None)
        for query in (kept, undated, replace(kept, text="owl"), replace(kept, active_only=True)):
            whole = codes(held.select(query))
            assert isinstance(held, Counted)
            assert held.count(query) == len(whole)
            assert held.select(query).total in (None, len(whole))
            assert codes(held.select(replace(query, offset=3, limit=4))) == whole[3:7]
            asked = ["2011..2013", "nowhere", "None..None", "2013..2011"]
            assert sorted(codes(held.select(query.only(asked)))) == sorted(code for code in asked if code in whole)


# --- hierarchy --------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(resource=code_systems())
def test_subsumption_is_the_order_that_the_parents_make(build: Build, resource: Json):
    held = build(resource)
    known = [each["code"] for each in resource["concept"]]
    for a, b in itertools.product(known, known):
        expected = (
            "equivalent" if a == b
            else "subsumes" if a in upwards(resource, b)
            else "subsumed-by" if b in upwards(resource, a)
            else "not-subsumed"
        )  # fmt: skip
        assert held.subsumes(a, b) == expected


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(resource=code_systems())
def test_the_tree_is_one_relation_seen_from_both_ends(build: Build, resource: Json):
    held = build(resource)
    assert isinstance(held, Tree)
    known = [each["code"] for each in resource["concept"]]
    for code in known:
        assert set(held.parents(code)) == parents(resource, code)
        assert set(held.children(code)) == {other for other in known if code in parents(resource, other)}
        assert held.ancestors(code) == upwards(resource, code)
        assert held.descendants(code) == {other for other in known if code in upwards(resource, other)}


def parents(resource: Json, code: str) -> set[str]:
    stated = next(each for each in resource["concept"] if each["code"] == code)
    return {held["valueString"] for held in stated.get("property", []) if held["code"] == "parent"}


def upwards(resource: Json, code: str) -> set[str]:
    above = parents(resource, code)
    return above.union(*(upwards(resource, parent) for parent in above))


@pytest.mark.parametrize(
    ("meaning", "extension", "answer"),
    [
        ("is-a", None, "subsumes"),
        ("part-of", None, None),
        (None, None, None),
        (None, "https://flask-fhir-terminology.org/fhir/StructureDefinition/no-subsumption", "not-subsumed"),
    ],
)
def test_only_a_hierarchy_that_means_it_subsumes(
    build: Build, meaning: str | None, extension: str | None, answer: str | None
):
    said: Json = {"hierarchyMeaning": meaning} if meaning else {}
    resource = code_system(concept("a", "b"))
    del resource["hierarchyMeaning"]
    if extension:
        said["extension"] = [{"url": extension, "valueBoolean": True}]
    held = build({**resource, **said})
    assert held.subsumes("a", "b") == answer
    assert held.subsumes("a", "a") == "equivalent"


def test_a_circle_of_parents_ends(build: Build):
    held = build(code_system(concept("a", parent="c"), concept("b", parent="a"), concept("c", parent="b")))
    assert held.ancestors("a") == held.descendants("a") == {"b", "c"}
    assert codes(held.select(Query(filters=(Filter("concept", "is-a", "b"),)))) == ["a", "b", "c"]


# --- supplements ------------------------------------------------------------------------------------------------


@pytest.fixture
def louder() -> CodeSystemProvider:
    return provider(ANIMALS, ADDED, supplements=(ADDED["url"],))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(text="hund"), ["dog"]),
        (Query(filters=(Filter("sound", "=", "hu"),)), ["owl"]),
        (Query(filters=(Filter("sound", "exists", "true"), Filter("legs", "=", "4"))), ["dog"]),
        (Query(filters=(Filter("sound", "exists", "true"),), codes=("owl", "stone")), ["owl"]),
        (Query(filters=(Filter("sound", "exists", "true"),), offset=1, limit=1), ["owl"]),
        (Query(filters=(Filter("sound", "not-in", "hu,wuff"),), active_only=True, listed=LISTED[2]), ["stone"]),
    ],
)
def test_what_a_supplement_adds_can_be_asked_for(louder: CodeSystemProvider, query: Query, found: list[str]):
    assert codes(louder.select(query)) == found
    assert louder.count(query) == len(codes(louder.select(replace(query, offset=0, limit=None))))


def test_what_a_supplement_adds_says_where_it_came_from_and_makes_no_code(louder: CodeSystemProvider):
    dog = louder.find("dog")
    assert isinstance(dog, Concept)
    assert [(each.value, each.source) for each in dog.designations] == [("Hund", ADDED["url"])]
    assert [each.source for each in dog.properties if each.code == "sound"] == [ADDED["url"]]
    assert [each.source for each in dog.properties if each.code == "legs"] == [None]
    assert isinstance(louder.find("nowhere"), Miss)


def test_without_the_supplement_its_property_is_not_understood():
    with pytest.raises(Refusal):
        provider(ANIMALS, ADDED).select(Query(filters=(Filter("sound", "=", "hu"),)))
