"""A report as a file: one function for each format that is written at the end, one class for each that is streamed.

Keys and columns are documented in docs/how-to/validate-files.md and only ever added to. What comes from the data is
written by the libraries of the formats, never put together as text.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, Protocol

import orjson

from terminology.bulk.report import PROGRAM, Found, Group, Place, Report
from terminology.issues import SENTENCES, text
from terminology.model import Coding, Json
from terminology.procedures.records import Finding

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"fatal": "error", "error": "error", "warning": "warning", "information": "note"}
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLACED = 3
"""So many columns are the place: source, unit and number."""
_MADE = 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "source", "unit", "number", "expression", "severity", "reason", "message_id", "system", "version", "code",
    "display", "message", "diagnostics", "suggested_system", "suggested_code", "suggested_display",
)  # fmt: skip


class Stream(Protocol):
    """A format that takes each finding as it comes."""

    def found(self, found: Found) -> None: ...

    def end(self, report: Report) -> None: ...


# --- as values ------------------------------------------------------------------------------------------------


def summary(report: Report) -> Json:
    """What a report says without its groups."""
    return {
        "clean": report.clean,
        "partial": report.partial,
        "failed": report.failed,
        "records": {"judged": report.records, **report.verdicts, "skipped": dict(report.skipped)},
        "findings": {"total": report.findings, **report.severities},
        "seconds": round(report.seconds, 3),
    }


def provenance(report: Report) -> Json:
    made = report.provenance
    return {
        "program": PROGRAM,
        "version": made.version,
        "command": made.command,
        "begun": made.begun,
        "fhir": made.fhir,
        "valueSet": made.value_set,
        "date": made.date,
        "profile": made.profile,
        "profiled": report.profiled if made.profile else None,
        "releases": [str(each) for each in report.used],
        "inputs": [
            {
                "name": each.name,
                "kind": each.kind,
                "records": each.records,
                "bytes": each.size,
                "sha256": each.digest,
                "distinct": each.distinct,
            }
            for each in report.inputs
        ],
    }


def _group(group: Group) -> Json:
    return {
        "reason": group.reason,
        "severity": group.severity,
        "count": group.count,
        "coding": group.coding.as_json() if group.coding else None,
        "message": group.said,
        "diagnostics": group.diagnostics,
        "suggestion": group.suggestion.as_json() if group.suggestion else None,
        "places": [_place(each) for each in group.places],
    }


def _place(place: Place) -> Json:
    return {"source": place.source, "unit": place.unit, "number": place.number, "inside": place.inside}


def _row(found: Found) -> dict[str, Any]:
    """One finding, by column."""
    issue, coding = found.finding.issue, found.finding.coding or Coding()
    suggestion = issue.suggestion or Coding()
    return dict(
        zip(
            COLUMNS,
            (
                found.place.source, found.place.unit, found.place.number, found.expression or found.place.inside,
                issue.severity, found.finding.reason, issue.message_id, coding.system, coding.version, coding.code,
                coding.display, text(issue), issue.diagnostics, suggestion.system, suggestion.code, suggestion.display,
            ),
            strict=True,
        )
    )  # fmt: skip


# --- streamed ---------------------------------------------------------------------------------------------------


class Ndjson:
    """A line for each finding; the last line is ``{"summary": …}`` and says whether the report is partial."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def found(self, found: Found) -> None:
        row = {name: value for name, value in _row(found).items() if value is not None}
        self._out.write(orjson.dumps(row).decode() + "\n")

    def end(self, report: Report) -> None:
        self._out.write(orjson.dumps({"summary": summary(report)}).decode() + "\n")


class Csv:
    """A row for each finding. A partial report ends with a row that says so. A text that a spreadsheet would take for a
    formula gets an apostrophe before it."""

    def __init__(self, out: IO[str]) -> None:
        self._out, self._writer = out, csv.writer(out, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self._made: dict[int, tuple[Finding, str]] = {}
        self._placed: tuple[tuple[str, str], str] = (("", ""), "")

    def found(self, found: Found) -> None:
        place = found.place
        if place.inside is not None or place.number is None:
            self._writer.writerow([_harmless(value) for value in _row(found).values()])
            return
        if (place.source, place.unit) != self._placed[0]:
            self._placed = (place.source, place.unit), _joined((_harmless(place.source), place.unit))
        self._out.write(f"{self._placed[1]},{place.number},{self._told(found)}\n")

    def _told(self, found: Found) -> str:
        """The columns after the place. Rows of a table share their findings, so these are written once."""
        made = self._made.get(id(found.finding))
        if made is None:
            if len(self._made) >= _MADE:
                self._made.clear()
            cells = [*map(_harmless, _row(found).values())][_PLACED:]
            made = self._made[id(found.finding)] = found.finding, _joined(cells)
        return made[1]

    def end(self, report: Report) -> None:
        if report.partial:
            said = {"severity": "information", "reason": "stopped", "message": SENTENCES["OWN_INPUT_STOPPED"].text}
            self._writer.writerow([said.get(name, "") for name in COLUMNS])


def _joined(cells: Iterable[Any]) -> str:
    """Some cells of a row, as they are written between others."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def _harmless(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


# --- written at the end -------------------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    """Summary, provenance and all groups."""
    whole = {
        **summary(report),
        "provenance": provenance(report),
        "groups": [_group(each) for each in report.groups],
        "further": dict(report.further),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def as_junit(report: Report) -> str:
    """One case for each group, failed where it is an error, and one that passes for what is right.

    A warning, and what cannot be judged, is a skipped case: JUnit knows nothing between passed and failed.
    """
    import xml.etree.ElementTree as ET  # noqa: PLC0415  only this format needs it

    failures = sum(each.severity in ("error", "fatal") for each in report.groups)
    skipped = sum(each.severity == "warning" for each in report.groups)
    counts = {
        "tests": str(len(report.groups) + 1),
        "failures": str(failures),
        "errors": str(int(report.partial)),
        "skipped": str(skipped),
    }
    suites = ET.Element("testsuites", {"name": PROGRAM, **counts})
    suite = ET.SubElement(
        suites, "testsuite", {"name": "terminology validate", **counts, "time": f"{report.seconds:.3f}"}
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _flat(provenance(report) | {"partial": report.partial}):
        ET.SubElement(properties, "property", {"name": _xml(name), "value": _xml(value)})
    whole = ET.SubElement(
        suite, "testcase", {"classname": "all", "name": f"{report.verdicts.get('right', 0)} records are right"}
    )
    if report.partial:
        ET.SubElement(whole, "error", {"type": "stopped", "message": SENTENCES["OWN_INPUT_STOPPED"].text})
    for group in report.groups:
        _case(suite, group)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _case(suite: ET.Element, group: Group) -> None:
    import xml.etree.ElementTree as ET  # noqa: PLC0415

    name = _xml(str(group.coding or "no code"))
    case = ET.SubElement(suite, "testcase", {"classname": _xml(group.reason), "name": name})
    told = "\n".join([*_said(group), *map(str, group.places)])
    message = {"message": _xml(f"{group.count} times: {group.said}"), "type": _xml(group.reason)}
    if group.severity in ("error", "fatal"):
        ET.SubElement(case, "failure", message).text = _xml(told)
    elif group.severity == "warning":
        ET.SubElement(case, "skipped", message).text = _xml(told)
    else:
        ET.SubElement(case, "system-out").text = _xml(told)


def _said(group: Group) -> Iterator[str]:
    yield group.said
    if group.diagnostics and group.diagnostics != group.said:
        yield group.diagnostics
    if group.suggestion:
        yield f"suggestion: {group.suggestion}"


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, list):
            for place, each in enumerate(value):
                inner = each if isinstance(each, dict) else {"": each}
                yield from ((f"{name}[{place}].{key}".rstrip("."), text_) for key, text_ in _flat(inner))
        elif value is not None:
            yield name, str(value)


def _xml(value: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", value)


def as_sarif(report: Report) -> str:
    """SARIF 2.1.0: one result for each group at its first place, the further places beside it."""
    reasons = list(dict.fromkeys(each.reason for each in report.groups))
    invocation: Json = {
        "executionSuccessful": not (report.partial or report.failed),
        "commandLine": report.provenance.command,
    }
    if report.partial:
        said = {"text": SENTENCES["OWN_INPUT_STOPPED"].text}
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": said}]
    run = {
        "tool": {
            "driver": {
                "name": PROGRAM,
                "version": report.provenance.version,
                "rules": [{"id": reason, "name": reason} for reason in reasons],
            }
        },
        "invocations": [invocation],
        "artifacts": [_artifact(each) for each in provenance(report)["inputs"]],
        "results": [_result(each, reasons.index(each.reason)) for each in report.groups],
        "properties": {"summary": summary(report), "provenance": provenance(report)},
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _artifact(read: Json) -> Json:
    made: Json = {"location": {"uri": _uri(read["name"])}}
    if read["sha256"]:
        made |= {"length": read["bytes"], "hashes": {"sha-256": read["sha256"]}}
    return made


def _result(group: Group, rule: int) -> Json:
    where = [_location(each) for each in group.places]
    made: Json = {
        "ruleId": group.reason,
        "ruleIndex": rule,
        "level": _LEVELS[group.severity],
        "message": {"text": " ".join(_said(group))},
        "occurrenceCount": group.count,
        "locations": where[:1],
        "properties": {"coding": group.coding.as_json() if group.coding else None},
    }
    if where[1:]:
        made["relatedLocations"] = [{"id": place, **each} for place, each in enumerate(where[1:], 1)]
    return made


def _location(place: Place) -> Json:
    """A row of a text is on the line below it, as long as no cell has line ends; Parquet has no lines."""
    physical: Json = {"artifactLocation": {"uri": _uri(place.source)}}
    if place.number is not None and not place.source.lower().endswith((".parquet", ".pq")):
        physical["region"] = {"startLine": place.number + (place.unit == "row")}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": str(place)}]}


def _uri(name: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415  only this format needs it

    return quote(name)


def as_html(report: Report) -> str:
    from terminology.bulk import page  # noqa: PLC0415  only this format needs it

    return page.as_html(report)


AT_END: Mapping[str, Callable[[Report], str]] = {
    "json": as_json,
    "junit": as_junit,
    "sarif": as_sarif,
    "html": as_html,
}
STREAMED: Mapping[str, Callable[[IO[str]], Stream]] = {"ndjson": Ndjson, "csv": Csv}
