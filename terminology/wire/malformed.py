"""The one refusal of the wire: a body that is not what it says it is."""

from __future__ import annotations


class Malformed(ValueError):
    """A body that cannot be read. `reason` is a sentence with the remedy, `where` a place in the body:
    `line 3, column 5`, `line 3`, the path of an element (`parameter[0].name`), or `body`."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(f"{reason} (at {where})")
        self.reason = reason
        self.where = where
