"""Media types (BCP 13, `urn:ietf:bcp:13`): `text/html;charset=utf-8`, and whether IANA has registered them.

Grammar: RFC 6838 section 4.2, parameters as in RFC 2045. Use with FHIR: https://terminology.hl7.org/BCP13.html (a code
has no version and is its own display). The registered names lie in `sources/media-types.txt`: those that mime-db 1.54.0
marks as IANA's.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from terminology.model import (
    Canonical,
    CodeSystemInfo,
    Concept,
    Filter,
    Grammar,
    Issue,
    Miss,
    Property,
    PropertyDefinition,
)

URL = "urn:ietf:bcp:13"
LONGEST = 1000

_REGISTERED = Path(__file__).parent / "sources" / "media-types.txt"
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (a token of RFC 2045)
_TYPE = re.compile(rf"{_NAME}/{_NAME}")
_PARAMETER = re.compile(rf" ?; ?{_TOKEN}=(?:{_TOKEN}|\"(?:[^\"\\\r\n]|\\.)*\")")


@cache
def registered() -> frozenset[str]:
    """The names that IANA has registered, in lower case."""
    return frozenset(_REGISTERED.read_text(encoding="utf-8").split())


def parse(code: str) -> tuple[str, str] | int:
    """Type, in lower case, and parameters as they are written; or the place where the grammar is broken."""
    found = _TYPE.match(code)
    if found is None or len(code) > LONGEST:
        return 0
    at = found.end()
    while at < len(code):
        each = _PARAMETER.match(code, at)
        if each is None:
            return at
        at = each.end()
    return found[0].lower(), code[found.end() :]


def find(code: str) -> Concept | Miss:
    """The concept of a media type."""
    made = parse(code)
    if isinstance(made, int):
        return Miss(code, (Issue("error", "code-invalid", "invalid-code", "OWN_CODE_SYNTAX", (code, code[made:])),))
    kind, parameters = made
    name = kind + parameters
    return Concept(name, display=name, properties=(Property("registered", "Boolean", kind in registered()),))


def meant(stated: Filter) -> Filter | None:
    """HL7's filters: ``registered``, and ``base``, with which a code begins: ``text``, ``application/vnd.oasis``."""
    if stated.property != "base":
        return stated
    if stated.op != "=" or stated.value is None:
        return None
    return replace(stated, property="code", op="regex", value=rf"{re.escape(stated.value.lower())}([/.+; ].*)?")


BCP_13 = Grammar(
    CodeSystemInfo(
        canonical=Canonical(URL),
        name="BCP13",
        title="Media types (BCP 13)",
        status="active",
        case_sensitive=False,
        compositional=True,
        enumerable=False,
        value_set="http://hl7.org/fhir/ValueSet/mimetypes",
        properties=(PropertyDefinition("registered", "boolean", description="Whether IANA has registered the type."),),
        filters=(("base", ("=",)), ("registered", ("=",))),
    ),
    find,
    meant,
    values={"base": "What a media type begins with: text, application/vnd.oasis", "registered": "true or false"},
)
