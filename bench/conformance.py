"""Part conformance: wall time of HL7's cases against a running server, with the tests' own runner.

The cases are not part of the repository: TX_TESTS names their folder (CONTRIBUTING.md).
"""

from __future__ import annotations

import sys
from time import perf_counter

from bench import servers
from bench.report import CannotMeasureError, Report


def run(report: Report) -> None:
    sys.path.insert(0, str(servers.ROOT / "tests"))
    from ecosystem import live  # noqa: PLC0415  a folder of the tests

    if not live.here():
        raise CannotMeasureError(live.WHERE)
    wall: dict[str, list[float]] = {}
    with servers.ours(workers=report.workers) as ours:
        for _ in range(report.rounds):
            for fhir in ("R4", "R5"):
                client, began, count, failed = live.Recording(ours.base + live.PATHS[fhir], fhir), perf_counter(), 0, 0
                for suite in live.suites(fhir):
                    failed += len(live.run(client, suite).failed)
                    chosen = live.tests().select(live.MODES, client.fhir_version, suite=suite)
                    count += sum(len(cases) for _, cases in chosen)
                name = f"{fhir}: {count - failed} of {count} cases, strict"
                wall.setdefault(name, []).append(perf_counter() - began)
        hits, requests = ours.hits()
    report.table("wall time, the reading of every answer by fhir.resources included", "s", wall)
    if requests:
        report.say(f"{hits:,.0f} of {requests:,.0f} answers came from the response cache")
