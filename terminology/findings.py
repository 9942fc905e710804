"""What is said about a coded record: findings of judging Procedures and their like, and why one cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping

from terminology.sentences import Sentence

_E, _W, _I = "error", "warning", "information"

FINDINGS: Mapping[str, Sentence] = {
    # --- an element and its codings -------------------------------------------------------------------------
    "OWN_CODE_MISSING": Sentence(_W, "required", "invalid-data", "{0} is missing, so there is no code to judge"),
    "OWN_TEXT_ONLY": Sentence(
        _W, "code-invalid", "invalid-data", "{0} has text and no coding, so there is no code to judge"
    ),
    "OWN_CODE_FORM": Sentence(_E, "code-invalid", "invalid-code", "'{0}' cannot be a code of {1}, whose codes are {2}"),
    "OWN_CODE_SPELLING": Sentence(
        _E, "code-invalid", "invalid-code", "'{0}' is not written as {1} writes its code '{2}'"
    ),
    "OWN_CODE_ELSEWHERE": Sentence(_E, "code-invalid", "invalid-code", "'{0}' is no code of {1}, but it is one of {2}"),
    "OWN_SYSTEM_ALIAS": Sentence(
        _E, "code-invalid", "invalid-data", "'{0}' is not the system's url in FHIR, which is '{1}'. Send that as system"
    ),
    # --- the day --------------------------------------------------------------------------------------------
    "OWN_NO_DAY": Sentence(
        _I, "informational", "process-note", "{0} states no day that can be compared, so no code is judged by date"
    ),
    "OWN_PERIOD_ACROSS": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "The code '{0}' of {1} is not right on all days from {2} to {3}, so it cannot be judged",
    ),
    # --- what cannot be judged ------------------------------------------------------------------------------
    "OWN_PROFILE_UNKNOWN": Sentence(
        _E, "not-supported", None, "Nothing can be validated against the profile '{0}' here. Known: {1}"
    ),
}
