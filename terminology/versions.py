"""The order of versions, wildcards, and the policy that decides which version answers.

Sources: https://hl7.org/fhir/R5/references.html#canonical (partial versions),
https://hl7.org/fhir/uv/tx-ecosystem (system-version, check-system-version, force-system-version).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import Canonical

_WILD = frozenset(("x", "X", "*"))
_PARTS = re.compile(r"[0-9]+|[^\W_0-9]+")
_RELEASE = re.compile(r"[0-9]+(\.[0-9]+)*")
_REMEMBERED = 128
"""The longest version, in characters, whose place is kept: clients may name what they like."""

Order = tuple[tuple[int, int, str], ...]


def order(version: str | None) -> Order:
    """A sort key: numbers by value, a release after its pre-releases, no version before any version."""
    if not version:
        return ()
    return _order(version) if len(version) > _REMEMBERED else _remembered(version)


def _order(version: str) -> Order:
    release, _, label = version.partition("+")[0].partition("-")
    if not _RELEASE.fullmatch(release):
        release, label = version, ""
    key = [_part(part, 1, 2) for part in _PARTS.findall(release)]
    ending = [_part(part, 0, 1) for part in _PARTS.findall(label)]
    return tuple(key) + (((0, 0, ""), *ending) if label else ((1, 0, ""),))


_remembered = lru_cache(maxsize=4096)(_order)


def _part(text: str, word: int, number: int) -> tuple[int, int, str]:
    """Numbers of any length by value: the longer one is the greater, of two as long the text decides."""
    if not "0" <= text[0] <= "9":
        return word, 0, text.lower()
    digits = text.lstrip("0")
    return number, len(digits), digits


def wild(version: str | None) -> bool:
    """True when a version names many: it has a part that is ``x``, ``X`` or ``*``, or ends in ``?``."""
    return bool(version) and (version.endswith("?") or bool(_WILD.intersection(version.split("."))))  # type: ignore[union-attr]


def matches(wanted: str | None, version: str | None) -> bool:
    """True when ``version`` is one of those ``wanted`` names: equal, or by wildcard (``1.x``, ``1.0.x``, ``1.0?``).

    A wildcard part stands for exactly one part; a last ``*`` also for several. Build labels never count.
    """
    if not wanted or wanted == version:
        return True
    if not version or not wild(wanted):
        return False
    if wanted.endswith("?"):
        stem = wanted[:-1].rstrip(".")
        return version == stem or version.startswith((f"{stem}.", f"{stem}-"))
    asked, held = wanted.split("."), version.partition("+")[0].split(".")
    if len(asked) > len(held) or (len(asked) < len(held) and asked[-1] not in _WILD):
        return False
    return all(a in _WILD or a == h for a, h in zip(asked, held, strict=False))


def more_detailed(general: str | None, detailed: str | None) -> bool:
    """True when ``detailed`` says the same as ``general`` and more: ``1.x`` and ``1.2``."""
    return wild(general) and matches(general, detailed)


def latest(versions: Iterable[str | None]) -> str | None:
    """The highest version by ``order``; None when there is none."""
    return max(versions, key=order, default=None)


Mode = Literal["default", "check", "force"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One version rule of a request: what it is about, and the parameter that stated it."""

    mode: Mode
    canonical: Canonical
    parameter: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The version to ask for, and the rule that decided, if one did."""

    version: str | None
    rule: Rule | None = None


PARAMETERS: dict[str, Mode] = {
    "system-version": "default",
    "check-system-version": "check",
    "force-system-version": "force",
    "default-valueset-version": "default",
    "check-valueset-version": "check",
    "force-valueset-version": "force",
}


@dataclass(frozen=True, slots=True)
class VersionPolicy:
    """The version rules of one request, for code systems and value sets alike (urls do not clash)."""

    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, stated: Iterable[tuple[str, str]]) -> VersionPolicy:
        """From (parameter name, ``url|version``); raises Invalid where a version is missing."""
        rules = []
        for name, value in stated:
            canonical = Canonical.parse(value)
            if canonical.version is None:
                raise Invalid(issue("OWN_WRONG_TYPE", name, "url|version", repr(value), at=name))
            rules.append(Rule(PARAMETERS[name], canonical, name))
        return cls(tuple(rules))

    def choose(self, url: str | None, stated: str | None) -> Choice:
        """Which version of ``url`` to ask for when ``stated`` was written: force, then stated, default, check."""
        if not self.rules:
            return Choice(stated or None)
        rules = [rule for rule in self.rules if rule.canonical.url == url]
        if forced := self._one(rules, "force"):
            return Choice(forced.canonical.version, forced)
        if stated:
            return Choice(stated)
        if rule := self._one(rules, "default") or next((rule for rule in rules if rule.mode == "check"), None):
            return Choice(rule.canonical.version, rule)
        return Choice(None)

    def refused_by(self, url: str, version: str | None) -> Rule | None:
        """The check rule that ``version`` of ``url`` breaks."""
        return next(
            (
                rule
                for rule in self.rules
                if rule.mode == "check" and rule.canonical.url == url and not matches(rule.canonical.version, version)
            ),
            None,
        )

    @staticmethod
    def _one(rules: list[Rule], mode: Mode) -> Rule | None:
        named = [rule for rule in rules if rule.mode == mode]
        for other in named[1:]:
            if other.canonical.version != named[0].canonical.version:
                message = "SYSTEM_VERSION_MULTIPLE_OVERRIDE" if mode == "force" else "SYSTEM_VERSION_MULTIPLE_DEFAULT"
                first = named[0].canonical
                raise Invalid(issue(message, first.url, first.version, other.canonical.version))
        return named[0] if named else None


UNRULED = VersionPolicy()
"""No rule: the latest answers."""
