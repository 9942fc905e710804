"""The operations, one file each. A module here that defines an ``Operation`` is served; nothing else registers it."""

from importlib import import_module
from pkgutil import iter_modules

from terminology.operation import Operation

OPERATIONS: tuple[Operation, ...] = tuple(
    value
    for module in sorted(found.name for found in iter_modules(__path__))
    for value in vars(import_module(f"{__name__}.{module}")).values()
    if isinstance(value, Operation)
)
"""All operations, in the order of their files."""

BY_NAME = {(operation.resource, operation.name): operation for operation in OPERATIONS}
