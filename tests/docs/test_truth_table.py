"""The truth table of README, asked again over HTTP: what it shows is what the server says."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from http_client import CPT, Client

from terminology import create_app

ROOT = Path(__file__).resolve().parents[2]
SECTION = "## What is true about 38230 and 38232"


class Row(NamedTuple):
    question: str
    request: str
    r4: str
    r5: str


def rows() -> list[Row]:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition(SECTION)[2].partition("\n## ")[0]
    table = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in table]


ROWS = rows()


@pytest.fixture(scope="module")
def app():
    return create_app()


@pytest.mark.parametrize("version", ["r4", "r5"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_the_server_answers_as_readme_says(app, row, version):
    query = row.request.strip("`")
    reply = Client(app, version).get(f"CodeSystem/$validate-code?url={CPT}&{query}")
    shown = getattr(row, version)
    said = [(severity, identity) for severity, identity in re.findall(r"(\w+) `(\w+)`", shown)]
    assert reply.status == 200
    assert reply.parameter("result") is (shown.startswith("**true**"))
    assert said == findings(reply.resource)


def findings(answer):
    """Severity and message id of each issue, in order."""
    outcome = next((each["resource"] for each in answer["parameter"] if each["name"] == "issues"), {"issue": []})
    return [(issue["severity"], issue["extension"][0]["valueString"]) for issue in outcome["issue"]]


@pytest.mark.parametrize("code", ["38230", "38232"])
@pytest.mark.parametrize(
    "asked",
    ["", r"&version=20(?!11)\d\d", "&version=2011", "&date=2012-01-01", "&display=Marrow.*", "&display=Another.*"],
)
def test_each_question_is_in_the_table(code, asked):
    assert any(re.fullmatch(f"`code={code}{asked}`", row.request) for row in ROWS)


def test_an_unknown_code_is_in_the_table():
    assert any(row.request == "`code=99999`" for row in ROWS)


def test_38232_is_wrong_before_it_existed():
    """What the table is for, said once more in words: the false answers are those of the date."""
    false = {row.request.strip("`"): row.r5 for row in ROWS if row.r5.startswith("**false**")}
    before = {request for request, said in false.items() if "OWN_NOT_VALID_ON_DATE" in said}
    assert before
    assert all(re.fullmatch(r"code=38232(&version=20\d\d)?&date=201[01]-\d\d-\d\d", request) for request in before)
    assert set(false) - before == {"code=38230&date=2010-06-01"}
    assert "OWN_CANNOT_JUDGE_ON_DATE" in false["code=38230&date=2010-06-01"]
