"""The one door to the network: GET of JSON from one server, whose name an operator wrote.

Nothing leaves for another origin (scheme, host and port): redirects are not followed, and an address elsewhere is not
asked. Headers with credentials go to that origin alone and into no message, log or file; ``.netrc`` is not read. The
addresses of private networks are allowed, since the operator named the server: never take a base from a request.
Proxies and certificates follow requests (``HTTPS_PROXY``, ``REQUESTS_CA_BUNDLE``).
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from terminology.frozen import dataclass
from terminology.issues import Invalid, NotFound, Refusal, TooLarge, Unavailable, issue

AGAIN = frozenset((429, 502, 503, 504))
_OURS = frozenset(("accept", "accept-encoding", "connection", "content-length", "host", "transfer-encoding"))
_PORTS = {"http": 80, "https": 443}
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for; seconds, but for ``attempts``."""

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0
    told: float = 300.0
    connect: float = 10.0
    read: float = 60.0
    whole: float = 600.0


class Gone(NotFound):
    """The server no longer has what it once offered (404, 410)."""


class _Again(NamedTuple):
    """Why to ask again, the seconds that the server wants, and what it answered where that came whole."""

    why: str
    after: float | None = None
    body: bytes | None = None


class Origin:
    """A server. ``get`` is patient; what it raises says what to do."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        patience: Patience = Patience(),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises Invalid for what is no address, and for a header that cannot be sent."""
        parts = _address(base)
        self.base = base.rstrip("/")
        self._origin = _origin(parts)
        self._patience, self._say = patience, say
        self._session = requests.Session()
        self._session.auth = _nothing
        self._session.headers.update({"Accept": "application/fhir+json, application/json;q=0.9"})
        for name, value in headers.items():
            self._session.headers[name] = _sendable(name, value)
        self.plain = bool(headers) and parts.scheme == "http"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def within(self, url: str, at: str) -> str:
        """An address that a page names, absolute; raises Invalid where it is another server's."""
        found = url
        try:
            found = urljoin(at, url).partition("#")[0]
            parts = urlsplit(found)
            plain = not parts.username and not parts.password and all("!" <= letter != "\\" for letter in found)
            same = plain and _origin(parts) == self._origin
        except ValueError:
            same = False
        if not same:
            raise Invalid(issue("OWN_PULL_ORIGIN", at, found[:500]))
        return found

    def get(self, url: str, most: int) -> bytes:
        """The body, of at most so many bytes. Busy servers and broken connections are asked again, and so are those
        whose answer is no JSON object: where it stays so it is given as it is."""
        url = self.within(url, self.base)
        why, body = "", None
        for attempt in range(self._patience.attempts):
            wait = min(self._patience.longest, self._patience.first * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311
            try:
                found = self._ask(url, most)
            except (requests.RequestException, HTTPError) as failed:
                why = _reason(failed)
            else:
                if isinstance(found, bytes):
                    return found
                why, told, body = found
                wait = wait if told is None else told
            if wait > self._patience.told:
                raise Unavailable(issue("OWN_PULL_LATER", url, round(wait)))
            if attempt + 1 < self._patience.attempts:
                self._say(f"{url}: {why}; asking again in {wait:.1f} s")
                time.sleep(wait)
        if body is not None:
            return body
        raise Unavailable(issue("OWN_PULL_GAVE_UP", url, self._patience.attempts, why))

    def _ask(self, url: str, most: int) -> bytes | _Again:
        """The body, or why to ask again."""
        times = (self._patience.connect, self._patience.read)
        with self._session.get(url, timeout=times, stream=True, allow_redirects=False) as answer:
            if answer.status_code in AGAIN:
                return _Again(f"it answered {answer.status_code}", _told(answer.headers.get("Retry-After")))
            if answer.is_redirect or 300 <= answer.status_code < 400:
                raise Invalid(issue("OWN_PULL_REDIRECT", url, answer.headers.get("Location", "")[:500]))
            body = self._body(answer, url, most)
            if answer.status_code != 200:
                raise _refusal(url, answer.status_code, body)
            if not body.rstrip().endswith(b"}"):
                return _Again("the answer was cut short, or is no JSON object", body=None if _cut(body) else body)
            return body

    def _body(self, answer: requests.Response, url: str, most: int) -> bytes:
        """Blocks are small, so that a body that unpacks to very much is noticed."""
        end = time.monotonic() + self._patience.whole
        if "," in answer.headers.get("Content-Encoding", ""):
            raise Invalid(issue("OWN_PULL_NOT_FHIR", url, "plain body", "it is packed more than once"))
        found = bytearray()
        for block in answer.iter_content(_BLOCK):
            found += block
            if len(found) > most:
                raise TooLarge(issue("OWN_PULL_TOO_LARGE", url, most))
            if time.monotonic() > end:
                raise requests.Timeout(f"the answer took longer than {self._patience.whole:.0f} s")
        return bytes(found)


def _cut(body: bytes) -> bool:
    """True for the beginning of a JSON object; a whole one with something behind it is none."""
    text = body.decode("utf-8", "surrogateescape").strip()
    try:
        json.JSONDecoder(strict=False).raw_decode(text)
    except RecursionError:
        return False
    except ValueError:
        return text.startswith("{") or not text
    return False


def _address(base: str) -> SplitResult:
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError as wrong:
        raise Invalid(issue("OWN_PULL_ADDRESS", base, wrong)) from wrong
    if parts.username or parts.password:
        shown = parts._replace(netloc=f"{parts.hostname}:{port}" if port else str(parts.hostname)).geturl()
        raise Invalid(issue("OWN_PULL_ADDRESS", shown, "a name or password stands in it; use --header"))
    if parts.scheme not in _PORTS or not parts.hostname:
        raise Invalid(issue("OWN_PULL_ADDRESS", base, "it starts with neither http:// nor https://"))
    if parts.query or parts.fragment or any(letter <= " " for letter in base):
        raise Invalid(issue("OWN_PULL_ADDRESS", base, "it has ?, # or a space"))
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def _sendable(name: str, value: str) -> str:
    """The value; a message about it names the header and nothing of its value."""
    plain = name.isascii() and name and all(letter.isalnum() or letter in "-_" for letter in name)
    if not plain or name.lower() in _OURS:
        raise Invalid(issue("OWN_PULL_HEADER", name if plain else "with that name", "it is not for you to set"))
    if not value or any(not " " <= letter <= "~" for letter in value):
        raise Invalid(issue("OWN_PULL_HEADER", name, "its value is empty or has letters beyond ASCII"))
    return value


def _nothing(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In the place of what requests would find in .netrc."""
    return request


def _told(stated: str | None) -> float | None:
    """Seconds that a Retry-After asks for (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)."""
    if not stated:
        return None
    if stated.strip().isdecimal():
        return float(stated.strip()[:9])
    try:
        then = parsedate_to_datetime(stated)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def _refusal(url: str, status: int, body: bytes) -> Refusal:
    said = ""
    try:
        first = json.loads(body)["issue"][0]
        said = f": {first.get('diagnostics') or first['details']['text']}"[:300]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        pass
    kind = Gone if status in (404, 410) else Invalid
    return kind(issue("OWN_PULL_STATUS", url, status, printable(said)))


def _reason(failed: Exception) -> str:
    """Why, in a few words: requests repeats addresses and objects."""
    if isinstance(failed, requests.exceptions.SSLError):
        return f"no trusted connection ({printable(str(failed))[-200:]})"
    if isinstance(failed, requests.Timeout):
        return "it took too long"
    if isinstance(failed, requests.exceptions.ConnectionError):
        return "no connection"
    return "the connection broke"


def printable(text: str) -> str:
    """What others wrote, without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
