"""The pages of a pull, on the disk as they come: a pull that was killed goes on after the last one.

    <data_dir>/.pull-<hash>/pages.ndjson    a line for each page: type, address, file, hash, address of the next
    <data_dir>/.pull-<hash>/<number>.json   the page
    <data_dir>/.pull-<hash>/lock            held while a pull runs

The hash is that of the request; headers are in none of it. A line counts when its page is there in full.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from terminology.frozen import dataclass
from terminology.issues import NotAllowed, issue
from terminology.storage.durable import locked, written
from terminology.storage.library import Library

KEPT = 86_400
"""Seconds after which what an earlier pull fetched is too old to go on with."""
LINES = "pages.ndjson"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the resource type that was searched for, where it came from, and what follows."""

    kind: str
    url: str
    file: str
    sha256: str
    next: str | None
    begun: float


class Pages:
    """What was fetched so far, in its order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pages = list(self._kept())
        self._rewrite()

    def of(self, kind: str) -> list[Page]:
        return [page for page in self._pages if page.kind == kind]

    def __iter__(self) -> Iterator[Page]:
        return iter(self._pages)

    def read(self, page: Page) -> bytes:
        return (self.folder / page.file).read_bytes()

    @property
    def size(self) -> int:
        """Bytes of all pages."""
        return sum((self.folder / page.file).stat().st_size for page in self._pages)

    def add(self, kind: str, url: str, body: bytes, following: str | None) -> None:
        """Keeps a page; it is on the disk when this returns."""
        number = max((int(page.file.partition(".")[0]) for page in self._pages), default=0) + 1
        begun = self._pages[0].begun if self._pages else time.time()
        page = Page(kind, url, f"{number}.json", hashlib.sha256(body).hexdigest(), following, begun)
        written(self.folder / page.file, body)
        with (self.folder / LINES).open("ab") as stream:
            stream.write(_line(page))
            stream.flush()
            os.fsync(stream.fileno())
        self._pages.append(page)

    def drop(self, kind: str | None = None) -> None:
        """Forgets the pages of a type, or all."""
        gone = [page for page in self._pages if kind in (None, page.kind)]
        self._pages = [page for page in self._pages if page not in gone]
        self._rewrite()
        for page in gone:
            (self.folder / page.file).unlink(missing_ok=True)

    def _kept(self) -> Iterator[Page]:
        """The pages up to the first line that does not hold."""
        try:
            lines = (self.folder / LINES).read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                page = Page(**json.loads(line))
                body = (self.folder / Path(page.file).name).read_bytes()
                whole = hashlib.sha256(body).hexdigest() == page.sha256 and 0 <= time.time() - page.begun < KEPT
            except (ValueError, TypeError, OSError):
                return
            if not whole:
                return
            yield page

    def _rewrite(self) -> None:
        written(self.folder / LINES, b"".join(_line(page) for page in self._pages))


def _line(page: Page) -> bytes:
    return json.dumps(asdict(page)).encode() + b"\n"


@contextmanager
def pages(library: Library, request: str, base: str) -> Iterator[Pages]:
    """The pages of a request, for one process at a time. Where the block ends well they are removed."""
    name = hashlib.sha256(request.encode()).hexdigest()[:16]
    folder = library.folder / f".pull-{name}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with locked(folder / "lock", wait=False):
            held, done = Pages(folder), False
            try:
                yield held
                done = True
            finally:
                if done or not list(held):
                    shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        raise NotAllowed(issue("OWN_PULL_RUNNING", base)) from None
