"""The test cases: manifest, files, selection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .jsonio import load_file, loads

MANIFEST = "test-cases.json"
DEFAULT_PROFILE = "parameters-default.json"


@dataclass
class Case:
    suite: str
    name: str
    operation: str
    mode: str
    spec: dict[str, Any]

    @property
    def key(self) -> str:
        return f"{self.suite}/{self.name}"

    @property
    def http_code(self) -> str:
        return self.spec.get("http-code", "2xx")

    @property
    def profile(self) -> str:
        return self.spec.get("profile", DEFAULT_PROFILE)

    def file_for(self, role: str, modes: Iterable[str]) -> str | None:
        """The request or response file; a mode may have a file of its own."""
        for mode in sorted(modes):
            if f"{role}:{mode}" in self.spec:
                return self.spec[f"{role}:{mode}"]
        return self.spec.get(role)

    def all_files(self) -> list[str]:
        """Every file the case names, for whatever mode."""
        files = [v for n, v in self.spec.items() if n.partition(":")[0] in ("request", "response")]
        return [*files, self.profile]


@dataclass
class Suite:
    name: str
    mode: str | None
    setup: list[str]
    spec: dict[str, Any]
    cases: list[Case] = field(default_factory=list)


class TestSet:
    __test__ = False  # not a test class

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        manifest = folder / MANIFEST
        if not manifest.is_file():
            raise FileNotFoundError(f"{MANIFEST} not found in {folder}")
        self.manifest = load_file(manifest)
        self.suites = [self._suite(s) for s in self.manifest.get("suites", [])]

    def _suite(self, spec: dict) -> Suite:
        suite = Suite(spec["name"], spec.get("mode"), spec.get("setup", []), spec)
        for test in spec.get("tests", []):
            mode = test.get("mode") or suite.mode or "general"
            suite.cases.append(Case(suite.name, test["name"], test["operation"], mode, test))
        return suite

    def load(self, name: str) -> Any:
        return load_file(self.folder / name)

    @property
    def version(self) -> str:
        try:
            return self.load("history.json")["versions"][0]["version"]
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return self.manifest.get("version", "unknown")

    def select(
        self,
        modes: set[str],
        fhir_version: str,
        *,
        suite: str | None = None,
        text: str | None = None,
        keys: set[str] | None = None,
    ) -> list[tuple[Suite, list[Case]]]:
        chosen = []
        for s in self.suites:
            if not _applies(s.spec, modes, fhir_version) or suite not in (None, s.name):
                continue
            cases = [
                c
                for c in s.cases
                if _applies(c.spec, modes, fhir_version)
                and (not text or text in c.key)
                and (keys is None or c.key in keys)
            ]
            if cases:
                chosen.append((s, cases))
        return chosen


def _applies(spec: dict, modes: set[str], fhir_version: str) -> bool:
    if ("mode" in spec and spec["mode"] not in modes) or spec.get("disabled") is True:
        return False
    wanted = spec.get("version")
    return not wanted or fhir_version.split(".")[:2] == wanted.split(".")[:2]


def read_keys(path: Path) -> set[str]:
    """Case keys from a JSON file: a list, or an object with a list in 'cases'."""
    doc = loads(path.read_bytes())
    if isinstance(doc, dict):
        doc = doc.get("cases")
    if not isinstance(doc, list):
        raise ValueError(f"{path} holds no list of cases")  # noqa: TRY004
    return {c if isinstance(c, str) else f"{c['suite']}/{c['test']}" for c in doc}
