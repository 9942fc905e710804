"""LOINC from its release: the table of terms, and what the accessory files say of them.

Terms, parts (LP), answer lists (LL) and answers (LA) are codes of LOINC, told apart by the property ``kind``. A concept
stands below every part that the hierarchy file names for it; without that file there is no hierarchy, and the import
says so. Links are properties: of a term its parts (``part``), answer lists (``answer-list``), members as a panel
(``panel-member``) and panels (``panel``); of a list its answers in their order (``answer``) and terms
(``answers-for``); of an answer its lists (``list``). Linguistic variants are designations in their language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition
from terminology.storage.aside import Aside

URL = "http://loinc.org"
LICENCE = (
    "This material contains content from LOINC (http://loinc.org). LOINC is copyright © Regenstrief Institute, Inc. "
    "and the Logical Observation Identifiers Names and Codes (LOINC) Committee and is available at no cost under the "
    "license at http://loinc.org/license. LOINC® is a registered United States trademark of Regenstrief Institute, Inc."
)
TABLE, HIERARCHY, PARTS = "Loinc.csv", "ComponentHierarchyBySystem.csv", "Part.csv"
PART_LINKS, LISTS, LIST_LINKS = "LoincPartLink_Primary.csv", "AnswerList.csv", "LoincAnswerListLink.csv"
PANELS, LANGUAGES = "PanelsAndForms.csv", "LinguisticVariants.csv"
_VARIANT = re.compile(r"(?P<language>[a-z]{2,3})(?P<country>[A-Z]{2})(?P<number>\d+)LinguisticVariant\.csv")
_DIALECT = Dialect(",")
_PROPERTIES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "CLASSTYPE",
               "ORDER_OBS", "STATUS", "VersionFirstReleased", "VersionLastChanged", "EXAMPLE_UCUM_UNITS")  # fmt: skip
_NAMES = ("SHORTNAME", "DisplayName", "CONSUMER_NAME")
_AXES = ("COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP")
_VARIANT_NAMES = ("LONG_COMMON_NAME", "LinguisticVariantDisplayName", "SHORTNAME", "ConsumerName")
_LINKS = {
    "part": "A part (LP) of the term",
    "part-type": "Type of a part, such as COMPONENT",
    "answer-list": "A list (LL) of answers to the term",
    "answers-for": "A term that the list answers",
    "answer": "An answer (LA) of the list",
    "list": "A list (LL) that the answer is in",
    "panel-member": "A term of the panel",
    "panel": "A panel that the term is in",
}


def read(source: Source) -> Iterator[Loaded]:
    """The release in a folder or archive."""
    found = re.search(r"(?<!\d)(\d\.\d\d)(?!\d)", source.path.name)
    version = source.option("version") or (found[1] if found else None)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    aside = Aside()
    linked = _set_aside(source, aside)
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="LOINC",
        title="Logical Observation Identifiers, Names and Codes (LOINC)",
        case_sensitive=False,
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a" if linked else None,
        subsumption="known" if linked else "unsaid",
        language="en",
        properties=(
            *(PropertyDefinition(name, "string") for name in _PROPERTIES),
            PropertyDefinition("kind", "code", description="term, part, answer-list or answer"),
            *(PropertyDefinition(name, "code", description=described) for name, described in _LINKS.items()),
        ),
    )
    yield Loaded(info, partial(_concepts, source, aside), source.path.name, LICENCE)


def _table(source: Source, short: str, *needed: str) -> Iterator[tuple[str, Row]]:
    """Place and columns of each row of the file with that name; nothing where the release lacks it."""
    for file in source.files(lambda name: name.rpartition("/")[2] == short):
        if short in (file.short, TABLE):
            yield from rows(source, file, _DIALECT, needed)


def _cells(source: Source, short: str, *columns: str) -> Iterator[tuple[str, ...]]:
    """These columns of each row of a file in which the first one has a value."""
    for _, row in _table(source, short, *columns):
        if row[columns[0]].strip():
            yield tuple(row[name].strip() for name in columns)


# --- what is set aside ------------------------------------------------------------------------------------------


def _set_aside(source: Source, aside: Aside) -> int:
    """Everything that a concept is to be told by another file; returns how many links the hierarchy has."""
    linked = aside.put(_hierarchy(source))
    if not linked:
        source.note("OWN_NO_COUNTS", HIERARCHY, source.path, "the hierarchy")
    for rows_ in (_parts(source), _answers(source), _panels(source), _variants(source)):
        aside.put(rows_)
    return linked


def _hierarchy(source: Source) -> Iterator[tuple[str, ...]]:
    for code, parent, name in _cells(source, HIERARCHY, "CODE", "IMMEDIATE_PARENT", "CODE_TEXT"):
        if code.startswith("LP"):
            yield "a part", code, name, "", ""
        if parent:
            yield "parent of", code, parent


def _parts(source: Source) -> Iterator[tuple[str, ...]]:
    columns = ("PartNumber", "PartDisplayName", "PartName", "PartTypeName", "Status")
    for code, shown, name, kind, status in _cells(source, PARTS, *columns):
        yield "a part", code, shown or name, kind, status
    for term, part in _cells(source, PART_LINKS, "LoincNumber", "PartNumber"):
        yield "part of", term, part


def _answers(source: Source) -> Iterator[tuple[str, ...]]:
    columns = ("AnswerListId", "AnswerListName", "AnswerStringId", "SequenceNumber", "DisplayText")
    for held, name, answer, number, text in _cells(source, LISTS, *columns):
        yield "a list", held, name
        if answer:
            yield "answers of", held, answer, number.rjust(9, "0")
            yield "an answer", answer, text, held
    for term, held in _cells(source, LIST_LINKS, "LoincNumber", "AnswerListId"):
        yield "list of", term, held
        yield "term of", held, term


def _panels(source: Source) -> Iterator[tuple[str, ...]]:
    for panel, term in _cells(source, PANELS, "ParentLoinc", "Loinc"):
        if term and panel != term:  # the panel itself is its first row
            yield "member of", panel, term
            yield "panel of", term, panel


def _variants(source: Source) -> Iterator[tuple[str, ...]]:
    """Code, language, kind of name and name, of each linguistic variant of the release (or those of ``--language``)."""
    wanted = tuple(source.option("language") or ())
    listed = _cells(source, LANGUAGES, "ID", "ISO_LANGUAGE", "ISO_COUNTRY")
    stated = {row[0]: "-".join(row[1:]) for row in listed}
    for file in source.files(lambda name: _VARIANT.fullmatch(name.rpartition("/")[2]) is not None):
        found = _VARIANT.fullmatch(file.short)
        if found is None:
            return
        language = stated.get(found["number"], f"{found['language']}-{found['country']}")
        if not wanted or language in wanted:
            for _, row in rows(source, file, _DIALECT, ("LOINC_NUM",)):
                code = row["LOINC_NUM"].strip()
                yield from (("variant of", code, language, kind, name) for kind, name in _variant(row).items())


def _variant(row: Row) -> dict[str, str]:
    """The names of one row by kind; of a variant that translates the parts alone, these with colons between, which is
    LOINC's fully specified name."""
    found = {name: text for name in _VARIANT_NAMES if (text := row.get(name, "").strip())}
    parts = [row.get(name, "").strip() for name in _AXES]
    if parts[0]:
        found["FULLY_SPECIFIED_NAME"] = ":".join(parts).rstrip(":")
    return found


# --- concepts ---------------------------------------------------------------------------------------------------


def _concepts(source: Source, aside: Aside) -> Iterator[Concept]:
    yield from (_part(code, aside) for code in aside.keys("a part"))
    for place, row in _table(source, TABLE, "LOINC_NUM", "LONG_COMMON_NAME", "STATUS"):
        code = row["LOINC_NUM"].strip()
        if checked(code):
            yield _term(code, row, aside)
        else:
            source.refuse(place, "OWN_ROW_VALUE", code, "LOINC number (check digit)")
    yield from (_list(code, aside) for code in aside.keys("a list"))
    yield from (_answer(code, aside) for code in aside.keys("an answer"))


def _part(code: str, aside: Aside) -> Concept:
    """Of the part file where it has it, else of the hierarchy."""
    name, kind, status = aside.of("a part", code)[-1]
    return Concept(
        code,
        name,
        parents=tuple(_linked(aside, "parent of", code)),
        properties=(
            Property("kind", "Code", "part"),
            *((Property("part-type", "Code", kind),) if kind else ()),
            *((Property("STATUS", "String", status),) if status else ()),
        ),
        status=status.lower() or None,
        inactive=status == "DEPRECATED",
    )


def _linked(aside: Aside, kind: str, code: str) -> list[str]:
    return list(dict.fromkeys(texts[0] for texts in aside.of(kind, code)))


def _links(name: str, codes: list[str]) -> Iterator[Property]:
    return (Property(name, "Code", code) for code in codes)


def _term(code: str, row: Row, aside: Aside) -> Concept:
    display, status = row["LONG_COMMON_NAME"].strip(), row["STATUS"].strip()
    named = dict.fromkeys(text for name in _NAMES if (text := row.get(name, "").strip()) and text != display)
    variants = dict.fromkeys(aside.of("variant of", code))
    return Concept(
        code=code,
        display=display or row.get("SHORTNAME", "").strip(),
        definition=row.get("DefinitionDescription", "").strip() or None,
        parents=tuple(_linked(aside, "parent of", code)),
        designations=(
            *(Designation(name, "en") for name in named),
            *(Designation(name, language, {"system": URL, "code": kind}) for language, kind, name in variants),
        ),
        properties=(
            Property("kind", "Code", "term"),
            *(Property(name, "String", text) for name in _PROPERTIES if (text := row.get(name, "").strip())),
            *_links("part", _linked(aside, "part of", code)),
            *_links("answer-list", _linked(aside, "list of", code)),
            *_links("panel-member", _linked(aside, "member of", code)),
            *_links("panel", _linked(aside, "panel of", code)),
        ),
        status=status.lower() or None,
        inactive=status == "DEPRECATED",
    )


def _list(code: str, aside: Aside) -> Concept:
    answers = [answer for answer, _ in sorted(aside.of("answers of", code), key=lambda each: each[1])]
    return Concept(
        code,
        aside.of("a list", code)[0][0],
        properties=(
            Property("kind", "Code", "answer-list"),
            *_links("answer", answers),
            *_links("answers-for", _linked(aside, "term of", code)),
        ),
    )


def _answer(code: str, aside: Aside) -> Concept:
    held = aside.of("an answer", code)
    lists = list(dict.fromkeys(each for _, each in held))
    return Concept(code, held[0][0], properties=(Property("kind", "Code", "answer"), *_links("list", lists)))


def checked(code: str) -> bool:
    """True for a number with the right check digit (mod 10, https://loinc.org/kb/users-guide/)."""
    number, _, check = code.partition("-")
    if not number.isdigit() or len(check) != 1 or not check.isdigit():
        return False
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    total = sum(value // 10 + value % 10 for value in doubled)
    return -total % 10 == int(check)


LOINC = Format(
    name="loinc",
    summary="LOINC: the release (Loinc_VERSION.zip or its folder)",
    read=read,
    options=(
        Option("version", "The release, such as 2.81; without it the number in the file's name."),
        Option("language", "Only this linguistic variant, such as de-DE; without it all.", repeats=True),
        *periods.OPTIONS,
    ),
    period=periods.unsaid,
    publisher="https://loinc.org/downloads/",
)
