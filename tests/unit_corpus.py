"""Expressions for the comparison with another reader of UCUM: valid ones, near misses and noise, always the same."""

import random
from collections.abc import Iterator

from codesystems.ucum import table

SEED, EXPRESSIONS = 20240617, 2500


def corpus() -> list[str]:
    """Every unit, units with prefixes, random expressions, and each of these with something changed."""
    random_ = random.Random(SEED)
    plain = [*table().atoms, *_prefixed(random_), *(_term(random_, 0) for _ in range(EXPRESSIONS))]
    return sorted({*plain, *(_damaged(random_, code) for code in plain)})


def _prefixed(random_: random.Random) -> Iterator[str]:
    prefixes = sorted(table().prefixes)
    for symbol, atom in table().atoms.items():
        yield from (prefix + symbol for prefix in random_.sample(prefixes, 8 if atom.metric else 1))


def _term(random_: random.Random, depth: int) -> str:
    parts = [_component(random_, depth) for _ in range(random_.choice((1, 1, 2, 2, 3, 4)))]
    made = parts[0] + "".join(random_.choice("./") + part for part in parts[1:])
    return "/" + made if not depth and random_.random() < 0.1 else made


def _component(random_: random.Random, depth: int) -> str:
    chance = random_.random()
    if chance < 0.08 and depth < 3:
        return f"({_term(random_, depth + 1)})"
    if chance < 0.14:
        return str(random_.choice((1, 2, 5, 10, 24, 100, 1000)))
    if chance < 0.17:
        return random_.choice(("{cells}", "{RBC}", "{}"))
    symbol = random_.choice(COMMON) if random_.random() < 0.6 else random_.choice(list(table().atoms))
    metric = symbol in table().atoms and table().atoms[symbol].metric
    prefix = random_.choice([*table().prefixes]) if random_.random() < (0.4 if metric else 0.01) else ""
    exponent = random_.choice(("", "", "", "2", "3", "-1", "+2"))
    note = random_.choice(("", "", "", "", "{creat}", "{35Cel}"))
    return prefix + symbol + exponent + note


def _damaged(random_: random.Random, code: str) -> str:
    place, noise = random_.randrange(len(code) + 1), random_.choice("./(){}[]-+ 0159xqMmé*^%'")
    return random_.choice((code[:place] + noise + code[place:], code[:place] + code[place + 1 :], code.swapcase()))


COMMON = [
    "m",
    "s",
    "g",
    "L",
    "l",
    "mol",
    "Pa",
    "Hz",
    "N",
    "J",
    "W",
    "V",
    "A",
    "K",
    "Cel",
    "[degF]",
    "h",
    "min",
    "d",
    "wk",
    "mo",
    "a",
    "%",
    "10*",
    "10^",
    "mm[Hg]",
    "m[H2O]",
    "[iU]",
    "[arb'U]",
    "U",
    "kat",
    "eq",
    "osm",
    "bar",
    "cal",
    "[in_i]",
    "[lb_av]",
    "[ft_i]",
    "[pH]",
    "B",
    "Np",
    "[ppm]",
    "rad",
    "deg",
    "'",
    "''",
    "kg",
    "Ohm",
    "S",
    "Bq",
    "Gy",
    "Sv",
    "[CFU]",
    "[PFU]",
    "[HPF]",
    "[APL'U]",
    "t",
    "u",
    "eV",
]
