"""Who stands below whom, against a walk from each concept; and what reads it in a file."""

from random import Random

import pytest

from terminology.model import Canonical, CodeSystemInfo, Concept, Filter, Query
from terminology.providers.file import FileProvider
from terminology.storage.code_system_compiler import Telling, compile_file
from terminology.storage.descendants import Hierarchy

INFO = CodeSystemInfo(Canonical("http://example.org/graph", "1"), subsumption="known")


def walked(number, links):
    found, waiting = set(), [number]
    while waiting:
        concept = waiting.pop()
        if concept not in found:
            found.add(concept)
            waiting.extend(child for parent, child in links if parent == concept)
    return sorted(found)


def graph(seed):
    """Trees, several parents, circles, links to itself: whatever comes."""
    draw = Random(seed)
    size = draw.randrange(1, 14)
    links = {(draw.randint(1, size), draw.randint(1, size)) for _ in range(draw.randrange(2 * size))}
    return size, sorted(links)


@pytest.mark.parametrize("seed", range(60))
def test_descendants_are_those_of_a_walk(seed):
    size, links = graph(seed)
    assert dict(Hierarchy(size, links).rows()) == {number: walked(number, links) for number in range(1, size + 1)}


@pytest.mark.parametrize("seed", range(12))
def test_a_file_answers_like_its_graph(seed, tmp_path):
    size, links = graph(seed)
    parents = {number: tuple(f"C{parent}" for parent, child in links if child == number) for number in range(size + 1)}
    concepts = (Concept(f"C{number}", parents=parents[number]) for number in range(1, size + 1))
    provider = FileProvider.open(compile_file(INFO, concepts, tmp_path)[0])
    below = {f"C{number}": {f"C{each}" for each in walked(number, links)} for number in range(1, size + 1)}
    for code, found in below.items():
        above = {other for other, listed in below.items() if code in listed}
        assert provider.descendants(code) == found - {code}
        assert provider.ancestors(code) == above - {code}
        generalizes = Query(filters=(Filter("concept", "generalizes", code),))
        assert {concept.code for concept in provider.select(generalizes)} == above
        assert {concept.code for concept in provider.select(Query(filters=(Filter("concept", "is-a", code),)))} == found


def test_a_parent_that_the_source_lacks_is_told_and_left_out(tmp_path):
    told = []
    telling = Telling(lacking=lambda child, parent: told.append((child, parent)))
    concepts = [Concept("a"), Concept("b", parents=("a", "z"))]
    path, _ = compile_file(INFO, concepts, tmp_path, telling=telling)
    assert told == [("b", "z")]
    assert FileProvider.open(path).parents("b") == ("a",)
