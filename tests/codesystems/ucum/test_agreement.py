"""UCUM as we read it and as npm's @lhncbc/ucum-lhc does: every difference has a reason, and there are no new ones."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from unit_corpus import corpus

from codesystems.ucum import Malformed, meaning, parse, table

HERE = Path(__file__).resolve().parent
DIFFERENCES = json.loads((HERE / "differences.json").read_text(encoding="utf-8"))


def ours(code: str) -> list[int] | str:
    """The powers of the base units, or the message id of the reason why the code is none."""
    try:
        powers = meaning(parse(code)).powers
    except Malformed as wrong:
        return wrong.message_id
    return [powers.get(base, 0) for base in table().dimensions]


@pytest.fixture(scope="session")
def modules(tmp_path_factory) -> Path:
    """The folder of the other reader's packages: that of NODE_PATH where it is set, else installed for this run."""
    if "NODE_PATH" in os.environ:
        return Path(os.environ["NODE_PATH"])
    folder = tmp_path_factory.mktemp("ucum")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    program = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    run = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "node_modules"


@pytest.mark.system
def test_another_reader_agrees_but_for_what_is_explained(modules):
    codes = corpus()
    assert len(codes) >= 3000
    program = ["node", str(HERE / "read.cjs")]
    environment = {**os.environ, "NODE_PATH": str(modules)}
    done = subprocess.run(program, input=json.dumps(codes), env=environment, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout)
    seen: Counter[str] = Counter()
    unexplained = []
    for code, other in zip(codes, theirs, strict=True):
        own = ours(code)
        if (other is None) == isinstance(own, str) and (other is None or (other or [0] * 7) == own):
            continue
        if row := explained(code, own):
            seen[row["reason"]] += 1
        else:
            unexplained.append((code, own, other))
    assert not unexplained
    assert {row["reason"]: seen[row["reason"]] for row in DIFFERENCES} == {r["reason"]: r["most"] for r in DIFFERENCES}
    valid = sum(other is not None for other in theirs)
    assert valid >= 1000
    assert len(codes) - valid >= 1000


def explained(code: str, own: list[int] | str) -> dict | None:
    kind = own if isinstance(own, str) else "valid"
    return next((row for row in DIFFERENCES if row["ours"] == kind and re.fullmatch(row["pattern"], code)), None)
