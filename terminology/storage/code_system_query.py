"""Questions to a code-system file: find one concept, select many, count; every filter is one condition in SQL."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from terminology import dates, patterns
from terminology.issues import Invalid, NotSupported, issue
from terminology.model import CodeSystemInfo, Concept, Entry, Filter, Head, Query
from terminology.storage.code_system_file import DESIGNATION, CodeSystemFile
from terminology.storage.code_system_records import Records, concept
from terminology.storage.code_system_words import words

CHUNK = 200
STEPS = 64
"""So many concepts above another are looked at one by one."""


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

    @property
    def alone(self) -> bool:
        """True when no concept has to be looked at."""
        return self.driven and len(self.conditions) == 1

    @property
    def source(self) -> str:
        """The driver, with the concepts where they have to be looked at."""
        return f"{self.driver.partition(' CROSS JOIN ')[0]} WHERE {self.conditions[0]}" if self.alone else str(self)

    def __str__(self) -> str:
        return f"{self.driver} WHERE {' AND '.join(self.conditions) or '1'}"


def folded(info: CodeSystemInfo, code: str) -> str:
    return code if info.case_sensitive else code.casefold()


def find(file: CodeSystemFile, code: str) -> Concept | None:
    """The concept of a code; the same price whatever the size of the file."""
    found = file.records.found(folded(file.info, code))
    if found is None:
        return None
    number, told, rest = found
    return concept(told, _codes(file.records, file.records.parents(number)), rest)


def head(file: CodeSystemFile, code: str) -> Concept | None:
    """The concept of a code without parents, designations and properties."""
    found = file.records.found(folded(file.info, code))
    return None if found is None else concept(found[1])


def entry(file: CodeSystemFile, code: str) -> Entry | None:
    """The concept of a code with what stands around it."""
    records = file.records
    found = records.found(folded(file.info, code))
    if found is None:
        return None
    number, told, rest = found
    parents = {code: display for code, display, *_ in records.heads(records.parents(number))}
    children = {code: display for code, display, *_ in records.heads(records.children(number))}
    of = concept(told, tuple(parents), rest)
    displays: dict[str, str | None] = {**parents, **children}
    for held in of.properties:
        if held.type == "Code":
            meant = records.found(folded(file.info, held.value))
            displays[held.value] = meant[1][1] if meant else None
    return Entry(of, tuple(children), displays)


def _codes(records: Records, numbers: Sequence[int]) -> tuple[str, ...]:
    return tuple([each[0] for each in records.heads(numbers)]) if numbers else ()


def select(file: CodeSystemFile, query: Query) -> Iterator[Concept]:
    """The concepts of a query, in the file's order, or in the author's where codes are listed; raises Refusal."""
    if query.listed is not None:
        numbers = _in_listed_order(file, query, conditions(file, query))
    elif query.limit is not None:
        numbers = iter(_page(file, query))
    else:
        numbers = _all(file, query, conditions(file, query))
    return _concepts(file.records, numbers, detailed=query.detailed)


def _concepts(records: Records, numbers: Iterator[int], *, detailed: bool) -> Iterator[Concept]:
    """Without detail only what has no display of its own is given its names."""
    for number in numbers:
        told, rest = records.read(number)
        if detailed or told[1] is None:
            yield concept(told, _codes(records, records.parents(number)), rest)
        else:
            yield concept(told)


def _page(file: CodeSystemFile, query: Query) -> list[int]:
    """The numbers of a page, from SQLite as one row: each row that is asked for lets other threads in."""
    named = file.words.page(_sought(query), query.offset, query.limit)
    if named is not None:
        return named
    sql, arguments = _numbers(query, conditions(file, query))
    row = file.row(f"SELECT json_group_array(number) FROM ({sql})", arguments)
    found: list[int] = orjson.loads(row[0]) if row else []
    return found


def _sought(query: Query) -> Sequence[str]:
    """The words of a query that asks for a text and for nothing else; none of any other."""
    plain = query.whole and query.codes is None and not query.active_only and query.on is None
    return words(query.text) if plain and query.text else ()


def _all(file: CodeSystemFile, query: Query, where: _Where) -> Iterator[int]:
    with file.connected() as connection:
        for (number,) in connection.execute(*_numbers(query, where)):
            yield number


def _numbers(query: Query, where: _Where) -> tuple[str, tuple[Any, ...]]:
    """The numbers of a query that lists no codes, in the file's order, as SQL with its arguments."""
    end = -1 if query.limit is None else query.limit
    number, source = _NUMBER[where.driver], where.source
    return f"SELECT {number} AS number FROM {source} ORDER BY {number} LIMIT ? OFFSET ?", (
        *where.arguments,
        end,
        query.offset,
    )


def heads(file: CodeSystemFile, query: Query) -> list[Head] | None:
    """Code, display and abstract of the concepts of a query that lists no codes; None where more is to be told of one
    of them, or it has no display."""
    found = []
    for code, display, _, status, abstract, inactive, _, _, extensions in file.records.heads(_page(file, query)):
        if display is None or inactive or extensions or (status is not None and status != "active"):
            return None
        found.append((code, display, abstract))
    return found


_TEXT = "search CROSS JOIN concept ON concept.id = search.rowid"
_BELOW = "closure AS driver CROSS JOIN concept ON concept.id = driver.descendant"
_WITH = "property_text AS driver CROSS JOIN concept ON concept.id = driver.concept"
_UNDER_ONE = "parent AS driver CROSS JOIN concept ON concept.id = driver.child"
_NUMBER = {
    "concept": "concept.id",
    _TEXT: "search.rowid",
    _BELOW: "driver.descendant",
    _WITH: "driver.concept",
    _UNDER_ONE: "driver.child",
}


def _in_listed_order(file: CodeSystemFile, query: Query, where: _Where) -> Iterator[int]:
    wanted = dict.fromkeys(folded(file.info, entry.code) for entry in query.listed or ())
    iterator = iter(wanted)
    skipped = query.offset
    left = query.limit
    while codes := list(islice(iterator, CHUNK)):
        sql = f"SELECT fold, concept.id FROM {where} AND fold IN (SELECT value FROM json_each(?))"
        found = dict(file.rows(sql, [*where.arguments, json.dumps(codes)]))
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
    named = file.words.count(_sought(query))
    if named is not None:
        return named
    where = conditions(file, query)
    if where.alone:
        tally = _TALLIES.get(where.conditions[0])
        known = file.row(tally, where.arguments) if tally else None
        sql = f"SELECT count(*) FROM {where.source}"
        found: int = known[0] if known else file.counted(sql, tuple(where.arguments))
        return found
    if query.listed is not None:
        codes = json.dumps(list({folded(file.info, entry.code) for entry in query.listed}))
        where.add("fold IN (SELECT value FROM json_each(?))", codes)
    [(number,)] = file.rows(f"SELECT count(*) FROM {where}", where.arguments)
    return int(number)


# --- conditions -------------------------------------------------------------------------------------------------


def conditions(file: CodeSystemFile, query: Query) -> _Where:
    """The entire query but for ``listed`` as conditions; raises Invalid and NotSupported for filters."""
    where, info = _Where(), file.info
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
    for stated in _fewest_first(query.filters, file):
        _filter(where, stated, file, free and not where.driven)
    if query.active_only:
        where.add("concept.inactive = 0")
    if query.on is not None:
        _dated(where, query.on, info.effective_to, undated=query.undated)
    return where


def _fewest_first(filters: tuple[Filter, ...], file: CodeSystemFile) -> Sequence[Filter]:
    """Of several filters that could drive, the one with the fewest concepts comes first."""
    if len(filters) < 2:
        return filters
    info = file.info

    def size(stated: Filter) -> int:
        if stated.property in ("concept", "code") and stated.op in _DRIVING:
            known = file.row(_TALLIES[_DRIVING["is-a"][1]], (_anchor(file, stated),))
        elif stated.op == "=":
            known = file.row(_TALLIES[_HOLDS], (_codes_of(stated.property, info)[0], stated.value))
        else:
            return sys.maxsize
        return int(known[0]) if known else 0

    return sorted(filters, key=size)


def _anchor(file: CodeSystemFile, stated: Filter) -> int:
    """The number of the concept that a hierarchical filter names; -1 for none."""
    found = file.records.found(folded(file.info, stated.value or ""))
    return found[0] if found else -1


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
    return " AND ".join(f'"{word}"*' for word in words(text))


def _filter(where: _Where, stated: Filter, file: CodeSystemFile, may_drive: bool) -> None:
    info = file.info
    system = info.canonical.url
    if not stated.value:
        message = "UNABLE_TO_HANDLE_SYSTEM_FILTER_WITH_NO_VALUE"
        raise Invalid(issue(message, system, stated.property, stated.op, at=stated.path))
    hierarchical = _HIERARCHY.get(stated.op) if stated.property in ("concept", "code") else None
    if hierarchical:
        anchor = _anchor(file, stated)
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
    if may_drive and plain and len(codes := _codes_of(stated.property, info)) == 1:
        where.drive(_WITH, _HOLDS, codes[0], stated.value)
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
    if name in _BASE or name in _IMPLIED or name == "designation":
        return True
    declared = any(name in (entry.code, entry.uri) for entry in info.properties)
    return declared or any(name == code for code, _ in info.filters)


def _codes_of(name: str, info: CodeSystemInfo) -> list[str]:
    """Under which codes the texts of a property stand."""
    if name == "designation":
        return [DESIGNATION]
    return [name, *(entry.code for entry in info.properties if entry.uri == name)]


_STATES = "SELECT held.concept FROM property_text AS held WHERE held.code IN (SELECT value FROM json_each(?))"
_SILENT = "concept.id NOT IN (SELECT concept FROM property_text WHERE code IN (SELECT value FROM json_each(?)))"


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


# --- the hierarchy --------------------------------------------------------------------------------------------


def related(file: CodeSystemFile, code: str, relation: str) -> tuple[str, ...]:
    """``parents``, ``children``, ``ancestors`` or ``descendants`` of a code, without it, in the file's order."""
    records = file.records
    found = None if records.flat else records.found(folded(file.info, code))
    if found is None:
        return ()
    number, code = found[0], found[1][0]
    if relation == "descendants":
        sql = "SELECT code FROM closure CROSS JOIN concept ON id = descendant WHERE ancestor = ? ORDER BY descendant"
        return tuple([each for (each,) in file.rows(sql, (number,)) if each != code])
    if relation == "ancestors":
        linked: Sequence[int] = sorted(_up(records, number))
    else:
        linked = records.parents(number) if relation == "parents" else records.children(number)
    return _codes(records, [each for each in linked if each != number])


def _up(records: Records, number: int) -> Iterator[int]:
    """A concept, then all above it, each once."""
    met, waiting = {number}, [number]
    while waiting:
        yield (below := waiting.pop())
        for parent in records.parents(below):
            if parent not in met:
                met.add(parent)
                waiting.append(parent)


def above(file: CodeSystemFile, ancestor: str, descendant: str) -> bool:
    """True when ``ancestor`` stands above ``descendant``, or is the same: some steps upwards; where many stand above a
    concept, one read of the stored closure."""
    high, low = (file.records.found(folded(file.info, code)) for code in (ancestor, descendant))
    if high is None or low is None:
        return False
    climbing = _up(file.records, low[0])
    for number in islice(climbing, STEPS):
        if number == high[0]:
            return True
    if next(climbing, None) is None:
        return False
    return file.row("SELECT 1 FROM closure WHERE ancestor = ? AND descendant = ?", (high[0], low[0])) is not None
