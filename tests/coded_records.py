"""Coded records as plain data, for every engine that judges: each must find the same in them.

``ROWS`` are (system, code, version, display, date). ``judgements`` is what the judge itself says of them, the measure
of all engines: HTTP, NDJSON, DuckDB and Spark.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from terminology.model import Json
from terminology.procedures.judging import Judge
from terminology.procedures.records import Finding
from terminology.service import State
from terminology.settings import Settings

CPT = "http://www.ama-assn.org/go/cpt"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
CM = "http://hl7.org/fhir/sid/icd-10-cm"
OPS = "http://fhir.de/CodeSystem/bfarm/ops"
OID = "urn:oid:2.16.840.1.113883.6.12"

Row = tuple[str | None, str | None, str | None, str | None, str | None]

ROWS: tuple[Row, ...] = (
    (CPT, "38232", None, None, "2012-01-01"),
    (CPT, "38232", None, None, "2011-12-31"),
    (CPT, "38232", None, None, "2011-06-30"),
    (CPT, "38230", None, None, "2011-12-31"),
    (CPT, "38230", None, None, "2024-05-05"),
    (CPT, "38232", None, None, "2011"),
    (CPT, "38232", None, None, "2012"),
    (CPT, "38232", None, None, None),
    (CPT, "99999", None, None, "2020-02-29"),
    (CPT, "38232", None, "Any words", "2020-01-01"),
    (CPT, "38232 ", None, None, "2020-01-01"),
    (CPT, "38232", "2011", None, "2020-01-01"),
    (CPT, "38232", "1999", None, "2020-01-01"),
    (PCS, "07DR3ZZ", None, "Wrong words", "2024-11-01"),
    (PCS, "07DR3ZZ", None, None, "2024-11-01"),
    (PCS, "30230G1", None, None, "2024-11-01"),
    (CM, "Z52.3", None, None, "2024-11-01"),
    (OPS, "5-410.00", None, None, "2024-01-01"),
    (OID, "38232", None, None, "2020-01-01"),
    ("http://example.org/unknown", "1", None, None, "2020-01-01"),
    ("cpt", "38232", None, None, "2020-01-01"),
    (None, "38232", None, None, "2020-01-01"),
    (CPT, None, None, None, "2020-01-01"),
    (CPT, "<script>alert(1)</script>", None, "\"'><img src=x onerror=alert(2)>", "2020-01-01"),
)


@cache
def judge() -> Judge:
    """The judge over the content that is shipped."""
    return Judge.of(State(Settings.load(stated={})).open_scope("R4"))


def judgements(rows: tuple[Row, ...] = ROWS) -> list[tuple[Finding, ...]]:
    """What the judge finds in each row."""
    return [judge().judge(judge().row(*row)).findings for row in rows]


def procedure(row: Row) -> Json:
    """A row as a Procedure of FHIR R4."""
    system, code, version, display, date = row
    coding: dict[str, Any] = {"system": system, "version": version, "code": code, "display": display}
    made: Json = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "code": {"coding": [{name: value for name, value in coding.items() if value is not None}]},
    }
    return made | ({"performedDateTime": date} if date else {})
