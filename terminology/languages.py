"""Language ranges, the best display for a reader, and the judgement of a display that was sent.

Sources: RFC 4647 (matching), RFC 9110 section 12.5.4 (Accept-Language), https://hl7.org/fhir/uv/tx-ecosystem
(languages page): a range list orders by weight, then by place; ``*; q=0`` forbids any other language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from terminology.frozen import dataclass
from terminology.issues import Invalid, issue
from terminology.model import Concept, Designation

PREFERRED = {
    "system": "http://terminology.hl7.org/CodeSystem/hl7TermMaintInfra",
    "code": "preferredForLanguage",
    "display": "Preferred For Language",
}
_SNOMED = "http://snomed.info/sct"
_DISPLAY_USES = frozenset(
    (
        (PREFERRED["system"], PREFERRED["code"]),
        (_SNOMED, "900000000000548007"),
        (_SNOMED, "900000000000013009"),
    )
)
_TAG = re.compile(r"\*|[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_SPACES = re.compile(r"\s+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Range:
    """One language range with its weight (0 to 1)."""

    tag: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages a reader wants, in order of preference; ``text`` is the list as it was written."""

    ranges: tuple[Range, ...] = ()
    text: str = ""

    @classmethod
    def parse(cls, text: str | None) -> Languages:
        """From ``displayLanguage`` or Accept-Language; raises Invalid where it is no list of language ranges."""
        if not text:
            return NONE
        return _remembered(text) if len(text) <= _REMEMBERED else _parsed(text)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    @property
    def wanted(self) -> tuple[str, ...]:
        """The tags with a weight above 0, best first."""
        return tuple(entry.tag for entry in self.ranges if entry.weight > 0)

    @property
    def only(self) -> bool:
        """True when ``*`` has weight 0: nothing but the named languages will do."""
        return any(entry.tag == "*" and entry.weight == 0 for entry in self.ranges)

    @property
    def primary(self) -> tuple[str, ...]:
        """Primary subtags of the wanted languages, for the choice of a message's language."""
        return tuple(tag.partition("-")[0].lower() for tag in self.wanted if tag != "*")

    def match(self, language: str | None) -> bool:
        """True when text in ``language`` suits: same primary language as a wanted one, or nothing is wanted."""
        if not self.ranges or language is None:
            return True
        return any(tag == "*" or closeness(tag, language) for tag in self.wanted)


NONE = Languages()
"""No language is wanted."""
_REMEMBERED = 128
"""The longest list, in characters, that is kept once it was read: clients may send what they like."""


def _parsed(text: str) -> Languages:
    ranges = []
    for item in text.split(","):
        tag, _, parameters = item.strip().partition(";")
        if not tag.strip() and not parameters:
            continue
        if not _TAG.fullmatch(tag.strip()) or (weight := _weight(parameters)) is None:
            raise Invalid(issue("INVALID_DISPLAY_NAME", text))
        ranges.append(Range(tag.strip(), weight))
    ordered = sorted(ranges, key=lambda entry: -entry.weight)
    return Languages(tuple(ordered), text.strip())


_remembered = lru_cache(maxsize=512)(_parsed)


def _weight(parameters: str) -> float | None:
    name, _, value = parameters.strip().partition("=")
    if not parameters.strip():
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return None
    return weight if name.strip() == "q" and 0 <= weight <= 1 else None


def closeness(wanted: str, language: str | None) -> int:
    """How well ``language`` answers ``wanted``: 3 equal, 2 same language and region, 1 same language, 0 not."""
    if language is None:
        return 0
    want, have = wanted.lower().split("-"), language.lower().split("-")
    if want == have:
        return 3
    if want[0] != have[0]:
        return 0
    return 2 if len(want) > 1 and len(have) > 1 and want[1] == have[1] else 1


def is_display(designation: Designation) -> bool:
    """True for a designation that can stand as display: no ``use``, or one that says preferred."""
    use = designation.use
    return not use or (use.get("system"), use.get("code")) in _DISPLAY_USES


def current(designation: Designation) -> bool:
    """True unless the designation was withdrawn or deprecated."""
    return designation.status not in ("inactive", "withdrawn", "deprecated", "retired")


def names(concept: Concept, language: str | None) -> tuple[Designation, ...]:
    """All names of a concept, the base display (in the system's ``language``) first."""
    if concept.display is None:
        return concept.designations
    return (Designation(concept.display, language, PREFERRED), *concept.designations)


def best(candidates: Sequence[Designation], wanted: Languages) -> Designation | None:
    """The name to display: by wanted language, then preferred before other uses, current before withdrawn.

    Without a wanted language the base display. With one that has no name, the first display that states no language
    or any base name follows, unless ``*; q=0`` forbids it.
    """
    if not wanted.ranges and candidates and current(candidates[0]) and is_display(candidates[0]):
        return candidates[0]
    live = [entry for entry in candidates if current(entry)] or list(candidates)
    displays = [entry for entry in live if is_display(entry)]
    for tag in wanted.wanted:
        if tag == "*":
            break
        for level in (3, 2, 1):
            for group in (displays, live):
                for entry in group:
                    if closeness(tag, entry.language) >= level:
                        return entry
    if wanted and wanted.only:
        return next((entry for entry in displays if entry.language is None), None)
    return next(iter(displays), None) or next(iter(live), None)


def normalised(text: str) -> str:
    """The text as displays are compared: case folded, runs of white space as one blank."""
    return _SPACES.sub(" ", text).strip().casefold()


@dataclass(frozen=True, slots=True)
class DisplayVerdict:
    """What was found about a display: ``right``, ``wrong``, ``spaces`` (right but for white space), ``other`` (right
    in the default language; none exists in the wanted one), ``none`` (nothing in the wanted language, and wrong),
    ``unknown`` (no displays at all) or ``old`` (a withdrawn designation). ``valid`` are the displays to offer."""

    verdict: str
    valid: tuple[Designation, ...] = ()
    status: str | None = None


def judge(display: str, candidates: Sequence[Designation], wanted: Languages, base: str | None) -> DisplayVerdict:
    """Judges ``display`` against the names of a concept; ``base`` is the language of the system's own displays."""
    if not candidates:
        return DisplayVerdict("unknown")
    suiting = [entry for entry in candidates if wanted.match(entry.language)]
    if hit := _named(display, suiting):
        if any(current(entry) for entry in hit):
            return DisplayVerdict("right")
        valid = [entry for entry in candidates if is_display(entry) and current(entry)]
        return DisplayVerdict("old", tuple(valid), hit[0].status)
    offered = tuple(entry for entry in suiting if is_display(entry))
    if not suiting:
        default = [entry for entry in candidates if entry.language is None or closeness(base or "en", entry.language)]
        return DisplayVerdict("other" if _named(display, default) else "none")
    spaced = [entry for entry in suiting if normalised(entry.value) == normalised(display)]
    return DisplayVerdict("spaces" if spaced else "wrong", offered or tuple(suiting))


def _named(display: str, candidates: Iterable[Designation]) -> list[Designation]:
    return [entry for entry in candidates if entry.value.casefold() == display.casefold()]


def presented(valid: Iterable[Designation]) -> list[str]:
    """``'Text' (language)`` for a sentence."""
    return [f"'{entry.value}' ({entry.language})" if entry.language else f"'{entry.value}'" for entry in valid]


def textual(text: str) -> Callable[[Concept], bool]:
    """The test of a search text: every word of it begins a word of the code or of one of the names."""
    wanted = [word.casefold() for word in _WORD.findall(text)]

    def found(concept: Concept) -> bool:
        held = (concept.code, concept.display or "", *(entry.value for entry in concept.designations))
        words = [word.casefold() for name in held for word in _WORD.findall(name)]
        return all(any(word.startswith(part) for word in words) for part in wanted)

    return found
