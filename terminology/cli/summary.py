"""A report on a terminal: the verdict, the counts, and the most frequent findings."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from terminology.bulk.report import Group, Report, counted
from terminology.output import shown

MOST = 25
_STYLES = {"fatal": "red", "error": "red", "warning": "yellow", "information": ""}
_WIDTH = 120


def print_summary(report: Report, *, colour: bool) -> None:
    """On standard output, as wide as the terminal."""
    console = Console(
        file=sys.stdout,
        no_color=not colour,
        highlight=False,
        markup=False,
        width=None if sys.stdout.isatty() else _WIDTH,
    )
    console.print(_verdict(report))
    console.print(_counts(report), soft_wrap=True)
    if profile := report.provenance.profile:
        console.print(f"{report.profiled:,} held to {profile}: bound codes and needed elements", soft_wrap=True)
    for kind, count in sorted(report.skipped.items()):
        console.print(f"{count:,} {shown(kind)} passed over: no codes to judge", soft_wrap=True)
    if report.groups:
        console.print(_groups(report))
    if len(report.groups) > MOST or report.further:
        console.print("Further groups are in the reports (--report html=FILE, --report json=FILE).", soft_wrap=True)
    if report.partial:
        console.print(Text("partial: the run was stopped", "yellow"))


def _verdict(report: Report) -> Text:
    if report.clean:
        return Text("clean", "green")
    return Text("findings", "red") if report.verdicts.get("wrong") else Text("cannot all be judged", "yellow")


def _counts(report: Report) -> str:
    count = report.verdicts
    rate = report.records / max(report.seconds, 0.001)
    return (
        f"{counted(report.records)}: {count.get('right', 0):,} right, {count.get('wrong', 0):,} wrong, "
        f"{count.get('unjudged', 0):,} cannot be judged; {report.seconds:,.1f} s, {rate:,.0f}/s"
    )


def _groups(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name, justify in (("count", "right"), ("severity", "left"), ("reason", "left"), ("code", "left")):
        table.add_column(name, justify=justify, no_wrap=name != "code", overflow="fold")  # type: ignore[arg-type]
    table.add_column("what, and first where", overflow="fold")
    for group in report.groups[:MOST]:
        table.add_row(*_row(group))
    return table


def _row(group: Group) -> tuple[Text, ...]:
    said = [shown(group.said)]
    if group.suggestion:
        said.append(f"suggestion: {shown(group.suggestion.as_json())}")
    said += [shown(str(place)) for place in group.places[:1]]
    coding = shown(group.coding.as_json(), brief=True) if group.coding else ""
    style = _STYLES[group.severity]
    cells = (f"{group.count:,}", group.severity, group.reason, coding, "\n".join(said))
    return tuple(Text(cell, style if place == 1 else "") for place, cell in enumerate(cells))
