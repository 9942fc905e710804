"""A report as one HTML page that stands alone: no script, nothing that is fetched, charts as SVG.

Whatever comes from the data goes through ``_Markup.text``; only the parts written here are markup.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from terminology.bulk.report import PROGRAM, SEVERITIES, Group, Report, counted
from terminology.model import Coding
from terminology.procedures.records import Verdict

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Only the style that stands in the page applies; nothing else is loaded, run or sent."""

_BARS = 12
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_VERDICTS: Mapping[Verdict, str] = {"right": "right", "wrong": "wrong", "unjudged": "cannot be judged"}
_MARKS = {"fatal": "✕", "error": "✕", "warning": "!", "information": "i"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --faint: #5a6675; --line: #ccd3dc; --box: #f4f6f9;
  --right: #1b7f4d; --wrong: #b3261e; --unjudged: #8a5a00; --information: #2f5fa8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --paper: #14181f; --faint: #a3afbf; --line: #3a4452;
  --box: #1d232d; --right: #55c48b; --wrong: #ff8a80; --unjudged: #e5b04b; --information: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 64rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
code, .place { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
.flag { white-space: nowrap; }
.faint { color: var(--faint); }
.banner { border: 2px solid var(--unjudged); padding: .5rem .75rem; font-weight: 600; }
.bar { display: flex; height: 1.25rem; width: 100%; overflow: hidden; border: 1px solid var(--line); }
svg { display: block; width: 100%; max-width: 100%; margin-bottom: .6rem; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.fill-right { fill: var(--right); } .fill-wrong, .fill-error, .fill-fatal { fill: var(--wrong); }
.fill-unjudged, .fill-warning { fill: var(--unjudged); } .fill-information { fill: var(--information); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; list-style: none; padding: 0; margin: .5rem 0; }
.legend b { font-variant-numeric: tabular-nums; }
.chip { display: inline-block; min-width: 1.4em; text-align: center; font-weight: 700; border: 1px solid; }
.right { color: var(--right); } .wrong, .error, .fatal { color: var(--wrong); }
.unjudged, .warning { color: var(--unjudged); } .information { color: var(--information); }
section.group { border: 1px solid var(--line); border-left-width: .4rem; padding: .6rem .8rem; margin: .6rem 0;
  background: var(--box); break-inside: avoid; }
section.fatal, section.error { border-left-color: var(--wrong); } section.group { color: var(--ink); }
section.warning { border-left-color: var(--unjudged); } section.information { border-left-color: var(--information); }
.places { margin: .25rem 0 0; padding: 0; list-style: none; }
dl { display: grid; grid-template-columns: minmax(7rem, auto) 1fr; gap: .15rem 1rem; margin: 0; padding: .75rem;
  border: 1px solid var(--line); background: var(--box); }
dt { font-weight: 600; } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } h1 { font-size: 1.3rem; } }
@media (forced-colors: active) { section.group, .bar, dl, .chip { border-color: CanvasText; }
  svg rect { fill: CanvasText; stroke: Canvas; } svg text { fill: CanvasText; } }
@media print { body { max-width: none; padding: 0; color: #000; background: #fff; } }
"""


def as_html(report: Report) -> str:
    """The whole page."""
    verdict = _verdict(report)
    parts = [
        f"<h1>{_text(verdict)}</h1>",
        *_banners(report),
        *_counts(report),
        *_reasons(report),
        "<h2>Findings</h2>",
        *_findings(report),
        "<h2>How this report was made</h2>",
        *_provenance(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_text(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(verdict)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    """Text as markup that shows it, without characters that could hide or turn what stands around it."""
    return html.escape("".join(_harmless(character) for character in str(value)))


def _harmless(character: str) -> str:
    if character in "\t\r\n":
        return " "
    forbidden = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI
    return "\N{REPLACEMENT CHARACTER}" if forbidden else character


def _verdict(report: Report) -> str:
    wrong, unjudged = report.verdicts.get("wrong", 0), report.verdicts.get("unjudged", 0)
    records = counted(report.records)
    if wrong:
        said = f"{wrong:,} of {records} {'is' if wrong == 1 else 'are'} wrongly coded"
    elif unjudged:
        said = f"Nothing wrong was found, and {unjudged:,} of {records} cannot be judged"
    else:
        said = f"All {records} are rightly coded" if report.records != 1 else "The record is rightly coded"
    return f"Partial: {said}" if report.partial else said


def _banners(report: Report) -> Iterator[str]:
    if report.partial:
        yield '<p class="banner">The run was stopped. This report holds for what was read until then.</p>'
    if report.failed:
        yield '<p class="banner">Not every file could be read. The findings say which.</p>'
    yield (
        '<p class="faint">A code that cannot be judged never counts as right. A clean report is neither a billing '
        "decision nor a decision on medical necessity.</p>"
    )


# --- charts ----------------------------------------------------------------------------------------------------


def _counts(report: Report) -> Iterator[str]:
    """The records by verdict, as one bar and in numbers."""
    yield "<h2>Records</h2>"
    total, at = max(report.records, 1), 0.0
    rects = []
    for verdict, words in _VERDICTS.items():
        wide = 1000 * report.verdicts.get(verdict, 0) / total
        if wide:
            drawn = max(wide, 2)
            rects.append(f'<rect class="fill-{verdict}" x="{min(at, 998):.2f}" y="0" width="{drawn:.2f}" height="24">'
                         f"<title>{words}</title></rect>")  # fmt: skip
        at += wide
    label = ", ".join(f"{report.verdicts.get(each, 0):,} {words}" for each, words in _VERDICTS.items())
    yield (
        f'<svg viewBox="0 0 1000 24" preserveAspectRatio="none" height="24" role="img" aria-label="{_text(label)}">'
        + "".join(rects)
        + "</svg>"
    )
    yield _legend((each, report.verdicts.get(each, 0), words, report.records) for each, words in _VERDICTS.items())
    if report.skipped:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.skipped.items()))
        yield f'<p class="faint">Passed over, since there are no codes in them to judge: {_text(kinds)}.</p>'


def _legend(entries: Iterable[tuple[str, int, str, int]]) -> str:
    items = (
        f'<li><b class="{name}">{count:,}</b> {_text(words)} <span class="faint">({_share(count, total)})</span></li>'
        for name, count, words, total in entries
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _share(count: int, total: int) -> str:
    if not total or not count:
        return "0 %"
    share = 100 * count / total
    return f"{share:.1f} %" if share >= 0.1 else "under 0.1 %"


def _reasons(report: Report) -> Iterator[str]:
    """The findings by reason, the worst and then the most frequent first, as bars with their numbers."""
    counted: dict[tuple[str, str], int] = {}
    for group in report.groups:
        key = group.severity, group.reason
        counted[key] = counted.get(key, 0) + group.count
    if not counted:
        return
    most = sorted(counted.items(), key=lambda each: (SEVERITIES.index(each[0][0]), -each[1]))
    yield f"<h2>Findings by reason ({report.findings:,})</h2>"
    highest = max(counted.values())
    rows = "".join(_bar(severity, reason, count, highest) for (severity, reason), count in most[:_BARS])
    yield f'<div class="reasons">{rows}</div>'
    if len(most) > _BARS:
        yield f'<p class="faint">{len(most) - _BARS} further reasons are among the findings below.</p>'


def _bar(severity: str, reason: str, count: int, highest: int) -> str:
    wide = max(1000 * count / highest, 3)
    return (
        f"<p>{_chip(severity)} <b>{count:,}</b> "
        f'{_text(reason)} <span class="faint">({severity})</span></p>'
        f'<svg viewBox="0 0 1000 10" preserveAspectRatio="none" height="10" aria-hidden="true">'
        f'<rect class="fill-{severity}" x="0" y="0" width="{wide:.2f}" height="10"/></svg>'
    )


def _chip(severity: str) -> str:
    """A mark beside the name of a severity, which says the same."""
    return f'<span class="chip {severity}" title="{severity}" aria-hidden="true">{_MARKS[severity]}</span>'


# --- findings --------------------------------------------------------------------------------------------------


def _findings(report: Report) -> Iterator[str]:
    if not report.groups:
        yield "<p>None.</p>"
        return
    yield (
        '<p class="faint">Equal findings stand together: the same reason about the same code. Each names its first '
        'places; <code class="flag">--report csv=FILE</code> and <code class="flag">--report ndjson=FILE</code> '
        "list every one.</p>"
    )
    for severity in SEVERITIES:
        yield from (_group(each) for each in report.groups if each.severity == severity)
    for reason, count in sorted(report.further.items()):
        yield f"<p>{count:,} further findings of reason {_text(reason)} are counted, but not listed by code.</p>"


def _group(group: Group) -> str:
    code = f" <code>{_text(_coding(group.coding))}</code>" if group.coding else ""
    mark = _chip(group.severity)
    times = "time" if group.count == 1 else "times"
    parts = [
        f"<h3>{mark} {_text(group.reason)}{code}</h3>",
        f"<p><b>{group.count:,}</b> {times}, {group.severity}</p>",
        f"<p>{_text(group.said)}</p>",
    ]
    if group.diagnostics and group.diagnostics != group.said:
        parts.append(f'<p class="faint">{_text(group.diagnostics)}</p>')
    if group.suggestion:
        label = f" ({group.suggestion.display})" if group.suggestion.display else ""
        parts.append(f"<p>Probably meant: <code>{_text(_coding(group.suggestion))}</code>{_text(label)}</p>")
    shown = "".join(f'<li class="place">{_text(place)}</li>' for place in group.places)
    more = group.count - len(group.places)
    parts.append(f'<ol class="places">{shown}</ol>')
    if more > 0:
        parts.append(f'<p class="faint">and {more:,} more</p>')
    return f'<section class="group {group.severity}">{"".join(parts)}</section>'


def _coding(coding: Coding) -> str:
    return str(coding).removesuffix("#")


# --- provenance ------------------------------------------------------------------------------------------------


def _provenance(report: Report) -> Iterator[str]:
    made = report.provenance
    rows: dict[str, Iterable[object]] = {
        "Command": [made.command],
        "Begun": [f"{made.begun}, {report.seconds:,.1f} s"],
        "Program": [f"{PROGRAM} {made.version}, FHIR {made.fhir}"],
        "Releases used": report.used or ["none"],
        "Value set": [made.value_set or "none asked for"],
        "Date": [made.date or "that of each record"],
        "Profile": [f"{made.profile}, {counted(report.profiled)}" if made.profile else "none asked for"],
    }
    yield "<dl>" + "".join(_pair(name, values) for name, values in rows.items()) + _inputs(report) + "</dl>"


def _pair(name: str, values: Iterable[object]) -> str:
    return f"<dt>{_text(name)}</dt><dd>{'<br>'.join(_text(each) for each in values)}</dd>"


def _inputs(report: Report) -> str:
    parts = []
    for each in report.inputs:
        size = f", {each.size:,} bytes" if each.size is not None else ""
        distinct = f", {each.distinct:,} distinct codings" if each.distinct is not None else ""
        digest = f"SHA-256 {each.digest}" if each.digest else "not read to its end"
        parts.append(_pair("Input", [each.name, f"{counted(each.records)}{distinct}{size}", digest]))
    return "".join(parts)
