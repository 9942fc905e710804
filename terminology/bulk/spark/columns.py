"""The judge and the terminology's questions as Spark columns: each distinct question is asked once.

An argument that is text names a column, as everywhere in Spark; a constant is ``functions.lit(…)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, cast

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql.functions import col, lit
from pyspark.sql.pandas.functions import arrow_udf

from terminology.bulk.spark import jvm, members
from terminology.bulk.spark.content import Content
from terminology.bulk.spark.distinct import distinct, spread
from terminology.bulk.spark.judging import JUDGEMENT, REMEMBERED, Asked, Resources
from terminology.issues import Refusal
from terminology.model import FhirVersion
from terminology.parameters import LONGEST
from terminology.procedures.records import Basis
from terminology.service import Terminology
from terminology.validation import Validation

Named: TypeAlias = Column | str
Row: TypeAlias = tuple[str | None, ...]
MATCHES = "array<struct<system:string,version:string,code:string,display:string,relationship:string,map:string>>"
_MATCHES = pa.list_(
    pa.struct([(each, pa.string()) for each in ("system", "version", "code", "display", "relationship", "map")])
)
_worker: dict[tuple[Any, ...], Any] = {}
"""What this Python worker made for a column: the judge, and the answers that it remembers."""


def validate(
    df: DataFrame,
    content: Content,
    *,
    system: Named | None = None,
    code: Named | None = None,
    version: Named | None = None,
    display: Named | None = None,
    date: Named | None = None,
    resource: Named | None = None,
    fhir: FhirVersion = "R4",
    value_set: str | None = None,
    profile: str | None = None,
    bases: Mapping[str, Basis] | None = None,
    into: str = "judgement",
) -> DataFrame:
    """``df`` with the column ``into``: verdict (``right``, ``wrong``, ``unjudged``), the editions used, the findings.

    Either ``code`` with its ``system`` (and ``version``, ``display``, the day of service ``date``), or ``resource``: a
    column of FHIR resources in JSON, of the version ``fhir``, of which those of its type are held to ``profile``.
    ``value_set``: the canonical that the codes must be in. Raises ValueError where neither or both are named, or a
    profile for codes, and Refusal for a value set or a profile that is not known.
    """
    if (resource is None) == (code is None):
        raise ValueError("Name either code (with system) or resource, a column of resources in JSON")
    if profile is not None and resource is None:
        raise ValueError("A profile is for resources: name resource, a column of them in JSON")
    asked = Asked(value_set, tuple(sorted((bases or {}).items())), profile, fhir)
    if resource is not None:
        asked.judge(content)  # what is not known is refused here, and not by a task
        return df.withColumn(into, _resources(content, asked)(_column(resource)))
    made = jvm.judged(df.sparkSession, content, asked, dated=date is not None)
    row = (_column(each).cast("string") for each in (system, code, version, display, date))
    return df.withColumn(into, made(*row))


def _column(named: Named | None) -> Column:
    if named is None:
        return lit(None).cast("string")
    return col(named) if isinstance(named, str) else named


def _resources(content: Content, asked: Asked) -> Callable[..., Column]:
    def judged(resource: pa.Array) -> pa.Array:
        def make() -> Resources:
            return Resources(asked.judge(content), asked.fhir)

        held: Resources = _kept((content.key, "resources", asked), make)
        return held.judged(resource)

    return _vectorised(judged, JUDGEMENT)


# --- questions -------------------------------------------------------------------------------------------------


def member_of(
    content: Content,
    system: Named,
    code: Named,
    *,
    value_set: str,
    version: Named | None = None,
    date: Named | None = None,
) -> Column:
    """Whether the code is in the value set (boolean); null where that cannot be judged: an unknown value set, one that
    needs a code system that is not here, no code, or a system with a version in it, which ``version`` is for."""
    if version is None and date is None:
        found = members.member(content, value_set, *(_column(each).cast("string") for each in (system, code)))
        if found is not None:
            return found
    options: dict[str, Any] = {"value_set": value_set, "valueset_membership_only": True}

    def asked(terminology: Terminology, row: Row) -> bool | None:
        of, wanted, stated, on = row
        if "|" in (of or ""):
            return None
        return _member(terminology.validate_code(wanted or "", of, system_version=stated, date=on, **options))

    def together(terminology: Terminology, rows: Sequence[Row]) -> dict[Row, Any]:
        bare = [row for row in rows if row[0] and row[1] and _speakable(row[0], row[1]) and row[2:] == (None, None)]
        found = terminology.validate_codes([(str(row[0]), str(row[1])) for row in bare], **options)
        return dict(zip(bare, map(_member, found), strict=True))

    made = _question(content, ("member", value_set), asked, "boolean", pa.bool_(), together)
    return made(system, code, version, date)


def _member(found: Validation) -> bool | None:
    return found.result if found.judged and not found.unknown_systems else None


def _speakable(system: str, code: str) -> bool:
    """What any request may state: a url without a version in it, neither of them too long."""
    return "|" not in system and len(system) <= LONGEST["uri"] and len(code) <= LONGEST["code"]


def display(
    content: Content,
    system: Named,
    code: Named,
    *,
    version: Named | None = None,
    language: str | None = None,
) -> Column:
    """The display of the code (string), in a language where one is named; null where the code is not known."""

    def asked(terminology: Terminology, row: Row) -> str:
        of, wanted, stated = row
        return terminology.lookup(of or "", wanted or "", version=stated, display_language=language).display

    return _question(content, ("display", language), asked, "string", pa.string())(system, code, version)


def subsumes(content: Content, system: Named, code_a: Named, code_b: Named, *, version: Named | None = None) -> Column:
    """``equivalent``, ``subsumes``, ``subsumed-by`` or ``not-subsumed``; null where the code system does not say."""

    def asked(terminology: Terminology, row: Row) -> str:
        of, one, other, stated = row
        return terminology.subsumes(of or "", one or "", other or "", version=stated).outcome

    return _question(content, ("subsumes",), asked, "string", pa.string())(system, code_a, code_b, version)


def translate(
    content: Content,
    system: Named,
    code: Named,
    *,
    url: str | None = None,
    target_system: str | None = None,
    reverse: bool = False,
) -> Column:
    """What the code is called elsewhere: an array of system, version, code, display, relationship and map; null where
    there is no map to ask."""

    def asked(terminology: Terminology, row: Row) -> list[dict[str, Any]]:
        of, wanted = row
        found = terminology.translate(of or "", wanted or "", url=url, target_system=target_system, reverse=reverse)
        return [
            {
                "system": match.concept.system,
                "version": match.concept.version,
                "code": match.concept.code,
                "display": match.concept.display,
                "relationship": match.relationship,
                "map": str(match.origin),
            }
            for match in found.matches
            if match.concept
        ]

    key = ("translate", url, target_system, reverse)
    return _question(content, key, asked, MATCHES, _MATCHES)(system, code)


def _question(
    content: Content,
    key: tuple[Any, ...],
    asked: Callable[[Terminology, Row], Any],
    schema: str,
    kind: pa.DataType,
    together: Callable[[Terminology, Sequence[Row]], dict[Row, Any]] = lambda *_: {},
) -> Callable[..., Column]:
    """A column of answers. A refusal is null: a row of a table cannot be refused. ``together`` answers what it can of
    many rows in one go."""

    def answered(held: dict[Row, Any], row: Row) -> Any:
        if row not in held:
            with suppress(Refusal):
                return held.setdefault(row, asked(content.opened(), row))
        return held.setdefault(row, None)

    def answers(stated: Sequence[bool], columns: Sequence[pa.Array]) -> pa.Array:
        held: dict[Row, Any] = _kept((content.key, *key), dict)
        if len(held) > REMEMBERED:
            held.clear()
        places, found = distinct(columns)
        rows = [_padded(row, stated) for row in found]
        new = [row for row in rows if row not in held]
        if len(new) > 1:
            with suppress(Refusal):
                held.update(together(content.opened(), new))
        return spread(places, [answered(held, row) for row in rows], kind)

    def column(*arguments: Named | None) -> Column:
        stated = tuple(each is not None for each in arguments)

        def told(*columns: pa.Array) -> pa.Array:
            return answers(stated, columns)

        made = _vectorised(told, schema)
        return made(*(_column(each).cast("string") for each in arguments if each is not None))

    return column


def _padded(row: Row, stated: Sequence[bool]) -> Row:
    """The row with None for the columns that were not named, which are not sent to Python."""
    values = iter(row)
    return row if all(stated) else tuple(next(values) if each else None for each in stated)


def _kept(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    if key not in _worker:
        _worker[key] = make()
    return _worker[key]


def _vectorised(function: Callable[..., pa.Array], schema: str) -> Callable[..., Column]:
    made: Any = arrow_udf  # its overloads tell the kinds of functions apart by their type hints
    return cast("Callable[..., Column]", made(schema)(function))
