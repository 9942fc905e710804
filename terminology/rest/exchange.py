"""One HTTP request and its answer, without a web framework; and the checks at the door.

A batch entry becomes the same ``Asked`` as a request from outside, so nothing behind this module knows the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from random import getrandbits
from typing import Protocol
from urllib.parse import unquote_plus, unquote_to_bytes

from terminology.catalog import Catalog
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotAllowed, Refusal, issue
from terminology.jobs import Bulk
from terminology.model import FhirVersion, Json
from terminology.operation import Operation
from terminology.parameters import Given
from terminology.request import Exchange, Request
from terminology.rest.negotiation import FHIR_JSON, Form, Medium
from terminology.settings import Settings
from terminology.stored import Stored
from terminology.wire import json_text

Pairs = tuple[tuple[str, str], ...]

URL_LIMIT = 8192
HEADER_LIMIT = 8192
SHORT = 4096
"""Two of these together are within all limits."""
TOKEN_LIMIT = 16_384
HEADERS_LIMIT = 100
FORM_LIMIT = 65_536
QUERY_LIMIT = 1000

PURE = "terminology.pure"
"""The key of the WSGI environ under which the door says that an answer is ``pure``."""

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._:/@=+-]")
_ENCODED_NAME = re.compile(r"(?:^|&)[^=&]*%")
_STRICT = re.compile(r"(?:^|[,;\s])handling\s*=\s*\"?strict\b", re.IGNORECASE)


class Service(Protocol):
    """What is served: its settings, its content, and the call of an operation (answered in R5 form)."""

    @property
    def settings(self) -> Settings: ...

    @property
    def stored(self) -> Stored: ...

    @property
    def bulk(self) -> Bulk: ...

    def catalog(self, fhir: FhirVersion, /) -> Catalog: ...

    def generation(self) -> object: ...

    def call(self, operation: Operation, given: Sequence[Given], exchange: Exchange, /) -> Json: ...

    def request(self, operation: Operation, given: Sequence[Given], exchange: Exchange, /) -> Request: ...


class UrlTooLong(Refusal):
    """A request target over ``URL_LIMIT``."""


class HeaderTooLarge(Refusal):
    """A header over ``HEADER_LIMIT``, or more than ``HEADERS_LIMIT`` of them."""


class Gone(Refusal):
    """A resource that was deleted."""


class Conflict(Refusal):
    """What is there does not go with the change."""


class PreconditionFailed(Refusal):
    """The condition of a change does not hold (If-Match, If-None-Match, If-None-Exist)."""


class WrongMethod(NotAllowed):
    """A known address that does not know the method; ``allowed`` are those it knows."""

    def __init__(self, method: str, path: str, allowed: tuple[str, ...], *, changes: bool = False) -> None:
        named = ", ".join(allowed)
        found = issue("OWN_METHOD_NOT_ALLOWED", method, path, named)
        super().__init__(*((issue("OWN_READ_ONLY", f"{method} {path}"),) if changes else ()), found)
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``path`` is relative to the endpoint, ``base`` the endpoint's address as its client sees it.

    ``header(name)`` takes a lower-case name. ``body()`` is the resource that was sent, in the form of the endpoint's
    FHIR version, or None where nothing was sent; ``form()`` the fields of a search that was posted, ``patch()`` a JSON
    Patch under the name ``patch``, ``pieces(limit, setting)`` the bytes of a body that is not read at once. All raise
    Refusal. ``local()`` is true for a request that a program on this machine sent to a loopback address.
    """

    method: str
    path: str
    query_string: str
    base: str
    header: Callable[[str], str | None]
    body: Callable[[], Json | None]
    form: Callable[[], Pairs] = tuple
    patch: Callable[[], Json] = dict
    pieces: Callable[[int, str], Iterator[bytes]] = lambda _limit, _setting: iter(())
    request_id: str = ""
    nested: bool = False
    local: Callable[[], bool] = bool

    @property
    def query(self) -> Pairs:
        """The query string as names and values, which are remembered; raises Invalid."""
        return pairs(self.query_string)

    def last(self, name: str) -> str | None:
        """The value of a query parameter; the last one where it repeats."""
        text = self.query_string
        if name not in text and not ("%" in text and _ENCODED_NAME.search(text)):
            return None
        return next((value for key, value in reversed(self.query) if key == name), None)

    @property
    def strict(self) -> bool:
        """True under ``Prefer: handling=strict``."""
        return is_strict(self.header("prefer"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: ``resource`` in the form of the endpoint's FHIR version, or None for an answer without a body.

    ``bare`` is a body that is no resource. ``modified`` is the instant of the resource's last change. ``pure``: another
    request with the same address, query and headers gets the same, as long as the content does not change.
    """

    status: int
    resource: Json | None = None
    headers: Mapping[str, str] | None = None
    medium: Medium = FHIR_JSON
    pretty: bool = False
    bare: bytes | None = None
    modified: str | None = None
    pure: bool = False


def is_strict(prefer: str | None) -> bool:
    """True for a Prefer header with ``handling=strict``."""
    return prefer is not None and _STRICT.search(prefer) is not None


@lru_cache(maxsize=256)
def pairs(query: str) -> Pairs:
    """A query string or form as names and values; raises Invalid for what is not UTF-8, has NUL or is too much."""
    if not query:
        return ()
    if "\0" in query or "%00" in query:
        raise Invalid(issue("OWN_MALFORMED_QUERY", "it holds a NUL character"))
    fields = query.split("&")
    if len(fields) > QUERY_LIMIT:
        raise Invalid(issue("OWN_MALFORMED_QUERY", f"it has more than {QUERY_LIMIT} parameters"))
    try:
        return tuple(_pair(each) for each in fields if each)
    except UnicodeDecodeError:
        raise Invalid(issue("OWN_MALFORMED_QUERY", "its percent-encoding is not UTF-8")) from None


def _pair(field: str) -> tuple[str, str]:
    name, _, value = field.partition("=")
    return decoded(name), decoded(value)


def decoded(text: str) -> str:
    """One side of a pair, as forms encode it (https://url.spec.whatwg.org/#application/x-www-form-urlencoded)."""
    if "%" not in text and "+" not in text:
        return text
    if text.isascii():
        return unquote_to_bytes(text.replace("+", " ")).decode()
    return unquote_plus(text, errors="strict")


def check_head(environ: Mapping[str, object]) -> None:
    """Refuses a request target or headers over the limits (a WSGI server may let 64 KiB through)."""
    long = [each for each in environ.values() if each.__class__ is str and len(each) > SHORT]
    if not long and len(environ) <= HEADERS_LIMIT:
        return
    query, path = str(environ.get("QUERY_STRING", "")), str(environ.get("PATH_INFO", ""))
    if len(query) + len(path) > URL_LIMIT:
        raise UrlTooLong(issue("OWN_URL_TOO_LONG", URL_LIMIT))
    count = 0
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            count += 1
            limit = TOKEN_LIMIT if name == "HTTP_AUTHORIZATION" else HEADER_LIMIT
            if isinstance(value, str) and len(value) > limit:
                raise HeaderTooLarge(issue("OWN_HEADER_TOO_LARGE", name[5:].replace("_", "-").title(), limit))
    if count > HEADERS_LIMIT:
        raise HeaderTooLarge(issue("OWN_TOO_MANY_HEADERS", HEADERS_LIMIT))


def request_id(sent: str | None) -> str:
    """The client's X-Request-Id without what could forge a log line, at most 128 characters; else a new one."""
    kept = _NOT_IN_ID.sub("", sent[:128]) if sent else ""
    return kept or f"{getrandbits(128):032x}"  # unlikely to come twice is all that is asked of it


def read(body: bytes, form: Form, fhir: FhirVersion) -> Json | None:
    """The resource in a body, None where it is empty; raises Invalid that says where it breaks."""
    if not body or body.isspace():
        return None
    try:
        if form == "json":
            found = json_text.read(body)
        else:
            from terminology.wire.xml import from_xml  # noqa: PLC0415  lxml is loaded when XML comes

            found = from_xml(body, fhir)
    except json_text.Malformed as broken:
        raise Invalid(issue("OWN_MALFORMED_BODY", broken)) from None
    if not isinstance(found, dict):
        raise Invalid(issue("OWN_WRONG_RESOURCE", "FHIR", f"a JSON {_json_type(found)}"))
    if not is_resource(found):
        raise Invalid(issue("OWN_WRONG_RESOURCE", "FHIR", "an object without resourceType"))
    return found


def is_resource(value: object) -> bool:
    """True for a JSON object that says which resource it is."""
    kind = value.get("resourceType") if isinstance(value, dict) else None
    return isinstance(kind, str) and bool(kind)


def _json_type(value: object) -> str:
    if isinstance(value, list):
        return "array"
    return "text" if isinstance(value, str) else "value"


@lru_cache(maxsize=256)
def threshold(header: str | None) -> int | None:
    """X-TOO-COSTLY-THRESHOLD as a number; what is none counts as absent."""
    return int(header) if header and re.fullmatch(r"\d{1,9}", header.strip()) else None
