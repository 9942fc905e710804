"""Two server processes over one PostgreSQL: how long after the answer to a write another node shows it; nothing lost.

    .venv/bin/python bench/two_nodes.py [--writes 500]

Starts a PostgreSQL of its own (the system's packages) and two nodes with one worker each. Writes go to one node; after
the answer to each the other one is asked until it knows the new code. Beside it: the same question asked again, when
the node has nothing new to read.
"""

import argparse
import json
import os
import sys
import time
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import postgresql
from servers import clean_environment, free_port, serving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--writes", type=int, default=500)
    writes = parser.parse_args().writes
    with ExitStack() as stack:
        url = stack.enter_context(postgresql.cluster())
        folder = Path(stack.enter_context(TemporaryDirectory()))
        writer, reader = (stack.enter_context(closing(node(stack, folder, url))) for _ in range(2))
        write, delay, quiet, asked = [], [], [], 0
        for number in range(writes):
            started = time.perf_counter()
            put(writer, number)
            answered = time.perf_counter()
            while True:
                asked += 1
                if known(reader, number):
                    break
            seen = time.perf_counter()
            known(reader, number)
            write.append(answered - started)
            delay.append(seen - answered)
            quiet.append(time.perf_counter() - seen)
        lost = [number for number in range(writes) if not known(reader, number)]
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{writes} writes, {asked} questions until they were seen, {len(lost)} lost; load {load}")
    for name, values in (("write", write), ("seen by the other node", delay), ("asked again", quiet)):
        values.sort()
        middle, high = values[len(values) // 2], values[int(len(values) * 0.99)]
        print(f"{name:24} median {middle * 1000:6.2f} ms   p99 {high * 1000:6.2f} ms   max {values[-1] * 1000:6.2f} ms")


def node(stack: ExitStack, folder: Path, url: str) -> HTTPConnection:
    port = free_port()
    environment = clean_environment(TERMINOLOGY_STORE=url, TERMINOLOGY_WORKERS="1", TERMINOLOGY_LOG_LEVEL="error")
    command = [sys.executable, "-m", "terminology", "serve", "--port", str(port), "--allow-writes"]
    stack.enter_context(serving(command, port, folder=folder, environment=environment))
    return HTTPConnection("127.0.0.1", port)


def put(connection: HTTPConnection, number: int) -> None:
    """One code system of its own for each write."""
    url = f"http://example.org/{number}"
    body = {"resourceType": "CodeSystem", "id": f"c{number}", "url": url, "status": "active", "content": "complete"}
    text = json.dumps({**body, "concept": [{"code": str(number)}]})
    connection.request("PUT", f"/fhir/r4/CodeSystem/c{number}", text, {"Content-Type": "application/fhir+json"})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    answer.read()


def known(connection: HTTPConnection, number: int) -> bool:
    connection.request("GET", f"/fhir/r4/CodeSystem/$lookup?system=http://example.org/{number}&code={number}")
    answer = connection.getresponse()
    answer.read()
    return answer.status == 200


if __name__ == "__main__":
    main()
