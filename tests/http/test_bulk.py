"""$validate-bulk over HTTP: kick-off, status, results, cancel, limits, and whose a job is."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir_models import parsed
from flask import Flask
from http_client import CPT, HARVEST, Client, Reply, parameters

from terminology import create_app
from terminology.jobs.runner import Runner

LATER = {"Prefer": "respond-async"}
NDJSON = "application/fhir+ndjson"
SECONDS = 30


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    """make(**settings): an app that takes jobs."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        held = {"bulk": True, "data_dir": str(tmp_path), "core_content": False, **settings}
        made.append(create_app(held))
        return made[-1]

    yield make
    for app in made:
        app.extensions["terminology"]["/fhir"].bulk.stop()


@pytest.fixture(params=["r4", "r5"])
def client(make: Any, request: pytest.FixtureRequest) -> Client:
    return Client(make(), request.param)


def procedure(code: str = "38232", day: str | None = "2020-02-02", version: str = "r4") -> dict[str, Any]:
    when = {"performedDateTime" if version == "r4" else "occurrenceDateTime": day} if day else {}
    coding = {"system": CPT, "code": code}
    subject = {"reference": "Patient/a"}
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": subject,
        "code": {"coding": [coding]},
        **when,
    }


def lines(*records: Any) -> bytes:
    return b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in records)


def send(client: Client, body: Any, path: str = "$validate-bulk", content_type: str = NDJSON, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(path, body, content_type=content_type, headers={**LATER, **named})


def status(client: Client, place: str) -> Any:
    return client.app.test_client().get(place.removeprefix("http://localhost"))


def manifest(client: Client, reply: Reply) -> dict[str, Any]:
    """What is answered when the job is done."""
    assert reply.status == 202, reply.texts
    ends = time.monotonic() + SECONDS
    while (answer := status(client, reply.headers["Content-Location"])).status_code == 202:
        assert time.monotonic() < ends
        assert answer.data == b""
        assert 1 <= int(answer.headers["Retry-After"]) <= 30
        assert len(answer.headers["X-Progress"]) < 100
        time.sleep(0.05)
    assert answer.status_code == 200, answer.data
    assert answer.content_type == "application/json; charset=utf-8"
    assert answer.headers["Expires"]
    made: dict[str, Any] = answer.get_json()
    return made


def outcomes(client: Client, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The OperationOutcomes of the files of a manifest, as they stand there."""
    found = []
    for each in listed:
        answer = client.app.test_client().get(each["url"].removeprefix("http://localhost"), headers={"Accept": NDJSON})
        assert (answer.status_code, answer.content_type) == (200, NDJSON)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Expires"]
        read = [json.loads(line) for line in answer.data.splitlines()]
        assert len(read) == each["count"]
        found += read
    for outcome in found:
        parsed(outcome, "4.0" if client.version == "r4" else "5.0")
    return found


def test_records_are_taken_judged_later_and_answered_one_by_one(client: Client) -> None:
    right, wrong = procedure("38232", version=client.version), procedure("38232", "2011-05-05", client.version)
    reply = send(client, lines(right, wrong, b"", b"{broken", right))
    assert reply.headers["Content-Location"].startswith(f"http://localhost{client.base}/$validate-bulk-status/")
    assert "4 records" in reply.texts
    made = manifest(client, reply)
    assert made["request"] == f"http://localhost{client.base}/$validate-bulk"
    assert made["requiresAccessToken"] is False
    assert made["transactionTime"][:4].isdigit()
    found = outcomes(client, made["output"])
    assert [each["id"] for each in found] == ["line-1", "line-2", "line-5"]
    assert [worst(each) for each in found] == ["information", "error", "information"]
    errors = outcomes(client, made["error"])
    assert [each["id"] for each in errors] == ["line-4"]
    assert "line 4" in errors[0]["issue"][0]["details"]["text"]


def test_a_profile_is_for_the_records_of_its_type(make: Any) -> None:
    client = Client(make(), "r4")
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure"
    undated = procedure(day=None)
    condition = {"resourceType": "Condition", "subject": undated["subject"], "code": undated["code"]}
    reply = send(client, lines(undated, condition), f"$validate-bulk?profile={profile}|6.1.0")
    made = manifest(client, reply)
    assert made["error"] == []
    assert [worst(each) for each in outcomes(client, made["output"])] == ["error", "information"]
    refused = send(client, lines(undated), f"$validate-bulk?profile={profile}|1.0.0")
    assert (refused.status, "Known in FHIR R4" in refused.texts) == (422, True)


def worst(outcome: dict[str, Any]) -> str:
    order = ("fatal", "error", "warning", "information")
    return min((each["severity"] for each in outcome["issue"]), key=order.index)


# --- what may be sent ------------------------------------------------------------------------------------------


def bundle(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in records]}


def in_parameters(*records: dict[str, Any], **more: Any) -> dict[str, Any]:
    held: dict[str, Any] = parameters(**more)
    held["parameter"] += [{"name": "resource", "resource": each} for each in records]
    return held


def said(client: Client, reply: Reply) -> list[Any]:
    """The issues on each record, in order."""
    return [each["issue"] for each in outcomes(client, manifest(client, reply)["output"])]


def test_ndjson_gzip_a_bundle_and_parameters_say_the_same(client: Client) -> None:
    records = [procedure(code, day, client.version) for code in ("38232", "38230") for day in ("2011-05-05", None)]
    text = lines(*records)
    replies = [
        send(client, text),
        send(client, b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n") + b"\n", content_type="application/x-ndjson"),
        send(client, gzip.compress(text), Content_Encoding="gzip"),
        send(client, gzip.compress(text[:90]) + gzip.compress(text[90:]), content_type="application/gzip"),
        send(client, bundle(*records), content_type="application/fhir+json"),
        send(client, in_parameters(*records), content_type="application/fhir+json"),
    ]
    first, *others = (said(client, each) for each in replies)
    assert len(first) == 4
    assert all(each == first for each in others)


def test_a_line_may_be_a_bundle_whose_records_are_judged_each_in_its_place(client: Client) -> None:
    right, wrong = (procedure(code, "2011-03-01", client.version) for code in ("38230", "38232"))
    patient = {"resourceType": "Patient"}
    mixed, without = bundle(patient, right, bundle(wrong)), bundle(patient)
    broken = {**without, "entry": [7, {"resource": [wrong]}, {}, {"resource": wrong}]}
    sent = (mixed, without, {**without, "entry": "none"}, broken, bundle(wrong), b"[]")
    found = manifest(client, send(client, lines(*sent)))
    first, none, flawed, last = outcomes(client, found["output"])
    assert [each["id"] for each in (first, none, flawed, last)] == ["line-1", "line-3", "line-4", "line-5"]
    inner = "Bundle.entry[2].resource.entry[0].resource"
    places = {each["expression"][0] for each in first["issue"]}
    assert {"Bundle.entry[1].resource", inner, f"{inner}.code.coding[0].code"} <= places
    assert all(place.startswith(("Bundle.entry[1].resource", inner)) for place in places)
    assert worst(first) == worst(last) == "error"
    assert [each["expression"] for each in none["issue"]] == [["Bundle"]]
    reasons = {each["expression"][0]: each["details"]["coding"][0]["code"] for each in flawed["issue"]}
    assert reasons["Bundle.entry[0].resource"] == reasons["Bundle.entry[1].resource"] == "unreadable"
    assert "Bundle.entry[3].resource.code.coding[0].code" in reasons
    refused = outcomes(client, found["error"])
    assert [each["id"] for each in refused] == ["line-2", "line-6"]
    assert "Bundle" in refused[0]["issue"][0]["details"]["text"]


def test_parameters_are_taken_from_the_body_or_the_query_and_kept_with_the_job(client: Client) -> None:
    record = procedure("38232", version=client.version)
    replies = [
        send(client, lines(record), "$validate-bulk?date=2011-05-05"),
        send(client, in_parameters(record, date="2011-05-05"), content_type="application/fhir+json"),
    ]
    first, second = (said(client, each) for each in replies)
    assert first == second
    assert "2011-05-05" in json.dumps(first)


def test_a_record_is_answered_as_validate_answers_it(client: Client) -> None:
    """One that is right, wrong in its code, its date, its shape, or in nothing but the value set that is wanted."""
    own_use = f"{HARVEST}-own-use"
    records = [
        procedure("38232", version=client.version),
        procedure("99999", version=client.version),
        procedure("38232", "2011-05-05", client.version),
        {**procedure(version=client.version), "status": "wrong"},
        procedure("38230", version=client.version),
    ]
    for query in ("", f"?valueSet={own_use}"):
        many = said(client, send(client, lines(*records), f"$validate-bulk{query}"))
        alone = [client.post(f"Procedure/$validate{query}", each).resource["issue"] for each in records]
        assert many == alone
        assert len({json.dumps(each) for each in many}) >= 4


@pytest.mark.parametrize(
    ("body", "content_type", "status", "told"),
    [
        pytest.param(b"", NDJSON, 400, "no record", id="nothing"),
        pytest.param(b"\n \n", NDJSON, 400, "no record", id="blank lines"),
        pytest.param(b"{}", "text/csv", 415, "application/fhir+ndjson", id="another type"),
        pytest.param(b"no gzip", "application/gzip", 400, "not gzip", id="no gzip"),
        pytest.param(gzip.compress(b"{}" * 99)[:20], "application/gzip", 400, "ended before", id="half a gzip"),
        pytest.param(b"{", "application/fhir+json", 400, "cannot be read", id="broken JSON"),
        pytest.param({"resourceType": "Bundle", "entry": 3}, "application/fhir+json", 400, "list", id="no Bundle"),
    ],
)
def test_what_holds_no_records_is_refused_and_leaves_nothing(
    make: Any, body: Any, content_type: str, status: int, told: str
) -> None:
    client = Client(make())
    reply = send(client, body, content_type=content_type)
    assert (reply.status, told in reply.texts, reply.headers["Cache-Control"]) == (status, True, "no-store")
    assert rows(client) == 0


def rows(client: Client) -> int:
    """What the store holds of jobs."""
    with service(client).stored.opened().transaction() as connection:
        tables = ("job", "job_input", "job_result")
        return sum(connection.exec_driver_sql(f"SELECT count(*) FROM {each}").scalar_one() for each in tables)


def service(client: Client) -> Any:
    return client.app.extensions["terminology"]["/fhir"]


@pytest.mark.parametrize("named", ["valueSet=http://example.org/none", "date=soon"])
def test_what_could_judge_no_record_is_refused_at_once(make: Any, named: str) -> None:
    client = Client(make())
    assert send(client, lines(procedure()), f"$validate-bulk?{named}").status in (400, 404, 422)
    assert rows(client) == 0


# --- who may, and how much -------------------------------------------------------------------------------------


def test_it_is_off_unless_the_operator_says_so_and_the_refusal_names_the_setting(make: Any) -> None:
    client = Client(make(bulk=False))
    reply = send(client, lines(procedure()))
    assert (reply.status, "setting bulk is off" in reply.texts) == (403, True)
    assert "validate-bulk" not in {each["name"] for each in client.get("metadata").resource["rest"][0]["operation"]}


def test_without_a_store_nothing_would_keep_a_job(make: Any) -> None:
    reply = send(Client(make(data_dir=None)), lines(procedure()))
    assert (reply.status, "setting store" in reply.texts) == (403, True)


@pytest.mark.parametrize("prefer", [None, "return=minimal", "handling=strict"])
def test_it_is_answered_later_only(make: Any, prefer: str | None) -> None:
    headers = {"Prefer": prefer} if prefer else {}
    reply = Client(make()).post("$validate-bulk", lines(procedure()), content_type=NDJSON, headers=headers)
    assert (reply.status, reply.ids) == (400, ["OWN_BULK_PREFER"])


def test_it_is_no_entry_of_a_batch(make: Any) -> None:
    entry = {
        "request": {"method": "POST", "url": "$validate-bulk"},
        "resource": in_parameters(procedure(), date="2020"),
    }
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
    answer = Client(make()).post("", batch, headers=LATER).resource["entry"][0]["response"]
    assert answer["status"].startswith("422")


RECORD = json.dumps(procedure()).encode()


@pytest.mark.parametrize(
    ("settings", "just", "over", "status"),
    [
        pytest.param({"bulk_records": 3}, lines(*[RECORD] * 3), lines(*[RECORD] * 4), 422, id="bulk_records"),
        pytest.param(
            {"bulk_bytes": 2048}, b" " * (2048 - len(RECORD)) + RECORD, RECORD + b" " * 2048, 413, id="bulk_bytes"
        ),
        pytest.param({"body_limit": 1024}, RECORD.ljust(1024), RECORD.ljust(1025), 413, id="body_limit"),
    ],
)
def test_a_limit_lets_just_as_much_in_and_its_refusal_names_the_setting(
    make: Any, request: pytest.FixtureRequest, settings: dict[str, int], just: bytes, over: bytes, status: int
) -> None:
    client = Client(make(**settings))
    assert send(client, just).status == 202
    held = rows(client)
    reply = send(client, over)
    assert (reply.status, next(iter(settings)) in reply.texts) == (status, True)
    assert rows(client) <= held + 1  # of the first one a result may have come


def test_a_gzip_bomb_ends_at_the_limit(make: Any) -> None:
    client = Client(make(bulk_bytes=1 << 20))
    for bomb in (gzip.compress(b" " * (64 << 20)), gzip.compress(b"\n" * (64 << 20))):
        reply = send(client, bomb, content_type="application/gzip")
        assert (reply.status, "bulk_bytes" in reply.texts) == (413, True)


def test_a_client_has_so_many_jobs_until_it_deletes_one(make: Any) -> None:
    client = Client(make(bulk_jobs=2))
    places = [send(client, lines(procedure())).headers["Content-Location"] for _ in range(2)]
    reply = send(client, lines(procedure()))
    assert (reply.status, "bulk_jobs" in reply.texts) == (422, True)
    assert client.ask("DELETE", places[0].removeprefix("http://localhost")).status == 202
    assert send(client, lines(procedure())).status == 202


# --- what becomes of a job -------------------------------------------------------------------------------------


@pytest.fixture
def idle(make: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of a service whose jobs nobody judges."""
    client = Client(make())
    monkeypatch.setattr(service(client).bulk, "run", lambda: None)
    return client


def path(reply: Reply) -> str:
    return str(reply.headers["Content-Location"]).removeprefix("http://localhost")


def test_a_job_that_is_under_way_is_cancelled_and_leaves_nothing(idle: Client) -> None:
    place = path(send(idle, lines(*[procedure()] * 250)))
    jobs = service(idle).bulk.jobs
    claim = jobs.claim()
    chunk = jobs.chunk(claim)
    claim = jobs.keep(claim, chunk, [])
    assert status(idle, place).headers["X-Progress"] == "100 of 250 records"
    assert idle.ask("DELETE", place).status == 202
    assert rows(idle) == 0
    assert not jobs.beat(claim)
    for method in ("GET", "DELETE"):
        reply = idle.ask(method, place)
        assert (reply.status, reply.ids, reply.headers["Cache-Control"]) == (404, ["OWN_BULK_UNKNOWN"], "no-store")


class Slow:
    """A judge that takes its time over each record, and counts them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.judged = 0

    def __call__(self, _: Any) -> Any:
        def outcome(record: Any) -> Any:
            self.judged += 1
            time.sleep(self.seconds)
            return {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}

        return outcome


def test_a_job_is_cancelled_while_a_thread_judges_it_and_the_thread_goes_on_with_the_next_one(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(make(bulk_lease=1))
    slow = Slow(0.02)
    monkeypatch.setattr(service(client).bulk, "_judging", slow)
    place = path(send(client, lines(*[procedure()] * 100)))
    while not slow.judged:
        time.sleep(0.01)
    assert client.ask("DELETE", place).status == 202
    assert rows(client) == 0
    slow.seconds = 0
    made = manifest(client, send(client, lines(procedure())))
    assert [each["count"] for each in made["output"]] == [1]


def test_a_slow_worker_says_that_it_lives_so_that_no_other_takes_its_job(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk takes twice the lease, and a second worker asks for work all the while."""
    client = Client(make(bulk_lease=1))
    bulk = service(client).bulk
    slow = Slow(0.04)
    monkeypatch.setattr(bulk, "_judging", slow)
    other = Runner(lambda: bulk.jobs, slow, 1)
    other.start()
    made = manifest(client, send(client, lines(*[procedure()] * 50)))
    other.stop()
    assert [each["count"] for each in made["output"]] == [50]
    assert slow.judged == 50


def test_a_done_job_is_deleted_with_its_results(client: Client) -> None:
    reply = send(client, lines(procedure(version=client.version)))
    made = manifest(client, reply)
    assert client.ask("DELETE", path(reply)).status == 202
    assert client.get(made["output"][0]["url"].removeprefix("http://localhost")).status == 404
    assert rows(client) == 0


def test_results_expire_and_the_refusal_says_after_which_time(make: Any) -> None:
    client = Client(make(bulk_kept=1))
    reply = send(client, lines(procedure()))
    made = manifest(client, reply)
    time.sleep(1.1)
    for place in (path(reply), made["output"][0]["url"].removeprefix("http://localhost")):
        answer = client.get(place)
        assert (answer.status, "bulk_kept" in answer.texts) == (404, True)
    assert send(client, b"").status == 400  # who sends sweeps first
    assert rows(client) == 0


def test_a_job_is_its_owners_alone_and_to_others_as_if_it_were_not(
    idle: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from terminology.rest import jobs  # noqa: PLC0415

    place = path(send(idle, lines(procedure())))
    identity = place.rpartition("/")[2]
    monkeypatch.setattr(jobs, "client", lambda _: "somebody else")
    for method in ("GET", "DELETE"):
        hidden, absent = idle.ask(method, place), idle.ask(method, place.replace(identity, "0" * 32))
        assert hidden.status == absent.status == 404
        assert hidden.body == absent.body.replace(b"0" * 32, identity.encode())
    monkeypatch.undo()
    assert status(idle, place).status_code == 202


def test_a_job_whose_worker_ends_again_and_again_is_given_up_aloud(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(make(bulk_lease=1))
    bulk = service(client).bulk
    monkeypatch.setattr(bulk, "run", lambda: None)
    place = path(send(client, lines(procedure())))
    jobs = bulk.jobs
    jobs._clock = Ahead()
    for _ in range(5):
        assert jobs.claim() is not None
    monkeypatch.undo()
    jobs._clock.now += 2
    runner = Runner(lambda: jobs, bulk._judging, 1)
    assert runner.turn()
    reply = client.get(place)
    assert (reply.status, reply.ids) == (500, ["OWN_BULK_FAILED"])
    assert rows(client) == 1


class Ahead:
    """A clock that is two seconds later each time."""

    now = time.time()

    def __call__(self) -> float:
        self.now += 2
        return self.now


def test_no_log_holds_what_a_record_says(
    make: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that is judged, nor one that is broken, nor one on which the judge itself fails."""
    client = Client(make())
    caplog.set_level("DEBUG")
    judging = service(client).bulk._judging

    def failing(job: Any) -> Any:
        judge = judging(job)

        def outcome(record: Any) -> Any:
            if record["id"] == "fails":
                raise ValueError(f"secret {record}")
            return judge(record)

        return outcome

    monkeypatch.setattr(service(client).bulk, "_judging", failing)
    named = [{**procedure(), "id": each, "note": [{"text": "secret"}]} for each in ("fine", "fails")]
    made = manifest(client, send(client, lines(*named, b'{"secret": 1, "secret": 2}', b"secret")))
    assert [each["count"] for each in (*made["output"], *made["error"])] == [1, 3]
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


def test_a_job_waits_until_a_process_runs_it_and_is_taken_up_when_its_client_asks(idle: Client, make: Any) -> None:
    """As after a restart of an app that embeds the service."""
    place = path(send(idle, lines(procedure())))
    other = Client(make())
    assert status(other, place).status_code == 202
    ends = time.monotonic() + SECONDS
    while status(other, place).status_code == 202:
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert status(idle, place).status_code == 200


def test_nothing_is_started_or_opened_by_an_app_that_nobody_asks(make: Any, tmp_path: Path) -> None:
    client = Client(make())
    assert client.get("metadata").status == 200
    assert not any(each.name == "terminology-bulk" for each in threading.enumerate())
    assert not list(tmp_path.iterdir())


# --- what is told of it ----------------------------------------------------------------------------------------


def test_it_is_listed_with_a_definition(client: Client) -> None:
    listed = {each["name"]: each["definition"] for each in client.get("metadata").resource["rest"][0]["operation"]}
    definition = client.get("OperationDefinition/validate-bulk").resource
    assert listed["validate-bulk"] == definition["url"]
    assert (definition["affectsState"], definition["system"], definition["type"]) == (True, True, False)
    assert {"resource", "valueSet", "date"} <= {each["name"] for each in definition["parameter"]}


@pytest.mark.parametrize(
    ("method", "place", "allowed"),
    [
        ("GET", "$validate-bulk", "POST, OPTIONS"),
        ("POST", "$validate-bulk-status/0", "GET, HEAD, DELETE, OPTIONS"),
        ("DELETE", "$validate-bulk-result/0", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods_are_told_the_right_ones(make: Any, method: str, place: str, allowed: str) -> None:
    reply = Client(make()).ask(method, place)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


@pytest.mark.parametrize(("accept", "status"), [(NDJSON, 200), ("*/*", 200), ("text/csv", 406)])
def test_results_are_ndjson(make: Any, accept: str, status: int) -> None:
    client = Client(make())
    made = manifest(client, send(client, lines(procedure())))
    place = made["output"][0]["url"].removeprefix("http://localhost")
    assert client.app.test_client().get(place, headers={"Accept": accept}).status_code == status
