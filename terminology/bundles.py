"""A Bundle posted to the base: a batch is answered entry by entry, in order, inside this process.

Source: https://hl7.org/fhir/R5/http.html#transaction. An entry's url is relative to the endpoint; hosts are
never looked at and nothing is sent anywhere. A transaction is refused: nothing here could change yet.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

from terminology.exchange import Answer, Asked, is_resource
from terminology.issues import Invalid, NotSupported, TooCostly, issue
from terminology.model import Issue, Json

_PASSED_ON = ("accept-language", "prefer", "x-cache-id", "x-too-costly-threshold")


def answered(asked: Asked, bundle: Json | None, limit: int, answer: Callable[[Asked], Answer]) -> Json:
    """The batch-response to a posted Bundle; ``answer`` answers one entry, never raising. Raises Refusal."""
    entries = _entries(asked, bundle, limit)
    reasons = [reason for index, entry in enumerate(entries) for reason in _wrong(entry, index)]
    if reasons:
        raise Invalid(*reasons)
    done = [_response(answer(_asked(entry, asked))) for entry in entries]
    return {"resourceType": "Bundle", "type": "batch-response", **({"entry": done} if done else {})}


def _entries(asked: Asked, bundle: Json | None, limit: int) -> list[Json]:
    kind = (bundle or {}).get("resourceType")
    if bundle is None or kind != "Bundle":
        raise Invalid(issue("OWN_WRONG_RESOURCE", "Bundle", kind or "empty"))
    if asked.nested:
        raise NotSupported(issue("OWN_BUNDLE_TYPE", "a Bundle inside a batch", "Send its entries by themselves"))
    if bundle.get("type") != "batch":
        remedy = "Send a Bundle of type batch"
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
    tag = request.get("ifNoneMatch")

    def header(name: str) -> str | None:
        if name == "if-none-match":
            return tag if isinstance(tag, str) else None
        return outer.header(name) if name in _PASSED_ON else None

    return Asked(
        method=request["method"].upper(),
        path=unquote(path).removeprefix("/"),
        query_string=query,
        base=outer.base,
        header=header,
        body=lambda: resource,
        request_id=outer.request_id,
        nested=True,
    )


def _response(answer: Answer) -> Json:
    headers = answer.headers or {}
    response: Json = {"status": f"{answer.status} {HTTPStatus(answer.status).phrase}"}
    if "ETag" in headers:
        response["etag"] = headers["ETag"]
    if answer.modified:
        response["lastModified"] = answer.modified
    if answer.resource is None:
        return {"response": response}
    if answer.status >= 400:
        return {"response": {**response, "outcome": answer.resource}}
    return {"resource": answer.resource, "response": response}
