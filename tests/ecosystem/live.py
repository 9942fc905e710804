"""HL7's cases against a live server: where the cases are, a client that remembers every answer, and the baseline."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fhir_models
import requests
from ecosystem.runner.cases import TestSet
from ecosystem.runner.client import Client
from ecosystem.runner.runner import Result, Runner

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("TX_TESTS") or ROOT.parent / "shared/conformance/cases")
WHERE = (
    f"HL7's test cases are not in {FOLDER}. Set TX_TESTS to their folder; the public ones are the folder 'tests' of "
    "the GitHub repository HL7/fhir-tx-ecosystem-ig"
)
MODES = {"general"}
FHIR = {"R4": "4.0.1", "R5": "5.0.0"}
PATHS = {"R4": "/fhir/r4", "R5": "/fhir/r5"}


def here() -> bool:
    return (FOLDER / "test-cases.json").is_file()


def tests() -> TestSet:
    return TestSet(FOLDER)


def suites(fhir: str) -> list[str]:
    """The names of the suites that have cases for a FHIR version; none where the cases are not here."""
    return [suite.name for suite, _ in tests().select(MODES, FHIR[fhir])] if here() else []


def baseline(fhir: str) -> frozenset[str]:
    """The cases that are known to fail. This list may only shrink."""
    known: dict[str, list[str]] = json.loads(Path(__file__).with_name("baseline.json").read_text("utf-8"))
    return frozenset(known[fhir])


class Recording(Client):
    """The runner's client, which has every answer read by fhir.resources for its FHIR version.

    ``invalid`` collects what is wrong; ``cache`` says whether a suite's resources may be sent once, for all its cases.
    """

    cache = True

    def __init__(self, base: str, fhir: str) -> None:
        self.invalid: list[str] = []
        super().__init__(base, version=fhir)

    @property
    def has_cache_control(self) -> bool:
        return self.cache and super().has_cache_control

    def _payload(self, response: requests.Response) -> dict[str, Any]:
        try:
            fhir_models.parsed(json.loads(response.content), self.fhir_version)
        except (ValueError, KeyError, AttributeError, ImportError) as wrong:
            self.invalid.append(f"{response.request.method} {response.request.path_url[:120]}: {wrong}"[:600])
        return super()._payload(response)


class WithoutCache(Recording):
    """Sends a suite's resources with every request."""

    cache = False


@dataclass
class Outcome:
    """What a suite came to: the first difference of each failed case, and the keys of those that passed."""

    failed: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)

    def note(self, key: str, result: Result) -> None:
        if result.passed and key not in self.failed:
            self.passed.add(key)
        elif not result.passed:
            self.passed.discard(key)
            self.failed.setdefault(key, result.message or "failed")


def run(client: Client, suite: str, held: TestSet | None = None) -> Outcome:
    """A suite, judged strictly."""
    held = held or tests()
    outcome = Outcome()
    for chosen, cases in held.select(MODES, client.fhir_version, suite=suite):
        runner = Runner(held, client, MODES, strict=True)
        for case, result in zip(cases, runner.run_suite(chosen, cases), strict=True):
            outcome.note(case.key, result)
    return outcome


def said(differences: Mapping[str, str]) -> str:
    return "".join(f"\n  {key}: {difference}" for key, difference in sorted(differences.items()))
