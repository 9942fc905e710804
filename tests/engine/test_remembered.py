"""What a catalog remembers is what it would say anew, whatever was asked before, and it forgets with the catalog."""

from functools import partial
from typing import Any

import pytest

from terminology import catalog as catalogs
from terminology import resources
from terminology.catalog import Catalog, Scope
from terminology.model import Concept, Designation
from terminology.providers.supplemented import supplemented
from terminology.resolution import prepare
from terminology.versions import VersionPolicy

URL = "http://example.org/animals"
SET = "http://example.org/vs/animals"
SUPPLEMENT = "http://example.org/animals-in-dutch"


def code_system(version: str) -> dict[str, Any]:
    concept = [{"code": "cat", "display": f"Cat {version}"}]
    return {
        "resourceType": "CodeSystem",
        "id": f"animals-{version}",
        "url": URL,
        "version": version,
        "status": "active",
        "content": "complete",
        "concept": concept,
    }


def value_set(include: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "id": "a", "url": SET, "status": "active", "compose": {"include": [include]}}


DUTCH = {
    "resourceType": "CodeSystem",
    "id": "nl",
    "url": SUPPLEMENT,
    "status": "active",
    "content": "supplement",
    "supplements": URL,
    "concept": [{"code": "cat", "designation": [{"language": "nl", "value": "Kat"}]}],
}


def scope(catalog: Catalog, **stated: Any) -> Scope:
    return Scope(catalog, decorate=supplemented, **stated)


def names(asked: Scope, version: str | None = None) -> list[str]:
    provider = asked.provider(URL, version)
    found = provider.find("cat") if provider else None
    assert isinstance(found, Concept)
    return [found.display or "", *(entry.value for entry in found.designations)]


@pytest.fixture
def stored() -> Catalog:
    return resources.layer([code_system("1"), code_system("2"), DUTCH])


ASKED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, ["Cat 2"]),
    "a named supplement": ({"supplements": (SUPPLEMENT,)}, ["Cat 2", "Kat"]),
    "the operator's supplement": ({"default_supplements": (SUPPLEMENT,)}, ["Cat 2", "Kat"]),
    "plain again": ({}, ["Cat 2"]),
    "of another day": ({"on": "2020-01-01"}, ["Cat 2"]),
}


@pytest.mark.parametrize("order", [list(ASKED), list(reversed(ASKED))], ids=["forth", "back"])
def test_no_scope_gets_what_another_one_was_told(stored: Catalog, order: list[str]) -> None:
    for name in order * 2:
        stated, expected = ASKED[name]
        assert names(scope(stored, **stated)) == expected, name


def test_what_a_request_brings_is_not_remembered_for_the_next_one(stored: Catalog) -> None:
    brought = resources.layer([code_system("3")]).over(stored)
    assert names(scope(stored)) == ["Cat 2"]
    assert names(scope(brought, guests=1)) == ["Cat 3"]
    assert names(scope(brought, guests=1), "2") == ["Cat 2"]
    assert names(scope(stored)) == ["Cat 2"]
    assert stored.code_system(URL, "3") is None


def test_a_designation_of_a_supplement_is_added_once_however_often_it_is_asked_for(stored: Catalog) -> None:
    asked = scope(stored, default_supplements=(SUPPLEMENT,))
    provider = asked.provider(URL, None)
    assert provider is asked.provider(URL, None)
    for _ in range(3):
        found = provider.find("cat") if provider else None
        assert isinstance(found, Concept)
        assert found.designations == (Designation("Kat", "nl", source=SUPPLEMENT),)


def test_names_of_nothing_are_not_remembered(stored: Catalog) -> None:
    for number in range(50):
        stored.code_system(f"urn:none:{number}")
        stored.value_set(f"urn:none:{number}")
        scope(stored).provider(URL, f"9.{number}")
    assert not [key for key in stored._known if "none" in str(key) or "9." in str(key)]


def test_what_is_remembered_is_bounded(stored: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogs, "REMEMBERED", 8)
    for number in range(40):
        assert stored.remembered(("number", number), partial(int, number + 1)) == number + 1
    assert len(stored._known) <= 8


def test_a_broken_value_set_is_refused_every_time() -> None:
    broken = value_set({"system": URL, "filter": [{"property": "colour", "op": "=", "value": "red"}]})
    catalog = resources.layer([code_system("1"), broken])
    held = catalog.value_set(SET)
    assert held is not None
    for _ in range(3):
        with pytest.raises(Exception, match="colour"):
            prepare(held, scope(catalog))


def test_a_value_set_that_was_sound_is_walked_again_under_rules_of_versions() -> None:
    include = {"system": URL, "filter": [{"property": "concept", "op": "is-a", "value": "cat"}]}
    other = {**value_set(include), "compose": {"include": [{"valueSet": [f"{SET}-2"]}]}}
    catalog = resources.layer([code_system("1"), other, {**value_set(include), "id": "b", "url": f"{SET}-2"}])
    held = catalog.value_set(SET)
    assert held is not None
    prepare(held, scope(catalog))
    missing = VersionPolicy.parse([("force-valueset-version", f"{SET}-2|9")])
    with pytest.raises(Exception, match=r"-2\|9"):
        prepare(held, scope(catalog, versions=missing))
