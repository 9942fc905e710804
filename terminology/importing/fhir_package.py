"""FHIR packages (https://hl7.org/fhir/packages.html): a ``.tgz`` or an unpacked folder, or a folder of several.

Of a package only ``package/*.json`` is read. Packages of a folder come in the order of their dependencies, so that the
later ones win where both define a resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from terminology.frozen import dataclass
from terminology.importing.fhir import FHIR, items, version_of
from terminology.importing.format import Format, Kept, Loaded, Source
from terminology.issues import Invalid
from terminology.model import FhirVersion, Json
from terminology.wire import json_text
from terminology.wire.malformed import Malformed
from terminology.wire.r4 import from_r4

CORE = ("hl7.fhir.r4.core", "hl7.fhir.r4b.core", "hl7.fhir.r5.core")
OWN = "http://hl7.org/fhir/"
MANIFEST = "package/package.json"
_NOT_RESOURCES = ("package/package.json", "package/.index.json")


@dataclass(frozen=True, slots=True)
class Package:
    """A package and its ``package.json``."""

    path: Path
    manifest: Json

    @property
    def name(self) -> str:
        return str(self.manifest.get("name") or self.path.name)

    @property
    def label(self) -> str:
        return f"{self.name}#{self.manifest.get('version') or '?'}"


def read(source: Source) -> Iterator[Loaded | Kept]:
    """The terminology of all packages at a path; raises Invalid where there is none."""
    packages = in_order(list(_packages(source)))
    if not packages:
        raise source.empty("package/package.json in a .tgz or folder")
    for package in packages:
        yield from _resources(replace(source, path=package.path), package)


def names(source: Source) -> tuple[str, ...]:
    """The names of the packages at a path; none where it holds no package."""
    try:
        return tuple(package.name for package in _packages(source))
    except Invalid:
        return ()


def in_order(packages: list[Package]) -> list[Package]:
    """Those that others depend on first; in a circle the order of names."""
    known = {package.name: package for package in packages}
    graph = {
        package.name: sorted(set(_dependencies(package)) & known.keys())
        for package in sorted(packages, key=lambda p: p.name)
    }
    try:
        return [known[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError:
        return [known[name] for name in sorted(known)]


def _dependencies(package: Package) -> Mapping[str, Any]:
    stated = package.manifest.get("dependencies")
    return stated if isinstance(stated, dict) else {}


def _packages(source: Source) -> Iterator[Package]:
    path = source.path
    places = [path]
    if path.is_dir() and not _unpacked(path):
        inner = [each for each in sorted(path.iterdir()) if not each.is_symlink()]
        places = [each for each in inner if each.name.endswith(".tgz") or (each.is_dir() and _unpacked(each))]
    for place in places:
        yield Package(place, _manifest(replace(source, path=place)))


def _unpacked(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() or (folder / "package.json").is_file()


def _manifest(source: Source) -> Json:
    quiet = replace(source, meter=type(source.meter)())
    for file in quiet.files(lambda name: _placed(source.path, name) == MANIFEST):
        if _placed(source.path, file.name) == MANIFEST:
            return _json(source, file.read())
    raise source.empty("package/package.json in a .tgz or folder")


def _placed(path: Path, name: str) -> str:
    """The name inside the package; the folder ``package`` itself may be what was named."""
    return f"package/{name}" if path.is_dir() and not (path / "package").is_dir() else name


def _json(source: Source, content: bytes) -> Json:
    try:
        return json_text.read(content)
    except Malformed as wrong:
        raise source.unreadable(wrong) from wrong


def _resources(source: Source, package: Package) -> Iterator[Loaded | Kept]:
    fhir = _version(source, package)
    for file in source.files(lambda name: _resource(_placed(package.path, name))):
        content = file.read()
        if b'"resourceType"' not in content:
            continue
        try:
            found = json_text.read(content)
        except Malformed as wrong:
            source.refuse(f"{package.label} {file.name}", "OWN_ROW_RESOURCE", wrong)
            continue
        made_for, core = _made_for(package), package.name in CORE
        for item in items(source, file.name, from_r4(found) if fhir == "R4" else found):
            yield replace(item, source=package.label, fhir=made_for, snapshot=core and taken_up(item))


def _resource(name: str) -> bool:
    folder, _, short = name.rpartition("/")
    return folder == "package" and short.endswith(".json") and name not in _NOT_RESOURCES


def _made_for(package: Package) -> tuple[str, ...]:
    """The FHIR versions that a package says it is made for."""
    listed = package.manifest.get("fhirVersions") or package.manifest.get("fhir-version-list") or ()
    return tuple(str(each) for each in (listed if isinstance(listed, list) else [listed]))


def taken_up(item: Loaded | Kept) -> bool:
    """True for what a FHIR release has from others: FHIR's own content has urls below http://hl7.org/fhir/."""
    url = str(item.resource.get("url") or "") if isinstance(item, Kept) else item.info.canonical.url
    return not url.startswith(OWN) or url.startswith(f"{OWN}sid/")


def _version(source: Source, package: Package) -> FhirVersion:
    stated = source.option("fhir")
    if stated:
        return "R5" if str(stated).lower() == "r5" else "R4"
    known = [found for each in _made_for(package) if (found := version_of(each))]
    if known:
        return known[0]
    named: dict[str, FhirVersion] = {"hl7.fhir.r4.core": "R4", "hl7.fhir.r5.core": "R5"}
    below = [found for name in _dependencies(package) if (found := named.get(name))]
    return (below or ["R4"])[0]


FHIR_PACKAGE = Format(
    name="fhir-package",
    summary="A FHIR package (.tgz or folder), or a folder of packages",
    read=read,
    options=(FHIR,),
    verified="real",
    publisher="https://hl7.org/fhir/packages.html",
)
