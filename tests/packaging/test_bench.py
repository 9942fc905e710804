"""scripts/bench: each part is in the table, in the README and can be loaded; medians, ratios and goals are right."""

import argparse
import re
import subprocess
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def stated(**options: object) -> argparse.Namespace:
    return argparse.Namespace(**{"quick": False, "rounds": 3, "seconds": 1.0, "workers": 2, **options})


def test_each_part_is_documented_and_can_run() -> None:
    parts = import_module("bench.parts").PARTS
    told = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "bench/README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(told) == set(parts)
    assert all(callable(import_module(f"bench.{part.module}").run) for part in parts.values())
    assert {path.stem for path in (ROOT / "bench").glob("*.py")} >= {part.module for part in parts.values()}


def test_ratios_are_taken_round_by_round_and_goals_are_held_against_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = import_module("bench.report")
    found = report.Report(stated())
    series = {"bare": [100.0, 200.0, 50.0], "ours": [300.0, 500.0, 200.0], "slow": [50.0, 100.0, 10.0]}
    with found.part("http", "how fast"):
        goals = {"ours": report.Goal(at_least=2.9), "slow": report.Goal(at_least=0.6)}
        found.table("a table", "1/s", series, beside="bare", goals=goals, more={"ours": {"hit ratio": "1.00"}})
    rows = found.found()["parts"]["http"]["tables"][0]["rows"]
    assert [(row["median"], row["ratio"]["median"], row.get("holds")) for row in rows] == [
        (100.0, 1.0, None),
        (300.0, 3.0, True),
        (50.0, 0.5, False),
    ]
    assert {"cores", "load average", "python", "granian"} <= set(found.found()["machine"])
    printed = capsys.readouterr().out
    assert "goal ≥ 2.9: yes  hit ratio 1.00" in printed
    assert "goal ≥ 0.6: NO" in printed


def test_the_ways_take_turns() -> None:
    order: list[str] = []

    def way(name: str) -> float:
        order.append(name)
        return 1.0

    ways = {name: partial(way, name) for name in ("a", "b")}
    assert import_module("bench.report").turns(ways, 2) == {"a": [1.0, 1.0], "b": [1.0, 1.0]}
    assert order == ["a", "b", "a", "b"]


def test_the_command_names_its_parts_and_refuses_others() -> None:
    command = [sys.executable, "-m", "bench"]
    done = subprocess.run([*command, "nothing"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, "there is no part nothing" in done.stderr) == (2, True)
    done = subprocess.run([*command, "peer"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, "--peer URL says which server to ask" in done.stderr) == (1, True)


def test_cold_requests_never_repeat_and_the_bare_app_gives_600_bytes() -> None:
    content, bare = import_module("bench.content"), import_module("bench.bare")
    system = content.system(3000)
    assert len(set(system.codes)) == len(set(system.coded)) == 3000
    assert len(set(system.filters)) == len(system.filters) > 2500
    assert len(bare.app.test_client().get("/").data) == 600
