"""The image's steps, run without Docker: the Dockerfile only calls scripts, and the scripts work."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from servers import clean_environment, free_port, serving

DOCKER = Path(__file__).resolve().parent.parent.parent / "docker"


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (DOCKER / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def arguments(word: str) -> list[str]:
    return [rest for each, rest in instructions() if each == word]


STEPS = [(word, rest) for word, rest in instructions() if word in {"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"}]


@pytest.mark.parametrize(("word", "rest"), STEPS)
def test_a_step_is_one_call_of_a_script_that_stands_beside_the_dockerfile(word: str, rest: str) -> None:
    if word == "HEALTHCHECK":
        rest = rest.partition(" CMD ")[2]
    program, *values = json.loads(rest)
    script = DOCKER / Path(program).name
    assert program.split("/")[-2] == "docker"
    assert script.is_file()
    assert os.access(script, os.X_OK)
    assert all("/" in value and shlex.quote(value) == value for value in values), "only a folder is handed over"


def test_the_steps_are_there() -> None:
    assert {word for word, _ in STEPS} == {"RUN", "ENTRYPOINT", "HEALTHCHECK"}
    assert len(arguments("FROM")) == 2


def test_the_user_is_numeric_and_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", arguments("USER")[-1])


def test_the_image_names_its_source_version_revision_and_licence() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', " ".join(arguments("LABEL"))))
    assert {"source", "version", "revision", "licenses"} <= labels.keys()


def test_compose_takes_every_right_away_that_the_server_does_not_need() -> None:
    service = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["terminology"]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == ["data:/data"]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image") / "terminology"
    environment = clean_environment(PYTHON=sys.executable)
    subprocess.run([DOCKER / "build.sh", folder], check=True, env=environment)
    return folder


@pytest.fixture(scope="module")
def container(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a server that the entry point started, as in the image: little else is set."""
    data, port = tmp_path_factory.mktemp("data"), free_port()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(data), "TERMINOLOGY_HOST": "127.0.0.1"}
    environment |= {"TERMINOLOGY_PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    with serving([prefix / "docker" / "entrypoint.sh"], port, folder=data, environment=environment):
        yield environment


def health(prefix: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [prefix / "docker" / "healthcheck.sh"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_what_the_build_made_serves_and_is_healthy(prefix: Path, container: dict[str, str]) -> None:
    answer = health(prefix, container)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


@pytest.mark.slow
def test_a_server_that_is_not_there_is_not_healthy(prefix: Path) -> None:
    answer = health(prefix, {"TERMINOLOGY_PORT": str(free_port())})
    assert answer.returncode == 1
    assert "refused" in answer.stderr


@pytest.mark.slow
def test_the_image_holds_the_service_and_no_build_tools(prefix: Path) -> None:
    listed = subprocess.run([prefix / "bin" / "pip", "list", "--format=json"], capture_output=True, check=True)
    names = {each["name"].lower() for each in json.loads(listed.stdout)}
    assert "flask-fhir-terminology" in names
    assert names.isdisjoint({"hatchling", "pytest", "mypy", "ruff"})
