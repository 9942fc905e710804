"""HL7's cases are not part of the repository: where they are not at hand their tests are left out, but never in CI."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ecosystem import live

LEFT_OUT = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("CI") == "true" or live.here():
        return
    of_cases = [item for item in items if Path(__file__).parent in item.path.parents]
    items[:] = [item for item in items if item not in of_cases]
    config.hook.pytest_deselected(items=of_cases)
    config.stash[LEFT_OUT] = len(of_cases)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if count := terminalreporter.config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{count} tests left out: {live.WHERE}.", yellow=True)


@pytest.fixture(scope="session")
def recording(live_server: str) -> Callable[[str], live.Recording]:
    """recording("R4"): the client of that FHIR version, one for all suites."""
    made: dict[str, live.Recording] = {}

    def client(fhir: str) -> live.Recording:
        if fhir not in made:
            made[fhir] = live.Recording(live_server + live.PATHS[fhir], fhir)
        return made[fhir]

    return client
