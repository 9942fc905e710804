"""The progress of a run: a bar on a terminal, a line each ten seconds elsewhere, colour where it is wanted."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from coded_records import CPT

from terminology.bulk.run import Progress
from terminology.cli import following
from terminology.cli.following import Following

ROWS = 30_000


@pytest.fixture
def clock(monkeypatch):
    """``clock[0]`` is the time."""
    now = [1000.0]
    monkeypatch.setattr(following.time, "monotonic", lambda: now[0])
    return now


def test_a_line_is_written_each_ten_seconds_with_rate_share_and_time_left(clock, capsys):
    with Following(quiet=False, colour=False) as shown:
        for second in range(1, 26):
            clock[0] = 1000.0 + second
            shown.show(Progress("a.csv", done=second * 10, total=1000, records=second * 2000, findings=second))
    assert capsys.readouterr().err.splitlines() == [
        "20,000 records, 10 findings, 2,000/s, 10 %, 90 s left",
        "40,000 records, 20 findings, 2,000/s, 20 %, 80 s left",
    ]


def test_of_what_has_no_size_no_share_is_told(clock, capsys):
    with Following(quiet=False, colour=False) as shown:
        clock[0] += 10
        shown.show(Progress("-", done=10, total=None, records=50, findings=0))
    assert capsys.readouterr().err == "50 records, 0 findings, 5/s\n"


def test_quiet_tells_nothing(clock, capsys):
    with Following(quiet=True, colour=False) as shown:
        clock[0] += 100
        shown.show(Progress("a.csv", 1, 2, 3, 4))
    assert capsys.readouterr().err == ""


def _on_a_terminal(path: Path, **environment: str) -> str:
    """All that a run on a terminal of its own shows."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TERMINOLOGY_", "NO_COLOR"))}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "terminology", "validate", str(path), "--jobs", "1", "--exit-zero"]
    said = bytearray()
    env = {**kept, "TERM": "xterm-256color", "COLUMNS": "120", **environment}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        try:
            while block := os.read(ours, 65536):
                said += block
        except OSError:  # Linux: the other side is closed
            pass
        assert process.wait(60) == 0
    os.close(ours)
    return said.decode()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Enough different codings that judging them is seen: a wrong one each."""
    path = tmp_path_factory.mktemp("following") / "rows.csv"
    rows = "".join(f"{CPT},{number},2020-01-01\n" for number in range(10_000, 10_000 + ROWS // 10))
    path.write_text("system,code,date\n" + rows)
    return path


def test_on_a_terminal_a_bar_is_drawn_in_place_and_removed(table):
    said = _on_a_terminal(table)
    assert "records," in said
    assert "━" in said
    assert "\x1b[2K" in said, "the bar is removed at the end"
    assert _colours(said)


def test_no_color_is_heeded_on_a_terminal(table):
    """The bar moves the cursor; nothing has a colour."""
    said = _on_a_terminal(table, NO_COLOR="1")
    assert "records" in said
    assert not _colours(said)


def _colours(said: str) -> list[str]:
    """What sets a colour of the text, bold or not."""
    return re.findall(r"\x1b\[(?:1;)?(?:3[0-8]|9[0-7])[\d;]*m", said)
