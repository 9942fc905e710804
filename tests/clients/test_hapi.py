"""HAPI's Java clients and its validator: the programs under java/, whose JUnit tests become tests here."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.system

JAVA = Path(__file__).parent / "java"
WRONG = {"failure", "error", "skipped"}
REPORTS = JAVA / "target" / "surefire-reports"
TESTS = [
    f"{source.stem}.{name}"
    for source in sorted((JAVA / "src" / "test" / "java").glob("*Test.java"))
    for name in re.findall(r"@Test\s+void (\w+)\(", source.read_text("utf-8"))
]


@pytest.fixture(scope="module")
def said(r4, r5, published_file):
    """What JUnit says: a test's name and what went wrong, or nothing."""
    shutil.rmtree(REPORTS, ignore_errors=True)
    run = subprocess.run(
        ["mvn", "--quiet", "--batch-mode", "--fail-at-end", "test"],
        cwd=JAVA,
        env={**os.environ, "FHIR_R4": r4, "FHIR_R5": r5, "PUBLISHED": str(published_file)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert REPORTS.is_dir(), run.stdout + run.stderr
    cases = [case for report in REPORTS.glob("TEST-*.xml") for case in ET.parse(report).iter("testcase")]
    return {
        f"{case.get('classname')}.{case.get('name')}": "\n".join(
            wrong.text or wrong.tag for wrong in case if wrong.tag in WRONG
        )
        for case in cases
    }


@pytest.mark.parametrize("name", TESTS)
def test_in_java(said, name):
    assert name in said
    assert not said[name], said[name]


def test_none_is_missing(said):
    assert said.keys() == set(TESTS)
