"""CSV and TSV of anyone: the user says which column is what. A header row names the columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from terminology.frozen import dataclass
from terminology.importing import periods
from terminology.importing.archives import File
from terminology.importing.format import Format, Loaded, Option, Source
from terminology.importing.tables import Dialect, Row, rows
from terminology.issues import Invalid, issue
from terminology.model import (
    OWN_PROPERTIES,
    Canonical,
    CodeSystemInfo,
    Concept,
    Designation,
    Property,
    PropertyDefinition,
)

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?)?)?")
_TRUE, _FALSE = ("true", "1", "yes", "y"), ("false", "0", "no", "n")


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE


def _decimal(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not found.is_finite():
        raise ValueError(text)
    return found


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,10}", text):
        raise ValueError(text)
    return int(text)


def _date(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise ValueError(text)
    return text


_TYPES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "string": ("String", str),
    "code": ("Code", str),
    "integer": ("Integer", _integer),
    "decimal": ("Decimal", _decimal),
    "boolean": ("Boolean", _boolean),
    "dateTime": ("DateTime", _date),
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """Which column is what; ``properties`` are (name, column, type), ``designations`` (language, column)."""

    code: str
    display: str | None = None
    definition: str | None = None
    parent: str | None = None
    status: str | None = None
    separator: str | None = None
    properties: tuple[tuple[str, str, str], ...] = ()
    designations: tuple[tuple[str, str], ...] = ()

    @property
    def columns(self) -> list[str]:
        plain = [self.code, self.display, self.definition, self.parent, self.status]
        named = [column for _, column, _ in self.properties] + [column for _, column in self.designations]
        return [column for column in (*plain, *named) if column]


def read(source: Source, delimiter: str) -> Iterator[Loaded]:
    """The one code system of a file (or of all files of a folder or archive together)."""
    mapped = _mapped(source)
    yield Loaded(_info(source, mapped), partial(_concepts, source, mapped, delimiter), source.path.name)


def _mapped(source: Source) -> Mapped:
    option = source.option
    return Mapped(
        code=option("code") or "code",
        display=option("display"),
        definition=option("definition"),
        parent=option("parent"),
        status=option("status-column"),
        separator=option("separator"),
        properties=tuple(_property(each) for each in option("property") or ()),
        designations=tuple(_designation(each) for each in option("designation") or ()),
    )


def _property(text: str) -> tuple[str, str, str]:
    name, _, rest = text.partition("=")
    column, _, kind = rest.rpartition(":")
    if not column:
        column, kind = rest, "string"
    if not name or not column or kind not in _TYPES:
        wanted = f"NAME=COLUMN:TYPE with a type of {', '.join(_TYPES)}"
        raise Invalid(issue("OWN_IMPORT_OPTION", "--property", text, wanted))
    return name, column, kind


def _designation(text: str) -> tuple[str, str]:
    language, _, column = text.partition("=")
    if not language or not column:
        raise Invalid(issue("OWN_IMPORT_OPTION", "--designation", text, "LANGUAGE=COLUMN such as de=german"))
    return language, column


def _info(source: Source, mapped: Mapped) -> CodeSystemInfo:
    option = source.option
    return CodeSystemInfo(
        canonical=Canonical(option("url"), option("version")),
        name=option("name"),
        title=option("title"),
        content="fragment" if option("fragment") else "complete",
        case_sensitive=not option("ignore-case"),
        language=option("language"),
        status="active",
        copyright=option("copyright"),
        hierarchy_meaning="is-a" if mapped.parent else None,
        subsumption="known" if mapped.parent else "unsaid",
        properties=tuple(PropertyDefinition(name, kind, _uri(name)) for name, _, kind in mapped.properties),
    )


def _uri(name: str) -> str | None:
    """Of the properties that mean something to the server."""
    return OWN_PROPERTIES + name if name in ("valid-from", "valid-to", "replaced-by") else None


def _concepts(source: Source, mapped: Mapped, delimiter: str) -> Iterator[Concept]:
    dialect = Dialect(delimiter, encoding=source.option("encoding") or "utf-8")
    for file in source.files(_table):
        yield from _of_file(source, file, mapped, dialect)


def _table(name: str) -> bool:
    return name.lower().endswith((".csv", ".tsv", ".tab", ".txt"))


def _of_file(source: Source, file: File, mapped: Mapped, dialect: Dialect) -> Iterator[Concept]:
    typed = [(name, column, *_TYPES[kind]) for name, column, kind in mapped.properties]
    display, definition, status_column = mapped.display, mapped.definition, mapped.status
    bounded = any(name in ("valid-from", "valid-to") for name, *_ in mapped.properties)
    for place, row in rows(source, file, dialect, mapped.columns):
        code = row[mapped.code].strip()
        if not code:
            source.refuse(place, "OWN_ROW_NO_CODE")
            continue
        properties = _properties(source, place, row, typed)
        if properties is None:
            continue
        status = (row[status_column].strip() or None) if status_column else None
        yield Concept(
            code=code,
            display=(row[display].strip() or None) if display else None,
            definition=(row[definition].strip() or None) if definition else None,
            parents=_several(row[mapped.parent].strip(), mapped.separator) if mapped.parent else (),
            designations=_named(row, mapped.designations),
            properties=properties,
            status=status,
            inactive=status in ("retired", "inactive", "withdrawn"),
            valid_from=_bound(properties, "valid-from") if bounded else None,
            valid_to=_bound(properties, "valid-to") if bounded else None,
        )


def _bound(properties: Iterable[Property], name: str) -> str | None:
    return next((held.value for held in properties if held.code == name and held.type == "DateTime"), None)


def _named(row: Row, columns: tuple[tuple[str, str], ...]) -> tuple[Designation, ...]:
    return tuple([Designation(text, language) for language, column in columns if (text := row[column].strip())])


def _several(cell: str, separator: str | None) -> tuple[str, ...]:
    if not cell or not separator:
        return (cell,) if cell else ()
    return tuple(dict.fromkeys(stripped for part in cell.split(separator) if (stripped := part.strip())))


def _properties(source: Source, place: str, row: Row, typed: list[_Typed]) -> tuple[Property, ...] | None:
    """The properties of a row; None where a value is not of its type, and so the row is refused."""
    found = []
    for name, column, suffix, made in typed:
        if text := row[column].strip():
            try:
                found.append(Property(name, suffix, made(text)))
            except ValueError:
                source.refuse(place, "OWN_ROW_VALUE", text, suffix[0].lower() + suffix[1:])
                return None
    return tuple(found)


_Typed = tuple[str, str, str, Callable[[str], Any]]

_OPTIONS = (
    Option("url", "Canonical url of the code system.", required=True),
    Option("version", "Its version."),
    Option("name", "Its computer-friendly name."),
    Option("title", "Its title."),
    Option("code", "Column of the codes.", default="code"),
    Option("display", "Column of the displays."),
    Option("definition", "Column of the definitions."),
    Option("parent", "Column of the parents' codes; it makes the hierarchy (is-a)."),
    Option("separator", "What separates several parents in one cell."),
    Option("status-column", "Column of the status; retired, inactive and withdrawn are inactive."),
    Option("property", "A property, as NAME=COLUMN:TYPE.", repeats=True),
    Option("designation", "Further names, as LANGUAGE=COLUMN.", repeats=True),
    Option("language", "Language of the displays, such as en."),
    Option("copyright", "Notice of the owner's rights."),
    Option("encoding", "Encoding of the file.", default="utf-8"),
    Option("fragment", "The source is a part of the code system.", flag=True),
    Option("ignore-case", "Codes that differ in case alone are the same.", flag=True),
    *periods.OPTIONS,
)

CSV = Format("csv", "Comma-separated text with a header; the columns are mapped by options",
             partial(read, delimiter=","), _OPTIONS, "real", period=periods.unsaid)  # fmt: skip
TSV = Format("tsv", "Tab-separated text with a header; the columns are mapped by options",
             partial(read, delimiter="\t"), _OPTIONS, "real", period=periods.unsaid)  # fmt: skip
