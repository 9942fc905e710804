"""The documentation is true: its code runs, its commands answer as shown, its links lead somewhere."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from fake_curl import CURL
from fhir_models import parsed
from servers import clean_environment, free_port, serving

from terminology.cli import group
from terminology.model import SUGGESTED_CODING
from terminology.operations import OPERATIONS
from terminology.settings import TABLE
from terminology.wire.outcomes import OWN_MESSAGE_ID

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = sorted([README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PROGRAMS = Path(sysconfig.get_path("scripts"))
DOCUMENTED = "http://127.0.0.1:8080"
"""The address of the server in the documentation; the test's server stands in for it."""


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(page, text[: found.start()].count("\n") + 1, found[1], found[2])


BLOCKS = [block for page in PAGES for block in blocks(page)]
CONSOLE = [block for block in BLOCKS if block.language == "console"]
WITH_PYTHON = sorted({block.page for block in BLOCKS if block.language == "python"})


def as_shown(expected: str, actual: str) -> bool:
    """Equal line by line; ``…`` alone on a line stands for any lines, within a line for any text."""
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ ]*\n"
    return re.fullmatch(pattern, actual.rstrip("\n") + "\n") is not None


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nx\nb\n", False),
        ("a\n…\nb", "a\nx\ny\nb\n", True),
        ("…\nb", "a\nb\n", True),
        ("a\n…", "a\n", True),
        ("a…c", "abc", True),
        ("a…c", "ab\nc", False),
    ],
)
def test_what_is_left_out_is_marked(expected, actual, same):
    assert as_shown(expected, actual) is same


# --- code ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_runs_and_prints_what_the_page_shows(page):
    """The blocks of a page run in one namespace; a text block after one is what it prints."""
    namespace = {"__name__": "documented"}
    found = list(blocks(page))
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language != "python":
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.text, block.place, "exec", dont_inherit=True), namespace)
        if printed.getvalue():
            assert following is not None, block.place
            assert following.language == "text", block.place
            assert as_shown(following.text, printed.getvalue()), f"{block.place} prints:\n{printed.getvalue()}"


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder for PATH with our curl."""
    folder = tmp_path_factory.mktemp("programs")
    curl = folder / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    return folder


@pytest.mark.parametrize("block", CONSOLE, ids=lambda block: block.place)
def test_commands_answer_as_shown(block, live_server, programs, tmp_path):
    """The commands of a block run in one shell, against a live server."""
    parts = re.split(r"^\$ (.*)\n", block.text, flags=re.MULTILINE)
    assert parts[0] == "", f"{block.place} does not start with a command"
    commands, expected = parts[1::2], parts[2::2]
    assert all(re.match(r"(curl|terminology|echo) ", command) for command in commands), block.place
    mark = "\x1e"
    script = "".join(
        f"{command.replace(DOCUMENTED, live_server) if command.startswith('curl') else command}\n"
        f"last=$?; printf '{mark}'; (exit $last)\n"
        for command in commands
    )
    path = os.pathsep.join([str(programs), str(PROGRAMS), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script],
        env=clean_environment(PATH=path, NO_COLOR="1", COLUMNS="300"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    answers = done.stdout.replace(live_server, DOCUMENTED).split(mark)
    for command, shown, answer in zip(commands, expected, answers, strict=False):
        assert as_shown(shown, answer), f"{block.place}: $ {command}\n{answer}"


def starts() -> list[str]:
    """The commands of the deployment page that start a server and run anywhere."""
    lines = (ROOT / "docs/how-to/deploy.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"(granian|gunicorn|flask|terminology serve) ", line)]


@pytest.mark.parametrize("command", starts(), ids=lambda command: command.partition(" ")[0])
def test_a_server_starts_as_the_deployment_page_says(command, tmp_path):
    port = free_port()
    environment = clean_environment(PATH=os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]))
    shell = ["bash", "-c", f"exec {command.replace('8080', str(port))}"]
    with serving(shell, port, folder=tmp_path, environment=environment) as base:
        assert base.endswith(str(port))


def test_the_deployment_page_shows_each_way_to_start():
    assert {command.partition(" ")[0] for command in starts()} == {"granian", "gunicorn", "flask", "terminology"}


# --- links --------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        inside = there.is_relative_to(ROOT) and there.exists()
        if not inside or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert [page for page in sorted(pages - {"index.md"}) if f"({page})" not in index] == []


def test_no_page_names_a_place_outside_the_repository():
    """A stranger has no /home of ours; CONTRIBUTING may name the default folder of HL7's cases."""
    pages = [page for page in PAGES if page.name != "CONTRIBUTING.md"]
    found = [page.name for page in pages if re.search(r"/(work|home|root)/|\.\./shared", page.read_text())]
    assert found == []


# --- completeness -------------------------------------------------------------------------------------------


def test_every_setting_is_documented():
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert [row.name for row in TABLE if f"`{row.name}`" not in page] == []


def test_every_command_is_documented():
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    names = group.list_commands(click.Context(group))
    assert names
    assert [name for name in names if f"## terminology {name}" not in page] == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.resource}-{each.name}")
def test_every_operation_and_parameter_is_documented(operation):
    path = "/".join(part for part in (operation.resource, f"${operation.name}") if part)
    page = (ROOT / "docs/reference/operations.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
    assert section
    assert [each.name for each in operation.inputs + operation.outputs if f"| `{each.name}` |" not in section] == []
    assert [each.name for each in operation.inputs if each.ignored and each.ignored not in section] == []
    assert f"| `{path}` |" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize("url", [OWN_MESSAGE_ID, SUGGESTED_CODING])
def test_extensions_in_answers_are_defined_and_explained(url):
    """Each has a StructureDefinition that is valid in both versions, for issues, and stands on the page."""
    file = ROOT / "docs/structuredefinitions" / f"{url.rpartition('/')[2]}.json"
    definition = json.loads(file.read_text(encoding="utf-8"))
    parsed(definition, "4.0")
    parsed(definition, "5.0")
    assert definition["url"] == url
    assert definition["context"] == [{"type": "element", "expression": "OperationOutcome.issue"}]
    assert f"**`{url}`**" in (ROOT / "docs/explanation/answers.md").read_text(encoding="utf-8")


def test_generated_pages_are_current():
    """Operations, messages, settings, commands and the tables of README follow from the code."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/make-docs", "--check"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- README -------------------------------------------------------------------------------------------------


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 400


@pytest.mark.parametrize(
    "said",
    [
        "scripts/serve",
        "scripts/test",
        "you need a licence of your own from the AMA",
        "we ask for a human review",
        "A fragment that its owner did not publish",
        "Supplements applied by default",
        "do not resolve yet",
        "Do not run `pip install terminology`",
        "<!-- conformance -->",
        "## Not yet",
    ],
)
def test_readme_tells_what_a_stranger_must_know(said):
    assert said in README.read_text(encoding="utf-8")
