"""Part bulk: rows a second of checking tables."""

from __future__ import annotations

from bench.report import CannotMeasureError, Report


def run(report: Report) -> None:  # noqa: ARG001  until there is something to measure
    raise CannotMeasureError("terminology/bulk has no measured entrance yet")
