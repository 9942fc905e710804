"""Gives the R4 forms of what is published to the validator and holds its warnings to the explained ones."""

import fnmatch
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGET = HERE / "target"
MAVEN = ["mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"]
JAVA = ["java", "-cp", f"{TARGET}/classes:{TARGET}/lib/*", "hapivalidate.Main"]
MESSAGE = re.compile(r"^ +(?P<severity>WARNING|ERROR|FATAL) (?P<text>.*)$")


def main() -> int:
    """0 when no resource has an error and every warning is explained; 1 otherwise; 2 when it cannot run."""
    for program in ("mvn", "java"):
        if shutil.which(program) is None:
            print(f"{program} is missing: install Java 17 and Maven", file=sys.stderr)
            return 2
    build()
    with tempfile.TemporaryDirectory() as folder:
        count = write_r4(Path(folder))
        ran = subprocess.run([*JAVA, folder], capture_output=True, text=True, cwd=HERE, check=False)
        print(ran.stdout.replace(f"{folder}/", ""), end="")
        print(ran.stderr, end="", file=sys.stderr)
    summary = re.search(r"^(\d+) passed, (\d+) failed$", ran.stdout, re.MULTILINE)
    if summary is None or int(summary[1]) + int(summary[2]) != count:
        print(f"the validator did not report on all {count} resources", file=sys.stderr)
        return 2
    return judge(ran.stdout.splitlines()) or ran.returncode


def build() -> None:
    """Compiles the validator unless the sources are those of the last build."""
    sources = [HERE / "pom.xml", *sorted(path for path in (HERE / "src").rglob("*") if path.is_file())]
    key = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()
    stamp = TARGET / "built-from"
    if stamp.exists() and stamp.read_text() == key:
        return
    print("Building the validator, once …", flush=True)
    subprocess.run(MAVEN, cwd=HERE, check=True)
    stamp.write_text(key)


def write_r4(folder: Path) -> int:
    """Writes one file a resource and tells how many; the names carry type and id."""
    from terminology.wire.r4 import to_r4

    written = {f"{each['resourceType']}-{each['id']}.json": to_r4(each) for each in published()}
    for name, resource in written.items():
        (folder / name).write_text(json.dumps(resource, ensure_ascii=False), encoding="utf-8")
    return len(written)


def published() -> Iterator[dict[str, Any]]:
    import codesystems
    import conceptmaps
    import valuesets

    for package in (codesystems, valuesets, conceptmaps):
        for each in package.published():
            if isinstance(each, (dict, Path)):
                yield each if isinstance(each, dict) else json.loads(each.read_text(encoding="utf-8"))


def judge(lines: Iterable[str]) -> int:
    """Prints how often each explained warning came; 1 when there are others, or explanations nobody needs."""
    explained = json.loads((HERE / "explained-warnings.json").read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    unexplained = []
    for line in lines:
        message = MESSAGE.match(line)
        if message is None or message["severity"] != "WARNING":
            continue
        matching = [each["pattern"] for each in explained if fnmatch.fnmatchcase(message["text"], each["pattern"])]
        seen.update(matching[:1])
        unexplained += [] if matching else [message["text"]]
    print("\nExplained warnings")
    for each in explained:
        print(f"{seen[each['pattern']]:5}  {each['pattern']}\n       {each['explanation']}")
    stale = [each["pattern"] for each in explained if not seen[each["pattern"]]]
    for title, found in (("Unexplained warnings", unexplained), ("Explanations without a warning", stale)):
        if found:
            print(f"\n{title}\n  " + "\n  ".join(found))
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent.parent))  # works on a checkout too
    sys.exit(main())
