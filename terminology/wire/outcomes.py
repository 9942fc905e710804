"""Issues as OperationOutcome (https://hl7.org/fhir/operationoutcome.html), the same in every FHIR version."""

from __future__ import annotations

import re
from collections.abc import Iterable

from terminology.issues import text
from terminology.languages import Languages
from terminology.model import CANONICAL_BASE, SUGGESTED_CODING, Issue, Json

MESSAGE_ID = "http://hl7.org/fhir/StructureDefinition/operationoutcome-message-id"
OWN_MESSAGE_ID = f"{CANONICAL_BASE}/StructureDefinition/message-id"
TX_ISSUE_TYPE = "http://hl7.org/fhir/tools/CodeSystem/tx-issue-type"
ANY = Languages()
_NUMBERED = re.compile(r"^(Display_Name.*|VALUESET_SUPPLEMENT_MISSING)_(?:one|other)$")


def operation_outcome(issues: Iterable[Issue], languages: Languages = ANY) -> Json:
    """An OperationOutcome with one entry an issue, in order, its text in the reader's language."""
    return {"resourceType": "OperationOutcome", "issue": [entry(found, languages) for found in issues]}


def entry(found: Issue, languages: Languages = ANY, reason: Json | None = None) -> Json:
    """One ``OperationOutcome.issue``. HL7's message ids travel in HL7's extension, ours in one of our own. ``reason``
    is a coding of the details that comes before HL7's issue type."""
    own = found.message_id.startswith("OWN_")
    extensions: list[Json] = [{"url": OWN_MESSAGE_ID if own else MESSAGE_ID, "valueString": message_id(found)}]
    if found.suggestion:
        extensions.append({"url": SUGGESTED_CODING, "valueCoding": found.suggestion.as_json()})
    details: Json = {"text": text(found, languages.primary)}
    codings = [reason] if reason else []
    if found.kind:
        codings.append({"system": TX_ISSUE_TYPE, "code": found.kind})
    if codings:
        details = {"coding": codings, **details}
    made: Json = {"extension": extensions, "severity": found.severity, "code": found.code, "details": details}
    # HAPI's clients put the diagnostics into their exceptions and never the text, so no error goes without.
    if explained := found.diagnostics or (found.severity in ("error", "fatal") and details["text"]):
        made["diagnostics"] = explained
    if found.expression:
        made["expression"] = [found.expression]
    return made


def message_id(found: Issue) -> str:
    """The id as it travels: variants of number are variants of one message."""
    return _NUMBERED.sub(r"\1", found.message_id)
