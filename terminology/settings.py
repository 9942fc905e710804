"""The settings: one table that names, types, documents, reads and checks them.

The fields of ``Settings`` are the table; flags of the command line, environment variables, their checks and
``docs/settings.md`` follow from it. The first source that states a setting wins:

    stated (a flag, a keyword) > environment > Flask config > file (TOML) > default

The environment says ``TERMINOLOGY_PAGE_LIMIT``, or ``TERMINOLOGY_PAGE_LIMIT_FILE`` with the path of a file
that holds the value (for secrets); Flask's config says ``TERMINOLOGY_PAGE_LIMIT``; the settings file, named
by ``--settings`` or ``TERMINOLOGY_SETTINGS``, says ``page_limit``. An unknown name is an error.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import field, fields
from pathlib import Path
from typing import Any

from terminology.frozen import dataclass
from terminology.model import CANONICAL_BASE

PREFIX = "TERMINOLOGY_"
FILE_VARIABLE = f"{PREFIX}SETTINGS"
MASK = "********"
_LINK = re.compile(r"(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_\w+)?")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class SettingsError(Exception):
    """A setting is unknown or wrong; the sentence says where it stands and what to write instead."""


class CannotServeError(Exception):
    """The server cannot start; the sentence says why and what helps."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table; ``kind`` is how ``Settings`` annotates it."""

    name: str
    kind: str
    default: Any
    group: str
    summary: str
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    check: Callable[[str], str] | None = None
    secret: bool = False

    @property
    def variable(self) -> str:
        """Its name in the environment and in Flask's config."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def repeats(self) -> bool:
        return self.kind == "tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Stated:
    """The value of a setting and where it was stated (``default`` where it was not)."""

    setting: Setting
    value: Any
    origin: str

    @property
    def shown(self) -> Any:
        """The value, masked if it is a secret that somebody set."""
        return MASK if self.setting.secret and self.value else self.value


def _row(default: Any, group: str, summary: str, **rules: Any) -> Any:
    return field(default=default, metadata={"group": group, "summary": summary, **rules})


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text):
        raise ValueError("an http or https address such as https://tx.example.org/fhir")
    return text.rstrip("/")


def _database(text: str) -> str:
    if not re.match(r"(sqlite:///|postgres(ql)?(\+psycopg)?://).", text):
        raise ValueError("a database url: sqlite:////path/to/file or postgresql://user@host/name")
    return text


def _path_prefix(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*/?", text) or not text:
        raise ValueError("a path such as /fhir, or / for the root")
    return text.rstrip("/")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one service. Made by ``load``; the defaults alone are a valid service."""

    host: str = _row("127.0.0.1", "Server", "Address to listen on; 0.0.0.0 for every network interface.")
    port: int = _row(8080, "Server", "Port to listen on.", minimum=1, maximum=65535)
    workers: int = _row(2, "Server", "Processes that answer requests.", minimum=1, maximum=256)
    threads: int = _row(
        8,
        "Server",
        "Threads in each worker. One serves; the others stand in for what is held up.",
        minimum=1,
        maximum=512,
    )
    url_prefix: str = _row("/fhir", "Server", "Path under which everything lies.", check=_path_prefix)
    base_url: str | None = _row(
        None,
        "Server",
        "Address of the service as clients see it, where a proxy hides it; without it, that of each request.",
        check=_web_address,
    )
    log_level: str = _row(
        "info", "Server", "How much is logged.", choices=("critical", "error", "warning", "info", "debug")
    )
    access_log: bool = _row(False, "Server", "Log a line for each request; errors are logged in any case.")
    metrics_port: int = _row(
        0,
        "Server",
        "Port on 127.0.0.1, of this machine alone, where /metrics shows figures for Prometheus; 0 for none.",
        minimum=0,
        maximum=65535,
    )
    response_cache: int = _row(
        8_388_608,
        "Server",
        "Most bytes of answers to GET that each worker keeps until the content changes; 0 keeps none.",
        minimum=0,
    )
    cache_before_hooks: bool = _row(
        False,
        "Server",
        "In another app: give kept answers, and compress, before the hooks of that app see a request (it is then not "
        "asked who may see them).",
    )
    compress_from: int = _row(
        1024, "Server", "Bytes from which an answer is compressed for who takes gzip; 0: none is.", minimum=0
    )
    state_path: str | None = _row(
        None,
        "Server",
        "File for what outlives a request (caches, closure tables), the same for all processes; without it a private "
        "one that ends with the server.",
    )
    content: tuple[str, ...] = _row(
        (), "Content", "Further files, or folders of files, with FHIR JSON resources to publish at start."
    )
    installed_content: bool = _row(
        True, "Content", "Publish the content of installed packages (entry points), our own included."
    )
    core_content: bool = _row(
        True, "Content", "Publish the code systems and value sets of FHIR itself, in the version of each endpoint."
    )
    data_dir: str | None = _row(
        None,
        "Content",
        "Folder of loaded content (`terminology import`); a running server notices within a second when it changes.",
    )
    store: str | None = _row(
        None,
        "Content",
        "Database of resources that clients create: sqlite:////path/to/file or postgresql://user@host/name; without it "
        "store.sqlite in data_dir, where there is one.",
        check=_database,
        secret=True,
    )
    allow_writes: bool = _row(
        False,
        "Content",
        "Let clients on this machine create, change and delete resources; only where the server listens on loopback.",
    )
    default_supplements: tuple[str, ...] = _row(
        (f"{CANONICAL_BASE}/CodeSystem/cpt-bone-marrow-harvest-facts",),
        "Content",
        "Code system supplements that apply unasked, by canonical; not to systems that a request brings.",
    )
    date_basis: tuple[str, ...] = _row(
        (),
        "Content",
        "Which day decides for a code system when records are judged: url|service, url|admission or url|discharge.",
    )
    expansion_limit: int = _row(1000, "Limits", "Most codes of an expansion that is not paged.", minimum=1)
    page_limit: int = _row(10_000, "Limits", "Most codes on one page of an expansion.", minimum=1)
    body_limit: int = _row(4_194_304, "Limits", "Most bytes of a request body.", minimum=1024)
    batch_limit: int = _row(500, "Limits", "Most entries of a batch.", minimum=1)
    resource_limit: int = _row(100, "Limits", "Most resources (tx-resource) in one request.", minimum=0)
    search_count: int = _row(50, "Limits", "Resources on a page of search results without _count.", minimum=1)
    search_limit: int = _row(200, "Limits", "Most resources on a page of search results.", minimum=1)
    cache_control: bool = _row(True, "Limits", "Keep caches of request resources ($cache-control, cache-id).")
    cache_limit: int = _row(200, "Limits", "Most caches of request resources that are kept.", minimum=1)
    cache_bytes: int = _row(268_435_456, "Limits", "Most bytes of all caches of request resources.", minimum=1)
    cache_size: int = _row(16_777_216, "Limits", "Most bytes of one cache of request resources.", minimum=1)
    cache_idle: int = _row(3600, "Limits", "Seconds until an unused cache of request resources ends.", minimum=1)
    closure_tables: int = _row(100, "Limits", "Most closure tables ($closure) of one client.", minimum=0)
    closure_limit: int = _row(10_000, "Limits", "Most concepts of a closure table.", minimum=1)
    bulk: bool = _row(
        False,
        "Bulk",
        "Let clients send many coded records to be judged ($validate-bulk). They are patients' data, which the store "
        "holds until they are judged.",
    )
    bulk_records: int = _row(100_000, "Bulk", "Most records of one job.", minimum=1)
    bulk_bytes: int = _row(67_108_864, "Bulk", "Most bytes of the records of one job, uncompressed.", minimum=1024)
    bulk_jobs: int = _row(20, "Bulk", "Most jobs of one client, finished ones that it has not deleted too.", minimum=1)
    bulk_kept: int = _row(86_400, "Bulk", "Seconds until the results of a job are removed.", minimum=1)
    bulk_lease: int = _row(
        30, "Bulk", "Seconds without a sign of life after which another worker goes on with a job.", minimum=1
    )
    shadow_check: bool = _row(
        False,
        "Checks",
        "Read every answer with fhir.resources before it is sent, and log what is wrong (slow).",
    )

    @classmethod
    def load(
        cls,
        *,
        stated: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        file: Path | None = None,
    ) -> Settings:
        """The settings after all sources; ``environment`` defaults to the process's. Raises SettingsError."""
        found = resolve(stated=stated, config=config, environment=environment, file=file)
        return cls(**{each.setting.name: each.value for each in found})


TABLE: tuple[Setting, ...] = tuple(
    Setting(name=row.name, kind=str(row.type), default=row.default, **row.metadata) for row in fields(Settings)
)
"""All settings, in the order in which they are documented."""

BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in TABLE}
_BY_VARIABLE = {setting.variable: setting for setting in TABLE}


def resolve(
    *,
    stated: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[Stated, ...]:
    """Every setting with its value and origin, in the order of the table; raises SettingsError."""
    surroundings = os.environ if environment is None else environment
    named = file or _path(surroundings.get(FILE_VARIABLE) or (config or {}).get(FILE_VARIABLE))
    sources = (
        _from_names("keyword", stated or {}),
        _from_environment(surroundings),
        _from_config(config or {}),
        _from_file(named) if named else {},
    )
    chosen = {}
    for source in reversed(sources):
        chosen.update(source)
    return tuple(chosen.get(setting.name, Stated(setting, setting.default, "default")) for setting in TABLE)


def hand_down(found: tuple[Stated, ...], environment: MutableMapping[str, str]) -> None:
    """Sets the variables with which another process resolves the same values; a secret in a file stays there."""
    for each in found:
        variable = each.setting.variable
        if each.origin not in ("default", variable, f"{variable}_FILE"):
            environment.pop(f"{variable}_FILE", None)
            environment[variable] = _as_text(each.value)


# --- sources -----------------------------------------------------------------------------------------------


def _from_names(origin: str, values: Mapping[str, Any]) -> dict[str, Stated]:
    return {
        name: Stated(setting, read(setting, value, f"{origin} {name}"), origin)
        for name, value in values.items()
        for setting in (_known(name, BY_NAME, origin),)
    }


def _from_config(config: Mapping[str, Any]) -> dict[str, Stated]:
    found = {}
    for key, value in config.items():
        if key.startswith(PREFIX) and key != FILE_VARIABLE:
            setting = _known(key, _BY_VARIABLE, "Flask config")
            typed = read(setting, value, f"Flask config {key}")
            found[setting.name] = Stated(setting, typed, "Flask config")
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[str, Stated]:
    found = {}
    for variable, text in _ours(environment):
        bare = variable.removesuffix("_FILE")
        setting = _known(bare if bare in _BY_VARIABLE else variable, _BY_VARIABLE, "environment")
        if bare != variable and bare in environment:
            raise SettingsError(f"environment: {bare} and {variable} are both set. Leave one out")
        written = text if bare == variable else _content_of(Path(text), variable)
        value = read(setting, written, f"environment variable {variable}")
        found[setting.name] = Stated(setting, value, variable)
    return found


def _ours(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Variables with our prefix, without those Kubernetes sets where a service is called ``terminology``:
    https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables."""
    for variable, text in environment.items():
        name = variable.removeprefix(PREFIX)
        linked = _LINK.fullmatch(name) or (name == "PORT" and "://" in text)
        if variable not in (name, FILE_VARIABLE) and not linked:
            yield variable, text


def _from_file(file: Path) -> dict[str, Stated]:
    import tomllib  # noqa: PLC0415  most services have no settings file

    try:
        values = tomllib.loads(_content_of(file, "settings file"))
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(f"{file}: not TOML: {wrong}. Write lines such as: port = 8080") from None
    return _from_names(str(file), values)


def _content_of(file: Path, what: str) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else "not UTF-8"
        raise SettingsError(f"{what}: {file} cannot be read: {reason}") from None


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _known(name: str, table: Mapping[str, Setting], where: str) -> Setting:
    if setting := table.get(name):
        return setting
    import difflib  # noqa: PLC0415  only for the error

    near = difflib.get_close_matches(name, table, 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else "`terminology config show` lists all settings"
    raise SettingsError(f"{where}: there is no setting {name}. {hint}")


# --- values ------------------------------------------------------------------------------------------------


def read(setting: Setting, raw: Any, where: str) -> Any:
    """The typed value of what was written; raises SettingsError that says what to write."""
    try:
        return _READERS[setting.kind](setting, raw)
    except ValueError as wanted:
        shown = MASK if setting.secret else repr(raw)
        raise SettingsError(f"{where}: {shown} is wrong. Write {wanted}") from None


def _text(setting: Setting, raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError(" or ".join(setting.choices) or "a text")
    text = raw.strip()
    if setting.choices:
        if text.lower() not in setting.choices:
            raise ValueError(f"one of {', '.join(setting.choices)}")
        return text.lower()
    return setting.check(text) if setting.check else text


def _optional(setting: Setting, raw: Any) -> str | None:
    return None if raw is None or raw == "" else _text(setting, raw)


def _number(setting: Setting, raw: Any) -> int:
    low, high = setting.minimum, setting.maximum
    number = int(raw) if isinstance(raw, str) and re.fullmatch(r"\s*[+-]?\d{1,18}\s*", raw) else raw
    whole = isinstance(number, int) and not isinstance(number, bool)
    if not whole or (low is not None and number < low) or (high is not None and number > high):
        bounds = (("from", low), ("to", high))
        limits = [f" {word} {limit}" for word, limit in bounds if limit is not None]
        raise ValueError("a whole number" + "".join(limits))
    return int(number)


def _boolean(_: Setting, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.strip().lower() in _TRUE + _FALSE:
        return raw.strip().lower() in _TRUE
    raise ValueError("true or false")


def _list(_: Setting, raw: Any) -> tuple[str, ...]:
    wanted = 'a list: a,b or ["a", "b"]'
    if isinstance(raw, os.PathLike):
        raw = [raw]
    if isinstance(raw, str):
        try:
            raw = json.loads(raw) if raw.lstrip().startswith("[") else raw.split(",")
        except json.JSONDecodeError:
            raise ValueError(wanted) from None
    if not isinstance(raw, (list, tuple)) or not all(isinstance(each, (str, os.PathLike)) for each in raw):
        raise ValueError(wanted)
    return tuple(text for each in raw if (text := os.fspath(each).strip()))


_READERS: Mapping[str, Callable[[Setting, Any], Any]] = {
    "str": _text,
    "str | None": _optional,
    "int": _number,
    "bool": _boolean,
    "tuple[str, ...]": _list,
}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value) or "/"
