"""The code systems that this project publishes: JSON files, those for CPT, made by `cpt`, and computed ones.

To add one, drop its JSON file (FHIR R5) into this folder, or write a `Grammar` and name it in `published`. Nothing here
imports anything of the project but `terminology.model`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codesystems import cpt
from codesystems.bcp_13 import BCP_13
from codesystems.bcp_47 import BCP_47
from codesystems.cpt_expressions import CPT_EXPRESSIONS
from codesystems.ucum import UCUM
from terminology.model import Expressions, Grammar

CANONICAL_BASE = "https://flask-fhir-terminology.org/fhir"
"""Where the canonicals of our own resources begin; the JSON files repeat it, held to it by a test."""


def published() -> Iterator[Path | dict[str, Any] | Grammar | Expressions]:
    """The files of this folder in the order of their names, the resources made from one source, the grammars."""
    yield from sorted(Path(__file__).parent.glob("*.json"))
    yield from cpt.fragments()
    yield from cpt.facts()
    yield from cpt.labels()
    yield UCUM
    yield BCP_47
    yield BCP_13
    yield CPT_EXPRESSIONS
