"""Questions to a code-system file: find one concept, select many, count; every filter is one condition in SQL."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from terminology import dates, patterns
from terminology.issues import Invalid, NotSupported, issue
from terminology.model import CodeSystemInfo, Concept, Designation, Entry, Filter, Head, Property, Query
from terminology.storage.code_system_file import CodeSystemFile, revived

CHUNK = 200
_COLUMNS = "id, code, display, definition, status, abstract, inactive, valid_from, valid_to, extensions"
_OWN_COLUMNS = ", ".join(f"concept.{name}" for name in _COLUMNS.split(", "))
_WORD = re.compile(r"\w+")
Row = Sequence[Any]


@dataclass(slots=True)
class _Where:
    """What drives a query (the table that is read in order), and the conditions on each concept, with arguments.

    Each driver is stored in the order of concepts, so that a first page costs a page, not the whole answer.
    """

    driver: str = "concept"
    conditions: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)

    def drive(self, driver: str, condition: str, *arguments: Any) -> None:
        self.driver = driver
        self.conditions.insert(0, condition)
        self.arguments[:0] = arguments

    def add(self, condition: str, *arguments: Any) -> None:
        self.conditions.append(condition)
        self.arguments.extend(arguments)

    @property
    def driven(self) -> bool:
        return self.driver != "concept"

    def __str__(self) -> str:
        return f"{self.driver} WHERE {' AND '.join(self.conditions) or '1'}"


def folded(info: CodeSystemInfo, code: str) -> str:
    return code if info.case_sensitive else code.casefold()


def find(file: CodeSystemFile, code: str) -> Concept | None:
    """The concept of a code; point reads, whatever the size of the file."""
    row = file.row(_FIND, (folded(file.info, code),))
    return None if row is None else _concept(row, *map(orjson.loads, row[10:]))


def head(file: CodeSystemFile, code: str) -> Concept | None:
    """The concept of a code without parents, designations and properties: a third of the read."""
    row = file.row(_HEAD, (folded(file.info, code),))
    return None if row is None else _concept(row, (), (), ())


def entry(file: CodeSystemFile, code: str) -> Entry | None:
    """The concept of a code with what stands around it."""
    sensitive = file.info.case_sensitive
    row = file.row(_ENTRY if sensitive else _ENTRY_FOLDED, (folded(file.info, code),))
    if row is None:
        return None
    parents, named, stated, children = map(orjson.loads, row[10:])
    found = _concept(row, [code for code, _ in parents], named, stated)
    displays: dict[str, str | None] = dict((*parents, *children))
    for held, each in zip(found.properties, stated, strict=True):
        if held.type == "Code":
            displays[held.value] = each[3]
    return Entry(found, tuple([code for code, _ in children]), displays)


_NAMED = "value, language, use, status, extensions FROM designation"
_STATED = "code, type, value FROM property"
_HEAD = f"SELECT {_COLUMNS} FROM concept WHERE fold = ?"
_ABOVE = "FROM parent JOIN concept AS above ON above.id = parent WHERE child = concept.id"
_BENEATH = "FROM parent JOIN concept AS below ON below.id = child WHERE parent = concept.id AND child <> concept.id"
_NAMES = "json_group_array(json_array(value, language, use, status, extensions)) FROM designation"
_FIND = f"""
SELECT {_COLUMNS},
    (SELECT json_group_array(above.code) {_ABOVE}),
    (SELECT {_NAMES} WHERE concept = concept.id),
    (SELECT json_group_array(json_array(code, type, value)) FROM property WHERE concept = concept.id)
FROM concept WHERE fold = ?"""
"""One question and not four: half of the price of a point read is asking."""
_ENTRY = f"""
SELECT {_COLUMNS},
    (SELECT json_group_array(json_array(above.code, above.display)) {_ABOVE}),
    (SELECT {_NAMES} WHERE concept = concept.id),
    (SELECT json_group_array(json_array(held.code, held.type, held.value, meant.display)) FROM property AS held
     LEFT JOIN concept AS meant ON held.type = 'Code' AND meant.fold = json_extract(held.value, '$')
     WHERE held.concept = concept.id),
    (SELECT json_group_array(json_array(below.code, below.display)) {_BENEATH})
FROM concept WHERE fold = ?"""
_ENTRY_FOLDED = _ENTRY.replace("json_extract(held.value, '$')", "folded(json_extract(held.value, '$'))")


def select(file: CodeSystemFile, query: Query) -> Iterator[Concept]:
    """The concepts of a query, in the file's order, or in the author's where codes are listed; raises Refusal."""
    with file.connected() as connection:
        where = conditions(file.info, query, connection)
    return _selected(file, query, where)


def _selected(file: CodeSystemFile, query: Query, where: _Where) -> Iterator[Concept]:
    with file.connected() as connection:
        if query.listed is not None:
            rows = _in_listed_order(connection, file.info, query, where)
        else:
            rows = connection.execute(*_rows(query, where, _OWN_COLUMNS))
        while chunk := list(islice(rows, CHUNK if query.limit is None else query.limit or 1)):
            yield from hydrated(connection, chunk, detailed=query.detailed)


def _rows(query: Query, where: _Where, columns: str) -> tuple[str, tuple[Any, ...]]:
    """The rows of a query that lists no codes, in the file's order, as SQL with its arguments."""
    end = -1 if query.limit is None else query.limit
    sql = f"SELECT {columns} FROM {where} ORDER BY {_ORDER[where.driver]} LIMIT ? OFFSET ?"
    return sql, (*where.arguments, end, query.offset)


def heads(file: CodeSystemFile, query: Query) -> list[Head] | None:
    """Code, display and abstract of the concepts of a query that lists no codes; None where more is to be told of one
    of them, or it has no display."""
    found = []
    with file.connected() as connection:
        where = conditions(file.info, query, connection)
    for code, display, abstract, bare in file.rows(*_rows(query, where, _HEADS)):
        if not bare:
            return None
        found.append((code, display, abstract))
    return found


_HEADS = (
    "concept.code, display, abstract, "
    "display IS NOT NULL AND NOT inactive AND extensions IS NULL AND (status IS NULL OR status = 'active')"
)

_TEXT = "search CROSS JOIN concept ON concept.id = search.rowid"
_BELOW = "closure AS driver CROSS JOIN concept ON concept.id = driver.descendant"
_WITH = "property_text AS driver CROSS JOIN concept ON concept.id = driver.concept"
_UNDER_ONE = "parent AS driver CROSS JOIN concept ON concept.id = driver.child"
_ORDER = {
    "concept": "concept.id",
    _TEXT: "search.rowid",
    _BELOW: "driver.descendant",
    _WITH: "driver.concept",
    _UNDER_ONE: "driver.child",
}


def _in_listed_order(
    connection: sqlite3.Connection, info: CodeSystemInfo, query: Query, where: _Where
) -> Iterator[Row]:
    wanted = dict.fromkeys(folded(info, entry.code) for entry in query.listed or ())
    iterator = iter(wanted)
    skipped = query.offset
    left = query.limit
    while codes := list(islice(iterator, CHUNK)):
        sql = f"SELECT {_COLUMNS}, fold FROM {where} AND fold IN (SELECT value FROM json_each(?))"
        found = {row[-1]: row[:-1] for row in connection.execute(sql, [*where.arguments, json.dumps(codes)])}
        for code in codes:
            if code in found:
                if skipped:
                    skipped -= 1
                    continue
                if left is not None:
                    if not left:
                        return
                    left -= 1
                yield found[code]


def count(file: CodeSystemFile, query: Query) -> int:
    """How many concepts a query has, without reading them; a large answer to a single filter was counted before."""
    with file.connected() as connection:
        where = conditions(file.info, query, connection)
    if where.driven and len(where.conditions) == 1:
        tally = _TALLIES.get(where.conditions[0])
        known = file.row(tally, where.arguments) if tally else None
        alone = where.driver.partition(" CROSS JOIN ")[0]
        sql = f"SELECT count(*) FROM {alone} WHERE {where.conditions[0]}"
        found: int = known[0] if known else file.counted(sql, tuple(where.arguments))
        return found
    if query.listed is not None:
        codes = json.dumps(list({folded(file.info, entry.code) for entry in query.listed}))
        where.add("fold IN (SELECT value FROM json_each(?))", codes)
    [(number,)] = file.rows(f"SELECT count(*) FROM {where}", where.arguments)
    return int(number)


# --- conditions -------------------------------------------------------------------------------------------------


def conditions(info: CodeSystemInfo, query: Query, connection: sqlite3.Connection) -> _Where:
    """The entire query but for ``listed`` as conditions; raises Invalid and NotSupported for filters."""
    where = _Where()
    free = query.codes is None and query.listed is None
    if query.codes is not None:
        codes = json.dumps([folded(info, code) for code in query.codes])
        where.add("fold IN (SELECT value FROM json_each(?))", codes)
    if query.codes is not None and query.listed is not None:
        listed = json.dumps([folded(info, entry.code) for entry in query.listed])
        where.add("fold IN (SELECT value FROM json_each(?))", listed)
    if query.text is not None and (match := fts(query.text)):
        if free:
            where.drive(_TEXT, "search MATCH ?", match)
        else:
            where.add("concept.id IN (SELECT rowid FROM search WHERE search MATCH ?)", match)
    for stated in _fewest_first(query.filters, info, connection):
        _filter(where, stated, info, connection, free and not where.driven)
    if query.active_only:
        where.add("concept.inactive = 0")
    if query.on is not None:
        _dated(where, query.on, info.effective_to, undated=query.undated)
    return where


def _fewest_first(
    filters: tuple[Filter, ...], info: CodeSystemInfo, connection: sqlite3.Connection
) -> Sequence[Filter]:
    """Of several filters that could drive, the one with the fewest concepts comes first."""
    if len(filters) < 2:
        return filters

    def size(stated: Filter) -> int:
        if stated.property in ("concept", "code") and stated.op in _DRIVING:
            known = connection.execute(_BELOW_CODE, (folded(info, stated.value or ""),)).fetchone()
        elif stated.op == "=":
            known = connection.execute(_TALLIES[_HOLDS], (stated.property, stated.value)).fetchone()
        else:
            return sys.maxsize
        return int(known[0]) if known else 0

    return sorted(filters, key=size)


_BELOW_CODE = "SELECT concepts FROM below WHERE ancestor = (SELECT id FROM concept WHERE fold = ?)"
_BEGUN = "(concept.valid_from IS NULL OR concept.valid_from < ?)"
_ENDING = "(concept.valid_to IS NULL OR concept.valid_to >= ? OR concept.valid_to IN (?, ?))"
"""Bounds are compared as texts: a partial one is the beginning of its days, one with a time follows its day, and ``~``
sorts after all of them."""


def _dated(where: _Where, on: str, spoken_to: str | None, *, undated: bool) -> None:
    """``dates.own_standing`` in SQL."""
    first, last = dates.first_day(on), dates.last_day(on)
    where.add(_BEGUN, f"{last}~")
    where.add(_ENDING, first, first[:4], first[:7])
    if undated:
        beyond = spoken_to is not None and last > dates.last_day(spoken_to)
        where.add("concept.valid_to IS NULL" if beyond else "concept.valid_from IS NULL AND concept.valid_to IS NULL")


def fts(text: str) -> str:
    """A search text for FTS5: every word, quoted, as a prefix."""
    return " AND ".join(f'"{word}"*' for word in _WORD.findall(text))


def _filter(
    where: _Where, stated: Filter, info: CodeSystemInfo, connection: sqlite3.Connection, may_drive: bool
) -> None:
    system = info.canonical.url
    if not stated.value:
        message = "UNABLE_TO_HANDLE_SYSTEM_FILTER_WITH_NO_VALUE"
        raise Invalid(issue(message, system, stated.property, stated.op, at=stated.path))
    hierarchical = _HIERARCHY.get(stated.op) if stated.property in ("concept", "code") else None
    if hierarchical:
        row = connection.execute("SELECT id FROM concept WHERE fold = ?", (folded(info, stated.value),)).fetchone()
        anchor = int(row[0]) if row else -1
        if may_drive and stated.op in _DRIVING:
            where.drive(*_DRIVING[stated.op], anchor)
        else:
            where.add(hierarchical.format(a=anchor))
        return
    make = _VALUES.get(stated.op)
    if make is None or not _known(stated.property, info):
        arguments = (stated.property, stated.op, stated.value, "", system)
        raise NotSupported(issue("FILTER_NOT_UNDERSTOOD", *arguments, at=stated.path))
    plain = stated.op == "=" and stated.property not in _BASE and stated.property not in _IMPLIED
    if may_drive and plain and len(_codes_of(stated.property, info)) == 1:
        where.drive(_WITH, _HOLDS, stated.property, stated.value)
    else:
        make(where, stated, info)


_DRIVING = {
    "is-a": (_BELOW, "driver.ancestor = ?"),
    "descendent-of": (_BELOW, "driver.ancestor = ? AND driver.ancestor <> driver.descendant"),
    "child-of": (_UNDER_ONE, "driver.parent = ?"),
}
_HOLDS = "driver.code = ? AND driver.text = ?"
_TALLIES = {
    _DRIVING["is-a"][1]: "SELECT concepts FROM below WHERE ancestor = ?",
    _DRIVING["descendent-of"][1]: "SELECT concepts - 1 FROM below WHERE ancestor = ?",
    _HOLDS: "SELECT concepts FROM with_property WHERE code = ? AND text = ?",
}
_UP = (  # a few steps a level: the closure is in the order of ancestors only
    "WITH RECURSIVE up(id) AS ({start} UNION SELECT parent.parent FROM up CROSS JOIN parent ON parent.child = up.id) "
    "SELECT id FROM up"
)
_UNDER = "EXISTS (SELECT 1 FROM closure WHERE ancestor = {a} AND descendant = concept.id)"
_HIERARCHY = {
    "is-a": _UNDER,
    "descendent-of": f"(concept.id <> {{a}} AND {_UNDER})",
    "is-not-a": f"NOT {_UNDER}",
    "child-of": "EXISTS (SELECT 1 FROM parent WHERE parent.child = concept.id AND parent.parent = {a})",
    "descendent-leaf": (
        f"(concept.id <> {{a}} AND {_UNDER} AND NOT EXISTS (SELECT 1 FROM parent WHERE parent.parent = concept.id))"
    ),
    "generalizes": f"concept.id IN ({_UP.format(start='SELECT {a}')})",
}

_BASE = {
    "code": "SELECT concept.code AS text WHERE 1",
    "concept": "SELECT concept.code AS text WHERE 1",
    "display": "SELECT concept.display AS text WHERE concept.display IS NOT NULL",
    "definition": "SELECT concept.definition AS text WHERE concept.definition IS NOT NULL",
    "designation": "SELECT value AS text FROM designation WHERE designation.concept = concept.id",
}
_IMPLIED = {
    "parent": "SELECT p.code AS text FROM parent JOIN concept p ON p.id = parent WHERE parent.child = concept.id",
    "child": "SELECT p.code AS text FROM parent JOIN concept p ON p.id = child WHERE parent.parent = concept.id",
    "inactive": "SELECT CASE concept.inactive WHEN 1 THEN 'true' ELSE 'false' END AS text WHERE 1",
    "status": "SELECT concept.status AS text WHERE concept.status IS NOT NULL",
    "abstract": "SELECT CASE concept.abstract WHEN 1 THEN 'true' ELSE 'false' END AS text WHERE 1",
    "notSelectable": "SELECT 'true' AS text WHERE concept.abstract = 1",
}


def _known(name: str, info: CodeSystemInfo) -> bool:
    if name in _BASE or name in _IMPLIED:
        return True
    declared = any(name in (entry.code, entry.uri) for entry in info.properties)
    return declared or any(name == code for code, _ in info.filters)


def _codes_of(name: str, info: CodeSystemInfo) -> list[str]:
    return [name, *(entry.code for entry in info.properties if entry.uri == name)]


_STATES = "SELECT held.concept FROM property_text AS held WHERE held.code IN (SELECT value FROM json_each(?))"
_SILENT = (
    "NOT EXISTS (SELECT 1 FROM property WHERE property.concept = concept.id "
    "AND property.code IN (SELECT value FROM json_each(?)))"
)


def _holding(name: str, info: CodeSystemInfo, test: str, *arguments: Any) -> tuple[str, list[Any]]:
    """The condition that some text of a property passes a test on ``text``; what is stated is found from the side of
    the property, once, not concept by concept."""
    if name in _BASE:
        return f"EXISTS (SELECT 1 FROM ({_BASE[name]}) WHERE {test})", [*arguments]
    codes = json.dumps(_codes_of(name, info))
    stated = f"concept.id IN ({_STATES} AND {test})"
    implied = _IMPLIED.get(name)
    if implied is None:
        return stated, [codes, *arguments]
    meant = f"EXISTS (SELECT 1 FROM ({implied}) WHERE {test})"
    if name in ("parent", "child"):  # a concept may stand under one, and state another
        return f"({stated} OR {meant})", [codes, *arguments, *arguments]
    return f"({stated} OR {meant} AND {_SILENT})", [codes, *arguments, *arguments, codes]


def _among(where: _Where, stated: Filter, info: CodeSystemInfo, wanted: list[str], *, negated: bool = False) -> None:
    name = stated.property
    no = "NOT " if negated else ""
    if name in ("code", "concept"):
        where.add(f"{no}concept.code IN (SELECT value FROM json_each(?))", json.dumps(wanted))
    elif name in _BASE or name in _IMPLIED:
        condition, arguments = _holding(name, info, "text IN (SELECT value FROM json_each(?))", json.dumps(wanted))
        where.add(no + condition, *arguments)
    else:
        where.add(
            f"{no}EXISTS (SELECT 1 FROM property_text AS held WHERE held.code IN (SELECT value FROM json_each(?)) "
            "AND held.text IN (SELECT value FROM json_each(?)) AND held.concept = concept.id)",
            json.dumps(_codes_of(name, info)),
            json.dumps(wanted),
        )


def _equal(where: _Where, stated: Filter, info: CodeSystemInfo) -> None:
    _among(where, stated, info, [stated.value or ""])


def _in(where: _Where, stated: Filter, info: CodeSystemInfo) -> None:
    _among(where, stated, info, [part.strip() for part in (stated.value or "").split(",")])


def _not_in(where: _Where, stated: Filter, info: CodeSystemInfo) -> None:
    _among(where, stated, info, [part.strip() for part in (stated.value or "").split(",")], negated=True)


def _regex(where: _Where, stated: Filter, info: CodeSystemInfo) -> None:
    patterns.compiled(stated.value or "")
    if stated.property in ("code", "concept"):
        where.add("matches(?, concept.code)", stated.value)
        return
    condition, arguments = _holding(stated.property, info, "matches(?, text)", stated.value)
    where.add(condition, *arguments)


def _exists(where: _Where, stated: Filter, info: CodeSystemInfo) -> None:
    if stated.value not in ("true", "false"):
        arguments = (stated.property, stated.op, stated.value, "", info.canonical.url)
        raise NotSupported(issue("FILTER_NOT_UNDERSTOOD", *arguments, at=stated.path))
    condition, arguments_ = _holding(stated.property, info, "1")
    where.add(f"{'' if stated.value == 'true' else 'NOT '}{condition}", *arguments_)


_VALUES: dict[str, Callable[[_Where, Filter, CodeSystemInfo], None]] = {
    "=": _equal,
    "in": _in,
    "not-in": _not_in,
    "regex": _regex,
    "exists": _exists,
}


# --- rows to concepts -----------------------------------------------------------------------------------------


def hydrated(connection: sqlite3.Connection, rows: Sequence[Row], *, detailed: bool = True) -> Iterator[Concept]:
    """Rows of ``concept`` as concepts, three reads a chunk; without detail only those that have no display of their
    own are read for their names."""
    nameless = [row for row in rows if row[2] is None]
    if not detailed and not nameless:
        yield from (_concept(row, (), (), ()) for row in rows)
        return
    ids = json.dumps([row[0] for row in rows])
    parents = _grouped(
        connection.execute(
            "SELECT parent.child, concept.code FROM parent JOIN concept ON concept.id = parent.parent "
            "WHERE parent.child IN (SELECT value FROM json_each(?))",
            (ids,),
        )
    )
    named = _grouped(
        connection.execute(
            f"SELECT concept, {_NAMED} WHERE concept IN (SELECT value FROM json_each(?)) ORDER BY concept, place",
            (ids,),
        )
    )
    stated = _grouped(
        connection.execute(
            f"SELECT concept, {_STATED} WHERE concept IN (SELECT value FROM json_each(?)) ORDER BY concept, place",
            (ids,),
        )
    )
    for row in rows:
        above = [code for (code,) in parents.get(row[0], ())]
        yield _concept(row, above, named.get(row[0], ()), stated.get(row[0], ()))


def _grouped(found: sqlite3.Cursor) -> dict[int, list[Row]]:
    groups: dict[int, list[Row]] = {}
    for number, *rest in found:
        groups.setdefault(number, []).append(rest)
    return groups


def _concept(row: Row, parents: Sequence[str], named: Sequence[Row], stated: Sequence[Row]) -> Concept:
    return Concept(
        row[1],
        row[2],
        row[3],
        tuple(parents),
        tuple([_designation(*entry) for entry in named]),
        tuple([Property(each[0], each[1], _value(each[2])) for each in stated]),
        tuple(_DECODED(row[9])) if row[9] else (),
        bool(row[5]),
        bool(row[6]),
        row[4],
        row[7],
        row[8],
    )


_DECODED = json.JSONDecoder().decode
_REVIVED = json.JSONDecoder(object_hook=revived).decode
_PLAIN = {"true": True, "false": False}


def _value(text: str) -> Any:
    """The value of a property from its JSON; most are texts without an escape, or booleans."""
    if text[0] == '"' and "\\" not in text:
        return text[1:-1]
    plain = _PLAIN.get(text)
    return _REVIVED(text) if plain is None else plain


def _designation(value: str, language: str | None, use: str | None, status: str, extensions: str | None) -> Designation:
    return Designation(
        value,
        language,
        _DECODED(use) if use else None,
        status=status,
        extensions=tuple(_DECODED(extensions)) if extensions else (),
    )


# --- the hierarchy --------------------------------------------------------------------------------------------


def related(file: CodeSystemFile, code: str, relation: str) -> tuple[str, ...]:
    """``parents``, ``children``, ``ancestors`` or ``descendants`` of a code, without it, in the file's order."""
    if file.flat:
        return ()
    own = "(SELECT id FROM concept WHERE fold = ?)"
    sql = {
        "parents": f"SELECT parent.parent FROM parent WHERE parent.child = {own}",
        "children": f"SELECT parent.child FROM parent WHERE parent.parent = {own}",
        "ancestors": _UP.format(start=f"SELECT {own}"),
        "descendants": f"SELECT closure.descendant FROM closure WHERE closure.ancestor = {own}",
    }[relation]
    found = file.rows(
        f"SELECT code FROM concept WHERE id IN ({sql}) AND fold <> ? ORDER BY id", (folded(file.info, code),) * 2
    )
    return tuple(row[0] for row in found)


def above(file: CodeSystemFile, ancestor: str, descendant: str) -> bool:
    """True when ``ancestor`` stands above ``descendant``: one read of the stored closure."""
    info = file.info
    sql = (
        "SELECT 1 FROM closure WHERE ancestor = (SELECT id FROM concept WHERE fold = ?) "
        "AND descendant = (SELECT id FROM concept WHERE fold = ?)"
    )
    return file.row(sql, (folded(info, ancestor), folded(info, descendant))) is not None
