"""What scripts/validate-content promises about warnings, and that an independent validator finds no error."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def judge():
    path = ROOT / "scripts" / "hapi-validate" / "validate_content.py"
    spec = importlib.util.spec_from_file_location("validate_content", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.judge


ORIGIN = "https://flask-fhir-terminology.org/fhir/CodeSystem/label-origin"
EXPECTED = [
    f"     WARNING {text}"
    for text in (
        "CodeSystem: Constraint failed: dom-6: 'A resource should have narrative …'",
        (
            f"CodeSystem.concept[0].designation[1].use: The Coding provided ({ORIGIN}#own-wording) was not "
            "found in the value set 'Designation Use' (…)"
        ),
        (
            "CodeSystem.concept[0].concept[1].designation[0].use: CodeSystem is unknown and "
            f"can't be validated: {ORIGIN} for …"
        ),
        "CodeSystem.concept: HL7 Defined CodeSystems should ensure that every concept has a …",
    )
]


def test_explained_warnings_pass(judge, capsys):
    """A run whose every warning is explained is 0, and the table says how often each came and why."""
    assert judge(["ok   CodeSystem-x.json (3 ms)", *EXPECTED]) == 0
    assert "No narrative is stored" in capsys.readouterr().out


def test_an_unexplained_warning_fails(judge, capsys):
    """A warning that nobody explained is printed again and makes the run fail."""
    assert judge([*EXPECTED, "     WARNING ValueSet.compose: something new"]) == 1
    assert "Unexplained warnings\n  ValueSet.compose: something new" in capsys.readouterr().out


def test_an_explanation_that_nobody_needs_fails(judge, capsys):
    """An explanation outlives its warning nowhere."""
    assert judge(EXPECTED[1:]) == 1
    assert "Explanations without a warning" in capsys.readouterr().out


@pytest.mark.system
@pytest.mark.slow
def test_the_validator_finds_no_error_in_what_is_published(tmp_path):
    """scripts/validate-content is 0, called from any folder."""
    script = ROOT / "scripts" / "validate-content"
    done = subprocess.run([script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed" in done.stdout
