"""Each format can be read again, says the same as the others, and holds nothing of the data as markup."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from coded_records import CPT, ROWS

from terminology.bulk.formats import AT_END, COLUMNS, STREAMED
from terminology.bulk.report import FIRST_PLACES, SEVERITIES, Batch, Found, Place, Provenance, Report, Tally
from terminology.issues import issue
from terminology.model import Coding
from terminology.procedures.records import Finding

PAYLOAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;\u202e\x1b[31m]]>"
MADE = Provenance(f"terminology validate {PAYLOAD}", "0.1.0", "2026-01-01T00:00:00+00:00", "R4")


def _finding(code: str, severity: str = "error", reason: str = "unknown-code") -> Finding:
    coding = Coding(CPT, code, display=PAYLOAD)
    said = issue("Unknown_Code_in", code, PAYLOAD, severity=severity, suggestion=Coding(CPT, code, display=PAYLOAD))
    return Finding(reason, said, coding)


def _found() -> Iterator[Found]:
    for number in range(1, 8):
        yield Found(Place("rows.csv", "row", number), _finding("1"))
    yield Found(Place(f"{PAYLOAD}.ndjson", "line", 3, "Bundle.entry[0].resource"), _finding(PAYLOAD, "warning"))
    yield Found(Place("b.json", "document"), _finding("=1+1", "information", PAYLOAD))


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    made.add(Batch({"right": 90, "wrong": 7, "unjudged": 1}, {PAYLOAD: 2}, tuple(_found())))
    return made


@pytest.fixture
def report(tally: Tally) -> Report:
    return tally.report(MADE)


def _streamed(name: str, report: Report) -> str:
    text = io.StringIO(newline="")
    stream = STREAMED[name](text)
    for found in _found():
        stream.found(found)
    stream.end(report)
    return text.getvalue()


def test_json_has_summary_groups_and_provenance(report: Report) -> None:
    read = json.loads(AT_END["json"](report))
    assert read["records"] == {"judged": 98, "right": 90, "wrong": 7, "unjudged": 1, "skipped": {PAYLOAD: 2}}
    assert [(each["reason"], each["count"]) for each in read["groups"]] == [
        ("unknown-code", 7),
        ("unknown-code", 1),
        (PAYLOAD, 1),
    ]
    assert len(read["groups"][0]["places"]) == FIRST_PLACES
    assert read["provenance"]["command"] == MADE.command


def test_ndjson_has_a_line_for_each_finding_and_ends_with_the_summary(report: Report) -> None:
    *found, last = [json.loads(line) for line in _streamed("ndjson", report).splitlines()]
    assert len(found) == 9
    assert found[0] | {"number": 1, "code": "1", "severity": "error"} == found[0]
    assert last["summary"]["findings"]["total"] == 9


def test_csv_has_a_row_for_each_finding_and_no_formula(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(_streamed("csv", report), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == 9
    assert rows[7]["code"] == PAYLOAD
    assert rows[8]["code"] == "'=1+1"


def test_junit_counts_its_cases(report: Report) -> None:
    [suite] = ET.fromstring(AT_END["junit"](report).encode())
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases) == 4
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == 1
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped")) == 1
    assert int(suite.get("errors", "")) == len(suite.findall("testcase/error")) == 0
    assert "7 times" in suite.findall("testcase/failure")[0].get("message", "")
    for case in cases:
        assert case.get("classname")
        assert case.get("name")


def test_sarif_has_its_required_shape(report: Report) -> None:
    """The required properties of https://docs.oasis-open.org/sarif/sarif/v2.1.0."""
    read = json.loads(AT_END["sarif"](report))
    assert read["version"] == "2.1.0"
    [run] = read["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert run["tool"]["driver"]["name"]
    assert [each["executionSuccessful"] for each in run["invocations"]] == [True]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert result["occurrenceCount"] >= 1
        for location in (*result["locations"], *result.get("relatedLocations", [])):
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9._~/%()-]+", uri)
            assert location["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 2


# --- the page -------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would make of it: elements with attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


def test_nothing_of_the_data_becomes_markup(report: Report) -> None:
    page = Page(AT_END["html"](report))
    names = {tag for tag, _ in page.tags}
    assert names.isdisjoint({"script", "img", "iframe", "link", "object", "embed", "base", "form", "a"})
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    assert "<script>alert(1)</script>" in page.said
    assert "\u202e" not in page.said
    assert "\x1b" not in page.said


def test_the_page_stands_alone_and_may_run_nothing(report: Report) -> None:
    page = Page(AT_END["html"](report))
    [policy] = [each["content"] for tag, each in page.tags if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert not [value for _, each in page.tags for name, value in each.items() if name in ("src", "href", "srcset")]
    assert "url(" not in AT_END["html"](report)
    assert "@import" not in AT_END["html"](report)


def test_the_page_says_its_verdict_first_and_every_count_as_text(report: Report) -> None:
    page = Page(AT_END["html"](report))
    title = "7 of 98 records are wrongly coded"
    assert page.said.partition("</style>")[0].count(title) == 2
    assert next(tag for tag, _ in page.tags if tag in ("h1", "h2", "p", "svg")) == "h1"
    assert [tag for tag, _ in page.tags].count("h1") == 1
    for said in ("90 right", "7 wrong", "1 cannot be judged", "7 times, error", "and 2 more", "rows.csv:5"):
        assert said in page.said
    for tag, attributes in page.tags:
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"


def test_the_page_shows_the_worst_reasons_first_and_breaks_long_words(report: Report) -> None:
    page = AT_END["html"](report)
    chart = page.partition('<div class="reasons">')[2].partition("</div>")[0]
    shown = re.findall(r'rect class="fill-(\w+)"', chart)
    assert shown == sorted(shown, key=SEVERITIES.index)
    assert len(set(shown)) > 1
    assert "p { margin: .25rem 0; overflow-wrap: anywhere; }" in page


@pytest.mark.parametrize("name", [*AT_END, *STREAMED])
def test_a_partial_report_says_so(name: str, tally: Tally) -> None:
    report = tally.report(MADE, partial=True)
    text = AT_END[name](report) if name in AT_END else _streamed(name, report)
    said = {
        "json": '"partial": true',
        "ndjson": '"partial":true',
        "csv": ",stopped,",
        "junit": 'type="stopped"',
        "sarif": '"executionSuccessful": false',
        "html": "<h1>Partial: ",
    }
    assert said[name] in text


def test_groups_are_bounded_and_what_is_over_is_counted() -> None:
    tally = Tally(most=2)
    tally.add(Batch(found=tuple(Found(Place("a", "row", n), _finding(str(n))) for n in range(1, 6))))
    report = tally.report(MADE)
    assert len(report.groups) == 2
    assert report.further == {"unknown-code": 3}
    assert report.findings == 5
    assert "3 further findings" in AT_END["html"](report)


def test_the_shared_records_make_every_format(file: Any, validated: Callable[..., Any]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([("system", "code", "version", "display", "date"), *ROWS])
    report, _ = validated(file("a.csv", text.getvalue()))
    json.loads(AT_END["json"](report))
    json.loads(AT_END["sarif"](report))
    ET.fromstring(AT_END["junit"](report).encode())
    assert "script" not in {tag for tag, _ in Page(AT_END["html"](report)).tags}


def test_what_cannot_be_read_for_different_reasons_makes_different_groups() -> None:
    tally = Tally()
    for number, said in enumerate(
        (issue("OWN_INPUT_LINE", "a"), issue("OWN_INPUT_ROW", "b"), issue("OWN_INPUT_LINE", "c"))
    ):
        tally.add(Batch(found=(Found(Place("a", "line", number), Finding("unreadable", said)),)))
    assert [(group.count, group.said[-1]) for group in tally.report(MADE).groups] == [(2, "a"), (1, "b")]
