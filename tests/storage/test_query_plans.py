"""No question to a code-system file reads it from end to end: what SQLite says of its plans, statement by statement."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from terminology.model import (
    Canonical,
    CodeSystemInfo,
    Concept,
    Designation,
    Filter,
    Listed,
    Property,
    PropertyDefinition,
    Query,
)
from terminology.providers.file import FileProvider
from terminology.storage.code_system_compiler import compile_file

SIZE = 3_000
INFO = CodeSystemInfo(
    Canonical("http://example.org/plans", "1"), subsumption="known", properties=(PropertyDefinition("kind", "code"),)
)
KIND, BELOW = Filter("kind", "=", "k1"), Filter("concept", "is-a", "C2")
STORED = ("concept", "closure", "parent", "property", "property_text", "designation", "driver", "held")


def concepts() -> Iterator[Concept]:
    for number in range(1, SIZE + 1):
        word = "marrow" if number % 500 == 2 else "common"
        yield Concept(
            f"C{number}",
            f"Invented {word} {number}",
            parents=(f"C{(number - 2) // 3 + 1}",) if number > 1 else (),
            designations=(Designation(f"Begriff {number}", "de"),),
            properties=(Property("kind", "Code", f"k{number % 50}"),),
        )


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> FileProvider:
    path: Path = compile_file(INFO, concepts(), tmp_path_factory.mktemp("plans"))[0]
    return FileProvider.open(path)


def scans(held: FileProvider, ask: Callable[[FileProvider], object]) -> list[str]:
    """The full reads of stored tables in the plans of all statements that a question runs in a file just opened, which
    remembers nothing."""
    provider = FileProvider.open(held.file.path)
    statements: list[str] = []
    with provider.file.connected() as connection:  # the one that is taken next
        connection.set_trace_callback(statements.append)
    try:
        ask(provider)
    finally:
        connection.set_trace_callback(None)
    plans = [
        row[3]
        for sql in statements
        if not sql.startswith("--")  # what a text index asks itself
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    return [plan for plan in plans if plan.startswith("SCAN ") and plan.split()[1] in STORED]


@pytest.mark.parametrize(
    "query",
    [
        Query(text="marrow", limit=20),
        Query(text="common", limit=20),
        Query(text="common", filters=(BELOW,), limit=20),
        Query(text="common", filters=(KIND,), limit=20),
        Query(filters=(BELOW,), limit=20),
        Query(filters=(BELOW, KIND), limit=20),
        Query(filters=(Filter("concept", "descendent-of", "C1"),), limit=20, offset=40),
        Query(filters=(Filter("concept", "child-of", "C1"),), limit=20),
        Query(filters=(Filter("concept", "generalizes", "C2000"),), limit=20),
        Query(filters=(KIND,), limit=20),
        Query(filters=(KIND, BELOW), limit=20),
        Query(filters=(Filter("kind", "exists", "true"),), limit=20),
        Query(filters=(Filter("kind", "regex", "k[12]"),), limit=20),
        Query(filters=(BELOW,), codes=("C5", "C9")),
        Query(codes=("C51", "C9"), filters=(KIND,), text="common"),
        Query(listed=(Listed("C7"), Listed("C3")), limit=20),
    ],
    ids=str,
)
def test_a_page_does_not_read_all_concepts(provider: FileProvider, query: Query):
    assert [concept.code for concept in provider.select(query)]
    assert scans(provider, lambda fresh: list(fresh.select(query))) == []


@pytest.mark.parametrize(
    "query",
    [Query(text="common"), Query(filters=(BELOW,)), Query(filters=(KIND,)), Query(text="marrow", filters=(BELOW,))],
)
def test_a_total_does_not_read_all_concepts(provider: FileProvider, query: Query):
    assert provider.count(query) == len(list(provider.select(query)))
    assert scans(provider, lambda fresh: fresh.count(query)) == []


def test_one_concept_and_its_place_are_point_reads(provider: FileProvider):
    for ask in (
        lambda fresh: fresh.find("C2000"),
        lambda fresh: fresh.subsumes("C1", "C2000"),
        lambda fresh: fresh.ancestors("C2000"),
        lambda fresh: fresh.children("C1"),
    ):
        assert scans(provider, ask) == []


@pytest.mark.parametrize("code", ["C1", "C2000"])
def test_the_head_of_a_concept_is_the_concept_without_what_is_read_beside_it(provider: FileProvider, code: str):
    found = provider.find(code)
    assert isinstance(found, Concept)
    assert provider.head(code) == replace(found, parents=(), designations=(), properties=())
    assert provider.head("nowhere") == provider.find("nowhere")
    assert scans(provider, lambda fresh: fresh.head(code)) == []


def test_beginnings_of_two_to_four_letters_are_kept_and_not_merged_out_of_all_words(provider: FileProvider):
    made = provider.file.rows("SELECT sql FROM sqlite_master WHERE name = 'search'")[0][0]
    assert "prefix='2 3 4'" in made
    beginnings = ("co", "com", "comm", "commo", "common")
    assert {provider.count(Query(text=begun)) for begun in beginnings} == {SIZE - SIZE // 500}
