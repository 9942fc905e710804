"""When a release is in force: what the operator states, else the rule of its publisher where there is one.

Rules: the fiscal year of CMS (ICD-10-CM and -PCS releases are for discharges from 1 October to 30 September;
https://www.cms.gov/medicare/coding-billing/icd-10-codes), the calendar year (OPS, BfArM; CPT, AMA), the quarters of
HCPCS since 2020 (CMS, HCPCS quarterly update). A release of the middle of a period is stated with
``--effective-from``: it then answers from that day on, because the higher version does.
"""

from __future__ import annotations

import re
from dataclasses import replace

from terminology import dates
from terminology.importing.format import Loaded, Option, Period, Rule, Source
from terminology.issues import Invalid, issue

UNSAID: Period = (None, None)

_APRIL = re.compile(r"(?<![a-z])apr(il)?(?![a-z])", re.IGNORECASE)
FROM, TO = "effective-from", "effective-to"
OPTIONS = (
    Option(FROM, "The first day on which the release is in force; by default what its publisher's rule says."),
    Option(TO, "The last day on which it is in force."),
)


def unsaid(_: str, __: str) -> Period:
    """No rule of the publisher is known: only the operator can say."""
    return UNSAID


def fiscal_year(version: str, name: str) -> Period:
    """``2026`` → 2025-10-01 to 2026-09-30; the update of April, which its name tells, from 2026-04-01."""
    if not _is_year(version):
        return UNSAID
    start = f"{version}-04-01" if _APRIL.search(name) else f"{int(version) - 1}-10-01"
    return start, f"{version}-09-30"


def calendar_year(version: str, _: str) -> Period:
    """``2026`` → 2026-01-01 to 2026-12-31."""
    return (f"{version}-01-01", f"{version}-12-31") if _is_year(version) else UNSAID


def quarter(version: str, _: str) -> Period:
    """``2026-04`` → 2026-04-01 to 2026-06-30; before 2020 HCPCS was not released by quarters."""
    found = re.fullmatch(r"(20[2-9]\d)-(01|04|07|10)", version)
    if found is None:
        return UNSAID
    end = f"{found[1]}-{int(found[2]) + 2:02}"
    return f"{version}-01", dates.last_day(end)


def _is_year(version: str) -> bool:
    return re.fullmatch(r"(19|20)\d\d", version) is not None


def in_force(item: Loaded, source: Source, rule: Rule | None) -> Loaded:
    """The code system with its period. A bound that is stated replaces that of the rule; raises Invalid for one that is
    no day, and for an end before the start."""
    if rule is None:
        return item
    start, end = rule(item.info.canonical.version or "", f"{source.path.name} {item.source}")
    start, end = _stated(source, FROM) or start, _stated(source, TO) or end
    if start and end and dates.last_day(end) < dates.first_day(start):
        raise Invalid(issue("OWN_IMPORT_OPTION", TO, end, f"a day after {start}"))
    return replace(item, info=replace(item.info, effective_from=start, effective_to=end))


def _stated(source: Source, name: str) -> str | None:
    day: str | None = source.option(name)
    if day and not dates.known(day):
        raise Invalid(issue("OWN_IMPORT_OPTION", name, day, "a date such as 2025-10-01"))
    return day or None
