"""A file out of an archive as a file on disk, for readers that need one: a database, an archive in an archive.

Nothing of the archive decides where it lies: the folder is a temporary one, the name is ours.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terminology.importing.archives import File


@contextmanager
def on_disk(file: File, name: str = "copy") -> Iterator[Path]:
    """The path of a copy, gone at the end; the archive's limits bound its size."""
    with tempfile.TemporaryDirectory(prefix="terminology-") as folder:
        path = Path(folder, name)
        with path.open("wb") as target:
            shutil.copyfileobj(file.stream, target, 1 << 20)
        yield path
