"""Frozen values that are defined and made as quickly as others.

``dataclass`` is that of the standard library, which compiles eight functions for each frozen class: two hundred classes
took a third of the time in which a command starts, for functions of which few are ever called. Here a frozen class with
slots gets functions that all share, and its ``__init__`` when the first value is made. That one fills the object as an
instance of an open twin with the same slots and then declares it to be of the frozen class: ``object.__setattr__`` for
every field made a fifth of the time of a ``$lookup``. Such a class is never inherited from.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(kind: type | None = None, /, **options: bool) -> Any:
        """``dataclasses.dataclass``, by its own means for a frozen class with slots and without special fields."""
        if kind is None:
            return lambda kind: dataclass(kind, **options)
        return _frozen(kind, **options) if _ordinary(kind, **options) else dataclasses.dataclass(kind, **options)


__all__ = ["dataclass"]


def _ordinary(kind: type, *, frozen: bool = False, slots: bool = False, **options: bool) -> bool:
    if not (frozen and slots and options.keys() <= {"eq", "repr"} and kind.__bases__ == (object,)):
        return False
    stated = [each for each in vars(kind).values() if isinstance(each, dataclasses.Field)]
    special = any(not (each.init and each.repr and each.compare and each.hash is None) for each in stated)
    return not special and "__post_init__" not in vars(kind)


def _frozen(kind: type, *, eq: bool = True, repr: bool = True, **_: bool) -> type:  # noqa: A002
    own = frozenset(vars(kind))
    kind.__doc__ = kind.__doc__ or kind.__name__  # else its signature becomes its documentation, which takes long
    made: Any = dataclasses.dataclass(kind, init=False, repr=False, eq=False, slots=True)
    found: dict[str, Any] = {"__init__": _made_first(made), "__setattr__": _set, "__delattr__": _delete}
    found |= {"__getstate__": _state, "__setstate__": _restore, "__init_subclass__": classmethod(_childless)}
    if repr:
        found["__repr__"] = _shown
    if eq:
        found["__eq__"], found["__hash__"] = _compared(tuple(made.__dataclass_fields__))
    for name, function in found.items():
        if name not in own:
            setattr(made, name, function)
    kept: type = made
    return kept


# --- what all share ---------------------------------------------------------------------------------------------


def _set(_self: object, name: str, _value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(_self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _childless(kind: type, /, **_: object) -> NoReturn:
    raise TypeError(f"{kind.__bases__[0].__qualname__} has no subclasses: see terminology.frozen")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__dataclass_fields__]


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__dataclass_fields__, state, strict=True):
        object.__setattr__(self, name, value)


@reprlib.recursive_repr()
def _shown(self: Any) -> str:
    told = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__])
    return f"{self.__class__.__qualname__}({told})"


# --- what each has of its own -----------------------------------------------------------------------------------


def _compared(names: tuple[str, ...]) -> tuple[Callable[[Any, Any], Any], Callable[[Any], int]]:
    if len(names) > 1:
        held: Callable[[Any], Any] = attrgetter(*names)
    else:

        def held(self: Any) -> Any:
            return tuple([getattr(self, name) for name in names])

    def equal(self: Any, other: Any) -> Any:
        return held(self) == held(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(held(self))

    return equal, hashed


def _made_first(kind: Any) -> Callable[..., None]:
    def first(self: Any, *positional: Any, **named: Any) -> None:
        kind.__init__ = _init(kind)
        kind.__init__(self, *positional, **named)

    return first


def _init(kind: Any) -> Any:
    twin = type(kind.__name__, (), {"__slots__": kind.__slots__})
    names: dict[str, Any] = {"_frozen": kind, "_twin": twin, "_become": object.__dict__["__class__"].__set__}
    parameters, lines = ["self"], ["_become(self, _twin)"]
    for each in dataclasses.fields(kind):
        value = each.name
        if each.default_factory is not dataclasses.MISSING:
            names[f"_make_{each.name}"] = each.default_factory
            parameters.append(f"{each.name}=_twin")
            value = f"_make_{each.name}() if {each.name} is _twin else {each.name}"
        elif each.default is not dataclasses.MISSING:
            names[f"_default_{each.name}"] = each.default
            parameters.append(f"{each.name}=_default_{each.name}")
        else:
            parameters.append(each.name)
        lines.append(f"self.{each.name} = {value}")
    lines.append("self.__class__ = _frozen")
    body = "\n    ".join(lines)
    exec(f"def __init__({', '.join(parameters)}):\n    {body}", names)  # noqa: S102  as dataclasses does it
    return names["__init__"]
