"""A PostgreSQL server of our own on loopback, from the system's packages, gone with the block that started it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from servers import free_port

USER = "terminology"


def programs() -> Path:
    """The folder of the newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    assert initdb, "PostgreSQL is not installed: apt-get install postgresql"
    return Path(initdb).parent


@contextmanager
def cluster() -> Iterator[str]:
    """The url of a database in a new cluster. Its server refuses to run as root, so root starts it as postgres."""
    folder = Path(tempfile.mkdtemp(prefix="terminology-postgresql-"))
    root = os.geteuid() == 0
    who: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
    if root:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", free_port()
    made = [programs() / "initdb", "--pgdata", data, "--username", USER, "--auth", "trust", "--encoding", "UTF8"]
    subprocess.run([*made, "--no-sync"], check=True, cwd=folder, stdout=subprocess.DEVNULL, **who)
    settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
    options = [each for name, value in settings.items() for each in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        command = [programs() / "postgres", "-D", data, *options]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **who)
    url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
    try:
        wait_until_ready(url, server, folder / "log")
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_ready(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(150):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
        else:
            return
    raise AssertionError(log.read_text())


@contextmanager
def database(server: str) -> Iterator[str]:
    """The url of a new, empty database of a cluster."""
    name = f"store_{time.monotonic_ns()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield f"{server.rpartition('/')[0]}/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
