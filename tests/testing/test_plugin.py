"""The pytest plugin in somebody else's project: the page is true, sessions do not meet, unused it costs nothing."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from servers import clean_environment

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/test-your-project.md"
TEXT = PAGE.read_text(encoding="utf-8")
STRICT = ("-p", "no:cacheprovider", "-W", "error", "-p", "randomly", "-p", "no:pytester")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """The project of the page, without the test that fails."""
    (pytester.mkdir("fhir") / "allowed.json").write_text(blocks("json")[0])
    (pytester.path / "pytest.ini").write_text(blocks("ini")[0])
    (pytester.path / "test_codes.py").write_text(blocks("python")[0])
    return pytester


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", *STRICT, *arguments]


def run(project: pytest.Pytester, *arguments: str) -> str:
    """What pytest says in the project, in a process of its own."""
    done = subprocess.run(
        command(*arguments), cwd=project.path, env=clean_environment(), capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_example_of_the_page_passes_and_two_sessions_at_once_do_too(project: pytest.Pytester) -> None:
    both = [
        subprocess.Popen(
            command("-v"), cwd=project.path, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(2)
    ]
    said = [each.communicate(timeout=120)[0].decode() for each in both]
    assert [re.findall(r"\d+ \w+(?= in )", each) for each in said] == [["4 passed"], ["4 passed"]], said[0]
    assert [each.returncode for each in both] == [0, 0]


def test_a_failure_says_what_the_page_shows(project: pytest.Pytester) -> None:
    (project.path / "test_codes.py").write_text(blocks("python")[1])
    said = run(project)
    assert "1 failed" in said
    shown = [line.removeprefix("E").strip() for line in blocks("text")[0].splitlines()]
    told = [line.removeprefix("E").strip() for line in said.splitlines()]
    assert [line for line in shown if line not in told] == []
    assert "terminology/testing" not in said.partition("short test summary")[0]  # the line of the test is what counts


def test_content_of_another_version_is_an_error_that_names_both(project: pytest.Pytester) -> None:
    ini = project.path / "pytest.ini"
    ini.write_text(ini.read_text().replace("|2026", "|2025"))
    said = run(project)
    assert "4 errors" in said
    assert re.search(re.escape(blocks("text")[1].strip()).replace("…", ".*"), said), said


def test_content_that_is_not_there_is_an_error_that_names_it(project: pytest.Pytester) -> None:
    (project.path / "fhir" / "allowed.json").unlink()
    (project.path / "fhir").rmdir()
    assert "terminology_content: there is no " in run(project, "-k", "labels")


def test_a_session_that_uses_no_fixture_imports_nothing_of_the_service(pytester: pytest.Pytester) -> None:
    heavy = ("flask", "werkzeug", "marshmallow", "orjson", "terminology.service", "terminology.model", "sqlite3")
    (pytester.path / "test_nothing.py").write_text(
        f"import sys\ndef test_it():\n    assert 'terminology.testing.plugin' in sys.modules\n"
        f"    assert [each for each in {heavy!r} if each in sys.modules] == []\n"
    )
    assert "1 passed" in run(pytester)


def test_the_server_is_gone_with_the_session(project: pytest.Pytester) -> None:
    (project.path / "test_codes.py").write_text(
        "import pathlib\n\n"
        "def test_it(terminology_server):\n    pathlib.Path('address').write_text(terminology_server)\n"
    )
    said = run(project)
    assert "1 passed" in said, said
    address = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/fhir", (project.path / "address").read_text())
    assert address is not None
    with pytest.raises(ConnectionRefusedError), socket.socket() as probe:
        probe.connect(("127.0.0.1", int(address[1])))


def test_every_fixture_and_setting_is_on_the_page(project: pytest.Pytester) -> None:
    said = run(project, "--fixtures", "-q")
    section = said.partition("fixtures defined from terminology.testing.plugin")[2].partition("fixtures defined from")[
        0
    ]
    names = re.findall(r"^(\w+) \[session scope\]", section, re.MULTILINE)
    assert sorted(names) == ["assert_coded_procedure", "assert_valid_code", "terminology", "terminology_server"]
    assert [each for each in (*names, "terminology_content", "terminology_versions") if f"`{each}`" not in TEXT] == []
