"""What is said about a coded record: findings of judging Procedures and their like, and why one cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping

from terminology.sentences import Sentence

_E, _W, _I = "error", "warning", "information"

FINDINGS: Mapping[str, Sentence] = {
    # --- an element and its codings -------------------------------------------------------------------------
    "OWN_CODE_MISSING": Sentence(_W, "required", "invalid-data", "{0} is missing, so there is no code to judge"),
    "OWN_ROW_UNCODED": Sentence(_W, "required", "invalid-data", "The row has no code to judge"),
    "OWN_TEXT_ONLY": Sentence(
        _W, "code-invalid", "invalid-data", "{0} has text and no coding, so there is no code to judge"
    ),
    "OWN_CODE_FORM": Sentence(
        _E, "code-invalid", "invalid-code", "'{0}' cannot be a code of {1}: its codes look like {2}"
    ),
    "OWN_CODE_SPELLING": Sentence(
        _E, "code-invalid", "invalid-code", "'{0}' is not how {1} writes a code. '{2}' was probably meant"
    ),
    "OWN_CODE_ELSEWHERE": Sentence(_E, "code-invalid", "invalid-code", "'{0}' is no code of {1}, but it is one of {2}"),
    "OWN_SYSTEM_ALIAS": Sentence(
        _E, "code-invalid", "invalid-data", "'{0}' is not the system's url in FHIR, which is '{1}'. Send that as system"
    ),
    "OWN_NOT_IN_ANY": Sentence(_E, "code-invalid", "not-in-vs", "No coding of {0} is in the value set '{1}'"),
    "OWN_VALUE_SET_UNSURE": Sentence(
        _W, "code-invalid", "not-in-vs", "Whether a coding of {0} is in the value set '{1}' cannot be judged here"
    ),
    "OWN_CODINGS_CONTRADICT": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "{0} and {1} do not say the same: by the map {2} the code '{3}' goes with {4}",
    ),
    "OWN_CONFUSED_DONORS": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "'{0}' says that the marrow is for another person, '{1}' that it is for the patient: one of them is wrong",
    ),
    "OWN_CONFUSED_SAMPLING": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "'{0}' is for a collection of marrow for a transplant, '{1}' for a sample to examine: one of them is wrong",
    ),
    "OWN_CONFUSED_GIVING": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "'{0}' is for a collection of marrow, '{1}' for giving cells to a patient: one of them is wrong",
    ),
    # --- procedure and reason -------------------------------------------------------------------------------
    "OWN_REASON_OWN_DONOR": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "'{0}' says that the marrow is for another person, but the reason '{1}' that the patient gives it for own use",
    ),
    "OWN_REASON_OTHER_DONOR": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "'{0}' says that the marrow is for the patient, but the reason '{1}' that the patient gives it to another one",
    ),
    "OWN_REASON_BLOOD_DONOR": Sentence(
        _I, "business-rule", "code-comment", "The reason '{1}' is for a donor of blood; '{0}' collects marrow"
    ),
    "OWN_REASON_EXAMINED": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "The reason '{1}' is for examining somebody who may become a donor, but '{0}' collects marrow",
    ),
    # --- the day --------------------------------------------------------------------------------------------
    "OWN_NO_DAY": Sentence(
        _I, "informational", "process-note", "{0} states no day that can be compared, so no code is judged by date"
    ),
    "OWN_ROW_NO_DATE": Sentence(
        _W, "value", "invalid-data", "'{0}' is no date of the calendar, so the code is not judged by date"
    ),
    "OWN_PERIOD_ACROSS": Sentence(
        _W,
        "business-rule",
        "code-rule",
        "The code '{0}' of {1} does not stand the same on all days from {2} to {3}, so it cannot be judged",
    ),
    "OWN_USED_BEFORE": Sentence(
        _E, "business-rule", "code-rule", "The code '{0}' of {1} is not valid on {2}: until {3} '{4}' was used for it"
    ),
    "OWN_UNDATED_SYSTEM": Sentence(
        _I,
        "informational",
        "process-note",
        "{1} states no dates, so '{0}' is judged by what is here today, and not as of {2}",
    ),
    "OWN_OTHER_BASIS": Sentence(
        _I,
        "informational",
        "process-note",
        "{0} goes by the day of {1}, which the record does not state; the day of service was used",
    ),
    # --- the shape ------------------------------------------------------------------------------------------
    "OWN_SHAPE": Sentence(_E, "structure", "invalid-data", "{0}: {1}"),
    "OWN_NOT_BOUND": Sentence(_E, "code-invalid", "invalid-data", "{0} is '{1}', but FHIR allows only {2}"),
    "OWN_REVERSED": Sentence(_E, "invariant", "invalid-data", "{0} ends on {2}, before it starts on {1}"),
    "OWN_EMPTY": Sentence(_E, "structure", "invalid-data", "{0} is empty. Leave it out"),
    "OWN_NULL": Sentence(_E, "structure", "invalid-data", "{0} is null. Leave it out"),
    "OWN_NO_SUCH_DAY": Sentence(_E, "value", "invalid-data", "{0} is '{1}', which is no date of FHIR"),
    "OWN_NOT_TYPED": Sentence(_E, "value", "invalid-data", "{0} must be {1}, not {2}"),
    "OWN_TYPE_NOT_JUDGED": Sentence(
        _E, "not-supported", None, "A resource of the type {0} is not judged here. Judged are {1}"
    ),
    # --- a profile ------------------------------------------------------------------------------------------
    "OWN_PROFILE_UNKNOWN": Sentence(
        _E, "not-supported", None, "Nothing can be validated against the profile '{0}' here. Known in FHIR {1}: {2}"
    ),
    "OWN_PROFILE_OF_ANOTHER": Sentence(_E, "invalid", None, "The profile {0} is about {1}, and this is {2}"),
    "OWN_PROFILE_NEEDS": Sentence(_E, "required", "invalid-data", "The profile {0} needs {1}"),
    "OWN_PROFILE_BINDING": Sentence(
        _W,
        "code-invalid",
        "not-in-vs",
        "No coding of {0} is of a code system of '{1}', to which {2} binds it ({3})",
    ),
    # --- the whole ------------------------------------------------------------------------------------------
    "OWN_NOT_CHECKED": Sentence(
        _I,
        "informational",
        "process-note",
        "Checked: the shape of this {0} and its codes. Not checked: profiles, invariants, references, slices and "
        "anything outside the codes. This is neither a billing decision nor one of medical necessity",
    ),
    "OWN_ANSWERED_FROM": Sentence(_I, "informational", "process-note", "Answered from {0}"),
    "OWN_PROFILE_CHECKED": Sentence(
        _I,
        "informational",
        "process-note",
        "Of the profile {0} the bound codes and the elements it needs were checked, not its other rules",
    ),
    "OWN_VALIDATE_MODE": Sentence(
        _E, "not-supported", None, "$validate with the mode '{0}' is not done here. Leave it out, or send mode={1}"
    ),
    "OWN_RESOURCE_FITS": Sentence(
        _I,
        "informational",
        None,
        "This {0} breaks no rule that is checked where one is stored: shape, required bindings, the rules of its "
        "type, and whether the engine can read it. Not checked: other profiles, references, and whether it may be "
        "written here",
    ),
}
