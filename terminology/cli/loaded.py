"""What was loaded: ``terminology info``, ``terminology remove`` and ``terminology export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from terminology import discovery, exporting, output
from terminology.cli import options
from terminology.cli.errors import RIGHT, Command
from terminology.cli.importing import DATA_DIR, described, library
from terminology.exporting import Exported
from terminology.issues import Invalid, NotFound, issue
from terminology.model import Canonical, FhirVersion
from terminology.storage.library import Entry, Library
from terminology.wire import json_text


def rows(held: Library) -> Iterator[dict[str, Any]]:
    """A row for everything that is loaded."""
    for entry in held.entries():
        told = described(entry)
        yield {key: told[key] for key in ("kind", "url", "version", "content", "concepts", "bytes", "format", "loaded")}


def info(canonical: str, **values: Any) -> int:
    """Show what is known about loaded content: counts, source, licence, file.

    CANONICAL is a url or id, with |version where several are loaded.
    """
    printer = options.Printer.of(values)
    found = [described(entry) for entry in _named(library(values), canonical)]
    if printer.as_json:
        printer.json(found)
    else:
        shown = ({key: output.shown(value) or "-" for key, value in told.items()} for told in found)
        printer.tables(output.table({"": key, "value": value} for key, value in told.items()) for told in shown)
    return RIGHT


def remove(canonical: tuple[str, ...], *, all_versions: bool, **values: Any) -> int:
    """Remove loaded content; a running server notices within a second.

    CANONICAL is a url or id, with |version where several are loaded.
    """
    held, printer = library(values), options.Printer.of(values)
    gone = [entry for text in canonical for entry in _chosen(held, text, all_versions=all_versions)]
    held.remove(gone)
    if printer.as_json:
        printer.json([described(entry) for entry in gone])
    else:
        for entry in gone:
            printer.line(f"removed {entry.kind} {entry.canonical}", "bold")
    return RIGHT


def export(*, canonical: tuple[str, ...], form: str, place: Path | None, fhir: str, **values: Any) -> int:
    """Write loaded content as a FHIR package (.tgz), NDJSON or CSV.

    CANONICAL is a url or id, with |version where several are loaded. Without --output NDJSON and CSV go to standard
    output.
    """
    held = library(values)
    version: FhirVersion = "R4" if fhir == "r4" else "R5"
    chosen = [entry for text in canonical for entry in _chosen(held, text, all_versions=False)]
    found = [_exported(held, entry) for entry in chosen]
    if form == "package":
        if place is None:
            raise click.UsageError("--output: a package needs a file to go to")
        with _aside(place) as part:
            exporting.package(found, part, values["name"], values["package_version"], version)
    elif form == "ndjson":
        if place is None:
            exporting.ndjson(found, sys.stdout.buffer, version)
        else:
            with _aside(place) as part, part.open("wb") as out:
                exporting.ndjson(found, out, version)
    else:
        _table(held, chosen, place)
    return RIGHT


def _table(held: Library, chosen: list[Entry], place: Path | None) -> None:
    if len(chosen) != 1 or chosen[0].kind != "CodeSystem":
        raise click.UsageError("--as csv: name one code system")
    provider = discovery.provider_of(held, chosen[0])
    if place is None:
        exporting.table(provider, sys.stdout)
    else:
        with _aside(place) as part, part.open("w", encoding="utf-8", newline="") as out:
            exporting.table(provider, out)


def _exported(held: Library, entry: Entry) -> Exported:
    if entry.compiled:
        return Exported(entry.head, discovery.provider_of(held, entry))
    return Exported({**json_text.read(held.path(entry).read_bytes()), "id": entry.id})


@contextmanager
def _aside(place: Path) -> Iterator[Path]:
    """Where to write a file that gets its name when it is whole."""
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _named(held: Library, text: str) -> tuple[Entry, ...]:
    canonical = Canonical.parse(text)
    found = held.find(canonical.url, canonical.version)
    if not found:
        raise NotFound(issue("OWN_NOT_LOADED", text, held.folder))
    return found


def _chosen(held: Library, text: str, *, all_versions: bool) -> tuple[Entry, ...]:
    found = _named(held, text)
    if len(found) > 1 and not all_versions:
        several = ", ".join(f"{entry.kind} {entry.canonical}" for entry in found)
        raise Invalid(issue("OWN_SEVERAL_LOADED", text, several))
    return found


def commands() -> dict[str, click.Command]:
    """``info``, ``remove`` and ``export``."""
    one = click.Argument(["canonical"], metavar="CANONICAL")
    several = click.Argument(["canonical"], metavar="CANONICAL...", nargs=-1, required=True)
    folder = options.of_settings([DATA_DIR])
    every = click.Option(["--all-versions"], is_flag=True, help="Every version that is loaded.")
    made: dict[str, tuple[Any, list[click.Parameter]]] = {
        "info": (info, [one, *folder, *options.of_output()]),
        "remove": (remove, [several, every, *folder, *options.of_output()]),
        "export": (export, [several, *_of_export(), *folder]),
    }
    return {
        name: Command(name=name, callback=function, params=params, help=function.__doc__)
        for name, (function, params) in made.items()
    }


def _of_export() -> list[click.Option]:
    kinds, path = click.Choice(["package", "ndjson", "csv"]), click.Path(dir_okay=False, path_type=Path)
    return [
        click.Option(["--as", "form"], type=kinds, default="ndjson", show_default=True, help="The format."),
        click.Option(["--output", "-o", "place"], type=path, metavar="FILE", help="Where to write."),
        click.Option(["--fhir"], type=click.Choice(["r4", "r5"]), default="r4", show_default=True,
                     help="The FHIR version of the resources."),
        click.Option(["--name"], default="export", show_default=True, metavar="TEXT", help="Name of the package."),
        click.Option(["--package-version"], default="1.0.0", show_default=True, metavar="TEXT",
                     help="Version of the package."),
    ]  # fmt: skip
