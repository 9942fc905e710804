"""The same cases under other names: what is sent is renamed, what comes back is renamed back, and judged as ever.

A renaming is one-to-one over texts and keeps their order, since answers list some things in the order of their names.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any
from urllib.parse import parse_qsl, urlencode

import requests
from ecosystem.live import WithoutCache
from ecosystem.runner.client import Reply, Request
from ecosystem.runner.jsonio import dumps, loads

Change = Callable[[str], str]


@dataclass(frozen=True)
class Renaming:
    """Two changes of JSON text: of what is sent, and back, of what is answered."""

    there: Change
    back: Change


def _lettered(text: str, table: dict[int, int]) -> str:
    """Every ``code1`` of a text with other letters, capitals as capitals."""
    return re.sub(r"(?i)(?<![a-z])(?:code|kxqm)(?=\d)", lambda found: found[0].translate(table), text)


_OTHER = str.maketrans("codeCODE", "kxqmKXQM")
_SAME = str.maketrans("kxqmKXQM", "codeCODE")
_VERSION = re.compile(r"""(?<=[|"'])(\d)(?=\.(?:\d+|[xX*?])(?:[.\-+][\w.*?+-]+)?[|"' ,])""")
_NEWER = re.compile(r"(?<![\w.:])2(\d)(?=\.(?:\d|[xX*?]))")

URLS = Renaming(
    lambda text: re.sub(r"http://hl7\.org/fhir/(tests?)/(\w+)/", r"http://example.net/\1/\2/z", text),
    lambda text: re.sub(r"http://example\.net/(tests?)/(\w+)/z", r"http://hl7.org/fhir/\1/\2/", text),
)
CODES = Renaming(lambda text: _lettered(text, _OTHER), lambda text: _lettered(text, _SAME))
VERSIONS = Renaming(lambda text: _VERSION.sub(r"2\1", text), lambda text: _NEWER.sub(r"\1", text))
"""Twenty major versions on: ``0.1.0`` becomes ``20.1.0``."""


def together(*renamings: Renaming) -> Renaming:
    """Several renamings as one."""

    def there(text: str) -> str:
        return reduce(lambda done, each: each.there(done), renamings, text)

    def back(text: str) -> str:
        return reduce(lambda done, each: each.back(done), reversed(renamings), text)

    return Renaming(there, back)


class Renamed(WithoutCache):
    """A client that speaks other names."""

    def __init__(self, base: str, fhir: str, renaming: Renaming) -> None:
        self.renaming = renaming
        self.renamed = 0
        super().__init__(base, fhir)

    def operation(self, request: Request, headers: dict[str, str]) -> Reply:
        there = self.renaming.there
        query = request.query and urlencode([(name, there(value)) for name, value in parse_qsl(request.query)])
        sent = [there(text) for text in request.parameters]
        self.renamed += sent != request.parameters
        return super().operation(Request(request.path, sent, query, request.root), headers)

    def batch(self, bundle: dict[str, Any]) -> Reply:
        return super().batch(loads(self.renaming.there(dumps(bundle))))

    def _payload(self, response: requests.Response) -> dict[str, Any]:
        response._content = self.renaming.back(response.text).encode()
        return super()._payload(response)


class Reordered(WithoutCache):
    """A client that sends the resources of a request, and the includes of every value set, in the opposite order."""

    def operation(self, request: Request, headers: dict[str, str]) -> Reply:
        sent = [text for text in request.parameters if text.startswith('{"name":"tx-resource"')]
        rest = [text for text in request.parameters if text not in sent]
        turned = [dumps(_opposite(loads(text))) for text in [*sent[::-1], *rest]]
        return super().operation(Request(request.path, turned, request.query, request.root), headers)


def _opposite(held: Any) -> Any:
    if isinstance(held, list):
        return [_opposite(entry) for entry in held]
    if not isinstance(held, dict):
        return held
    made = {name: _opposite(value) for name, value in held.items()}
    for name in ("include", "exclude"):
        if isinstance(made.get(name), list):
            made[name] = made[name][::-1]
    return made
