"""The pytest plugin ``terminology``: fixtures for the tests of projects that read, write or check coded data.

pytest imports it in every session of an environment in which this distribution is installed, so it imports nothing but
pytest; the service is imported by the first fixture that is used. A session has one service of its own, whose server
listens on a free port of the loopback interface, so sessions side by side do not meet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from terminology.testing import Assertions, PinnedVersionError, check_versions

if TYPE_CHECKING:
    from terminology.procedures.validating import Validated
    from terminology.service import Terminology
    from terminology.validation import Validation

CONTENT, VERSIONS = "terminology_content", "terminology_versions"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        CONTENT, "files or folders of FHIR JSON resources beside the installed content", type="paths", default=[]
    )
    parser.addini(
        VERSIONS,
        "url|version, one a line: fail where content answers with another version",
        type="linelist",
        default=[],
    )


@pytest.fixture(scope="session")
def terminology(pytestconfig: pytest.Config) -> Iterator[Terminology]:
    """The functions, over the installed content and ``terminology_content``, in the versions of
    ``terminology_versions``."""
    from terminology.service import Terminology  # noqa: PLC0415

    missing = [str(each) for each in pytestconfig.getini(CONTENT) if not each.exists()]
    if missing:
        pytest.fail(f"{CONTENT}: there is no {', '.join(missing)}", pytrace=False)
    made = Terminology(content=tuple(pytestconfig.getini(CONTENT)))
    try:
        check_versions(made, pytestconfig.getini(VERSIONS))
    except PinnedVersionError as wrong:
        pytest.fail(f"{VERSIONS}: {wrong}", pytrace=False)
    yield made
    made.state.close()


@pytest.fixture(scope="session")
def terminology_server(terminology: Terminology) -> Iterator[str]:
    """The address of a live server with the same content, such as http://127.0.0.1:40123/fhir; below it r4 and r5."""
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    from terminology.http.server import make_app  # noqa: PLC0415

    class Quiet(WSGIRequestHandler):
        """Writes no line for each request."""

        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
            pass

    server = make_server("127.0.0.1", 0, make_app(terminology), threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, name="terminology-server", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{terminology.state.settings.url_prefix}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def assert_valid_code(terminology: Terminology) -> Callable[..., Validation]:
    """assert_valid_code(system, code, display=None, value_set=None, date=None) fails with what is wrong and what was
    probably meant; what cannot be judged fails too."""
    return Assertions(terminology).valid_code


@pytest.fixture(scope="session")
def assert_coded_procedure(terminology: Terminology) -> Callable[..., Validated]:
    """assert_coded_procedure(resource, value_set=None, date=None, profile=None, fhir="R4", warnings=False) fails with
    every finding on the resource."""
    return Assertions(terminology).coded_procedure
