"""FHIR's own content from the jars with HAPI's validation resources: bundles in XML (R4, R4B), packages (R5).

A jar is a zip. Of it only ``model/valueset/*.xml`` and the FHIR packages (``.tgz``) in it are read. What is a package
itself is read as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from terminology.importing import fhir_package
from terminology.importing.archives import File, Meter
from terminology.importing.copies import on_disk
from terminology.importing.fhir import FHIR, parsed
from terminology.importing.format import Format, Kept, Loaded, Option, Source

PACKAGES = (*fhir_package.CORE, "hl7.terminology", "hl7.fhir.uv.extensions")


def read(source: Source) -> Iterator[Loaded | Kept]:
    """What a jar, or a package outside of one, holds; of that what ``--only`` names."""
    only = tuple(source.option("only") or PACKAGES)
    if holds(source, only, packages=True):
        yield from fhir_package.read(source)
        return
    for file in source.files(lambda name: _wanted(name, only)):
        if file.short.endswith(".xml"):
            release = "4.3.0" if "/r4b/" in file.name else "4.0.1"
            for item in parsed(source, file.name, file.read(), "R4"):
                yield replace(item, fhir=(release,), snapshot=fhir_package.taken_up(item))
        else:
            yield from _package(source, file)


def holds(source: Source, only: tuple[str, ...], *, packages: bool = False) -> bool:
    """True where a path is, or with ``packages`` off is or holds, one of these packages. Nothing is read but names."""
    quiet = replace(source, meter=Meter())
    if any(_is(name, only) for name in fhir_package.names(quiet)):
        return True
    return not packages and any(True for _ in quiet.files(lambda name: _wanted(name, only)))


def _wanted(name: str, only: tuple[str, ...]) -> bool:
    folder, _, short = name.rpartition("/")
    if short.endswith(".xml"):
        return folder.endswith("/model/valueset") and any(each in fhir_package.CORE for each in only)
    return short.endswith(".tgz") and _is(short, only)


def _is(name: str, only: tuple[str, ...]) -> bool:
    """``hl7.fhir.uv.extensions`` is also ``hl7.fhir.uv.extensions.r5``, and a file's name goes on with a version."""
    return any(name == each or name.startswith((f"{each}.r", f"{each}-", f"{each}#")) for each in only)


def _package(source: Source, file: File) -> Iterator[Loaded | Kept]:
    with on_disk(file, "package.tgz") as path:
        source.meter.read = source.meter.size = 0  # how far means: in this package
        yield from fhir_package.read(replace(source, path=path))


FHIR_JAR = Format(
    name="fhir-jar",
    summary="FHIR's own content: a jar hapi-fhir-validation-resources-*.jar, with bundles and FHIR packages",
    read=read,
    options=(Option("only", "Only this package of them.", repeats=True, choices=PACKAGES), FHIR),
    verified="real",
    publisher="https://github.com/hapifhir/hapi-fhir",
)
