"""One FHIR endpoint (one version, one base): which address means what, and who answers it.

The routes are one table made at start from the operation table and the kinds of resources: an address is looked
up, never matched. ``Endpoint.answer`` serves requests from outside and the entries of a batch alike, and never
raises.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from itertools import islice

from terminology.capabilities import Statements
from terminology.catalog import Catalog
from terminology.definitions import definition
from terminology.described import completed
from terminology.issues import Invalid, NotFound, Refusal, issue
from terminology.languages import Languages
from terminology.model import FhirVersion, Issue, Json
from terminology.operation import Level, Operation
from terminology.parameters import Given, from_parameters, from_query
from terminology.request import Exchange
from terminology.rest import bundles, changes, jobs, search, search_parameters
from terminology.rest.exchange import Answer, Asked, Pairs, Service, WrongMethod, threshold
from terminology.rest.interactions import Interactions
from terminology.rest.negotiation import FHIR_JSON, Medium, accepted, short
from terminology.rest.questions import Questions
from terminology.rest.refusals import headers, status
from terminology.rest.search_index import Index
from terminology.rest.transactions import Transactions
from terminology.stored import read
from terminology.wire import json_text
from terminology.wire.outcomes import operation_outcome
from terminology.wire.r4 import answer_to_r4, from_r4, to_r4

Handler = Callable[[Asked, str], Answer]

log = logging.getLogger(__name__)

_ID = "{id}"
_IDENTITY = re.compile(r"[A-Za-z0-9.-]{1,64}")
_CHANGES = ("PUT", "PATCH", "DELETE")


class Endpoint:
    """The content and operations of one service as one FHIR version speaks of them."""

    def __init__(self, service: Service, fhir: FhirVersion, operations: Sequence[Operation]) -> None:
        self.service = service
        self.fhir = fhir
        on = [each for each in operations if each.setting is None or getattr(service.settings, each.setting)]
        self.operations = tuple(each for each in on if each.levels.get(fhir))
        self.definitions = tuple(definition(each, fhir) for each in self.operations)
        self.statements = Statements(fhir, self.operations, service.settings, search_parameters.of, self._out)
        self.index = Index(service, fhir)
        self.interactions = Interactions(service, fhir, self._matching, self._found)
        self.transactions = Transactions(self.interactions, self.answer, self._understood, self._held)
        self.jobs = jobs.Jobs(service, fhir)
        self.questions = Questions(service, fhir)
        self.routes = self._routes()
        self._listed: dict[str, tuple[Catalog, list[Json]]] = {}

    # --- routes --------------------------------------------------------------------------------------------

    def _routes(self) -> Mapping[str, Mapping[str, Handler]]:
        routes: dict[str, dict[str, Handler]] = {
            "": {"GET": self._base, "POST": self._batch, "OPTIONS": self._metadata},
            "metadata": {"GET": self._metadata, "OPTIONS": self._metadata},
            "$versions": {"GET": self._versions, "POST": self._versions},
        }
        for kind in search.KINDS:
            routes[kind] = {"GET": partial(self._search, kind)}
            routes[f"{kind}/_search"] = {"POST": partial(self._search, kind)}
            routes[f"{kind}/{_ID}"] = {"GET": partial(self._read, kind)}
        if self.interactions.kept:
            for kind in changes.KINDS:
                self._keep(routes, kind)
        routes[jobs.START] = {"POST": self.jobs.start}
        routes[f"{jobs.STATUS}/{_ID}"] = {"GET": self.jobs.status, "DELETE": self.jobs.cancel}
        routes[f"{jobs.RESULT}/{_ID}"] = {"GET": self.jobs.result}
        for operation in self.operations:
            for level in operation.levels[self.fhir]:
                if operation.later:
                    continue
                handler = partial(self._operate, operation, level)
                methods = ("GET", "POST") if operation.asked_by_get else ("POST",)
                routes[_address(operation, level)] = dict.fromkeys(methods, handler)
        return routes

    def _keep(self, routes: dict[str, dict[str, Handler]], kind: str) -> None:
        """The routes of a type that is stored."""
        held = self.interactions
        routes[f"{kind}/_history"] = {"GET": partial(held.history, kind)}
        routes[f"{kind}/{_ID}/_history"] = {"GET": partial(held.history, kind)}
        routes[f"{kind}/{_ID}/_history/{_ID}"] = {"GET": partial(held.vread, kind)}
        if held.writable:
            change = partial(held.change, kind)
            routes[kind]["POST"] = change
            routes[f"{kind}/{_ID}"].update(dict.fromkeys(_CHANGES, change))

    def _find(self, asked: Asked) -> tuple[Handler, str]:
        """The handler of a request and the id in its address; raises NotFound and WrongMethod."""
        path, identity = asked.path, ""
        route = self.routes.get(path)
        if route is None or _ID in path:
            parts = path.split("/")
            if 2 <= len(parts) <= 4 and _IDENTITY.fullmatch(parts[1]):
                identity, parts[1] = parts[1], _ID
                if len(parts) == 4 and parts[2] == "_history" and _IDENTITY.fullmatch(parts[3]):
                    identity, parts[3] = f"{identity}/{parts[3]}", _ID
                route = self.routes.get("/".join(parts))
        if route is None or (_ID in path):
            raise NotFound(issue("OWN_UNKNOWN_ROUTE", _shown(asked), self._hint(path)))
        method = "GET" if asked.method == "HEAD" else asked.method
        if handler := route.get(method):
            return handler, identity
        allowed = _allowed(route)
        if method == "OPTIONS":
            return lambda *_: Answer(204, headers={"Allow": ", ".join(allowed)}), ""
        changes = method in _CHANGES or (method == "POST" and path in search.KINDS)
        raise WrongMethod(asked.method[:20], _shown(asked), allowed, changes=changes)

    def _hint(self, path: str) -> str:
        """What was probably meant by an address that means nothing."""
        kind, _, rest = path.partition("/")
        identity, _, name = rest.partition("/")
        if _IDENTITY.fullmatch(identity) and name.startswith("$") and f"{kind}/{name}" in self.routes:
            return f"{name} is asked of the type here, not of one {kind}: send it to {kind}/{name}"
        tidy = "/".join(part for part in path.split("/") if part)
        if tidy != path and tidy in self.routes:
            return f"Ask for {tidy or 'the base'} without the extra slashes"
        if kinds := self._elsewhere(kind, path.rpartition("/")[2]):
            return f"This server has it for {', '.join(kinds)}"
        near = difflib.get_close_matches(path[:200], [each for each in self.routes if each], 1, 0.6)
        return f"Did you mean {near[0]}?" if near else "metadata lists what there is"

    def _elsewhere(self, kind: str, name: str) -> list[str]:
        """The types that have an operation of that name, where ``kind`` is not nearly one of them."""
        kinds = [each.resource for each in self.operations if name == f"${each.name}" and each.resource]
        return [] if difflib.get_close_matches(kind[:200], kinds, 1, 0.75) else kinds

    # --- the answer ----------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request; what goes wrong is an OperationOutcome with its status."""
        medium, trouble = self._medium(asked)
        try:
            found = self._handled(asked, trouble)
        except Refusal as refused:
            found = self.refused(refused, asked.header("accept-language"))
        except Exception:
            log.exception("request %s could not be answered", asked.request_id)
            found = self.failed(asked.request_id)
        headers = {**(found.headers or {}), **jobs.NO_STORE} if asked.path.startswith(jobs.START) else found.headers
        pretty = "_pretty=true" in asked.query_string
        return Answer(found.status, found.resource, headers, medium, pretty, found.bare, found.modified, found.pure)

    def _medium(self, asked: Asked) -> tuple[Medium, Refusal | None]:
        """How to answer; where nothing fits, JSON and the refusal that says so."""
        try:
            return accepted(asked.header("accept"), asked.last("_format"), self.fhir), None
        except Refusal as refused:
            return FHIR_JSON, refused

    def _handled(self, asked: Asked, trouble: Refusal | None) -> Answer:
        """An address that means nothing is refused before a media type that does not fit."""
        handler, identity = self._find(asked)
        if trouble is not None and not asked.path.startswith(f"{jobs.RESULT}/"):  # files of NDJSON
            raise trouble
        return handler(asked, identity)

    def refused(self, refusal: Refusal, accept_language: str | None = None) -> Answer:
        """A refusal as OperationOutcome, in the reader's language where it is translated."""
        outcome = operation_outcome(refusal.issues, _languages(accept_language))
        return Answer(status(refusal), self._out(outcome), headers(refusal))

    def failed(self, request_id: str) -> Answer:
        """What a client is told when something went wrong here: nothing but the id that the log has too."""
        return Answer(500, self._out(operation_outcome([issue("OWN_INTERNAL", request_id)])))

    def _out(self, resource: Json) -> Json:
        """The form in which a resource leaves."""
        return to_r4(resource) if self.fhir == "R4" else resource

    # --- operations ----------------------------------------------------------------------------------------

    def _operate(self, operation: Operation, level: Level, asked: Asked, identity: str) -> Answer:
        body = asked.body() if asked.method == "POST" else None
        if level == "type" and (answer := self.questions.answer(operation, asked, body)) is not None:
            return Answer(200, answer, pure=asked.method == "GET")
        given = from_query(asked.query)
        if asked.method == "POST":
            given = self._sent(operation, body, given) + given
        header = asked.header
        exchange = Exchange(
            fhir=self.fhir,
            level=level,
            identity=identity or None,
            accept_language=header("accept-language"),
            strict=asked.strict,
            cache_id=header("x-cache-id"),
            threshold=threshold(header("x-too-costly-threshold")),
        )
        answer = self.service.call(operation, given, exchange)
        pure = operation.effect == "reads" and exchange.cache_id is None and asked.last("cache-id") is None
        return Answer(200, answer_to_r4(answer) if self.fhir == "R4" else answer, pure=pure and asked.method == "GET")

    def _sent(self, operation: Operation, resource: Json | None, query: Sequence[Given]) -> list[Given]:
        """What the body of a POST says: Parameters, or a resource that stands for the parameter of its type."""
        if resource is None:
            if query:
                return []
            raise Invalid(issue("OWN_MALFORMED_BODY", "it is empty. Send a Parameters resource"))
        if self.fhir == "R4" and not operation.verbatim:
            resource = from_r4(resource)
        kind = resource["resourceType"]
        if kind == "Parameters":
            return from_parameters(resource)
        takes = [each.name for each in operation.inputs if each.type == "resource" and not each.repeats]
        name = next((each for each in takes if each in (kind[0].lower() + kind[1:], "resource")), None)
        if name is None:
            named = ["Parameters", *(each[0].upper() + each[1:] for each in takes)]
            raise Invalid(issue("OWN_WRONG_RESOURCE", " or ".join(named), kind))
        return [Given(name, resource, "resource")]

    def _base(self, asked: Asked, _: str) -> Answer:
        raise NotFound(issue("OWN_UNKNOWN_ROUTE", _shown(asked), "Start with metadata: it lists what there is"))

    def _batch(self, asked: Asked, _: str) -> Answer:
        limit = self.service.settings.batch_limit
        transact = self.transactions.answered if self.interactions.writable else None
        return Answer(200, bundles.answered(asked, asked.body(), limit, self.answer, transact))

    # --- resources -----------------------------------------------------------------------------------------

    def _resources(self, kind: str) -> list[Json]:
        """All resources of a type, listed once per catalog."""
        catalog = self.service.catalog(self.fhir)
        known = self._listed.get(kind)
        if known is None or known[0] is not catalog:
            more = self.definitions if kind == "OperationDefinition" else ()
            known = self._listed[kind] = (catalog, search.held(catalog, kind, more))
        return known[1]

    def _search(self, kind: str, asked: Asked, _: str) -> Answer:
        wanted, told = search.unaliased(self._understood(kind, asked), self.service.catalog(self.fhir))
        held, show = self._resources(kind), partial(self._shown, kind)
        matches = self.index.matches(wanted)
        bundle = search.searched(kind, wanted, held, self._out, asked.base, show, matches)
        if told and wanted.count:
            outcome = operation_outcome(told, _languages(asked.header("accept-language")))
            bundle = search.with_outcome(bundle, self._out(outcome))
        return Answer(200, bundle, pure=True)

    def _understood(self, kind: str, asked: Asked) -> search.Search:
        """The search that a request asks for; raises Refusal."""
        if kind not in search.KINDS:
            raise NotFound(issue("OWN_UNKNOWN_ROUTE", _shown(asked), self._hint(kind)))
        given = asked.query if asked.method != "POST" else (*asked.form(), *asked.query)
        held = self.service.settings
        return search.understood(kind, given, strict=asked.strict, count=held.search_count, limit=held.search_limit)

    def _shown(self, kind: str, head: Json, view: search.View) -> Json:
        """What a View shows of the resource of a head, in the form of the endpoint."""
        identity = head["id"]
        if self.service.stored.find(kind, identity):
            version = self.service.stored.opened().read(kind, identity)
            if version is not None and not version.deleted:
                native = self.interactions.changes.native(version)
                return native if view.whole else search.cut(read(version), view, self._out)
        whole = self._held(kind, identity) or head
        return search.cut(whole, view, self._out)

    def _read(self, kind: str, asked: Asked, identity: str) -> Answer:
        found = self._held(kind, identity)
        version = self.interactions.current(kind, identity, published=found is not None)
        if found is None and version is None:
            raise NotFound(issue("OWN_UNKNOWN_RESOURCE", kind, identity))
        reasons: list[Issue] = []
        shown = search.view(asked.query, reasons)
        if reasons:
            raise Invalid(*reasons)
        if version is not None:
            native = self.interactions.changes.native(version)
            return _tagged(
                asked,
                native if shown.whole else search.cut(read(version), shown, self._out),
                str(version.number) if shown.whole else None,
                version.instant,
            )
        assert found is not None
        meta = found.get("meta", {})
        named = meta.get("versionId") if shown.whole else None
        return _tagged(asked, search.cut(found, shown, self._out), named, meta.get("lastUpdated"))

    def _held(self, kind: str, identity: str) -> Json | None:
        """The resource of the catalog, in R5 form; a CodeSystem says what is computed over it."""
        catalog = self.service.catalog(self.fhir)
        found = catalog.find_resource(kind, identity)
        if found is not None and kind == "CodeSystem":
            found = completed(found, catalog)
        if found is None and kind == "OperationDefinition":
            found = next((each for each in self.definitions if each["id"] == identity), None)
        return found

    def _found(self, kind: str, identity: str) -> Json | None:
        """The resource of the catalog, in the form of the endpoint."""
        found = self._held(kind, identity)
        return None if found is None else self._out(found)

    def _matching(self, kind: str, given: Pairs) -> list[str]:
        """The ids of the resources that a search finds, two at most."""
        settings = self.service.settings
        wanted = search.understood(kind, given, strict=True, count=2, limit=settings.search_limit)
        return [each["id"] for each in islice(filter(self.index.matches(wanted), self._resources(kind)), 2)]

    # --- statements ----------------------------------------------------------------------------------------

    def _metadata(self, asked: Asked, _: str) -> Answer:
        mode = asked.last("mode") or "full"
        if mode not in ("full", "normative", "terminology"):
            wanted = "full, normative or terminology"
            raise Invalid(issue("OWN_WRONG_TYPE", "mode", wanted, repr(mode[:60]), at="mode"))
        statement = self.statements.get(self.service.catalog(self.fhir), mode == "terminology", asked.base)
        return _tagged(asked, statement, None, None)

    def _versions(self, asked: Asked, _: str) -> Answer:
        """https://hl7.org/fhir/R5/capabilitystatement-operation-versions.html: bare for who asks for no FHIR type."""
        version = short(self.fhir)
        medium = accepted(asked.header("accept"), asked.last("_format"), self.fhir)
        if medium.plain and medium.form == "json":
            return Answer(200, bare=json_text.write({"versions": [version], "default": version}))
        if medium.plain:
            inner = f"<version>{version}</version><default>{version}</default>"
            return Answer(200, bare=f"<versions>{inner}</versions>".encode())
        # The definition says code; HL7's tester and the other servers write and read a string.
        named = [{"name": name, "valueString": version} for name in ("version", "default")]
        return Answer(200, {"resourceType": "Parameters", "parameter": named})


def _address(operation: Operation, level: Level) -> str:
    name = f"${operation.name}"
    if level == "system" or operation.resource is None:
        return name
    return f"{operation.resource}/{_ID}/{name}" if level == "instance" else f"{operation.resource}/{name}"


def _allowed(route: Mapping[str, Handler]) -> tuple[str, ...]:
    known = {*route, "OPTIONS", *(("HEAD",) if "GET" in route else ())}
    return tuple(name for name in ("GET", "HEAD", "POST", *_CHANGES, "OPTIONS") if name in known)


def _shown(asked: Asked) -> str:
    """The address as a sentence may name it: without the host, not too long, nothing unprintable."""
    path = f"{asked.base.partition('://')[2].partition('/')[2]}/{asked.path}"[:200]
    return "/" + "".join(each if each.isprintable() else "\ufffd" for each in path)


def _languages(accept_language: str | None) -> Languages:
    try:
        return Languages.parse(accept_language)
    except Invalid:
        return Languages()


def _tagged(asked: Asked, resource: Json, version: str | None, modified: str | None) -> Answer:
    """The resource with its ETag, or 304 where the client has it."""
    tag = version or hashlib.blake2b(json_text.write(resource), digest_size=12).hexdigest()
    headers = {"ETag": f'W/"{tag}"'}
    if modified:
        headers["Last-Modified"] = format_datetime(datetime.fromisoformat(modified).astimezone(UTC), usegmt=True)
    known = asked.header("if-none-match")
    if known and any(each.strip() in ("*", headers["ETag"], f'"{tag}"') for each in known.split(",")):
        return Answer(304, None, headers)
    return Answer(200, resource, headers, modified=modified, pure=True)
