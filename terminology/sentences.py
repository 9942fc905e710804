"""What a sentence is, and the sentences that only an operator reads: about files that are loaded and kept."""

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
    "OWN_SEVERAL_LOADED": Sentence("error", "multiple-matches", None, "'{0}' names several: {1}. Add |version"),
    "OWN_LIBRARY_UNREADABLE": _invalid("The folder of loaded content {0} cannot be read: {1}"),
    "OWN_IMPORT_UNREADABLE": _invalid("'{0}' cannot be read as {1}: {2}"),
    "OWN_IMPORT_EMPTY": _invalid("'{0}' holds nothing to import as {1}. Expected: {2}"),
    "OWN_IMPORT_ALL_REFUSED": _invalid("No row of '{0}' could be used; nothing was changed"),
    "OWN_IMPORT_DUPLICATE": Sentence("error", "duplicate", None, "The code '{0}' stands twice in {1}"),
    "OWN_IMPORT_COLUMN": _invalid("'{0}' has no column '{1}'. It has {2}"),
    "OWN_IMPORT_OPTION": Sentence("error", "value", None, "{0} cannot be '{1}'. Write {2}"),
    "OWN_IMPORT_VERSION": _invalid("'{0}' does not tell which version it is. Add --version"),
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
    "OWN_ROW_NO_CODE": _invalid("the row has no code"),
    "OWN_ROW_COLUMNS": _invalid("the row has {0} columns, the header {1}"),
    "OWN_ROW_LAYOUT": _invalid("the line does not have the layout of this format"),
    "OWN_ROW_VALUE": Sentence("error", "value", None, "'{0}' is no {1}"),
    "OWN_ROW_PARENT": Sentence("error", "not-found", None, "the parent '{0}' is not in the source"),
    "OWN_ROW_RESOURCE": _invalid("the resource cannot be used: {0}"),
}
