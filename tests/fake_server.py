"""A FHIR server of a few resources that misbehaves as it is told, on the loopback interface."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Resource = dict[str, Any]


@dataclass
class Answer:
    """One answer: a body (a resource or bytes), a status, headers; ``cut`` ends the connection after so many bytes."""

    body: Resource | bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass
class Fake:
    """What the server holds, what it was asked, and ``twist``: the answer in place of the right one, or None."""

    resources: list[Resource]
    fhir: str = "5.0.0"
    page: int = 2
    twist: Callable[[int, str], Answer | None] = lambda _number, _path: None
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    base: str = ""
    outcome: Resource | None = None

    @property
    def searched(self) -> list[str]:
        return [path for path in self.asked if "metadata" not in path]

    def answer(self, path: str) -> Answer:
        parts = urlsplit(path)
        kind, _, identity = parts.path.removeprefix("/fhir/").partition("/")
        if kind == "metadata":
            return Answer(capabilities(self.fhir))
        held = [each for each in self.resources if each["resourceType"] == kind]
        if identity:
            found = next((each for each in held if each.get("id") == identity), None)
            return Answer(found) if found else Answer(status=404)
        start = int(parse_qs(parts.query).get("start", ["0"])[0])
        shown = held[start : start + self.page]
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": []}
        bundle["entry"] = [{"resource": each, "search": {"mode": "match"}} for each in shown]
        if self.outcome:
            bundle["entry"].append({"resource": self.outcome, "search": {"mode": "outcome"}})
        if start + self.page < len(held):
            following = f"{self.base}/{kind}?start={start + self.page}"
            bundle["link"].append({"relation": "next", "url": following})
        return Answer({key: value for key, value in bundle.items() if value})


def capabilities(fhir: str, *kinds: str) -> Resource:
    named = kinds or ("CodeSystem", "ValueSet", "ConceptMap", "NamingSystem")
    searched = [{"type": kind, "interaction": [{"code": "search-type"}]} for kind in named]
    rest = [{"mode": "server", "resource": searched}]
    return {"resourceType": "CapabilityStatement", "fhirVersion": fhir, "rest": rest}


@contextmanager
def running(fake: Fake) -> Iterator[Fake]:
    """Serves until the block ends; ``fake.base`` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append(self.path)
            fake.headers.append(dict(self.headers))
            made = fake.twist(len(fake.asked), self.path) or fake.answer(self.path)
            body = json.dumps(made.body).encode() if isinstance(made.body, dict) else made.body
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if made.cut is None else body[: made.cut])
            if made.cut is not None:
                self.wfile.flush()
                self.connection.close()
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.base = f"http://127.0.0.1:{server.server_port}/fhir"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
