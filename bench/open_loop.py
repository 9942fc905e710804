"""A sender of its own: at a fixed rate, a request goes out when it is due, not when the one before was answered.

Reads its task from standard input as JSON (bench.wrk.open_loop writes it). First it sends as fast as answers come, over
as many connections, which is the maximum of a server that shares its cores with this sender: a lighter sender reaches
more, and 70 % of that would be more than this one can send. Then it sends at a share of it. A request that is due while
all connections wait is sent as soon as one is free; its time counts from when it was due, so a queue is seen.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice
from typing import Any
from urllib.parse import urlsplit

CONNECTIONS = 64


def main() -> None:
    task = json.load(sys.stdin)
    place = urlsplit(task["base"])
    watched = selectors.DefaultSelector()
    free: deque[socket.socket] = deque()
    for _ in range(CONNECTIONS):
        each = socket.create_connection((place.hostname, place.port))
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        each.setblocking(False)
        watched.register(each, selectors.EVENT_READ)
        free.append(each)
    requests, seconds = cycle(written(task, place.netloc)), task["seconds"]
    for _ in islice(requests, task["position"]):
        pass
    begun = time.perf_counter()
    most = len(sent(requests, 0.0, seconds, watched, free)) / (time.perf_counter() - begun)
    rate = most * task["share"]
    taken = sorted(sent(requests, 1 / rate, seconds, watched, free))
    percentiles = {f"p{part}": taken[int(len(taken) * part / 100)] * 1000 for part in (50, 99)}
    print(json.dumps({"requests": round(most * seconds) + len(taken), "most": most, **percentiles}))


def sent(
    requests: Iterator[bytes], gap: float, seconds: float, watched: selectors.BaseSelector, free: deque[socket.socket]
) -> list[float]:
    """Seconds of each request that was due within so many seconds, one every ``gap``; with none, whenever it can go."""
    due: dict[socket.socket, float] = {}
    received: dict[socket.socket, bytes] = {}
    taken: list[float] = []
    clock, ticks = time.perf_counter, count()
    began = clock()
    after, end = began, began + seconds
    while due or after < end:
        now = clock()
        while free and after <= now and after < end:
            connection = free.popleft()
            connection.sendall(next(requests))
            due[connection] = after
            after = began + next(ticks) * gap if gap else clock()
        for key, _ in watched.select(max(0.0, after - clock()) if free and after < end else 0.05):
            connection: Any = key.fileobj
            answer = received.pop(connection, b"") + connection.recv(262_144)
            if complete(answer):
                taken.append(clock() - due.pop(connection))
                free.append(connection)
            else:
                received[connection] = answer
        if now - began > seconds * 5 + 10:
            raise SystemExit(f"only {len(taken)} requests were answered in {now - began:.0f} s")
    return taken


def written(task: dict[str, Any], host: str) -> Sequence[bytes]:
    """All requests as they are sent, made before anything is measured."""
    made = []
    for word in task["drawn"] or [""]:
        body = task["body"].replace("%s", word).encode() if task["body"] else b""
        head = f"{'POST' if body else 'GET'} {task['path'].replace('%s', word)} HTTP/1.1\r\nHost: {host}\r\n"
        if body:
            head += f"Content-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n"
        made.append(head.encode() + b"\r\n" + body)
    return made


def complete(received: bytes) -> bool:
    head, ended, body = received.partition(b"\r\n\r\n")
    if not ended:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"an answer was no 200: {head[:200]!r}")
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        return len(body) >= int(lower[at + 15 :].split(b"\r\n", 1)[0])
    return body.endswith(b"0\r\n\r\n")


if __name__ == "__main__":
    main()
