"""``terminology validate``: files of coded records in, a summary and reports out."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any, Literal

import click

from terminology import __version__, dates
from terminology.bulk import columns, sources
from terminology.bulk.asked import FromSettings
from terminology.bulk.duck import Resources
from terminology.bulk.formats import AT_END, STREAMED, Stream
from terminology.bulk.report import Provenance, Report
from terminology.bulk.run import Plan, Run
from terminology.bulk.tables import Columns
from terminology.cli import options
from terminology.cli.errors import CANNOT, FINDINGS, RIGHT, Command
from terminology.cli.following import Following
from terminology.issues import NotFound, issue
from terminology.model import FhirVersion
from terminology.settings import TABLE, Settings

if TYPE_CHECKING:
    from terminology.service import State

FORMATS = ("table", *AT_END, *STREAMED)
STOPPED = 130
"""The exit code of a run that Ctrl-C or SIGTERM ended: 128 and the number of the signal, as shells have it."""

_BY_SUFFIX = {
    ".csv": "csv",
    ".htm": "html",
    ".html": "html",
    ".json": "json",
    ".jsonl": "ndjson",
    ".ndjson": "ndjson",
    ".sarif": "sarif",
    ".xml": "junit",
}
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_MEMORY = re.compile(r"\d{1,9}(\.\d+)? ?([KMGT]i?)?B", re.IGNORECASE)
_Kind = Literal["value_set", "system"]
_NAMED: tuple[_Kind, ...] = ("value_set", "system")
_SEVERITIES = ("error", "warning", "information")


def _validate(paths: tuple[str, ...], **values: Any) -> int:
    """Judge coded records: is each code right on its day, and do the codes go together.

    PATH is a file, a folder, or - for standard input. Files hold FHIR resources (NDJSON, or JSON: a resource, a
    Bundle, a list) or a table (CSV, TSV, Parquet; needs the extra `bulk`); any of them may be packed with gzip. Of a
    table the columns system, code, version, display and date are read; --columns names others.

    \b
    terminology validate claims/ --report html=report.html --report junit=report.xml
    terminology validate codes.parquet --columns code=proc_cd,date=svc_dt --system cpt
    zcat procedures.ndjson.gz | terminology validate - --format ndjson

    Exit codes: 0 clean; 1 findings (wrongly coded, cannot be judged, or --fail-on); 2 the command is wrong, a file
    could not be read, or there was nothing to judge; 130 stopped by Ctrl-C, the reports say that they are partial.
    """
    fhir: FhirVersion = "R5" if values["fhir"] == "r5" else "R4"
    settings = {each.setting.name: each.value for each in options.resolved(values)}
    value_set, system = (_canonical(kind, values, settings, fhir) for kind in _NAMED)
    maker = FromSettings(settings, fhir, value_set, _profile(values, fhir), _date(values["date"]), _state)
    found = list(sources.sources(paths, values["input"]))
    if not found:
        raise NotFound(issue("OWN_INPUT_NOTHING", ", ".join(paths)))
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    made = Provenance(_command(), __version__, begun, fhir, value_set, values["date"], maker.profile)
    plan = Plan(values["jobs"], values["limit"], _columns(system, values), _resources(values))
    report = _judged(Run(maker, plan), found, made, values)
    return _code(report, values)


def _judged(run: Run, found: Sequence[sources.Source], made: Provenance, values: Mapping[str, Any]) -> Report:
    """Runs, and writes what was asked for."""
    quiet = bool(values["quiet"])
    with ExitStack() as stack:
        wanted = _wanted(values)
        files = [(name, stack.enter_context(_written(file)) if file else sys.stdout) for name, file in wanted]
        streams: list[Stream] = [STREAMED[name](file) for name, file in files if name in STREAMED]
        run.sinks = streams
        stack.enter_context(_stopped_by_signals(run.stop, quiet))
        run.progress = stack.enter_context(Following(quiet=quiet, colour=_colour(sys.stderr, values))).show
        run.meanwhile = _summary if values["format_"] == "table" else run.meanwhile
        report = run.report(found, made)
        for stream in streams:
            stream.end(report)
        for name, file in files:
            if name in AT_END:
                file.write(AT_END[name](report))
    if values["format_"] == "table":
        _summary().print_summary(report, colour=_colour(sys.stdout, values))
    if not quiet:
        for name, path in wanted:
            if path:
                click.echo(f"{name}: {path}", err=True)
    return report


def _summary() -> ModuleType:
    from terminology.cli import summary  # noqa: PLC0415  rich takes time, and is not needed before

    return summary


def _code(report: Report, values: Mapping[str, Any]) -> int:
    if report.partial:
        return STOPPED
    if report.failed:
        return CANNOT
    bad = report.verdicts.get("wrong") or (report.verdicts.get("unjudged") and not values["allow_unjudged"])
    found = bad or report.reaches(values["fail_on"])
    return FINDINGS if found and not values["exit_zero"] else RIGHT


# --- what was asked ----------------------------------------------------------------------------------------------


def _wanted(values: Mapping[str, Any]) -> list[tuple[str, Path | None]]:
    """Format and file of each report; None is standard output."""
    found: list[tuple[str, Path | None]] = []
    for text in values["report"]:
        name, equals, file = text.partition("=")
        if not equals:
            name, file = _BY_SUFFIX.get(Path(text).suffix.lower(), ""), text
        if name not in FORMATS[1:] or not file:
            raise click.UsageError(f"--report: write FORMAT=FILE, where FORMAT is one of {', '.join(FORMATS[1:])}")
        found.append((name, Path(file)))
    if values["format_"] != "table":
        found.append((values["format_"], None))
    return found


@contextmanager
def _written(path: Path) -> Iterator[IO[str]]:
    try:
        file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as wrong:
        raise click.UsageError(f"{path} cannot be written: {wrong.strerror}") from None
    with file:
        yield file


def _state(settings: Settings) -> State:
    """Imported when it is needed: a table is read meanwhile."""
    from terminology.cli import service  # noqa: PLC0415

    return service.checked(settings)


def _canonical(kind: _Kind, values: Mapping[str, Any], settings: Mapping[str, Any], fhir: FhirVersion) -> str | None:
    """What an option names; only that needs the content before anything is read."""
    if (text := values[kind]) is None:
        return None
    from terminology.cli import names  # noqa: PLC0415

    find = {"value_set": names.value_set, "system": names.code_system}[kind]
    found = find(_state(Settings(**settings)).catalog(fhir), text)
    if found.canonical is None:
        hint = "".join(f"\n  {each}" for each in found.candidates)
        option = "--" + kind.replace("_", "-")
        raise click.UsageError(
            f"{option}: nothing here is called '{text}'." + (f" Did you mean:{hint}" if hint else "")
        )
    return str(found.canonical)


def _profile(values: Mapping[str, Any], fhir: FhirVersion) -> str | None:
    if values["profile"] is None:
        return None
    from terminology.procedures import profiles  # noqa: PLC0415

    return str(profiles.named(values["profile"], fhir))


def _date(text: str | None) -> str | None:
    if text is not None and not (_DATE.fullmatch(text) and dates.known(text)):
        raise click.UsageError(f"--date: '{text}' is no date. Write YYYY-MM-DD")
    return text


def _memory(_: click.Context, __: click.Parameter, text: str) -> str:
    if not _MEMORY.fullmatch(text):
        raise click.BadParameter(f"'{text}' is no size. Write 500MB or 2GB")
    return text


def _columns(system: str | None, values: Mapping[str, Any]) -> Columns:
    constant: dict[str, str] = {}
    if system:
        constant["system"], _, version = system.partition("|")
        constant |= {"version": version} if version else {}
    if values["date"]:
        constant["date"] = values["date"]
    return Columns(columns.stated(values["columns"]) if values["columns"] else {}, constant)


def _resources(values: Mapping[str, Any]) -> Resources:
    return Resources(values["jobs"], values["memory"], values["temp_dir"])


def _command() -> str:
    return shlex.join(["terminology", *sys.argv[1:]])


def _colour(stream: IO[str], values: Mapping[str, Any]) -> bool:
    return stream.isatty() and not values["no_color"] and not os.environ.get("NO_COLOR")


# --- stopping -----------------------------------------------------------------------------------------------------


@contextmanager
def _stopped_by_signals(stop: threading.Event, quiet: bool) -> Iterator[None]:
    """Ctrl-C and SIGTERM let the run end with a partial report; the second Ctrl-C ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_: int, __: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        if not quiet:
            click.echo("stopping; the reports will be partial. Ctrl-C again ends at once", err=True)

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


# --- the command ----------------------------------------------------------------------------------------------------


def _options() -> list[click.Parameter]:
    folder = click.Path(exists=True, file_okay=False, writable=True, path_type=Path)
    return [
        click.Argument(["paths"], nargs=-1, required=True, metavar="PATH..."),
        click.Option(["--input"], type=click.Choice(sources.KINDS), help="What the files hold, whatever their names."),
        click.Option(["--fhir"], type=click.Choice(["r4", "r5"], case_sensitive=False), default="r4", show_default=True,
                     help="FHIR version of the resources and of the content."),
        click.Option(["--value-set"], metavar="NAME",
                     help="The main code must be in this value set: url, name, id or the last part of the url."),
        click.Option(["--profile"], metavar="URL",
                     help="Hold the resources of its type to this profile too, as url or url|version."),
        click.Option(["--date"], metavar="DATE", help="Judge on this day, whatever day a record states."),
        click.Option(["--columns"], metavar="FIELD=NAME,…",
                     help="Columns of a table: system, code, version, display, date."),
        click.Option(["--system"], metavar="NAME", help="Code system of all rows, as NAME or NAME|VERSION."),
        click.Option(["--format", "format_"], type=click.Choice(FORMATS), default="table", show_default=True,
                     help="What is printed on standard output."),
        click.Option(["--report"], multiple=True, metavar="FORMAT=FILE", help="Write a report too. May be repeated."),
        click.Option(["--limit"], type=click.IntRange(min=0), metavar="NUMBER",
                     help="Most findings in csv and ndjson; all are counted. [default: no limit]"),
        click.Option(["--fail-on"], type=click.Choice(_SEVERITIES), default="error", show_default=True,
                     help="The least severity that makes the exit code 1."),
        click.Option(["--allow-unjudged"], is_flag=True, help="What cannot be judged does not make the exit code 1."),
        click.Option(["--exit-zero"], is_flag=True, help="Exit code 0 whatever was found."),
        click.Option(["--jobs"], type=click.IntRange(min=1), default=os.cpu_count() or 1, metavar="NUMBER",
                     help="Processes for resources, threads for tables. [default: the number of processors]"),
        click.Option(["--memory"], default="2GB", show_default=True, metavar="SIZE", callback=_memory,
                     help="Memory for tables; what is over it is kept in files."),
        click.Option(["--temp-dir"], type=folder, metavar="FOLDER", help="Where these files are made."),
        click.Option(["--quiet", "-q"], is_flag=True, help="Nothing on standard error but errors."),
        click.Option(["--no-color"], is_flag=True, help="No colour; also where NO_COLOR is set."),
        *options.of_settings(row for row in TABLE if row.group == "Content"),
    ]  # fmt: skip


def command() -> click.Command:
    return Command(name="validate", callback=_validate, params=_options(), help=_validate.__doc__)
