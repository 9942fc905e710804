"""RxNorm from the RRF files of a release: RXNCONSO (names), RXNREL (relations), RXNSAT (attributes), RXNSTY (types).

Only what RxNorm itself says is read (``SAB=RXNORM``). A concept's parents are those that it ``isa``; every relation is
a property, named like in RXNREL, that holds the other concept's code. In RXNREL the second concept stands in the
relation to the first. ``STY`` is the identifier of a semantic type, as FHIR's page on RxNorm has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from terminology.importing import periods
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
from terminology.issues import Invalid, issue
from terminology.model import Canonical, CodeSystemInfo, Concept, Designation, Property, PropertyDefinition
from terminology.storage.aside import Aside

URL = "http://www.nlm.nih.gov/research/umls/rxnorm"
LICENCE = "RxNorm, U.S. National Library of Medicine; only its own content (SAB=RXNORM), free of restrictions"
_CONSO = ("RXCUI", "LAT", "TS", "LUI", "STT", "SUI", "ISPREF", "RXAUI", "SAUI", "SCUI", "SDUI", "SAB", "TTY", "CODE",
          "STR", "SRL", "SUPPRESS", "CVF")  # fmt: skip
_REL = ("RXCUI1", "RXAUI1", "STYPE1", "REL", "RXCUI2", "RXAUI2", "STYPE2", "RELA", "RUI", "SRUI", "SAB", "SL", "DIR",
        "RG", "SUPPRESS", "CVF")  # fmt: skip
_SAT = ("RXCUI", "LUI", "SUI", "RXAUI", "STYPE", "CODE", "ATUI", "SATUI", "ATN", "SAB", "ATV", "SUPPRESS", "CVF")
_STY = ("RXCUI", "TUI", "STN", "STY", "ATUI", "CVF")
RELATIONS = ("isa", "has_ingredient", "has_ingredients", "has_precise_ingredient", "consists_of", "has_part",
             "contains", "has_dose_form", "has_doseformgroup", "has_form", "form_of", "tradename_of", "has_tradename",
             "quantified_form_of", "has_quantified_form", "reformulation_of", "reformulated_to")  # fmt: skip
"""Those that name few others; the other way round an ingredient would name thousands."""
ATTRIBUTES = ("RXN_STRENGTH", "RXN_AVAILABLE_STRENGTH", "RXN_QUANTITY", "RXN_HUMAN_DRUG", "RXN_VET_DRUG",
              "RXN_BN_CARDINALITY")  # fmt: skip
_SYNONYMS = ("PSN", "SY", "TMSY", "ET")


def read(source: Source) -> Iterator[Loaded]:
    """The release in a folder or archive."""
    found = re.search(r"(?<!\d)(\d{8})(?!\d)", source.path.name)
    version = source.option("version") or (found[1] if found else None)
    if version is None:
        raise Invalid(issue("OWN_IMPORT_VERSION", source.path))
    aside = Aside()
    linked = aside.put(_relations(source))
    aside.put(_attributes(source))
    aside.put(_types(source))
    if not linked:
        source.note("OWN_NO_COUNTS", "RXNREL.RRF", source.path, "the hierarchy")
    info = CodeSystemInfo(
        canonical=Canonical(URL, version),
        name="RXNORM",
        title="RxNorm",
        status="active",
        copyright=LICENCE,
        hierarchy_meaning="is-a" if linked else None,
        subsumption="known" if linked else "unsaid",
        language="en",
        properties=(
            PropertyDefinition("TTY", "code", description="Term type"),
            PropertyDefinition("STY", "code", description="Identifier of a semantic type of UMLS, such as T200"),
            PropertyDefinition("semantic-type", "string", description="Name of a semantic type of UMLS"),
            *(PropertyDefinition(name, "code") for name in RELATIONS),
            *(PropertyDefinition(name, "string") for name in ATTRIBUTES),
        ),
    )
    yield Loaded(info, partial(_concepts, source, aside), source.path.name, LICENCE)


def _rows(source: Source, short: str, columns: tuple[str, ...], wanted: Callable[[Row], bool]) -> Iterator[Row]:
    dialect = Dialect("|", quotes=False, columns=columns, ends="|")
    for file in source.files(lambda name: name.rpartition("/")[2].upper() == short):
        if file.short.upper() == short:
            yield from (row for _, row in rows(source, file, dialect) if wanted(row))


def _relations(source: Source) -> Iterator[tuple[str, ...]]:
    known = frozenset(RELATIONS)
    for row in _rows(source, "RXNREL.RRF", _REL, lambda row: row["SAB"] == "RXNORM" and row["RELA"] in known):
        if row["RXCUI1"] and row["RXCUI2"]:
            yield "relation", row["RXCUI2"], row["RELA"], row["RXCUI1"]


def _attributes(source: Source) -> Iterator[tuple[str, ...]]:
    known = frozenset(ATTRIBUTES)
    for row in _rows(source, "RXNSAT.RRF", _SAT, lambda row: row["SAB"] == "RXNORM" and row["ATN"] in known):
        if row["ATV"]:
            yield "attribute", row["RXCUI"], row["ATN"], row["ATV"]


def _types(source: Source) -> Iterator[tuple[str, ...]]:
    for row in _rows(source, "RXNSTY.RRF", _STY, lambda _: True):
        yield "type", row["RXCUI"], row["TUI"], row["STY"]


def _concepts(source: Source, aside: Aside) -> Iterator[Concept]:
    """The atoms of a concept stand one after another in RXNCONSO."""
    atoms = _rows(source, "RXNCONSO.RRF", _CONSO, lambda row: row["SAB"] == "RXNORM")
    for code, group in groupby(atoms, lambda row: row["RXCUI"]):
        named = sorted(group, key=lambda row: row["TTY"] in _SYNONYMS)
        first = named[0]
        others = dict.fromkeys(row["STR"] for row in named[1:] if row["STR"] != first["STR"])
        relations = sorted(dict.fromkeys(aside.of("relation", code)), key=lambda each: RELATIONS.index(each[0]))
        obsolete = all(row["SUPPRESS"] == "O" for row in named)
        yield Concept(
            code=code,
            display=first["STR"],
            parents=tuple(other for name, other in relations if name == "isa"),
            designations=tuple(Designation(name, "en") for name in others),
            properties=(
                *(Property("TTY", "Code", kind) for kind in dict.fromkeys(row["TTY"] for row in named)),
                *_typed(aside.of("type", code)),
                *(Property(name, "Code", other) for name, other in relations),
                *(Property(name, "String", text) for name, text in dict.fromkeys(aside.of("attribute", code))),
            ),
            inactive=obsolete,
            status="retired" if obsolete else None,
        )


def _typed(types: list[tuple[str, ...]]) -> Iterator[Property]:
    for identifier, name in dict.fromkeys(types):
        yield Property("STY", "Code", identifier)
        yield Property("semantic-type", "String", name)


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
