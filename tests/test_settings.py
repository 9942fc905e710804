"""The settings: precedence, unknown names, wrong values, and what other processes and readers get."""

import dataclasses
from pathlib import Path

import pytest

from terminology import settings
from terminology.settings import TABLE, Settings, SettingsError, Stated, hand_down, resolve


def load(**sources):
    return Settings.load(**{"environment": {}, **sources})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "terminology.toml"
    written.write_text("port = 4\nthreads = 4\nworkers = 4\npage_limit = 4\n")
    return written


def test_a_keyword_wins_over_environment_over_flask_config_over_file_over_default(file: Path):
    found = resolve(
        stated={"port": 1},
        environment={"TERMINOLOGY_PORT": "2", "TERMINOLOGY_THREADS": "2"},
        config={"TERMINOLOGY_PORT": 3, "TERMINOLOGY_THREADS": 3, "TERMINOLOGY_WORKERS": 3},
        file=file,
    )
    held = {each.setting.name: (each.value, each.origin) for each in found}
    assert held["port"] == (1, "keyword")
    assert held["threads"] == (2, "TERMINOLOGY_THREADS")
    assert held["workers"] == (3, "Flask config")
    assert held["page_limit"] == (4, str(file))
    assert held["host"] == ("127.0.0.1", "default")


def test_without_any_source_every_setting_has_its_default():
    assert load() == Settings()


@pytest.mark.parametrize("source", ["environment", "config"])
def test_the_settings_file_is_named_by_a_variable(file: Path, source: str):
    assert load(**{source: {"TERMINOLOGY_SETTINGS": str(file)}}).port == 4


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("port", "8099", 8099),
        ("port", " 8099 ", 8099),
        ("shadow_check", "true", True),
        ("shadow_check", "0", False),
        ("installed_content", "No", False),
        ("log_level", "DEBUG", "debug"),
        ("content", "a.json,b", ("a.json", "b")),
        ("content", ' ["a,b", "c"] ', ("a,b", "c")),
        ("default_supplements", "", ()),
        ("base_url", "", None),
        ("base_url", "https://tx.example.org/fhir/", "https://tx.example.org/fhir"),
        ("url_prefix", "/terminology/fhir/", "/terminology/fhir"),
        ("url_prefix", "/", ""),
    ],
)
def test_what_the_environment_says_becomes_a_typed_value(name: str, written: str, value: object):
    assert getattr(load(environment={f"TERMINOLOGY_{name.upper()}": written}), name) == value


@pytest.mark.parametrize(
    ("name", "wrong", "advice"),
    [
        ("port", "99999", "Write a whole number from 1 to 65535"),
        ("port", 8080.0, "Write a whole number from 1 to 65535"),
        ("port", True, "Write a whole number from 1 to 65535"),
        ("port", None, "Write a whole number from 1 to 65535"),
        ("port", "9" * 30, "Write a whole number from 1 to 65535"),
        ("expansion_limit", "-1", "Write a whole number from 1"),
        ("shadow_check", 1, "Write true or false"),
        ("shadow_check", "maybe", "Write true or false"),
        ("log_level", "loud", "Write one of critical, error, warning, info, debug"),
        ("host", "", "Write a text"),
        ("url_prefix", "fhir", "Write a path such as /fhir, or / for the root"),
        ("base_url", "tx.example.org", "Write an http or https address such as"),
        ("content", {"a": 1}, "Write a list: a,b or"),
        ("content", "[1]", "Write a list: a,b or"),
        ("content", "[", "Write a list: a,b or"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(name: str, wrong: object, advice: str):
    with pytest.raises(SettingsError) as refused:
        load(stated={name: wrong})
    assert str(refused.value).startswith(f"keyword {name}: {wrong!r} is wrong. {advice}")


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ({"stated": {"prot": 1}}, "keyword: there is no setting prot. Did you mean port?"),
        (
            {"environment": {"TERMINOLOGY_PAGELIMIT": "1"}},
            "environment: there is no setting TERMINOLOGY_PAGELIMIT. Did you mean TERMINOLOGY_PAGE_LIMIT?",
        ),
        (
            {"config": {"TERMINOLOGY_WORKER": 1}},
            "Flask config: there is no setting TERMINOLOGY_WORKER. Did you mean TERMINOLOGY_WORKERS?",
        ),
        (
            {"stated": {"xyzzy": 1}},
            "keyword: there is no setting xyzzy. `terminology config show` lists all settings",
        ),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest(sources: dict, sentence: str):
    with pytest.raises(SettingsError) as refused:
        load(**sources)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("port = ", "not TOML"),
        ("prot = 1", "there is no setting prot. Did you mean port?"),
        ("port = 'x'", "port: 'x' is wrong"),
        ("[port]\na = 1", "port: {'a': 1} is wrong"),
    ],
)
def test_a_wrong_settings_file_is_named_in_the_error(tmp_path: Path, content: str, sentence: str):
    file = tmp_path / "wrong.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as refused:
        load(file=file)
    assert str(file) in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_settings_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None):
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"settings file: .* cannot be read: "):
        load(file=file)


def test_a_value_may_lie_in_a_file_that_a_variable_names(tmp_path: Path):
    (tmp_path / "secret").write_text("https://tx.example.org\n")
    held = load(environment={"TERMINOLOGY_BASE_URL_FILE": str(tmp_path / "secret")})
    assert held.base_url == "https://tx.example.org"


def test_a_value_and_a_file_with_the_value_contradict_each_other():
    both = {"TERMINOLOGY_PORT": "1", "TERMINOLOGY_PORT_FILE": "/port"}
    with pytest.raises(SettingsError, match="TERMINOLOGY_PORT and TERMINOLOGY_PORT_FILE are both set"):
        load(environment=both)


def test_the_variables_of_a_kubernetes_service_called_terminology_are_no_settings():
    links = {
        "TERMINOLOGY_PORT": "tcp://10.0.0.1:8080",
        "TERMINOLOGY_SERVICE_HOST": "10.0.0.1",
        "TERMINOLOGY_SERVICE_PORT": "8080",
        "TERMINOLOGY_SERVICE_PORT_HTTP": "8080",
        "TERMINOLOGY_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "TERMINOLOGY_PORT_8080_TCP_ADDR": "10.0.0.1",
    }
    assert load(environment=links) == Settings()


def test_another_process_resolves_the_same_values_from_the_environment(file: Path):
    secret = file.with_name("secret")
    secret.write_text("7")
    stated = {
        "url_prefix": "/",
        "content": ["a,b", "c"],
        "shadow_check": True,
        "base_url": None,
        "installed_content": False,
        "host": "::1",
    }
    environment = {
        "TERMINOLOGY_BASE_URL": "https://x.org",
        "TERMINOLOGY_HOST_FILE": str(secret),
        "TERMINOLOGY_LOG_LEVEL": "debug",
        "TERMINOLOGY_BATCH_LIMIT_FILE": str(secret),
    }
    found = resolve(stated=stated, environment=environment, file=file)
    hand_down(found, environment)
    assert environment["TERMINOLOGY_BATCH_LIMIT_FILE"] == str(secret)
    assert "TERMINOLOGY_BATCH_LIMIT" not in environment
    again = load(environment=environment)
    assert dataclasses.asdict(again) == {each.setting.name: each.value for each in found}


def test_a_secret_is_shown_masked_and_never_in_an_error():
    secret = dataclasses.replace(settings.BY_NAME["port"], name="token", secret=True)
    assert Stated(secret, "hush", "keyword").shown == "********"
    with pytest.raises(SettingsError) as refused:
        settings.read(secret, "hush", "keyword token")
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
def test_every_setting_is_documented_and_its_default_is_valid(setting):
    assert setting.summary.endswith(".")
    assert settings.read(setting, setting.default, "default") == setting.default
