"""npm's `fhir-kit-client`: node/client.test.mjs, whose tests become tests here, for each endpoint."""

import os
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).parent / "node" / "client.test.mjs"
TESTS = re.findall(r"^test\('([^']+)'", PROGRAM.read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def said(endpoint, node_modules, published_file):
    """What Node's test runner says, in TAP."""
    run = subprocess.run(
        ["node", "--test", "--test-reporter=tap", PROGRAM.name],
        cwd=node_modules.parent,
        env={**os.environ, "FHIR_BASE": endpoint, "PUBLISHED": str(published_file)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return run.stdout + run.stderr


@pytest.mark.parametrize("name", TESTS)
def test_in_node(said, name):
    assert re.search(rf"^\s*ok \d+ - {re.escape(name)}$", said, re.MULTILINE), said


def test_none_is_missing(said):
    assert re.search(rf"^# pass {len(TESTS)}$", said, re.MULTILINE), said
    assert re.search(r"^# fail 0$", said, re.MULTILINE), said
