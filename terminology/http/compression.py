"""Which coding a client takes (RFC 9110 section 12.5.3), and the bytes in it: gzip or as they are.

ETags here are weak, and a weak one names what is said and not its bytes, so one tag stands for both codings.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import Literal

Coding = Literal["identity", "gzip"]

LEVEL = 5
"""zlib's: 6 takes half as long again for 1 % less of our answers."""
_GZIP = ("gzip", "x-gzip")


@lru_cache(maxsize=256)
def wanted(accept_encoding: str) -> tuple[Coding, bool]:
    """The coding that a client prefers, and whether it forbids the other. What cannot be read counts as absent."""
    weights = dict(_weighted(item) for item in accept_encoding.split(","))
    other = weights.get("*")
    packed = max((weights[name] for name in _GZIP if name in weights), default=other or 0.0)
    plain = weights.get("identity", other if other == 0 else None)
    if packed <= 0:
        return "identity", True
    return ("identity" if plain is not None and plain > packed else "gzip"), plain == 0


def _weighted(item: str) -> tuple[str, float]:
    name, _, parameters = item.partition(";")
    weight = 1.0
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            weight = _number(value.strip())
    return name.strip().lower(), weight


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def suits(accept_encoding: str, length: int, least: int) -> bool:
    """True where a body of that length goes out packed; ``least`` is the shortest that is worth it, 0 for none."""
    coding, only = wanted(accept_encoding)
    return coding == "gzip" and least > 0 and (only or length >= least)


def packed(body: bytes) -> bytes:
    """The same bytes for the same body: no time stands in them."""
    return gzip.compress(body, LEVEL, mtime=0)
