"""Options that several commands share: those made from the table of settings, and those about the output."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from terminology import output, settings
from terminology.frozen import dataclass
from terminology.settings import Setting, SettingsError, Stated


def of_settings(rows: Iterable[Setting]) -> list[click.Option]:
    """``--settings`` and a flag for each row; what is not stated stays out of ``stated``."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    named = click.Option(
        ["--settings"], type=file, metavar="FILE", help=f"Settings file (TOML); also {settings.FILE_VARIABLE}."
    )
    return [named, *(_flag(row) for row in rows)]


def _flag(row: Setting) -> click.Option:
    summary = f"{row.summary} [default: {_default(row)}]"
    if row.kind == "bool":
        both = f"{row.flag}/--no-{row.flag[2:]}"
        return click.Option([both], default=None, help=summary)
    if row.repeats:
        return click.Option([row.flag], multiple=True, metavar="TEXT", help=f"{summary} May be repeated.")
    if row.choices:
        return click.Option([row.flag], type=click.Choice(row.choices, case_sensitive=False), help=summary)
    metavar = "NUMBER" if row.kind == "int" else "TEXT"
    return click.Option([row.flag], metavar=metavar, help=summary, callback=_checked(row))


def _checked(row: Setting) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The table of settings checks what was written."""

    def check(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        try:
            return None if value is None else settings.read(row, value, row.flag)
        except SettingsError as wrong:
            raise click.UsageError(str(wrong), ctx) from None

    return check


def _default(row: Setting) -> str:
    if row.default is None or row.default == ():
        return "none"
    if isinstance(row.default, bool):
        return "yes" if row.default else "no"
    return ", ".join(row.default) if row.repeats else str(row.default)


def stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among the values of a command that were stated on the command line."""
    return {name: value for name, value in values.items() if name in settings.BY_NAME and value not in (None, ())}


def resolved(values: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> tuple[Stated, ...]:
    """Every setting, those on the command line first. Raises SettingsError."""
    return settings.resolve(stated=stated(values), config=config, file=values.get("settings"))


# --- output -----------------------------------------------------------------------------------------------


def of_output() -> list[click.Option]:
    """``--format``, ``--json``, ``--quiet`` and ``--no-color``."""
    return [
        click.Option(["--format", "format_"], type=click.Choice(["table", "json"]), default="table",
                     show_default=True, help="How data is printed."),
        click.Option(["--json", "json_"], is_flag=True, help="The same as --format json."),
        click.Option(["--quiet", "-q"], is_flag=True, help="Nothing on standard error but errors."),
        click.Option(["--no-color"], is_flag=True, help="No colour; also where NO_COLOR is set."),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Printer:
    """Where and how a command prints."""

    as_json: bool = False
    quiet: bool = False
    colour: bool = False
    width: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Printer:
        terminal = sys.stdout.isatty()
        colour = terminal and not values.get("no_color") and not os.environ.get("NO_COLOR")
        width = shutil.get_terminal_size().columns if terminal else None
        as_json = bool(values.get("json_")) or values.get("format_") == "json"
        return cls(as_json, bool(values.get("quiet")), colour, width)

    def json(self, value: Any) -> None:
        click.echo(output.as_json(value))

    def tables(self, found: Iterable[output.Table]) -> None:
        if text := output.text(found, width=self.width, colour=self.colour):
            click.echo(text)

    def line(self, text: str, style: str) -> None:
        click.echo(output.styled(text, style) if self.colour else text)

    def note(self, text: str) -> None:
        """Something that is not data."""
        if not self.quiet:
            click.echo(text, err=True)


def error(text: str) -> None:
    """An error, on standard error."""
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    click.echo(f"{output.styled('error:', 'red') if coloured else 'error:'} {text}", err=True, color=coloured)
