"""Who may import whom, which library has which room, and what no product file may hold, as tables."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("terminology", "codesystems", "valuesets", "conceptmaps")

# A module of a later layer may import any of an earlier one, and its neighbours as long as no circle arises.
LAYERS = (
    ("frozen",),
    ("model", "dates"),
    (
        "sentences",
        "transfers",
        "findings",
        "inputs",
        "issues",
        "languages",
        "versions",
        "patterns",
        "settings",
        "outgoing",
    ),
    ("conceptset", "releases"),
    ("implied",),
    ("catalog",),
    ("validity",),
    ("aliases",),
    ("locked",),
    ("resolution",),
    ("membership",),
    ("expansion",),
    ("suggestions", "decoration", "enumerated"),
    ("judgement",),
    ("validation",),
    ("plain",),
    ("operation", "parameters", "schemas", "wire", "resources", "shelves", "described", "naming", "request"),
    ("layers", "acceptance"),
    ("procedures",),
    ("operations",),
    ("definitions", "capabilities"),
    ("jobs",),
    ("rest",),
    (
        "access",
        "web",
        "http",
        "guests",
        "service",
        "serving",
        "bulk",
    ),
    ("output", "exporting"),
    ("", "cli", "testing"),
    ("__main__",),
)

# Beside the layers: all that these may import, and who may import them.
SIDE = {
    "providers": {"frozen", "model", "dates", "issues", "languages", "patterns", "storage"},
    "storage": {"frozen", "model", "dates", "issues", "patterns"},
    "importing": {
        "frozen",
        "model",
        "dates",
        "issues",
        "versions",
        "outgoing",
        "resources",
        "providers",
        "storage",
        "wire",
    },
    "backup": {"frozen", "model", "issues", "importing", "storage", "wire"},
    "discovery": {"*"},
    "stored": {"*"},
}
MAY_IMPORT_SIDE = {
    "providers": {"catalog", "resolution", "resources", "shelves", "importing", "discovery", "stored", "service"},
    "storage": {
        "providers",
        "importing",
        "backup",
        "discovery",
        "stored",
        "rest",
        "jobs",
        "request",
        "layers",
        "guests",
        "operations",
        "service",
        "serving",
        "access",
        "http",
        "bulk",
        "cli",
    },
    "importing": {"discovery", "backup", "cli"},
    "backup": {"bulk", "cli"},
    "discovery": {"service", "serving", "http", "bulk", "cli", ""},
    "stored": {"rest", "jobs", "service", "serving"},
}

# A library is imported in its rooms only.
ROOMS = {
    "flask": {"http", "web", "access", "service"},
    "werkzeug": {"http", "web", "access", "service", "testing.plugin"},
    "marshmallow": {"schemas", "operations"},
    "fhir": {"resources", "wire.checks"},
    "pydantic": {"resources", "wire.checks"},
    "sqlite3": {"storage"},
    "sqlalchemy": {"storage"},
    "alembic": {"storage"},
    "psycopg": {"storage"},
    "jsonpatch": {"rest.changes"},
    "jsonpointer": {"rest.changes"},
    "click": {"cli"},
    "rich": {"cli"},
    "requests": {"outgoing"},
    "urllib3": {"outgoing"},
    "re2": {"patterns"},
    "lxml": {"wire", "resources"},
    "pytest": {"testing.plugin"},
    "granian": {"cli", "serving"},
    "duckdb": {"bulk"},
    "pyarrow": {"bulk"},
    "pyspark": {"bulk"},
}

# A worker holds none of these before it needs them (decisions 30).
NOT_AT_START = (
    "sqlalchemy",
    "alembic",
    "psycopg",
    "jsonpatch",
    "duckdb",
    "pyarrow",
    "pyspark",
    "rich",
    "fhir",
    "pydantic",
    "requests",
)


def sources(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "__pycache__" not in path.parts)


@cache
def name_of(path: Path) -> str:
    """terminology/wire/r4.py is terminology.wire.r4, a folder's __init__.py is the folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> frozenset[str]:
    return frozenset(name_of(path) for package in PACKAGES for path in sources(package))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, those inside functions and for types too, with the line."""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes(), path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            origin = ".".join(part for part in (above, node.module) if part)
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield (inner if inner in modules() else origin), node.lineno


def room(module: str) -> str:
    """The first noun below terminology: terminology.wire.r4 is in wire, terminology itself in ""."""
    return [*module.split("."), ""][1]


LAYER_OF = {noun: number for number, nouns in enumerate(LAYERS) for noun in nouns}


def may_import(importer: str, imported: str) -> bool:
    if importer == imported or SIDE.get(importer) == {"*"}:
        return True
    if importer in SIDE:
        return imported in SIDE[importer]
    if imported in SIDE:
        return importer in MAY_IMPORT_SIDE[imported]
    return LAYER_OF[imported] <= LAYER_OF[importer]


def test_every_module_has_its_place() -> None:
    known = LAYER_OF.keys() | SIDE.keys()
    strangers = sorted({room(name) for name in modules() if name.startswith("terminology")} - known)
    assert not strangers, f"place these in LAYERS or SIDE of tests/test_architecture.py: {strangers}"


def test_imports_point_down() -> None:
    known = LAYER_OF.keys() | SIDE.keys()
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {room(name_of(path)) or 'terminology'} may not import {imported}"
        for path in sources("terminology")
        for imported, line in imports(path)
        if imported.split(".")[0] == "terminology" and {room(name_of(path)), room(imported)} <= known
        if not may_import(room(name_of(path)), room(imported))
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_ever_extracted_from_an_archive() -> None:
    """Members are read in memory: `extract`, `extractall` and tarfile's filters have been bypassed (CVE-2025-4517)."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.attr}"
        for package in PACKAGES
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_bytes(), path))
        if isinstance(node, ast.Attribute) and node.attr.startswith(("extract", "unpack_archive"))
    ]
    assert not found, f"read the member's stream (terminology/importing/archives.py): {found}"


def test_no_circle_of_imports() -> None:
    edges: dict[str, set[str]] = {}
    for path in sources("terminology"):
        importer = room(name_of(path))
        found = {room(imported) for imported, _ in imports(path) if imported.split(".")[0] == "terminology"}
        edges.setdefault(importer, set()).update(found - {importer})
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as circle:
        pytest.fail(f"these import each other in a circle: {circle.args[1]}")


@pytest.mark.parametrize("package", PACKAGES[1:])
def test_content_knows_only_the_model(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {imported}"
        for path in sources(package)
        for imported, line in imports(path)
        if imported.split(".")[0] not in {*sys.stdlib_module_names, package} and imported != "terminology.model"
    ]
    assert not wrong, f"{package} may import terminology.model and the standard library only: {wrong}"


def test_terminology_does_not_know_its_content() -> None:
    """Our own folders come in by entry points, so no module names them in an import."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {imported}"
        for path in sources("terminology")
        for imported, line in imports(path)
        if imported.split(".")[0] in PACKAGES[1:]
    ]
    assert not wrong, "\n".join(wrong)


def test_a_library_has_one_room() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {imported} belongs to {sorted(ROOMS[imported.split('.')[0]])}"
        for package in PACKAGES
        for path in sources(package)
        for imported, line in imports(path)
        if imported.split(".")[0] in ROOMS
        if not in_rooms(name_of(path), ROOMS[imported.split(".")[0]])
    ]
    assert not wrong, "\n".join(wrong)


def in_rooms(module: str, rooms: set[str]) -> bool:
    inner = module.partition(".")[2]
    return any(inner == place or inner.startswith(place + ".") for place in rooms)


def test_a_worker_starts_without_the_heavy_libraries() -> None:
    program = (
        "import json, sys, terminology; terminology.create_app();"
        f"print(json.dumps([name for name in {NOT_AT_START!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_a_service_that_is_only_read_never_loads_the_store(tmp_path: Path) -> None:
    asked = ("CodeSystem/$lookup?system=http://www.ama-assn.org/go/cpt&code=38232", "CodeSystem?name=x", "metadata")
    program = (
        "import json, sys, terminology;"
        f"client = terminology.create_app({{'data_dir': {str(tmp_path)!r}}}).test_client();"
        f"print([client.get('/fhir/r4/' + each).status_code for each in {asked!r}]);"
        f"print(json.dumps([name for name in {NOT_AT_START!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.splitlines() == ["[200, 200, 200]", "[]"], done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_one_for_python_and_for_type_checkers(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
    bare = {path.parent for path in sources(package) if not (path.parent / "__init__.py").is_file()}
    assert (ROOT / package / "__init__.py").is_file()
    assert not bare, f"no __init__.py in {sorted(str(folder.relative_to(ROOT)) for folder in bare)}"


def texts() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and path.suffix in {".py", ".json", ".html", ".css", ".js", ".toml", ".md"}:
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("unwanted", "why"),
    [
        pytest.param(r"hl7\.org/fhir/test/", "a rule made to fit one test case", id="test-urls"),
        pytest.param(r"\b(TODO|FIXME|XXX)\b", "finish it, or write it down where it is planned", id="to-do"),
    ],
)
def test_no_product_file_holds(unwanted: str, why: str) -> None:
    found = [
        f"{path}:{number}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(unwanted, line)
    ]
    assert not found, f"{why}: {found}"


def test_no_product_module_is_a_giant() -> None:
    giants = {
        str(path): lines
        for path, text in texts()
        if path.suffix == ".py" and (lines := len(text.splitlines())) > (800 if path.name == "issues.py" else 600)
    }
    assert not giants, f"more than 600 lines (800 for the table of sentences) ask for a second noun: {giants}"
