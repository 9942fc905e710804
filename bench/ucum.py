"""How long it takes to find a unit, and how that compares with ucumvert's parser in the same run.

    python bench/ucum.py            # the ratio needs `pip install ucumvert`

Codes are read from the table of tests/codesystems/ucum, each once per round, so nothing but single units is known.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codesystems.ucum import find, table

TABLE = Path(__file__).resolve().parent.parent / "tests/codesystems/ucum/expressions.json"
ROUNDS = 200


def measured(read: Callable[[str], object], codes: Sequence[str]) -> tuple[float, float]:
    """Median and 95th percentile, in microseconds a code."""
    times = []
    for _ in range(ROUNDS):
        for code in codes:
            begun = time.perf_counter_ns()
            read(code)
            times.append((time.perf_counter_ns() - begun) / 1000)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def main() -> None:
    codes = [code for code in json.loads(TABLE.read_text(encoding="utf-8"))["canonical"] if "{" not in code]
    begun = time.perf_counter()
    table()
    print(f"table read        {(time.perf_counter() - begun) * 1000:8.1f} ms, once")
    begun = time.perf_counter_ns()
    for code in codes:
        find(code)
    print(f"find, first time  {(time.perf_counter_ns() - begun) / 1000 / len(codes):8.1f} µs a code")
    median, high = measured(find, codes)
    print(f"find              {median:8.1f} µs median, {high:.1f} µs at 95 %")
    try:
        from ucumvert import get_ucum_parser  # noqa: PLC0415 (only if it is there)
    except ImportError:
        print("ucumvert is not installed: no ratio")
        return
    parser = get_ucum_parser()
    readable = [code for code in codes if _reads(parser.parse, code)]
    other, _ = measured(parser.parse, readable)
    own, _ = measured(find, readable)
    print(f"ucumvert, parse   {other:8.1f} µs median ({len(readable)} of {len(codes)} codes); ratio {other / own:.1f}")


def _reads(parse: Callable[[str], object], code: str) -> bool:
    try:
        parse(code)
    except Exception:  # noqa: BLE001 (whatever it raises, it does not read the code)
        return False
    return True


if __name__ == "__main__":
    main()
