"""docs/how-to/clients.md: each program is run as it stands there, and prints what stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "clients.md"
DOCUMENTED = "http://127.0.0.1:8080"
PROGRAMS = re.findall(
    r"^```(py|js|java)\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)
JAVA = Path(__file__).parent / "java"


def written_in(language):
    found = [(program, expected) for each, program, expected in PROGRAMS if each == language]
    names = [re.search(r"(?:import .*? from '|import |from )([\w-]+)", program)[1] for program, _ in found]
    return pytest.mark.parametrize(("program", "expected"), found, ids=names)


def run(command, program="", folder=None):
    done = subprocess.run(
        command,
        input=program,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@written_in("py")
def test_a_program_in_python_prints_what_the_page_says(live_server, program, expected):
    assert run([sys.executable, "-"], program.replace(DOCUMENTED, live_server)) == expected


@pytest.mark.system
@written_in("js")
def test_a_program_in_javascript_prints_what_the_page_says(live_server, node_modules, program, expected):
    command = ["node", "--input-type=module"]
    assert run(command, program.replace(DOCUMENTED, live_server), node_modules.parent) == expected


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    """The jars of java/pom.xml."""
    file = tmp_path_factory.mktemp("java") / "class-path"
    run(["mvn", "--quiet", "--batch-mode", "dependency:build-classpath", f"-Dmdep.outputFile={file}"], folder=JAVA)
    return file.read_text()


@pytest.mark.system
@written_in("java")
def test_a_program_in_java_prints_what_the_page_says(live_server, class_path, tmp_path, program, expected):
    source = tmp_path / "Program.java"
    source.write_text(program.replace(DOCUMENTED, live_server), "utf-8")
    assert run(["java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", class_path, str(source)]) == expected


def test_every_program_of_the_page_is_run():
    assert [language for language, _, _ in PROGRAMS] == ["py", "py", "py", "js", "java", "java"]
    assert len(re.findall(r"^```", PAGE.read_text("utf-8"), re.MULTILINE)) == 4 * len(PROGRAMS)
