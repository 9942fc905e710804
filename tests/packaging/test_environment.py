"""What scripts/serve and scripts/test promise about the environment that they make on first use."""

import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"


def executable(path: Path, text: str) -> None:
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)


def found_python(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/bash", "-c", f'root={SCRIPTS.parent}; . "{SCRIPTS}/_environment"; find_python']
    environment = {"PATH": str(path), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_python_that_is_there_but_fails_is_passed_over(tmp_path: Path) -> None:
    executable(tmp_path / "python3.13", "exit 127\n")
    executable(tmp_path / "python3.12", f'exec {sys.executable} "$@"\n')
    assert found_python(tmp_path).stdout == "python3.12\n"


def test_without_a_python_the_remedy_is_named(tmp_path: Path) -> None:
    answer = found_python(tmp_path)
    assert answer.returncode == 1
    assert "set PYTHON=" in answer.stderr


def test_a_python_that_was_named_and_does_not_work_is_an_error_not_a_hint(tmp_path: Path) -> None:
    executable(tmp_path / "python3", f'exec {sys.executable} "$@"\n')
    assert found_python(tmp_path, PYTHON=sys.executable).stdout == sys.executable + "\n"
    assert found_python(tmp_path, PYTHON="/nowhere/python").returncode == 1


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/_environment.py over a repository of its own; programs are noted down instead of run."""
    spec = importlib.util.spec_from_file_location("_environment", SCRIPTS / "_environment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "terminology/__init__.py", "requirements/runtime.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('__version__ = "1"\n')
    monkeypatch.setattr(module, "ROOT", tmp_path)
    noted: list[list[str]] = []

    def run(command: list[Any], **_: Any) -> None:
        noted.append([str(word) for word in command])
        if "venv" in command:
            command[-1].mkdir(exist_ok=True)
            (command[-1] / "pyvenv.cfg").write_text("version = 3")

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "works", lambda venv: (venv / "pyvenv.cfg").exists())
    monkeypatch.setattr(module, "noted", noted, raising=False)
    return module


def prepare(script: ModuleType, level: str) -> int:
    """How many programs were run to bring the environment to the level."""
    before = len(script.noted)
    script.main(level, script.ROOT / ".venv", only_ask=False)
    return len(script.noted) - before


def test_a_second_call_installs_nothing(script: ModuleType) -> None:
    assert prepare(script, "runtime")
    assert not prepare(script, "runtime")


def test_what_tests_need_includes_what_serving_needs_and_not_the_other_way(script: ModuleType) -> None:
    prepare(script, "runtime")
    assert prepare(script, "develop")
    assert not prepare(script, "runtime")


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements/runtime.lock", "terminology/__init__.py"])
def test_a_change_of_what_is_installed_installs_again(script: ModuleType, name: str) -> None:
    prepare(script, "runtime")
    (script.ROOT / name).write_text('__version__ = "2"\n')
    assert prepare(script, "runtime")


def test_an_interrupted_install_starts_afresh(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    prepare(script, "runtime")
    with monkeypatch.context() as patched:
        patched.setattr(script, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(script, "develop")
    script.noted.clear()
    prepare(script, "develop")
    assert "--clear" in script.noted[0]


def test_a_refused_install_is_tried_again_in_place(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        sys.exit("no network")

    prepare(script, "runtime")
    with monkeypatch.context() as patched:
        patched.setattr(script, "run", refused)
        with pytest.raises(SystemExit):
            prepare(script, "develop")
    script.noted.clear()
    assert prepare(script, "develop")
    assert not [command for command in script.noted if "--clear" in command]


def test_an_environment_made_by_hand_is_kept_and_brought_up_to_date(script: ModuleType) -> None:
    (script.ROOT / ".venv").mkdir()
    (script.ROOT / ".venv" / "pyvenv.cfg").write_text("version = 3")
    assert prepare(script, "runtime")
    assert not [command for command in script.noted if "venv" in command]


def test_every_install_is_held_to_hashes_or_takes_no_dependencies(script: ModuleType) -> None:
    prepare(script, "develop")
    installs = [command for command in script.noted if "install" in command]
    assert installs
    assert all({"--require-hashes", "--no-deps"} & set(command) for command in installs)


def test_of_two_callers_at_once_one_installs(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = script.run

    def slow(*arguments: Any, **named: Any) -> None:
        time.sleep(0.05)
        quick(*arguments, **named)

    monkeypatch.setattr(script, "run", slow)
    callers = [threading.Thread(target=prepare, args=(script, "runtime")) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len([command for command in script.noted if "--require-hashes" in command]) == 1


@pytest.mark.parametrize("name", ["serve", "test", "test-system", "lock"])
def test_a_script_can_be_called(name: str) -> None:
    assert os.access(SCRIPTS / name, os.X_OK)
    subprocess.run(["/bin/bash", "-n", SCRIPTS / name], check=True)
