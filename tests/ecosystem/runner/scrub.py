"""Removes from responses what the tests do not control.

Narrative and meta go, as do issue diagnostics and extensions that no test asks for.
"""

from __future__ import annotations

from typing import Any

_HL7 = "http://hl7.org/fhir/StructureDefinition/"
_TEST = "http://hl7.org/fhir/test/"

CHECKED_EXTENSIONS = frozenset(
    [
        _HL7 + name
        for name in (
            "codesystem-alternate",
            "codesystem-conceptOrder",
            "codesystem-label",
            "coding-sctdescid",
            "structuredefinition-standards-status",
            "itemWeight",
            "rendering-style",
            "rendering-xhtml",
            "translation",
            "valueset-concept-definition",
            "valueset-conceptOrder",
            "valueset-deprecated",
            "valueset-label",
            "valueset-supplement",
            "alternate-code-use",
            "alternate-code-status",
            "operationoutcome-message-id",
            "valueset-unclosed",
            "valueset-unclosed-reason",
        )
    ]
    + [
        _TEST + name
        for name in (
            "CodeSystem/de-multi",
            "CodeSystem/en-multi",
            "StructureDefinition/unknown-extension-1",
            "StructureDefinition/unknown-extension-3",
            "StructureDefinition/unknown-extension-4",
            "StructureDefinition/unknown-extension-5",
            "ValueSet/extensions-bad-supplement",
            "ValueSet/simple-all",
            "ValueSet/simple-enumerated",
            "ValueSet/simple-filter-isa",
        )
    ]
)


def scrub_parameters(res: dict) -> None:
    res.pop("meta", None)
    params = res.get("parameter")
    if not isinstance(params, list):
        return
    params[:] = [p for p in params if p.get("name") != "diagnostics"]
    for param in params:
        inner = param.get("resource")
        if isinstance(inner, dict):
            match inner.get("resourceType"):
                case "ValueSet":
                    scrub_domain_resource(inner)
                case "OperationOutcome":
                    scrub_operation_outcome(inner)
                case "Parameters":
                    scrub_parameters(inner)


def scrub_operation_outcome(res: dict) -> None:
    scrub_domain_resource(res)
    issues = res.get("issue")
    if not isinstance(issues, list):
        return
    if len(issues) > 1:
        issues[:] = [i for i in issues if "diagnostics" not in i or "details" in i]
    for issue in issues:
        issue.pop("diagnostics", None)


def scrub_domain_resource(res: dict) -> None:
    res.pop("text", None)
    res.pop("meta", None)
    _scrub_extensions(res)


def _scrub_extensions(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _scrub_extensions(item)
        return
    if not isinstance(node, dict):
        return
    _filter(node)
    value_set = node.get("resourceType") == "ValueSet"
    for name, child in node.items():
        if value_set and name == "compose":
            if isinstance(child, dict):
                _filter(child)  # the content of compose is left alone
        else:
            _scrub_extensions(child)


def _filter(node: dict) -> None:
    extensions = node.get("extension")
    if isinstance(extensions, list):
        node["extension"] = [e for e in extensions if isinstance(e, dict) and _is_checked(e.get("url"))]


def _is_checked(url: Any) -> bool:
    return not isinstance(url, str) or url in CHECKED_EXTENSIONS or not _is_absolute(url)


def _is_absolute(url: str) -> bool:
    scheme, colon, rest = url.partition(":")
    return (
        bool(colon and rest)
        and " " not in rest
        and ((scheme == scheme.lower() and scheme.isidentifier()) or scheme.startswith("urn"))
    )


def prune(value: Any) -> Any:
    """Drop empty strings, objects and arrays and nulls, as a FHIR model round trip does."""
    if isinstance(value, dict):
        out = {}
        for name, child in value.items():
            child = prune(child)  # noqa: PLW2901
            if child is not None:
                out[name] = child
        return out or None
    if isinstance(value, list):
        items = [prune(item) for item in value]
        if all(isinstance(item, dict) or item is None for item in value) and not any(item is None for item in value):
            items = [item for item in items if item is not None]
        return items if any(item is not None for item in items) else None
    return None if value == "" else value
