"""The display of a code alone is that of its concept."""

from pathlib import Path

import pytest

from terminology.model import Canonical, CodeSystemInfo, Concept
from terminology.providers.file import FileProvider
from terminology.storage.code_system_compiler import compile_file
from terminology.storage.code_system_file import CodeSystemFile
from terminology.storage.code_system_query import display, find


@pytest.mark.parametrize(("code", "shown"), [("a", "Of a"), ("A", "Of a"), ("b", None), ("c", None)])
def test_the_display_of_a_code_alone_is_that_of_its_concept(tmp_path: Path, code: str, shown: str | None) -> None:
    info = CodeSystemInfo(Canonical("http://example.org/cs", "1"), case_sensitive=False)
    path, _ = compile_file(info, [Concept("a", "Of a"), Concept("b")], tmp_path)
    file = CodeSystemFile(path)
    found = find(file, code)
    assert display(file, code) == FileProvider(file).display(code) == shown
    assert (found.display if found else None) == shown
