"""The walk with curl through $validate-bulk is true: a server of its own answers as the page shows."""

import os
import re
import subprocess
import sysconfig
from pathlib import Path

from fake_curl import CURL
from servers import clean_environment, free_port, serving

from terminology.settings import TABLE

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/validate-bulk-http.md"
TEXT = PAGE.read_text(encoding="utf-8")
DOCUMENTED = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def shown(expected: str) -> str:
    """What a command answers, as a pattern: ``…`` stands for any text."""
    return ".*".join(re.escape(part) for part in expected.split("…"))


def test_the_walk_with_curl_is_true(tmp_path: Path) -> None:
    """All commands run in one shell; the server is started as the page says, on another port."""
    (tmp_path / "procedures.ndjson").write_text(blocks("json")[0])
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    steps = [
        step for block in blocks("shell") for step in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE)
    ]
    assert len(steps) == 9
    port = free_port()
    path = os.pathsep.join([str(tmp_path), sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = clean_environment(PATH=path, TERMINOLOGY_CORE_CONTENT="false")
    command = [*blocks("sh")[0].split(), "--port", str(port)]
    with serving(command, port, folder=tmp_path, environment=environment) as base:
        script = "".join(f"{command.replace(DOCUMENTED, base)}\nprintf '\\036'\n" for command, _ in steps)
        done = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
    answers = done.stdout.replace(base, DOCUMENTED).replace("\r", "").split("\x1e")
    for (command, expected), answer in zip(steps, answers, strict=False):
        assert re.fullmatch(shown(expected.strip()), answer.strip(), re.IGNORECASE), (
            f"$ {command}\n{answer}{done.stderr}"
        )


def test_every_setting_of_it_is_on_the_page() -> None:
    assert [each.name for each in TABLE if each.group == "Bulk" and f"`{each.name}`" not in TEXT] == []
