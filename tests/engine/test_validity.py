"""How a code stands on a day: which release answers, what the code's own dates say, and what cannot be judged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, concept, include, issues_of, scope, value_of, value_set
from hypothesis import given
from hypothesis import strategies as st

from terminology.issues import Refusal
from terminology.model import OWN_PROPERTIES, Coding
from terminology.validity import stand

Json = dict[str, Any]
REPLACED_BY = "http://hl7.org/fhir/StructureDefinition/codesystem-replacedby"


def release(version: str, start: str | None, end: str | None, *concepts: Json | str) -> Json:
    period = {name: day for name, day in (("start", start), ("end", end)) if day}
    return code_system(*concepts, version=version, **({"effectivePeriod": period} if period else {}))


# Three releases, as fiscal years are; 2021 is missing, and the last one has no end.
YEARS = (
    release("2019", "2018-10-01", "2019-09-30", "kept", concept("gone", replaced_by="new")),
    release("2020", "2019-10-01", "2020-09-30", "kept", "new"),
    release("2022", "2021-10-01", None, "kept", "new", concept("late", valid_from="2021-11-15", valid_to="2022-03-31")),
)
# One release that states no period; its codes state dates of their own, but for one.
UNDATED = (
    release("1", None, None, concept("dated", valid_from="2012-01-01", valid_to="2014-06-30"),
            concept("open", valid_from="2012-01-01"), concept("ended", valid_to="2012"), "bare"),
)  # fmt: skip
BOTH = (*UNDATED, release("2", "2020-01-01", "2020-12-31", "bare", "dated"))

NOT_VALID, CANNOT, BY_CONCEPT = "OWN_NOT_VALID_ON_DATE", "OWN_CANNOT_JUDGE_ON_DATE", "OWN_DATE_BY_CONCEPT"
CONFLICT, WITHOUT = "OWN_VERSION_NOT_IN_FORCE", "OWN_VERSION_WITHOUT_PERIOD"
ACROSS, UNKNOWN = "OWN_DATE_ACROSS_RELEASES", "Unknown_Code_in_Version"

# (releases, code, version named, date, result, version that answers, messages)
TABLE: list[tuple[tuple[Json, ...], str, str | None, str, bool, str, list[str]]] = [
    # the release in force answers
    (YEARS, "kept", None, "2019-01-15", True, "2019", []),
    (YEARS, "kept", None, "2018-10-01", True, "2019", []),
    (YEARS, "kept", None, "2019-09-30", True, "2019", []),
    (YEARS, "kept", None, "2019-10-01T00:30:00+02:00", True, "2020", []),
    (YEARS, "kept", None, "2030-01-01", True, "2022", []),
    (YEARS, "gone", None, "2019-01-15", True, "2019", []),
    (YEARS, "gone", None, "2020-01-15", False, "2020", [UNKNOWN, NOT_VALID]),
    (YEARS, "new", None, "2019-01-15", False, "2019", [UNKNOWN, NOT_VALID]),
    (YEARS, "late", None, "2021-11-14", False, "2022", [NOT_VALID]),
    (YEARS, "late", None, "2021-11-15", True, "2022", []),
    (YEARS, "late", None, "2022-04", False, "2022", [NOT_VALID]),
    (YEARS, "late", None, "2019-01-15", False, "2019", [UNKNOWN, NOT_VALID]),
    (YEARS, "never", None, "2019-01-15", False, "2019", [UNKNOWN]),
    # no release is known for that day
    (YEARS, "kept", None, "2018-09-30", False, "2022", [CANNOT]),
    (YEARS, "kept", None, "2021-01-01", False, "2022", [CANNOT]),
    (YEARS, "never", None, "2021-01-01", False, "2022", [UNKNOWN, CANNOT]),
    (YEARS, "gone", None, "2021-01-01", False, "2022", [UNKNOWN, CANNOT]),
    (YEARS, "late", None, "2021-01-01", False, "2022", [NOT_VALID]),
    # a partial date that crosses a boundary
    (YEARS, "kept", None, "2019-09", True, "2019", []),
    (YEARS, "kept", None, "2019", True, "2020", [ACROSS]),
    (YEARS, "gone", None, "2019", True, "2019", [ACROSS]),
    (YEARS, "new", None, "2019", True, "2020", [ACROSS]),
    (YEARS, "kept", None, "2018", True, "2019", [ACROSS]),
    (YEARS, "late", None, "2021-11", True, "2022", [NOT_VALID]),
    (UNDATED, "dated", None, "2014", True, "1", [NOT_VALID]),
    # a version that was named wins
    (YEARS, "kept", "2020", "2020-01-01", True, "2020", []),
    (YEARS, "kept", "2020", "2019-01-15", True, "2020", [CONFLICT]),
    (YEARS, "gone", "2019", "2022-01-15", True, "2019", [CONFLICT]),
    (YEARS, "gone", "2020", "2019-01-15", False, "2020", [UNKNOWN, CONFLICT]),
    (YEARS, "kept", "2020", "2020", True, "2020", [ACROSS]),
    (YEARS, "kept", "*", "2019-01-15", True, "2019", []),
    (UNDATED, "bare", "1", "2013-01-01", True, "1", [WITHOUT]),
    (UNDATED, "dated", "1", "2013-01-01", True, "1", []),
    (UNDATED, "dated", "1", "2015-01-01", False, "1", [NOT_VALID]),
    (BOTH, "bare", "1", "2020-06-01", True, "1", [CONFLICT]),
    # a release without a period: the dates of the code, or nothing
    (UNDATED, "dated", None, "2012-01-01", True, "1", [BY_CONCEPT]),
    (UNDATED, "dated", None, "2011-12-31", False, "1", [NOT_VALID]),
    (UNDATED, "dated", None, "2014-07-01", False, "1", [NOT_VALID]),
    (UNDATED, "open", None, "2030", True, "1", [BY_CONCEPT]),
    (UNDATED, "ended", None, "2012-12-31", True, "1", [BY_CONCEPT]),
    (UNDATED, "ended", None, "2013-01-01", False, "1", [NOT_VALID]),
    (UNDATED, "bare", None, "2013-01-01", False, "1", [CANNOT]),
    (UNDATED, "never", None, "2013-01-01", False, "1", [UNKNOWN, CANNOT]),
    (BOTH, "bare", None, "2020-06-01", True, "2", []),
    (BOTH, "bare", None, "2013-01-01", False, "2", [CANNOT]),
]  # fmt: skip
IDS = [f"{code} of {len(releases)} on {day} in {version}" for releases, code, version, day, *_ in TABLE]


def messages(issues: Iterable[Json]) -> list[str]:
    return [next(e["valueString"] for e in i["extension"] if e["url"].endswith("message-id")) for i in issues]


@pytest.mark.parametrize(("releases", "code", "version", "date", "result", "used", "said"), TABLE, ids=IDS)
@pytest.mark.parametrize("kind", ["CodeSystem", "ValueSet"])
def test_a_code_is_judged_by_the_table(
    kind: str,
    releases: tuple[Json, ...],
    code: str,
    version: str | None,
    date: str,
    result: bool,
    used: str,
    said: list[str],
):
    name = {"CodeSystem": "version", "ValueSet": "systemVersion"}[kind]
    stated = {name: version} if version else {}
    asked = {"url": CS} if kind == "CodeSystem" else {"url": VS, "system": CS}
    answer = call(f"{kind}/$validate-code", *releases, value_set(include()), code=code, date=date, **asked, **stated)
    assert value_of(answer, "result") is result
    assert value_of(answer, "version") == used
    found = [name for name in messages(issues_of(answer)) if not name.startswith(("None_of", "VALUESET_VALUE"))]
    assert sorted(found) == sorted(said)


@pytest.mark.parametrize(("releases", "code", "version", "date", "result", "used", "said"), TABLE, ids=IDS)
def test_lookup_answers_what_is_right_and_refuses_the_rest(
    releases: tuple[Json, ...], code: str, version: str | None, date: str, result: bool, used: str, said: list[str]
):
    stated = {"version": version} if version else {}
    if not result:
        with pytest.raises(Refusal) as refused:
            call("CodeSystem/$lookup", *releases, system=CS, code=code, date=date, **stated)
        assert {found.severity for found in refused.value.issues} == {"error"}
        return
    answer = call("CodeSystem/$lookup", *releases, system=CS, code=code, date=date, **stated)
    assert value_of(answer, "version") == used
    assert bool(value_of(answer, "diagnostics")) is bool(said)


@pytest.mark.parametrize(("releases", "code", "version", "date", "result", "used", "said"), TABLE, ids=IDS)
def test_the_engine_says_how_a_code_stands(
    releases: tuple[Json, ...], code: str, version: str | None, date: str, result: bool, used: str, said: list[str]
):
    found = stand(Coding(CS, code, version), scope(*releases, on=date))
    assert found is not None
    assert found.provider.info.canonical.version == used
    assert (found.standing in ("in", "across")) is result
    assert (found.standing == "unknown") is (CANNOT in said)
    assert (found.standing == "across") is (ACROSS in said or (result and NOT_VALID in said))
    assert [each.message_id for each in found.issues] == [each for each in said if each != UNKNOWN]


def test_of_a_system_that_is_not_here_nothing_is_said_about_the_day():
    assert stand(Coding("http://nowhere", "x"), scope(*YEARS, on="2019-01-15")) is None


# --- what stands beside it --------------------------------------------------------------------------------------


def suggestion(code: str, *resources: Json, date: str) -> tuple[str, Json | None]:
    answer = call("CodeSystem/$validate-code", *resources, url=CS, code=code, date=date)
    found = next(each for each in issues_of(answer) if messages([each]) == [NOT_VALID])
    meant = next((e["valueCoding"] for e in found["extension"] if e["url"].endswith("suggested-coding")), None)
    return found["diagnostics"], meant


def test_what_took_the_place_of_a_deleted_code_is_suggested():
    assert suggestion("gone", *YEARS, date="2022-01-01") == (
        "It was replaced by 'new'.",
        {"system": CS, "code": "new"},
    )


def test_what_took_its_place_may_be_stated_in_the_extension_of_fhir():
    coding = {"system": "http://example.org/other", "code": "x"}
    gone = {"code": "gone", "extension": [{"url": REPLACED_BY, "valueCoding": coding}]}
    years = (release("1", "2001", "2001", gone), release("2", "2002", "2002"))
    assert suggestion("gone", *years, date="2002-05-05")[1] == coding


def test_bounds_are_known_by_their_uri():
    stated = [
        {"code": "from", "uri": f"{OWN_PROPERTIES}valid-from", "type": "dateTime"},
        {"code": "valid-to", "uri": "http://example.org/something-else", "type": "dateTime"},
        {"code": "effectiveDate", "uri": "http://hl7.org/fhir/concept-properties#effectiveDate", "type": "dateTime"},
    ]
    held = concept("a", **{"from": "2012-01-01", "valid_to": "2012-12-31", "effectiveDate": "2020-01-01"})
    system = {**code_system(held), "property": stated}
    assert messages(issues_of(call("CodeSystem/$validate-code", system, url=CS, code="a", date="2015"))) == [BY_CONCEPT]


def test_a_period_may_be_stated_in_the_extension_of_r4():
    period = {"start": "2019-01-01", "end": "2019-12-31"}
    stated = [{"url": "http://hl7.org/fhir/StructureDefinition/resource-effectivePeriod", "valuePeriod": period}]
    system = code_system("a", version="1", extension=stated)
    assert stand_in(system, "2019-05-05") == ("in", "release")
    assert stand_in(system, "2020-05-05") == ("unknown", "nothing")


def stand_in(system: Json, on: str) -> tuple[str, str]:
    found = stand(Coding(CS, "a"), scope(system, on=on))
    assert found is not None
    return found.standing, found.basis


def test_of_two_codings_each_is_judged_on_the_day():
    both = {"coding": [{"system": CS, "code": "kept"}, {"system": CS, "code": "gone"}]}
    for day, result in (("2019-01-15", True), ("2020-01-15", False)):
        answer = call("CodeSystem/$validate-code", *YEARS, url=CS, codeableConcept=both, date=day)
        assert value_of(answer, "result") is result
        wrong = [issue["expression"][0] for issue in issues_of(answer) if messages([issue]) == [NOT_VALID]]
        assert wrong == ([] if result else ["CodeableConcept.coding[1].code"])


def test_a_date_may_be_shared_by_a_batch():
    asked = [
        {"resourceType": "Parameters", "parameter": [{"name": "code", "valueCode": code}]} for code in ("kept", "gone")
    ]
    answer = call("CodeSystem/$batch-validate-code", *YEARS, url=CS, date="2020-01-15", validation=asked)
    assert [value_of(entry["resource"], "result") for entry in answer["parameter"]] == [True, False]


def test_a_batch_judges_each_by_its_own_date():
    days = ("2019-01-15", "2020-01-15", "2021-01-15")
    asked = [
        {"resourceType": "Parameters", "parameter": [
            {"name": "url", "valueUri": CS}, {"name": "code", "valueCode": "gone"},
            {"name": "date", "valueDateTime": day},
        ]}
        for day in days
    ]  # fmt: skip
    answer = call("CodeSystem/$batch-validate-code", *YEARS, validation=asked)
    found = [entry["resource"] for entry in answer["parameter"]]
    assert [value_of(each, "result") for each in found] == [True, False, False]
    assert [value_of(each, "version") for each in found] == ["2019", "2020", "2022"]


def test_the_version_that_a_rule_of_the_request_names_wins():
    for rule in ("system-version", "force-system-version", "check-system-version"):
        stated = {rule.replace("-", "_"): f"{CS}|2020"}
        answer = call("ValueSet/$validate-code", *YEARS, value_set(include()), url=VS, system=CS, code="kept",
                      date="2019-01-15", **stated)  # fmt: skip
        assert value_of(answer, "version") == "2020", rule
        assert messages(issues_of(answer)) == [CONFLICT], rule


# --- laws -------------------------------------------------------------------------------------------------------


def shifted(resource: Any, days: int) -> Any:
    """The resource with every full date moved."""
    if isinstance(resource, dict):
        return {key: shifted(value, days) for key, value in resource.items()}
    if isinstance(resource, list):
        return [shifted(value, days) for value in resource]
    return moved(resource, days) if isinstance(resource, str) and resource[4:5] + resource[7:8] == "--" else resource


def moved(day: str, days: int) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days)).isoformat()


DAYS = st.dates(dt.date(2018, 8, 1), dt.date(2022, 6, 1)).map(dt.date.isoformat)
CODES = st.sampled_from(["kept", "gone", "new", "late", "never"])


def standing(code: str, day: str, *releases: Json) -> tuple[str, str, str | None]:
    found = stand(Coding(CS, code), scope(*releases, on=day))
    assert found is not None
    return found.standing, found.basis, found.provider.info.canonical.version


@given(CODES, DAYS, st.permutations(YEARS))
def test_the_order_of_releases_does_not_matter(code: str, day: str, releases: list[Json]):
    assert standing(code, day, *releases) == standing(code, day, *YEARS)


@given(CODES, DAYS, st.integers(-3000, 3000))
def test_only_the_distance_of_days_matters(code: str, day: str, days: int):
    later = [shifted(each, days) for each in YEARS]
    assert standing(code, moved(day, days), *later) == standing(code, day, *YEARS)
