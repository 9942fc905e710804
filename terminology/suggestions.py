"""What was probably meant: explanations of a miss for people, and a coding for machines.

Nothing here changes an answer. A suggestion is offered only where it names something that is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from terminology.catalog import Scope
from terminology.conceptset import Overload
from terminology.expansion import Trail, members
from terminology.issues import Refusal, text
from terminology.languages import best, names
from terminology.model import CodeSystemProvider, Coding, Concept, Miss, ValueSet

Suggestion = tuple[str, Coding | None]
_EXPRESSION = re.compile(r"(?P<base>[^:\s]+?)(?P<mark>[:-])(?P<rest>[0-9A-Za-z]{2}(?:[,:-][0-9A-Za-z]{2})*)")
FEW = 5


def other_system(url: str, scope: Scope) -> str | None:
    """The known code system that a url probably means: an alias, or the same but for scheme, slash or case."""
    named = scope.catalog.alias(url) or scope.catalog.alias(f"urn:oid:{url}")
    if named and scope.catalog.code_system(named):
        return named
    return next((known for known in sorted(scope.catalog.urls()) if known != url and alike(known, url)), None)


def alike(one: str, other: str) -> bool:
    """Whether two urls differ in nothing but scheme, www, slash at the end and case."""
    return _plain(one) == _plain(other)


def _plain(url: str) -> str:
    return re.sub(r"^https?://(www\.)?", "", url.strip().rstrip("/").casefold())


def unknown_system(coding: Coding, scope: Scope) -> Suggestion | None:
    """For a system that is not here."""
    meant = other_system(coding.system or "", scope)
    if meant is None:
        return _disputed(coding.system or "", scope)
    said = f"'{coding.system}' is another spelling of '{meant}', which is known here. Send that as system."
    return said, Coding(meant, coding.code, coding.version)


def _disputed(system: str, scope: Scope) -> Suggestion | None:
    """For a name that different code systems are said to have: which of them is meant cannot be known."""
    stated = scope.catalog.namings(system) or scope.catalog.namings(f"urn:oid:{system}")
    if len(stated) < 2:
        return None
    claims = ", ".join(f"'{url}' (by {naming.by})" for url, naming in sorted(stated.items()))
    return (
        f"'{system}' is said to be another name of different code systems: {claims}. Send the url that is meant.",
        None,
    )


def unknown_code(coding: Coding, provider: CodeSystemProvider, scope: Scope) -> Suggestion | None:
    """For a code that its system does not hold."""
    system = provider.info.canonical
    for meant, why in _respelled(coding.code or "", provider):
        return why, Coding(system.url, meant, coding.version)
    missed = provider.find(coding.code or "")
    if isinstance(missed, Miss) and missed.issues:
        return "; ".join(text(reason, scope.reader.primary) for reason in missed.issues) + ".", None
    return _elsewhere(coding, provider, scope) or _standing(provider)


def _respelled(code: str, provider: CodeSystemProvider) -> Iterator[tuple[str, str]]:
    tight = re.sub(r"\s+", "", code)
    bare = tight.replace(".", "").replace("-", "")
    # as the ICD classifications write their codes, the procedures of ICD-9-CM, and OPS
    marked = (f"{bare[:3]}.{bare[3:]}".upper(), f"{bare[:2]}.{bare[2:]}", f"{bare[:1]}-{bare[1:4]}.{bare[4:]}")
    plain = (tight, tight.upper(), tight.lower(), tight.replace(".", ""))
    for candidate in dict.fromkeys((*plain, *marked)):
        if candidate != code and isinstance(found := provider.find(candidate), Concept):
            yield (
                found.code,
                f"The code '{code}' is not written as the code system writes it: '{found.code}'.",
            )
    expression = _EXPRESSION.fullmatch(tight)
    if expression and isinstance(provider.find(expression["base"]), Concept):
        base, rest = expression["base"], expression["rest"]
        meant = f"{base}:{re.sub('[,-]', ':', rest)}"
        if meant != code:
            yield meant, f"'{code}' is no code. Modifiers follow the code after a colon: '{meant}'."


def expression_note(code: str, provider: CodeSystemProvider) -> str | None:
    """For an expression such as ``38232:52``: a known code with modifiers, which is not judged here."""
    found = _EXPRESSION.fullmatch(code)
    if not found or found["mark"] != ":" or not isinstance(provider.find(found["base"]), Concept):
        return None
    missed = provider.find(code)
    if isinstance(missed, Miss) and missed.issues:
        return None
    return (
        f"'{code}' is an expression: the known code '{found['base']}' with the modifier '{found['rest']}'. "
        "Modifiers are not held here, so the expression as a whole cannot be judged."
    )


def _elsewhere(coding: Coding, provider: CodeSystemProvider, scope: Scope) -> Suggestion | None:
    """The code in another version of the system."""
    here = provider.info.canonical
    holding = [
        other
        for other in scope.catalog.editions(here.url)
        if other.info.answers
        and other.info.canonical != here
        and isinstance(scope.supplemented(other).find(coding.code or ""), Concept)
    ]
    if not holding:
        return None
    found = scope.supplemented(holding[0]).find(coding.code or "")
    since = f"; it is valid from {found.valid_from}" if isinstance(found, Concept) and found.valid_from else ""
    release = holding[0].info.canonical.version
    said = f"The code '{coding.code}' is in the version {release} of this code system, not in {here.version}{since}."
    return said, Coding(here.url, coding.code, release)


def _standing(provider: CodeSystemProvider) -> Suggestion | None:
    if provider.info.content != "fragment":
        return None
    said = (
        f"{provider.info.canonical} is held here as a fragment, so this code cannot be judged: it is neither "
        "confirmed nor refuted. Load the complete code system to get an answer."
    )
    return said, None


def not_in_value_set(coding: Coding, value_set: ValueSet, scope: Scope) -> Suggestion | None:
    """For a known code outside a value set: the members of the same system, where they are few."""
    try:
        listing = members(value_set, scope, Trail(overload=Overload(False, False, False)))
        near = list(islice((m for m in islice(listing, 200) if m.canonical.url == coding.system), FEW + 1))
    except Refusal:
        return None
    if not near or len(near) > FEW:
        return None
    said = ", ".join(
        f"{m.concept.code} ({label.value})"
        if (label := best(names(m.concept, None), scope.languages))
        else m.concept.code
        for m in near
    )
    meant = near[0] if len(near) == 1 else None
    suggestion = Coding(meant.canonical.url, meant.concept.code) if meant else None
    return f"Of this code system the value set holds: {said}.", suggestion
