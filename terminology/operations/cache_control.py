"""$cache-control: caches of request resources (https://hl7.org/fhir/tools/OperationDefinition-cache-control.html).

``start`` makes one and draws its id, ``end`` frees it, ``check`` says whether it is still there, which counts as use.
The last two take the id from the header X-Cache-Id. What requests do with a cache is in ``guests``.
"""

from __future__ import annotations

from typing import Literal

from terminology import layers
from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import Issue, Json
from terminology.operation import Operation, Parameter
from terminology.request import Request
from terminology.wire.outcomes import operation_outcome
from terminology.wire.values import parameter, parameters, resource

Mode = Literal["start", "end", "check"]


@dataclass(frozen=True, slots=True)
class Controlled:
    """What became of a cache. ``idle`` and ``timeout`` are seconds."""

    mode: Mode
    identity: str | None = None
    sealed: bool | None = None
    valid: bool | None = None
    count: int | None = None
    idle: int | None = None
    timeout: int | None = None
    issues: tuple[Issue, ...] = ()


def run(request: Request) -> Controlled:
    """Starts, ends or checks a cache; raises Invalid without a mode or an id, TooLarge for too much."""
    mode = request.arguments.get("mode")
    if mode == "start":
        return _start(request)
    if mode not in ("end", "check"):
        raise Invalid(issue("OWN_WRONG_TYPE", "mode", "start, end or check", repr(mode)[:60], at="mode"))
    if not request.cache_id:
        raise Invalid(issue("OWN_MISSING_PARAMETER", "X-Cache-Id", "send the id of the cache in this header"))
    if mode == "check":
        return _check(request, request.cache_id)
    request.storage.caches.end(request.client, request.scope.fhir, request.cache_id)
    return Controlled("end")


def _start(request: Request) -> Controlled:
    sealed = request.arguments.flag("sealed", True)
    sent = [layers.stored(each) for each in request.arguments.all("tx-resource")]
    identity = request.storage.caches.start(request.client, request.scope.fhir, sent, sealed=sealed)
    return Controlled("start", identity, sealed)


def _check(request: Request, identity: str) -> Controlled:
    """A cache that is gone is an answer here, so that a client can tell it from a server that is down."""
    found = request.storage.caches.look(request.client, request.scope.fhir, identity)
    if found is None or not found[0].issued:
        return Controlled("check", identity, valid=False, issues=(issue("OWN_CACHE_ID_UNKNOWN", identity[:64]),))
    cache, count = found
    timeout = request.storage.bounds.cache_idle
    return Controlled("check", identity, cache.sealed, True, count, int(cache.idle), timeout)


def respond(outcome: Controlled, request: Request) -> Json:
    """Parameters: of a start the id and whether the cache is sealed, of a check what is known of it."""
    issues = operation_outcome(outcome.issues, request.scope.reader) if outcome.issues else None
    return parameters(
        (
            parameter("cache-id", "Id", outcome.identity),
            parameter("sealed", "Boolean", outcome.sealed),
            parameter("valid", "Boolean", outcome.valid),
            parameter("resource-count", "UnsignedInt", outcome.count),
            parameter("idle", "UnsignedInt", outcome.idle),
            parameter("timeout", "UnsignedInt", outcome.timeout),
            resource("outcome", issues),
        )
    )


CACHE_CONTROL = Operation(
    name="cache-control",
    resource=None,
    levels={"R4": ("system",), "R5": ("system",)},
    summary="Keep the resources that several requests need, so that they are sent once.",
    specification="http://hl7.org/fhir/tools/OperationDefinition/cache-control",
    inputs=(
        Parameter("mode", "code", "start, end or check.", versions=(), minimum=1),
        Parameter("tx-resource", "resource", "Resources to put in at the start.", repeats=True, versions=()),
        Parameter(
            "sealed",
            "boolean",
            "True (the default): the cache holds what came at the start. False: it takes up what requests bring.",
            versions=(),
        ),
    ),
    outputs=(
        Parameter("cache-id", "id", "The id to send as header X-Cache-Id.", versions=()),
        Parameter("sealed", "boolean", "Whether the cache is sealed.", versions=()),
        Parameter("valid", "boolean", "Of a check: whether the cache is there.", versions=()),
        Parameter("resource-count", "unsignedInt", "Of a check: how many resources it holds.", versions=()),
        Parameter("idle", "unsignedInt", "Of a check: seconds since the use before.", versions=()),
        Parameter("timeout", "unsignedInt", "Of a check: seconds without use after which it ends.", versions=()),
        Parameter("outcome", "resource", "Of a check: why the cache is not there.", versions=()),
    ),
    run=run,
    respond=respond,
    effect="writes",
    setting="cache_control",
)
