"""docs/reference/findings.md: the rules of judging coded records, from their table and the tables beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from _operation_docs import table

from terminology.procedures.coherence import Pair, knowledge
from terminology.procedures.elements import ELEMENTS, Coded
from terminology.procedures.judging import BASES
from terminology.procedures.profiles import Binding, known
from terminology.procedures.rules import RULES, Rule, forms

ROOT = Path(__file__).resolve().parent.parent

HEAD = """# Findings in coded records

What `$validate`, `terminology validate` and the judge behind them can find, made from the table of rules. The reason
is the first coding of `details` of an issue; the reasons are the CodeSystem
`https://flask-fhir-terminology.org/fhir/CodeSystem/finding-reason`. *Verdict* is what a finding makes of a coding;
*cannot be judged* never counts as right. How to ask: [validate coded procedures](../how-to/validate-procedures.md).

A new rule is one entry in `terminology/procedures/rules.py`, its reason in `codesystems/finding-reason.json` and its
cases in `tests/procedures`.

## Reasons

"""
PROFILES_HEAD = """
## Profiles

A required binding is FHIR's own, which every resource is held to. Of the others the code system alone is looked at.
*current* is a purpose of FHIR R5's additional bindings: new records are to use the value set.

"""
ELEMENTS_HEAD = """
## Elements

What is read of each type. **Bold**: the main code, which a requested value set is meant for.

"""
VERDICTS = {"right": "right", "wrong": "wrong", "unjudged": "cannot be judged"}


def page() -> Iterator[str]:
    """The whole page."""
    yield HEAD
    yield from table(("reason", "about", "severity", "verdict", "in force", "what it means"), map(_rule, RULES))
    yield "\n## Codes that do not go together\n\nOf one CodeableConcept:\n\n"
    yield from _pairs(knowledge().confusions, "code", "other code")
    yield "\nOf a Procedure or Encounter and its reason (a claim may bill a donor's harvest on the recipient):\n\n"
    yield from _pairs(knowledge().reasons, "procedure", "reason")
    yield "\nThe groups:\n\n"
    rows = (
        (name, "; ".join(f"{system}: {', '.join(codes)}" for system, codes in group.items()))
        for name, group in knowledge().members.items()
    )
    yield from table(("group", "codes"), rows)
    yield "\n## Forms of codes\n\nA code that is not found and has another form is wrong, even in a fragment.\n\n"
    yield from table(("code system", "its codes look like"), ((system, row.example) for system, row in forms().items()))
    yield "\n## Which day decides\n\nBy default; all other code systems go by the day of service.\n\n"
    yield from table(("code system", "day"), BASES.items())
    yield PROFILES_HEAD
    rows = (
        (
            str(each),
            ", ".join(
                need.path + (f" ({', '.join(sorted(need.where_status))})" if need.where_status else "")
                for need in each.needs
            ),
            "; ".join(f"{bound.path}: {_strength(bound)} {bound.value_set}" for bound in each.bindings),
            ", ".join(f"[{place}]({address})" for place, address in enumerate(each.read, 1)),
        )
        for each in known()
    )
    yield from table(("profile", "needs", "binds", "read in"), rows)
    yield ELEMENTS_HEAD
    yield from table(("type", "elements"), ((kind, ", ".join(map(_element, rows))) for kind, rows in ELEMENTS.items()))


def _rule(rule: Rule) -> tuple[str, ...]:
    said = _definitions()[rule.name]
    period = f"{rule.since or ''} to {rule.until or ''}" if rule.since or rule.until else "always"
    return (f"`{rule.name}`", rule.about, rule.severity or "depends", VERDICTS[rule.verdict], period, said)


def _definitions() -> dict[str, str]:
    held = json.loads((ROOT / "codesystems/finding-reason.json").read_text(encoding="utf-8"))
    return {each["code"]: each["definition"] for each in held["concept"]}


def _pairs(pairs: tuple[Pair, ...], first: str, second: str) -> Iterator[str]:
    rows = (
        (
            each.one,
            each.other,
            each.severity,
            f"from {each.since}" if each.since else "always",
            each.meant or each.meant_other or "",
        )
        for each in pairs
    )
    yield from table((first, second, "severity", "in force", "probably meant"), rows)


def _strength(bound: Binding) -> str:
    return f"{bound.strength}, {bound.purpose}" if bound.purpose else bound.strength


def _element(row: Coded) -> str:
    name = f"**{row.path}**" if row.main else row.path
    return f"{name} ({row.only})" if row.only else name
