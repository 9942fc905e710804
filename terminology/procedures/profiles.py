"""The profiles that can be validated against, by name and version, and what is checked of each: ``profiles.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from terminology import versions
from terminology.frozen import dataclass
from terminology.issues import NotSupported, issue
from terminology.model import Canonical, FhirVersion, Issue, Json


@dataclass(frozen=True, slots=True)
class Binding:
    """An element whose codes come from a value set, which is named by the code systems it includes. One that is
    ``required`` is FHIR's own, which ``flaws`` looks at; ``purpose`` is that of an additional binding."""

    path: str
    value_set: str
    strength: str
    purpose: str | None = None
    systems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """An element that must be there; ``where_status``: only of resources with one of these."""

    path: str
    where_status: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """What is checked of one version of a profile; ``read`` are the addresses where that was read."""

    canonical: Canonical
    kind: str
    fhir: FhirVersion
    read: tuple[str, ...]
    needs: tuple[Need, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def __str__(self) -> str:
        return str(self.canonical)


def named(canonical: str, fhir: FhirVersion = "R4") -> Profile:
    """The profile of a canonical; without a version the newest. Raises NotSupported for one that is not known, or
    not in this version of FHIR."""
    wanted = Canonical.parse(canonical)
    held = [each for each in known() if each.fhir == fhir]
    fitting = [
        each
        for each in held
        if each.canonical.url == wanted.url and versions.matches(wanted.version, each.canonical.version)
    ]
    if not fitting:
        names = ", ".join(map(str, held)) or "-"
        raise NotSupported(issue("OWN_PROFILE_UNKNOWN", canonical, fhir, names, at="profile"))
    return max(fitting, key=lambda each: versions.order(each.canonical.version))


def missing(resource: Json, profile: Profile) -> Iterator[Issue]:
    """What the profile needs and the resource has not."""
    for need in profile.needs:
        if need.where_status and resource.get("status") not in need.where_status:
            continue
        stem = need.path.removesuffix("[x]")
        choice = need.path != stem
        there = any(name == stem or (choice and name.startswith(stem)) for name in map(_plain, resource))
        if not there:
            yield issue("OWN_PROFILE_NEEDS", str(profile), f"{profile.kind}.{need.path}", at=profile.kind)


def _plain(name: str) -> str:
    """``_performedDateTime`` (no value, an extension that says why) counts as the element."""
    return name.removeprefix("_")


@cache
def known() -> tuple[Profile, ...]:
    """All profiles, read once."""
    stated: Mapping[str, Any] = json.loads(Path(__file__).with_name("profiles.json").read_text(encoding="utf-8"))
    return tuple(_profile(url, row) for url, rows in stated.items() if isinstance(rows, list) for row in rows)


def _profile(url: str, row: Mapping[str, Any]) -> Profile:
    return Profile(
        Canonical(url, row["version"]),
        row["kind"],
        row["fhir"],
        tuple(row["read"]),
        tuple(Need(each["path"], frozenset(each.get("where_status", ()))) for each in row["needs"]),
        tuple(Binding(**{**each, "systems": tuple(each.get("systems", ()))}) for each in row["bindings"]),
    )
