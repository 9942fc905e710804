"""Answers that are given again: equal to those made anew, gone with the content they were made of, never for the wrong
reader; one making of what is asked at once; ETags and compression."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from http_client import CPT, HARVEST, Client, Reply, parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from terminology import Terminology, create_app, discovery
from terminology.cli import group
from terminology.http import compression
from terminology.http.front import Front
from terminology.http.kept import SEATS, Doorkeeper, Kept, Shelf
from terminology.http.metrics import Board, Counters
from terminology.rest.exchange import PURE

LOOKUP = f"CodeSystem/$lookup?system={CPT}&code=38232"
EXPAND = f"ValueSet/$expand?url={HARVEST}"
ANIMALS = {
    "resourceType": "CodeSystem",
    "id": "animals",
    "url": "http://example.org/animals",
    "version": "1",
    "name": "Animals",
    "status": "active",
    "content": "complete",
}
LOCAL = {"environ_base": {"REMOTE_ADDR": "127.0.0.1"}}


def front_of(app: Flask) -> Front:
    assert isinstance(app.wsgi_app, Front)
    return app.wsgi_app


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def kept(board: Board) -> Flask:
    """An app with its own empty cache, which counts on the board."""
    app = create_app()
    front_of(app).counters = Counters(board)
    return app


@pytest.fixture(scope="module")
def cold() -> Flask:
    """An app that keeps nothing."""
    return create_app({"response_cache": 0})


@pytest.fixture(scope="module")
def warm() -> Flask:
    return create_app()


def hits(board: Board) -> int:
    return board.sums()["terminology_cache_hits_total"]


def said(reply: Reply) -> tuple[int, Any, dict[str, str]]:
    """What must be equal: all but the id of a request, and what is new in each expansion."""
    resource = json.loads(json.dumps(reply.resource))
    for name in ("identifier", "timestamp"):
        resource.get("expansion", {}).pop(name, None)
    headers = {name: value for name, value in reply.headers.items() if name not in ("X-Request-Id", "Content-Length")}
    return reply.status, resource, headers


# --- the law ---------------------------------------------------------------------------------------------------

PATHS = st.sampled_from(
    [
        LOOKUP,
        f"CodeSystem/$lookup?code=38232&system={CPT}",
        LOOKUP.replace("38232", "3823%32"),
        LOOKUP.replace("38232", "99999"),
        f"{LOOKUP}&property=donor-type&property=display",
        f"{LOOKUP}&property=display&property=donor-type",
        f"{LOOKUP}&unknown=1",
        f"CodeSystem/$validate-code?url={CPT}&code=38230&display=x",
        f"CodeSystem/$validate-code?url={CPT}&code=38230&date=2011-12-31",
        EXPAND,
        f"{EXPAND}&count=1",
        f"{EXPAND}&filter=donor",
        f"CodeSystem?url={CPT}&_summary=true",
        f"CodeSystem?_summary=true&url={CPT}",
        "metadata",
        "nothing/here",
    ]
)
FORMS = st.sampled_from(["", "&_format=xml", "&_pretty=true", "&_pretty=tru%65", "&_format=json", "&_format=csv"])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["application/fhir+xml", "application/json", "*/*", "text/csv"]),
        "Accept-Language": st.sampled_from(["de", "es;q=0.5, de;q=0.9", "de;q=0.5, es;q=0.9", "?"]),
        "Accept-Encoding": st.sampled_from(["gzip", "br", "gzip;q=0", "identity;q=0, gzip"]),
        "Prefer": st.sampled_from(["handling=strict", "handling=lenient"]),
        "Host": st.sampled_from(["one.example", "two.example:8080"]),
        "X-Too-Costly-Threshold": st.sampled_from(["1", "1000"]),
        "Authorization": st.just("Bearer x"),
        "If-None-Match": st.just("*"),
    },
)
ASKED = st.tuples(st.sampled_from(["r4", "r5"]), PATHS, FORMS, HEADERS)


@settings(max_examples=40, deadline=None)
@given(st.lists(ASKED, min_size=1, max_size=4))
def test_answers_with_and_without_a_cache_are_equal(cold: Flask, warm: Flask, asked: list[Any]) -> None:
    for version, path, form, headers in [*asked, *asked, *asked]:
        address = f"/fhir/{version}/{path}{form if '?' in path else form.replace('&', '?', 1)}"
        replies = [raw(app, address, headers) for app in (cold, warm)]
        assert replies[0] == replies[1], (address, headers)


def raw(app: Flask, address: str, headers: dict[str, str]) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of an answer, without what is new in each."""
    done = app.test_client().get(address, headers=headers)
    body = gzip.decompress(done.data) if done.headers.get("Content-Encoding") == "gzip" else done.data
    named = {name: value for name, value in done.headers.items() if name not in ("X-Request-Id", "Content-Length")}
    volatile = ("identifier", "timestamp", "requests", "request ")
    lines = body.decode().replace(">", ">\n").replace(",", ",\n").splitlines()
    return done.status_code, "\n".join(each for each in lines if not any(name in each for name in volatile)), named


# --- what is kept ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("again", "meets"),
    [
        pytest.param({}, 2, id="the same"),
        pytest.param({"path": f"CodeSystem/$lookup?code=3823%32&system={CPT}"}, 1, id="another spelling of the query"),
        pytest.param({"headers": {"Accept": "application/fhir+json"}}, 1, id="what was negotiated, by name"),
        pytest.param({"headers": {"Accept-Language": "de"}}, 0, id="another language"),
        pytest.param({"headers": {"Accept": "application/fhir+xml"}}, 0, id="another form"),
        pytest.param({"headers": {"Host": "two.example"}}, 0, id="another host"),
        pytest.param({"headers": {"Authorization": "Bearer x"}}, 0, id="an identity"),
        pytest.param({"headers": {"X-Note": "x" * 9000}}, 0, id="a header over the limit"),
        pytest.param({"path": f"{LOOKUP}&unknown=1"}, 0, id="a parameter that nobody knows"),
        pytest.param({"method": "HEAD"}, 0, id="HEAD"),
    ],
)
def test_an_answer_is_given_again_to_who_must_get_the_same(
    kept: Flask, board: Board, again: dict[str, Any], meets: int
) -> None:
    for _ in range(2):
        Client(kept).get(LOOKUP)
    assert hits(board) == 0
    for _ in range(2):
        Client(kept).ask(**{"method": "GET", "path": LOOKUP, **again})
    assert hits(board) == meets


@pytest.mark.parametrize("path", [LOOKUP, EXPAND])
@pytest.mark.parametrize("least", [0.0, 60.0])
def test_what_is_asked_for_once_is_not_kept_unless_it_is_costly_and_took_long(
    kept: Flask, board: Board, path: str, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminology.http.front.LONG", least)
    Client(kept).get(path)
    assert (board.sums()["terminology_cache_bytes"] > 0) is (path == EXPAND and not least)
    Client(kept).get(path)
    assert board.sums()["terminology_cache_bytes"] > 0


def test_the_doorkeeper_knows_who_came_and_takes_no_more_memory_for_many() -> None:
    doorkeeper = Doorkeeper()
    assert not doorkeeper.knows(("a", None))
    assert doorkeeper.knows(("a", None))
    for number in range(3 * SEATS):
        doorkeeper.knows((number,))
    assert not doorkeeper.knows(("b", None))
    assert sum(doorkeeper.knows((number,)) for number in range(3 * SEATS)) < SEATS


def test_who_sends_a_cookie_meets_nothing_kept_and_is_told_that_it_is_private(kept: Flask, board: Board) -> None:
    client = kept.test_client(use_cookies=False)
    for _ in range(3):
        done = client.get(f"/fhir/r4/{LOOKUP}", headers={"Cookie": "session=x"})
        assert done.headers["Cache-Control"] == "private, no-cache"
    assert hits(board) == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (LOOKUP.replace("38232", "%00"), 400),
        ("CodeSystem/$lookup?system=urn:none&code=1", 404),
        ("CodeSystem/none", 404),
    ],
)
def test_an_error_is_never_kept(kept: Flask, board: Board, path: str, status: int) -> None:
    assert [Client(kept).get(path).status for _ in range(3)] == [status] * 3
    assert hits(board) == 0


def test_what_a_client_put_into_a_cache_of_its_own_is_for_no_other(kept: Flask, board: Board) -> None:
    cats = ANIMALS | {"concept": [{"code": "cat"}]}
    brought = parameters(**{"cache-id": "a-cache-of-my-own-0001", "tx-resource": cats})
    brought["parameter"].append({"name": "coding", "valueCoding": {"system": ANIMALS["url"], "code": "cat"}})
    assert Client(kept).post("CodeSystem/$validate-code", brought).parameter("result") is True
    own = f"CodeSystem/$validate-code?url={ANIMALS['url']}&code=cat"
    mine = [Client(kept).get(f"{own}&cache-id=a-cache-of-my-own-0001") for _ in range(3)]
    assert [each.parameter("result") for each in mine] == [True] * 3
    assert Client(kept).get(own).resource != mine[0].resource
    assert hits(board) == 0


def test_each_answer_has_the_id_of_its_request(kept: Flask) -> None:
    ids = [Client(kept).get(LOOKUP, headers={"X-Request-Id": name}).headers["X-Request-Id"] for name in ("a", "b")]
    assert ids == ["a", "b"]
    assert Client(kept).get(LOOKUP).headers["X-Request-Id"] != Client(kept).get(LOOKUP).headers["X-Request-Id"]


# --- it goes with the content --------------------------------------------------------------------------------


@contextmanager
def writable(folder: Path, **more: Any) -> Iterator[Flask]:
    yield create_app({"data_dir": str(folder), "allow_writes": True, **more})


def found(app: Flask, code: str) -> bool:
    reply = Client(app).get(f"CodeSystem/$validate-code?url={ANIMALS['url']}&code={code}")
    return reply.status == 200 and reply.parameter("result") is True


def put(app: Flask, *codes: str) -> None:
    body = ANIMALS | {"concept": [{"code": each} for each in codes]}
    assert Client(app).ask("PUT", "CodeSystem/animals", body=body, **LOCAL).status in (200, 201)


def test_a_write_here_or_in_another_process_is_seen_at_once(tmp_path: Path) -> None:
    with writable(tmp_path) as one, writable(tmp_path) as other:
        for number in range(4):
            put((one, other)[number % 2], "cat", f"n{number}")
            assert [found(app, f"n{number}") for app in (one, other)] == [True, True]
            assert [found(app, f"n{number - 1}") for app in (one, other)] == [False, False]
            assert all(found(one, "cat") for _ in range(3))


def test_what_is_loaded_into_the_data_dir_takes_the_place_of_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "CHECKED_EVERY", 0.0)
    app = create_app({"data_dir": str(tmp_path / "data")})
    for release in ("1", "2"):
        source = tmp_path / "animals.json"
        source.write_text(json.dumps(ANIMALS | {"version": release, "concept": [{"code": f"of-{release}"}]}))
        assert not any(found(app, f"of-{release}") for _ in range(3))
        arguments = ["import", "fhir", str(source), "--data-dir", str(tmp_path / "data"), "--quiet"]
        group.main(arguments, standalone_mode=False)
        assert found(app, f"of-{release}")


def test_an_answer_that_was_made_while_the_content_changed_is_not_given_again(tmp_path: Path) -> None:
    with writable(tmp_path) as app:
        put(app, "cat")
        assert found(app, "cat")
        front = front_of(app)
        behind = front.behind

        def slow(environ: Any, start: Any) -> Any:
            parts = behind(environ, start)
            front.behind = behind
            put(app, "dog")
            return parts

        front.behind = slow
        assert found(app, "cat")
        assert not found(app, "cat")


# --- in somebody else's app ------------------------------------------------------------------------------------


def refuse() -> tuple[str, int]:
    return f"not you: {request.path}", 403


@pytest.mark.parametrize("turned_on", [False, True])
def test_the_hooks_of_another_app_run_for_every_request_unless_it_turns_the_cache_on(turned_on: bool) -> None:
    seen, app = [], Flask(__name__)
    app.before_request(lambda: seen.append(request.path))
    Terminology(app, cache_before_hooks=turned_on)
    for _ in range(4):
        assert Client(app).get(LOOKUP).status == 200
    assert len(seen) == (2 if turned_on else 4)


def test_what_else_another_app_answers_goes_out_as_it_comes() -> None:
    app, sent = Flask(__name__), []

    def parts() -> Iterator[str]:
        for number in range(3):
            sent.append(number)
            yield "x" * 2000

    app.add_url_rule("/stream", view_func=lambda: app.response_class(parts()))
    Terminology(app, cache_before_hooks=True)
    done = app.test_client().get("/stream", headers={"Accept-Encoding": "gzip"}, buffered=False)
    assert len(sent) < 3
    assert (len(done.data), "Content-Encoding" in done.headers) == (6000, False)


@pytest.mark.parametrize(("name", "value"), [("Set-Cookie", "session=of-one"), ("Cache-Control", "private")])
def test_what_a_hook_made_an_answer_for_one_client_is_given_to_no_other(name: str, value: str) -> None:
    app, seen = Flask(__name__), []

    def personal(response: Any) -> Any:
        seen.append(response.status_code)
        response.headers[name] = value
        return response

    app.after_request(personal)
    Terminology(app, cache_before_hooks=True)
    assert [Client(app).get(LOOKUP).status for _ in range(3)] == seen == [200] * 3


def test_a_hook_added_to_our_own_app_is_asked_before_anything_kept_is_given() -> None:
    app = create_app()
    for _ in range(2):
        assert Client(app).get(LOOKUP).status == 200
    app.before_request(refuse)
    assert app.test_client().get(f"/fhir/r4/{LOOKUP}").status_code == 403


# --- bounds ----------------------------------------------------------------------------------------------------


def made(size: int) -> Kept:
    return Kept("200 OK", (("Content-Type", "text/plain"),), b"x" * size)


def test_a_shelf_keeps_no_more_than_its_bytes_and_what_was_asked_for_last() -> None:
    shelf = Shelf(None, 200_000)
    shelf.put("asked", made(1000))
    for number in range(1000):
        shelf.put(number, made(1000))
        assert shelf.get("asked") is not None
        assert shelf.size <= 200_000
    assert shelf.get(999) is not None
    assert shelf.get(0) is None


def test_long_headers_count_as_what_is_kept(kept: Flask, board: Board) -> None:
    for number in (*range(20), *range(20)):
        Client(kept).get(LOOKUP, headers={"Accept-Language": ", ".join(["de"] * 900 + [f"en-x{number}"])})
    assert board.sums()["terminology_cache_bytes"] > 20 * 2 * 4 * 900


def test_an_answer_under_many_spellings_is_counted_once_and_one_too_large_is_not_kept() -> None:
    shelf, answer = Shelf(None, 1_000_000), made(50_000)
    for number in range(10):
        shelf.put(number, answer)
    assert 50_000 < shelf.size < 70_000
    shelf.put("large", made(200_000))
    assert shelf.get("large") is None


# --- at once ---------------------------------------------------------------------------------------------------


def counted(app: Flask, wait: Callable[[int], None]) -> list[str]:
    """The addresses that got behind the front, of which each waits."""
    front, seen = front_of(app), []
    behind = front.behind

    def slow(environ: Any, start: Any) -> Any:
        seen.append(environ["QUERY_STRING"])
        wait(len(seen))
        return behind(environ, start)

    front.behind = slow
    return seen


def at_once(app: Flask, path: str, count: int = 4) -> list[int]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: app.test_client().get(f"/fhir/r4/{path}").status_code, range(count)))


def test_equal_expansions_at_once_are_made_once(kept: Flask, board: Board) -> None:
    others = threading.Event()
    seen = counted(kept, lambda _: bool(others.wait(0.3)))
    assert at_once(kept, EXPAND) == [200] * 4
    assert len(seen) == 1
    sums = board.sums()
    assert sums["terminology_cache_shared_total"] + sums["terminology_cache_hits_total"] == 3


def test_an_expansion_that_fails_is_not_shared(kept: Flask) -> None:
    seen = counted(kept, lambda number: threading.Event().wait(0.2 if number == 1 else 0) and None)
    assert at_once(kept, "ValueSet/$expand?url=urn:none") == [404] * 4
    assert len(seen) == 4


def test_one_that_raises_lets_the_others_go_on(kept: Flask) -> None:
    def trouble(number: int) -> None:
        threading.Event().wait(0.2 if number == 1 else 0)
        if number == 1:
            raise RuntimeError("of the first alone")

    counted(kept, trouble)

    def ask(_: int) -> int:
        try:
            return kept.test_client().get(f"/fhir/r4/{EXPAND}").status_code
        except RuntimeError:
            return 0

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(ask, range(3))) == [0, 200, 200]


def test_nobody_waits_longer_than_the_patience(kept: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("terminology.http.kept.PATIENCE", 0.05)
    first = threading.Event()
    seen = counted(kept, lambda number: bool(number > 1 or first.wait(5)))
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(at_once, kept, EXPAND, 1)
        while not seen:
            pass
        assert at_once(kept, EXPAND, 1) == [200]
        assert not slow.done()
        first.set()
        assert slow.result() == [200]


# --- what is told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LOOKUP, EXPAND, "metadata", f"CodeSystem?url={CPT}"])
def test_an_etag_is_the_same_made_anew_and_spares_who_has_it_the_body(cold: Flask, warm: Flask, path: str) -> None:
    tags = {Client(app).get(path).headers["ETag"] for app in (cold, cold, warm, warm)}
    assert len(tags) == 1
    tag = tags.pop()
    for app in (cold, warm, warm, warm):
        done = Client(app).get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (done.status, done.body, done.headers["ETag"]) == (304, b"", tag)
        assert Client(app).get(path, headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize(
    ("headers", "control"),
    [({}, "no-cache"), ({"Authorization": "Bearer x"}, "private, no-cache")],
)
def test_what_others_may_keep_they_ask_about_before_they_give_it(
    warm: Flask, headers: dict[str, str], control: str
) -> None:
    for path in (LOOKUP, "CodeSystem/none"):
        assert Client(warm).get(path, headers=headers).headers["Cache-Control"] == control
    assert "Cache-Control" not in Client(warm).post("CodeSystem/$lookup", parameters(system=CPT, code="38232")).headers


@pytest.mark.parametrize(
    ("header", "packs"),
    [
        ("gzip", True),
        ("GZIP;Q=1", True),
        ("x-gzip", True),
        ("br, gzip;q=0.8", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=none", False),
        ("", False),
    ],
)
def test_a_body_is_packed_for_who_prefers_it(cold: Flask, warm: Flask, header: str, packs: bool) -> None:
    plain = Client(warm).get(LOOKUP)
    assert "Content-Encoding" not in plain.headers
    for app in (cold, warm, warm, warm):
        done = app.test_client().get(f"/fhir/r4/{LOOKUP}", headers={"Accept-Encoding": header})
        assert (done.headers.get("Content-Encoding") == "gzip") is packs
        assert int(done.headers["Content-Length"]) == len(done.data)
        assert (gzip.decompress(done.data) if packs else done.data) == plain.body
        assert done.headers["ETag"] == plain.headers["ETag"]
        assert "Accept-Encoding" in done.headers["Vary"]


def test_a_short_body_is_packed_only_for_who_takes_nothing_else() -> None:
    assert not compression.suits("gzip", 100, 1024)
    assert compression.suits("gzip, identity;q=0", 100, 1024)
    assert not compression.suits("gzip, identity;q=0", 100, 0)
    assert Client(create_app({"compress_from": 0})).get(LOOKUP, headers={"Accept-Encoding": "gzip"}).resource


def test_the_answer_to_a_post_is_packed_and_never_kept(kept: Flask, board: Board) -> None:
    body = json.dumps(parameters(system=CPT, code="38232"))
    for _ in range(2):
        done = kept.test_client().post(
            "/fhir/r4/CodeSystem/$lookup",
            data=body,
            content_type="application/fhir+json",
            headers={"Accept-Encoding": "gzip"},
        )
        assert json.loads(gzip.decompress(done.data))["resourceType"] == "Parameters"
    assert hits(board) == 0


def test_the_door_calls_no_answer_pure_that_depends_on_more(cold: Flask) -> None:
    """Only a GET with status 200, of an operation that keeps nothing, without a cache of its own."""
    marks = []

    def seen(environ: Any, start: Any, behind: Any = front_of(cold).behind) -> Any:
        parts = behind(environ, start)
        marks.append(environ.get(PURE, False))
        return parts

    front_of(cold).behind, before = seen, front_of(cold).behind
    try:
        for path in (
            LOOKUP,
            "metadata",
            "CodeSystem?_count=1",
            LOOKUP.replace("38232", "x y"),
            f"{LOOKUP}&cache-id=abc",
        ):
            cold.test_client().get(f"/fhir/r4/{path}")
        cold.test_client().post("/fhir/r4/CodeSystem/$lookup", json=parameters(system=CPT, code="38232"))
    finally:
        front_of(cold).behind = before
    assert marks == [True, True, True, False, False, False]
