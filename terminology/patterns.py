"""Regular expressions from the outside: compiled by a linear-time engine, never by a backtracking one."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from terminology.issues import Invalid, issue

LONGEST = 512


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """A pattern with ``fullmatch``; raises Invalid for what cannot run in linear time."""
    if len(pattern) > LONGEST:
        raise Invalid(issue("OWN_PATTERN_REFUSED", pattern[:40] + "…", f"it is longer than {LONGEST} characters"))
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as refused:
        reason = refused.args[0] if refused.args else "it is not understood"
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise Invalid(issue("OWN_PATTERN_REFUSED", ascii(pattern), said)) from None


def fullmatch(pattern: str, text: str) -> bool:
    """True when the whole text matches; a text that is no Unicode (a lone surrogate) never does."""
    try:
        return compiled(pattern).fullmatch(text) is not None
    except UnicodeEncodeError:
        return False
