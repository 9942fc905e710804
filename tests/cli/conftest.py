"""Running a command as a user does, without a process."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from terminology.cli import group


@pytest.fixture
def terminology(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``terminology("lookup", "cpt", "38232")``, without settings of the tester's environment."""
    for name in [name for name in os.environ if name.startswith("TERMINOLOGY_")]:
        monkeypatch.delenv(name)

    def run(*arguments: Any, **options: Any) -> Result:
        return CliRunner().invoke(group, [str(each) for each in arguments], prog_name="terminology", **options)

    return run


@pytest.fixture
def answered(terminology: Callable[..., Result]) -> Callable[..., Any]:
    """The JSON that a command prints."""

    def run(*arguments: Any) -> Any:
        return json.loads(terminology(*arguments, "--json").stdout)

    return run
