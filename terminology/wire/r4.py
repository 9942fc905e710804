"""Resources between R5, the form the engine speaks, and R4 (4.0.1).

Both functions are pure and total: input is never changed, what is no resource we know is handed back as it
is, and elements that R4 does not define are never dropped on the way in. `from_r4(to_r4(x)) == x` for
every valid R5 resource of the types in `elements.json`, but for: data types R4 lacks other than integer64
(CodeableReference, RatioRange, Availability, ExtendedContactDetail) as `value[x]`, which pass unchanged; and
Bundle.issues beside entries that are outcomes themselves. Names of operation parameters are not converted,
nor is CapabilityStatement.fhirVersion: both are for the operation to choose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from terminology.wire.crossing import DATATYPE, Node, Way, cross, extensions_of, with_extensions
from terminology.wire.r4_concept_map import from_r4_names, to_r4_names

_INTEGER64 = {"url": DATATYPE, "valueString": "integer64"}


class Alike(dict[str, Any]):
    """An answer that R5 and R4 write alike."""


def to_r4(resource: Node) -> Node:
    """The R4 form of a resource in R5 form (http://hl7.org/fhir/R4/ and its cross-version extensions)."""
    kind = resource.get("resourceType")
    if kind == "ConceptMap":
        resource = to_r4_names(resource)
    out = _crossed(resource, Way("to R4", to_r4))
    if kind == "Parameters":
        return _parameters(out, _integer64_to_r4)
    return _issues_to_r4(out) if kind == "Bundle" else out


def answer_to_r4(answer: Node) -> Node:
    """The R4 form of an operation's answer. Parameters of ours hold data types that both versions share, so only the
    resources in them are converted: a tenth of the cost of ``to_r4``."""
    if answer.__class__ is Alike:
        return answer
    if answer.get("resourceType") != "Parameters" or "parameter" not in answer:
        return to_r4(answer)
    for entry in answer["parameter"]:
        if "resource" in entry:
            break
    else:
        return answer
    return answer | {
        "parameter": [
            entry | {"resource": answer_to_r4(entry["resource"])} if "resource" in entry else entry
            for entry in answer["parameter"]
        ]
    }


def from_r4(resource: Node) -> Node:
    """The R5 form of a resource in R4 form."""
    kind = resource.get("resourceType")
    out = _crossed(resource, Way("from R4", from_r4))
    if kind == "Parameters":
        return _parameters(out, _integer64_from_r4)
    if kind == "Bundle":
        return _issues_from_r4(out)
    return from_r4_names(out) if kind == "ConceptMap" else out


def _crossed(resource: Node, way: Way) -> Node:
    kind = resource.get("resourceType")
    return cross(resource, kind, way) if isinstance(kind, str) else resource


# -- Parameters: integer64, which R4 lacks, travels as a string that says so ------------------------------


def _parameters(node: Node, convert: Callable[[Node], Node], name: str = "parameter") -> Node:
    listed = node.get(name)
    if not isinstance(listed, list):
        return node
    return node | {name: [_parameters(convert(p), convert, "part") if isinstance(p, dict) else p for p in listed]}


def _integer64_to_r4(parameter: Node) -> Node:
    if "valueInteger64" not in parameter:
        return parameter
    extra = parameter.get("_valueInteger64")
    out = {key: value for key, value in parameter.items() if not key.endswith("valueInteger64")}
    return out | {
        "valueString": str(parameter["valueInteger64"]),
        "_valueString": with_extensions(extra, [*extensions_of(extra), _INTEGER64]),
    }


def _integer64_from_r4(parameter: Node) -> Node:
    extra = parameter.get("_valueString")
    if "valueString" not in parameter or _INTEGER64 not in extensions_of(extra):
        return parameter
    out = {key: value for key, value in parameter.items() if not key.endswith("valueString")}
    rest = with_extensions(extra, [e for e in extensions_of(extra) if e != _INTEGER64])
    return out | {"valueInteger64": parameter["valueString"]} | ({"_valueInteger64": rest} if rest else {})


# -- Bundle.issues, in R4 an entry that is an outcome (http://hl7.org/fhir/R4/http.html#search) -----------


def _issues_to_r4(bundle: Node) -> Node:
    if not isinstance(bundle.get("issues"), dict):
        return bundle
    out = {key: value for key, value in bundle.items() if key != "issues"}
    outcome = {"resource": bundle["issues"], "search": {"mode": "outcome"}}
    return out | {"entry": [*(bundle.get("entry") or ()), outcome]}


def _issues_from_r4(bundle: Node) -> Node:
    entries = bundle.get("entry")
    if not isinstance(entries, list) or not entries or not _is_outcome(entries[-1]) or "issues" in bundle:
        return bundle
    rest = {"entry": entries[:-1]} if len(entries) > 1 else {}
    return {key: value for key, value in bundle.items() if key != "entry"} | rest | {"issues": entries[-1]["resource"]}


def _is_outcome(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.keys() == {"resource", "search"}
        and entry["search"] == {"mode": "outcome"}
        and isinstance(entry["resource"], dict)
        and entry["resource"].get("resourceType") == "OperationOutcome"
    )
