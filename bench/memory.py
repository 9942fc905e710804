"""Part memory: what a worker holds, how soon a started process answers, and how much it imports.

The first correct answer is a ``$lookup`` that is asked until it is answered with 200; beside it bare Flask on the same
Granian. "All open systems" are loaded as a user does it, from the packages of the extras ``content-*``; where they are
not installed the figure is left out and said to be.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import servers, wrk
from bench.content import child
from bench.questions import CPT, SMALL
from bench.report import CannotMeasureError, Goal, Report, turns
from bench.wrk import Requests, unseen

LOOKUP = f"/fhir/r4/CodeSystem/$lookup?system={CPT}&code=38232"
MIX = (
    LOOKUP,
    f"/fhir/r4/CodeSystem/$validate-code?url={CPT}&code=38230",
    f"/fhir/r4/ValueSet/$expand?url={SMALL}",
    f"/fhir/r5/ValueSet/$validate-code?url={SMALL}&system={CPT}&code=38230",
    "/fhir/r5/CodeSystem?_count=5",
    "/fhir/r5/metadata",
)
OPEN = (
    "/fhir/r4/CodeSystem/$lookup?system=http://hl7.org/fhir/sid/icd-10-cm&code=D61.9",
    "/fhir/r4/ValueSet/$expand?url=http://hl7.org/fhir/sid/icd-10-cm?fhir_vs&filter=marrow&count=20",
    "/fhir/r4/CodeSystem/$lookup?system=urn:iso:std:iso:3166&code=DE",
    "/fhir/r5/CodeSystem/$validate-code?url=urn:iso:std:iso:639:-3&code=deu",
)
"""Asked besides where the open systems are loaded."""
PROGRAM = "import sys; {}; print(len(sys.modules))"
APPS = {
    "bare Flask app": "import bench.bare",
    "terminology.create_app()": "import terminology; terminology.create_app()",
    "and a $lookup": f"import terminology; terminology.create_app().test_client().get('{LOOKUP}')",
}


def run(report: Report) -> None:
    begun(report)
    modules = {name: [imported(program)] for name, program in APPS.items()}
    report.table("imported modules of a process", "modules", modules, beside="bare Flask app")
    with tempfile.TemporaryDirectory() as held:
        resident(report, "serving the published codes", (), 70)
        data = Path(held) / "data"
        try:
            child([str(servers.PROGRAMS / "terminology"), "install", "--all", "--data-dir", str(data), "--quiet"])
        except CannotMeasureError as missing:
            report.say(f"all open systems are not measured: {missing}")
        else:
            resident(report, "with all open systems loaded", ("--data-dir", str(data)), 120)


def begun(report: Report) -> None:
    """Process start to first answer; once unmeasured, so that both are in the page cache and compiled."""
    bare = "bare Flask, one worker"
    ways: dict[str, Callable[[], float]] = {
        bare: partial(started, servers.bare, workers=1),
        "ours, one worker": partial(started, servers.ours, workers=1, ready=LOOKUP),
        "ours, two workers": partial(started, servers.ours, workers=2, ready=LOOKUP),
    }
    taken = {name: values[1:] for name, values in turns(ways, report.rounds + 1).items()}
    report.table("process start to first correct answer", "s", taken, goals={"ours, two workers": Goal(at_most=1)})
    goals = {"ours, one worker": Goal(at_most=4)}
    report.table("the same", "s", {name: taken[name] for name in list(ways)[:2]}, beside=bare, goals=goals)


def started(server: Callable[..., object], **options: object) -> float:
    with server(**options) as found:  # type: ignore[attr-defined]
        return float(found.started)


def imported(program: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(program)], capture_output=True, text=True, check=True, cwd=servers.ROOT
    )
    return float(done.stdout)


def resident(report: Report, what: str, flags: tuple[str, ...], goal: int) -> None:
    """RSS of the workers idle, after a load of mixed requests, and after as many unseen ones as fill the cache."""
    with servers.ours(*flags, workers=report.workers, ready=LOOKUP) as server:
        held = {"idle": sizes(server)}
        for path in (*MIX, *(OPEN if flags else ())):
            wrk.load(server, Requests(path), report.seconds)
        held["after a load of several addresses"] = sizes(server)
        spoiled = Requests(f"{LOOKUP}&_unseen=%s", unseen())
        for _ in range(report.rounds):
            wrk.load(server, spoiled, 2 * report.seconds)
        held["after unseen requests"] = sizes(server)
        least = statistics.mean(servers.proportional(pid) for pid in server.workers())
    goals = {name: Goal(at_most=goal) for name in held}
    report.table(f"RSS of a worker {what}", "MB", held, goals=goals)
    report.say(f"shared pages divided among the processes (PSS) at the end: {least:.0f} MB a worker")


def sizes(server: servers.Server) -> list[float]:
    return [servers.megabytes(pid) for pid in server.workers()]
