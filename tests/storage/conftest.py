"""A state file of each test, and a clock that the test sets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terminology.storage import Bounds
from terminology.storage.caches import Caches
from terminology.storage.database import Database


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    held = Database(str(tmp_path / "state.sqlite"))
    yield held
    held.close()


@pytest.fixture
def caches(database: Database, clock: Clock) -> Callable[..., Caches]:
    """caches(cache_limit=…): the caches of the file within these bounds."""
    return lambda **bounds: Caches(database, Bounds(**bounds), clock)
