"""A code with what stands around it: one read of a file says what many reads say."""

from pathlib import Path

import pytest

from terminology.model import Canonical, CodeSystemInfo, Concept, Entry, Miss, Property, entry_of
from terminology.providers.file import FileProvider
from terminology.providers.memory import MemoryProvider
from terminology.providers.supplemented import supplemented
from terminology.storage.code_system_compiler import compile_file

CONCEPTS = [
    Concept("Root", "Of all"),
    Concept("a", "Of a", parents=("Root",), properties=(Property("like", "Code", "b"), Property("kind", "Code", "k1"))),
    Concept("b", None, parents=("Root",), properties=(Property("like", "Code", "A"), Property("n", "Integer", 5))),
    Concept("ß", "Of ß", parents=("a", "b")),
]


@pytest.mark.parametrize("sensitive", [True, False])
@pytest.mark.parametrize("code", ["Root", "root", "a", "A", "b", "ß", "SS", "none"])
def test_one_read_tells_what_many_reads_tell(tmp_path: Path, code: str, sensitive: bool) -> None:
    info = CodeSystemInfo(Canonical("http://example.org/cs", "1"), case_sensitive=sensitive)
    path, _ = compile_file(info, CONCEPTS, tmp_path)
    file, memory = FileProvider.open(path), MemoryProvider(info, CONCEPTS)
    found = entry_of(file, code)
    assert found == entry_of(memory, code) == entry_of(supplemented(file, ()), code)
    if isinstance(found, Entry):
        assert (found.concept, found.children) == (file.find(code), file.children(code))
    else:
        assert found == Miss(code)
