"""Runs cases against a server and judges the responses."""

from __future__ import annotations

import copy
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import r4
from .cases import Case, Suite, TestSet
from .client import CACHE_HEADER, Client, NoComparableResponse, Reply, Request, encode_query
from .compare import Comparator
from .jsonio import dumps, loads
from .scrub import prune, scrub_domain_resource, scrub_operation_outcome, scrub_parameters
from .sorting import (
    Unsortable,
    sort_capability_statement,
    sort_parameters,
    sort_terminology_capabilities,
    sort_value_set,
)

PATHS = {
    "expand": "ValueSet/$expand",
    "validate-code": "ValueSet/$validate-code",
    "cs-validate-code": "CodeSystem/$validate-code",
    "batch-validate": "ValueSet/$batch-validate-code",
    "lookup": "CodeSystem/$lookup",
    "translate": "ConceptMap/$translate",
    "compare": "ValueSet/$compare",
}
# the official client sends these by GET if all parameters are primitive
GET_IF_SIMPLE = {"validate-code", "cs-validate-code", "batch-validate"}
URI_VALUES = {"valueUri", "valueUrl", "valueCanonical", "valueOid", "valueUuid"}
FHIR_NAME = re.compile(r"_?[A-Za-z][A-Za-z0-9]*")
NARRATIVE = '<div xmlns="http://www.w3.org/1999/xhtml">Narrative removed</div>'


@dataclass
class Result:
    suite: str
    test: str
    operation: str
    mode: str
    passed: bool
    diffs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lenient: list[str] = field(default_factory=list)  # see Comparator
    status: int | None = None
    seconds: float = 0.0

    @property
    def message(self) -> str | None:
        return self.diffs[0] if self.diffs else None

    def as_json(self) -> dict[str, Any]:
        out = {
            "suite": self.suite,
            "test": self.test,
            "operation": self.operation,
            "mode": self.mode,
            "pass": self.passed,
            "message": self.message,
            "http": self.status,
            "seconds": round(self.seconds, 4),
        }
        if self.lenient:
            out["lenient"] = self.lenient
        if self.warnings:
            out["warnings"] = self.warnings
        return out


class CaseError(Exception):
    """The case cannot be run or judged; counts as failed."""


class Runner:
    def __init__(
        self,
        tests: TestSet,
        client: Client,
        modes: set[str],
        externals: dict[str, Any] | None = None,
        *,
        strict: bool = False,
        max_diffs: int = 1,
    ) -> None:
        self.tests = tests
        self.client = client
        self.modes = modes
        self.externals = externals
        self.strict = strict
        self.max_diffs = max(1, max_diffs)
        self._texts: dict[str, str] = {}

    def run_suite(self, suite: Suite, cases: list[Case]) -> Iterator[Result]:
        cache_id = None
        setup: list[str] = []
        broken = None
        try:
            setup = [self._setup_parameter(name) for name in suite.setup]
        except (OSError, ValueError) as e:
            broken = f"setup of the suite cannot be loaded: {e}"
        try:
            if setup and not broken and self.client.has_cache_control:
                cache_id = self.client.start_cache(setup)
            for case in cases:
                yield self._run(case, [] if cache_id else setup, cache_id, broken)
        finally:
            if cache_id:
                self.client.end_cache(cache_id)

    def _run(self, case: Case, setup: list[str], cache_id: str | None, broken: str | None) -> Result:
        result = Result(case.suite, case.name, case.operation, case.mode, passed=False)
        start = time.monotonic()
        try:
            if broken:
                raise CaseError(broken)  # noqa: TRY301
            reply = self._reply(case, setup, cache_id)
            result.status = reply.status or None
            self._judge(case, reply, result)
        except NoComparableResponse as e:
            result.status = e.status
            result.diffs = [str(e)]
        except (CaseError, Unsortable, OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            result.diffs = [str(e) if isinstance(e, (CaseError, Unsortable)) else f"{type(e).__name__}: {e}"]
        result.passed = not result.diffs
        result.seconds = time.monotonic() - start
        return result

    # -- requests -------------------------------------------------------------------------

    def _reply(self, case: Case, setup: list[str], cache_id: str | None) -> Reply:
        if case.operation == "metadata":
            return self._from_start(self.client.capability_statement)
        if case.operation == "term-caps":
            return self._from_start(self.client.terminology_capabilities)
        name = case.file_for("request", self.modes)
        if name is None:
            raise CaseError("the case has no request")
        request = _tidy(self.tests.load(name))
        if case.operation == "batch":
            return self.client.batch(self._batch(case, request, setup))
        if case.operation not in PATHS:
            raise CaseError(f"unknown operation {case.operation}")
        return self.client.operation(self._request(case, request, setup), self._headers(case, cache_id))

    @staticmethod
    def _from_start(resource: dict | None) -> Reply:
        if resource is None:
            raise NoComparableResponse("not available from the server (see the notes)")
        return Reply(200, copy.deepcopy(resource), failed=False)

    def _request(self, case: Case, request: dict, setup: list[str]) -> Request:
        profile = self.tests.load(case.profile)
        if self.client.is_r4:
            request, profile = r4.to_r4(request), r4.to_r4(profile)
        own = request.get("parameter") or []
        if case.operation == "expand" and any(p.get("name") == "url" and not URI_VALUES & p.keys() for p in own):
            raise CaseError("the parameter 'url' of the request is not a uri")
        last = profile.get("parameter") or []
        query = None
        if case.operation in GET_IF_SIMPLE and not setup:
            query = encode_query(own + last)
        parameters = [*map(dumps, own), *setup, *map(dumps, last)]
        return Request(PATHS[case.operation], parameters, query, request)

    def _batch(self, case: Case, bundle: dict, setup: list[str]) -> dict:
        profile = self.tests.load(case.profile).get("parameter") or []
        entries = bundle.get("entry") or []
        if entries:
            entries[0]["resource"].setdefault("parameter", []).extend(map(loads, setup))
        for entry in entries:
            entry["resource"].setdefault("parameter", []).extend(profile)
        return r4.to_r4(bundle) if self.client.is_r4 else bundle

    def _headers(self, case: Case, cache_id: str | None) -> dict[str, str]:
        headers = {"X-Request-Id": f"txTests:{case.key}"}
        if cache_id:
            headers[CACHE_HEADER] = cache_id
        own = case.spec.get("header")
        if own and ("mode" not in own or own["mode"] in self.modes):
            headers[own["name"]] = own["value"]
        if case.spec.get("Accept-Language"):
            headers["Accept-Language"] = case.spec["Accept-Language"]
        return headers

    def _setup_parameter(self, name: str) -> str:
        if name not in self._texts:
            resource = _tidy(self.tests.load(name))
            if self.client.is_r4:
                resource = r4.to_r4(resource)
            self._texts[name] = f'{{"name":"tx-resource","resource":{dumps(resource)}}}'
        return self._texts[name]

    # -- judgement ------------------------------------------------------------------------

    def _judge(self, case: Case, reply: Reply, result: Result) -> None:
        name = case.file_for("response", self.modes)
        if name is None:
            raise CaseError("the case has no expected response")
        expected = self.tests.load(name)
        pattern = case.operation in ("metadata", "term-caps")
        externals = (self.externals or {}).get(name)
        comparator = Comparator(
            self.modes,
            {"version": self.client.fhir_version},
            externals if isinstance(externals, dict) else None,
            pattern=pattern,
            strict=self.strict,
        )
        actual = prepare(case.operation, reply)
        diffs = list(itertools.islice(comparator.differences(expected, actual), self.max_diffs))
        if not pattern and not _status_fits(case.http_code, reply.status):
            diffs.insert(0, f"Response Code fail: should be '{case.http_code}' but is '{reply.status}'")
        result.diffs = diffs
        result.warnings = comparator.warnings
        result.lenient = comparator.lenient_hits


def prepare(operation: str, reply: Reply) -> dict:  # noqa: C901, PLR0912
    """Scrub and sort a response for the comparison."""
    res = reply.resource
    kind = res.get("resourceType")
    if operation == "metadata":
        sort_capability_statement(res)
    elif operation == "term-caps":
        sort_terminology_capabilities(res)
    elif reply.failed:
        if operation == "cs-validate-code":
            res.pop("text", None)  # the official runner leaves the rest as it is
        else:
            scrub_operation_outcome(res)
    elif operation == "expand":
        _check_type(kind, "ValueSet")
        scrub_domain_resource(res)
        sort_value_set(res)
    elif operation == "batch":
        _check_type(kind, "Bundle")
        for entry in res.get("entry") or []:
            inner = entry.get("resource") or {}
            if inner.get("resourceType") == "Parameters":
                scrub_parameters(inner)
                sort_parameters(inner)
            elif inner.get("resourceType") == "OperationOutcome":
                scrub_operation_outcome(inner)
    else:
        if operation in GET_IF_SIMPLE and kind != "Parameters":
            res = {"resourceType": "Parameters", "parameter": [{"name": "return", "resource": res}]}
        else:
            _check_type(kind, "Parameters")
        scrub_parameters(res)
        sort_parameters(res)
    return prune(res) or {}


def _check_type(kind: str | None, wanted: str) -> None:
    if kind != wanted:
        raise CaseError(f"the server returned a {kind}, not a {wanted}")


def _status_fits(wanted: str, status: int) -> bool:
    return len(wanted) == 3 and wanted.endswith("xx") and status // 100 == int(wanted[0])


def _tidy(value: Any) -> Any:
    """What a FHIR model would send: no foreign properties ("title:de"), no narrative, and
    booleans that are not written as strings."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {name: _tidy(child) for name, child in value.items() if FHIR_NAME.fullmatch(name)}
    if out.get("valueBoolean") in ("true", "false"):
        out["valueBoolean"] = out["valueBoolean"] == "true"
    if isinstance(out.get("text"), dict) and "div" in out["text"]:
        out["text"]["div"] = NARRATIVE
    return out
