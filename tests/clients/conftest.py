"""The two endpoints of the live server, and what the programs in Node and Java need."""

import json
import subprocess
from pathlib import Path

import pytest
from clients import published

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def r4(live_server: str) -> str:
    return f"{live_server}/fhir/r4"


@pytest.fixture(scope="session")
def r5(live_server: str) -> str:
    return f"{live_server}/fhir/r5"


@pytest.fixture(params=["r4", "r5"], scope="session")
def endpoint(request: pytest.FixtureRequest) -> str:
    """Each endpoint in turn."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture(scope="session")
def published_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The constants of published.py as JSON; MEMBERSHIP with the message that goes with a no."""
    constants = {name: value for name, value in vars(published).items() if name.isupper()}
    members = [(url, code, said, published.not_a_member(url, code)) for url, code, said in published.MEMBERSHIP]
    path = tmp_path_factory.mktemp("published") / "published.json"
    path.write_text(json.dumps({**constants, "MEMBERSHIP": members}), "utf-8")
    return path


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder with fhir-kit-client, installed as the lock says."""
    folder = HERE / "node" / "node_modules"
    wanted, mark = (HERE / "node" / "package-lock.json").read_bytes(), folder / ".installed-from"
    if not mark.is_file() or mark.read_bytes() != wanted:
        run = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=HERE / "node",
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        mark.write_bytes(wanted)
    return folder
