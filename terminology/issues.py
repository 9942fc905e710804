"""Every sentence the server can say, under its message id, and the refusals.

    Refusal               the request cannot be answered; carries every reason at once
    ├── Invalid           the request is wrong (a parameter, a body, a filter)
    ├── NotFound          what the request names is not here
    ├── Unprocessable     the request is well-formed, but what it names does not allow an answer
    │   └── TooCostly     an answer would cost more than a limit allows
    ├── NotSupported      a known thing this server does not do
    ├── NotAllowed        the method or the state of the server forbids it
    ├── NotAcceptable     no common media type
    ├── UnsupportedMedia  a body of a type that is not read
    ├── TooLarge          a body over the limit
    └── Unavailable       for the moment; worth asking again

A finding (wrong display, inactive code) is an ``Issue`` in an answer, never an exception.
Texts of HL7's message ids are HL7's own (FHIR terminology ecosystem, CC0; see NOTICE); those whose id starts with
``OWN_`` are ours. Translations are in ``messages/*.json``; a sentence without one is said in English.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from terminology.findings import FINDINGS
from terminology.inputs import INPUTS
from terminology.model import Coding, Issue
from terminology.sentences import CHANGING, GRAMMARS, JOBS, LOADING, ON_A_DAY, Sentence
from terminology.transfers import TRANSFERS

_E, _W, _I = "error", "warning", "information"

SENTENCES: Mapping[str, Sentence] = {
    # --- codes and value sets -------------------------------------------------------------------------
    "None_of_the_provided_codes_are_in_the_value_set_one": Sentence(
        _E, "code-invalid", "not-in-vs", "The provided code '{0}' was not found in the value set '{1}'"
    ),
    "TX_GENERAL_CC_ERROR_MESSAGE": Sentence(
        _E, "code-invalid", "not-in-vs", "No valid coding was found for the value set '{0}'"
    ),
    "Unknown_Code_in_Version": Sentence(
        _E, "code-invalid", "invalid-code", "Unknown code '{0}' in the CodeSystem '{1}' version '{2}'"
    ),
    "Unknown_Code_in": Sentence(_E, "code-invalid", "invalid-code", "Unknown code '{0}' in the CodeSystem '{1}'"),
    "UNKNOWN_CODE_IN_FRAGMENT": Sentence(
        _W,
        "code-invalid",
        "invalid-code",
        "Unknown Code '{0}' in the CodeSystem '{1}' version '{2}' - note that the code system is labeled as a "
        "fragment, so the code may be valid in some other fragment",
    ),
    "ABSTRACT_CODE_NOT_ALLOWED": Sentence(
        _E, "business-rule", "code-rule", "Code '{0}#{1}' is abstract, and not allowed in this context"
    ),
    "STATUS_CODE_WARNING_CODE": Sentence(
        _E, "business-rule", "code-rule", "The concept '{0}' is valid but is not active"
    ),
    "CODE_CASE_DIFFERENCE": Sentence(
        _I,
        "business-rule",
        "code-rule",
        "The code '{0}' differs from the correct code '{1}' by case. Although the code system '{2}' is case "
        "insensitive, implementers are strongly encouraged to use the correct case anyway",
    ),
    "CODE_NOT_IN_NORMAL_FORM": Sentence(
        _I,
        "business-rule",
        "code-rule",
        "The code '{0}' is valid in the code system '{2}', but its normal form is '{1}'",
    ),
    "INACTIVE_CONCEPT_FOUND": Sentence(
        _W,
        "business-rule",
        "code-comment",
        "The concept '{0}' has a status of {1} and its use should be reviewed",
    ),
    "DEPRECATED_CONCEPT_FOUND": Sentence(
        _W, "business-rule", "code-comment", "The concept '{0}' is deprecated and its use should be reviewed"
    ),
    "CONCEPT_DEPRECATED_IN_VALUESET": Sentence(
        _W,
        "business-rule",
        "code-comment",
        "The presence of the concept '{1}' in the system '{0}' in the value set {3} is marked with a status of "
        "{2} and its use should be reviewed",
    ),
    **ON_A_DAY,
    # --- systems ----------------------------------------------------------------------------------------
    "Coding_has_no_system__cannot_validate": Sentence(
        _W,
        "invalid",
        "invalid-data",
        "Coding has no system. A code with no system has no defined meaning, and it cannot be validated. A system "
        "should be provided",
    ),
    "Coding_has_no_system_or_code__cannot_validate": Sentence(
        _W, "invalid", "invalid-data", "Coding has no system and no code, so there is nothing to validate"
    ),
    "OWN_CODING_HAS_NO_CODE": Sentence(
        _W, "invalid", "invalid-data", "Coding has no code for system {0} and cannot be validated"
    ),
    "Terminology_TX_System_Relative": Sentence(
        _E, "invalid", "invalid-data", "Coding.system must be an absolute reference, not a local reference"
    ),
    "Terminology_TX_System_ValueSet2": Sentence(
        _E, "invalid", "invalid-data", "The Coding references a value set, not a code system ('{0}')"
    ),
    "CODESYSTEM_CS_NO_SUPPLEMENT": Sentence(
        _E,
        "invalid",
        "invalid-data",
        "CodeSystem {0} is a supplement, so can't be used as a value in Coding.system",
    ),
    "UNKNOWN_CODESYSTEM": Sentence(
        _E,
        "not-found",
        "not-found",
        "A definition for CodeSystem '{0}' could not be found, so the code cannot be validated",
    ),
    "UNKNOWN_CODESYSTEM_VERSION": Sentence(
        _E,
        "not-found",
        "not-found",
        "A definition for CodeSystem '{0}' version '{1}' could not be found, so the code cannot be validated. Valid "
        "versions: {2}",
    ),
    "UNKNOWN_CODESYSTEM_VERSION_NONE": Sentence(
        _E,
        "not-found",
        "not-found",
        "A definition for CodeSystem '{0}' version '{1}' could not be found, so the code cannot be validated. No "
        "versions of this code system are known",
    ),
    "UNKNOWN_CODESYSTEM_CODING_NOT_CHECKED": Sentence(
        _W,
        "not-found",
        "not-found",
        "A definition for the code system '{0}' could not be found, so this coding was not checked. The "
        "CodeableConcept is still valid: another coding is in the value set",
    ),
    "UNKNOWN_CODESYSTEM_EXP": Sentence(
        _E,
        "not-found",
        "not-found",
        "A definition for CodeSystem '{0}' could not be found, so the value set cannot be expanded",
    ),
    "UNKNOWN_CODESYSTEM_VERSION_EXP": Sentence(
        _E,
        "not-found",
        "not-found",
        "A definition for CodeSystem '{0}' version '{1}' could not be found, so the value set cannot be expanded. "
        "Valid versions: {2}",
    ),
    "UNKNOWN_CODESYSTEM_VERSION_EXP_NONE": Sentence(
        _E,
        "not-found",
        "not-found",
        "A definition for CodeSystem '{0}' version '{1}' could not be found, so the value set cannot be expanded. No "
        "versions of this code system are known",
    ),
    "OWN_OTHER_NAME": Sentence(
        _I, "informational", None, "The system '{0}' is another name of '{1}', by which it was answered"
    ),
    "Unable_to_resolve_system__value_set_has_multiple_matches": Sentence(
        _E,
        "not-found",
        "cannot-infer",
        "The System URI could not be determined for the code '{0}' in the ValueSet '{1}': value set expansion has "
        "multiple matches: {2}",
    ),
    "UNABLE_TO_INFER_CODESYSTEM": Sentence(
        _E,
        "not-found",
        "cannot-infer",
        "The System URI could not be determined for the code '{0}' in the ValueSet '{1}'",
    ),
    # --- versions ---------------------------------------------------------------------------------------
    "VALUESET_VALUE_MISMATCH": Sentence(
        _E,
        "invalid",
        "vs-invalid",
        "The code system '{0}' version '{1}' in the ValueSet include is different to the one in the value ('{2}')",
    ),
    "VALUESET_VALUE_MISMATCH_CHANGED": Sentence(
        _E,
        "invalid",
        "vs-invalid",
        "The code system '{0}' version '{1}' resulting from the version '{2}' in the ValueSet include is different to "
        "the one in the value ('{3}')",
    ),
    "VALUESET_VALUE_MISMATCH_DEFAULT": Sentence(
        _W,
        "invalid",
        "vs-invalid",
        "The code system '{0}' version '{1}' for the versionless include in the ValueSet include is different to the "
        "one in the value ('{2}')",
    ),
    "VALUESET_VERSION_CHECK": Sentence(
        _E,
        "exception",
        "version-error",
        "The version '{1}' is not allowed for system '{0}': required to be '{2}' by a version-check parameter",
    ),
    "SYSTEM_VERSION_MULTIPLE_OVERRIDE": Sentence(
        _E,
        "exception",
        "version-error",
        "Attempt to use multiple forced versions for the system '{0}': '{1}' and '{2}'. Send one",
    ),
    "SYSTEM_VERSION_MULTIPLE_DEFAULT": Sentence(
        _E,
        "exception",
        "version-error",
        "Attempt to use multiple default versions for the system '{0}': '{1}' and '{2}'. Send one",
    ),
    # --- displays ---------------------------------------------------------------------------------------
    "Display_Name_for__should_be_one_of__instead_of_one": Sentence(
        _E,
        "invalid",
        "invalid-display",
        "Wrong Display Name '{0}' for {1}#{2}. Valid display is {3} (for the language(s) '{4}')",
    ),
    "Display_Name_for__should_be_one_of__instead_of_other": Sentence(
        _E,
        "invalid",
        "invalid-display",
        "Wrong Display Name '{0}' for {1}#{2}. Valid display is one of {5} choices: {3} (for the language(s) '{4}')",
    ),
    "Display_Name_WS_for__should_be_one_of__instead_of_one": Sentence(
        _E,
        "invalid",
        "invalid-display",
        "Wrong whitespace in Display Name '{0}' for {1}#{2}. Valid display is {3} (for the language(s) '{4}')",
    ),
    "Display_Name_WS_for__should_be_one_of__instead_of_other": Sentence(
        _E,
        "invalid",
        "invalid-display",
        "Wrong whitespace in Display Name '{0}' for {1}#{2}. Valid display is one of {5} choices: {3} (for the "
        "language(s) '{4}')",
    ),
    "NO_VALID_DISPLAY_AT_ALL": Sentence(
        _W,
        "invalid",
        "invalid-display",
        "Cannot validate display '{0}' for {1}#{2} in language {3}: No displays are known",
    ),
    "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_OK": Sentence(
        _I,
        "invalid",
        "invalid-display",
        "There are no valid display names found for the code {1}#{2} for language(s) '{3}'. The display is '{0}' which "
        "is a valid display for the default language",
    ),
    "NO_VALID_DISPLAY_FOUND_NONE_FOR_LANG_ERR": Sentence(
        _E,
        "invalid",
        "invalid-display",
        "Wrong Display Name '{0}' for {1}#{2}. There are no valid display names found for language(s) '{3}'. Default "
        "display is '{4}'",
    ),
    "INACTIVE_DISPLAY_FOUND": Sentence(
        _W,
        "invalid",
        "display-comment",
        "'{0}' is no longer considered a correct display for code '{1}' (status = {3}). The correct display is one of "
        "{2}.",
    ),
    "INVALID_DISPLAY_NAME": Sentence(_E, "processing", "invalid-display", "Invalid displayLanguage: '{0}'"),
    "OWN_DISPLAY_NOT_CHECKED": Sentence(
        _I,
        "informational",
        "display-comment",
        "The display '{0}' was not checked: the displays of {1} belong to its owner and are not held here",
    ),
    "OWN_DISPLAY_NOT_DEFINED": Sentence(
        _I,
        "informational",
        "display-comment",
        "The display '{0}' was not checked: {1} defines no displays",
    ),
    # --- value sets as definitions ----------------------------------------------------------------------
    "Unable_to_resolve_value_Set_": Sentence(
        _E, "not-found", "not-found", "A definition for the value Set '{0}' could not be found"
    ),
    "VS_EXP_IMPORT_UNK": Sentence(_E, "not-found", "not-found", "Unable to find included value set '{0}'"),
    "VS_EXP_IMPORT_UNK_PINNED": Sentence(
        _E, "not-found", "not-found", "Unable to find included value set '{0}' version '{1}'"
    ),
    "VALUESET_CIRCULAR_REFERENCE": Sentence(
        _E,
        "processing",
        "vs-invalid",
        "Found a circularity pointing to {0} processing ValueSet with pathway [{1}]",
    ),
    "VALUESET_TOO_COSTLY": Sentence(
        _E, "too-costly", None, "The value set '{0}' expansion has too many codes to produce ({1})"
    ),
    "CODESYSTEM_NOT_ENUMERABLE": Sentence(
        _E,
        "not-supported",
        None,
        "The code system '{0}' cannot be enumerated, so the value set cannot be expanded",
    ),
    "VALUESET_SUPPLEMENT_MISSING": Sentence(_E, "not-found", "not-found", "Required supplement not found: {0}"),
    "VALUESET_SUPPLEMENT_MISSING_other": Sentence(_E, "not-found", "not-found", "Required supplements not found: {0}"),
    "UNABLE_TO_HANDLE_SYSTEM_FILTER_WITH_NO_VALUE": Sentence(
        _E, "invalid", "vs-invalid", "The system {0} filter with property = {1}, op = {2} has no value"
    ),
    "FILTER_NOT_UNDERSTOOD": Sentence(
        _E,
        "not-supported",
        "vs-invalid",
        "The filter \"{0} {1} {2}\" of the value set '{3}' was not understood in the context of the code system {4}",
    ),
    "OWN_PATTERN_REFUSED": Sentence(
        _E,
        "invalid",
        "vs-invalid",
        "The regular expression '{0}' cannot be used: {1}. Patterns run in linear time, so look-around and "
        "back-references are not available",
    ),
    "OWN_VALUE_SET_INVALID": Sentence(_E, "invalid", "vs-invalid", "The value set '{0}' cannot be used: {1}"),
    "OWN_RESOURCE_INVALID": Sentence(_E, "invalid", None, "The {0} '{1}' cannot be used: {2}"),
    "OWN_UNCLOSED_FRAGMENT": Sentence(
        _I, "informational", None, "This extension is based on a fragment of the code system {0}"
    ),
    "OWN_UNCLOSED_GRAMMAR": Sentence(
        _I,
        "informational",
        None,
        "The code system {0} has a grammar, so it has members that cannot be listed",
    ),
    # --- codes that rules make: why one is none --------------------------------------------------------------
    **{name: Sentence(_E, "code-invalid", "invalid-code", sentence) for name, sentence in GRAMMARS.items()},
    # --- status of content ------------------------------------------------------------------------------
    "MSG_DRAFT": Sentence(_I, "business-rule", "status-check", "Reference to draft {0} {1}"),
    "MSG_EXPERIMENTAL": Sentence(_I, "business-rule", "status-check", "Reference to experimental {0} {1}"),
    "MSG_DEPRECATED": Sentence(_I, "business-rule", "status-check", "Reference to deprecated {0} {1}"),
    "MSG_WITHDRAWN": Sentence(_I, "business-rule", "status-check", "Reference to withdrawn {0} {1}"),
    "MSG_RETIRED": Sentence(_I, "business-rule", "status-check", "Reference to retired {0} {1}"),
    # --- lookup, subsumes, translate ----------------------------------------------------------------------
    "OWN_LOOKUP_UNKNOWN_SYSTEM": Sentence(
        _E, "not-found", "not-found", "The CodeSystem '{0}' is not known to this server"
    ),
    "OWN_LOOKUP_UNKNOWN_VERSION": Sentence(
        _E,
        "not-found",
        "not-found",
        "The CodeSystem '{0}' has no version '{1}' here. Valid versions: {2}",
    ),
    "OWN_LOOKUP_UNKNOWN_CODE": Sentence(
        _E, "not-found", "invalid-code", "Unknown code '{0}' in the CodeSystem '{1}' version '{2}'"
    ),
    "OWN_SYSTEMS_DIFFER": Sentence(
        _E,
        "invalid",
        None,
        "codingA is of the system '{0}', codingB of '{1}': subsumption is tested in one system",
    ),
    "OWN_SUBSUMPTION_UNDEFINED": Sentence(
        _E,
        "not-supported",
        None,
        "The CodeSystem '{0}' does not say what its hierarchy means, so subsumption cannot be determined",
    ),
    "OWN_SUBSUMPTION_FRAGMENT": Sentence(
        _E,
        "business-rule",
        None,
        "The CodeSystem '{0}' is a fragment, so its hierarchy is known to be incomplete and subsumption cannot be "
        "determined",
    ),
    "OWN_NO_TRANSLATION": Sentence(_I, "not-found", None, "No translation was found for '{0}'"),
    "OWN_UNKNOWN_MAP": Sentence(
        _E, "not-found", "not-found", "A definition for the ConceptMap '{0}' could not be found"
    ),
    "OWN_NO_SUITABLE_MAP": Sentence(
        _E,
        "not-found",
        "not-found",
        "No ConceptMap here translates from '{0}' to '{1}'. Name a map with url, or other systems",
    ),
    # --- requests -----------------------------------------------------------------------------------------
    "OWN_NO_CODE": Sentence(
        _E,
        "invalid",
        None,
        "Unable to find code to validate (looked for coding | codeableConcept | code+system | code+inferSystem in "
        "parameters",
    ),
    "OWN_NO_CODE_TO_LOOK_UP": Sentence(
        _E, "required", None, "Nothing to look up: send code and system, or coding with both"
    ),
    "OWN_MISSING_PARAMETER": Sentence(_E, "required", None, "The parameter '{0}' is missing: {1}"),
    "OWN_CONTRADICTORY_PARAMETERS": Sentence(_E, "invalid", None, "Only one of {0} may be sent: {1}"),
    "OWN_REPEATED_PARAMETER": Sentence(
        _E, "invalid", None, "The parameter '{0}' was sent {1} times, but may be sent once"
    ),
    "OWN_UNKNOWN_PARAMETER": Sentence(
        _E,
        "not-supported",
        None,
        "The parameter '{0}' is not known to ${1}. {2}Remove it, or leave out 'Prefer: handling=strict'",
    ),
    "OWN_WRONG_TYPE": Sentence(_E, "value", None, "The parameter '{0}' must be {1}, not {2}"),
    "OWN_TOO_LONG": Sentence(_E, "too-long", None, "The parameter '{0}' is longer than {1} characters"),
    "OWN_TOO_MANY": Sentence(_E, "too-costly", None, "{0}: more than {1}. Send fewer, or raise the setting {2}"),
    "OWN_COUNT_TOO_LARGE": Sentence(
        _E,
        "too-costly",
        None,
        "count={0} is over the limit of {1}. Ask for pages of at most {1}, or raise the setting {2}",
    ),
    "OWN_NEGATIVE": Sentence(_E, "value", None, "The parameter '{0}' must not be negative, but is {1}"),
    "OWN_MALFORMED_BODY": Sentence(_E, "structure", None, "The body cannot be read: {0}"),
    "OWN_WRONG_RESOURCE": Sentence(_E, "invalid", None, "The body must be a {0} resource, not {1}"),
    "OWN_BODY_TOO_LARGE": Sentence(
        _E, "too-long", None, "The body is larger than {0} bytes. Send less, or raise the setting {1}"
    ),
    "OWN_MALFORMED_QUERY": Sentence(_E, "structure", None, "The query string cannot be read: {0}"),
    "OWN_URL_TOO_LONG": Sentence(
        _E,
        "too-long",
        None,
        "The address is longer than {0} characters. Send the parameters in a body, with POST",
    ),
    "OWN_HEADER_TOO_LARGE": Sentence(_E, "too-long", None, "The header {0} is longer than {1} characters. Shorten it"),
    "OWN_TOO_MANY_HEADERS": Sentence(_E, "too-long", None, "The request has more than {0} headers. Send fewer"),
    "OWN_UNSUPPORTED_MEDIA_TYPE": Sentence(_E, "not-supported", None, "A body of the type '{0}' is not read. Send {1}"),
    "OWN_NOT_ACCEPTABLE": Sentence(_E, "not-supported", None, "None of the types '{0}' can be produced. Accept {1}"),
    "OWN_FHIR_VERSION": Sentence(
        _E, "not-supported", None, "fhirVersion={0} was asked for, but {1} speaks FHIR {2}. Use {3}"
    ),
    "OWN_UNKNOWN_ROUTE": Sentence(_E, "not-found", None, "There is nothing at {0}. {1}"),
    "OWN_UNKNOWN_RESOURCE": Sentence(_E, "not-found", None, "There is no {0} with the id '{1}'"),
    "OWN_METHOD_NOT_ALLOWED": Sentence(_E, "not-supported", None, "{0} is not allowed at {1}. Allowed: {2}"),
    "OWN_READ_ONLY": Sentence(
        _E,
        "not-supported",
        None,
        "This server does not accept changes: {0} is refused. Its operator can start it with a store and "
        "--allow-writes, on loopback",
    ),
    "OWN_UNKNOWN_SEARCH_PARAMETER": Sentence(
        _E, "not-supported", None, "The search parameter '{0}' is not known for {1}. Known: {2}"
    ),
    "OWN_CACHE_ID_UNKNOWN": Sentence(
        _E,
        "not-found",
        "cache-id-unknown",
        "The cache '{0}' is not known: it was never started, has ended or has expired. Start one with "
        "$cache-control?mode=start",
    ),
    "OWN_CACHE_ID_GUESSABLE": Sentence(
        _E, "security", None, "The cache-id '{0}' can be guessed. Draw one of at least {1} characters, such as a UUID"
    ),
    "OWN_CACHE_TOO_LARGE": Sentence(
        _E, "too-long", None, "The cache would hold more than {0} bytes. Send less, or raise the setting {1}"
    ),
    "OWN_CLOSURE_NAME": Sentence(
        _E, "value", None, "Invalid closure name '{0}': 1 to 64 letters, digits, - and . make one"
    ),
    "OWN_CLOSURE_UNKNOWN": Sentence(
        _E, "not-found", None, "Invalid closure name '{0}': there is no such table. Send the name alone to make it"
    ),
    "OWN_CLOSURE_VERSION": Sentence(
        _E, "not-found", None, "The closure '{0}' has no version '{1}', it is at {2}. Replay all of it with version 0"
    ),
    "OWN_CLOSURE_REINITIALISE": Sentence(
        _E,
        "conflict",
        None,
        "The closure '{0}' must be reinitialized: it holds codes of {1} version '{2}', and version '{3}' answers now",
    ),
    "OWN_CLOSURE_CODING": Sentence(_E, "required", None, "A concept of a closure needs system and code"),
    "OWN_UNKNOWN_PROPERTY": Sentence(_E, "not-found", None, "The CodeSystem '{0}' has no property '{1}'. It has {2}"),
    "OWN_MATCHES_NOT_ENUMERABLE": Sentence(
        _E, "not-supported", None, "The code system '{0}' cannot be enumerated, so matches cannot be found"
    ),
    "OWN_BUNDLE_TYPE": Sentence(_E, "not-supported", None, "This server does not process {0} yet. {1}"),
    "OWN_BUNDLE_ENTRY": Sentence(_E, "invalid", None, "Bundle.entry[{0}]: {1}"),
    "OWN_UNAVAILABLE": Sentence(_E, "transient", None, "The server is busy. Ask again in {0} s"),
    "OWN_INTERNAL": Sentence(
        _E,
        "exception",
        None,
        "Something went wrong inside the server. Report the request id {0} to its operator",
    ),
    **LOADING,
    **TRANSFERS,
    **CHANGING,
    **FINDINGS,
    **INPUTS,
    **JOBS,
}
"""Message id → severity, issue code, tx-issue-type, English sentence with positional arguments."""


IN_MESSAGE = frozenset(
    name for name in SENTENCES if name.startswith(("Display_Name", "NO_VALID_DISPLAY", "Coding_has_no_system"))
) | {
    "INACTIVE_CONCEPT_FOUND",
    "DEPRECATED_CONCEPT_FOUND",
    "OWN_CODING_HAS_NO_CODE",
    "UNKNOWN_CODESYSTEM_CODING_NOT_CHECKED",
    *ON_A_DAY,
} - {"OWN_DATE_BY_CONCEPT"}
"""Sentences that stand in the ``message`` of $validate-code though they are no errors. Errors always do."""


def issue(
    message_id: str,
    *arguments: object,
    at: str | None = None,
    severity: str | None = None,
    diagnostics: str | None = None,
    suggestion: Coding | None = None,
) -> Issue:
    """The Issue of a message id; ``severity`` overrides the sentence's own. Raises KeyError for an unknown id."""
    sentence = SENTENCES[message_id]
    return Issue(
        severity=severity or sentence.severity,
        code=sentence.code,
        kind=sentence.kind,
        message_id=message_id,
        arguments=tuple(str(argument) for argument in arguments),
        expression=at,
        diagnostics=diagnostics,
        suggestion=suggestion,
    )


@lru_cache(maxsize=64)  # bounded: a request may name any language
def translations(language: str) -> Mapping[str, str]:
    """Message id → sentence in ``language`` (a primary subtag such as ``de``); empty where there is none."""
    file = Path(__file__).parent / "messages" / f"{language}.json"
    if language == "en" or not language.isalpha() or not file.is_file():
        return {}
    sentences: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))["sentences"]
    return sentences


def text(found: Issue, languages: Iterable[str] = ()) -> str:
    """The sentence of an issue in the first of ``languages`` (primary subtags) that has it, else in English."""
    for language in languages:
        if language == "en":
            break
        if sentence := translations(language).get(found.message_id):
            return sentence.format(*found.arguments)
    return SENTENCES[found.message_id].text.format(*found.arguments)


def missing_supplements(missing: Sequence[str], at: str | None = None) -> Issue:
    """The issue for supplements that were named and are not here."""
    number = "" if len(missing) == 1 else "_other"
    return issue(f"VALUESET_SUPPLEMENT_MISSING{number}", ", ".join(missing), at=at)


def versions_list(versions: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``: how a sentence names several versions or displays."""
    items = list(versions)
    return " or ".join(items) if len(items) < 3 else f"{', '.join(items[:-1])} or {items[-1]}"


class Refusal(Exception):
    """The request cannot be answered. ``issues`` holds every reason; caught in HTTP, CLI and bulk only."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__("; ".join(text(found) for found in issues))
        self.issues = issues


class Invalid(Refusal):
    """The request is wrong."""


class NotFound(Refusal):
    """What the request names is not here."""


class Unprocessable(Refusal):
    """The request is well-formed, but what it names does not allow an answer."""


class TooCostly(Unprocessable):
    """An answer would cost more than a limit allows."""


class NotSupported(Refusal):
    """A known thing this server does not do."""


class NotAllowed(Refusal):
    """The method, or the state of the server, forbids it."""


class NotAcceptable(Refusal):
    """No media type that both sides know."""


class UnsupportedMedia(Refusal):
    """A body of a type that is not read."""


class TooLarge(Refusal):
    """A body over the limit."""


class Unavailable(Refusal):
    """Not now; the client may ask again."""
