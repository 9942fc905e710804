"""The commands as a user runs them, beside a server that goes on."""

import json
import subprocess
import sysconfig
import time
import urllib.request
from pathlib import Path

import states
from fhir_models import parsed
from servers import clean_environment, free_port, serving

PROGRAM = Path(sysconfig.get_path("scripts"), "terminology")


def run(*arguments):
    command = [PROGRAM, *(str(each) for each in arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False, timeout=120)


def flags(held):
    return ["--data-dir", held.library.folder, "--state-path", held.state]


def versions(base):
    url = f"{base}/fhir/r5/CodeSystem?url={states.URL}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        bundle = json.load(answer)
    parsed(bundle, "5.0")
    return [entry["resource"]["version"] for entry in bundle.get("entry", [])]


def test_a_running_server_is_backed_up_and_follows_a_restore(tmp_path):
    held = states.grow(tmp_path / "service", "1")
    port = free_port()
    command = [PROGRAM, "serve", "--port", str(port), "--no-core-content", "--workers", "1", *flags(held)]
    with serving(command, port, folder=tmp_path) as base:
        done = run("backup", tmp_path / "b.tar", *flags(held), "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert {row["part"]: row["files"] for row in told["parts"]} == {"library": 3, "state.sqlite": 1}
        held.library.remove(held.library.entries())
        states.grow(tmp_path / "service", "2")
        wait_for(lambda: versions(base) == ["2"])
        assert run("restore", tmp_path / "b.tar", *flags(held)).returncode == 2
        done = run("restore", tmp_path / "b.tar", "--replace", *flags(held))
        assert done.returncode == 0, done.stderr
        wait_for(lambda: versions(base) == ["1"])
    assert states.tables(held.state) == ["1"]


def wait_for(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_trouble_is_one_sentence_and_exit_code_2(tmp_path):
    held = states.grow(tmp_path / "service", "1")
    (tmp_path / "junk").write_bytes(b"junk")
    for arguments, said in (
        (["backup", tmp_path / "b.tar"], "--data-dir"),
        (["backup", tmp_path / "no" / "b.tar", *flags(held)], "cannot be written"),
        (["backup", tmp_path / "b.tar", *flags(held), "--store", "postgresql://me:s3cr3t@host/name"], "pg_dump"),
        (["restore", tmp_path / "junk", *flags(held), "--replace"], "no backup of this program"),
        (["restore", tmp_path / "nowhere", *flags(held)], "does not exist"),
    ):
        done = run(*arguments)
        assert done.returncode == 2, arguments
        assert said in done.stderr
        assert "s3cr3t" not in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
