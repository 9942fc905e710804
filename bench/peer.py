"""Part peer: the questions of part http to another FHIR R4 terminology server, given by ``--peer URL``.

Its content comes through FHIR's own operations: each resource is PUT, where that is refused it goes as ``tx-resource``
with each request, and then only the small code system is asked about. The server must be your own: this is a load.
Ours can be asked the same way (``terminology serve --data-dir … --allow-writes``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import requests

from bench import servers
from bench.content import LARGE, rows, system, url, value_set, value_sets
from bench.http import compared
from bench.questions import Question, questions
from bench.report import CannotMeasureError, Report
from bench.wrk import Requests

SMALL = "http://example.org/bench/small"
HEADERS = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
PATIENCE = 600
"""Seconds that a server may take for one resource."""


def run(report: Report) -> None:
    base = report.options.peer
    if not base:
        raise CannotMeasureError("--peer URL says which server to ask, for example http://127.0.0.1:8081/fhir")
    size, base = 2000 if report.quick else LARGE, base.rstrip("/")
    place = urlsplit(base)
    peer = servers.Server(f"{place.scheme}://{place.netloc}", 0)
    began = perf_counter()
    refused = [said for resource in (*small(), *large(size)) if (said := put(base, resource))]
    if refused:
        report.say(f"PUT was refused ({refused[0]}): the small code system goes as tx-resource with each request")
        asked = with_resources(place.path)
    else:
        report.say(f"all content was taken by PUT in {perf_counter() - began:.1f} s")
        asked = questions(place.path, system(size), f"{SMALL}/all", SMALL)
    with servers.bare(workers=report.workers) as bare:
        compared(report, bare, peer, asked)


def small() -> list[dict[str, Any]]:
    """A code system of two codes, those of the published one that ours is asked about, and its value set."""
    concepts = [{"code": "38230", "display": "From a donor"}, {"code": "38232", "display": "From the patient"}]
    head = {"resourceType": "CodeSystem", "id": "bench-small", "url": SMALL, "version": "1", "status": "active"}
    held = value_set(0, "small", [])
    held |= {"id": "bench-small-all", "url": f"{SMALL}/all", "compose": {"include": [{"system": SMALL}]}}
    return [{**head, "content": "complete", "concept": concepts}, held]


def large(size: int) -> list[dict[str, Any]]:
    """The invented code system as a resource, and its value sets."""
    head = {"resourceType": "CodeSystem", "id": f"bench-{size}", "url": url(size), "version": "1", "status": "active"}
    head |= {"content": "complete", "hierarchyMeaning": "is-a", "property": [{"code": "kind", "type": "code"}]}
    made: dict[str, dict[str, Any]] = {}
    top: list[dict[str, Any]] = []
    for code, display, above, kind, german in rows(size):
        made[code] = {"code": code, "display": display, "designation": [{"language": "de", "value": german}]}
        made[code]["property"] = [{"code": "kind", "valueCode": kind}]
        (made[above].setdefault("concept", []) if above else top).append(made[code])
    return [{**head, "concept": top}, *value_sets(size)]


def put(base: str, resource: Mapping[str, Any]) -> str | None:
    """Why the server does not take it; None where it does."""
    address = f"{base}/{resource['resourceType']}/{resource['id']}"
    answer = requests.put(address, json.dumps(resource), headers=HEADERS, timeout=PATIENCE)
    return None if answer.ok else f"{answer.status_code} to PUT {resource['resourceType']}/{resource['id']}"


def with_resources(path: str) -> dict[str, Question]:
    """POSTs that bring the small code system and its value set along."""
    brought = [{"name": "tx-resource", "resource": each} for each in small()]

    def body(*given: dict[str, Any]) -> str:
        return json.dumps({"resourceType": "Parameters", "parameter": [*given, *brought]})

    concept = {"name": "coding", "valueCoding": {"system": SMALL, "code": "38230"}}
    wanted = {"name": "url", "valueUri": f"{SMALL}/all"}
    return {
        "POST ValueSet/$validate-code": Question(
            Requests(f"{path}/ValueSet/$validate-code", (), body(concept, wanted))
        ),
        "POST $expand": Question(Requests(f"{path}/ValueSet/$expand", (), body(wanted))),
    }
