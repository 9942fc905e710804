"""One judge over the published content, and records made in a line."""

from collections.abc import Callable
from typing import Any

import pytest

from terminology.procedures.judging import Judge
from terminology.procedures.records import Judgement
from terminology.service import State
from terminology.settings import Settings

Json = dict[str, Any]


@pytest.fixture(scope="session")
def state() -> State:
    return State(Settings.load(stated={}))


@pytest.fixture(scope="session")
def judge(state: State) -> Judge:
    return Judge.of(state)


@pytest.fixture(scope="session")
def judged(judge: Judge) -> Callable[..., Judgement]:
    """judged(resource, fhir, date) is all that the judge says."""
    return lambda resource, fhir="R4", date=None: judge.judge(judge.read(resource, fhir), date)
