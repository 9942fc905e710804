"""What the tests of other projects say about coded data. ``plugin`` has it as pytest fixtures.

Nothing here imports more than the standard library before an assertion is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from terminology.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from terminology.model import Coding, FhirVersion
    from terminology.procedures.validating import Validated
    from terminology.service import Terminology
    from terminology.validation import Validation

__all__ = ["Assertions", "PinnedVersionError", "check_versions"]


class PinnedVersionError(Exception):
    """Content is not of the version that the tests were written for; the sentence says which it is."""


@dataclass(frozen=True, slots=True)
class Assertions:
    """Assertions over the content of one ``Terminology``. What cannot be judged fails too: it was not shown to be
    right."""

    terminology: Terminology

    def valid_code(
        self,
        system: str,
        code: str,
        display: str | None = None,
        value_set: str | None = None,
        date: str | None = None,
    ) -> Validation:
        """The code is right in its system: with that display, in that value set, on that day, where they are given."""
        __tracebackhide__ = True
        from terminology.issues import Refusal  # noqa: PLC0415

        asked = {"display": display, "date": date}
        try:
            found = self.terminology.validate_code(code, system, value_set=value_set, **asked)
        except Refusal as refused:
            raise AssertionError(f"{system}#{code} cannot be judged: {refused}") from None
        if not found.result or not found.judged:
            raise AssertionError("\n".join((str(found), *_meant(each.suggestion for each in found.issues))))
        return found

    def coded_procedure(
        self,
        resource: Mapping[str, Any],
        *,
        value_set: str | None = None,
        date: str | None = None,
        profile: str | None = None,
        fhir: FhirVersion = "R4",
        warnings: bool = False,
    ) -> Validated:
        """The resource (Procedure, ServiceRequest, Claim, …) is rightly coded. ``warnings``: what is only warned of
        fails too. ``value_set``, ``date`` and ``profile`` are those of ``$validate``."""
        __tracebackhide__ = True
        from terminology.issues import Refusal  # noqa: PLC0415

        _check(resource)
        try:
            found = self.terminology.validate(
                dict(resource), value_set=value_set, date=date, profile=profile, fhir=fhir
            )
        except Refusal as refused:
            raise AssertionError(f"{resource.get('resourceType')} cannot be judged: {refused}") from None
        severities = {each.issue.severity for each in found.findings}
        if found.verdict != "right" or (warnings and "warning" in severities):
            raise AssertionError(str(found))
        return found


def _check(resource: object) -> None:
    """Raises TypeError for what is no dict."""
    if not isinstance(resource, Mapping):
        said = f"a resource is a dict, as json.loads makes it, and this is {type(resource).__name__}"
        raise TypeError(f"{said}. Of a model of fhir.resources: json.loads(model.model_dump_json())")


def check_versions(terminology: Terminology, pinned: Iterable[str]) -> None:
    """Raises PinnedVersionError where content answers with another version than that of a ``url|version``: every
    reason at once."""
    wrong = [said for each in pinned if (said := _other_version(terminology, each))]
    if wrong:
        raise PinnedVersionError("\n".join(wrong))


def _other_version(terminology: Terminology, pin: str) -> str | None:
    url, _, wanted = pin.partition("|")
    if not url or not wanted:
        return f"{pin!r} is no pin. Write url|version, one a line"
    catalog = terminology.state.catalog("R5")
    held = catalog.code_system(url) or catalog.value_set(url)
    if held is None:
        return f"{url} is pinned to {wanted}, but the content does not have it"
    found = held.info.canonical.version
    if found == wanted:
        return None
    others = sorted(each.info.canonical.version or "no version" for each in catalog.editions(url))
    return f"{url} is pinned to {wanted}, but {found or 'one without version'} answers" + (
        f" (the content has {', '.join(others)})" if others else ""
    )


def _meant(suggestions: Iterable[Coding | None]) -> list[str]:
    """One line for each code that was probably meant."""
    return [
        f"    probably meant: {each.code} of {each.system}" + (f" ({each.display})" if each.display else "")
        for each in dict.fromkeys(suggestions)
        if each is not None
    ]
