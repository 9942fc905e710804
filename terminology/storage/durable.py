"""Files that are there in full or not at all, also after power was lost, locks that end with their process, and whether
a process is there."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

WRITERS = 16
"""How many files are put on the disk at a time."""


def written(path: Path, content: bytes) -> None:
    """Writes a file that is either there in full or not at all, also after power was lost."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Puts the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds a lock that ends with the process, however that ends. Raises BlockingIOError where it need not wait."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def durable(paths: Iterable[Path]) -> None:
    """Puts files on the disk, several at a time: of thousands that wait, a journal takes many in one turn."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  not for a server, which only reads

    with ThreadPoolExecutor(WRITERS) as threads:
        for _ in threads.map(synced, paths):
            pass


def synced(path: Path) -> None:
    """Puts a file on the disk."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def abandoned(lock: Path) -> bool:
    """True when no process holds the lock any more."""
    handle: Any = None
    try:
        handle = os.open(lock, os.O_RDWR)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return lock.parent.is_dir() and time.time() - lock.parent.stat().st_mtime > 60
    except OSError:
        return False
    finally:
        if handle is not None:
            with suppress(OSError):
                os.close(handle)
    return True


def running(owner: str) -> bool:
    """True when the process with that id is there."""
    try:
        os.kill(int(owner), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
