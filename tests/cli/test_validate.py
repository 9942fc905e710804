"""`terminology validate`: what is printed where, exit codes, reports, and a run that is stopped."""

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coded_records import CPT, procedure

from terminology.bulk.formats import AT_END, STREAMED

RIGHT, WRONG, UNSURE, HINT = (
    (CPT, "38230", None, None, "2020-01-01"),
    (CPT, "38232", None, None, "2011-05-01"),
    (CPT, "99999", None, None, "2020-01-01"),
    (CPT, "38230", None, "Other words", "2020-01-01"),
)


@pytest.fixture
def ndjson(tmp_path: Path) -> Callable[..., Path]:
    def write(*rows: Any) -> Path:
        path = tmp_path / "a.ndjson"
        path.write_text("".join(json.dumps(procedure(row)) + "\n" for row in rows))
        return path

    return write


@pytest.mark.parametrize(
    ("rows", "options", "code"),
    [
        ((RIGHT,), (), 0),
        ((RIGHT, HINT), (), 0),
        ((RIGHT, HINT), ("--fail-on", "information"), 1),
        ((RIGHT, WRONG), (), 1),
        ((RIGHT, WRONG), ("--exit-zero",), 0),
        ((RIGHT, UNSURE), (), 1),
        ((RIGHT, UNSURE), ("--allow-unjudged",), 0),
        ((RIGHT, UNSURE), ("--allow-unjudged", "--fail-on", "warning"), 1),
        ((WRONG,), ("--date", "2020-01-01"), 0),
        ((RIGHT,), ("--value-set", "bone-marrow-harvest-own-use"), 1),
        ((RIGHT,), ("--value-set", "no-such-set"), 2),
        ((RIGHT,), ("--date", "yesterday"), 2),
        ((RIGHT,), ("--date", "2024-02-30"), 2),
        ((RIGHT,), ("--memory", "much"), 2),
        ((RIGHT,), ("--memory", "1.5 GiB"), 0),
        ((RIGHT,), ("--report", "pdf=x"), 2),
        ((RIGHT,), ("--report", "html=/no/such/folder/x.html"), 2),
        ((), (), 2),
    ],
)
def test_exit_codes(terminology, ndjson, rows, options, code):
    assert terminology("validate", ndjson(*rows), "--jobs", "1", *options).exit_code == code


def test_a_missing_path_is_an_error(terminology):
    result = terminology("validate", "nowhere.ndjson")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nowhere.ndjson" in result.stderr


def test_a_folder_without_files_is_named(terminology, tmp_path):
    result = terminology("validate", tmp_path)
    assert result.exit_code == 2
    assert f"nothing to judge in {tmp_path}" in result.stderr


def test_a_missing_column_names_near_ones(terminology, tmp_path):
    (tmp_path / "a.csv").write_text("system,proc_code\nx,1\n")
    result = terminology("validate", tmp_path / "a.csv")
    assert result.exit_code == 2
    assert "--columns code=NAME" in result.stderr
    assert "Did you mean proc_code?" in result.stderr


def test_columns_and_a_constant_system(terminology, tmp_path):
    (tmp_path / "a.csv").write_text("proc_cd,svc_dt,other\n38232,2011-05-01,x\n38232,2012-05-01,y\n")
    options = ("--columns", "code=proc_cd,date=svc_dt", "--system", "cpt", "--format", "json", "-q")
    result = terminology("validate", tmp_path / "a.csv", *options)
    [group] = json.loads(result.stdout)["groups"]
    assert (group["reason"], group["count"], group["places"][0]["number"]) == ("not-valid-on-date", 1, 1)


def test_data_goes_to_standard_output_and_the_rest_to_standard_error(terminology, ndjson, tmp_path):
    result = terminology("validate", ndjson(WRONG), "--format", "json", "--report", tmp_path / "o.csv")
    json.loads(result.stdout)
    assert "o.csv" in result.stderr
    assert terminology("validate", ndjson(WRONG), "--format", "json", "-q").stderr == ""


def test_the_summary_has_verdict_counts_and_the_first_place(terminology, ndjson):
    said = terminology("validate", ndjson(RIGHT, WRONG)).stdout
    for each in ("findings", "2 records: 1 right, 1 wrong", "not-valid-on-date", "a.ndjson:2"):
        assert each in said
    assert "\x1b" not in said


def test_several_reports_at_once_in_every_format(terminology, ndjson, tmp_path):
    names = (*AT_END, *STREAMED)
    options = [each for name in names for each in ("--report", f"{name}={tmp_path / name}")]
    terminology("validate", ndjson(RIGHT, WRONG), *options)
    assert json.loads((tmp_path / "json").read_text())["records"]["wrong"] == 1
    assert json.loads((tmp_path / "sarif").read_text())["version"] == "2.1.0"
    ET.fromstring((tmp_path / "junit").read_bytes())
    assert (tmp_path / "html").read_text().startswith("<!doctype html>")
    assert len((tmp_path / "csv").read_text().splitlines()) == 2
    assert len((tmp_path / "ndjson").read_text().splitlines()) == 2


def test_limit_bounds_what_is_listed_and_not_what_is_counted(terminology, ndjson, tmp_path):
    path = ndjson(*[WRONG] * 9)
    terminology("validate", path, "--limit", "2", "--report", tmp_path / "o.csv", "--report", tmp_path / "o.json")
    assert len((tmp_path / "o.csv").read_text().splitlines()) == 3
    assert json.loads((tmp_path / "o.json").read_text())["findings"]["error"] == 9


# --- a profile ------------------------------------------------------------------------------------------------

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure"


def test_a_profile_is_for_the_resources_of_its_type_and_the_others_are_judged_as_ever(terminology, tmp_path):
    undated = procedure((CPT, "38230", None, None, None))
    condition = {"resourceType": "Condition", "code": undated["code"], "recordedDate": "2020-01-01"}
    path = tmp_path / "a.ndjson"
    path.write_text("".join(json.dumps(each) + "\n" for each in (undated, condition)))
    result = terminology("validate", path, "--profile", US_CORE, "--report", f"json={tmp_path / 'o'}")
    assert result.exit_code == 1
    assert f"1 held to {US_CORE}|8.0.0" in result.stdout
    report = json.loads((tmp_path / "o").read_text())
    assert (report["records"]["right"], report["records"]["wrong"]) == (1, 1)
    assert (report["provenance"]["profile"], report["provenance"]["profiled"]) == (f"{US_CORE}|8.0.0", 1)
    assert "missing-for-profile" in {each["reason"] for each in report["groups"]}


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("a.ndjson", ("--profile", "http://example.org/none"), "Known in FHIR R4: http://hl7.org"),
        ("a.ndjson", ("--profile", US_CORE, "--fhir", "r5"), "Known in FHIR R5: -"),
        ("a.ndjson", ("--profile", US_CORE), "nothing in"),
        ("a.csv", ("--profile", US_CORE), "nothing in"),
    ],
)
def test_a_profile_that_could_be_held_against_nothing_is_no_clean_run(terminology, tmp_path, name, options, said):
    condition = {"resourceType": "Condition", "code": procedure(RIGHT)["code"], "recordedDate": "2020-01-01"}
    (tmp_path / "a.ndjson").write_text(json.dumps(condition))
    (tmp_path / "a.csv").write_text(f"system,code,date\n{CPT},38230,2020-01-01\n")
    result = terminology("validate", tmp_path / name, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


# --- processes ------------------------------------------------------------------------------------------------


def _many(path: Path, count: int) -> Path:
    line = json.dumps({**procedure(WRONG), "note": [{"text": "long " * 800}]}) + "\n"
    path.write_bytes(gzip.compress((line * count).encode(), 1))
    return path


def _started(*arguments: object) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TERMINOLOGY_")}
    command = [sys.executable, "-m", "terminology", "validate", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept)


def test_two_processes_find_what_one_finds(tmp_path):
    """Enough that further processes are started, and the order stays that of the file."""
    path = _many(tmp_path / "a.ndjson.gz", 2_500)
    reports = []
    for jobs in (1, 2):
        out = tmp_path / f"{jobs}.csv"
        with _started(path, "--jobs", jobs, "-q", "--report", f"csv={out}") as process:
            process.communicate(timeout=120)
        assert process.returncode == 1
        reports.append(out.read_text())
    assert reports[0] == reports[1]
    assert reports[0].count("\n") == 2_501


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_valid_partial_reports(how, tmp_path):
    held = tmp_path / "pipe"
    os.mkfifo(held)
    out = {name: tmp_path / f"o.{name}" for name in ("json", "html", "csv")}
    options = [each for name, file in out.items() for each in ("--report", f"{name}={file}")]
    with _started(held, "--input", "ndjson", "--jobs", "1", *options) as process:
        line = json.dumps(procedure(WRONG)) + "\n"
        with contextlib.suppress(BrokenPipeError), held.open("w") as pipe:
            pipe.write(line * 5000)
            pipe.flush()
            _wait_for(out["csv"], 10_000)
            process.send_signal(how)
            pipe.write(line * 5000)
            pipe.flush()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "partial" in said
    read = json.loads(out["json"].read_text())
    assert read["partial"] is True
    assert read["records"]["wrong"] > 0
    assert "<h1>Partial: " in out["html"].read_text()
    assert out["csv"].read_text().splitlines()[-1].split(",")[5] == "stopped"


def _wait_for(path: Path, size: int) -> None:
    until = time.monotonic() + 60
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < until
        time.sleep(0.05)
