"""What is cut short for the calls that most are, says what the long way says."""

from typing import Any

import pytest

from terminology import Terminology, schemas
from terminology.issues import Invalid
from terminology.operations import BY_NAME, OPERATIONS
from terminology.parameters import Given
from terminology.request import Exchange

VALUES: tuple[Any, ...] = (
    "x", "", "true", "yes", "5", "-1", "2012-01-31", "2012-13-99", "x" * 300, "x" * 3000, None, True, 5, 1.5,
    {"system": "urn:x", "code": "1"}, {"system": 1}, {"coding": [{"code": "1"}]}, {"coding": "x"}, ["x"], [],
)  # fmt: skip


def taken(read: Any, *arguments: Any) -> Any:
    try:
        found = read(*arguments)
    except Invalid as refused:
        return refused.issues
    return dict(found), found.given


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.resource}-{each.name}")
def test_parameters_of_an_ordinary_call_are_read_as_of_any_other(operation: Any) -> None:
    names = [name for each in operation.inputs for name in (each.name, *each.aliases)]
    calls = [[Given(name, value)] for name in [*names, "unheard-of"] for value in VALUES]
    calls += [[Given(name, "x")] * 2 for name in names]
    calls += [[Given(name, "x") for name in group] for group in operation.contradictions]
    for given in calls:
        assert taken(schemas.read, operation, given) == taken(schemas._read, operation, given, False)
    assert any(schemas._ordinary(operation, given) is not None for given in calls)


def test_requests_that_state_nothing_of_their_scope_share_one() -> None:
    state, lookup = Terminology().state, BY_NAME["CodeSystem", "lookup"]
    asked = [Given("system", "urn:x"), Given("code", "1")]

    def scope(*more: Given, **exchange: Any) -> Any:
        return state.request(lookup, [*asked, *more], Exchange(**exchange)).scope

    plain = scope()
    assert scope() is plain
    assert scope(strict=True) is plain
    german = scope(accept_language="de")
    assert german is not plain
    assert german.reader != plain.reader
    assert scope(fhir="R4").fhir == "R4"
    assert scope(threshold=5).limits.expansion == 5
    for name, value in (("displayLanguage", "de"), ("date", "2012-01-31"), ("system-version", "urn:x|1")):
        assert scope(Given(name, value)) is not plain
    for number in range(1000):
        scope(accept_language=f"de-x{number}")
    assert scope().limits is plain.limits
    assert len(state._scopes) <= 64
