"""Records that are judged later, over HTTP: kick-off, status, cancel and the files of results.

Sources: https://hl7.org/fhir/R5/async-bulk.html and, for R4, https://hl7.org/fhir/uv/bulkdata/STU2/export.html. Every
answer may speak of patients, so none may be kept by a cache. A job that is another client's is answered as one that is
not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from uuid import uuid4

from terminology import jobs
from terminology.issues import (
    Invalid,
    NotAcceptable,
    NotFound,
    NotSupported,
    Refusal,
    Unavailable,
    UnsupportedMedia,
    issue,
)
from terminology.jobs import Bulk, sending
from terminology.languages import Languages
from terminology.model import FhirVersion, Json
from terminology.operations.validate_bulk import VALIDATE_BULK
from terminology.parameters import Given, from_parameters, from_query
from terminology.request import Exchange, client
from terminology.rest.exchange import Answer, Asked, Service
from terminology.rest.negotiation import FORMS
from terminology.storage.records import Job, Part
from terminology.wire import json_text
from terminology.wire.outcomes import operation_outcome
from terminology.wire.r4 import from_r4

START = f"${VALIDATE_BULK.name}"
STATUS, RESULT = f"{START}-status", f"{START}-result"
NDJSON = "application/fhir+ndjson"
NO_STORE = {"Cache-Control": "no-store"}
"""Of every answer under these addresses, refusals too (``endpoint``)."""
LONGEST_WAIT = 30
"""Seconds that a client is asked to wait at most."""

_LINES = (NDJSON, "application/ndjson", "application/x-ndjson", "text/ndjson", "text/x-ndjson")
_GZIP = ("application/gzip", "application/x-gzip")
_RESULT = re.compile(r"([0-9a-f]{32})\.(outcomes|errors)-(\d{1,6})\.ndjson")
_LATER = re.compile(r"(?:^|[,;\s])respond-async\b", re.IGNORECASE)
_TYPES = f"{NDJSON} (also with gzip), or application/fhir+json with a Bundle or Parameters"


class Jobs:
    """The jobs of one service as one endpoint speaks of them."""

    def __init__(self, service: Service, fhir: FhirVersion) -> None:
        self._service = service
        self._fhir: FhirVersion = fhir

    @property
    def _bulk(self) -> Bulk:
        bulk = self._service.bulk
        bulk.check()
        return bulk

    # --- kick-off ------------------------------------------------------------------------------------------

    def start(self, asked: Asked, _: str) -> Answer:
        """Takes the records of a request as a job; 202 with the address of its status. Raises Refusal."""
        bulk = self._bulk
        if asked.nested:
            raise NotSupported(issue("OWN_BULK_NESTED"))
        if not _LATER.search(asked.header("prefer") or ""):
            raise Invalid(issue("OWN_BULK_PREFER"))
        given, lines = self._sent(asked)
        exchange = self._exchange(asked)
        VALIDATE_BULK.run(self._service.request(VALIDATE_BULK, given, exchange))
        job = self._job(asked, given, client(exchange))
        records = self._take(bulk, job, lines)
        bulk.run()
        place = f"{asked.base}/{STATUS}/{job.id}"
        said = operation_outcome([issue("OWN_BULK_ACCEPTED", records, place)], _languages(asked))
        return Answer(202, said, {"Content-Location": place})

    def _sent(self, asked: Asked) -> tuple[list[Given], Iterator[bytes]]:
        """The parameters of a request, and its records as lines."""
        given = from_query(asked.query)
        settings = self._service.settings
        kind = (asked.header("content-type") or NDJSON).partition(";")[0].strip().lower()
        coding = (asked.header("content-encoding") or "identity").strip().lower()
        limit = (settings.bulk_bytes, "bulk_bytes")
        if kind in (*_LINES, *_GZIP):
            pieces = asked.pieces(*limit)
            if kind in _GZIP or coding == "gzip":
                pieces = sending.gunzipped(pieces, *limit)
            elif coding != "identity":
                raise UnsupportedMedia(
                    issue("OWN_UNSUPPORTED_MEDIA_TYPE", coding[:40], "it with gzip, or uncompressed")
                )
            return given, sending.lines(pieces, settings.body_limit, "body_limit")
        if kind not in FORMS:
            raise UnsupportedMedia(issue("OWN_UNSUPPORTED_MEDIA_TYPE", kind[:200], _TYPES))
        resource = asked.body() or {}
        more, records = _of_resource(resource)
        parameters = {"resourceType": "Parameters", "parameter": more}
        given += from_parameters(from_r4(parameters) if self._fhir == "R4" else parameters)
        return given, sending.written(records)

    def _job(self, asked: Asked, given: list[Given], owner: str) -> Job:
        request = f"{asked.base}/{asked.path}" + (f"?{asked.query_string}" if asked.query_string else "")
        instant = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stated = jobs.written(given)
        return Job(uuid4().hex, owner, self._fhir, request, stated, asked.header("accept-language"), instant)

    def _take(self, bulk: Bulk, job: Job, lines: Iterator[bytes]) -> int:
        """Keeps the records of a job, chunk by chunk; how many they are. Of one that breaks off nothing stays."""
        settings = self._service.settings
        held = bulk.jobs
        held.sweep()
        held.open(job, settings.bulk_jobs)
        records = number = 0
        try:
            for number, chunk in enumerate(sending.chunks(lines, settings.bulk_records, "bulk_records"), 1):
                held.add(job.id, number - 1, chunk)
                records += chunk.records
            held.ready(job.id, records, number)
        except BaseException as failed:
            with suppress(Unavailable):
                held.end(job.id)
            if isinstance(failed, Refusal):
                _read_to_the_end(lines)
            raise
        return records

    # --- afterwards ----------------------------------------------------------------------------------------

    def status(self, asked: Asked, identity: str) -> Answer:
        """202 with how far a job is, 200 with the manifest of what was found, 500 for one that was given up."""
        bulk, job = self._found(asked, identity)
        if job.state == "failed":
            said = operation_outcome([issue("OWN_BULK_FAILED", job.problem)], _languages(asked))
            return Answer(500, said)
        if job.state == "done":
            made = json_text.write(_manifest(job, bulk.jobs.parts(job.id), asked.base))
            headers = {"Expires": _expires(job), "Content-Type": "application/json; charset=utf-8"}
            return Answer(200, headers=headers, bare=made)
        bulk.run()  # a job that another process left is taken up here
        return Answer(202, None, {"X-Progress": _progress(job), "Retry-After": str(_wait(job))})

    def cancel(self, asked: Asked, identity: str) -> Answer:
        """Removes a job with all that was sent and found, done or not."""
        bulk, job = self._found(asked, identity)
        bulk.jobs.end(job.id)
        return Answer(202, operation_outcome([issue("OWN_BULK_CANCELLED")], _languages(asked)))

    def result(self, asked: Asked, name: str) -> Answer:
        """One file of results, as NDJSON."""
        named = _RESULT.fullmatch(name)
        bulk, job = self._found(asked, named[1] if named else name)
        found = b"".join(bulk.jobs.texts(job.id, named[2], int(named[3]))) if named and job.state == "done" else b""
        if not found:
            raise NotFound(issue("OWN_BULK_UNKNOWN", name, self._service.settings.bulk_kept, "bulk_kept"))
        if not accepts_lines(asked.header("accept")):
            raise NotAcceptable(issue("OWN_NOT_ACCEPTABLE", (asked.header("accept") or "")[:200], NDJSON))
        return Answer(200, headers={"Expires": _expires(job), "Content-Type": NDJSON}, bare=found)

    def _exchange(self, asked: Asked) -> Exchange:
        """What surrounds the parameters, and tells whose a job is."""
        return Exchange(self._fhir, "system", accept_language=asked.header("accept-language"), strict=asked.strict)

    def _found(self, asked: Asked, identity: str) -> tuple[Bulk, Job]:
        bulk = self._bulk
        if asked.nested:
            raise NotSupported(issue("OWN_BULK_NESTED"))
        job = bulk.jobs.find(client(self._exchange(asked)), identity)
        if job is None:
            raise NotFound(issue("OWN_BULK_UNKNOWN", identity, self._service.settings.bulk_kept, "bulk_kept"))
        return bulk, job


def _read_to_the_end(lines: Iterator[bytes]) -> None:
    """A client that is still sending would see the connection break, and not the refusal."""
    with suppress(Refusal):
        for _ in lines:
            pass


def accepts_lines(accept: str | None) -> bool:
    """True where NDJSON is an answer that the client takes (JSON is near enough for those that cannot say more)."""
    wanted = {each.partition(";")[0].strip().lower() for each in (accept or "*/*").split(",")}
    return bool(wanted & {*_LINES, "*/*", "application/*", "application/fhir+json", "application/json"})


def _of_resource(resource: Json) -> tuple[list[Json], list[Json]]:
    """The parameters and the records of a Bundle, of Parameters, or of a single record."""
    kind = resource.get("resourceType")
    if kind not in ("Bundle", "Parameters"):
        return [], [resource] if resource else []
    listed = resource.get("entry" if kind == "Bundle" else "parameter", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise Invalid(issue("OWN_MALFORMED_BODY", f"{kind}: its entries must be a list of objects"))
    if kind == "Bundle":
        return [], [each["resource"] for each in listed if isinstance(each.get("resource"), dict)]
    records = [each["resource"] for each in listed if each.get("name") == "resource" and "resource" in each]
    return [each for each in listed if each.get("name") != "resource"], records


def _manifest(job: Job, parts: list[Part], base: str) -> Json:
    """https://hl7.org/fhir/R5/async-bulk.html#3.2.6.4.5"""

    def files(kind: str) -> list[Json]:
        return [
            {
                "type": "OperationOutcome",
                "url": f"{base}/{RESULT}/{job.id}.{kind}-{part.number}.ndjson",
                "count": part.records,
            }
            for part in parts
            if part.kind == kind
        ]

    return {
        "transactionTime": job.instant,
        "request": job.request,
        "requiresAccessToken": False,
        "output": files("outcomes"),
        "error": files("errors"),
    }


def _expires(job: Job) -> str:
    """When the job and its results are removed, as HTTP says it."""
    left = datetime.now(UTC).timestamp() + job.expires - job.now
    return format_datetime(datetime.fromtimestamp(left, UTC), usegmt=True)


def _progress(job: Job) -> str:
    if job.state == "receiving":
        return "being sent"
    return f"{job.judged} of {job.records} records"


def _wait(job: Job) -> int:
    """Seconds until it is worth asking again: a quarter of what is left at the pace so far."""
    if not job.judged or job.started is None:
        return 1
    left = (job.now - job.started) / job.judged * (job.records - job.judged)
    return max(1, min(LONGEST_WAIT, round(left / 4)))


def _languages(asked: Asked) -> Languages:
    try:
        return Languages.parse(asked.header("accept-language"))
    except Refusal:
        return Languages()
