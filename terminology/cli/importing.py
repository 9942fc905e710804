"""``terminology import FORMAT PATH``: one command for each format, with its options."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from terminology import output
from terminology.cli import options
from terminology.cli.errors import FINDINGS, RIGHT, Command
from terminology.importing import formats
from terminology.importing.format import Format, Option, Source
from terminology.importing.run import Progress, Report, load
from terminology.issues import Invalid, issue
from terminology.settings import BY_NAME, Setting
from terminology.storage.library import Entry, Library

DATA_DIR: Setting = BY_NAME["data_dir"]
LINE_EVERY = 10.0
WIDTH = 24


def library(values: Mapping[str, Any]) -> Library:
    """The folder of loaded content; raises Invalid naming flag and variable where none is said."""
    found = next(each.value for each in options.resolved(values) if each.setting is DATA_DIR)
    if found is None:
        raise Invalid(issue("OWN_DATA_DIR", DATA_DIR.flag, DATA_DIR.variable))
    return Library(Path(found).expanduser())


def commands() -> dict[str, click.Command]:
    """A command for each format."""
    return {name: _command(form) for name, form in formats().items()}


def _command(form: Format) -> Command:
    path = click.Argument(["path"], type=click.Path(exists=True, path_type=Path), metavar="PATH")
    dry = click.Option(["--dry-run"], is_flag=True, help="Read and check everything, change nothing.")
    published = f"\n\nPublisher: {form.publisher}" if form.publisher else ""
    unverified = "\n\nLayout unverified against a real file." if form.verified == "described" else ""
    return Command(
        name=form.name,
        callback=partial(_import, form),
        params=[
            path,
            *(_option(each) for each in form.options),
            dry,
            *options.of_settings([DATA_DIR]),
            *options.of_output(),
        ],
        help=f"Import: {form.summary}.{unverified}{published}",
        short_help=form.summary,
    )


def _option(option: Option) -> click.Option:
    settled: dict[str, Any] = {"help": option.summary, "required": option.required, "multiple": option.repeats}
    names = [f"--{option.name}", _key(option)]
    if option.flag:
        return click.Option(names, is_flag=True, help=option.summary)
    if option.path:
        return click.Option(names, type=click.Path(exists=True, path_type=Path), metavar="PATH", **settled)
    if option.choices:
        return click.Option(names, type=click.Choice(option.choices, case_sensitive=False), **settled)
    if option.default is not None:
        settled |= {"default": option.default, "show_default": True}
    return click.Option(names, metavar="TEXT", **settled)


def _key(option: Option) -> str:
    """A name of its own in the values: ``version`` and others are settings or flags elsewhere."""
    return "of_" + option.name.replace("-", "_")


def _import(form: Format, /, path: Path, *, dry_run: bool, **values: Any) -> int:
    printer = options.Printer.of(values)
    stated = {each.name: values[_key(each)] for each in form.options}
    source = Source(path, form.name, stated)
    display = Display(printer)
    try:
        report = load(form, source, library(values), dry_run=dry_run, show=display.show)
    finally:
        display.end()
        refusals(source, printer)
    return told(report, source, printer, dry_run=dry_run)


# --- what is told ---------------------------------------------------------------------------------------------


def told(report: Report, source: Source, printer: options.Printer, *, dry_run: bool) -> int:
    """Says what an import did; returns the exit code."""
    for note in report.notes:
        printer.note(f"note: {note}")
    if printer.as_json:
        printer.json(_as_json(report, source, dry_run=dry_run))
    else:
        _tell(report, printer, dry_run=dry_run)
    return FINDINGS if report.refused else RIGHT


def refusals(source: Source, printer: options.Printer) -> None:
    """Says what was left out, by reason."""
    held = source.refusals
    for name, number in held.counts.items():
        listed = held.places[name]
        more = f"\n  … and {number - len(listed)} more" if number > len(listed) else ""
        options.error(f"{number} left out, for example\n  " + "\n  ".join(listed) + more)
    if held.total:
        printer.note(f"{held.total} left out in all")


def _tell(report: Report, printer: options.Printer, *, dry_run: bool) -> None:
    done = done_to(report)
    rows = [
        {
            "kind": entry.kind,
            "url": entry.url,
            "version": entry.version,
            "concepts": entry.concepts,
            "bytes": entry.size,
            "result": "dry run" if dry_run else done[entry.key],
        }
        for entry in report.entries
    ]
    if len(rows) > 20:
        rows = summed(rows)
    printer.tables([output.table({key: output.shown(value) for key, value in row.items()} for row in rows)])


def summed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each kind and result, where there are many."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        held = sums.setdefault(
            (row["kind"], row["result"]),
            {"kind": row["kind"], "number": 0, "concepts": 0, "bytes": 0, "result": row["result"]},
        )
        held["number"] += 1
        held["concepts"] += row["concepts"] or 0
        held["bytes"] += row["bytes"]
    return list(sums.values())


def done_to(report: Report) -> dict[tuple[str, str, str | None], str]:
    """By key, what happened to an entry: new, replaced or unchanged."""
    change = report.change
    named = (("new", change.new), ("replaced", change.replaced), ("unchanged", change.unchanged))
    return {entry.key: word for word, entries in named for entry in entries}


def _as_json(report: Report, source: Source, *, dry_run: bool) -> dict[str, Any]:
    done = done_to(report)
    return {
        "dryRun": dry_run,
        "concepts": report.concepts,
        "refused": report.refused,
        "refusals": [
            {"reason": name, "count": number, "places": source.refusals.places[name]}
            for name, number in source.refusals.counts.items()
        ],
        "notes": list(report.notes),
        "loaded": [described(entry) | {"result": done.get(entry.key)} for entry in report.entries],
    }


def described(entry: Entry) -> dict[str, Any]:
    """An entry as ``terminology info`` and ``--json`` show it."""
    return {
        "kind": entry.kind,
        "url": entry.url,
        "version": entry.version,
        "id": entry.id,
        "title": entry.head.get("title") or entry.head.get("name"),
        "content": entry.head.get("content"),
        "concepts": entry.concepts,
        "bytes": entry.size,
        "format": entry.format,
        "source": entry.source,
        "licence": entry.licence or None,
        "refused": entry.refused,
        "loaded": entry.loaded,
        "file": entry.file,
    }


# --- progress -------------------------------------------------------------------------------------------------


class Display:
    """A bar on a terminal, else a line every ten seconds; always on standard error."""

    def __init__(self, printer: options.Printer, clock: Callable[[], float] = time.monotonic) -> None:
        self._quiet = printer.quiet
        self._bar = sys.stderr.isatty() and not printer.quiet
        self._clock = clock
        self._begun = self._last = clock()
        self._drawn = False

    def show(self, progress: Progress) -> None:
        now = self._clock()
        if self._quiet or now - self._last < (0.1 if self._bar else LINE_EVERY):
            return
        self._last = now
        said = self._said(progress, now - self._begun)
        if self._bar:
            click.echo(f"\r\x1b[K{_bar(progress.fraction)}{said}", err=True, nl=False)
            self._drawn = True
        else:
            click.echo(said, err=True)

    def _said(self, progress: Progress, seconds: float) -> str:
        counted = f"{progress.concepts:,} concepts"
        if progress.resources:
            counted += f", {progress.resources:,} resources"
        part = progress.fraction
        left = f", {seconds * (1 - part) / part:.0f} s left" if part and 0.01 < part < 1 else ""
        share = "" if part is None else f", {part:.0%} read" if part < 1 else ", compiling"
        return f"{counted}{share}, {seconds:.0f} s{left}"

    def end(self) -> None:
        if self._drawn:
            click.echo("\r\x1b[K", err=True, nl=False)


def _bar(fraction: float | None) -> str:
    if fraction is None:
        return ""
    filled = round(WIDTH * fraction)
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] "
