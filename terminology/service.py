"""One terminology service: content, settings, and the call of an operation. Flask is imported only by ``init_app``.

``Terminology`` is both the Flask extension and the function API. It keeps nothing about an app on itself: what an app
uses lives in ``app.extensions["terminology"]``: a ``State`` for each url prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from terminology import jobs, parameters
from terminology.catalog import Catalog, Limits, Scope
from terminology.discovery import Loaded, published
from terminology.enumerated import Enumerated, enumerated
from terminology.frozen import dataclass
from terminology.guests import Guests
from terminology.issues import Invalid, NotFound, issue
from terminology.jobs import Bulk
from terminology.languages import Languages
from terminology.model import Coding, FhirVersion, Json
from terminology.operation import Operation
from terminology.operations import BY_NAME
from terminology.operations.coded_value import in_value_set
from terminology.operations.expand import Expansion
from terminology.operations.lookup import Lookup
from terminology.operations.shared import ruled, stated_in
from terminology.operations.subsumes import Subsumed
from terminology.operations.translate import Translation
from terminology.operations.validate_bulk import VALIDATE_BULK, Prepared
from terminology.operations.validate_code import together
from terminology.parameters import Arguments, Given
from terminology.procedures.judging import Judge
from terminology.procedures.records import Basis
from terminology.procedures.validating import Validated, validated
from terminology.providers.supplemented import supplemented
from terminology.request import Exchange, Request, client
from terminology.settings import Settings
from terminology.storage import Bounds, Storage
from terminology.storage.records import Job
from terminology.stored import Stored
from terminology.validation import Validation
from terminology.versions import PARAMETERS

if TYPE_CHECKING:
    from flask import Flask

    from terminology.jobs.runner import JudgeLine

SCOPING = frozenset(("tx-resource", "cache-id", "displayLanguage", "useSupplement", "date", *PARAMETERS))
"""What a request may state of its scope."""
SCOPES = 64
"""So many scopes are kept, one for each Accept-Language."""


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """The content of a service between two changes, by what it is made of."""

    loaded: object = None
    stored: object = None


class State:
    """Content and settings of one service; what a Flask app keeps in ``extensions["terminology"]`` under its url
    prefix."""

    def __init__(
        self,
        settings: Settings,
        catalogs: Mapping[FhirVersion, Catalog] | None = None,
        content: tuple[Any, ...] = (),
    ) -> None:
        """``content`` is what ``catalogs`` were made with beside the installed content."""
        self.settings = settings
        self._content = content
        self._catalogs: dict[FhirVersion, Catalog] = dict(catalogs or {})
        self._loaded = Loaded(settings.data_dir)
        self.stored = Stored(settings)
        bounds = Bounds(**{each.name: getattr(settings, each.name) for each in fields(Bounds)})
        self.storage = Storage(settings.state_path, bounds)
        self._guests = Guests(settings, self.storage)
        self._generation = Generation()
        self.bulk = Bulk(settings, self.stored, self._judging)
        self._default_supplements = tuple(settings.default_supplements)
        self._date_basis = tuple(settings.date_basis)
        self._limits = self._limited(settings.expansion_limit)
        self._scopes: dict[tuple[FhirVersion, str | None], Scope] = {}

    def close(self) -> None:
        """Ends what this service runs and holds open; it may be used again."""
        self.bulk.stop()
        self.storage.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process the content is loaded again, from the same settings."""
        return _remade, (self.settings, self._content)

    def catalog(self, fhir: FhirVersion) -> Catalog:
        """The content as a reader of that FHIR version sees it."""
        if fhir not in self._catalogs:
            self._catalogs[fhir] = published(self.settings, fhir)
        return self.stored.over(self._loaded.over(self._catalogs[fhir], fhir))

    def generation(self) -> Generation:
        """What tells the content of now from any other: another object whenever something was loaded or stored, here,
        by another process or on another node. Read on every request; raises as ``catalog`` does."""
        loaded = self._loaded.layer()
        stored = self.stored.snapshot() if self.stored.configured else None
        held = self._generation
        if held.loaded is not loaded or held.stored is not stored:
            held = self._generation = Generation(loaded, stored)
        return held

    def call(self, operation: Operation, given: Sequence[Given], exchange: Exchange) -> Json:
        """The answer to a call, in R5 form; raises Refusal."""

        def engine(given: Sequence[Given]) -> Json:
            request = self.request(operation, given, exchange)
            return operation.respond(operation.run(request), request)

        if (
            operation.plainly is not None
            and exchange.level == "type"
            and not exchange.strict
            and _states_nothing(exchange)
        ):
            scope = self._shared_scope(self.catalog(exchange.fhir), exchange.fhir, exchange.accept_language)
            made = operation.plainly(parameters.known(operation, given), scope, engine)
            if made is not None:
                return made
        return engine(given)

    def request(self, operation: Operation, given: Sequence[Given], exchange: Exchange) -> Request:
        """The typed request of a call; raises Refusal with every reason."""
        from terminology.schemas import read  # marshmallow is loaded when a request is read

        arguments = read(operation, given, strict=exchange.strict)
        scope = self.scope(operation, arguments, exchange)
        target = None
        if exchange.level == "instance" and operation.resource and exchange.identity:
            target = scope.catalog.find_resource(operation.resource, exchange.identity)
            if target is None:
                raise NotFound(issue("OWN_UNKNOWN_RESOURCE", operation.resource, exchange.identity))
        who, cache = client(exchange), exchange.cache_id
        return Request(arguments, scope, operation, exchange.level, target, who, cache, self.storage)

    def scope(self, operation: Operation, arguments: Arguments, exchange: Exchange) -> Scope:
        """The Scope of one request: the catalog with the resources that it brings over it, and its rules. Those that
        state nothing of it share one."""
        catalog = self.catalog(exchange.fhir)
        if _states_nothing(exchange) and SCOPING.isdisjoint(arguments):
            return self._shared_scope(catalog, exchange.fhir, exchange.accept_language)
        guests = self._guests.layers(operation, arguments, exchange)
        for layer in reversed(guests):
            catalog = layer.over(catalog)
        scope = Scope(
            catalog=catalog,
            fhir=exchange.fhir,
            reader=_lenient(exchange.accept_language),
            default_supplements=self._default_supplements,
            date_basis=self._date_basis,
            limits=self._limits if exchange.threshold is None else self._limited(exchange.threshold),
            decorate=supplemented,
            guests=len(guests),
            **stated_in(arguments),
        )
        return ruled(scope, arguments)

    def _shared_scope(self, catalog: Catalog, fhir: FhirVersion, accept_language: str | None) -> Scope:
        known = self._scopes.get((fhir, accept_language))
        if known is None or known.catalog is not catalog:
            if known is not None or len(self._scopes) >= SCOPES:  # let go of catalogs of before
                self._scopes.clear()
            known = self.open_scope(fhir).but(catalog=catalog, reader=_lenient(accept_language))
            self._scopes[fhir, accept_language] = known
        return known

    def open_scope(self, fhir: FhirVersion = "R5") -> Scope:
        """The scope of a request that states nothing: what a judge of records works in."""
        return Scope(
            catalog=self.catalog(fhir),
            fhir=fhir,
            default_supplements=self._default_supplements,
            date_basis=self._date_basis,
            limits=self._limits,
            decorate=supplemented,
        )

    def _judging(self, job: Job) -> JudgeLine:
        """The judge of the records of a job; raises Refusal where what it names is not here any more."""
        exchange = Exchange(job.fhir, "system", accept_language=job.language)
        prepared: Prepared = VALIDATE_BULK.run(self.request(VALIDATE_BULK, jobs.given(job), exchange))
        return prepared.outcome

    def _limited(self, most: int) -> Limits:
        held = self.settings
        return Limits(expansion=min(most, held.expansion_limit), page=held.page_limit, batch=held.batch_limit)


def catalogs(settings: Settings, content: tuple[Any, ...]) -> dict[FhirVersion, Catalog]:
    """The content of both versions of FHIR with ``content`` beside what is installed; empty where there is none."""
    versions: tuple[FhirVersion, ...] = ("R4", "R5") if content else ()
    return {fhir: published(settings, fhir, content) for fhir in versions}


def _remade(settings: Settings, content: tuple[Any, ...]) -> State:
    return State(settings, catalogs(settings, content), content)


def _states_nothing(exchange: Exchange) -> bool:
    """True where no header bears on the scope but Accept-Language."""
    return exchange.threshold is None and exchange.cache_id is None


def _lenient(header: str | None) -> Languages:
    try:
        return Languages.parse(header)
    except Invalid:
        return Languages()


class Terminology:
    """The Flask extension and the function API.

    >>> app = Flask(__name__)
    >>> Terminology(app)                      # or Terminology().init_app(app, url_prefix="/fhir")

    Without an app it answers functions; the content is loaded at the first call:

    >>> print(Terminology().lookup("http://www.ama-assn.org/go/cpt", "38232"))
    """

    def __init__(self, app: Flask | None = None, *, content: Iterable[Any] = (), **settings: Any) -> None:
        """``content``: resources (dicts), paths or providers beside the installed ones; ``settings``: see Settings."""
        self._content = tuple(content)
        self._stated = settings
        self._own: State | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, url_prefix: str | None = None) -> None:
        """Registers the FHIR endpoint under ``url_prefix``, by default that of the settings (``/fhir``). Settings are
        read from ``app.config["TERMINOLOGY_*"]``."""
        from terminology.http.server import put_front, register

        settings = Settings.load(stated=self._stated, config=app.config)
        prefix = settings.url_prefix if url_prefix is None else url_prefix
        door = register(app, _remade(settings, self._content), prefix)
        if settings.cache_before_hooks:
            put_front(app, door)

    @property
    def state(self) -> State:
        """The content and settings of the function API."""
        if self._own is None:
            settings = Settings.load(stated=self._stated)
            self._own = _remade(settings, self._content)
        return self._own

    # --- the function API ------------------------------------------------------------------------------------

    def lookup(self, system: str, code: str, **options: Any) -> Lookup:
        """What is known about a code. ``options`` are parameters of ``$lookup`` (``version``, ``display_language``,
        ``property``, ``use_supplement``, ``date``). Raises Refusal for an unknown system or code."""
        outcome: Lookup = self._run("CodeSystem", "lookup", system=system, code=code, **options)
        return outcome

    def validate_code(
        self, code: str, system: str | None = None, *, value_set: str | None = None, **options: Any
    ) -> Validation:
        """Is the code right: in ``system``, and in ``value_set`` where one is named (whose system is then found where
        none is). A wrong code is an answer."""
        outcome: Validation
        if value_set is None:
            outcome = self._run("CodeSystem", "validate-code", url=system, code=code, **options)
        else:
            if system is None:
                options.setdefault("infer_system", True)
            outcome = self._run("ValueSet", "validate-code", url=value_set, system=system, code=code, **options)
        return outcome

    def validate_codes(self, codes: Iterable[tuple[str, str]], value_set: str, **options: Any) -> list[Validation]:
        """``validate_code`` for many codes, each with the url of its system (no version in it), asked all together.
        Raises Refusal where that of the first does."""
        asked = [Coding(*each) for each in codes]
        if not asked:
            return []
        first: dict[str, Any] = {"system": asked[0].system, "code": asked[0].code}
        matter = in_value_set(self._request("ValueSet", "validate-code", url=value_set, **first, **options))
        if isinstance(matter, Validation):
            return [self.validate_code(str(each.code), each.system, value_set=value_set, **options) for each in asked]
        return together(matter, asked)

    def enumerated(self, value_set: str, most: int) -> Enumerated | None:
        """Every code, at most so many, of which ``validate_code(…, valueset_membership_only=True)`` says that it is in
        the value set; None where no list says it. Raises Refusal for a value set that is not known."""
        asked: dict[str, Any] = {"system": "-", "code": "-", "valueset_membership_only": True}
        matter = in_value_set(self._request("ValueSet", "validate-code", url=value_set, **asked))
        return None if isinstance(matter, Validation) else enumerated(matter.value_set, matter.scope, most)

    def expand(self, value_set: str, **options: Any) -> Expansion:
        """The codes of a value set. ``options`` are parameters of ``$expand`` (``count``, ``filter``, …)."""
        outcome: Expansion = self._run("ValueSet", "expand", url=value_set, **options)
        return outcome

    def subsumes(self, system: str, code_a: str, code_b: str, **options: Any) -> Subsumed:
        """How ``code_a`` relates to ``code_b``."""
        outcome: Subsumed = self._run("CodeSystem", "subsumes", system=system, codeA=code_a, codeB=code_b, **options)
        return outcome

    def translate(self, system: str, code: str, **options: Any) -> Translation:
        """What a code is called elsewhere. ``options``: ``url`` (a map), ``target_system``, ``reverse``, …"""
        outcome: Translation = self._run("ConceptMap", "translate", system=system, sourceCode=code, **options)
        return outcome

    def validate(
        self,
        resource: Json,
        *,
        value_set: str | None = None,
        date: str | None = None,
        profile: str | None = None,
        bases: Mapping[str, Basis] | None = None,
        fhir: FhirVersion = "R4",
    ) -> Validated:
        """Is a coded resource (Procedure, ServiceRequest, Claim, …) rightly coded. It prints as people read it.

        What was found is an answer; Refusal is raised where the validation cannot be done: for a resource of another
        type, an unknown profile or value set.

        ``value_set``: a main code must be in it; ``date``: the day that counts, instead of those in the resource;
        ``bases``: by system url which day decides (``service``, ``admission``, ``discharge``).
        """
        judge = self.judge(value_set=value_set, bases=bases, profile=profile, fhir=fhir)
        return validated(resource, fhir, judge, date)

    def judge(
        self,
        *,
        value_set: str | None = None,
        bases: Mapping[str, Basis] | None = None,
        profile: str | None = None,
        fhir: FhirVersion = "R4",
    ) -> Judge:
        """A judge for many records: made once, asked often (``judge.judge(judge.read(resource, "R4"))``)."""
        return Judge.of(self.state, value_set, bases, profile, fhir)

    def _run(self, resource: str, name: str, **arguments: Any) -> Any:
        request = self._request(resource, name, **arguments)
        return request.operation.run(request)

    def _request(self, resource: str, name: str, *, fhir: FhirVersion = "R5", **arguments: Any) -> Request:
        operation = BY_NAME[resource, name]
        given = [
            Given(_parameter_name(operation, key), item)
            for key, value in arguments.items()
            if value is not None
            for item in (value if isinstance(value, (list, tuple)) else (value,))
        ]
        return self.state.request(operation, given, Exchange(fhir=fhir, strict=True))


def _parameter_name(operation: Operation, key: str) -> str:
    """``display_language`` → ``displayLanguage``, ``system_version`` → ``system-version`` or ``systemVersion``."""
    head, *tail = key.split("_")
    camel = head + "".join(word.capitalize() for word in tail)
    for name in (key, camel, key.replace("_", "-")):
        if operation.parameter(name):
            return name
    return camel


def create_app(settings: Mapping[str, Any] | None = None) -> Flask:
    """A Flask app that serves the installed content under ``/fhir``, for WSGI servers."""
    from terminology.http.server import make_app

    return make_app(Terminology(**dict(settings or {})))
