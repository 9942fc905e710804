"""A code system in a code-system file: as large as it likes, at the price of a small one."""

from __future__ import annotations

from pathlib import Path

from terminology.model import CodeSystemInfo, Concept, Entry, Head, Miss, Query, Selection, Subsumption
from terminology.storage import code_system_query as ask
from terminology.storage.code_system_file import CodeSystemFile


class FileProvider:
    """The provider contract over one open file."""

    def __init__(self, file: CodeSystemFile) -> None:
        self.file = file

    @classmethod
    def open(cls, path: Path) -> FileProvider:
        """Raises ValueError for a file of another format, OSError for one that cannot be read."""
        return cls(CodeSystemFile(path))

    @property
    def info(self) -> CodeSystemInfo:
        return self.file.info

    def find(self, code: str) -> Concept | Miss:
        return ask.find(self.file, code) or Miss(code)

    def head(self, code: str) -> Concept | Miss:
        return ask.head(self.file, code) or Miss(code)

    def entry(self, code: str) -> Entry | Miss:
        return ask.entry(self.file, code) or Miss(code)

    def select(self, query: Query) -> Selection:
        plain = query.whole and not query.text and not query.active_only and query.codes is None and not query.on
        return Selection(ask.select(self.file, query), self.info.count if plain else None)

    def count(self, query: Query) -> int:
        return ask.count(self.file, query)

    def heads(self, query: Query) -> list[Head] | None:
        return ask.heads(self.file, query)

    def subsumes(self, a: str, b: str) -> Subsumption | None:
        if a == b:
            return "equivalent"
        if self.info.subsumption != "known":
            return "not-subsumed" if self.info.subsumption == "none" else None
        if ask.above(self.file, a, b):
            return "subsumes"
        return "subsumed-by" if ask.above(self.file, b, a) else "not-subsumed"

    def parents(self, code: str) -> tuple[str, ...]:
        return ask.related(self.file, code, "parents")

    def children(self, code: str) -> tuple[str, ...]:
        return ask.related(self.file, code, "children")

    def ancestors(self, code: str) -> frozenset[str]:
        return frozenset(ask.related(self.file, code, "ancestors"))

    def descendants(self, code: str) -> frozenset[str]:
        return frozenset(ask.related(self.file, code, "descendants"))
