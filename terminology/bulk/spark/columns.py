"""The judge and the terminology's questions as Spark columns: each distinct question of a batch is asked once.

An argument that is text names a column, as everywhere in Spark; a constant is ``functions.lit(…)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql.functions import col, lit
from pyspark.sql.pandas.functions import arrow_udf

from terminology.bulk.spark.content import Content
from terminology.bulk.spark.distinct import distinct, spread
from terminology.bulk.spark.judging import JUDGEMENT, REMEMBERED, Resources, Rows
from terminology.issues import Refusal
from terminology.model import FhirVersion
from terminology.procedures.judging import Judge
from terminology.procedures.records import Basis
from terminology.service import Terminology

Named: TypeAlias = Column | str
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
    bases: Mapping[str, Basis] | None = None,
    into: str = "judgement",
) -> DataFrame:
    """``df`` with the column ``into``: verdict (``right``, ``wrong``, ``unjudged``), the editions used, the findings.

    Either ``code`` with its ``system`` (and ``version``, ``display``, the day of service ``date``), or ``resource``: a
    column of FHIR resources in JSON. ``value_set``: the canonical that the codes must be in. Raises ValueError where
    neither or both are named, and Refusal for a value set that is not known.
    """
    if (resource is None) == (code is None):
        raise ValueError("Name either code (with system) or resource, a column of resources in JSON")
    asked = (value_set, tuple(sorted((bases or {}).items())), fhir)
    if resource is not None:
        return df.withColumn(into, _resources(content, asked)(_column(resource)))
    named = [_column(each).cast("string") for each in (system, code, version, display, date)]
    return df.withColumn(into, _rows(content, asked)(*named))


def _column(named: Named | None) -> Column:
    if named is None:
        return lit(None).cast("string")
    return col(named) if isinstance(named, str) else named


def _judge(content: Content, asked: tuple[Any, ...]) -> Judge:
    value_set, bases, _ = asked
    return Judge.of(content.opened().state, value_set=value_set, bases=dict(bases))


def _rows(content: Content, asked: tuple[Any, ...]) -> Callable[..., Column]:
    def judged(system: pa.Array, code: pa.Array, version: pa.Array, display: pa.Array, date: pa.Array) -> pa.Array:
        rows: Rows = _kept((content.key, "rows", asked), lambda: Rows(_judge(content, asked)))
        return rows.judged((system, code, version, display), date)

    return _vectorised(judged, JUDGEMENT)


def _resources(content: Content, asked: tuple[Any, ...]) -> Callable[..., Column]:
    def judged(resource: pa.Array) -> pa.Array:
        def make() -> Resources:
            return Resources(_judge(content, asked), asked[-1])

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
    """Whether the code is in the value set (boolean); null where that cannot be judged: an unknown system or value set,
    a code outside a fragment."""

    def asked(terminology: Terminology, row: tuple[str | None, ...]) -> bool | None:
        of, wanted, stated, on = row
        found = terminology.validate_code(
            wanted or "", of, value_set=value_set, system_version=stated, date=on, valueset_membership_only=True
        )
        return found.result if found.judged and not found.unknown_systems else None

    return _question(content, ("member", value_set), asked, "boolean", pa.bool_())(system, code, version, date)


def display(
    content: Content,
    system: Named,
    code: Named,
    *,
    version: Named | None = None,
    language: str | None = None,
) -> Column:
    """The display of the code (string), in a language where one is named; null where the code is not known."""

    def asked(terminology: Terminology, row: tuple[str | None, ...]) -> str:
        of, wanted, stated = row
        return terminology.lookup(of or "", wanted or "", version=stated, display_language=language).display

    return _question(content, ("display", language), asked, "string", pa.string())(system, code, version)


def subsumes(content: Content, system: Named, code_a: Named, code_b: Named, *, version: Named | None = None) -> Column:
    """``equivalent``, ``subsumes``, ``subsumed-by`` or ``not-subsumed``; null where the code system does not say."""

    def asked(terminology: Terminology, row: tuple[str | None, ...]) -> str:
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

    def asked(terminology: Terminology, row: tuple[str | None, ...]) -> list[dict[str, Any]]:
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
    asked: Callable[[Terminology, tuple[str | None, ...]], Any],
    schema: str,
    kind: pa.DataType,
) -> Callable[..., Column]:
    """A column of answers. A refusal is null: a row of a table cannot be refused."""

    def answered(held: dict[Any, Any], row: tuple[str | None, ...]) -> Any:
        if row not in held:
            if len(held) > REMEMBERED:
                held.clear()
            try:
                held[row] = asked(content.opened(), row)
            except Refusal:
                held[row] = None
        return held[row]

    def answers(*columns: pa.Array) -> pa.Array:
        held: dict[Any, Any] = _kept((content.key, *key), dict)
        places, rows = distinct(columns)
        return spread(places, [answered(held, row) for row in rows], kind)

    made = _vectorised(answers, schema)
    return lambda *columns: made(*(_column(each).cast("string") for each in columns))


def _kept(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    if key not in _worker:
        _worker[key] = make()
    return _worker[key]


def _vectorised(function: Callable[..., pa.Array], schema: str) -> Callable[..., Column]:
    made: Any = arrow_udf  # its overloads tell the kinds of functions apart by their type hints
    return cast("Callable[..., Column]", made(schema)(function))
