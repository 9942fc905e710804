"""Part http: requests a second and processor time a request, beside a bare Flask route on the same Granian.

Hot figures never stand alone: beside each are the cold ones, the share of answers that came from the response cache,
and a run in which each query string is new. Then latency at 70 % of the own maximum.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median

from bench import servers, wrk
from bench.content import LARGE, loaded
from bench.questions import Question, questions
from bench.report import Goal, Report, turns
from bench.wrk import Load, Requests

BARE = "bare Flask, 600 bytes"
PACED = (
    "hot $lookup",
    "cold $lookup",
    "cold CodeSystem/$validate-code",
    "cold $expand of 78,000, filter, count 20",
)


def run(report: Report) -> None:
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        large = loaded(2000 if report.quick else LARGE, folder)
        flags = ["--data-dir", str(folder / "data"), "--content", str(folder / "content")]
        with servers.bare(workers=report.workers) as bare, servers.ours(*flags, workers=report.workers) as ours:
            asked = questions("/fhir/r4", large)
            compared(report, bare, ours, asked)
            at_seventy(report, {BARE: (bare, Requests("/")), **{name: (ours, asked[name].requests) for name in PACED}})


def compared(report: Report, bare: servers.Server, server: servers.Server, asked: Mapping[str, Question]) -> None:
    """Two tables over the same turns: requests a second, and a processor second of the server."""
    loads: dict[str, list[Load]] = {BARE: [], **{name: [] for name in asked}}

    def turn(name: str, at: servers.Server, requests: Requests) -> float:
        found = wrk.load(at, requests, report.seconds)
        loads[name].append(found)
        return found.per_second

    for at, each in ((bare, Requests("/")), *((server, question.requests) for question in asked.values())):
        wrk.load(at, each, 1.0)  # once unmeasured: both workers have read what they need
    ways = {BARE: partial(turn, BARE, bare, Requests("/"))}
    ways |= {name: partial(turn, name, server, question.requests) for name, question in asked.items()}
    taken = turns(ways, report.rounds)
    goals = {name: question.goal for name, question in asked.items() if question.goal}
    hits = {
        name: {"hit ratio": f"{max(each.hit for each in found):.2f}"} for name, found in loads.items() if name != BARE
    }
    report.table("wrk, 32 connections", "requests/s", taken, beside=BARE, goals=goals, more=hits)
    if not server.pid:
        return
    spent = {name: [1e6 / each.processor if each.processor else 0.0 for each in found] for name, found in loads.items()}
    costs = {name: {"µs/request": median(each.processor for each in found)} for name, found in loads.items()}
    title = "the same turns, for a second of the server's processor time (what other programs take does not count)"
    report.table(title, "requests/processor s", spent, beside=BARE, goals=goals, more=costs)


def at_seventy(report: Report, ways: Mapping[str, tuple[servers.Server, Requests]]) -> None:
    """p50 and p99 at 70 % of the maximum that this very server just reached; of bare Flask too, which tells what the
    machine and the sender on it make of it."""
    for name, (at, requests) in ways.items():
        found = [wrk.at_share(at, requests, 0.7, report.seconds) for _ in range(report.rounds)]
        series = {f"{name}, p50": [each.p50 for _, each in found], f"{name}, p99": [each.p99 for _, each in found]}
        goals = {f"{name}, p99": Goal(at_most=5)} if name != BARE else {}
        share = {f"{name}, p99": {"of the maximum": median(each for each, _ in found)}}
        title = f"latency at 70 % of the own maximum, {wrk.CALLERS} callers"
        report.table(title, "ms", series, beside=f"{name}, p50", goals=goals, more=share)
