"""Create, update, patch and delete of stored resources, one at a time or in a transaction.

Sources: https://hl7.org/fhir/R5/http.html#create, #update, #patch, #delete; RFC 6902. A resource is stored in the FHIR
version in which it was sent. What is wrong with it is said with every reason, before anything is changed; what depends
on what is stored (If-Match, a canonical that is taken) is judged when nobody else can write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

from terminology.acceptance import flaws
from terminology.frozen import dataclass
from terminology.issues import Invalid, NotAllowed, NotFound, Refusal, Unprocessable, issue
from terminology.model import Canonical, FhirVersion, Issue, Json
from terminology.rest.exchange import Asked, Conflict, Gone, Pairs, PreconditionFailed, Service, pairs
from terminology.rest.search_terms import terms
from terminology.storage.records import CanonicalTaken, Head, Version, Writer
from terminology.wire import json_text
from terminology.wire.r4 import from_r4, to_r4

KINDS = ("CodeSystem", "ValueSet", "ConceptMap", "NamingSystem")
"""The types that clients may change."""

_TAG = re.compile(r'(?:W/)?"?(\d{1,18})"?')
_RETURN = re.compile(r"(?:^|[,;\s])return\s*=\s*\"?(minimal|representation|OperationOutcome)\b", re.IGNORECASE)

Matching = Callable[[str, Pairs], Sequence[str]]
"""The ids of the resources of a type that a search finds, two at most."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was understood. ``identity`` is None for a resource that gets its id here."""

    method: str
    kind: str
    identity: str | None
    resource: Json | None = None
    patch: Json | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_none_exist: Pairs = ()
    published: bool = False
    """True where the operator publishes a resource of that type and id."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a change did. ``version`` is None where there was nothing to delete; ``found``: an id that a conditional
    create found."""

    status: int
    version: Version | None = None
    found: str | None = None


class Changes:
    """The changes of one endpoint."""

    def __init__(self, service: Service, fhir: FhirVersion, matching: Matching) -> None:
        self._service = service
        self._fhir: FhirVersion = fhir
        self._matching = matching

    def understood(self, asked: Asked, kind: str, identity: str | None) -> Change:
        """The change that a request asks for; raises Refusal with every reason."""
        if not asked.local():
            raise NotAllowed(issue("OWN_WRITES_ON_LOOPBACK", asked.method))
        header = asked.header
        change = Change(
            method=asked.method,
            kind=kind,
            identity=identity,
            patch=asked.patch() if asked.method == "PATCH" else None,
            if_match=header("if-match"),
            if_none_match=header("if-none-match"),
            published=identity is not None and self._published(kind, identity),
            if_none_exist=pairs((header("if-none-exist") or "").partition("?")[2] or header("if-none-exist") or ""),
        )
        if asked.method not in ("POST", "PUT"):
            return change
        resource = asked.body()
        if resource is None:
            raise Invalid(issue("OWN_MALFORMED_BODY", f"it is empty. Send a {kind}"))
        if resource["resourceType"] != kind:
            raise Invalid(issue("OWN_WRONG_RESOURCE", kind, resource["resourceType"]))
        if identity is not None and resource.get("id") != identity:
            said = repr(resource["id"])[:80] if "id" in resource else "none"
            raise Invalid(issue("OWN_WRONG_ID", said, identity, at=f"{kind}.id"))
        return replace(change, resource=self.valid(resource))

    def valid(self, resource: Json) -> Json:
        """The resource; raises Unprocessable with every reason for which it cannot be stored."""
        if found := flaws(resource, self._fhir):
            raise Unprocessable(*found)
        return resource

    def r5(self, resource: Json) -> Json:
        return from_r4(resource) if self._fhir == "R4" else resource

    # --- one change --------------------------------------------------------------------------------------------

    def one(self, asked: Asked, kind: str, identity: str | None) -> Done:
        """Does what a request asks for; it is on the disk when this returns. Raises Refusal."""
        change = self.understood(asked, kind, identity)
        try:
            with self._service.stored.opened().write() as writing:
                return self.apply(writing, change, self.matched(change))
        except CanonicalTaken as taken:
            raise Conflict(issue("OWN_CANONICAL_TAKEN", kind, taken.args[0], "?")) from taken

    def matched(self, change: Change) -> Sequence[str]:
        """What the condition of a conditional create finds; asked under the lock, before anything is changed."""
        return self._matching(change.kind, change.if_none_exist) if change.if_none_exist else ()

    def apply(self, writing: Writer, change: Change, matched: Sequence[str] = ()) -> Done:
        """Does a change in one that is under way; raises Refusal."""
        if change.method == "POST":
            return self._create(writing, change, matched)
        assert change.identity is not None
        before = writing.current(change.kind, change.identity)
        there = before is not None and not before.deleted
        _check(change, before if there else None)
        if change.method == "DELETE":
            return self._delete(writing, change, before)
        if change.method == "PATCH":
            if before is None or before.deleted:
                raise _missing(change, before)
            patched = self._patched(change, before)
            return Done(200, self._put(writing, "PATCH", patched, change.identity, before))
        assert change.resource is not None
        made = self._put(writing, "PUT", change.resource, change.identity, before)
        return Done(200 if there else 201, made)

    def _create(self, writing: Writer, change: Change, matched: Sequence[str]) -> Done:
        if len(matched) > 1:
            raise PreconditionFailed(issue("OWN_SEVERAL_MATCH", change.kind, "If-None-Exist"))
        if matched:
            return Done(200, writing.current(change.kind, matched[0]), matched[0])
        assert change.resource is not None
        identity = change.identity or str(uuid4())
        return Done(201, self._put(writing, "POST", change.resource, identity, None))

    def _delete(self, writing: Writer, change: Change, before: Version | None) -> Done:
        identity = change.identity or ""
        if before is None and change.published:
            raise NotAllowed(issue("OWN_PUBLISHED", change.kind, identity))
        if before is None or before.deleted:
            return Done(204, before)
        number = before.number + 1
        gone = Version(change.kind, identity, number, writing.generation, "DELETE", writing.instant, before.fhir, "")
        writing.put(gone, before, Head(), {})
        return Done(204, gone)

    def _put(self, writing: Writer, method: str, resource: Json, identity: str, before: Version | None) -> Version:
        kind = resource["resourceType"]
        number = before.number + 1 if before else 1
        meta = {**resource.get("meta", {}), "versionId": str(number), "lastUpdated": writing.instant}
        rest = {name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")}
        whole = {"resourceType": kind, "id": identity, "meta": meta, **rest}
        form = self.r5(whole)
        url, version = form.get("url"), form.get("version")
        canonical = str(Canonical(url, version)) if url else None
        if canonical and (owner := writing.owner(kind, canonical)) and owner != identity:
            raise Conflict(issue("OWN_CANONICAL_TAKEN", kind, canonical, owner))
        head = Head(canonical, url, version, form.get("name"), form.get("title"), form.get("status"))
        text = json_text.write(whole).decode()
        made = Version(kind, identity, number, writing.generation, method, writing.instant, self._fhir, text)
        writing.put(made, before, head, terms(form))
        return made

    def _patched(self, change: Change, before: Version) -> Json:
        """What a JSON Patch makes of a resource, in the form of this endpoint."""
        from jsonpatch import JsonPatch, JsonPatchException  # noqa: PLC0415  few requests are patches
        from jsonpointer import JsonPointerException  # noqa: PLC0415

        listed = (change.patch or {}).get("patch")
        if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
            raise Invalid(issue("OWN_PATCH_FAILED", "it must be a list of objects (RFC 6902)"))
        try:
            made = JsonPatch(listed).apply(self.native(before))
        except (JsonPatchException, JsonPointerException, TypeError, ValueError, KeyError, IndexError) as wrong:
            said = " ".join(str(wrong).split())[:200]
            raise Unprocessable(issue("OWN_PATCH_FAILED", said or type(wrong).__name__)) from wrong
        fixed = {"resourceType": change.kind, "id": change.identity}
        for name, value in fixed.items():
            if not isinstance(made, dict) or made.get(name) != value:
                raise Unprocessable(issue("OWN_PATCH_FAILED", f"{name} must stay {value}"))
        return self.valid(made)

    # --- what there is -----------------------------------------------------------------------------------------

    def native(self, version: Version) -> Json:
        """A stored version as this endpoint speaks of it: as it was sent, where that was in this FHIR version."""
        resource = json_text.read(version.text.encode())
        if version.fhir == self._fhir:
            return resource
        return from_r4(resource) if version.fhir == "R4" else to_r4(resource)

    def _published(self, kind: str, identity: str) -> bool:
        catalog = self._service.catalog(self._fhir)
        return catalog.find_resource(kind, identity) is not None


def _missing(change: Change, held: Version | None) -> Refusal:
    """The refusal for a resource that cannot be patched."""
    if held is not None:
        return Gone(issue("OWN_GONE", change.kind, change.identity, held.number))
    if change.published:
        return NotAllowed(issue("OWN_PUBLISHED", change.kind, change.identity))
    return NotFound(issue("OWN_UNKNOWN_RESOURCE", change.kind, change.identity))


def _check(change: Change, before: Version | None) -> None:
    """Refuses a change whose condition does not hold."""
    wanted = change.if_match
    if wanted is not None and wanted.strip() != "*":
        tag = _TAG.fullmatch(wanted.strip())
        if tag is None:
            raise Invalid(issue("OWN_MALFORMED_TAG", wanted[:60]))
        if before is None or int(tag[1]) != before.number:
            held = f"version {before.number}" if before else "no version"
            raise PreconditionFailed(issue("OWN_VERSION_CONFLICT", change.kind, change.identity, held, tag[1]))
    elif wanted is not None and before is None:
        raise PreconditionFailed(issue("OWN_VERSION_CONFLICT", change.kind, change.identity, "no version", "any"))
    if change.if_none_match is not None and change.if_none_match.strip() == "*" and before is not None:
        held = f"version {before.number}"
        raise PreconditionFailed(issue("OWN_VERSION_CONFLICT", change.kind, change.identity, held, "none"))


def preferred(asked: Asked, default: str) -> str:
    """What is answered to a change: minimal, representation or operationoutcome."""
    found = _RETURN.search(asked.header("prefer") or "")
    return found[1].lower() if found else default


def changed(status: int) -> Issue:
    """The issue that tells what a change did."""
    return issue("OWN_CHANGED", {200: "stored", 201: "created", 204: "deleted"}.get(status, "done"))
