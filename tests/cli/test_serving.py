"""Serving: the address that is printed, settings in the workers, signals, and refusals to start."""

import json
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from servers import clean_environment, free_port, serving, stop

from terminology import serving as starting
from terminology.settings import Settings

PROGRAMS = Path(sysconfig.get_path("scripts"))
LOOKUP = "/fhir/r4/CodeSystem/$lookup?system=http://www.ama-assn.org/go/cpt&code=38232"
EXPAND = "/fhir/r5/ValueSet/$expand?url=https://flask-fhir-terminology.org/fhir/ValueSet/bone-marrow-harvest&count="


def get(url):
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def command(port, *flags):
    return [PROGRAMS / "terminology", "serve", "--port", str(port), *flags]


def test_serve_prints_its_address_and_answers_with_the_settings_in_every_worker(tmp_path):
    port = free_port()
    flags = ["--workers", "2", "--page-limit", "1", "--expansion-limit", "1", "--log-level", "warning"]
    with serving(command(port, *flags), port, folder=tmp_path) as base:
        status, body = get(base + LOOKUP)
        assert (status, body["resourceType"]) == (200, "Parameters")
        assert {get(base + EXPAND + "2")[0] for _ in range(8)} == {422}
        assert get(base + EXPAND + "1")[0] == 200
    said = (tmp_path / f"server-{port}.log").read_text()
    assert said == f"Serving FHIR R4 and R5 at http://127.0.0.1:{port}/fhir (Ctrl+C stops)\n"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_request_under_way_is_answered_before_the_server_ends(tmp_path, ending):
    port = free_port()
    body = json.dumps(
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "system", "valueUri": "http://www.ama-assn.org/go/cpt"},
                {"name": "code", "valueCode": "38232"},
            ],
        }
    ).encode()
    head = (
        f"POST /fhir/r4/CodeSystem/$lookup HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/fhir+json\r\nExpect: 100-continue\r\n\r\n"
    )
    process = subprocess.Popen(
        command(port, "--workers", "1"), stderr=subprocess.PIPE, text=True, env=clean_environment(), cwd=tmp_path
    )
    try:
        assert process.stderr is not None
        assert f":{port}/fhir" in process.stderr.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(head.encode())
            assert client.recv(1024).startswith(b"HTTP/1.1 100 Continue")
            process.send_signal(ending)
            client.sendall(body)
            assert client.recv(1024).startswith(b"HTTP/1.1 200 OK")
        assert process.wait(timeout=10) == 0
    finally:
        stop(process)
        process.stderr.close()


def test_a_port_in_use_is_refused_with_exit_code_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(command(port), capture_output=True, text=True, check=False, env=clean_environment())
    assert done.returncode == 2
    assert done.stderr == f"error: 127.0.0.1:{port} is in use. Choose another with --host or --port\n"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--host", "0.0.0.0", "--data-dir", "data"), "for this machine alone"),
        (("--host", "192.0.2.1", "--data-dir", "data"), "for this machine alone"),
        ((), "nothing would keep"),
        (("--store", "sqlite:///nowhere/at/all/store"), "cannot be used"),
        (("--store", "mysql://x/y"), "a database url"),
    ],
)
def test_writes_that_nobody_should_make_or_nothing_would_keep_are_refused_at_start(tmp_path, flags, said):
    done = subprocess.run(
        command(free_port(), "--allow-writes", *flags),
        capture_output=True, text=True, check=False, env=clean_environment(), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr


def test_jobs_that_nothing_would_keep_are_refused_at_start(tmp_path):
    done = subprocess.run(
        command(free_port(), "--bulk"),
        capture_output=True, text=True, check=False, env=clean_environment(), cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, "bulk: nothing would keep the jobs" in done.stderr) == (2, True)


def test_a_host_that_does_not_exist_is_refused(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(starting.CannotServeError, match=r"nowhere:80 cannot be used \(Name or service not known\)"):
        starting.check_address("nowhere", 80)


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (Settings(), "http://127.0.0.1:8080/fhir"),
        (Settings(host="0.0.0.0"), "http://127.0.0.1:8080/fhir"),
        (Settings(host="::1", url_prefix=""), "http://[::1]:8080"),
        (Settings(host="::"), "http://[::1]:8080/fhir"),
    ],
)
def test_the_address_is_one_that_a_client_can_use(settings, address):
    assert starting.address(settings) == address


# --- strangers under our names --------------------------------------------------------------------------------


def test_our_own_packages_may_serve():
    starting.check_names()


def test_a_stranger_under_one_of_our_names_is_refused(tmp_path):
    for name in ("codesystems", "valuesets"):
        folder = tmp_path / name / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("published = None\n")
        done = subprocess.run(
            [PROGRAMS / "terminology", "list"],
            capture_output=True,
            text=True,
            check=False,
            env=clean_environment(PYTHONPATH=str(tmp_path / name)),
        )
        assert done.returncode == 2
        assert f"error: The import name {name} is taken by {folder}" in done.stderr
        assert "install flask-fhir-terminology again" in done.stderr


def test_a_distribution_that_overwrote_our_files_is_refused(monkeypatch):
    ours = import_module("valuesets")
    stranger = ModuleType("valuesets")
    stranger.__path__ = ours.__path__
    monkeypatch.setitem(sys.modules, "valuesets", stranger)
    with pytest.raises(starting.CannotServeError, match="The import name valuesets is taken by"):
        starting.check_names()


# --- other servers --------------------------------------------------------------------------------------------


def test_flask_run_finds_the_app(tmp_path):
    port = free_port()
    flask = [PROGRAMS / "flask", "--app", "terminology", "run", "--port", str(port)]
    with serving(flask, port, folder=tmp_path) as base:
        assert get(base + LOOKUP)[0] == 200


@pytest.mark.slow
def test_gunicorn_serves_the_app(tmp_path):
    port = free_port()
    gunicorn = [PROGRAMS / "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "terminology:create_app()"]
    with serving(gunicorn, port, folder=tmp_path) as base:
        assert get(base + LOOKUP)[0] == 200
        assert get(base + EXPAND + "1")[0] == 200
