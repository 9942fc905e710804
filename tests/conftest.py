"""What holds for every test: no network but loopback, and in CI nothing is skipped."""

import ipaddress
import os
import sys
import sysconfig
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import fhir_models
import pytest
from hypothesis import HealthCheck, settings
from servers import free_port, serving

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
IN_CI = os.environ.get("CI") == "true"


class NetworkUsed(BaseException):
    """No Exception, so that the code under test cannot take it for a server that is down."""


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"}:
        host = arguments[0]
    else:
        return
    if not is_here(host.decode() if isinstance(host, bytes) else host):
        raise NetworkUsed(f"a test reached for {host!r} ({event}); tests use loopback only")


def is_here(host: str | None) -> bool:
    if host in {None, "", "localhost"}:
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def pytest_configure() -> None:
    """What hypothesis measures by the clock depends on what else the machine does, so it decides nothing here."""
    sys.addaudithook(refuse_network)
    settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any-machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return not_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return not_skipped((yield))


def not_skipped(report: Report) -> Report:
    """In CI a skip is a failure: what cannot run has not been tested. (xfail is strict, so it may stay.)"""
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of `terminology serve`, as installed, with the default settings."""
    port = free_port()
    program = Path(sysconfig.get_path("scripts"), "terminology")
    command: list[str | Path] = [program, "serve", "--host", "127.0.0.1", "--port", str(port)]
    with serving(command, port, folder=tmp_path_factory.mktemp("live")) as base:
        yield base


@pytest.fixture(scope="session")
def fhir() -> Callable[..., Any]:
    """fhir(resource, "4.0" or "5.0"): the answer as a model, or an error that says what is not valid."""
    return fhir_models.parsed
