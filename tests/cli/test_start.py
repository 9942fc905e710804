"""What a worker imports until its first answer, counted: a budget in modules, which no noisy machine changes."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUDGET = 190
"""Modules beside those of a bare Flask app; 140 in November 2026. What few requests need is imported when they come."""
LIBRARIES = {
    "_sqlite3",
    "codesystems",
    "conceptmaps",
    "marshmallow",
    "orjson",
    "re2",
    "sqlite3",
    "terminology",
    "valuesets",
}
"""The packages among them that are no small part of the standard library."""
STANDARD = 15
ASK = """
from terminology import create_app
environ = {
    "REQUEST_METHOD": "GET", "PATH_INFO": "/fhir/r4/CodeSystem/$lookup", "SERVER_NAME": "x", "SERVER_PORT": "80",
    "QUERY_STRING": "system=http://www.ama-assn.org/go/cpt&code=38232", "wsgi.url_scheme": "http",
}
create_app().wsgi_app(environ, lambda status, headers: print(status))
"""


def imported(program: str) -> tuple[str, set[str]]:
    """What a process prints first, and the names of its modules at its end."""
    told = "import json, sys; print(json.dumps([name for name in sys.modules if name != '__main__']))"
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{told}"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    *before, modules = done.stdout.splitlines()
    return " ".join(before), set(json.loads(modules))


def test_the_first_answer_stays_within_its_budget_of_imported_modules() -> None:
    _, bare = imported("from flask import Flask\napp = Flask('bare')")
    answered, ours = imported(ASK)
    more = ours - bare
    assert answered == "200 OK"
    assert len(more) <= BUDGET, f"{len(more)}: {sorted(more)}"
    others = {name.partition(".")[0] for name in more} - LIBRARIES
    assert others <= sys.stdlib_module_names, f"not needed for a first answer: {sorted(others)}"
    assert len(others) <= STANDARD, sorted(others)
