"""The app with the published content, and a client for each FHIR version."""

import pytest
from flask import Flask
from http_client import Client

from terminology import create_app


@pytest.fixture(scope="session")
def app() -> Flask:
    return create_app()


@pytest.fixture(params=["r4", "r5"])
def client(app: Flask, request: pytest.FixtureRequest) -> Client:
    return Client(app, request.param)
