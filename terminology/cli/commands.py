"""The group of all commands, and those that are no operation: serve, list, config, and two that print."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Mapping
from functools import cache
from io import TextIOWrapper
from typing import Any

import click
from click.shell_completion import get_completion_class

from terminology import output
from terminology.cli import options
from terminology.cli.errors import CANNOT, RIGHT, Command
from terminology.settings import TABLE

PROGRAM = "terminology"
DISTRIBUTION = "flask-fhir-terminology"
VALIDATE = "validate"
_GARBAGE = 50_000
"""Objects made between two looks for garbage."""


class Group(click.Group):
    """Our commands, and the operations as further ones: these are made when one is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *_verbs()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        return super().get_command(ctx, name) or _verbs().get(name)


class Whole(Group):
    """The commands of ``terminology``: those of ``flask terminology``, and those for loaded content."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*click.Group.list_commands(self, ctx), *_of_files(), *_of_loaded(), *_verbs()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name == VALIDATE:  # begins to read before it imports what the operations are
            return _of_files()[name]
        return super().get_command(ctx, name) or _of_loaded().get(name)


@cache
def _of_loaded() -> Mapping[str, click.Command]:
    from terminology.cli import installing, loaded, transfers  # noqa: PLC0415  only these commands need it

    return {
        "install": installing.command(),
        **loaded.commands(),
        **transfers.commands(),
    }


@cache
def _of_files() -> Mapping[str, click.Command]:
    from terminology.cli import validating  # noqa: PLC0415  only this command needs the bulk engine and rich

    return {VALIDATE: validating.command()}


class Formats(click.Group):
    """``terminology import``: a command for each format, made when one is asked for."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(_formats())

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        return _formats().get(name)


@cache
def _formats() -> Mapping[str, click.Command]:
    from terminology.cli import importing  # noqa: PLC0415  only `import` needs the formats

    return importing.commands()


@cache
def _verbs() -> Mapping[str, click.Command]:
    from terminology.cli import verbs  # noqa: PLC0415  `serve` and `completion` need no operation

    return {name: verbs.command(verb) for name, verb in verbs.verbs().items()}


# --- commands ---------------------------------------------------------------------------------------------


def _serve(**values: Any) -> int:
    """Serve FHIR R4 and R5 over HTTP.

    Starts Granian with the installed content and prints the address on standard error. SIGTERM and Ctrl+C end
    it after the requests under way.
    """
    from terminology import serving  # noqa: PLC0415  only this command needs it

    serving.serve(options.resolved(values), lambda line: click.echo(line, err=True))
    return RIGHT


@click.pass_context
def _list(ctx: click.Context, /, kind: str | None, fhir: str, **values: Any) -> int:
    """List what is published: code systems, value sets, concept maps and supplements; or what was loaded.

    With --json a list of objects with the columns as keys.
    """
    from terminology.cli import importing, inventory, loaded, service  # noqa: PLC0415  only this command needs it

    if kind == LOADED:
        _show({kind: list(loaded.rows(importing.library(values)))}, options.Printer.of(values))
        return RIGHT
    catalog = service.state(ctx, values).catalog("R4" if fhir == "r4" else "R5")
    found = {name: list(inventory.rows(catalog, name)) for name in ((kind,) if kind else KINDS)}
    _show(found, options.Printer.of(values))
    return RIGHT


def _show(found: Mapping[str, list[dict[str, Any]]], printer: options.Printer) -> None:
    if printer.as_json:
        printer.json([{"kind": name.removesuffix("s"), **row} for name, rows in found.items() for row in rows])
    else:
        printer.tables(
            output.table(({key: output.shown(value) for key, value in row.items()} for row in rows), name)
            for name, rows in found.items()
            if rows
        )


@click.pass_context
def _config_show(ctx: click.Context, /, **values: Any) -> int:
    """Show every setting, its value and where it was stated. Secrets are masked."""
    from terminology.cli import service  # noqa: PLC0415  only this command needs it

    found = service.settings_of(ctx, values)
    printer = options.Printer.of(values)
    if printer.as_json:
        printer.json({each.setting.name: {"value": each.shown, "origin": each.origin} for each in found})
    else:
        rows = (
            {"setting": each.setting.name, "value": output.shown(each.shown) or "-", "origin": each.origin}
            for each in found
        )
        printer.tables([output.table(rows)])
    return RIGHT


def _validator_settings(url: str) -> int:
    """Print the fhir-settings.json with which HL7's validator talks to a server at URL.

    From 6.10.0 on the validator refuses http and private addresses unless a settings file allows them; 6.10.0
    itself does not read that file. Save the output and name it:

    \b
    java -jar validator_cli.jar ... -tx URL -fhir-settings FILE
    """
    server = {
        "url": url,
        "type": "fhir",
        "authenticationType": "none",
        "allowHttp": True,
        "allowPrivateNetwork": True,
    }
    click.echo(output.as_json({"servers": [server]}))
    return RIGHT


def _completion(shell: str) -> int:
    """Print the completion script of a shell.

    \b
    bash  eval "$(terminology completion bash)"      in ~/.bashrc
    zsh   eval "$(terminology completion zsh)"       in ~/.zshrc
    fish  terminology completion fish | source       in ~/.config/fish/config.fish
    """
    made = get_completion_class(shell)
    if made is None:
        options.error(f"there is no completion for {shell}")
        return CANNOT
    click.echo(made(group, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())
    return RIGHT


def _made(name: str, function: Any, params: list[click.Parameter]) -> Command:
    return Command(name=name, callback=function, params=params, help=function.__doc__)


def _of_fhir() -> click.Option:
    versions = click.Choice(["r4", "r5"], case_sensitive=False)
    return click.Option(
        ["--fhir"], type=versions, default="r5", show_default=True, help="Content of that FHIR version."
    )


SERVE = _made("serve", _serve, [*options.of_settings(TABLE)])
KINDS = ("code-systems", "value-sets", "concept-maps", "supplements")
LOADED = "loaded"
LIST = _made(
    "list",
    _list,
    [
        click.Argument(["kind"], type=click.Choice([*KINDS, LOADED]), required=False, metavar="[KIND]"),
        _of_fhir(),
        *options.of_output(),
        *options.of_settings(row for row in TABLE if row.group == "Content"),
    ],
)
CONFIG = click.Group(
    "config",
    help="Settings: what applies, and why.",
    commands=[_made("show", _config_show, [*options.of_output(), *options.of_settings(())])],
)
IMPORT = Formats(
    "import",
    help="Load code systems and other resources into the data_dir folder: `terminology import FORMAT PATH`.\n\n"
    "All of it becomes visible at once, or nothing. Exit codes: 0 right, 1 rows were left out, 2 nothing was loaded.",
)
VALIDATOR_SETTINGS = _made("validator-settings", _validator_settings, [click.Argument(["url"], metavar="URL")])
COMPLETION = _made("completion", _completion, [click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))])


# --- groups -----------------------------------------------------------------------------------------------

_ABOUT = """A FHIR terminology server: check, look up, list and translate codes, or serve them over HTTP.

Exit codes: 0 right, 1 findings (not valid, cannot be judged, no translation), 2 cannot (an error).
"""

group = click.version_option(package_name=DISTRIBUTION, prog_name=DISTRIBUTION)(
    Whole(
        PROGRAM,
        help=_ABOUT,
        commands=[SERVE, LIST, IMPORT, CONFIG, VALIDATOR_SETTINGS, COMPLETION],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
)
"""``terminology …``"""

flask_group = Group(PROGRAM, help="Ask the terminology of this app.", commands=[LIST, CONFIG, VALIDATOR_SETTINGS])
"""``flask terminology …``: the same commands, on the content of the app."""


def main(program: str = PROGRAM) -> None:
    """The console entry point. A command is soon over: looking for garbage as often as Python does is a tenth of it,
    and looking through all that is left at its end takes 50 ms."""
    gc.set_threshold(_GARBAGE)
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    group.main(prog_name=program)
