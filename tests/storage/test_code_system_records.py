"""Concepts as records behind the database of a code-system file: what went in comes out, by code and by number."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property
from terminology.providers.file import FileProvider
from terminology.storage.code_system_compiler import compile_file
from terminology.storage.code_system_file import SECTIONS, CodeSystemFile
from terminology.storage.code_system_sections import Sections
from terminology.storage.copies import is_code_system

INFO = CodeSystemInfo(Canonical("http://example.org/records", "1"), subsumption="known")
FOLDED = CodeSystemInfo(Canonical("http://example.org/records", "1"), subsumption="known", case_sensitive=False)

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
MAYBE = st.none() | TEXTS
NUMBERS = st.integers(-(10**30), 10**30) | st.decimals(allow_nan=False, allow_infinity=False)
VALUES = TEXTS | st.booleans() | NUMBERS | st.fixed_dictionaries({"system": TEXTS, "code": TEXTS})
EXTENSIONS = st.lists(
    st.fixed_dictionaries({"url": TEXTS, "valueDecimal": NUMBERS} | {"valueString": TEXTS}), max_size=2
).map(tuple)
DESIGNATIONS = st.builds(
    Designation,
    value=TEXTS,
    language=MAYBE,
    use=st.none() | st.fixed_dictionaries({"system": TEXTS, "code": TEXTS}),
    extensions=EXTENSIONS,
    status=st.sampled_from(("active", "retired")),
)
PROPERTIES = st.builds(Property, code=TEXTS, type=st.sampled_from(("String", "Coding", "Decimal")), value=VALUES)
CONCEPTS = st.builds(
    Concept,
    code=TEXTS.filter(bool),
    display=MAYBE,
    definition=MAYBE,
    designations=st.lists(DESIGNATIONS, max_size=2).map(tuple),
    properties=st.lists(PROPERTIES, max_size=3).map(tuple),
    extensions=EXTENSIONS,
    abstract=st.booleans(),
    inactive=st.booleans(),
    status=MAYBE,
    valid_from=MAYBE,
    valid_to=MAYBE,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(concepts=st.lists(CONCEPTS, max_size=12, unique_by=lambda each: each.code))
def test_a_concept_comes_out_as_it_went_in(tmp_path: Path, concepts: list[Concept]):
    provider = FileProvider.open(compile_file(INFO, concepts, tmp_path)[0])
    assert [provider.find(each.code) for each in concepts] == concepts
    assert repr([provider.find(each.code) for each in concepts]) == repr(concepts)  # 1 is not 1.0, nor True
    records = provider.file.records
    assert [told[0] for told in records.heads(range(1, records.size + 1))] == [each.code for each in concepts]


COLLIDING = ("plumless", "buckeroo")


def test_codes_of_one_hash_are_told_apart(tmp_path: Path):
    assert len({crc32(code.encode()) for code in COLLIDING}) == 1
    provider = FileProvider.open(compile_file(INFO, map(Concept, COLLIDING), tmp_path)[0])
    assert [provider.find(code) for code in COLLIDING] == [Concept(code) for code in COLLIDING]
    alone = FileProvider.open(compile_file(INFO, [Concept(COLLIDING[0])], tmp_path)[0])
    assert alone.file.records.found(COLLIDING[1]) is None


@pytest.mark.parametrize("code", ["", "\ud800", "c" * 100_000, "ALPHA", "a\n"])
def test_what_is_no_code_is_not_found(tmp_path: Path, code: str):
    records = CodeSystemFile(compile_file(INFO, [Concept("alpha"), Concept("a")], tmp_path)[0]).records
    assert records.found(code) is None


def test_without_regard_to_case_any_spelling_finds_the_code_as_it_is_written(tmp_path: Path):
    provider = FileProvider.open(compile_file(FOLDED, [Concept("Straße")], tmp_path)[0])
    assert provider.find("STRASSE") == provider.head("strasse") == Concept("Straße")


def test_a_system_without_concepts_has_none(tmp_path: Path):
    provider = FileProvider.open(compile_file(INFO, [], tmp_path)[0])
    assert provider.file.records.found("a") is None
    assert (provider.file.records.size, provider.ancestors("a")) == (0, frozenset())


@pytest.mark.parametrize("above", [10, 200])
def test_however_many_stand_above_a_concept_subsumption_finds_them(tmp_path: Path, above: int):
    """Some are looked at one by one, more than that in the stored closure."""
    chain = [Concept(f"C{n}", parents=(f"C{n - 1}",) if n else ()) for n in range(above)]
    provider = FileProvider.open(compile_file(INFO, [*chain, Concept("aside")], tmp_path)[0])
    last = f"C{above - 1}"
    assert {provider.subsumes(f"C{n}", last) for n in range(above - 1)} == {"subsumes"}
    assert (provider.subsumes(last, "C0"), provider.subsumes(last, "aside")) == ("subsumed-by", "not-subsumed")
    assert provider.ancestors(last) == {f"C{n}" for n in range(above - 1)}


def test_many_threads_read_one_mapping(tmp_path: Path):
    concepts = [Concept(f"C{n}", f"Display {n}") for n in range(500)]
    provider = FileProvider.open(compile_file(INFO, concepts, tmp_path)[0])
    wrong: list[Any] = []

    def read() -> None:
        wrong.extend(each for each in concepts * 3 if provider.find(each.code) != each)

    threads = [Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- files that are not what they should be -----------------------------------------------------------------------


@pytest.fixture
def path(tmp_path: Path) -> Path:
    held = (Property("n", "Decimal", Decimal("1.50")),)
    concepts = [Concept(f"C{n}", parents=("C0",) if n else (), properties=held) for n in range(9)]
    return compile_file(INFO, concepts, tmp_path)[0]


@pytest.mark.parametrize("lost", [1, 8, 56, 500])
def test_a_file_that_was_cut_off_is_refused(path: Path, lost: int):
    path.write_bytes(path.read_bytes()[:-lost])
    for ask in (FileProvider.open, is_code_system):
        with pytest.raises(ValueError, match="cut off"):
            ask(path)


@pytest.mark.parametrize(
    ("section", "width", "reason"),
    [(1, 8, "record 1 "), (3, 4, "record"), (5, 4, "a word leads nowhere"), (6, 4, "do not belong together")],
)
def test_a_file_whose_sections_lead_nowhere_is_no_code_system(path: Path, section: int, width: int, reason: str):
    is_code_system(path)
    held = path.read_bytes()
    second = Sections(path, SECTIONS).places[section] + width
    path.write_bytes(held[:second] + b"\xee" * width + held[second + width :])
    with pytest.raises(ValueError, match=reason):
        is_code_system(path)
