"""What a sentence is, the reasons why a code breaks the rules of its system, and what only an operator reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Sentence(NamedTuple):
    """Severity, issue code, tx-issue-type, English text with positional arguments."""

    severity: str
    code: str
    kind: str | None
    text: str


def _invalid(text: str) -> Sentence:
    return Sentence("error", "invalid", None, text)


LOADING: Mapping[str, Sentence] = {
    "OWN_DATA_DIR": Sentence(
        "error", "not-found", None, "No folder for loaded content is named. Write {0} FOLDER or set {1}"
    ),
    "OWN_NOT_LOADED": Sentence("error", "not-found", None, "'{0}' is not among what was loaded into {1}"),
    "OWN_SEVERAL_LOADED": Sentence(
        "error", "multiple-matches", None, "'{0}' names several: {1}. Write one of these, as url|version"
    ),
    "OWN_LIBRARY_UNREADABLE": _invalid("The folder of loaded content {0} cannot be read: {1}"),
    "OWN_IMPORT_UNREADABLE": _invalid("'{0}' cannot be read as {1}: {2}"),
    "OWN_IMPORT_EMPTY": _invalid("'{0}' holds nothing to import as {1}. Expected: {2}"),
    "OWN_IMPORT_ALL_REFUSED": _invalid("No row of '{0}' could be used; nothing was changed"),
    "OWN_IMPORT_DUPLICATE": Sentence("error", "duplicate", None, "The code '{0}' stands twice in {1}"),
    "OWN_IMPORT_COLUMN": _invalid("'{0}' has no column '{1}'. It has {2}"),
    "OWN_IMPORT_OPTION": Sentence("error", "value", None, "{0} cannot be '{1}'. Write {2}"),
    "OWN_IMPORT_VERSION": _invalid("'{0}' does not tell which version it is. Add --version"),
    "OWN_INSTALL_PACKAGE": Sentence(
        "error", "not-found", None, "'{0}' is read from the Python package {1}, which is not installed. Run: {2}"
    ),
    "OWN_INSTALL_FILE": Sentence(
        "error", "not-found", None, "'{0}' is in {1} ({2}), which is no Python package. Run: {3}, then add --from FILE"
    ),
    "OWN_INSTALL_NOT_IN": Sentence(
        "error",
        "not-found",
        None,
        "{0} holds nothing of {1}. `terminology install --list` names the package of each content",
    ),
    "OWN_INSTALL_OFF": Sentence(
        "error", "not-found", None, "'{0}' comes with the server, which is told to leave it out. Turn on {1}"
    ),
    "OWN_INSTALL_NOTHING": Sentence(
        "error", "not-found", None, "No package with content is installed. Run: {0}, or name a file with --from"
    ),
    "OWN_INSTALL_TWICE": Sentence(
        "warning", "duplicate", None, "The source defines {0} resources twice, for example {1}; the later one counts"
    ),
    "OWN_INSTALL_PART": Sentence(
        "warning", "incomplete", None, "{0} is a fragment: {1}. A code that is not in it cannot be judged"
    ),
    "OWN_ARCHIVE_BROKEN": _invalid("The archive '{0}' is broken or cut short: {1}"),
    "OWN_ARCHIVE_NAME": Sentence(
        "error", "security", None, "The archive '{0}' is refused: the name '{1}' leads out of it"
    ),
    "OWN_ARCHIVE_LINK": Sentence(
        "error", "security", None, "The archive '{0}' is refused: '{1}' is a link or a device, not a file"
    ),
    "OWN_ARCHIVE_LOCKED": _invalid("The archive '{0}' is refused: '{1}' is encrypted"),
    "OWN_ARCHIVE_MEMBERS": Sentence("error", "too-long", None, "The archive '{0}' has more than {1} members"),
    "OWN_ARCHIVE_MEMBER": Sentence("error", "too-long", None, "'{1}' in '{0}' is larger than {2} bytes"),
    "OWN_ARCHIVE_TOTAL": Sentence("error", "too-long", None, "The archive '{0}' unpacks to more than {1} bytes"),
    "OWN_ARCHIVE_RATIO": Sentence(
        "error", "security", None, "The archive '{0}' unpacks to more than {1} times its size"
    ),
    "OWN_LAYOUT_UNVERIFIED": Sentence(
        "warning",
        "informational",
        None,
        "{0}: layout unverified against a real file; it follows the publisher's description. Compare the counts",
    ),
    "OWN_NO_COUNTS": Sentence("warning", "incomplete", None, "'{0}' is missing in '{1}', so {2} is left out"),
    "OWN_LEFT_OUT": Sentence("information", "informational", None, "{0} codes are left out: they belong to {1}"),
    "OWN_ROW_NO_CODE": _invalid("the row has no code"),
    "OWN_ROW_COLUMNS": _invalid("the row has {0} columns, the header {1}"),
    "OWN_ROW_LAYOUT": _invalid("the line does not have the layout of this format"),
    "OWN_ROW_VALUE": Sentence("error", "value", None, "'{0}' is no {1}"),
    "OWN_ROW_PARENT": Sentence("error", "not-found", None, "the parent '{0}' is not in the source"),
    "OWN_ROW_NO_TABLE": Sentence("error", "not-found", None, "no table has '{0}': its meanings are left out"),
    "OWN_ROW_RESOURCE": _invalid("the resource cannot be used: {0}"),
}

GRAMMARS: Mapping[str, str] = {
    "OWN_CODE_SYNTAX": "'{0}' breaks the grammar of this code system at '{1}'",
    "OWN_UNIT_UNKNOWN": "'{0}' is no unit of UCUM; upper and lower case matter",
    "OWN_UNIT_TAKES_NO_PREFIX": "'{1}' is no unit of UCUM: '{0}' takes no prefix",
    "OWN_UNIT_SPECIAL": "The special unit '{0}' may be multiplied by a number, and not be divided, raised or combined",
    "OWN_EXPRESSION_BASE": "'{0}' is no code that modifiers could follow",
    "OWN_MODIFIERS_NOT_HELD": "No modifiers are loaded here, so an expression over '{0}' cannot be confirmed",
    "OWN_MODIFIER_UNKNOWN": "'{0}' is no modifier of this code system",
    "OWN_MODIFIER_TWICE": "The modifier '{0}' stands twice",
    "OWN_MODIFIER_NOT_WITH": "The modifier '{0}' cannot be used with '{1}'",
    "OWN_SUBTAG_LANGUAGE": "'{0}' is not registered as a language",
    "OWN_SUBTAG_EXTLANG": "'{0}' is not registered as an extended language that follows '{1}'",
    "OWN_SUBTAG_SCRIPT": "'{0}' is not registered as a script",
    "OWN_SUBTAG_REGION": "'{0}' is not registered as a region",
    "OWN_SUBTAG_VARIANT": "'{0}' is not registered as a variant",
    "OWN_SUBTAG_TWICE": "'{0}' stands twice in the language tag",
}
"""Message id → English sentence: why a code that rules would make is none."""

ON_A_DAY: Mapping[str, Sentence] = {
    "OWN_NOT_VALID_ON_DATE": Sentence(
        "error", "business-rule", "code-rule", "The code '{0}' of the CodeSystem '{1}' is not valid on {2}: {3}"
    ),
    "OWN_CANNOT_JUDGE_ON_DATE": Sentence(
        "error",
        "not-found",
        "not-found",
        "The code '{0}' of the CodeSystem '{1}' cannot be judged on {2}: {3}. Name the version that is meant, or load "
        "a release that states its period",
    ),
    "OWN_CANNOT_LIST_ON_DATE": Sentence(
        "error",
        "not-found",
        "not-found",
        "The codes of the CodeSystem '{0}' on {1} cannot be listed: {2}. Name the version that is meant, or load a "
        "release that states its period",
    ),
    "OWN_VERSION_NOT_IN_FORCE": Sentence(
        "warning",
        "business-rule",
        "version-error",
        "The version '{0}' of the CodeSystem '{1}' was named and therefore answers, but it is not the one in force on "
        "{2}. Known: {3}",
    ),
    "OWN_VERSION_WITHOUT_PERIOD": Sentence(
        "warning",
        "business-rule",
        "version-error",
        "The version '{0}' of the CodeSystem '{1}' was named and therefore answers. Whether it was in force on {2} is "
        "not known: it states no period",
    ),
    "OWN_DATE_ACROSS_RELEASES": Sentence(
        "warning",
        "business-rule",
        "version-error",
        "The date {0} is not a day of one release of the CodeSystem '{1}': it touches {2}. Send the full day",
    ),
    "OWN_DATE_BY_CONCEPT": Sentence(
        "information",
        "business-rule",
        "code-comment",
        "No release of the CodeSystem '{1}' is known to be in force on {2}. The answer rests on the dates that the "
        "version '{3}' states for the code '{0}': {4}",
    ),
}

CHANGING: Mapping[str, Sentence] = {
    "OWN_WRITES_ON_LOOPBACK": Sentence(
        "error",
        "forbidden",
        None,
        "{0} is refused: without access control only programs on this machine may change resources, straight through a "
        "loopback address (no proxy, no page of another site)",
    ),
    "OWN_WRONG_ID": _invalid("The id in the body is {0}, but the address says {1}. Write {1} into both"),
    "OWN_RESOURCE_RULE": Sentence("error", "invariant", None, "{0}: {1}"),
    "OWN_CANONICAL_TAKEN": Sentence(
        "error",
        "duplicate",
        None,
        "The {0} '{1}' is there already, with the id {2}. Update that one, or send another version",
    ),
    "OWN_SEVERAL_MATCH": Sentence(
        "error", "multiple-matches", None, "Several {0} resources match {1}. Name one of them more closely"
    ),
    "OWN_PUBLISHED": Sentence(
        "error",
        "forbidden",
        None,
        "The {0} '{1}' is published by the operator, not stored: it cannot be patched or deleted. Put a version of "
        "your own over it with PUT",
    ),
    "OWN_GONE": Sentence("error", "deleted", None, "The {0} '{1}' was deleted with version {2}. Its history is kept"),
    "OWN_UNKNOWN_VERSION": Sentence("error", "not-found", None, "The {0} '{1}' has no version {2}"),
    "OWN_PATCH_FAILED": _invalid("The JSON Patch cannot be applied: {0}"),
    "OWN_MALFORMED_TAG": _invalid("If-Match is '{0}'. Write the ETag that a read gave, such as W/\"3\""),
    "OWN_VERSION_CONFLICT": Sentence(
        "error",
        "conflict",
        None,
        "The {0} '{1}' has {2}, but the request wants {3}. Read it again, then send the change",
    ),
    "OWN_CHANGED": Sentence("information", "informational", None, "The resource was {0}"),
    "OWN_TRANSACTION_ENTRY": _invalid("Bundle.entry[{0}] ({1}): nothing of the transaction was done"),
    "OWN_TRANSACTION_METHOD": Sentence(
        "error",
        "not-supported",
        None,
        "{0} cannot be part of a transaction: it takes creates, updates, patches, deletes, reads and searches of {1}. "
        "Send the rest as a batch",
    ),
    "OWN_TRANSACTION_TWICE": _invalid("{0} is changed by several entries of the transaction. Change it once"),
}

JOBS: Mapping[str, Sentence] = {
    "OWN_BULK_OFF": Sentence(
        "error",
        "not-supported",
        None,
        "This server judges no records in bulk: the setting {0} is off. Ask its operator",
    ),
    "OWN_BULK_NO_STORE": Sentence(
        "error",
        "not-supported",
        None,
        "Nothing would keep a job: this server has no store. Its operator states the setting {0}",
    ),
    "OWN_BULK_PREFER": Sentence(
        "error", "required", None, "$validate-bulk is answered later only. Send the header Prefer: respond-async"
    ),
    "OWN_BULK_JOBS": Sentence(
        "error",
        "too-costly",
        None,
        "There are {0} jobs of this client already. Delete those that are not needed, or raise the setting {1}",
    ),
    "OWN_BULK_EMPTY": _invalid("The body holds no record. Send NDJSON, a Bundle, or Parameters with resource"),
    "OWN_BULK_LONG_LINE": Sentence(
        "error", "too-long", None, "A line of the body is longer than {0} bytes. Shorten it, or raise the setting {1}"
    ),
    "OWN_BULK_NESTED": Sentence(
        "error", "not-supported", None, "$validate-bulk cannot be part of a batch. Send it by itself"
    ),
    "OWN_BULK_ACCEPTED": Sentence(
        "information", "informational", None, "{0} records were taken. Ask how far the job is at {1}"
    ),
    "OWN_BULK_UNKNOWN": Sentence(
        "error",
        "not-found",
        None,
        "There is no job '{0}' here: it was deleted, or it expired ({1} s, the setting {2}), or it never was",
    ),
    "OWN_BULK_CANCELLED": Sentence(
        "information", "informational", None, "The job is cancelled; its records and results were removed"
    ),
    "OWN_BULK_FAILED": Sentence(
        "error", "exception", None, "The job was given up: {0}. Its records were removed; send them again"
    ),
    "OWN_BULK_LINE": Sentence("error", "structure", None, "The line {0} cannot be read: {1}"),
    "OWN_BULK_RECORD": Sentence(
        "fatal", "exception", None, "The record in line {0} could not be judged. Report the job {1} to the operator"
    ),
}
"""Records that are judged later."""
