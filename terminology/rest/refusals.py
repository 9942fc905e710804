"""The HTTP status of every refusal, decided here and nowhere else, and the headers that belong to some."""

from __future__ import annotations

from collections.abc import Mapping

from terminology.issues import (
    Invalid,
    NotAcceptable,
    NotAllowed,
    NotFound,
    NotSupported,
    Refusal,
    TooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
)
from terminology.rest.exchange import Conflict, Gone, HeaderTooLarge, PreconditionFailed, UrlTooLong, WrongMethod

STATUS: Mapping[type[Refusal], int] = {
    Invalid: 400,
    NotFound: 404,
    WrongMethod: 405,
    NotAllowed: 403,
    NotAcceptable: 406,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    TooLarge: 413,
    UrlTooLong: 414,
    UnsupportedMedia: 415,
    Unprocessable: 422,
    NotSupported: 422,
    HeaderTooLarge: 431,
    Unavailable: 503,
    Refusal: 400,
}
"""Of a refusal's classes the nearest one that stands here decides."""


def status(refusal: Refusal) -> int:
    return next(STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS)


def headers(refusal: Refusal) -> Mapping[str, str] | None:
    """Allow with 405, Retry-After with 503; None for the others."""
    if isinstance(refusal, WrongMethod):
        return {"Allow": ", ".join(refusal.allowed)}
    if isinstance(refusal, Unavailable):
        stated = (each for found in refusal.issues for each in found.arguments if each.isdigit())
        return {"Retry-After": next(stated, "1")}
    return None
