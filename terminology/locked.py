"""Which code systems a value set means: by their urls, and where its compose is locked, in the releases of that day.

``compose.lockedDate`` is the day that decides on the version of every code system to which the author gave none
(https://hl7.org/fhir/R5/valueset-definitions.html#ValueSet.compose.lockedDate). That is as good as a version that the
author named. A system whose releases state no periods has no release of a day, so its latest one answers.
"""

from __future__ import annotations

from dataclasses import replace

from terminology import aliases, versions
from terminology.catalog import Scope
from terminology.conceptset import reselected
from terminology.model import Canonical, Select, ValueSet
from terminology.releases import dated, in_force


def settled(value_set: ValueSet, scope: Scope, locked: str | None = None) -> ValueSet:
    """The value set with the urls of its code systems, and the versions that were in force on its locked date, or else
    on that of the value set that imports it."""
    found = aliases.unaliased(value_set, scope)
    day = found.locked or locked
    if day is None:
        return found
    pinned = reselected(found.concepts, lambda select: _pinned(select, scope, day))
    return replace(found, concepts=pinned, locked=day)


def _pinned(select: Select, scope: Scope, day: str) -> Select:
    """A partial date means its last day. Where systems are dated and none was in force, the version is one that nobody
    has: what is said of unknown versions is then said of it."""
    url, stated = select.system.url, select.system.version
    if stated and not versions.wild(stated):
        return select
    editions = [
        each
        for each in scope.catalog.editions(url)
        if not stated or versions.matches(stated, each.info.canonical.version)
    ]
    if not any(dated(each.info) for each in editions):
        return select
    held = in_force(editions, day).providers
    version = held[0].info.canonical.version if held else f"in-force-on-{day}"
    return replace(select, system=Canonical(url, version))
