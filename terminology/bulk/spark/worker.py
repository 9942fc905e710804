"""The judge in a process of its own, asked by Codings.java over standard input and output.

First comes what to judge with: ``Content`` and ``Asked``, pickled. Then rows, each answered before the next is sent:
five texts, each with its length in bytes before it (-1: null). Numbers are big-endian. It ends with its input, or when
nothing was asked for ``IDLE`` seconds.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from math import inf
from pathlib import Path
from struct import pack, unpack
from time import monotonic, sleep
from typing import BinaryIO

from terminology.bulk.spark.judging import Answer, Codings, Row
from terminology.bulk.spark.listed import text

IDLE = 60.0


def main() -> None:
    """Its argument is the folder of the job's files on this node."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is for the driver, which closes the input
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    content, wanted = pickle.loads(_read(asked))  # noqa: S301  the driver of this job made it
    codings = Codings(wanted.judge(content, Path(sys.argv[1])))
    idle_since = [monotonic()]
    threading.Thread(target=_end_when_idle, args=(idle_since,), daemon=True).start()
    for row, date in _rows(asked):
        idle_since[0] = inf
        try:
            answers.write(_packed(codings.answer(row, date)))
        except Exception:  # noqa: BLE001  the task that asked fails with it
            answers.write(text(traceback.format_exc()))
        answers.flush()
        idle_since[0] = monotonic()


def _end_when_idle(since: list[float]) -> None:
    while True:
        sleep(IDLE / 10)
        if monotonic() - since[0] > IDLE:
            os._exit(0)


def _rows(asked: BinaryIO) -> Iterator[tuple[Row, str | None]]:
    while head := asked.read(4):
        system = _text(asked, head)
        code, version, display, date = (_text(asked, asked.read(4)) for _ in range(4))
        yield (system, code, version, display), date


def _text(asked: BinaryIO, head: bytes) -> str | None:
    (length,) = unpack(">i", head)
    return None if length < 0 else asked.read(length).decode()


def _read(asked: BinaryIO) -> bytes:
    (length,) = unpack(">i", asked.read(4))
    return asked.read(length)


def _packed(answer: Answer) -> bytes:
    said = answer.told
    parts = [text(None), pack(">2i", answer.first, answer.until), text(said["verdict"]), pack(">i", len(said["used"]))]
    parts += map(text, said["used"])
    parts.append(pack(">i", len(said["findings"])))
    for found in said["findings"]:
        parts += (text(found[each]) for each in ("reason", "severity", "text", "expression"))
        meant = found["suggestion"]
        parts.append(pack("?", meant is not None))
        if meant is not None:
            parts += (text(meant[each]) for each in ("system", "code", "display"))
    return b"".join(parts)


if __name__ == "__main__":
    main()
