"""Which column of a table holds what: the names that were stated, else the plain names; near ones where none fits."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from terminology.issues import Invalid, NotFound, issue

FIELDS = ("system", "code", "version", "display", "date")
_MOST_NAMED = 30


def stated(text: str) -> dict[str, str]:
    """``system=…,code=…`` as field → column; raises Invalid. A column with a comma in its name is written ``\\,``."""
    found: dict[str, str] = {}
    for part in text.replace("\\,", "\0").split(","):
        field, equals, column = (each.strip().replace("\0", ",") for each in part.partition("="))
        if field not in FIELDS or not equals or not column or field in found:
            example = ",".join(f"{each}=NAME" for each in FIELDS)
            raise Invalid(issue("OWN_INPUT_COLUMNS", text, f"some of {example}"))
        found[field] = column
    return found


def mapping(
    name: str, header: Sequence[str], wanted: Mapping[str, str], constants: Iterable[str] = ()
) -> dict[str, str]:
    """Field → column of ``header``. A constant takes the place of the column of that plain name, not of a stated one.

    Raises NotFound for a stated column that is not there, and where no column has the codes, or several may have what
    is wanted.
    """
    plain: dict[str, list[str]] = {}
    for each in header:
        plain.setdefault(each.strip().lower(), []).append(each)
    constant = set(constants)
    found: dict[str, str] = {}
    for field in FIELDS:
        column = wanted.get(field)
        if column is None:
            if field in plain and field not in constant:
                found[field] = _only(name, field, plain[field])
        elif column in header:
            found[field] = _only(name, field, [column] * header.count(column))
        else:
            raise NotFound(
                issue("OWN_INPUT_COLUMN", name, column, field, _named(header), diagnostics=_near(column, header))
            )
    if "code" not in found:
        raise NotFound(issue("OWN_INPUT_CODE_COLUMN", name, _named(header), diagnostics=_near("code", header)))
    return found


def _only(name: str, field: str, meant: Sequence[str]) -> str:
    if len(meant) > 1:
        raise NotFound(issue("OWN_INPUT_COLUMN_TWICE", name, len(meant), field, _named(meant)))
    return meant[0]


def _named(header: Sequence[str]) -> str:
    shown = ", ".join(header[:_MOST_NAMED])
    return f"{shown}, …" if len(header) > _MOST_NAMED else shown or "none"


def _near(column: str, header: Sequence[str]) -> str | None:
    """Names that are written nearly so, or that hold the word."""
    lower = {each.lower(): each for each in header}
    near = difflib.get_close_matches(column.lower(), lower, 3, 0.6)
    near += [each for each in lower if column.lower() in each and each not in near]
    names = " or ".join(lower[each] for each in near[:3])
    return f"Did you mean {names}?" if names else None
