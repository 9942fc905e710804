"""Importing: one file per source format. A module here that defines a ``Format`` is one; nothing else registers it."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from terminology.importing.format import Format


@cache
def formats() -> dict[str, Format]:
    """All formats by name."""
    found = (
        value
        for module in sorted(found.name for found in iter_modules(__path__))
        for value in vars(import_module(f"{__name__}.{module}")).values()
        if isinstance(value, Format)
    )
    return dict(sorted((each.name, each) for each in found))
