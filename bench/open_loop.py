"""An open-loop sender: a request goes out when it is due, not when the one before was answered.

Reads its task from standard input as JSON (bench.wrk.open_loop writes it). A request that is due while all connections
wait is sent as soon as one is free; its time counts from when it was due, so a queue is seen. Plain epoll: the sender
takes little of the machine that it shares with the server.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections import deque
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
    taken = sent(task, place.netloc, watched, free)
    taken.sort()
    percentiles = {f"p{part}": taken[int(len(taken) * part / 100)] * 1000 for part in (50, 99)}
    print(json.dumps({"requests": len(taken), **percentiles}))


def sent(task: dict[str, Any], host: str, watched: selectors.BaseSelector, free: deque[socket.socket]) -> list[float]:
    """Seconds of each request."""
    gap, count = 1 / task["rate"], int(task["rate"] * task["seconds"])
    due, received, taken = {}, {}, []
    began, number = time.perf_counter(), 0
    while len(taken) < count:
        now = time.perf_counter()
        while number < count and free and began + number * gap <= now:
            connection = free.popleft()
            connection.sendall(written(task, host, number))
            due[connection], received[connection] = began + number * gap, b""
            number += 1
        wait = max(0.0, began + number * gap - time.perf_counter()) if number < count and free else 0.05
        for key, _ in watched.select(wait):
            connection: Any = key.fileobj
            received[connection] = received.get(connection, b"") + connection.recv(262_144)
            if complete(received[connection]):
                taken.append(time.perf_counter() - due[connection])
                free.append(connection)
        if now - began > task["seconds"] * 5 + 10:
            raise SystemExit(f"only {len(taken)} of {count} requests were answered in {now - began:.0f} s")
    return taken


def written(task: dict[str, Any], host: str, number: int) -> bytes:
    drawn = task["drawn"]
    word = drawn[(task["position"] + number) % len(drawn)] if drawn else ""
    body = task["body"].replace("%s", word).encode() if task["body"] else b""
    head = f"{'POST' if body else 'GET'} {task['path'].replace('%s', word)} HTTP/1.1\r\nHost: {host}\r\n"
    if body:
        head += f"Content-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


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
