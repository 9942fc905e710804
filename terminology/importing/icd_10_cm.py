"""ICD-10-CM from the tabular XML of CMS and NCHS: chapters, sections, categories and codes, with their notes.

The XML states seventh characters once, at a category: the codes that have one are made here, as the guidelines say
(I.A.4 and 5: filled up with X to six characters). An order file adds the flag of codes that are valid for submission;
without it a code is billable when nothing is below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from terminology.frozen import dataclass
from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.order_file import Ordered, is_order_file, ordered, year_of
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition
from terminology.wire.malformed import Malformed
from terminology.wire.xml_stream import children, local, subtrees, words

URL = "http://hl7.org/fhir/sid/icd-10-cm"
ROOT = "ICD10CM.tabular"
LICENCE = "Public domain (National Center for Health Statistics, Centers for Medicare & Medicaid Services)"
SYNONYM = {"system": "http://snomed.info/sct", "code": "900000000000013009", "display": "Synonym"}
NOTES = ("notes", "includes", "excludes1", "excludes2", "codeFirst", "useAdditionalCode", "codeAlso", "sevenChrNote")
_EXCEPTION = re.compile(
    r"7th characters (?P<characters>[A-Z0-9, and]+?) do not apply .* with 6th character (?P<sixth>.*)"
)


def read(source: Source) -> Iterator[Loaded]:
    """The release in a tabular XML, or in an order file alone, or in a folder or archive that holds one of them."""
    order = source.option("order-file")
    listed = {line.code: line for line in _lines(source, order)} if order else {}
    stated = source.option("version")
    if any(True for _ in source.files(_is_tabular)) and not is_order_file(source.path.name):
        version = stated or _version(source)
        yield Loaded(_info(version), partial(_tabular, source, listed), source.path.name, LICENCE)
        return
    version = stated or year_of(source.path.name)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    source.note("OWN_LAYOUT_UNVERIFIED", "icd-10-cm (order file)")
    yield Loaded(_info(version), partial(_ordered, source), source.path.name, LICENCE)


def _is_tabular(name: str) -> bool:
    short = name.rpartition("/")[2].lower()
    return short.endswith(".xml") and "tabular" in short


def _lines(source: Source, path: Path) -> Iterator[Ordered]:
    other = replace(source, path=path)
    return ordered(other, other.files(is_order_file))


def _info(version: str) -> CodeSystemInfo:
    described = {
        "billable": "Valid for submission",
        "kind": "chapter, section, category or code",
        "placeholder": "Stands for no code of its own: a seventh character is needed",
    }
    kinds = {"billable": "boolean", "kind": "code", "placeholder": "boolean"}
    return CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="ICD10CM",
        title="International Classification of Diseases, 10th Revision, Clinical Modification (ICD-10-CM)",
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a",
        subsumption="known",
        language="en",
        properties=(
            *(PropertyDefinition(name, kind, description=described[name]) for name, kind in kinds.items()),
            *(PropertyDefinition(name, "string") for name in NOTES),
        ),
    )


# --- the tabular list -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sevenths:
    """Seventh characters and their meanings; ``excepted`` do not go with these sixth characters (S06)."""

    meanings: tuple[tuple[str, str], ...]
    excepted: tuple[str, ...] = ()
    sixth: tuple[str, ...] = ()

    def of(self, code: str) -> Iterator[tuple[str, str]]:
        """Full codes and meanings: S01 → S01.XXXA, T36.0 → T36.0XXA."""
        plain = code.replace(".", "").ljust(6, "X")
        for character, meaning in self.meanings:
            if plain[5] not in self.sixth or character not in self.excepted:
                yield f"{plain[:3]}.{plain[3:]}{character}", meaning


@dataclass(frozen=True, slots=True)
class _Above:
    """What an entry has from those above it: its parent, and the seventh characters in force."""

    parent: str
    seventh: _Sevenths | None = None
    depth: int = 0


def _version(source: Source) -> str:
    for file in source.files(_is_tabular):
        for element in _subtrees(source, file.stream, "version", "chapter"):
            if local(element) == "version" and words(element):
                return words(element)
            if local(element) == "chapter":
                break
    raise Invalid(issue("OWN_IMPORT_VERSION", source.path))


def _subtrees(source: Source, stream: Any, *tags: str) -> Iterator[Any]:
    found = subtrees(stream, *tags)
    try:
        root = next(found)
        if local(root) != ROOT:
            raise source.unreadable(f"its root is {local(root)}, not {ROOT}")
        yield from found
    except (Malformed, StopIteration) as wrong:
        raise source.unreadable(wrong) from wrong


def _tabular(source: Source, listed: Mapping[str, Ordered]) -> Iterator[Concept]:
    for file in source.files(_is_tabular):
        for chapter in _subtrees(source, file.stream, "chapter"):
            code = words(chapter, "name")
            if not code:
                source.refuse(f"{file.name} line {chapter.sourceline}", "OWN_ROW_NO_CODE")
                continue
            yield _header(chapter, code, "chapter", ())
            for section in children(chapter, "section"):
                yield from _section(source, section, code, listed)


def _section(source: Source, section: Any, chapter: str, listed: Mapping[str, Ordered]) -> Iterator[Concept]:
    """A section of one category is named like it (C7A): its code says that it is a range."""
    code = section.get("id") or ""
    code = code if "-" in code else f"{code}-{code}"
    yield _header(section, code, "section", (chapter,))
    for diag in children(section, "diag"):
        yield from _diag(source, diag, _Above(code), listed)


def _header(element: Any, code: str, kind: str, parents: tuple[str, ...]) -> Concept:
    return Concept(
        code=code,
        display=words(element, "desc"),
        parents=parents,
        designations=tuple(_terms(element)),
        properties=(Property("kind", "Code", kind), Property("billable", "Boolean", False), *_notes(element)),
        abstract=True,
    )


def _diag(source: Source, diag: Any, above: _Above, listed: Mapping[str, Ordered]) -> Iterator[Concept]:
    code = words(diag, "name")
    if not code:
        source.refuse(f"line {diag.sourceline}", "OWN_ROW_NO_CODE")
        return
    inner = children(diag, "diag")
    seventh = _stated(diag) or above.seventh
    line = listed.get(code.replace(".", ""))
    more = seventh is not None and not inner and len(code.replace(".", "")) < 7
    billable = line.valid if line else not inner and not more
    placeholder = (Property("placeholder", "Boolean", True),) if diag.get("placeholder") == "true" else ()
    kind = "code" if billable or above.depth else "category"
    yield Concept(
        code=code,
        display=line.long if line else words(diag, "desc"),
        parents=(above.parent,),
        designations=tuple(_terms(diag)),
        properties=(
            Property("kind", "Code", kind), Property("billable", "Boolean", billable), *placeholder, *_notes(diag)
        ),
    )  # fmt: skip
    for each in inner:
        yield from _diag(source, each, _Above(code, seventh, above.depth + 1), listed)
    if more and seventh:
        yield from _sevenths(code, words(diag, "desc"), seventh, listed)


def _stated(diag: Any) -> _Sevenths | None:
    for held in children(diag, "sevenChrDef"):
        notes = " ".join(words(each) for each in (*children(diag, "notes"), *children(held, "note")))
        exception = _EXCEPTION.search(notes)
        return _Sevenths(
            meanings=tuple((each.get("char") or "", words(each)) for each in children(held, "extension")),
            excepted=tuple(re.findall(r"\b[A-Z0-9]\b", exception["characters"])) if exception else (),
            sixth=tuple(re.findall(r"\b([0-9]) - ", exception["sixth"])) if exception else (),
        )
    return None


def _sevenths(code: str, display: str, seventh: _Sevenths, listed: Mapping[str, Ordered]) -> Iterator[Concept]:
    for full, meaning in seventh.of(code):
        line = listed.get(full.replace(".", ""))
        if listed and line is None:
            continue
        billable = line.valid if line else True
        yield Concept(
            code=full,
            display=line.long if line else f"{display}, {meaning}",
            parents=(code,),
            properties=(Property("kind", "Code", "code"), Property("billable", "Boolean", billable)),
        )


def _terms(element: Any) -> Iterator[Designation]:
    for term in children(element, "inclusionTerm"):
        for note in children(term, "note"):
            if text := words(note):
                yield Designation(text, "en", SYNONYM)


def _notes(element: Any) -> Iterator[Property]:
    for name in NOTES:
        for held in children(element, name):
            for note in children(held, "note"):
                if text := words(note):
                    yield Property(name, "String", text)


# --- the order file alone ---------------------------------------------------------------------------------------


def _ordered(source: Source) -> Iterator[Concept]:
    """Headers and codes of an order file; the parent is the longest header before it that begins the same."""
    path: list[str] = []
    for line in ordered(source, source.files(is_order_file)):
        while path and not line.code.startswith(path[-1]):
            path.pop()
        yield Concept(
            code=_dotted(line.code),
            display=line.long,
            parents=(_dotted(path[-1]),) if path else (),
            designations=(Designation(line.short, "en"),) if line.short != line.long else (),
            properties=(
                Property("kind", "Code", "code" if line.valid or path else "category"),
                Property("billable", "Boolean", line.valid),
            ),
        )
        path.append(line.code)


def _dotted(code: str) -> str:
    return f"{code[:3]}.{code[3:]}" if len(code) > 3 else code


ICD_10_CM = Format(
    name="icd-10-cm",
    summary="ICD-10-CM: the tabular XML of CMS/NCHS (icd10cm-tabular-YEAR.xml) or the order file, or the .zip with it",
    read=read,
    options=(
        Option("version", "The release, such as 2026; without it what the source says."),
        Option("order-file", "The order file of the same release, for the flag of billable codes.", path=True),
        *periods.OPTIONS,
    ),
    period=periods.fiscal_year,
    verified="real",
    publisher="https://www.cms.gov/medicare/coding-billing/icd-10-codes",
)
