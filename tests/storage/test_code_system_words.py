"""Texts that few concepts have, found without SQLite: the same concepts as its text index finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Query
from terminology.providers.file import FileProvider
from terminology.storage import code_system_words
from terminology.storage.code_system_compiler import compile_file
from terminology.storage.code_system_query import fts
from terminology.storage.code_system_words import words

INFO = CodeSystemInfo(Canonical("http://example.org/words", "1"))
SYLLABLES = ("bo", "ne", "mar", "row", "ma", "ß", "é", "ae", "1", "骨", "髓", "x_y", "o\u0301")
NAMES = st.lists(st.sampled_from(SYLLABLES), min_size=1, max_size=4).map("".join)
TEXTS = st.lists(NAMES, min_size=1, max_size=4).map(" ".join)


def asked(provider: FileProvider, text: str) -> Sequence[int]:
    """What SQLite's text index says."""
    rows = provider.file.rows("SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid", (fts(text),))
    return [number for (number,) in rows]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    names=st.lists(TEXTS, min_size=1, max_size=150),
    texts=st.lists(TEXTS, min_size=1, max_size=8),
    few=st.sampled_from((0, 3, 10_000)),
    page=st.tuples(st.integers(0, 12), st.none() | st.integers(0, 12)),
)
def test_what_is_found_is_what_the_text_index_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], texts: list[str], few: int, page: tuple[int, int]
):
    concepts = [Concept(f"C{n}", name, designations=(Designation(name[::-1]),)) for n, name in enumerate(names)]
    provider = FileProvider.open(compile_file(INFO, concepts, tmp_path)[0])
    monkeypatch.setattr(code_system_words, "FEW", few)
    offset, limit = page
    for text in texts:
        expected = asked(provider, text)
        assert provider.file.words.count(words(text)) == len(expected)
        found = provider.file.words.page(words(text), offset, limit)
        assert found == expected[offset:][:limit]
        assert provider.count(Query(text=text)) == len(expected)


def concepts(size: int) -> list[Concept]:
    """Of many words most stand in one concept, one in all, one in every tenth."""
    return [Concept(f"C{n}", f"common {'tenth' if n % 10 == 0 else 'other'} word{n:05}") for n in range(size)]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> FileProvider:
    return FileProvider.open(compile_file(INFO, concepts(3_000), tmp_path_factory.mktemp("words"))[0])


@pytest.mark.parametrize(
    "text", ["common", "tenth", "ten com", "word0", "word0123", "word02999", "C1 tenth", "w", "zz", "é"]
)
def test_bits_and_numbers_say_the_same_of_a_larger_system(provider: FileProvider, text: str):
    expected = asked(provider, text)
    assert provider.file.words.page(words(text), 0, None) == expected
    assert provider.file.words.page(words(text), 5, 20) == expected[5:25]
    assert provider.file.words.count(words(text)) == len(expected)


@pytest.mark.parametrize(("name", "value"), [("MOST", 100), ("LARGEST", 100)])
def test_what_is_too_common_is_the_text_index_s(
    provider: FileProvider, name: str, value: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(code_system_words, name, value)
    held = FileProvider.open(provider.file.path)
    assert held.file.words.page(words("common tenth"), 0, 20) is None
    assert held.file.words.count(words("common tenth")) is None
    assert held.file.words.page(words("word0299"), 0, 20) == asked(held, "word0299")  # ten concepts
    query = Query(text="common tenth", limit=20, offset=3)
    assert [each.code for each in held.select(query)] == [each.code for each in provider.select(query)]
    assert held.count(query) == 300


def test_texts_without_a_word_say_nothing(provider: FileProvider):
    assert provider.file.words.page(words(" - "), 0, 20) is None
    assert provider.count(Query(text=" - ")) == 3_000


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Bone_Marrow", ["bone", "marrow"]),
        ("Knochenmark-Entnahme (links)", ["knochenmark", "entnahme", "links"]),
        ("Épée", ["epee"]),
        ("e\u0301pe\u0301e", ["epee"]),
        ("Straße", ["straße"]),
        ("骨髓 x", ["x", "骨髓"]),
        ("\ud800", []),
    ],
)
def test_a_text_is_cut_as_the_text_index_cuts_it(text: str, cut: list[str]):
    assert sorted(words(text)) == sorted(cut)


@pytest.mark.parametrize("text", ["bone_marrow", "a\U0001e900b", "\ud800", '"', "a*", "NEAR(a b)"])
def test_no_text_is_an_error(provider: FileProvider, text: str):
    assert list(provider.select(Query(text=text, limit=1))) == [] or not words(text)
