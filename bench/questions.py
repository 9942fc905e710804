"""The questions that parts http and peer ask: hot (one address), cold (another code, display or word each time), unseen
(the hot address with a parameter that was never sent before)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from bench.content import System
from bench.report import Goal
from bench.wrk import Requests, unseen

CPT = "http://www.ama-assn.org/go/cpt"
SMALL = "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest"
HOT = Goal(at_least=2.5)


@dataclass(frozen=True, slots=True)
class Question:
    """What is sent, and the share of bare Flask's requests a second that is aimed at."""

    requests: Requests
    goal: Goal | None = None


def questions(base: str, large: System, small: str = SMALL, system: str = CPT) -> Mapping[str, Question]:
    """By name; ``base`` is the path of an R4 endpoint, ``small`` a value set with the code 38230 of ``system``."""
    code_system, value_set, everything = f"{base}/CodeSystem", f"{base}/ValueSet", quote(f"{large.url}/all")
    validate = f"{value_set}/$validate-code?url={everything}&system={large.url}&code=%s"
    hot = {
        "$lookup": f"{code_system}/$lookup?system={system}&code=38232",
        "$lookup, of 78,000": f"{code_system}/$lookup?system={large.url}&code={large.codes[0]}",
        "CodeSystem/$validate-code": f"{code_system}/$validate-code?url={large.url}&code={large.codes[0]}",
        "ValueSet/$validate-code": validate.replace("%s", large.codes[0]),
        "$expand, small": f"{value_set}/$expand?url={quote(small)}",
    }
    concept = {"coding": [{"system": large.url, "code": "%s"}]}
    sent = [
        {"name": "codeableConcept", "valueCodeableConcept": concept},
        {"name": "url", "valueUri": f"{large.url}/all"},
    ]
    body = json.dumps({"resourceType": "Parameters", "parameter": sent})
    three, six = Goal(at_least=0.75), Goal(at_least=0.6)
    cold = {
        "$lookup": Question(Requests(f"{code_system}/$lookup?system={large.url}&code=%s", large.codes), three),
        "CodeSystem/$validate-code": Question(
            Requests(f"{code_system}/$validate-code?url={large.url}&code=%s", large.coded), three
        ),
        "ValueSet/$validate-code": Question(Requests(validate, large.coded), three),
        "POST codeableConcept": Question(Requests(f"{value_set}/$validate-code", large.codes, body), six),
        "$expand of 78,000, filter, count 20": Question(
            Requests(f"{value_set}/$expand?url={everything}&filter=%s&count=20", large.filters), Goal(at_least=0.45)
        ),
        "$expand, small": Question(Requests(f"{hot['$expand, small']}&_unseen=%s", unseen()), six),
    }
    return {
        **{f"hot {name}": Question(Requests(path), HOT) for name, path in hot.items()},
        **{f"unseen {name}": Question(Requests(f"{path}&_unseen=%s", unseen())) for name, path in hot.items()},
        **{f"cold {name}": question for name, question in cold.items()},
    }
