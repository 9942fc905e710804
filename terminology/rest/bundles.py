"""A Bundle posted to the base: a batch is answered entry by entry, in order, inside this process; a transaction is
handed on as a whole.

Source: https://hl7.org/fhir/R5/http.html#transaction. An entry's url is relative to the endpoint; hosts are
never looked at and nothing is sent anywhere. Where nothing may be changed a transaction is refused.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from http import HTTPStatus
from urllib.parse import unquote

from terminology.issues import Invalid, NotSupported, TooCostly, UnsupportedMedia, issue
from terminology.model import Issue, Json
from terminology.rest.exchange import Answer, Asked, is_resource, read
from terminology.rest.negotiation import JSON_PATCH

_CONDITIONS = {"if-none-match": "ifNoneMatch", "if-match": "ifMatch", "if-none-exist": "ifNoneExist"}
_PASSED_ON = ("accept-language", "prefer", "x-cache-id", "x-too-costly-threshold")


Transact = Callable[[Sequence[tuple[Asked, str]]], Sequence[Answer]]
"""Answers the entries of a transaction, each a request and its ``fullUrl``; raises Refusal where nothing was done."""


def answered(
    asked: Asked,
    bundle: Json | None,
    limit: int,
    answer: Callable[[Asked], Answer],
    transact: Transact | None = None,
) -> Json:
    """The response to a posted Bundle; ``answer`` answers one entry of a batch, never raising. Raises Refusal."""
    entries = _entries(asked, bundle, limit, transactions=transact is not None)
    reasons = [reason for index, entry in enumerate(entries) for reason in _wrong(entry, index)]
    if reasons:
        raise Invalid(*reasons)
    requests = [_asked(entry, asked) for entry in entries]
    kind = (bundle or {})["type"]
    if kind == "transaction" and transact is not None:
        addresses = (entry.get("fullUrl") for entry in entries)
        answers = transact([(each, str(url or "")) for each, url in zip(requests, addresses, strict=True)])
        done = [_response(each) for each in answers]
    else:
        done = [_response(answer(each)) for each in requests]
    return {"resourceType": "Bundle", "type": f"{kind}-response", **({"entry": done} if done else {})}


def _entries(asked: Asked, bundle: Json | None, limit: int, *, transactions: bool) -> list[Json]:
    kind = (bundle or {}).get("resourceType")
    if bundle is None or kind != "Bundle":
        raise Invalid(issue("OWN_WRONG_RESOURCE", "Bundle", kind or "empty"))
    if asked.nested:
        raise NotSupported(issue("OWN_BUNDLE_TYPE", "a Bundle inside a batch", "Send its entries by themselves"))
    if bundle.get("type") != "batch" and not (transactions and bundle.get("type") == "transaction"):
        remedy = "Send a Bundle of type batch" + (" or transaction" if transactions else "")
        raise NotSupported(issue("OWN_BUNDLE_TYPE", f"a Bundle of type {bundle.get('type')!r:.40}", remedy))
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Invalid(issue("OWN_MALFORMED_BODY", "Bundle.entry must be a list of objects"))
    if len(entries) > limit:
        raise TooCostly(issue("OWN_TOO_MANY", "Bundle.entry", limit, "batch_limit", at="Bundle.entry"))
    return entries


def _wrong(entry: Json, index: int) -> list[Issue]:
    request = entry.get("request")
    if not isinstance(request, dict):
        request = {}
    missing = [name for name in ("method", "url") if not isinstance(request.get(name), str)]
    if missing:
        named = " and ".join(f"request.{name}" for name in missing)
        return [issue("OWN_BUNDLE_ENTRY", index, f"{named} must be given", at=f"Bundle.entry[{index}].request")]
    if "resource" in entry and not is_resource(entry["resource"]):
        reason = "resource must be an object with resourceType"
        return [issue("OWN_BUNDLE_ENTRY", index, reason, at=f"Bundle.entry[{index}].resource")]
    return []


def _asked(entry: Json, outer: Asked) -> Asked:
    """The request of one entry, with the headers of the whole that matter to an answer."""
    request, resource = entry["request"], entry.get("resource")
    path, _, query = request["url"].partition("?")

    def header(name: str) -> str | None:
        if name in _CONDITIONS:
            stated = request.get(_CONDITIONS[name])
            return stated if isinstance(stated, str) else None
        return outer.header(name) if name in _PASSED_ON else None

    return Asked(
        method=request["method"].upper(),
        path=unquote(path).removeprefix("/"),
        query_string=query,
        base=outer.base,
        header=header,
        body=lambda: resource,
        patch=lambda: _patch(resource),
        request_id=outer.request_id,
        nested=True,
        local=outer.local,
    )


def _patch(resource: Json | None) -> Json:
    """The JSON Patch of an entry: a Binary, as https://hl7.org/fhir/R5/http.html#jsonpatch says."""
    held = resource or {}
    kind, data = str(held.get("contentType")), held.get("data")
    if (
        held.get("resourceType") != "Binary"
        or kind.partition(";")[0].strip() != JSON_PATCH
        or not isinstance(data, str)
    ):
        raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", kind[:60], f"a Binary with {JSON_PATCH}"))
    try:
        return read(b'{"resourceType":"Patch","patch":' + b64decode(data, validate=True) + b"}", "json", "R5") or {}
    except ValueError:
        raise Invalid(issue("OWN_MALFORMED_BODY", "Binary.data is not base64")) from None


def _response(answer: Answer) -> Json:
    headers = answer.headers or {}
    response: Json = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if "Location" in headers:
        response["location"] = headers["Location"]
    if "ETag" in headers:
        response["etag"] = headers["ETag"]
    if answer.modified:
        response["lastModified"] = answer.modified
    if answer.resource is None:
        return {"response": response}
    if answer.status >= 400:
        return {"response": {**response, "outcome": answer.resource}}
    return {"resource": answer.resource, "response": response}
