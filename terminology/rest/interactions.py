"""The interactions with stored resources at one endpoint: create, update, patch, delete, vread and history.

Source: https://hl7.org/fhir/R5/http.html. Headers and bodies of the answers; what happens is in ``changes``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from terminology.issues import NotFound, issue
from terminology.languages import Languages
from terminology.model import FhirVersion, Json
from terminology.rest import changes, histories
from terminology.rest.changes import Changes, Done, Matching
from terminology.rest.exchange import Answer, Asked, Gone, Service
from terminology.storage.records import Version
from terminology.wire.outcomes import operation_outcome

Handler = Callable[[Asked, str], Answer]


class Interactions:
    """The store as one endpoint speaks of it."""

    def __init__(
        self, service: Service, fhir: FhirVersion, matching: Matching, published: Callable[[str, str], Json | None]
    ) -> None:
        """``published`` gives a resource of the catalog in the form of the endpoint."""
        self.service = service
        self.changes = Changes(service, fhir, matching)
        self._published = published

    @property
    def kept(self) -> bool:
        """True where there may be a store."""
        return self.service.stored.configured

    @property
    def writable(self) -> bool:
        """True where clients may change it."""
        return self.kept and self.service.settings.allow_writes

    # --- what there is -----------------------------------------------------------------------------------------

    def current(self, kind: str, identity: str, *, published: bool) -> Version | None:
        """The stored version that is read at an address; None where the catalog has it, or nobody. Raises Gone.
        The catalog was asked before, so this process knows what is stored."""
        stored = self.service.stored
        if kind not in changes.KINDS or not stored.here:
            return None
        if stored.find(kind, identity) is None and (published or stored.empty):
            return None
        found = stored.opened().read(kind, identity)
        if found is None or (found.deleted and published):
            return None
        if found.deleted:
            raise Gone(issue("OWN_GONE", kind, identity, found.number))
        return found

    def vread(self, kind: str, _: Asked, place: str) -> Answer:
        """``place`` is ``id/version``."""
        identity, number = place.split("/")
        found = None
        if self.service.stored.here and number.isascii() and number.isdigit() and len(number) < 10:
            found = self.service.stored.opened().version(kind, identity, int(number))
        if found is None:
            raise NotFound(issue("OWN_UNKNOWN_VERSION", kind, identity, number[:20]))
        if found.deleted:
            raise Gone(issue("OWN_GONE", kind, identity, found.number))
        return Answer(200, self.changes.native(found), headers(found), modified=found.instant)

    def history(self, kind: str, asked: Asked, identity: str) -> Answer:
        """The versions of one resource, or of all of a type where ``identity`` is empty."""
        settings = self.service.settings
        wanted = histories.Wanted(asked.query, count=settings.search_count, limit=settings.search_limit)
        found: tuple[int, list[Version]] = (0, [])
        if self.service.stored.here:
            found = self.service.stored.opened().history(
                kind, identity or None, since=wanted.since, before=wanted.before, count=wanted.count
            )
        if identity and not found[0] and self._never(kind, identity):
            raise NotFound(issue("OWN_UNKNOWN_RESOURCE", kind, identity))
        place = f"{asked.base}/{kind}/{identity}/_history" if identity else f"{asked.base}/{kind}/_history"
        return Answer(200, histories.bundle(wanted, found, place, asked.base, self.changes.native))

    def _never(self, kind: str, identity: str) -> bool:
        """True where there is and was no resource of that type and id."""
        stored = self.service.stored
        if stored.here and stored.opened().read(kind, identity) is not None:
            return False
        return self._published(kind, identity) is None

    # --- changes -----------------------------------------------------------------------------------------------

    def change(self, kind: str, asked: Asked, identity: str) -> Answer:
        """Create, update, patch or delete; what is answered is on the disk."""
        return self.answered(asked, kind, self.changes.one(asked, kind, identity or None))

    def answered(self, asked: Asked, kind: str, done: Done) -> Answer:
        """The answer to a change that was done."""
        version = done.version
        if version is None or version.deleted:
            return self._deleted(asked, done)
        tags = dict(headers(version))
        tags["Location"] = f"{asked.base}/{kind}/{version.id}/_history/{version.number}"
        wanted = changes.preferred(asked, "minimal" if asked.nested else "representation")
        resource = None
        if wanted == "operationoutcome":
            resource = _outcome(done.status)
        elif wanted == "representation":
            resource = self.changes.native(version)
        return Answer(done.status, resource, tags, modified=version.instant)

    def _deleted(self, asked: Asked, done: Done) -> Answer:
        """204, and for a conditional create that found what is published, its address."""
        if done.found is not None:
            kind = asked.path.partition("?")[0].partition("/")[0]
            resource = self._published(kind, done.found)
            return Answer(200, resource, {"Location": f"{asked.base}/{kind}/{done.found}"})
        tags = {"ETag": f'W/"{done.version.number}"'} if done.version else None
        if changes.preferred(asked, "minimal") == "operationoutcome":
            return Answer(200, _outcome(204), tags)
        return Answer(204, None, tags)


def headers(version: Version) -> Mapping[str, str]:
    """ETag and Last-Modified of a version."""
    modified = format_datetime(datetime.fromisoformat(version.instant).astimezone(UTC), usegmt=True)
    return {"ETag": f'W/"{version.number}"', "Last-Modified": modified}


def _outcome(status: int) -> Json:
    return operation_outcome([changes.changed(status)], Languages.parse(None))
