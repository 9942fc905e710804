"""The command: chooses the parts, prints what they find, and writes it as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from bench import servers
from bench.parts import PARTS, Part
from bench.report import CannotMeasureError, Report


def main() -> int:
    options = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    options.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; all but those that need an address or an extra")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options.add_argument("--quick", action="store_true", help="small sizes, short runs: to see that it works")
    options.add_argument("--rounds", type=int, default=5, help="turns that each way takes (5)")
    options.add_argument("--threads", type=int, default=servers.threads, help="threads of each worker (8)")
    options.add_argument("--seconds", type=float, default=2.0, help="length of one turn of a load (2)")
    options.add_argument("--workers", type=int, default=2, help="processes of each server (2)")
    options.add_argument("--peer", metavar="URL", help="part peer: the base of a running FHIR R4 terminology server")
    stated = options.parse_args()
    if unknown := sorted(set(stated.part) - set(PARTS)):
        options.error(f"there is no part {', '.join(unknown)}: {', '.join(PARTS)}")
    chosen = stated.part or [name for name, part in PARTS.items() if part.unasked or (name == "peer" and stated.peer)]
    servers.threads = stated.threads
    report, failed = Report(stated), []
    for name in chosen:
        try:
            with report.part(name, PARTS[name].asks):
                _run(PARTS[name])(report)
        except CannotMeasureError as missing:
            print(f"{name}: cannot be measured here: {missing}", file=sys.stderr)
            failed.append(name)
    if stated.json:
        stated.json.write_text(json.dumps(report.found(), indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _run(part: Part):
    return import_module(f"bench.{part.module}").run


if __name__ == "__main__":
    sys.exit(main())
