"""The code systems that this project publishes: one JSON file each, and those for CPT, made by `cpt`.

To add one, drop its JSON file (FHIR R5) into this folder. Nothing here imports anything of the project.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesystems import cpt

CANONICAL_BASE = "https://flask-fhir-terminology.org/fhir"
"""Where the canonicals of our own resources begin; the JSON files repeat it, held to it by a test."""


def published() -> Iterator[Path | dict[str, Any]]:
    """The files of this folder in the order of their names, then the resources made from one source."""
    yield from sorted(Path(__file__).parent.glob("*.json"))
    yield from cpt.fragments()
    yield from cpt.facts()
    yield from cpt.labels()
