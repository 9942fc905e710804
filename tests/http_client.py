"""Asking an app as a FHIR client does; whatever comes back is held to be FHIR of the version that was asked."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_models import parsed
from flask import Flask
from lxml import etree
from werkzeug.datastructures import Headers

from terminology.model import FhirVersion
from terminology.wire import json_text
from terminology.wire.checks import checkable
from terminology.wire.xml import from_xml

FHIR_VERSIONS = {"r4": "4.0", "r5": "5.0"}
CPT = "http://www.ama-assn.org/go/cpt"
HARVEST = "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Headers
    body: bytes
    resource: dict[str, Any]

    @property
    def texts(self) -> str:
        """What an OperationOutcome tells people."""
        return "\n".join(each["details"]["text"] for each in self.resource.get("issue", []))

    @property
    def ids(self) -> list[str]:
        """The message ids of an OperationOutcome."""
        return [each["extension"][0]["valueString"] for each in self.resource.get("issue", [])]

    def parameter(self, name: str) -> Any:
        """The value of the first parameter of that name."""
        found = next(each for each in self.resource["parameter"] if each["name"] == name)
        return next(value for key, value in found.items() if key.startswith(("value", "resource")))


@dataclass(frozen=True)
class Client:
    """A client of one endpoint: ``base`` is its path, ``version`` r4 or r5. One that ``echoes`` sends what is
    not valid and may get it back: its answers are not held to the models."""

    app: Flask
    version: str = "r4"
    prefix: str = "/fhir"
    echoes: bool = False

    @property
    def base(self) -> str:
        return f"{self.prefix}/{self.version}"

    def get(self, path: str, **options: Any) -> Reply:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return self.ask("POST", path, body=body, **options)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = "application/fhir+json",
        **options: Any,
    ) -> Reply:
        """``path`` is below the base, or absolute; a dict as body is sent as JSON."""
        data = json.dumps(body) if isinstance(body, dict) else body
        address = path if path.startswith("/") else f"{self.base}/{path}"
        done = self.app.test_client().open(
            address,
            method=method,
            data=data,
            headers=dict(headers or {}),
            content_type=content_type if data is not None else None,
            **options,
        )
        return Reply(done.status_code, done.headers, done.data, self._resource(done.data, done.headers))

    def _resource(self, body: bytes, headers: Headers) -> dict[str, Any]:
        """The resource in a body, valid for its FHIR version; nothing where there is none."""
        if not body:
            return {}
        version: FhirVersion = "R5" if self.version == "r5" else "R4"
        form = headers["Content-Type"].partition(";")[0]
        assert form.partition("/")[2] in {"fhir+json", "json", "fhir+xml", "xml"}, f"not FHIR: {form}"
        if self.echoes and form.endswith("xml"):
            return {"root": etree.fromstring(body).tag}
        resource: dict[str, Any] = from_xml(body, version) if form.endswith("xml") else json_text.read(body)
        if not self.echoes:
            parsed(checkable(resource), FHIR_VERSIONS[self.version])
        return resource


def parameters(**values: Any) -> dict[str, Any]:
    """A Parameters resource; the type of a value follows from the value, resources are given as dicts."""
    return {"resourceType": "Parameters", "parameter": list(_entries(values))}


def _entries(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and "resourceType" in value:
            yield {"name": name, "resource": value}
        elif isinstance(value, dict):
            yield {"name": name, "valueCodeableConcept" if "coding" in value else "valueCoding": value}
        elif isinstance(value, bool):
            yield {"name": name, "valueBoolean": value}
        elif isinstance(value, int):
            yield {"name": name, "valueInteger": value}
        else:
            yield {"name": name, "valueUri" if "://" in value else "valueString": value}
