"""A service with content, and services without."""

from collections.abc import Callable
from pathlib import Path

import pytest
import states

from terminology.backup.making import Places
from terminology.storage import library as storage


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "GRACE", 0.0)


@pytest.fixture
def service(tmp_path: Path) -> Places:
    return states.grow(tmp_path / "old")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Callable[[str], Places]:
    """elsewhere("new"): the places of a service that holds nothing yet."""
    return lambda name: states.places(tmp_path / name)
