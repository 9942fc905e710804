"""A state file and a resource store (SQLite, PostgreSQL) of each test, and a clock that the test sets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import postgresql
import pytest

from terminology.storage import Bounds
from terminology.storage.caches import Caches
from terminology.storage.database import Database
from terminology.storage.store import Store


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


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgresql.cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
    else:
        with postgresql.database(request.getfixturevalue("server")) as made:
            yield made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    held = Store(url)
    yield held
    held.close()
