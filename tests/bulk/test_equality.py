"""The same records have the same findings by function, as NDJSON and as rows of a table."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from coded_records import ROWS, Row, judge, judgements, procedure

FIELDS = ("system", "code", "version", "display", "date")


def _csv(rows: tuple[Row, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    return text.getvalue()


def _parquet(path: Path, rows: tuple[Row, ...]) -> Path:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t (system VARCHAR, code VARCHAR, version VARCHAR, display VARCHAR, date VARCHAR)"
        )
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_of_a_table_have_the_findings_of_the_function(
    kind: str, file: Any, validated: Callable[..., Any], tmp_path: Path
) -> None:
    rows = ROWS * 3
    path = file("rows.csv", _csv(rows)) if kind == "csv" else _parquet(tmp_path / "rows.parquet", rows)
    report, kept = validated(path)
    expected = [(number, each) for number, said in enumerate(judgements(rows), 1) for each in said]
    assert [(each.place.number, each.finding) for each in kept.all] == expected
    _agrees(report, rows)


def test_resources_have_the_findings_of_the_function(file: Any, validated: Callable[..., Any]) -> None:
    resources = [procedure(row) for row in ROWS]
    _, kept = validated(file("r.ndjson", "\n".join(map(json.dumps, resources))))
    said = [judge().judge(judge().read(resource, "R4")).findings for resource in resources]
    expected = [(number, each) for number, found in enumerate(said, 1) for each in found]
    assert [(each.place.number, each.finding) for each in kept.all] == expected


def test_a_bundle_has_the_findings_of_its_resources(file: Any, validated: Callable[..., Any]) -> None:
    resources = [procedure(row) for row in ROWS]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}
    _, in_bundle = validated(file("b.json", json.dumps(bundle)))
    _, in_lines = validated(file("l.ndjson", "\n".join(map(json.dumps, resources))))
    assert [each.finding for each in in_bundle.all] == [each.finding for each in in_lines.all]
    assert in_bundle.all[0].place.inside == "Bundle.entry[1].resource"
    assert str(in_bundle.all[0].expression).startswith("Bundle.entry[1].resource.code.coding[0]")


def test_groups_are_the_same_whether_each_finding_is_listed_or_not(
    validated: Callable[..., Any], tmp_path: Path
) -> None:
    path = _parquet(tmp_path / "rows.parquet", ROWS * 7)
    listed, _ = validated(path)
    from terminology.bulk.run import Plan  # noqa: PLC0415

    counted, kept = validated(path, plan=Plan(limit=0))
    assert kept.all == []
    assert counted.groups == listed.groups
    assert counted.verdicts == listed.verdicts


def _agrees(report: Any, rows: tuple[Row, ...]) -> None:
    """Counts and groups say what the single findings say."""
    verdicts = [judge().judge(judge().row(*row)).verdict for row in rows]
    assert {name: verdicts.count(name) for name in ("right", "wrong", "unjudged")} == report.verdicts
    found = [each for said in judgements(rows) for each in said]
    assert report.findings == len(found) == sum(group.count for group in report.groups)
    for group in report.groups:
        same = [
            number
            for number, said in enumerate(judgements(rows), 1)
            for each in said
            if each.reason == group.reason and each.issue.severity == group.severity
            if (each.coding.system if each.coding else None) == (group.coding.system if group.coding else None)
            if (each.coding.code if each.coding else None) == (group.coding.code if group.coding else None)
        ]
        assert group.count == len(same)
        assert [place.number for place in group.places] == same[:5]
