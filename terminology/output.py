"""FHIR answers as text for a terminal: aligned tables, as wide as asked, in colour where it is wanted.

A Parameters resource is shown as pairs of name and value, and one table for each parameter that has parts; an
expansion as its codes, indented by their depth; issues as a table. Whatever comes from content is stripped of
control characters, so that a display can neither move the cursor nor reverse the line.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from terminology.frozen import dataclass
from terminology.model import SUGGESTED_CODING, Json

_GAP = "  "
_NARROWEST = 8
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_STYLES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; without columns the rows are pairs of name and value."""

    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()
    heading: str | None = None


def as_json(value: Any) -> str:
    """JSON as it is printed: indented, in the order of the answer, characters as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def styled(text: str, style: str) -> str:
    """The text in a style of a terminal: ``bold``, ``red``, ``green`` or ``yellow``."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


# --- resources as tables -----------------------------------------------------------------------------------


def tables(resource: Json, without: Container[str] = ()) -> list[Table]:
    """The tables that show a resource of an answer, without some parameters; empty ones are left out."""
    kind = resource.get("resourceType")
    if kind == "Parameters":
        found = _parameters([entry for entry in resource.get("parameter", []) if entry["name"] not in without])
    elif kind == "ValueSet" and "expansion" in resource:
        found = _expansion(resource)
    elif kind == "OperationOutcome":
        found = [_issues(resource)]
    else:
        found = [Table(tuple((name, shown(value)) for name, value in resource.items()))]
    return [table for table in found if table.rows]


def _parameters(entries: Sequence[Json]) -> list[Table]:
    single = [entry for entry in entries if "part" not in entry and "resource" not in entry]
    grouped: dict[str, list[Json]] = {}
    for entry in entries:
        if "part" in entry:
            grouped.setdefault(entry["name"], []).append(entry)
    issues = [
        _issues(entry["resource"])
        for entry in entries
        if entry.get("resource", {}).get("resourceType") == "OperationOutcome"
    ]
    pairs = Table(tuple((entry["name"], shown(value_of(entry))) for entry in single))
    return [pairs, *(_parts(name, found) for name, found in grouped.items()), *issues]


def _parts(name: str, entries: Iterable[Json]) -> Table:
    """Parameters of one name as rows; a part that repeats is joined, parts of parts follow their name."""
    rows: list[dict[str, str]] = []
    for entry in entries:
        row: dict[str, str] = {}
        for part in entry["part"]:
            text = shown(value_of(part), brief=True)
            row[part["name"]] = f"{row[part['name']]}; {text}" if part["name"] in row else text
        rows.append(row)
    return table(rows, name)


def table(rows: Iterable[Mapping[str, str]], heading: str | None = None) -> Table:
    """Rows that name their cells, under the columns that hold something, in the order they first appear."""
    held = list(rows)
    used = {name for row in held for name, text in row.items() if text}
    columns = tuple(dict.fromkeys(name for row in held for name in row if name in used))
    return Table(tuple(tuple(row.get(name, "") for name in columns) for row in held), columns, heading)


def _expansion(resource: Json) -> list[Table]:
    expansion = resource["expansion"]
    stated = {"value set": _versioned(resource), "total": expansion.get("total")}
    stated["offset"] = expansion.get("offset") or None
    pairs = [(name, shown(value)) for name, value in stated.items() if value not in (None, "")]
    pairs += [(entry["name"], shown(value_of(entry))) for entry in expansion.get("parameter", [])]
    codes = table(_contained(expansion.get("contains", []), ""), "codes")
    return [Table(tuple(pairs)), codes]


def _contained(entries: Iterable[Json], indent: str) -> Iterator[dict[str, str]]:
    for entry in entries:
        notes = [name for name in ("abstract", "inactive") if entry.get(name)]
        yield {
            "code": indent + shown(entry.get("code")),
            "display": shown(entry.get("display")),
            "system": _last(shown(entry.get("system"))),
            "version": shown(entry.get("version")),
            "notes": ", ".join(notes),
        }
        yield from _contained(entry.get("contains", []), indent + _GAP)


def _issues(outcome: Json) -> Table:
    return Table(tuple(row for issue in outcome.get("issue", []) for row in _issue(issue)), heading="issues")


def _issue(issue: Json) -> Iterator[tuple[str, str]]:
    """What is wrong and where, then why, then what was probably meant."""
    place = shown(issue.get("expression") or issue.get("location") or "")
    said = shown(issue.get("details", {}).get("text"))
    yield shown(issue.get("severity")), f"{place}: {said}" if place and said else said or place
    if (why := shown(issue.get("diagnostics"))) and why != said:
        yield "", why
    for extension in issue.get("extension", []):
        if extension.get("url") == SUGGESTED_CODING:
            yield "", f"suggestion: {shown(extension.get('valueCoding'))}"


def _versioned(resource: Json) -> str:
    url, version = resource.get("url", ""), resource.get("version")
    return f"{url}|{version}" if version else str(url)


def value_of(entry: Json) -> Any:
    """What a parameter or part holds: its ``value[x]``, else its parts as a mapping."""
    for key, value in entry.items():
        if key.startswith("value"):
            return value
    return {part["name"]: value_of(part) for part in entry.get("part", [])}


def shown(value: Any, *, brief: bool = False) -> str:
    """A value of any datatype on one line; ``brief`` keeps only the last part of urls, which names them well."""
    match value:
        case list() | tuple():
            return "; ".join(shown(item, brief=brief) for item in value)
        case {"coding": list(codings)}:
            return shown(codings, brief=brief)
        case {"code": str(code), **rest}:
            return _coded(code, rest, brief)
        case dict():
            return "; ".join(f"{_clean(str(name))}={shown(item, brief=brief)}" for name, item in value.items())
        case bool():
            return "true" if value else "false"
        case _:
            text = "" if value is None else _clean(str(value))
            return _last(text) if brief else text


def _coded(code: str, rest: Mapping[Any, Any], brief: bool) -> str:
    system, display = rest.get("system"), rest.get("display")
    coding = f"{_last(system) if brief else system}#{code}" if system else code
    return _clean(f"{coding} ({display})" if display else coding)


def _last(text: str) -> str:
    """``cpt`` of ``http://www.ama-assn.org/go/cpt``; what is no url stays as it is."""
    return text.rstrip("/").rpartition("/")[2] if text.startswith(("http://", "https://")) else text


def _clean(text: str) -> str:
    return "".join(_harmless(character) for character in text)


def _harmless(character: str) -> str:
    if character in "\t\r\n":
        return " "
    forbidden = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI
    return "\N{REPLACEMENT CHARACTER}" if forbidden else character


# --- tables as text ----------------------------------------------------------------------------------------


def text(found: Iterable[Table], *, width: int | None = None, colour: bool = False) -> str:
    """The tables, one under the other; cells are folded where a line would be longer than ``width``."""
    return "\n\n".join("\n".join(_lines(each, width, colour)) for each in found)


def _lines(found: Table, width: int | None, colour: bool) -> Iterator[str]:
    rows = (found.columns, *found.rows) if found.columns else found.rows
    widths = _widths(rows, width)
    if found.heading:
        yield styled(found.heading, "bold") if colour else found.heading
    if found.columns:
        yield from _line(found.columns, widths)
        yield _GAP.join("-" * wide for wide in widths)
    for row in found.rows:
        yield from _line(row, widths)


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """The width of every column: as wide as its widest cell, the widest ones less until a line fits."""
    widths = [max(wide(cell) for cell in column) for column in zip(*rows, strict=True)]
    if width is not None:
        over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
        while over > 0 and max(widths) > _NARROWEST:
            widths[widths.index(max(widths))] -= 1
            over -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    folded = [list(_folded(cell, wide)) for cell, wide in zip(cells, widths, strict=True)]
    for index in range(max(map(len, folded))):
        parts = [lines[index] if index < len(lines) else "" for lines in folded]
        yield _GAP.join(_padded(part, wide) for part, wide in zip(parts, widths, strict=True)).rstrip()


def _folded(cell: str, width: int) -> Iterator[str]:
    """The lines of a cell, broken at spaces where there are any, else anywhere."""
    if wide(cell) <= width:
        yield cell
        return
    line = ""
    for word in cell.split():
        joined = f"{line} {word}" if line else word
        if wide(joined) <= width:
            line = joined
            continue
        if line:
            yield line
            joined = word
        while wide(joined) > width:
            cut = _cut(joined, width)
            yield joined[:cut]
            joined = joined[cut:]
        line = joined
    yield line


def _cut(text: str, width: int) -> int:
    """How many characters of ``text`` fit into ``width``; at least one."""
    taken = 0
    for index, character in enumerate(text):
        taken += wide(character)
        if taken > width:
            return max(index, 1)
    return len(text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - wide(text))


def wide(text: str) -> int:
    """The cells that a text takes: two for a wide East Asian character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
