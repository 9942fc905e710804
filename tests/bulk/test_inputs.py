"""What is read, and what happens where it cannot be: a finding with its place, and the rest is judged."""

import gzip
import io
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coded_records import CPT, procedure

from terminology.bulk import columns, sources, tables
from terminology.bulk.duck import Resources, duck
from terminology.bulk.run import Plan
from terminology.bulk.sources import Limits
from terminology.issues import NotFound, Refusal

LINE = json.dumps(procedure((CPT, "38230", None, None, "2020-01-01")))
HEADER = "system,code,display,date\n"
ROW = f"{CPT},38230,,2020-01-01\n"
Validated = Callable[..., Any]

BROKEN_LINES = {
    "no JSON": b"{broken",
    "a NUL": b'{"resourceType": "Procedure\x00"}',
    "no UTF-8": b'{"resourceType": "Procedure", "id": "caf\xe9"}',
    "no object": b"[1, 2]",
    "a number": b"17",
    "no type": b'{"status": "completed"}',
    "deep": b'{"resourceType": "Procedure", "a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "not a number": b'{"resourceType": "Procedure", "a": NaN}',
    "a Bundle of nonsense": b'{"resourceType": "Bundle", "entry": {"resource": 1}}',
    "an entry of nonsense": b'{"resourceType": "Bundle", "entry": [1]}',
}


@pytest.mark.parametrize("broken", BROKEN_LINES.values(), ids=BROKEN_LINES)
def test_a_broken_line_is_a_finding_with_its_number(broken: bytes, file: Any, validated: Validated) -> None:
    report, kept = validated(file("a.ndjson", f"{LINE}\n".encode() + broken + f"\r\n\n{LINE}\n".encode()))
    assert kept.places == [(2, "unreadable")] * len(kept.all)
    assert kept.all
    assert report.verdicts["right"] == 2
    assert not report.clean


def test_a_line_over_the_limit_is_left_out_and_the_next_one_read(file: Any, validated: Validated) -> None:
    long = b'{"resourceType": "Procedure", "id": "' + b"x" * 5_000_000 + b'"}'
    path = file("a.ndjson", LINE.encode() + b"\n" + long + b"\n" + LINE.encode())
    report, kept = validated(path, plan=Plan(limits=Limits(line=1_000_000)))
    assert kept.places == [(2, "unreadable")]
    assert report.verdicts["right"] == 2


def test_a_line_of_a_hundred_megabytes_takes_no_more_than_its_limit() -> None:
    block = b"x" * (1 << 20)
    held = list(sources.lines((block for _ in range(100)), limit=4 << 20))
    assert [(each.first, each.long) for each in held] == [(1, True)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_are_numbered_wherever_blocks_end(size: int) -> None:
    text = b"one\ntwo\n\nfour, which is long\nfive"
    blocks = (text[at : at + size] for at in range(0, len(text), size))
    found = [
        (each.first + place, line)
        for each in sources.lines(blocks, limit=1000)
        for place, line in enumerate(each.data.removesuffix(b"\n").split(b"\n"))
    ]
    assert found == list(enumerate(text.split(b"\n"), 1))


def test_a_packed_bomb_stops_at_the_limit(file: Any, validated: Validated) -> None:
    bomb = gzip.compress(f"{LINE}\n".encode() + b" " * 3_000_000 + b"\n" + LINE.encode())
    report, kept = validated(file("a.ndjson.gz", bomb), plan=Plan(limits=Limits(ratio=50, safe=100_000)))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_INPUT_RATIO"]
    assert report.inputs[0].digest is None


def test_a_packed_bomb_of_a_table_stops_at_the_limit(
    file: Any, validated: Validated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "LIMITS", Limits(ratio=50, safe=100_000))
    _, kept = validated(file("a.csv.gz", gzip.compress((HEADER + ROW * 50_000).encode())))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_INPUT_RATIO"]


def test_a_packed_file_that_is_cut_short_is_read_as_far_as_it_goes(file: Any, validated: Validated) -> None:
    lines = "".join(f"{LINE}\n" for _ in range(30_000))
    report, kept = validated(file("a.ndjson.gz", gzip.compress(lines.encode(), 0)[:5_000_000]))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_INPUT_GZIP"]
    assert report.verdicts["right"] > 10_000


def test_a_small_packed_file_that_is_cut_short_is_read_as_far_as_it_goes(file: Any, validated: Validated) -> None:
    report, kept = validated(file("a.ndjson.gz", gzip.compress(f"{LINE}\n".encode() * 500, 0)[:-50_000]))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_INPUT_GZIP"]
    assert report.verdicts["right"] > 100


@pytest.mark.parametrize("name", ["a.ndjson", "a.csv", "a.json"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_another_encoding_is_told(name: str, encoding: str, file: Any, validated: Validated) -> None:
    content = HEADER + ROW if name == "a.csv" else LINE
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    _, kept = validated(file(name, mark + content.encode(encoding)))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_INPUT_ENCODING"]


@pytest.mark.parametrize(("name", "content"), [("a.ndjson", LINE), ("a.json", LINE), ("a.csv", HEADER + ROW)])
def test_a_byte_order_mark_of_utf_8_is_no_part_of_the_text(
    name: str, content: str, file: Any, validated: Validated
) -> None:
    report, kept = validated(file(name, "\ufeff" + content))
    assert (report.clean, kept.all) == (True, [])


@pytest.mark.parametrize("name", ["a.ndjson", "a.csv", "a.csv.gz", "header.csv"])
def test_a_file_without_a_record_is_refused(name: str, file: Any, validated: Validated) -> None:
    content = HEADER if name == "header.csv" else gzip.compress(b"") if name.endswith(".gz") else b""
    with pytest.raises(NotFound, match="nothing to judge"):
        validated(file(name, content))


def test_a_table_without_a_code_column_is_a_finding_among_other_files(file: Any, validated: Validated) -> None:
    other, there = file("a.csv", "proc,day\n1,2020\n"), file("b.ndjson", LINE)
    report, kept = validated(other, there)
    assert (report.failed, report.clean, report.verdicts["right"]) == (True, False, 1)
    assert [(each.place.source, each.finding.issue.message_id) for each in kept.all] == [
        (str(other), "OWN_INPUT_CODE_COLUMN")
    ]


@pytest.mark.parametrize("name", ["a.xml", "a.dat"])
def test_xml_is_told_where_it_can_be_read(name: str, file: Any, validated: Validated) -> None:
    with pytest.raises(Refusal, match="XML"):
        validated(file(name, '\ufeff<Procedure xmlns="http://hl7.org/fhir"/>'))


def test_a_row_without_a_code_says_so(file: Any, validated: Validated) -> None:
    _, kept = validated(file("a.csv", f"{HEADER},,,2020-01-01\n"))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_ROW_UNCODED"]
    assert kept.places == [(1, "missing-code")]


def test_resources_without_codes_are_passed_over_and_counted(file: Any, validated: Validated) -> None:
    report, _ = validated(file("a.ndjson", f'{{"resourceType": "Patient"}}\n{LINE}\n'))
    assert (dict(report.skipped), report.records) == ({"Patient": 1}, 1)


# --- tables -------------------------------------------------------------------------------------------------


def test_rows_are_numbered_past_those_that_cannot_be_read(file: Any, validated: Validated) -> None:
    wrong = f"{CPT},38232,,2011-05-01\n".encode()
    lines = [
        wrong,
        b"too,few\n",
        f'{CPT},38230,"a ""quoted""\nline, and more",2020-01-01\n'.encode(),
        f"{CPT},38230,caf\xe9,2020-01-01\n".encode("latin-1"),
        wrong,
        b"1,2,3,4,5\n",
        f"{CPT},38230,nul\0,2020-01-01\n".encode(),
        wrong,
    ]
    report, kept = validated(file("a.csv", HEADER.encode() + b"".join(lines)))
    expected = {(2, "unreadable"), (4, "unreadable"), (6, "unreadable")}
    expected |= {(each, "not-valid-on-date") for each in (1, 5, 8)} | {(each, "display-not-checked") for each in (3, 7)}
    assert set(kept.places) == expected
    assert report.records == len(lines)


@pytest.mark.parametrize(("separator", "name"), [(";", "a.csv"), ("\t", "a.tsv"), ("|", "a.csv"), ("\t", "a.txt")])
def test_columns_may_be_separated_otherwise(separator: str, name: str, file: Any, validated: Validated) -> None:
    content = (HEADER + f"{CPT},38232,,2011-05-01\n").replace(",", separator)
    _, kept = validated(file(name, content))
    assert kept.places == [(1, "not-valid-on-date")]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"code": "proc_code"}, "Did you mean proc_cd"),
        ({"code": "zzz"}, None),
        ({}, "Did you mean"),
    ],
)
def test_a_missing_column_is_refused_with_near_names(wanted: dict[str, str], said: str | None) -> None:
    with pytest.raises(NotFound) as refused:
        columns.mapping("a.csv", ["proc_cd", "svc_dt", "icd_code_x"], wanted)
    diagnostics = refused.value.issues[0].diagnostics
    assert (diagnostics or "").startswith(said) if said else diagnostics is None


@pytest.mark.parametrize("text", ["", "code", "code=", "codes=x", "code=a,code=b", "=a"])
def test_columns_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Refusal, match="--columns"):
        columns.stated(text)


def test_a_broken_parquet_file_is_a_finding(file: Any, validated: Validated) -> None:
    _, kept = validated(file("a.parquet", b"PAR1 and nonsense"), file("b.csv", HEADER + ROW))
    assert [each.finding.issue.message_id for each in kept.all] == ["OWN_INPUT_TABLE"]


@pytest.mark.parametrize("name", ["o'brien.csv", "a*[b]?.csv", "ünï code.csv", 'quo"te.csv'])
def test_names_of_files_mean_nothing_to_the_database(name: str, file: Any, validated: Validated) -> None:
    report, _ = validated(file(name, HEADER + ROW))
    assert report.clean


@pytest.mark.parametrize("header", ["code,CODE,date", "code, code ,date", "code,code,date"])
def test_which_of_two_columns_is_meant_is_not_guessed(header: str, file: Any, validated: Validated) -> None:
    with pytest.raises(NotFound, match="2 columns that may have the code"):
        validated(file("a.csv", f"{header}\n38232,38230,2020-01-01\n"))


@pytest.mark.parametrize("header", ["x,X,system,code,date", ",,system,code,date", "code_3,x_2,system,code,X,x"])
def test_columns_that_nobody_asks_for_may_be_called_as_they_like(header: str, file: Any, validated: Validated) -> None:
    row = ",".join(["1", "2", CPT, "38230", *["2020-01-01"] * (header.count(",") - 3)])
    report, kept = validated(file("a.csv", f"{header}\n{row}\n"))
    assert (report.verdicts["right"], {each.finding.reason for each in kept.all} <= {"no-date"}) == (1, True)


def test_a_stated_column_is_the_one_of_that_very_name(file: Any, validated: Validated) -> None:
    named = Plan(columns=tables.Columns({"code": "CODE"}, {"system": CPT}))
    report, kept = validated(file("a.csv", "code,CODE,date\nx,38230,2020-01-01\n"), plan=named)
    assert (report.verdicts["right"], kept.all) == (1, [])


def test_names_of_columns_mean_nothing_to_the_database(file: Any, validated: Validated) -> None:
    names = {"code": 'c"); DROP TABLE coded; --', "system": "s'y"}
    header = ",".join('"' + each.replace('"', '""') + '"' for each in names.values())
    plan = Plan(columns=tables.Columns(names, {}))
    report, _ = validated(file("a.csv", f"{header}\n38230,{CPT}\n"), plan=plan)
    assert report.verdicts["right"] == 1


def test_the_database_reaches_no_other_file_and_no_network(file: Any, tmp_path: Path) -> None:
    path = file("a.csv", HEADER)
    (tmp_path / "other.csv").write_text("secret")
    with duck("a.csv", path, Resources(), threading.Event()) as held:
        for query in (
            f"SELECT * FROM read_text('{tmp_path / 'other.csv'}')",
            f"COPY (SELECT 1) TO '{tmp_path / 'made.csv'}'",
            "INSTALL httpfs",
            "SELECT * FROM read_csv('http://127.0.0.1:1/a.csv')",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
        ):
            with pytest.raises(Exception, match=r"(?i)disabled|permission|cannot|not been loaded|locked|extension"):
                held.connection.execute(query)
    assert not (tmp_path / "made.csv").exists()
    assert not held.folder.exists()


def test_without_duckdb_the_extra_is_named(file: Any, validated: Validated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(Refusal, match=r"flask-fhir-terminology\[bulk\]"):
        validated(file("a.csv", HEADER + ROW))


# --- paths ----------------------------------------------------------------------------------------------------


def test_folders_are_read_in_order_and_unknown_files_in_them_left(file: Any, tmp_path: Path) -> None:
    for name in ("b.csv", "a.ndjson.gz", "c.txt", ".hidden.csv", "d.PARQUET"):
        file(name, b"")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "e.json").write_text(LINE)
    found = [Path(each.name).name for each in sources.sources([str(tmp_path)])]
    assert found == ["a.ndjson.gz", "b.csv", "d.PARQUET", "e.json"]


SNIFFED = {
    "PAR1....": "parquet",
    f"{LINE}\n{LINE}": "ndjson",
    json.dumps(json.loads(LINE), indent=1): "json",
    "[{}]": "json",
    "a,b\n1,2": "csv",
    "a\tb\n": "tsv",
}


@pytest.mark.parametrize(("content", "kind"), SNIFFED.items(), ids=range(len(SNIFFED)))
@pytest.mark.parametrize("packed", [False, True])
def test_the_first_bytes_tell_what_a_file_holds(content: str, kind: str, packed: bool, file: Any) -> None:
    held = gzip.compress(content.encode()) if packed else content.encode()
    [found] = sources.sources([str(file("nameless", held))])
    assert (found.kind, found.packed) == (kind, packed)


def test_standard_input_is_read_like_a_file(validated: Validated, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (
        f"{LINE}\n{LINE}\n".encode(),
        (HEADER + ROW * 2).encode(),
        gzip.compress(f"{LINE}\n{LINE}".encode()),
    ):
        held = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(held))
        report, _ = validated(Path("-"))
        assert report.verdicts["right"] == 2


def test_a_file_that_cannot_be_opened_fails_the_run_and_the_others_are_read(
    file: Any, validated: Validated, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, there = file("a.ndjson", LINE), file("b.ndjson", LINE)
    opened = sources.Opened.__init__

    def refuse(self: sources.Opened, source: sources.Source, *rest: Any) -> None:
        if source.path == closed:
            raise PermissionError(13, "Permission denied")
        opened(self, source, *rest)

    monkeypatch.setattr(sources.Opened, "__init__", refuse)
    report, kept = validated(closed, there)
    assert (report.failed, report.clean, report.verdicts["right"]) == (True, False, 1)
    assert [each.finding.issue.severity for each in kept.all] == ["fatal"]
