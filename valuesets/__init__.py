"""The value sets that this project publishes: one JSON file each (FHIR R5), dropped into this folder."""

from collections.abc import Iterable
from pathlib import Path


def published() -> Iterable[Path]:
    """The files of this folder in the order of their names."""
    return sorted(Path(__file__).parent.glob("*.json"))
