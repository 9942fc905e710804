"""The programs that the system tests rely on: a test that finds none of them must not look like a pass."""

import re
import subprocess

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("command", "oldest"),
    [
        (["node", "--version"], 20),
        (["npm", "--version"], 9),
        (["javac", "--version"], 17),
        (["mvn", "--version"], 3),
    ],
)
def test_a_program_of_the_system_is_recent_enough(command: list[str], oldest: int) -> None:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+", re.sub(r"\x1b\[[\d;]*m", "", said))
    assert number
    assert int(number[0]) >= oldest
