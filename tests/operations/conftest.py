"""An app of its own for each test, with the content and settings that the test wants."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from terminology import Terminology
from terminology.service import State


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """made(content, page_limit=…): an app with that content and no other."""
    states: list[State] = []

    def app(*content: Any, **settings: Any) -> Flask:
        service = Terminology(
            content=content,
            installed_content=False,
            **{"state_path": str(tmp_path / "state.sqlite"), **settings},
        )
        flask = Flask("test")
        service.init_app(flask)
        states.append(flask.extensions["terminology"]["/fhir"])
        return flask

    yield app
    for state in states:
        state.storage.close()


@pytest.fixture(params=["r4", "r5"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)
