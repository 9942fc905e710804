"""HTTP access to the server under test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

import requests

from . import __version__, r4
from .jsonio import dumps, loads, primitive_text
from .scrub import prune

CACHE_HEADER = "X-Cache-Id"
MAX_TIMEOUTS = 5


class ServerDown(Exception):
    """The server does not accept connections."""


class NoComparableResponse(Exception):
    """The request did not lead to a resource that can be compared."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Reply:
    """A resource from the server, in R5 form."""

    status: int
    resource: dict
    failed: bool  # the resource is an OperationOutcome with an error


@dataclass
class Request:
    """A Parameters request: the JSON text of each parameter, and if it can go in a URL."""

    path: str
    parameters: list[str]
    query: str | None = None  # set if all parameters are primitive: then GET is used
    root: dict = field(default_factory=dict)

    def body(self) -> bytes:
        head = "".join(
            f"{dumps(n)}:{dumps(v)}," for n, v in self.root.items() if n not in ("resourceType", "parameter")
        )
        return f'{{"resourceType":"Parameters",{head}"parameter":[{",".join(self.parameters)}]}}'.encode()


class Client:
    def __init__(
        self, base: str, timeout: float = 20.0, headers: dict[str, str] | None = None, version: str = "auto"
    ) -> None:
        self.base = base.rstrip("/")
        self.timeout = (min(5.0, timeout), timeout)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"User-Agent": f"tx-conformance/{__version__}"})
        self.session.headers.update(headers or {})
        self.fhir_version = "5.0.0"
        self.software = "unknown server"
        self.capability_statement: dict | None = None
        self.terminology_capabilities: dict | None = None
        self.problems: list[str] = []
        self.timeouts = 0  # in a row
        self._connect(version)

    @property
    def is_r4(self) -> bool:
        return self.fhir_version.startswith("4")

    @property
    def mime(self) -> str:
        return f"application/fhir+json; fhirVersion={'4.0' if self.is_r4 else '5.0'}"

    @property
    def has_cache_control(self) -> bool:
        rests = (self.capability_statement or {}).get("rest") or []
        return any(op.get("name") == "cache-control" for rest in rests for op in rest.get("operation") or [])

    # -- start --------------------------------------------------------------------------

    def _connect(self, version: str) -> None:
        if version == "auto":
            version = self._detect_version()
        if version.upper().startswith("R5") or version.startswith(("5", "6")):
            self.fhir_version = "5.0.0"
        elif version.upper().startswith("R4") or version.startswith("4"):
            self.fhir_version = "4.0.1"
        else:
            raise ValueError(f"unsupported FHIR version {version}")
        self.capability_statement = self._metadata("metadata", "CapabilityStatement")
        self.terminology_capabilities = self._metadata("metadata?mode=terminology", "TerminologyCapabilities")
        software = (self.capability_statement or {}).get("software") or {}
        if software:
            self.software = f"{software.get('name')} v{software.get('version')}"

    def _detect_version(self) -> str:
        plain = {"Accept": "application/json, application/fhir+json"}
        for path in ("$versions?_format=json", "metadata?_format=json"):
            try:
                response = self._send("GET", path, plain)
                found = _default_version(loads(response.content)) if response.ok else None
            except (requests.RequestException, ValueError, AttributeError):
                found = None
            if found:
                return found
        self.problems.append("the server does not tell its FHIR version; taking R4")
        return "4.0"

    def _metadata(self, path: str, kind: str) -> dict | None:
        try:
            reply = self._reply(self._send("GET", path, {"Accept": self.mime}))
        except (requests.RequestException, NoComparableResponse) as e:
            self.problems.append(f"no {kind} from /{path}: {e}")
            return None
        if reply.resource.get("resourceType") != kind:
            self.problems.append(f"no {kind} from /{path}")
            return None
        return reply.resource

    # -- operations -----------------------------------------------------------------------

    def operation(self, request: Request, headers: dict[str, str]) -> Reply:
        if request.query is not None:
            return self._call("GET", f"{request.path}?{request.query}", headers)
        return self._call("POST", request.path, headers, request.body())

    def batch(self, bundle: dict) -> Reply:
        # the official client sends no extra headers with a batch
        return self._call("POST", "", {}, dumps(bundle).encode())

    def start_cache(self, parameters: list[str]) -> str | None:
        try:
            reply = self.operation(Request("$cache-control?mode=start", parameters), {})
        except (NoComparableResponse, ServerDown) as e:
            self.problems.append(f"unable to start a terminology cache: {e}")
            return None
        for param in reply.resource.get("parameter") or []:
            if param.get("name") == "cache-id":
                return next((primitive_text(v) for n, v in param.items() if n.startswith("value")), None)
        self.problems.append("$cache-control returned no cache-id")
        return None

    def end_cache(self, cache_id: str) -> None:
        try:  # noqa: SIM105
            self.operation(Request("$cache-control?mode=end", []), {CACHE_HEADER: cache_id})
        except (NoComparableResponse, ServerDown):
            pass  # best effort: servers let caches time out

    def _call(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Reply:
        sent = {"Accept": self.mime, **headers}
        if body is not None:
            sent["Content-Type"] = self.mime + ";charset=UTF-8"
        try:
            response = self._send(method, path, sent, body)
        except requests.RequestException as e:
            raise NoComparableResponse(f"request failed: {_reason(e)}") from e
        return self._reply(response)

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> requests.Response:
        try:
            response = self.session.request(
                method,
                f"{self.base}/{path}",
                headers=headers,
                data=body,
                timeout=self.timeout,
                allow_redirects=method == "GET",
            )
            self.timeouts = 0
            return response  # noqa: TRY300
        except requests.ConnectTimeout as e:
            raise ServerDown(f"cannot connect to {self.base}: no answer in time") from e
        except requests.Timeout as e:
            self.timeouts += 1
            if self.timeouts >= MAX_TIMEOUTS:
                raise ServerDown(f"{self.base} did not answer {MAX_TIMEOUTS} requests in a row") from e
            raise
        except requests.ConnectionError as e:
            if _refused(e):
                raise ServerDown(f"cannot connect to {self.base} (is the server up?)") from e
            raise

    def _reply(self, response: requests.Response) -> Reply:
        status = response.status_code
        resource = self._payload(response)
        if resource.get("resourceType") == "OperationOutcome":
            severities = [i.get("severity") for i in resource.get("issue") or []]
            if not {"error", "fatal"} & set(severities):
                raise NoComparableResponse(f"OperationOutcome without an error (HTTP {status})", status)
            return Reply(status, resource, failed=True)
        if not response.ok:
            raise NoComparableResponse(
                f"HTTP {status} with a {resource.get('resourceType')}, not an OperationOutcome", status
            )
        return Reply(status, resource, failed=False)

    def _payload(self, response: requests.Response) -> dict:
        status = response.status_code
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if "xml" in content_type:
            raise NoComparableResponse(f"XML response (HTTP {status}); this runner reads JSON only", status)
        is_json = content_type in ("application/json", "application/fhir+json") or (not content_type and response.ok)
        if not is_json:
            return {
                "resourceType": "OperationOutcome",
                "issue": [{"severity": "error", "code": "exception", "details": {"text": response.text[:2000]}}],
            }
        try:
            resource = loads(response.content)
        except ValueError as e:
            raise NoComparableResponse(f"invalid JSON (HTTP {status}): {e}", status) from e
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise NoComparableResponse(f"the response is not a FHIR resource (HTTP {status})", status)
        resource = prune(resource)
        return r4.to_r5(resource) if self.is_r4 else resource


def encode_query(parameters: list[dict[str, Any]]) -> str | None:
    """The parameters as a URL query, or None if one of them is not a primitive."""
    query = ""
    for param in parameters:
        values = [v for n, v in param.items() if n.startswith("value")]
        text = primitive_text(values[0]) if values else None
        if text is None:
            return None
        query += f"{quote_plus(param['name'], safe='*')}={quote_plus(text, safe='*')}&"
    return query


def _default_version(doc: Any) -> str | None:
    if doc.get("resourceType") == "Parameters":
        for param in doc.get("parameter") or []:
            if param.get("name") == "default":
                return param.get("valueString")
        return None
    return doc.get("default") or doc.get("fhirVersion")


def _refused(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError):
            return True
        reason = getattr(seen, "reason", None)
        nested = [a for a in seen.args if isinstance(a, BaseException)]
        seen = reason if isinstance(reason, BaseException) else (nested[0] if nested else seen.__context__)
    return "Failed to resolve" in str(error) or "NewConnectionError" in str(error)


def _reason(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return text if len(text) < 200 else text[:200] + "…"
