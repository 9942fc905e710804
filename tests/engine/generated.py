"""Code systems and value sets made at random: hierarchies, inactive and abstract codes, properties, versions; includes
that enumerate, filter or take all, imports, intersections, excludes, and all of it nested."""

from __future__ import annotations

from typing import Any

from engine.asking import code_system, concept
from hypothesis import strategies as st

Json = dict[str, Any]

SYSTEMS = ("http://example.org/a", "http://example.org/b")
CODES = tuple("abcdefgh")
HIERARCHICAL = ("is-a", "descendent-of", "is-not-a", "child-of", "descendent-leaf", "generalizes")


@st.composite
def code_systems(draw: st.DrawFn, url: str = SYSTEMS[0], version: str | None = None) -> Json:
    """Some of eight codes; a parent stands before its children, and a code may have two parents."""
    codes = [code for code in CODES if draw(st.integers(0, 4))]
    made = []
    for place, code in enumerate(codes):
        parents = draw(st.lists(st.sampled_from(codes[:place]), max_size=2, unique=True)) if place else []
        more: Json = {"parent": parents} if parents else {}
        for name in ("inactive", "notSelectable"):
            if not draw(st.integers(0, 3)):
                more[name] = True
        if draw(st.booleans()):
            more["p"] = draw(st.sampled_from("xyz"))
        made.append(concept(code, display=f"Display {code}", **more))
    defined = [{"code": "p", "type": "string"}]
    return code_system(*made, url=url, property=defined, **({"version": version} if version else {}))


FILTERS = st.one_of(
    st.builds(
        lambda op, value: {"property": "concept", "op": op, "value": value},
        st.sampled_from(HIERARCHICAL),
        st.sampled_from(CODES),
    ),
    st.builds(
        lambda op, value: {"property": "p", "op": op, "value": value},
        st.sampled_from(("=", "in", "not-in", "regex")),
        st.sampled_from(("x", "x,y", "z", "[xy]")),
    ),
    st.builds(lambda value: {"property": "p", "op": "exists", "value": value}, st.sampled_from(("true", "false"))),
    st.builds(lambda value: {"property": "inactive", "op": "=", "value": value}, st.sampled_from(("true", "false"))),
)


@st.composite
def includes(draw: st.DrawFn, known: tuple[str, ...] = (), versions: tuple[str, ...] = ()) -> Json:
    """One include: a system whole, enumerated or filtered, imports of known value sets, or both together."""
    imports = draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
    made: Json = {"valueSet": imports} if imports else {}
    if imports and draw(st.booleans()):
        return made
    made["system"] = draw(st.sampled_from(SYSTEMS))
    if versions and draw(st.booleans()):
        made["version"] = draw(st.sampled_from(versions))
    match draw(st.sampled_from(("whole", "listed", "filtered"))):
        case "listed":
            listed = draw(st.lists(st.sampled_from(CODES), min_size=1, max_size=4, unique=True))
            made["concept"] = [{"code": code} for code in listed]
        case "filtered":
            made["filter"] = draw(st.lists(FILTERS, min_size=1, max_size=2))
    return made


@st.composite
def value_sets(draw: st.DrawFn, url: str, known: tuple[str, ...] = (), versions: tuple[str, ...] = ()) -> Json:
    compose: Json = {"include": draw(st.lists(includes(known, versions), min_size=1, max_size=3))}
    if draw(st.booleans()):
        compose["exclude"] = draw(st.lists(includes(known, versions), min_size=1, max_size=2))
    inactive = draw(st.sampled_from((None, None, None, True, False)))
    if inactive is not None:
        compose["inactive"] = inactive
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose}


@st.composite
def worlds(draw: st.DrawFn, versions: tuple[str, ...] = ("1",)) -> tuple[list[Json], list[Json]]:
    """Two code systems, each in all the versions, and up to three value sets that import each other downwards.

    The last value set is the one to ask about.
    """
    systems = [draw(code_systems(url, version)) for url in SYSTEMS for version in versions]
    made: list[Json] = []
    for place in range(draw(st.integers(1, 3))):
        known = tuple(each["url"] for each in made)
        made.append(draw(value_sets(f"http://example.org/vs{place}", known, versions)))
    return systems, made
