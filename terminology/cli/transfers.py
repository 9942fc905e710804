"""State as a whole: ``terminology backup``, ``terminology restore`` and ``terminology pull``."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from terminology import __version__, output
from terminology.backup.making import Places, Progress, make
from terminology.backup.manifest import STATE, STORE, Manifest
from terminology.backup.restoring import restore as put_back
from terminology.cli import options
from terminology.cli.errors import RIGHT, Command
from terminology.cli.importing import DATA_DIR, Display, library, refusals, told
from terminology.importing.fhir import KINDS
from terminology.issues import Invalid, NotSupported, issue
from terminology.model import FhirVersion
from terminology.settings import BY_NAME

LINE_EVERY = 10.0
COUNT = 100
SQLITE = "sqlite:///"
STATE_SETTINGS = [BY_NAME[name] for name in ("data_dir", "state_path", "store")]
_PAST = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?")


def _backup(*, file: Path, **values: Any) -> int:
    """Copy all state into FILE: loaded content, closure tables and stored resources.

    A running server goes on serving and writing; each part of the copy is one moment. Caches are left out. FILE is
    complete, or it is not there. A resource store in PostgreSQL is refused: copy that with pg_dump.
    """
    printer = options.Printer.of(values)
    display, places = _Bytes(printer, "copied"), _places(values)
    made = make(file, places, __version__, Progress(display.show))
    _summary(printer, file, made, "backed up")
    for name, live in places.databases.items():
        if name not in made.by_name and live != places.library.folder / STORE:
            printer.note(f"note: there is no {live}, so it is not in the backup")
    return RIGHT


def _restore(*, file: Path, replace: bool, dry_run: bool, **values: Any) -> int:
    """Put the state in FILE, made by `terminology backup`, in place.

    Everything is verified before anything changes. Killed at any moment, the old state or the new one is there. A
    running server notices within a second; restart one that has a resource store.
    """
    printer = options.Printer.of(values)
    display = _Bytes(printer, "verified")
    found = put_back(file, _places(values), Progress(display.show), replace=replace, dry_run=dry_run)
    _summary(printer, file, found, "verified" if dry_run else "restored")
    if STORE in found.by_name and not dry_run:
        printer.note("note: restart the servers that use the resource store")
    return RIGHT


def _pull(*, url: str, kinds: str, since: str | None, fhir: str | None, header: tuple[str, ...], **values: Any) -> int:
    """Load the terminology of another FHIR server, at URL, into the data_dir folder.

    A pull that was stopped goes on where it was when the same command is run again within a day. Busy servers are
    asked again, as late as they ask for. Nothing is sent to any other server. What cannot be used is listed at the end
    (exit code 1); what the other server deleted stays here.
    """
    from terminology.importing.pull import Telling, Wanted, pull, source_of  # noqa: PLC0415  only a pull needs requests
    from terminology.outgoing import Origin  # noqa: PLC0415

    printer = options.Printer.of(values)
    version: FhirVersion | None = None if fhir is None else ("R5" if fhir == "r5" else "R4")
    wanted = Wanted(_kinds(kinds), _since(since), version, values["count"])
    held, source, display = library(values), source_of(url), Display(printer)

    def page(kind: str, pages: int, resources: int) -> None:
        printer.note(f"{kind}: {pages} pages, {resources:,} resources fetched now")

    try:
        with Origin(url, _headers(header), say=printer.note) as origin:
            telling = Telling(page, display.show)
            how = {"dry_run": values["dry_run"], "anew": values["anew"]}
            report = pull(origin, wanted, held, source, telling=telling, **how)
    finally:
        display.end()
        refusals(source, printer)
    return told(report, source, printer, dry_run=values["dry_run"])


# --- what is asked for ----------------------------------------------------------------------------------------


def _places(values: Mapping[str, Any]) -> Places:
    """Where the state is; raises NotSupported for a store that is no file."""
    found = {each.setting.name: each.value for each in options.resolved(values)}
    held = library(values)
    state = Path(found["state_path"]).expanduser() if found["state_path"] else None
    store = held.folder / STORE
    if found["store"]:
        if not found["store"].startswith(SQLITE):
            raise NotSupported(issue("OWN_BACKUP_POSTGRESQL", BY_NAME["store"].flag, BY_NAME["store"].variable))
        store = Path(found["store"].removeprefix(SQLITE).partition("?")[0])
    return Places(held, state, store)


def _kinds(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if wrong := [name for name in found if name not in KINDS]:
        raise Invalid(issue("OWN_IMPORT_OPTION", "--type", wrong[0], ", ".join(KINDS)))
    return found or KINDS


def _since(text: str | None) -> str | None:
    if text is not None and not _PAST.fullmatch(text):
        raise Invalid(issue("OWN_IMPORT_OPTION", "--since", text, "a date such as 2026-01-31, or 2026-01-31T08:00:00Z"))
    return text


def _headers(stated: tuple[str, ...]) -> dict[str, str]:
    """Messages about a header name it, and never say its value."""
    found: dict[str, str] = {}
    for text in stated:
        for line in _lines(text):
            name, colon, value = line.partition(":")
            if not colon:
                raise Invalid(issue("OWN_PULL_HEADER", f"number {len(found) + 1}", "it has no colon"))
            found[name.strip()] = value.strip()
    return found


def _lines(text: str) -> list[str]:
    if not text.startswith("@"):
        return [text]
    try:
        lines = Path(text[1:]).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as failed:
        why = failed.strerror if isinstance(failed, OSError) else "it is not UTF-8"
        raise Invalid(issue("OWN_PULL_HEADER", f"file {text[1:]}", why)) from failed
    return [line for line in lines if line.strip()]


# --- what is told ---------------------------------------------------------------------------------------------


def _summary(printer: options.Printer, file: Path, held: Manifest, result: str) -> None:
    parts = {"library": [0, 0], STATE: [0, 0], STORE: [0, 0]}
    for piece in held.pieces:
        part = parts[piece.name.partition("/")[0]]
        part[0] += 1
        part[1] += piece.size
    rows = [{"part": name, "files": files, "bytes": size} for name, (files, size) in parts.items() if files]
    if printer.as_json:
        printer.json({"file": str(file), "made": held.made, "program": held.program, "result": result, "parts": rows})
    else:
        shown = ({key: output.shown(value) for key, value in (row | {"result": result}).items()} for row in rows)
        printer.tables([output.table(shown, f"{file} of {held.made}")])


class _Bytes:
    """How many bytes went through, on standard error: a line that is rewritten on a terminal, else now and then."""

    def __init__(self, printer: options.Printer, word: str) -> None:
        self._quiet, self._word = printer.quiet, word
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def show(self, progress: Progress) -> None:
        now, done = time.monotonic(), progress.done >= progress.total
        due = now - self._last >= (0.1 if self._terminal else LINE_EVERY)
        if self._quiet or not (due or (done and self._terminal)):
            return
        self._last = now
        said = f"{min(progress.done / max(progress.total, 1), 1):.0%} {self._word}, of {progress.total:,} bytes"
        if self._terminal:
            click.echo(f"\r\x1b[K{'' if done else said}", err=True, nl=False)
        else:
            click.echo(said, err=True)


# --- commands -------------------------------------------------------------------------------------------------


def _file(*, exists: bool) -> click.Argument:
    return click.Argument(["file"], type=click.Path(exists=exists, dir_okay=False, path_type=Path), metavar="FILE")


def commands() -> dict[str, click.Command]:
    """The commands by name."""
    shared = [*options.of_settings(STATE_SETTINGS), *options.of_output()]
    replace = click.Option(["--replace"], is_flag=True, help="Put the backup in the place of what is there.")
    verify = click.Option(["--dry-run"], is_flag=True, help="Verify everything, change nothing.")
    made = (
        Command("backup", callback=_backup, params=[_file(exists=False), *shared], help=_backup.__doc__),
        Command("restore", callback=_restore, params=[_file(exists=True), replace, verify, *shared],
                help=_restore.__doc__),
        Command("pull", callback=_pull, params=_of_pull(), help=_pull.__doc__),
    )  # fmt: skip
    return {str(each.name): each for each in made}


def _of_pull() -> list[click.Parameter]:
    return [
        click.Argument(["url"], metavar="URL"),
        click.Option(["--type", "kinds"], default=",".join(KINDS), show_default=True, metavar="TYPES",
                     help="Resource types, with commas between them."),
        click.Option(["--since"], metavar="DATE", help="Only what changed since then, where the server knows that."),
        click.Option(["--fhir"], type=click.Choice(["r4", "r5"], case_sensitive=False),
                     help="The FHIR version of the server; without it what its metadata says."),
        click.Option(["--header"], multiple=True, metavar="TEXT",
                     help="'Name: value' to send along, or @FILE with such lines, which other users of the machine "
                     "do not see. May be repeated."),
        click.Option(["--count"], type=click.IntRange(1, 1000), default=COUNT, show_default=True,
                     help="Resources on a page."),
        click.Option(["--anew"], is_flag=True, help="Start again, whatever a stopped pull has fetched."),
        click.Option(["--dry-run"], is_flag=True, help="Fetch, read and check everything, change nothing."),
        *options.of_settings([DATA_DIR]),
        *options.of_output(),
    ]  # fmt: skip
