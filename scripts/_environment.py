"""Brings a virtual environment to a level, runtime, develop or system, from the hashed locks; standard library only.

A stamp in the environment names what was installed: its key covers pyproject.toml, the locks, the version,
the Python and the folder. Two callers wait for each other; an install that was interrupted starts afresh; an
environment made by hand, without a stamp, is upgraded in place.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "runtime": ("runtime", "build"),
    "develop": ("runtime", "build", "develop"),
    "system": ("runtime", "build", "develop", "system"),
}


def main(level: str, venv: Path, *, only_ask: bool) -> int:
    """0 when the environment is ready; with only_ask nothing is changed and 1 means that it is not."""
    if is_ready(level, venv):
        return 0
    if only_ask:
        return 1
    with alone(venv):
        if not is_ready(level, venv):
            install(level, venv)
    return 0


def is_ready(level: str, venv: Path) -> bool:
    levels = list(LOCKS)[list(LOCKS).index(level) :]
    return not unfinished(venv).exists() and any(stamped(each, venv) for each in levels)


def stamped(level: str, venv: Path) -> bool:
    try:
        return stamp(level, venv).read_text() == key(level, venv)
    except FileNotFoundError:
        return False


def key(level: str, venv: Path) -> str:
    """What the environment depends on; pyvenv.cfg tells its Python."""
    version = re.search(r"^__version__.*$", read(ROOT / "terminology" / "__init__.py"), re.MULTILINE)
    parts = [
        read(ROOT / "pyproject.toml"),
        *(read(lock(name)) for name in LOCKS[level]),
        version[0] if version else "",
        (venv / "pyvenv.cfg").read_text(),
        str(ROOT),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.lock"


def stamp(level: str, venv: Path) -> Path:
    return venv / f"ready-{level}"


def unfinished(venv: Path) -> Path:
    return venv / "unfinished"


@contextmanager
def alone(venv: Path) -> Iterator[None]:
    """The lock stands beside the environment, so that making the environment anew does not remove it."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with venv.with_name(venv.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def install(level: str, venv: Path) -> None:
    print(f"Preparing {venv} ({level}), once …", flush=True)
    if unfinished(venv).exists() or not works(venv):
        # A half-installed package can look installed to pip, so nothing of it is kept.
        run([sys.executable, "-m", "venv", "--clear", "--without-pip", venv])
        unfinished(venv).touch()
        run([venv / "bin" / "python", "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
    unfinished(venv).touch()
    for old in LOCKS:
        stamp(old, venv).unlink(missing_ok=True)
    pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install"]
    locks = [argument for name in LOCKS[level] for argument in ("-r", lock(name))]
    try:
        run([*pip, "--quiet", "--require-hashes", *locks])
        run([*pip, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT])
    except SystemExit:
        # pip said no and took back what it had begun: what stands is whole.
        unfinished(venv).unlink()
        raise
    stamp(level, venv).write_text(key(level, venv))
    unfinished(venv).unlink()


def works(venv: Path) -> bool:
    """Whether the environment starts, is of a supported Python and holds pip."""
    python = venv / "bin" / "python"
    check = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    if not python.exists():
        return False
    return subprocess.run([python, "-c", check], check=False, capture_output=True).returncode == 0


def run(command: list[str | Path], stdout: int | None = None) -> None:
    unwanted = {"PYTHONPATH", "PYTHONHOME"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    if failed := subprocess.run(command, check=False, stdout=stdout, env=environment).returncode:
        sys.exit(f"failed ({failed}): {' '.join(map(str, command))}\nThe next call tries again.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).absolute(), only_ask="--is-ready" in sys.argv))
