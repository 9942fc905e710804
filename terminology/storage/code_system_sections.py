"""What stands behind the database of a code-system file: sections of bytes, read out of a mapping.

A question to SQLite lets another thread in, so that eight of them wait for the interpreter longer than they work. What
is read out of a mapping costs no call at all, and all workers share its memory. Numbers are little-endian. Where each
section begins and the last one ends stands at the end of the file, before their number and a mark.
"""

from __future__ import annotations

import mmap
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfileobj
from struct import Struct, error

_FOOT = Struct("<Q8s")
_MARK = b"SECTIONS"
_PLACE = 8


def append(file: Path, sections: Sequence[Path | array[int] | bytes]) -> None:
    """Puts the sections, files or numbers or bytes, behind a file that is closed."""
    with file.open("ab") as out:
        places = array("Q", [out.tell()])
        for each in sections:
            if isinstance(each, Path):
                with each.open("rb") as part:
                    copyfileobj(part, out, 1 << 20)
            else:
                out.write(little(each) if isinstance(each, array) else each)
            places.append(out.tell())
        out.write(little(places))
        out.write(_FOOT.pack(len(sections), _MARK))


class Sections:
    """The sections of a file that is never written to again: ``places`` has the beginning of each, and the last end."""

    def __init__(self, path: Path, number: int) -> None:
        """Raises OSError for a file that cannot be read, ValueError for one without ``number`` sections."""
        with path.open("rb") as file:
            self.held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        end = len(self.held) - _FOOT.size - _PLACE * (number + 1)
        try:
            stated, mark = _FOOT.unpack_from(self.held, len(self.held) - _FOOT.size)
            self.places: Sequence[int] = Struct(f"<{number + 1}Q").unpack_from(self.held, end)
        except error:
            stated, mark, self.places = 0, b"", ()
        if (stated, mark) != (number, _MARK) or list(self.places) != sorted(self.places) or self.places[-1] != end:
            raise ValueError(f"{path} was cut off, or is of another format. Import its source again")

    def close(self) -> None:
        self.held.close()


def numbers(held: bytes) -> array[int]:
    """Numbers of four bytes, as they stand in a section."""
    found = array("I", held)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def little(numbers: array[int]) -> array[int]:
    """In the byte order of sections, whatever that of this machine."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
