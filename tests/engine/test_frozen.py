"""``terminology.frozen.dataclass`` changes how fast a frozen class and its values are made, and nothing else."""

import copy
import dataclasses
import pickle
import weakref
from dataclasses import FrozenInstanceError, asdict, astuple, field, fields, is_dataclass, replace
from typing import Any

import pytest

from terminology import frozen
from terminology.catalog import Scope
from terminology.membership import Found
from terminology.model import Concept, Designation, Property, Query
from terminology.operations.lookup import Lookup


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    name: str
    count: int = 3
    held: dict[str, int] = field(default_factory=dict)


@frozen.dataclass(frozen=True, slots=True)
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


@frozen.dataclass(frozen=True, slots=True)
class One:
    held: Any


@frozen.dataclass(frozen=True, slots=True)
class Nothing:
    """No field at all."""


@frozen.dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Handle:
    name: str = "x"


@frozen.dataclass(frozen=True, slots=True, repr=False)
class Secret:
    word: str

    def __repr__(self) -> str:
        return "***"

    def __hash__(self) -> int:
        return 7


@frozen.dataclass(frozen=True, slots=True)
class Special:
    """The standard library's own."""

    name: str
    long: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "long", len(self.name))


def test_it_is_a_dataclass_to_who_asks() -> None:
    quick, plain = Quick("a", held={"b": 1}), Plain("a", held={"b": 1})
    assert is_dataclass(Quick)
    assert (asdict(quick), astuple(quick)) == (asdict(plain), astuple(plain))
    assert Quick.__match_args__ == Plain.__match_args__
    assert repr(quick).removeprefix("Quick") == repr(plain).removeprefix("Plain")
    assert (Quick.__doc__, Nothing.__doc__) == ("Quick", "No field at all.")


@pytest.mark.parametrize(("one", "other"), [(One(1), One(2)), (One((1,)), One(1)), (One("a"), Nothing())])
def test_values_are_equal_by_class_and_fields(one: Any, other: Any) -> None:
    assert one == copy.copy(one)
    assert hash(one) == hash(copy.copy(one))
    assert one != other
    assert len({one, other, copy.copy(one)}) == 2
    assert one.__eq__(1) is NotImplemented


def test_one_without_a_hash_in_it_has_none() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(One([]))


def test_nothing_is_as_it_is() -> None:
    assert Nothing() == Nothing()
    assert repr(Nothing()) == "Nothing()"
    assert pickle.loads(pickle.dumps(Nothing())) == Nothing()


def test_options_and_what_a_class_says_itself_are_kept() -> None:
    made = Handle()
    assert made != Handle()
    assert weakref.ref(made)() is made
    assert (repr(Secret("a")), hash(Secret("a")), Secret("a") == Secret("a")) == ("***", 7, True)
    assert (Special("abc").long, Special("abc")) == (3, Special("abc"))


def test_one_that_holds_itself_can_be_shown() -> None:
    round_it: list[Any] = []
    round_it.append(One(round_it))
    assert repr(round_it[0]) == "One(held=[...])"


def test_nobody_inherits_from_one() -> None:
    with pytest.raises(TypeError, match="Quick has no subclasses"):

        class _Heir(Quick):  # type: ignore[misc]
            pass


def test_nothing_of_it_can_be_deleted() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'held'"):
        del One(1).held  # type: ignore[misc]
