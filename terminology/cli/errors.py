"""What a command does with trouble: one sentence on standard error and exit code 2, never a stack trace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from terminology.cli.options import Printer, error
from terminology.issues import Refusal, text
from terminology.model import Issue
from terminology.settings import CannotServeError, SettingsError
from terminology.wire.outcomes import operation_outcome

TROUBLE = (CannotServeError, Refusal, SettingsError, click.UsageError)
RIGHT, FINDINGS, CANNOT = 0, 1, 2


class Command(click.Command):
    """A command whose function returns its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
        except (SettingsError, CannotServeError) as wrong:
            error(str(wrong))
            code = CANNOT
        except Refusal as refused:
            _refused(refused, Printer.of(ctx.params))
            code = CANNOT
        ctx.exit(code or RIGHT)


def _refused(refused: Refusal, printer: Printer) -> None:
    for said in dict.fromkeys(tuple(_said(found)) for found in refused.issues):
        error("\n  ".join(said))
    if printer.as_json:
        printer.json(operation_outcome(refused.issues))


def _said(found: Issue) -> Iterator[str]:
    yield text(found)
    if found.diagnostics:
        yield found.diagnostics
    if found.suggestion:
        yield f"suggestion: {found.suggestion}"
