"""``quickly`` changes how fast a frozen value is made, and nothing else about it."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from terminology.catalog import Scope
from terminology.frozen import quickly
from terminology.membership import Found
from terminology.model import Concept, Designation, Property, Query
from terminology.operations.lookup import Lookup


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    count: int = 3
    held: dict[str, int] = field(default_factory=dict)


@quickly
@dataclass(frozen=True, slots=True)
class Quick:
    name: str
    count: int = 3
    held: dict[str, int] = field(default_factory=dict)


@pytest.mark.parametrize(
    ("positional", "named"),
    [(("a",), {}), (("a", 1), {}), (("a",), {"count": 0}), ((), {"name": "a", "held": {"b": 1}})],
)
def test_a_value_made_quickly_holds_what_the_usual_one_holds(positional: tuple[Any, ...], named: Any) -> None:
    quick, plain = Quick(*positional, **named), Plain(*positional, **named)
    assert [getattr(quick, each.name) for each in fields(quick)] == [
        getattr(plain, each.name) for each in fields(plain)
    ]


@pytest.mark.parametrize(
    ("positional", "named"), [((), {}), (("a", 1, {}, 2), {}), (("a",), {"name": "b"}), (("a",), {"other": 1})]
)
def test_it_is_as_strict_about_what_it_is_given(positional: tuple[Any, ...], named: Any) -> None:
    for kind in (Plain, Quick):
        with pytest.raises(TypeError):
            kind(*positional, **named)


def test_it_shares_nothing_between_values() -> None:
    assert Quick("a").held is not Quick("a").held


@pytest.mark.parametrize("kind", [Quick, Concept, Designation, Property, Query, Found, Lookup, Scope])
def test_it_is_frozen_as_before(kind: type[Any]) -> None:
    made = kind(*("x" for each in fields(kind) if each.default is each.default_factory))
    assert type(made) is kind
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(kind)[0].name, "y")
    with pytest.raises((AttributeError, TypeError)):
        made.other = 1
    assert not hasattr(made, "__dict__")


def test_it_compares_copies_and_travels_as_before() -> None:
    made = Concept("a", "A", designations=(Designation("b", "de"),))
    assert made == Concept("a", "A", designations=(Designation("b", "de"),)) != replace(made, display="B")
    assert pickle.loads(pickle.dumps(made)) == copy.copy(made) == copy.deepcopy(made) == made
    assert repr(Property("a", "Code", "b")) == "Property(code='a', type='Code', value='b', source=None)"
    assert hash(Property("a", "Code", "b")) == hash(Property("a", "Code", "b"))
