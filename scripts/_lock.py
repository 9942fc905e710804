"""Writes requirements/*.lock: every release that is installed, with the hashes of all its files.

Resolved on the oldest Python we support, whose conditional dependencies include those of the newer ones;
`.ci/run` installs the files on every supported Python. No line names an index, a host or a folder.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
OLDEST = (3, 11)


def main(arguments: list[str]) -> None:
    """Each later lock is held to the releases of the earlier ones, so that they install side by side."""
    if sys.version_info[:2] != OLDEST:
        sys.exit("scripts/lock: run it in an environment of Python 3.11, the oldest one supported")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    compile_lock("runtime", runtime, (), arguments)
    compile_lock("build", flat("build", groups), ("runtime",), arguments)
    compile_lock("develop", [*runtime, *flat("dev", groups)], ("runtime", "build"), arguments)
    compile_lock("system", flat("system", groups), ("runtime", "build", "develop"), arguments)


def flat(group: str, groups: dict[str, list[Any]]) -> list[str]:
    """The requirements of a dependency group and of the groups it includes."""
    return [
        requirement
        for entry in groups[group]
        for requirement in ([entry] if isinstance(entry, str) else flat(entry["include-group"], groups))
    ]


def compile_lock(name: str, wanted: list[str], earlier: tuple[str, ...], arguments: list[str]) -> None:
    target = LOCKS / f"{name}.lock"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "wanted.in")
        held = [f"-c {constraints(lock, Path(folder))}" for lock in earlier]
        source.write_text("\n".join([*held, *wanted]) + "\n")
        command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes"]
        command += ["--no-strip-extras", "--allow-unsafe", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += ["--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options"]
        upgrade = [] if "--no-upgrade" in arguments else ["--upgrade"]
        subprocess.run([*command, *upgrade, "--output-file", target, source], check=True, cwd=folder)
    head = f"# Made by scripts/lock from pyproject.toml ({name}). pip install --require-hashes -r reads it.\n"
    target.write_text(head + target.read_text())


def constraints(lock: str, folder: Path) -> Path:
    """An earlier lock as constraints, in which pip takes no extras. The locks themselves keep them: pip wants a release
    with its extra pinned too, as soon as a newer one is published."""
    held = folder / f"{lock}.txt"
    text = (LOCKS / f"{lock}.lock").read_text()
    held.write_text(re.sub(r"^([\w.-]+)\[[^]]*\]==", r"\1==", text, flags=re.MULTILINE))
    return held


if __name__ == "__main__":
    main(sys.argv[1:])
