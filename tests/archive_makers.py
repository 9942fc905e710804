"""Archives for tests, hostile ones too."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def tar_of(path: Path, members: Mapping[str, bytes], *, mode: str = "w:gz", form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar archive with these members, names as they are given."""
    return tar_with(path, ((tarfile.TarInfo(name), content) for name, content in members.items()), mode=mode, form=form)


def tar_with(
    path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]], *, mode: str = "w:gz", form: int = tarfile.PAX_FORMAT
) -> Path:
    """A tar archive with these headers."""
    with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zip_of(path: Path, members: Mapping[str, bytes], *, kind: int = 0) -> Path:
    """A zip archive with these members; ``kind`` is a file type such as ``stat.S_IFLNK``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (kind or stat.S_IFREG) << 16
            archive.writestr(info, content)
    return path
