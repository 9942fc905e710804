"""CodeSystem/$subsumes: how two codes relate, and where that cannot be said."""

from __future__ import annotations

from typing import Any

import pytest
from animals import ANIMALS, animals
from engine.asking import call, value_of

from terminology.issues import Refusal
from terminology.model import NO_SUBSUMPTION

Json = dict[str, Any]

NOTHING_MEANT = {key: value for key, value in animals().items() if key != "hierarchyMeaning"}
NONE_DEFINED = {**NOTHING_MEANT, "extension": [{"url": NO_SUBSUMPTION, "valueBoolean": True}]}
FRAGMENT = animals(content="fragment")

RELATED = [
    (animals(), "animal", "dog", "subsumes"),
    (animals(), "dog", "animal", "subsumed-by"),
    (animals(), "mammal", "dog", "subsumes"),
    (animals(), "dog", "dog", "equivalent"),
    (animals(), "dog", "cat", "not-subsumed"),
    (animals(), "mammal", "bird", "not-subsumed"),
    (animals(caseSensitive=False), "DOG", "dog", "equivalent"),
    (animals(caseSensitive=False), "Animal", "doG", "subsumes"),
    (NONE_DEFINED, "dog", "animal", "not-subsumed"),
    (NONE_DEFINED, "dog", "dog", "equivalent"),
    (NOTHING_MEANT, "dog", "dog", "equivalent"),
    (FRAGMENT, "dog", "animal", "subsumed-by"),
    (FRAGMENT, "dog", "dog", "equivalent"),
]


@pytest.mark.parametrize(("system", "a", "b", "outcome"), RELATED)
def test_two_codes_relate(system: Json, a: str, b: str, outcome: str):
    by_code = call("CodeSystem/$subsumes", system, system=ANIMALS, codeA=a, codeB=b)
    codings = {name: {"system": ANIMALS, "code": code} for name, code in (("codingA", a), ("codingB", b))}
    assert value_of(by_code, "outcome") == outcome
    assert value_of(call("CodeSystem/$subsumes", system, **codings), "outcome") == outcome


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_the_answer_says_where_it_came_from(fhir: Any):
    answer = call("CodeSystem/$subsumes", animals("7"), fhir=fhir, system=ANIMALS, codeA="dog", codeB="cat")
    assert value_of(answer, "diagnostics") == f"Answered from {ANIMALS}|7 (complete)"


def test_the_version_that_was_named_answers():
    flat = animals("2", concept=[{"code": "dog"}, {"code": "animal"}])
    for version, outcome in (("1", "subsumes"), ("2", "not-subsumed")):
        stated = {"system": ANIMALS, "version": version, "codeA": "animal", "codeB": "dog"}
        assert value_of(call("CodeSystem/$subsumes", animals(), flat, **stated), "outcome") == outcome


PAIR = {"system": ANIMALS, "codeA": "dog", "codeB": "cat"}
REFUSED: list[tuple[Json, Json, str]] = [
    (NOTHING_MEANT, PAIR, "subsumption cannot be determined"),
    (animals(hierarchyMeaning="part-of"), PAIR, "subsumption cannot be determined"),
    (FRAGMENT, PAIR, "is a fragment, so its hierarchy is known to be incomplete"),
    (animals(), {**PAIR, "codeB": "cow"}, "Unknown code 'cow'"),
    (animals(), {**PAIR, "codeA": "cow", "codeB": "sow"}, "Unknown code 'sow'"),
    (animals(), {"system": ANIMALS, "codeA": "dog"}, "'codeB' is missing"),
    (animals(), {"codeA": "dog", "codeB": "cat"}, "'system' is missing"),
    (animals(), {}, "'codeA' is missing"),
    (animals(), {**PAIR, "version": "9"}, "has no version '9'"),
    (animals(), {**PAIR, "system": "http://example.org/nowhere"}, "is not known to this server"),
    (
        animals(),
        {"codingA": {"system": ANIMALS, "code": "dog"}, "codingB": {"system": "http://example.org/b", "code": "dog"}},
        "subsumption is tested in one system",
    ),
    (
        animals(),
        {
            "codingA": {"system": ANIMALS, "code": "dog", "version": "1"},
            "codingB": {"system": ANIMALS, "code": "dog", "version": "2"},
        },
        "2",
    ),
    (animals(), {**PAIR, "codingA": {"system": ANIMALS, "code": "dog"}}, "Only one of codeA, codingA may be sent"),
]


@pytest.mark.parametrize(("system", "parameters", "said"), REFUSED)
def test_what_cannot_be_determined_is_refused_and_never_guessed(system: Json, parameters: Json, said: str):
    with pytest.raises(Refusal) as refused:
        call("CodeSystem/$subsumes", system, **parameters)
    assert said in str(refused.value)
