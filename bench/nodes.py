"""Part nodes: two server processes over one PostgreSQL: how long after the answer to a write another node shows it.

Starts a PostgreSQL of its own (the system's packages). Writes go to one node; after the answer to each the other one is
asked until it knows the new code. Beside it: the same question again, when the node has nothing new to read.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from time import perf_counter

from bench import servers
from bench.report import CannotMeasureError, Report


def run(report: Report) -> None:
    sys.path.insert(0, str(servers.ROOT / "tests"))
    import postgresql  # noqa: PLC0415  a module of the tests

    writes = 20 if report.quick else 500
    with ExitStack() as stack:
        flags = ("--store", stack.enter_context(postgresql.cluster()), "--allow-writes", "--log-level", "error")
        started = [stack.enter_context(servers.ours(*flags, workers=1)) for _ in range(2)]
        writer, reader = (stack.enter_context(closing(connection(each))) for each in started)
        taken: dict[str, list[float]] = {"write": [], "seen by the other node": [], "asked again": []}
        for number in range(writes):
            for name, seconds in zip(taken, one(writer, reader, number), strict=True):
                taken[name].append(seconds * 1000)
        lost = [number for number in range(writes) if not known(reader, number)]
    report.table(f"{writes} writes, {len(lost)} lost", "ms", taken, beside="asked again")
    if lost:
        raise CannotMeasureError(f"{len(lost)} writes were lost")


def one(writer: HTTPConnection, reader: HTTPConnection, number: int) -> tuple[float, float, float]:
    """Seconds of a write, until the other node shows it, and of the same question again."""
    began = perf_counter()
    put(writer, number)
    answered = perf_counter()
    while not known(reader, number):
        pass
    seen = perf_counter()
    known(reader, number)
    return answered - began, seen - answered, perf_counter() - seen


def connection(server: servers.Server) -> HTTPConnection:
    return HTTPConnection(server.base.removeprefix("http://"))


def put(to: HTTPConnection, number: int) -> None:
    """One code system of its own for each write."""
    url = f"http://example.org/{number}"
    body = {"resourceType": "CodeSystem", "id": f"c{number}", "url": url, "status": "active", "content": "complete"}
    text = json.dumps({**body, "concept": [{"code": str(number)}]})
    to.request("PUT", f"/fhir/r4/CodeSystem/c{number}", text, {"Content-Type": "application/fhir+json"})
    answer = to.getresponse()
    said = answer.read()
    if answer.status != 201:
        raise CannotMeasureError(said.decode())


def known(asked: HTTPConnection, number: int) -> bool:
    asked.request("GET", f"/fhir/r4/CodeSystem/$lookup?system=http://example.org/{number}&code={number}")
    answer = asked.getresponse()
    answer.read()
    return answer.status == 200
