"""What is said about files of coded records: those that cannot be read, and the parts of one that cannot."""

from __future__ import annotations

from collections.abc import Mapping

from terminology.sentences import Sentence


def _invalid(text: str) -> Sentence:
    return Sentence("error", "invalid", None, text)


def _long(text: str) -> Sentence:
    return Sentence("error", "too-long", None, text)


INPUTS: Mapping[str, Sentence] = {
    # --- a part of a file: a finding, and the rest is read ------------------------------------------------
    "OWN_INPUT_LINE": _invalid("The line cannot be read as JSON: {0}"),
    "OWN_INPUT_LINE_LONG": _long("The line has more than {0} bytes and is left out"),
    "OWN_INPUT_RESOURCE": _invalid("This is JSON, but no FHIR resource: {0}"),
    "OWN_INPUT_DEEP": _invalid("Bundles stand in Bundles more than {0} deep; the rest is left out"),
    "OWN_INPUT_ROW": _invalid("The row cannot be read: {0}"),
    # --- a file: a finding, and the next one is read --------------------------------------------------------
    "OWN_INPUT_DOCUMENT": _invalid("The file cannot be read as JSON: {0}"),
    "OWN_INPUT_DOCUMENT_LONG": _long("The file has more than {0} bytes. Write it as NDJSON, one resource a line"),
    "OWN_INPUT_ENCODING": _invalid("The file is written in {0}. Write it in UTF-8"),
    "OWN_INPUT_GZIP": _invalid("The compressed file is broken: {0}. What came before was read"),
    "OWN_INPUT_RATIO": Sentence(
        "error",
        "security",
        None,
        "Reading stopped here: the file unpacks to more than {0} times its size",
    ),
    "OWN_INPUT_TABLE": _invalid("The file cannot be read as a table: {0}"),
    # --- outside the data: the run cannot say that all was judged ---------------------------------------------
    "OWN_INPUT_UNREADABLE": Sentence("fatal", "exception", None, "The file cannot be read: {0}"),
    # --- refusals ---------------------------------------------------------------------------------------------
    "OWN_INPUT_MISSING": Sentence("error", "not-found", None, "There is no file or folder '{0}'"),
    "OWN_INPUT_KIND": Sentence(
        "error", "not-supported", None, "It cannot be told what '{0}' holds. Say so with --input {1}"
    ),
    "OWN_INPUT_XML": Sentence(
        "error",
        "not-supported",
        None,
        "'{0}' looks like XML, which is read by $validate over HTTP, not from files. Write it as JSON or NDJSON",
    ),
    "OWN_INPUT_NOT_PROFILED": Sentence(
        "error",
        "not-found",
        None,
        "The profile {0} was asked for, but nothing in {1} is a resource of its type",
    ),
    "OWN_INPUT_NOTHING": Sentence(
        "error", "not-found", None, "There is nothing to judge in {0}: no resource and no row was read"
    ),
    "OWN_INPUT_COLUMN_TWICE": Sentence(
        "error",
        "multiple-matches",
        None,
        "'{0}' has {1} columns that may have the {2}: {3}. Give the one that is meant a name of its own",
    ),
    "OWN_INPUT_COLUMN": Sentence("error", "not-found", None, "'{0}' has no column '{1}' for {2}. It has {3}"),
    "OWN_INPUT_CODE_COLUMN": Sentence(
        "error",
        "required",
        None,
        "It is not known which column of '{0}' has the codes. Name it: --columns code=NAME. It has {1}",
    ),
    "OWN_INPUT_COLUMNS": Sentence("error", "value", None, "--columns cannot be '{0}'. Write {1}"),
    "OWN_INPUT_DUCKDB": Sentence(
        "error",
        "not-supported",
        None,
        "Reading '{0}' needs DuckDB, which is not installed. Run: pip install 'flask-fhir-terminology[bulk]'",
    ),
    "OWN_INPUT_STOPPED": Sentence(
        "information", "incomplete", None, "The run was stopped: what comes after was not judged"
    ),
}
