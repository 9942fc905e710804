"""RxNorm from the RRF files of a release: RXNCONSO (names), RXNREL (relations), RXNSAT (attributes).

Only what RxNorm itself says is read (``SAB=RXNORM``). A concept's parents are those that it ``isa``; other
relations are properties, named like in RXNREL, that hold the other concept's code. In RXNREL the second concept stands
in the relation to the first.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition

URL = "http://www.nlm.nih.gov/research/umls/rxnorm"
LICENCE = "RxNorm, U.S. National Library of Medicine; only its own content (SAB=RXNORM), free of restrictions"
_CONSO = ("RXCUI", "LAT", "TS", "LUI", "STT", "SUI", "ISPREF", "RXAUI", "SAUI", "SCUI", "SDUI", "SAB", "TTY", "CODE",
          "STR", "SRL", "SUPPRESS", "CVF")  # fmt: skip
_REL = ("RXCUI1", "RXAUI1", "STYPE1", "REL", "RXCUI2", "RXAUI2", "STYPE2", "RELA", "RUI", "SRUI", "SAB", "SL", "DIR",
        "RG", "SUPPRESS", "CVF")  # fmt: skip
_SAT = ("RXCUI", "LUI", "SUI", "RXAUI", "STYPE", "CODE", "ATUI", "SATUI", "ATN", "SAB", "ATV", "SUPPRESS", "CVF")
RELATIONS = ("isa", "has_ingredient", "has_precise_ingredient", "consists_of", "has_dose_form", "has_doseformgroup",
             "tradename_of", "contains", "quantified_form_of", "form_of")  # fmt: skip
ATTRIBUTES = ("RXN_STRENGTH", "RXN_AVAILABLE_STRENGTH", "RXN_QUANTITY", "RXN_HUMAN_DRUG", "RXN_VET_DRUG",
              "RXN_BN_CARDINALITY")  # fmt: skip
_SYNONYMS = ("PSN", "SY", "TMSY", "ET")
_SUBJECT, _RELATION = 40, 36
_OBJECT = (1 << _RELATION) - 1


def read(source: Source) -> Iterator[Loaded]:
    """The release in a folder or archive."""
    found = re.search(r"(?<!\d)(\d{8})(?!\d)", source.path.name)
    version = source.option("version") or (found[1] if found else None)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    relations, attributes = _relations(source), _attributes(source)
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="RXNORM",
        title="RxNorm",
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a" if relations else None,
        subsumption="known" if relations else "unsaid",
        language="en",
        properties=(
            PropertyDefinition("TTY", "code", description="Term type"),
            *(PropertyDefinition(name, "code") for name in RELATIONS[1:]),
            *(PropertyDefinition(name, "string") for name in ATTRIBUTES),
        ),
    )
    yield Loaded(info, partial(_concepts, source, relations, attributes), source.path.name, LICENCE)


def _rows(source: Source, short: str, columns: tuple[str, ...], wanted: Callable[[Row], bool]) -> Iterator[Row]:
    dialect = Dialect("|", quotes=False, columns=columns, ends="|")
    for file in source.files(lambda name: name.rpartition("/")[2].upper() == short):
        if file.short.upper() == short:
            yield from (row for _, row in rows(source, file, dialect) if wanted(row))


def _relations(source: Source) -> array[int]:
    """Subject, relation and object of each, packed into one number and sorted: eight bytes each."""
    known = {name: number for number, name in enumerate(RELATIONS)}
    packed = (
        int(row["RXCUI2"]) << _SUBJECT | known[row["RELA"]] << _RELATION | int(row["RXCUI1"])
        for row in _rows(source, "RXNREL.RRF", _REL, lambda row: row["SAB"] == "RXNORM" and row["RELA"] in known)
        if row["RXCUI1"].isdigit() and row["RXCUI2"].isdigit()
    )
    found = array("Q", sorted(set(packed)))
    if not found:
        source.note("OWN_NO_COUNTS", "RXNREL.RRF", source.path, "the hierarchy")
    return found


def _attributes(source: Source) -> dict[str, tuple[Property, ...]]:
    found: dict[str, tuple[Property, ...]] = {}
    for row in _rows(
        source, "RXNSAT.RRF", _SAT, lambda row: row["SAB"] == "RXNORM" and row["ATN"] in ATTRIBUTES and bool(row["ATV"])
    ):
        added = Property(row["ATN"], "String", row["ATV"])
        held = found.get(row["RXCUI"], ())
        if added not in held:
            found[row["RXCUI"]] = (*held, added)
    return found


def _concepts(source: Source, relations: array[int], attributes: dict[str, tuple[Property, ...]]) -> Iterator[Concept]:
    """The atoms of a concept stand one after another in RXNCONSO."""
    atoms = _rows(source, "RXNCONSO.RRF", _CONSO, lambda row: row["SAB"] == "RXNORM")
    for code, group in groupby(atoms, lambda row: row["RXCUI"]):
        named = sorted(group, key=lambda row: row["TTY"] in _SYNONYMS)
        first = named[0]
        others = dict.fromkeys(row["STR"] for row in named[1:] if row["STR"] != first["STR"])
        stated = _stated(int(code), relations) if code.isdigit() else []
        obsolete = all(row["SUPPRESS"] == "O" for row in named)
        yield Concept(
            code=code,
            display=first["STR"],
            parents=tuple(other for name, other in stated if name == "isa"),
            designations=tuple(Designation(name, "en") for name in others),
            properties=(
                *(Property("TTY", "Code", kind) for kind in dict.fromkeys(row["TTY"] for row in named)),
                *(Property(name, "Code", other) for name, other in stated if name != "isa"),
                *attributes.get(code, ()),
            ),
            inactive=obsolete,
            status="retired" if obsolete else None,
        )


def _stated(code: int, relations: array[int]) -> list[tuple[str, str]]:
    place, found = bisect_left(relations, code << _SUBJECT), []
    while place < len(relations) and relations[place] >> _SUBJECT == code:
        packed = relations[place]
        found.append((RELATIONS[packed >> _RELATION & 0xF], str(packed & _OBJECT)))
        place += 1
    return found


RXNORM = Format(
    name="rxnorm",
    summary="RxNorm: the RRF files of a release (RxNorm_full_MMDDYYYY.zip or its folder)",
    read=read,
    options=(
        Option("version", "The release, such as 11032025; without it the date in the file's name."),
        *periods.OPTIONS,
    ),
    period=periods.unsaid,
    publisher="https://www.nlm.nih.gov/research/umls/rxnorm/",
)
