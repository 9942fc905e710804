"""``terminology import``, ``info``, ``remove``, ``export`` and ``list loaded``, as a user runs them."""

import csv
import io
import json
import os
import pty
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from terminology.cli import group
from terminology.storage import library as storage

SAMPLES = Path(__file__).parent / "samples"
SIZES = "http://example.org/sizes"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """run("import", …): the result, with a folder of its own for what is loaded."""
    for name in [name for name in os.environ if name.startswith("TERMINOLOGY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TERMINOLOGY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(storage, "GRACE", 0.0)

    def made(*arguments):
        return CliRunner().invoke(group, [str(each) for each in arguments], prog_name="terminology")

    return made


@pytest.fixture
def printed(run):
    """printed("info", …): the JSON that a command prints."""
    return lambda *arguments: json.loads(run(*arguments, "--json").stdout)


def test_an_import_without_trouble_ends_with_0(run):
    result = run("import", "fhir-package", SAMPLES / "package")
    assert result.exit_code == 0
    assert SIZES in result.stdout
    assert result.stderr == ""


def test_rows_that_were_left_out_end_with_1_and_are_told_by_reason(run):
    result = run("import", "csv", SAMPLES / "animals.csv", "--url", "http://example.org/animals", "--display", "name",
                 "--parent", "above", "--separator", ";", "--property", "legs=legs:integer")  # fmt: skip
    assert result.exit_code == 1
    for said in (
        "animals.csv line 6: 'two' is no integer",
        "the row has no code",
        "the parent 'monster'",
        "5 left out in all",
    ):
        assert said in result.stderr, said
    assert "error" not in result.stdout


def test_of_many_refusals_the_first_places_are_told(run, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("code,n\nx,1\n" + "y,\n".replace("y", "") * 20)
    result = run("import", "csv", path, "--url", "http://example.org/a")
    assert result.exit_code == 1
    assert "20 left out, for example" in result.stderr
    assert "… and 15 more" in result.stderr
    assert result.stderr.count("the row has no code") == 5


def test_nothing_to_import_ends_with_2_and_changes_nothing(run, tmp_path):
    (tmp_path / "empty").mkdir()
    result = run("import", "fhir", tmp_path / "empty")
    assert result.exit_code == 2
    assert "holds nothing to import as fhir" in result.stderr
    assert run("list", "loaded").stdout == ""


def test_without_a_folder_the_error_names_flag_and_variable(run, monkeypatch):
    monkeypatch.delenv("TERMINOLOGY_DATA_DIR")
    result = run("import", "fhir", SAMPLES / "bundle.json")
    assert result.exit_code == 2
    assert "--data-dir" in result.stderr
    assert "TERMINOLOGY_DATA_DIR" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("csv", "animals.csv"),
        ("csv", "animals.csv", "--url", "http://example.org/a", "--code", "nothing"),
        ("csv", "animals.csv", "--url", "http://example.org/a", "--property", "legs=legs:number"),
        ("csv", "animals.csv", "--url", "http://example.org/a", "--designation", "german"),
        ("ndc", "ndc"),
        ("nothing", "ndc"),
        ("csv", "nothing.csv", "--url", "http://example.org/a"),
    ],
)
def test_a_wrong_call_ends_with_2_and_a_sentence(run, arguments):
    name, path, *options = arguments
    result = run("import", name, SAMPLES / path, *options)
    assert result.exit_code == 2
    assert "rror: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_dry_run_checks_all_and_changes_nothing(run):
    result = run("import", "fhir-package", SAMPLES / "package", "--dry-run")
    assert result.exit_code == 0
    assert "dry run" in result.stdout
    assert run("list", "loaded").stdout == ""


def test_json_tells_counts_refusals_and_notes(printed):
    told = printed("import", "cvx", SAMPLES / "cvx.txt")
    assert (told["concepts"], told["refused"]) == (3, 1)
    assert told["refusals"] == [
        {"reason": "OWN_ROW_VALUE", "count": 1, "places": ["cvx.txt line 4: 'abc' is no CVX code"]}
    ]
    assert "unverified against a real file" in told["notes"][0]
    assert told["loaded"][0]["result"] == "new"


def test_help_names_every_format_and_the_layouts_that_were_not_seen(run):
    told = run("import", "--help").stdout
    for name in ("fhir-package", "icd-10-cm", "icd-10-pcs", "loinc", "rxnorm", "cpt", "csv"):
        assert f"  {name} " in told
    assert "Layout unverified against a real file." in run("import", "loinc", "--help").stdout
    assert "unverified" not in run("import", "csv", "--help").stdout


# --- what was loaded --------------------------------------------------------------------------------------------


@pytest.fixture
def loaded(run):
    run("import", "fhir-package", SAMPLES / "package")
    run("import", "icd-10-pcs", SAMPLES / "icd10pcs_order_2026.txt")


@pytest.mark.usefixtures("loaded")
def test_what_was_loaded_is_listed(printed, run):
    rows = printed("list", "loaded")
    assert {row["kind"] for row in rows} == {"CodeSystem", "ValueSet", "ConceptMap"}
    assert SIZES in run("list", "code-systems").stdout


@pytest.mark.usefixtures("loaded")
def test_info_tells_source_licence_and_counts(printed):
    [told] = printed("info", "http://www.cms.gov/Medicare/Coding/ICD10")
    assert (told["version"], told["concepts"], told["source"]) == ("2026", 7, "icd10pcs_order_2026.txt")
    assert "Public domain" in told["licence"]


@pytest.mark.usefixtures("loaded")
def test_what_is_removed_is_gone(run, printed):
    assert run("remove", SIZES).exit_code == 0
    assert SIZES not in {row["url"] for row in printed("list", "loaded")}
    assert run("remove", SIZES).exit_code == 2


@pytest.mark.usefixtures("loaded")
def test_an_id_of_several_is_asked_back(run):
    result = run("remove", "sizes")
    assert result.exit_code == 2
    assert "ValueSet http://example.org/all-sizes|1" in result.stderr


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("fhir", "becomes"),
    [
        pytest.param("r4", "unchanged", id="of its own FHIR version"),
        pytest.param("r5", "replaced", id="of another one"),
    ],
)
def test_an_exported_package_imports_as_the_same_but_for_its_fhir_version(run, printed, tmp_path, fhir, becomes):
    path = tmp_path / "out.tgz"
    wanted = ["http://www.cms.gov/Medicare/Coding/ICD10", SIZES, "http://example.org/sizes-to-sizes"]
    assert run("export", *wanted, "--as", "package", "-o", path, "--fhir", fhir).exit_code == 0
    with tarfile.open(path) as archive:
        assert "package/package.json" in archive.getnames()
    before = run("expand", "--system", "x").exit_code
    assert before == 2
    told = printed("import", "fhir-package", path)
    assert told["refused"] == 0
    assert {each["result"] for each in told["loaded"] if each["url"] == SIZES} == {becomes}
    answer = printed("lookup", "http://www.cms.gov/Medicare/Coding/ICD10|2026", "07DR3ZZ")
    parts = [{p["name"]: p for p in each["part"]} for each in answer["parameter"] if each["name"] == "property"]
    assert {"parent", "billable", "table"} <= {part["code"]["valueCode"] for part in parts}


@pytest.mark.usefixtures("loaded")
def test_ndjson_and_csv_go_to_standard_output(run):
    [line] = run("export", SIZES).stdout.splitlines()
    assert json.loads(line)["concept"] == [{"code": "S", "display": "small"}, {"code": "L", "display": "large"}]
    rows = list(csv.DictReader(io.StringIO(run("export", "ICD10-2026", "--as", "csv").stdout)))
    assert [row["code"] for row in rows if row["parent"] == "079"] == ["079T3ZZ"]
    assert rows[1]["billable"] == "true"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("arguments", [(SIZES, "--as", "package"), (SIZES, "ICD10-2026", "--as", "csv"), ("nothing",)])
def test_what_cannot_be_exported_ends_with_2(run, arguments):
    assert run("export", *arguments).exit_code == 2


# --- progress ---------------------------------------------------------------------------------------------------


def test_a_terminal_shows_a_bar(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("code\n" + "".join(f"c{each}\n" for each in range(40_000)))
    arguments = ["import", "csv", str(path), "--url", "http://example.org/a", "--data-dir", str(tmp_path / "data")]
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "terminology", *arguments], stderr=theirs, stdout=subprocess.DEVNULL, check=True
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert "[###" in shown
    assert "concepts" in shown


def test_without_a_terminal_a_line_comes_each_ten_seconds(capsys):
    from terminology.cli import importing  # noqa: PLC0415
    from terminology.cli.options import Printer  # noqa: PLC0415
    from terminology.importing.format import Source  # noqa: PLC0415
    from terminology.importing.run import Progress  # noqa: PLC0415

    now = [0.0]
    display = importing.Display(Printer(), lambda: now[0])
    progress = Progress(Source(Path("x"), "csv"))
    progress.source.meter.size = 100
    for second in range(35):
        now[0], progress.concepts, progress.source.meter.read = float(second), second * 1_000, second
        display.show(progress)
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "10,000 concepts, 10% read, 10 s, 90 s left",
        "20,000 concepts, 20% read, 20 s, 80 s left",
        "30,000 concepts, 30% read, 30 s, 70 s left",
    ]
