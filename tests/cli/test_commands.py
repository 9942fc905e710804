"""The commands that are no operation, the groups, and the pages of documentation made from them."""

import json
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo

from terminology import Terminology
from terminology.cli import flask_group, group, main
from terminology.settings import TABLE

ROOT = Path(__file__).resolve().parent.parent.parent
VERBS = ("lookup", "validate-code", "expand", "subsumes", "translate")


# --- the group ----------------------------------------------------------------------------------------------


def test_the_command_is_an_entry_point_and_so_is_the_one_under_flask():
    [ours] = entry_points(group="console_scripts", name="terminology")
    [under_flask] = entry_points(group="flask.commands", name="terminology")
    assert (ours.load(), under_flask.load()) == (main, flask_group)


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command_and_the_exit_codes(terminology, flag):
    result = terminology(flag)
    assert result.exit_code == 0
    for said in (*VERBS, "serve", "list", "config", "validator-settings", "completion", "2 cannot"):
        assert said in result.stdout


def test_every_command_has_help(terminology):
    for name in group.list_commands(None):
        result = terminology(name, "--help")
        assert result.exit_code == 0
        assert result.stdout.count("\n") > 3


def test_version_is_that_of_the_distribution(terminology):
    assert version("flask-fhir-terminology") in terminology("--version").stdout


def test_python_m_terminology_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "terminology", "--version"], capture_output=True, text=True, check=True
    )
    assert "flask-fhir-terminology" in done.stdout


def test_output_that_the_terminal_cannot_encode_is_escaped(tmp_path):
    system = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/marrow",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a", "display": "moelle rouge, 骨髓 è"}],
    }
    (tmp_path / "marrow.json").write_text(json.dumps(system))
    done = subprocess.run(
        [sys.executable, "-m", "terminology", "lookup", "marrow", "a", "--content", tmp_path],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "latin-1"},
    )
    assert b"moelle rouge, \\u9aa8\\u9ad3 \xe8" in done.stdout


# --- serve --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_setting_is_a_flag_of_serve(row):
    flags = {flag for param in group.get_command(None, "serve").params for flag in param.opts}
    assert row.flag in flags


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--port", "99999"], "--port: '99999' is wrong. Write a whole number from 1 to 65535"),
        (["--url-prefix", "fhir"], "--url-prefix: 'fhir' is wrong. Write a path such as /fhir"),
        (["--log-level", "loud"], "--log-level"),
        (["--settings", "nowhere.toml"], "nowhere.toml"),
        (["--content", "nowhere"], "error: content: there is no file or folder nowhere"),
    ],
)
def test_serve_refuses_what_cannot_work(terminology, flags, said):
    result = terminology("serve", *flags)
    assert said in result.stderr
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_wrong_environment_is_refused_with_one_sentence(terminology):
    result = terminology("serve", env={"TERMINOLOGY_WORKER": "1"})
    assert result.stderr == (
        "error: environment: there is no setting TERMINOLOGY_WORKER. Did you mean TERMINOLOGY_WORKERS?\n"
    )
    assert result.exit_code == 2


# --- list ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("code-systems", "http://www.ama-assn.org/go/cpt"),
        ("value-sets", "ValueSet/bone-marrow-harvest-own-use"),
        ("concept-maps", "ConceptMap/cpt-to-ops"),
        ("supplements", "CodeSystem/cpt-bone-marrow-harvest-facts"),
    ],
)
def test_list_shows_what_is_published(terminology, answered, kind, said):
    assert said in terminology("list", kind).stdout
    assert said in terminology("list").stdout
    rows = answered("list", kind)
    assert any(row["url"].endswith(said) for row in rows)
    assert {row["kind"] for row in rows} == {kind.removesuffix("s")}


def test_list_without_any_content_is_empty(terminology, answered):
    bare = ("--no-installed-content", "--no-core-content")
    assert answered("list", *bare) == []
    result = terminology("list", *bare)
    assert (result.exit_code, result.stdout) == (0, "")


# --- config show --------------------------------------------------------------------------------------------


def test_config_show_says_value_and_origin_of_every_setting(answered, terminology, tmp_path):
    file = tmp_path / "t.toml"
    file.write_text("port = 99\n")
    shown = json.loads(
        terminology("config", "show", "--json", "--settings", file, env={"TERMINOLOGY_THREADS": "3"}).stdout
    )
    assert list(shown) == [row.name for row in TABLE]
    assert shown["port"] == {"value": 99, "origin": str(file)}
    assert shown["threads"] == {"value": 3, "origin": "TERMINOLOGY_THREADS"}
    assert shown["host"]["origin"] == "default"
    assert "page_limit" in terminology("config", "show").stdout


# --- files for other programs --------------------------------------------------------------------------------


def test_validator_settings_let_the_validator_talk_to_a_local_server(terminology):
    url = "http://localhost:8080/fhir"
    [server] = json.loads(terminology("validator-settings", url).stdout)["servers"]
    assert server["url"] == url
    assert server["allowHttp"] is server["allowPrivateNetwork"] is True


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(terminology, shell):
    result = terminology("completion", shell)
    assert result.exit_code == 0
    assert f"_TERMINOLOGY_COMPLETE={shell}_complete" in result.stdout


# --- under flask --------------------------------------------------------------------------------------------


@pytest.fixture
def flask_terminology():
    def run(app, *arguments):
        info = ScriptInfo(create_app=lambda: app)
        return CliRunner().invoke(FlaskGroup(), ["terminology", *arguments], obj=info)

    return run


@pytest.fixture
def app():
    made = Flask("hospital")
    made.config["TERMINOLOGY_PAGE_LIMIT"] = 77
    system = {
        "resourceType": "CodeSystem",
        "url": "http://example.org/wards",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "north", "display": "North wing"}],
    }
    Terminology(made, content=[system], batch_limit=5)
    return made


def test_under_flask_the_content_of_the_app_answers(flask_terminology, app):
    result = flask_terminology(app, "lookup", "wards", "north")
    assert "North wing" in result.stdout
    assert result.exit_code == 0


def test_under_flask_the_settings_are_those_of_the_app(flask_terminology, app):
    shown = json.loads(flask_terminology(app, "config", "show", "--json").stdout)
    assert shown["page_limit"] == {"value": 77, "origin": "Flask config"}
    assert shown["batch_limit"] == {"value": 5, "origin": "keyword"}
    refused = flask_terminology(app, "list", "--content", "folder")
    assert refused.exit_code == 2
    assert "--content: under flask the settings of the app apply" in refused.stderr


def test_an_app_without_terminology_is_told_so(flask_terminology):
    result = flask_terminology(Flask("bare"), "list")
    assert result.exit_code == 2
    assert "The app bare has no terminology" in result.stderr


# --- documentation ------------------------------------------------------------------------------------------


def test_the_pages_made_from_settings_and_commands_are_current():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make-docs", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
