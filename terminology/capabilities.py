"""What this server says about itself: CapabilityStatement and TerminologyCapabilities, in R5 form.

Both follow from the operation table, the search table, the settings and the catalog, and are built once per
catalog. Sources: https://hl7.org/fhir/R5/capabilitystatement.html and terminologycapabilities.html; the features
are those that HL7's validator asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from terminology import described
from terminology.catalog import Catalog
from terminology.definitions import CHANGED, canonical
from terminology.model import CANONICAL_BASE, FHIR_VERSIONS, CodeSystemProvider, FhirVersion, Json
from terminology.operation import Operation
from terminology.settings import Settings

TX_TEST_VERSION = "1.9.3"
"""The version of HL7's terminology tests whose cases we pass; raised when a full run has shown it."""

CODE_SYSTEM_AS_PARAMETER = True

FEATURE = "http://hl7.org/fhir/uv/application-feature/StructureDefinition/feature"
_FEATURES: tuple[tuple[str, str, str | bool], ...] = (
    ("http://hl7.org/fhir/uv/tx-tests/FeatureDefinition/test-version", "valueCode", TX_TEST_VERSION),
    (
        "http://hl7.org/fhir/uv/tx-ecosystem/FeatureDefinition/CodeSystemAsParameter",
        "valueBoolean",
        CODE_SYSTEM_AS_PARAMETER,
    ),
)
"""In this order: HL7's tests compare it."""

TERMINOLOGY_SERVER = "http://hl7.org/fhir/CapabilityStatement/terminology-server"
FORMATS = ("application/fhir+json", "application/fhir+xml", "json", "xml")
MAIN_KINDS = ("CodeSystem", "ValueSet", "ConceptMap", "OperationDefinition")
OTHER_KINDS = ("NamingSystem", "StructureDefinition")
STORED_KINDS = ("CodeSystem", "ValueSet", "ConceptMap", "NamingSystem")
Parameters = Callable[[str], Mapping[str, Any]]
_VERSIONED = ("vread", "history-instance", "history-type")
_CHANGES = ("create", "update", "patch", "delete")
_READ_ONLY = "Read, search and terminology operations. Content is published by the operator, not posted."
_WRITABLE = "Read, search, changes (from this machine only) and terminology operations."
PRODUCT = "Flask FHIR Terminology"
DISTRIBUTION = "flask-fhir-terminology"

_OPEN = {"text": "This server asks for no identity. Put it behind a gateway where that is not wanted."}
_OPEN_EXPANSION = ("_limit", "_incomplete")


@cache
def software_version() -> str:
    """The version of the installed distribution."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+source"


class Statements:
    """The statements of one endpoint, built when first asked for and again when the content has changed."""

    def __init__(
        self,
        fhir: FhirVersion,
        operations: Sequence[Operation],
        settings: Settings,
        parameters: Parameters,
        convert: Callable[[Json], Json],
    ) -> None:
        """``parameters`` gives the search parameters of a type: name → FHIR type and what it looks at; ``convert``
        makes the form in which the endpoint speaks, once (10 ms for 300 code systems)."""
        self._fhir = fhir
        self._operations = operations
        self._settings = settings
        self._parameters = parameters
        self._convert = convert
        self._built: tuple[Catalog, Json, Json] | None = None

    def get(self, catalog: Catalog, terminology: bool, base: str) -> Json:
        """One of the two statements; ``base`` is the endpoint's address."""
        built = self._built
        if built is None or built[0] is not catalog:
            capability = capability_statement(self._fhir, self._operations, self._parameters, catalog, self._settings)
            capabilities = terminology_capabilities(self._fhir, self._operations, self._settings, catalog)
            built = self._built = (catalog, self._convert(capability), self._convert(capabilities))
        statement = built[2] if terminology else built[1]
        return {**statement, "implementation": {**statement["implementation"], "url": base}}


def _head(kind: str, identity: str, title: str) -> Json:
    return {
        "resourceType": kind,
        "id": identity,
        "url": f"{CANONICAL_BASE}/{kind}/{identity}",
        "version": software_version(),
        "name": "".join(word.capitalize() for word in identity.split("-")),
        "title": title,
        "status": "active",
        "date": CHANGED,
        "publisher": PRODUCT,
        "kind": "instance",
        "software": {"name": PRODUCT, "version": software_version()},
        "implementation": {"description": f"{PRODUCT} {software_version()}"},
    }


# --- CapabilityStatement -----------------------------------------------------------------------------------


def capability_statement(
    fhir: FhirVersion,
    operations: Sequence[Operation],
    parameters: Parameters,
    catalog: Catalog,
    settings: Settings,
) -> Json:
    """What can be asked of the endpoint, and how."""
    head = _head("CapabilityStatement", "terminology-server", f"{PRODUCT}, FHIR {FHIR_VERSIONS[fhir]}")
    head["extension"] = [
        {
            "url": FEATURE,
            "extension": [{"url": "definition", "valueCanonical": name}, {"url": "value", kind: value}],
        }
        for name, kind, value in _FEATURES
    ]
    writable = settings.allow_writes and bool(settings.store or settings.data_dir)
    present = [
        kind
        for kind in OTHER_KINDS
        if (writable and kind in STORED_KINDS) or any(layer.resources.get(kind) for layer in catalog.layers())
    ]
    system = [each for each in operations if "system" in each.levels[fhir]]
    versions = {
        "name": "versions",
        "definition": "http://hl7.org/fhir/OperationDefinition/CapabilityStatement-versions",
    }
    rest: Json = {
        "mode": "server",
        "documentation": _WRITABLE if writable else _READ_ONLY,
        "security": {"cors": False, "service": [_OPEN]},
        "resource": [_resource(kind, fhir, operations, parameters, settings) for kind in _kinds(present, operations)],
        "interaction": [{"code": "batch"}, *([{"code": "transaction"}] if writable else [])],
        "operation": [versions, *(_named(each) for each in system)],
    }
    return {
        **head,
        "instantiates": [TERMINOLOGY_SERVER],
        "fhirVersion": FHIR_VERSIONS[fhir],
        "format": list(FORMATS),
        "rest": [rest],
    }


def _kinds(present: Sequence[str], operations: Sequence[Operation]) -> list[str]:
    others = [each.resource for each in operations if each.resource]
    return list(dict.fromkeys((*MAIN_KINDS, *present, *others)))


def _resource(
    kind: str, fhir: FhirVersion, operations: Sequence[Operation], parameters: Parameters, settings: Settings
) -> Json:
    named = [_named(each) for each in operations if each.resource == kind and each.levels[fhir] != ("system",)]
    made: Json = {"type": kind}
    if kind in (*MAIN_KINDS, *OTHER_KINDS):
        stored = kind in STORED_KINDS and bool(settings.store or settings.data_dir)
        writable = stored and settings.allow_writes
        codes = ("read", *(_VERSIONED if stored else ()), *(_CHANGES if writable else ()), "search-type")
        made["interaction"] = [{"code": code} for code in codes]
        made["versioning"] = "versioned-update" if writable else "versioned" if stored else "no-version"
        if writable:
            made["updateCreate"] = True
            made["conditionalCreate"] = True
        made["searchParam"] = [
            {"name": name, "type": row[0], "documentation": row[1]} for name, row in parameters(kind).items()
        ]
    return {**made, **({"operation": named} if named else {})}


def _named(operation: Operation) -> Json:
    return {"name": operation.name, "definition": canonical(operation), "documentation": operation.summary}


# --- TerminologyCapabilities -------------------------------------------------------------------------------


def terminology_capabilities(
    fhir: FhirVersion, operations: Sequence[Operation], settings: Settings, catalog: Catalog
) -> Json:
    """Which code systems are here, in which versions, and what the operations make of them."""
    stated = deviations(catalog, settings)
    title = f"{PRODUCT}: code systems and operations, in FHIR {FHIR_VERSIONS[fhir]}"
    expand = next((each for each in operations if (each.resource, each.name) == ("ValueSet", "expand")), None)
    unsaid = (*_OPEN_EXPANSION, *(() if settings.cache_control else ("cache-id",)))
    inputs = [each for each in expand.inputs if each.name not in unsaid] if expand else []
    systems = [_code_system(catalog, url) for url in sorted(catalog.urls())]
    return {
        **_head("TerminologyCapabilities", "terminology-server", title),
        "description": "\n".join(("Stated deviations:", *(f"* {each}" for each in stated))),
        **({"codeSystem": systems} if systems else {}),
        "expansion": {
            "hierarchical": True,
            "paging": True,
            "incomplete": False,
            "parameter": [
                {"name": each.name, "documentation": each.summary} for each in sorted(inputs, key=lambda one: one.name)
            ],
            "textFilter": "Codes and displays; every word must occur, whatever its case.",
        },
        "validateCode": {"translations": True},
        "translation": {"needsMap": True},
        "closure": {"translation": False},
    }


def deviations(catalog: Catalog, settings: Settings) -> list[str]:
    """Where the content or an answer differs from what a reader of the standards would expect."""
    found = []
    for url in sorted(catalog.urls()):
        editions = catalog.editions(url)
        if editions and editions[0].info.content == "fragment":
            found.append(
                f"{url} is a fragment published by this server, not by its owner: a code that is not in it cannot "
                "be judged, and is not wrong for that."
            )
    found.extend(
        f"The supplement {supplement} applies unasked, and answers name it in used-supplement; "
        "it never applies to code systems that a request brings."
        for supplement in settings.default_supplements
    )
    return found or ["none"]


def _code_system(catalog: Catalog, url: str) -> Json:
    editions = catalog.editions(url)
    best = catalog.code_system(url)
    subsumes = any(each.info.subsumption == "known" for each in editions)
    return {
        "uri": url,
        "version": list(_versions(catalog, editions, best)),
        "content": described.content((best or editions[0]).info),
        "subsumption": subsumes,
    }


def _versions(
    catalog: Catalog, editions: Sequence[CodeSystemProvider], best: CodeSystemProvider | None
) -> Iterator[Json]:
    for edition in editions:
        info = catalog.expressed(edition).info
        made: Json = {"code": info.canonical.version} if info.canonical.version else {}
        made["isDefault"] = edition is best
        made["compositional"] = info.compositional
        if info.language:
            made["language"] = [info.language]
        if info.filters:
            made["filter"] = [{"code": code, "op": list(ops)} for code, ops in info.filters]
        if info.properties:
            made["property"] = [each.code for each in info.properties]
        yield made
