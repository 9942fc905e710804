"""The answer for a coding that is plainly right: one read of the code, held against what was worked out before.

Most of what is validated is an active code of a whole code system, or of a list of codes, with no display or the right
one, in a request that states nothing else. Then nothing is to be found out but that the code is there. Of everything
else nothing is said here: the engine is asked, and where this answers, the engine would say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from terminology.catalog import Scope
from terminology.conceptset import included
from terminology.frozen import dataclass
from terminology.model import CodeSystemProvider, Coding, Concept, Difference, Headed, Json, Miss, Select, ValueSet
from terminology.resolution import standing
from terminology.validation import Validation, source, whole_system


@dataclass(frozen=True, slots=True)
class Frame:
    """What is known of a value set before a code of it comes: the system ``url`` and how to ``find`` a code in it, the
    codes that are listed without further ado (None: all are in), whether ``abstract`` ones may be, and the version and
    source to answer with. Where none can be found, nothing in the value set is plain."""

    find: Callable[[str], Concept | Miss] | None = None
    url: str = ""
    version: str | None = None
    source: str = ""
    codes: frozenset[str] | None = None
    abstract: bool = True

    def names(self, coding: Coding) -> bool:
        """True where the system of a coding is this one, whichever version answers."""
        return self.find is not None and coding.system == self.url and not coding.version

    def display(self, code: str, sent: str | None) -> str | None:
        """The display of a code that is plainly right with the display that was sent; None: ask the engine."""
        if self.find is None or (self.codes is not None and code not in self.codes):
            return None
        found = self.find(code)
        if not isinstance(found, Concept) or found.code != code or (found.abstract and not self.abstract):
            return None
        if found.inactive or found.status not in (None, "active") or sent not in (None, "", found.display):
            return None
        return found.display

    def validation(self, code: str, display: str, concept: Json | None) -> Validation:
        """The answer for a code that is right; ``concept`` is the CodeableConcept that it came in."""
        return Validation(
            True,
            code,
            self.url,
            self.version,
            display,
            caused_by_unknown_system=True,
            codeable_concept=concept,
            sources=(self.source,),
        )


NOTHING = Frame()


def plainly(codings: Sequence[Coding], value_set: ValueSet, scope: Scope, concept: Json | None) -> Validation | None:
    """The answer for one coding that is plainly right; None: ask the engine. ``scope`` is that of ``prepare``,
    ``concept`` the CodeableConcept that the coding came in."""
    if len(codings) != 1 or not (code := codings[0].code):
        return None
    frame = framed(value_set, scope)
    display = frame.display(code, codings[0].display) if frame.names(codings[0]) else None
    return None if display is None else frame.validation(code, display, concept)


def framed(value_set: ValueSet, scope: Scope) -> Frame:
    """What is known of a value set, and NOTHING where the request states more."""
    if scope.on or scope.supplements or scope.languages or scope.versions.rules:
        return NOTHING
    key = ("plain", value_set, scope.default_supplements, scope.guests, scope.decorate, scope.abstract)
    known: Frame | None = scope.catalog.remembered(key, lambda: _framed(value_set, scope))
    return known or NOTHING


def _framed(value_set: ValueSet, scope: Scope) -> Frame | None:
    """None for a value set that came with the request: of these nothing is kept."""
    parts = included(value_set.concepts)
    select = parts[0] if len(parts) == 1 and not isinstance(value_set.concepts, Difference) else None
    if not isinstance(select, Select):
        return NOTHING if _held(value_set, scope) else None
    provider = scope.provider(select.system.url, select.system.version)
    if not _held(value_set, scope) and (provider is None or whole_system(provider) is not value_set):
        return None
    if provider is None or select.query.filters or not _sound(provider, select, value_set):
        return NOTHING
    listed = select.query.listed
    bare = (entry.code for entry in listed or () if not (entry.display or entry.designations or entry.extensions))
    codes = None if listed is None else frozenset(bare)
    find = provider.head if isinstance(provider, Headed) else provider.find
    return Frame(find, select.system.url, provider.info.canonical.version, source(provider), codes, scope.abstract)


def _held(value_set: ValueSet, scope: Scope) -> bool:
    canonical = value_set.info.canonical
    return scope.catalog.value_set(canonical.url, canonical.version) is value_set


def _sound(provider: CodeSystemProvider, select: Select, value_set: ValueSet) -> bool:
    """Nothing is to be told of the content, and codes are compared as they are written."""
    info = value_set.info
    told = standing(info, info) or standing(provider.info, info)
    return not told and provider.info.case_sensitive and provider.info.canonical.url == select.system.url
