"""Mirroring another server: all that can be used, whatever the server does, and nothing sent to anybody else."""

import gzip
import json
import random
import signal
import subprocess
import sysconfig
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from fake_server import Answer, Fake, capabilities, running
from fhir_models import parsed
from servers import clean_environment, free_port, serving

from terminology import outgoing
from terminology.catalog import Catalog
from terminology.discovery import Loaded
from terminology.importing import pull as pulling
from terminology.importing.pull import Wanted, pull, source_of
from terminology.issues import Invalid, NotAllowed, NotSupported, Refusal, TooLarge, Unavailable
from terminology.outgoing import Origin, Patience
from terminology.storage import library as storage
from terminology.storage.library import Library
from terminology.wire.r4 import to_r4

PROGRAM = Path(sysconfig.get_path("scripts"), "terminology")
QUICK = Patience(attempts=4, first=0.01, longest=0.05, told=2, connect=2, read=2, whole=5)


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch):
    monkeypatch.setattr(storage, "GRACE", 0.0)


def code_system(number, count=2, **more):
    return {
        "resourceType": "CodeSystem",
        "id": f"cs{number}",
        "url": f"http://example.org/cs{number}",
        "version": "1",
        "status": "active",
        "content": "complete",
        "concept": [{"code": f"c{each}", "display": f"code {each}"} for each in range(count)],
    } | more


def value_set(number):
    include = [{"system": f"http://example.org/cs{number}"}]
    url = f"http://example.org/vs{number}"
    return {
        "resourceType": "ValueSet", "id": f"vs{number}", "url": url, "version": "1", "status": "active",
        "compose": {"include": include},
    }  # fmt: skip


@pytest.fixture
def server():
    """server(resources, …): a running fake server."""
    with ExitStack() as stack:
        yield lambda resources, **how: stack.enter_context(running(Fake(resources, **how)))


@pytest.fixture
def library(tmp_path):
    return Library(tmp_path / "data")


def pulled(fake, library, wanted=Wanted(), *, headers=None, source=None, **how):
    with Origin(fake.base, headers or {}, QUICK) as origin:
        return pull(origin, wanted, library, source or source_of(fake.base), **how)


def urls(library):
    return sorted(entry.url.rpartition("/")[2] for entry in library.entries())


SEVEN = [code_system(number) for number in range(7)]
MIXED = [*SEVEN, value_set(1), value_set(2), value_set(3)]


# --- what is there comes in ---------------------------------------------------------------------------------------


def test_all_pages_of_all_types_come_in(server, library):
    fake = server(MIXED)
    report = pulled(fake, library)
    assert len(report.change.new) == 10
    assert urls(library) == sorted(each["url"].rpartition("/")[2] for each in MIXED)
    assert len(fake.searched) == 4 + 2 + 1 + 1
    assert not list(library.folder.glob(".pull-*"))


def test_a_second_pull_changes_nothing(server, library):
    fake = server(MIXED)
    pulled(fake, library)
    index = (library.folder / "index.json").read_bytes()
    report = pulled(fake, library)
    assert (len(report.change.unchanged), report.change.new, report.change.replaced) == (10, (), ())
    assert (library.folder / "index.json").read_bytes() == index


def test_r4_resources_are_kept_in_r5_form(server, library):
    concept_map = {
        "resourceType": "ConceptMap", "url": "http://example.org/cm", "version": "1", "status": "active",
        "group": [{"source": "http://a", "target": "http://b", "element": [
            {"code": "x", "target": [{"code": "y", "relationship": "equivalent"}]}]}],
    }  # fmt: skip
    fake = server([to_r4(concept_map)], fhir="4.0.1")
    assert "equivalence" in json.dumps(fake.resources)
    pulled(fake, library)
    [entry] = library.entries()
    assert json.loads(library.path(entry).read_bytes()) == concept_map
    parsed(concept_map, "5.0")


def test_a_large_code_system_is_compiled_and_answered(server, library):
    fake = server([code_system(1, 1500), value_set(1)])
    pulled(fake, library)
    [entry] = [entry for entry in library.entries() if entry.compiled]
    assert (entry.concepts, entry.format, entry.source) == (1500, "pull", fake.base)
    [provider] = Loaded(str(library.folder)).over(Catalog()).editions("http://example.org/cs1")
    assert provider.find("c1499").display == "code 1499"


def test_only_the_types_that_are_wanted_and_offered_are_asked_for(server, library):
    fake = server(MIXED, twist=lambda _, path: Answer(capabilities("4.0.1", "ValueSet")) if "meta" in path else None)
    report = pulled(fake, library, Wanted(("ValueSet", "NamingSystem")))
    assert urls(library) == ["vs1", "vs2", "vs3"]
    assert all("/ValueSet" in path for path in fake.searched)
    assert any("NamingSystem" in note for note in report.notes)


def test_since_is_asked_for_and_nothing_new_is_no_error(server, library):
    fake = server([])
    report = pulled(fake, library, Wanted(("ValueSet",), since="2026-01-31"))
    assert report.entries == ()
    assert "_lastUpdated=ge2026-01-31" in fake.searched[0]
    assert not any("_summary" in path for path in fake.asked)


def test_a_dry_run_changes_nothing(server, library):
    assert len(pulled(server(MIXED), library, dry_run=True).entries) == 10
    assert library.entries() == ()
    assert not list(library.folder.glob(".pull-*"))


# --- what cannot be used ------------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_listed_and_the_rest_is_loaded(server, library):
    wrong = [
        code_system(10, url=None),
        code_system(11, 1200) | {"concept": [{"code": "a"}] * 1200},
        code_system(12, meta={"tag": [{"code": "SUBSETTED"}]}),
        {"resourceType": "ValueSet", "url": "http://example.org/broken", "status": "active", "compose": "no"},
    ]
    source = source_of("http://x")
    report = pulled(server([*SEVEN, *wrong]), library, source=source)
    assert report.refused == 4
    said = "\n".join(place for places in source.refusals.places.values() for place in places)
    for part in ("the code 'a' is defined twice", "cs12|1: the server gives only a part", "broken"):
        assert part in said
    assert len(library.entries()) == 7


def as_text(resources, following):
    """A page as JSON text, which a test may spoil."""
    entries = [{"resource": each, "search": {"mode": "match"}} for each in resources]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "link": following, "entry": entries}).encode()


SPOILED = {
    "NUL": (lambda text: text.replace(b"code 0", b"code \0", 1), "entry 1", "a string holds NUL"),
    "an escaped NUL": (lambda text: text.replace(b"code 0", b"code \\u0000", 1), "entry 1", "a string holds NUL"),
    "a half pair": (lambda text: text.replace(b"code 0", b"\\ud800", 1), "entry 1", "half of a surrogate pair"),
    "no UTF-8": (lambda text: text.replace(b"code 0", b"\xff\xfe", 1), "entry 1", "no UTF-8"),
    "NaN": (lambda text: text.replace(b'"version": "1"', b'"version": NaN', 1), "entry 1", "NaN is no number"),
    "too large a number": (lambda text: text.replace(b'"version": "1"', b'"count": 1e999', 1), "entry 1", "1e999"),
    "a key twice": (lambda text: text.replace(b'"id"', b'"id": "x", "id"', 1), "entry 1", "'id' is given twice"),
    "too deep": (lambda text: text.replace(b'"c0"', b"[" * 300 + b"]" * 300, 1), "entry 1", "more than 200 levels"),
    "something behind": (lambda text: text + b"\n<html>", "?start=2", "something follows its end"),
    "a key of the page twice": (lambda text: b'{"type": "x", ' + text[1:], "?start=2", "'type' is given twice"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "place", "said"), SPOILED.values(), ids=SPOILED)
def test_what_is_no_strict_json_is_refused_with_its_address_and_the_rest_comes_in(server, library, spoil, place, said):
    """Of three pages the second is spoiled: an entry costs itself, a page that is in doubt its entries."""

    def twist(_, path):
        if "CodeSystem?start=2" not in path:
            return None
        following = [{"relation": "next", "url": f"{fake.base}/CodeSystem?start=4"}]
        return Answer(spoil(as_text(SEVEN[2:4], following)))

    fake = server(MIXED, twist=twist)
    source = source_of(fake.base)
    report = pulled(fake, library, source=source)
    lost = {"cs2"} if place == "entry 1" else {"cs2", "cs3"}
    assert set(urls(library)) == {each["url"].rpartition("/")[2] for each in MIXED} - lost
    assert report.refused == 1
    [found] = source.refusals.places["OWN_ROW_NOT_STRICT"]
    assert f"{fake.base}/CodeSystem?start=2" in found
    assert place in found
    assert said in found


def test_a_page_that_is_no_json_costs_what_follows_it_and_no_other_type(server, library):
    fake = server(MIXED, twist=lambda _, path: Answer(b"<html>Bad gateway") if "CodeSystem?start=2" in path else None)
    source = source_of(fake.base)
    report = pulled(fake, library, source=source)
    assert urls(library) == ["cs0", "cs1", "vs1", "vs2", "vs3"]
    assert report.refused == 1
    [found] = source.refusals.places["OWN_ROW_NOT_STRICT"]
    assert found.startswith(f"{fake.base}/CodeSystem?start=2")
    assert "it is no JSON: Expecting value (at line 1, column 1); the pages after it could not be found" in found


def test_what_was_refused_is_told_also_by_a_pull_that_goes_on(server, library):
    """The page is not asked for again."""

    def twist(number, path):
        if "CodeSystem?start=2" in path:
            spoiled = as_text(SEVEN[2:4], [{"relation": "next", "url": f"{fake.base}/CodeSystem?start=4"}])
            return Answer(spoiled.replace(b"code 0", b"code \0", 1))
        return Answer(status=500) if "ValueSet" in path and fake.resources is not READY else None

    fake = server(MIXED, twist=twist)
    with pytest.raises(Refusal):
        pulled(fake, library)
    fake.resources = READY
    report = pulled(fake, library)
    assert report.refused == 1
    assert sum("CodeSystem?start=2" in path for path in fake.searched) == 1
    assert len(library.entries()) == 9


READY = list(MIXED)


def test_every_resource_that_is_refused_is_named(server, library):
    wrong = [code_system(number, meta={"tag": [{"code": "SUBSETTED"}]}) for number in range(20, 60)]
    source = source_of("http://x")
    pulled(server([*SEVEN, *wrong], page=100), library, source=source)
    assert len(source.refusals.places["OWN_ROW_SUBSETTED"]) == 40


def test_a_resource_that_a_search_shows_in_part_is_read(server, library):
    part = {"tag": [{"code": "SUBSETTED"}]}

    def twist(_, path):
        if "CodeSystem?" in path:
            entry = {"resource": code_system(1, 0, meta=part)}
            return Answer({"resourceType": "Bundle", "type": "searchset", "entry": [entry]})
        return None

    pulled(server([code_system(1, 3)], twist=twist), library)
    [entry] = library.entries()
    assert entry.concepts == 3


def test_texts_of_others_cannot_command_a_terminal(server, library):
    source = source_of("http://x")
    evil = code_system(1, url="http://x/\x1b[2J", meta={"tag": [{"code": "SUBSETTED"}]})
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "diagnostics": "\x1b]0;x\x07"}]}
    report = pulled(server([evil, *SEVEN], outcome=outcome), library, source=source)
    said = str(source.refusals.places) + "".join(report.notes)
    assert "says: " in said
    assert "\x1b" not in said
    assert "\x07" not in said


# --- servers that fail --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, library, status):
    fake = server(SEVEN, twist=lambda number, _: Answer(status=status) if number % 2 else None)
    pulled(fake, library, Wanted(("CodeSystem",)))
    assert len(library.entries()) == 7
    assert len(fake.asked) == 2 * 5


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_connection_that_breaks_in_a_page_is_tried_again(server, library, cut):
    def twist(number, path):
        return Answer(fake.answer(path).body, cut=cut) if number % 2 else None

    fake = server(SEVEN, twist=twist)
    pulled(fake, library, Wanted(("CodeSystem",)))
    assert len(library.entries()) == 7


def test_retry_after_is_honoured(server, library):
    fake = server(
        SEVEN[:1], twist=lambda number, _: Answer(status=503, headers={"Retry-After": "1"}) if number == 1 else None
    )
    begun = time.monotonic()
    pulled(fake, library, Wanted(("CodeSystem",)))
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize("stated", ["86400", "Fri, 31 Dec 2100 23:59:59 GMT", "9" * 400])
def test_a_wait_that_is_too_long_ends_the_pull_with_advice(server, library, stated):
    fake = server(SEVEN, twist=lambda *_: Answer(status=429, headers={"Retry-After": stated}))
    with pytest.raises(Unavailable, match="goes on where it stopped"):
        pulled(fake, library)
    assert len(fake.asked) == 1


@pytest.mark.parametrize("stated", ["soon", "-1", "", "1.5", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_of_no_use_is_as_none(server, library, stated):
    fake = server(
        SEVEN, twist=lambda number, _: Answer(status=503, headers={"Retry-After": stated}) if number == 1 else None
    )
    pulled(fake, library)
    assert len(library.entries()) == 7


def test_attempts_have_an_end(server, library):
    fake = server(SEVEN, twist=lambda *_: Answer(status=503))
    with pytest.raises(Unavailable, match="in 4 attempts"):
        pulled(fake, library)
    assert len(fake.asked) == 4


def test_a_server_that_is_not_there_is_a_refusal(library):
    with pytest.raises(Unavailable, match="no connection"):
        pulled(Fake([], base=f"http://127.0.0.1:{free_port()}/fhir"), library)
    assert not list(library.folder.glob(".pull-*"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_refusal_of_the_server_is_passed_on(server, library, status):
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "diagnostics": "because"}]}
    fake = server(SEVEN, twist=lambda _, path: Answer(outcome, status) if "CodeSystem" in path else None)
    with pytest.raises(Refusal, match=f"answered {status}: because"):
        pulled(fake, library)
    assert library.entries() == ()


@pytest.mark.parametrize(
    "body",
    [{"resourceType": "Patient"}, {}, b'{"resourceType": "Bundle", "resourceType": "Bundle"}', b"{" * 1000 + b"}"],
)
def test_what_is_no_page_is_a_refusal(server, library, body):
    fake = server(SEVEN, twist=lambda _, path: Answer(body) if "CodeSystem" in path else None)
    with pytest.raises(Refusal, match="no Bundle"):
        pulled(fake, library)


def test_a_page_that_is_too_large_is_a_refusal(server, library, monkeypatch):
    monkeypatch.setattr(pulling, "BODY", 2000)
    with pytest.raises(TooLarge, match="smaller pages"):
        pulled(server([code_system(1, 100)]), library)


def test_a_packed_page_is_measured_unpacked(server, library, monkeypatch):
    monkeypatch.setattr(pulling, "BODY", 1 << 20)
    packed = gzip.compress(b" " * (1 << 26))
    fake = server([], twist=lambda *_: Answer(packed, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(TooLarge):
        pulled(fake, library)


def test_a_server_of_another_fhir_version_is_a_refusal(server, library):
    with pytest.raises(NotSupported, match=r"1\.0\.2"):
        pulled(server(SEVEN, fhir="1.0.2"), library)


# --- servers that lead astray -------------------------------------------------------------------------------------


def leading(fake, to):
    """The first page names ``to`` as the next."""

    def twist(_, path):
        if "CodeSystem?" not in path:
            return None
        body = fake.answer(path).body
        return Answer(body | {"link": [{"relation": "next", "url": to(fake, path)}]})

    return twist


@pytest.mark.parametrize(
    "to", [lambda f, path: f.base.removesuffix("/fhir") + path, lambda f, _: f.base + "/CodeSystem?x"]
)
def test_pages_in_a_circle_are_a_refusal(server, library, to):
    fake = server(SEVEN)
    fake.twist = leading(fake, to)
    with pytest.raises(Invalid, match="circle"):
        pulled(fake, library)
    assert len(fake.searched) <= 2


def test_pages_without_end_are_a_refusal(server, library, monkeypatch):
    monkeypatch.setattr(pulling, "MOST", 20)
    fake = server(SEVEN)
    fake.twist = leading(fake, lambda f, _: f"{f.base}/CodeSystem?page={len(f.asked)}")
    with pytest.raises(TooLarge, match="20 pages"):
        pulled(fake, library)


def test_a_next_page_at_another_server_is_not_asked_for(server, library):
    other = server(SEVEN)
    fake = server(SEVEN)
    fake.twist = leading(fake, lambda *_: f"{other.base}/CodeSystem?start=2")
    with pytest.raises(Invalid, match="another server"):
        pulled(fake, library, headers={"Authorization": "Bearer secret"})
    assert other.asked == []


@pytest.mark.parametrize(
    "to",
    [
        "https://127.0.0.1/fhir/CodeSystem",
        "//evil.example.org/fhir",
        "http://user@{host}/fhir/CodeSystem?x",
        "http://{host}\\@evil.example.org/",
        "file:///etc/passwd",
        "http://127.0.0.1:1/fhir",
        "http://[::1",
        "http://{host}.evil.example.org/",
    ],
)
def test_no_spelling_leads_to_another_server(to):
    with Origin("http://127.0.0.1:8080/fhir", {}) as origin, pytest.raises(Invalid, match="another server"):
        origin.within(to.replace("{host}", "127.0.0.1:8080"), "http://127.0.0.1:8080/fhir/CodeSystem")


def test_a_relative_next_page_is_followed(server, library):
    fake = server(SEVEN)

    def twist(_, path):
        body = fake.answer(path).body
        for link in body.get("link", ()):
            link["url"] = link["url"].removeprefix(fake.base.removesuffix("/fhir"))
        return Answer(body)

    fake.twist = twist
    pulled(fake, library)
    assert len(library.entries()) == 7


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(server, library, status):
    other = server(SEVEN)
    fake = server(SEVEN, twist=lambda *_: Answer(status=status, headers={"Location": f"{other.base}/metadata"}))
    with pytest.raises(Invalid, match="Name that address instead"):
        pulled(fake, library, headers={"Authorization": "Bearer secret"})
    assert other.asked == []


# --- headers ------------------------------------------------------------------------------------------------------


def test_headers_go_along_and_into_no_file_or_message(server, library, capfd, caplog):
    fake = server(MIXED, twist=lambda number, _: Answer(status=403) if number == 4 else None)
    with caplog.at_level(0), pytest.raises(Refusal) as refused:
        pulled(fake, library, headers={"Authorization": "Bearer s3cr3t", "X-Api-Key": "s3cr3t"})
    assert all(each["Authorization"] == "Bearer s3cr3t" for each in fake.headers)
    held = b"".join(path.read_bytes() for path in library.folder.rglob("*") if path.is_file())
    assert list(library.folder.glob(".pull-*/pages.ndjson"))
    assert b"s3cr3t" not in held
    assert "s3cr3t" not in str(refused.value) + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("Content-Length", "1"),
        ("A b", "x"),
        ("X", "s3cr3t\r\nY: 1"),
        ("X", ""),
        ("", "s3cr3t"),
        ("X", "ß"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused_without_its_value(name, value):
    with pytest.raises(Invalid, match="header") as refused:
        Origin("https://tx.example.org/fhir", {name: value})
    assert "s3cr3t" not in str(refused.value)


def test_credentials_of_netrc_are_not_sent(server, library, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cr3t\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fake = server(SEVEN)
    pulled(fake, library)
    assert not any("Authorization" in each for each in fake.headers)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/fhir",
        "tx.example.org",
        "https://",
        "https://me:s3cr3t@x/fhir",
        "https://x/?a",
        "https://x/#a",
        "http://x:a",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Invalid, match="no address") as refused:
        Origin(url, {})
    assert "s3cr3t" not in str(refused.value)


# --- stopped and continued ----------------------------------------------------------------------------------------


def test_a_pull_goes_on_where_it_stopped(server, library):
    fake = server(MIXED, twist=lambda number, _: Answer(status=500) if number == 5 else None)
    with pytest.raises(Refusal):
        pulled(fake, library)
    assert library.entries() == ()
    done = set(fake.asked[1:4])
    fake.asked.clear()
    fake.twist = lambda *_: None
    pulled(fake, library)
    assert len(library.entries()) == 10
    assert not done & set(fake.searched)


def test_pages_that_expired_are_fetched_anew(server, library):
    fake = server(SEVEN, twist=lambda number, _: Answer(status=500) if number == 4 else None)
    with pytest.raises(Refusal):
        pulled(fake, library)
    count = len(fake.asked)
    fake.twist = lambda number, _: Answer(status=410) if number == count + 2 else None
    report = pulled(fake, library)
    assert len(library.entries()) == 7
    assert any("expired" in note for note in report.notes)


@pytest.mark.parametrize("harm", ["line", "page", "gone", "old"])
def test_what_an_earlier_pull_left_damaged_is_fetched_again(server, library, harm, monkeypatch):
    fake = server(SEVEN, twist=lambda number, _: Answer(status=500) if number == 4 else None)
    with pytest.raises(Refusal):
        pulled(fake, library)
    [folder] = library.folder.glob(".pull-*")
    if harm == "line":
        (folder / "pages.ndjson").write_bytes((folder / "pages.ndjson").read_bytes()[:-20])
    elif harm == "page":
        (folder / "2.json").write_bytes(b"{")
    elif harm == "gone":
        (folder / "1.json").unlink()
    else:
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 90_000)
    fake.twist = lambda *_: None
    pulled(fake, library)
    assert len(library.entries()) == 7


def test_anew_forgets_what_was_fetched(server, library):
    fake = server(SEVEN, twist=lambda number, _: Answer(status=500) if number == 4 else None)
    with pytest.raises(Refusal):
        pulled(fake, library)
    fake.asked.clear()
    fake.twist = lambda *_: None
    pulled(fake, library, Wanted(), anew=True)
    assert len(fake.searched) == 4 + 3


def test_two_pulls_of_one_server_do_not_mix(server, library):
    fake = server(SEVEN)

    def twist(number, _):
        if number == 3:
            with pytest.raises(NotAllowed, match="under way"):
                pulled(fake, library)

    fake.twist = twist
    pulled(fake, library)
    assert len(library.entries()) == 7


def test_killed_at_any_moment_it_is_continued_and_nothing_is_fetched_in_vain(server, tmp_path):
    random.seed(seed := random.randrange(1 << 30))
    fake = server([code_system(number) for number in range(40)], twist=lambda *_: time.sleep(0.02))
    library = Library(tmp_path / "data")
    command = [PROGRAM, "pull", fake.base, "--data-dir", library.folder, "--type", "CodeSystem"]
    kills = 0
    for _ in range(30):
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_environment(), text=True
        ) as process:
            assert process.stderr is not None
            for _ in range(random.randrange(1, 4)):
                process.stderr.readline()
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
        assert len(library.entries()) in (0, 40), f"seed {seed}"
        if library.entries():
            break
    pages = len(fake.searched)
    if not library.entries():
        done = subprocess.run(command, capture_output=True, env=clean_environment(), check=False)
        assert done.returncode == 0, done.stderr
        pages = len(fake.searched)
    assert len(library.entries()) == 40
    assert 20 <= pages <= 20 + kills, f"seed {seed}"


# --- the command, and a real server -------------------------------------------------------------------------------


def run(*arguments):
    command = [PROGRAM, *(str(each) for each in arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False, timeout=120)


def test_the_command_tells_what_it_did_and_its_exit_code(server, tmp_path):
    fake = server([*SEVEN, code_system(12, meta={"tag": [{"code": "SUBSETTED"}]})])
    (tmp_path / "headers").write_text("Authorization: Bearer s3cr3t\n")
    broken = as_text([code_system(13)], []).replace(b"code 0", b"code \0")
    fake.twist = lambda _, path: Answer(broken) if "ValueSet" in path else None
    done = run("pull", fake.base, "--data-dir", tmp_path / "d", "--json", "--header", f"@{tmp_path}/headers")
    assert done.returncode == 1
    assert f"{fake.base}/ValueSet?_count=100 entry 1: it cannot be used: a string holds NUL" in done.stderr
    told = json.loads(done.stdout)
    assert len(told["loaded"]) == 7
    assert told["refused"] == 2
    assert "cs12" in done.stderr
    assert "without encryption" in done.stderr
    assert fake.headers[0]["Authorization"] == "Bearer s3cr3t"
    assert "s3cr3t" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://x"], "no address"),
        (["http://x", "--type", "Patient"], "CodeSystem, ValueSet"),
        (["http://x", "--since", "yesterday"], "a date"),
        (["http://x", "--header", "nonsense"], "no colon"),
        (["http://x", "--header", "@nowhere"], "nowhere"),
    ],
)
def test_a_wrong_flag_is_one_sentence_and_exit_code_2(tmp_path, arguments, said):
    done = run("pull", *arguments, "--data-dir", tmp_path / "d")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("version", ["r4", "r5"])
def test_our_own_server_is_mirrored_to_one_that_answers_the_same(tmp_path, version):
    """A live server with loaded content; another one, with nothing but the mirror, has the same codes."""
    samples = Path(__file__).parent / "samples"
    assert run("import", "fhir", samples / "bundle.json", "--data-dir", tmp_path / "a").returncode == 0
    port = free_port()
    command = [PROGRAM, "serve", "--port", str(port), "--no-core-content", "--data-dir", tmp_path / "a"]
    with serving(command, port, folder=tmp_path) as base:
        url = f"{base}/fhir/{version}"
        done = run("pull", url, "--data-dir", tmp_path / "b", "--count", 5, "--json")
        assert done.returncode == 0, done.stderr
        again = run("pull", url, "--data-dir", tmp_path / "b", "--json")
    assert {each["result"] for each in json.loads(again.stdout)["loaded"]} == {"unchanged"}
    without = ["--no-installed-content", "--no-core-content"]
    for value_set_url in (
        "http://example.org/all-sizes",
        "https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest",
    ):
        mirrored = run("expand", value_set_url, "--data-dir", tmp_path / "b", *without, "--json")
        original = run("expand", value_set_url, "--data-dir", tmp_path / "a", "--no-core-content", "--json")
        assert (mirrored.returncode, original.returncode) == (0, 0), mirrored.stderr + original.stderr
        found = [json.loads(each.stdout)["expansion"]["contains"] for each in (mirrored, original)]
        parsed(json.loads(mirrored.stdout), "5.0")
        assert [(each["system"], each["code"]) for each in found[0]] == [
            (each["system"], each["code"]) for each in found[1]
        ]


def test_a_random_part_of_each_wait_keeps_clients_apart(monkeypatch, server, library):
    waits = []
    monkeypatch.setattr(outgoing.time, "sleep", waits.append)
    with pytest.raises(Unavailable):
        pulled(server(SEVEN, twist=lambda *_: Answer(status=503)), library)
    assert len(set(waits)) == 3
    assert all(0 < wait <= 0.05 for wait in waits)
