"""The same records have the same findings by function and by $validate-bulk."""

import json
import time
from pathlib import Path
from typing import Any

from coded_records import ROWS, judge, procedure

from terminology import create_app
from terminology.procedures.validating import FINDING_REASON, outcome

MORE_OF_VALIDATE = {"invalid-shape", "not-checked"}
"""What $validate says beside the judge: of the shape of the whole resource, and of what nobody checked."""


def by_http(resources: list[dict[str, Any]], folder: Path) -> list[list[dict[str, Any]]]:
    """The issues on each record, in order."""
    app = create_app({"bulk": True, "data_dir": str(folder)})
    client = app.test_client()
    headers = {"Prefer": "respond-async", "Content-Type": "application/fhir+ndjson"}
    sent = client.post("/fhir/r4/$validate-bulk", data="\n".join(map(json.dumps, resources)), headers=headers)
    place = sent.headers["Content-Location"].removeprefix("http://localhost")
    ends = time.monotonic() + 60
    while (answer := client.get(place)).status_code == 202:
        assert time.monotonic() < ends
        time.sleep(0.05)
    app.extensions["terminology"]["/fhir"].bulk.stop()
    made = answer.get_json()
    assert made["error"] == []
    texts = [client.get(each["url"].removeprefix("http://localhost")).data for each in made["output"]]
    return [json.loads(line)["issue"] for text in texts for line in text.splitlines()]


def of_the_judge(issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in issues if reason(each) not in MORE_OF_VALIDATE]


def reason(issue: dict[str, Any]) -> str:
    first: dict[str, str] = issue["details"]["coding"][0]
    assert first["system"] == FINDING_REASON
    return first["code"]


def test_records_sent_over_http_have_the_findings_of_the_function(tmp_path: Path) -> None:
    resources = [procedure(row) for row in ROWS]
    told = by_http(resources, tmp_path)
    said = [judge().judge(judge().read(resource, "R4")).findings for resource in resources]
    assert [of_the_judge(each) for each in told] == [outcome(each)["issue"] for each in said]
    assert sum(map(len, said)) > len(ROWS) / 2
