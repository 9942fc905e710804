"""Conversion between R5 (the version of the test files) and R4 (on the wire).

Covers the resources the tests use: Parameters, Bundle, CodeSystem, ValueSet and ConceptMap
to R4, and Parameters, Bundle, ValueSet and OperationOutcome back to R5. CapabilityStatement
and TerminologyCapabilities are passed through: what the tests look at is the same in both.
"""

from __future__ import annotations

from typing import Any

_EXT = "http://hl7.org/fhir/5.0/StructureDefinition/extension-"
EXT_EXPANSION_PROPERTY = _EXT + "ValueSet.expansion.property"
EXT_CONTAINS_PROPERTY = _EXT + "ValueSet.expansion.contains.property"
EXT_FILTER_OP = _EXT + "ValueSet.compose.include.filter.op"
EXT_UNMAPPED_RELATIONSHIP = _EXT + "ConceptMap.group.unmapped.relationship"
EXT_VERSION_ALGORITHM = _EXT + "CanonicalResource.versionAlgorithm"
EXT_NO_MAP_COMMENT = _EXT.replace("5.0", "4.0") + "ConceptMap.group.element.target.comment"
EXT_OLD_EQUIVALENCE = "http://hl7.org/fhir/1.0/StructureDefinition/extension-ConceptMap.element.target.equivalence"

_R5_ONLY = frozenset(
    (
        "versionAlgorithmString",
        "versionAlgorithmCoding",
        "copyrightLabel",
        "approvalDate",
        "lastReviewDate",
        "effectivePeriod",
        "topic",
        "author",
        "editor",
        "reviewer",
        "endorser",
        "relatedArtifact",
    )
)
_R5_FILTER_OPS = frozenset(("child-of", "descendent-leaf"))
_EQUIVALENCE = {
    "related-to": "relatedto",
    "equivalent": "equivalent",
    "source-is-narrower-than-target": "wider",
    "source-is-broader-than-target": "narrower",
    "not-related-to": "disjoint",
}


# -- R5 to R4 -----------------------------------------------------------------------------


def to_r4(res: dict) -> dict:
    match res.get("resourceType"):
        case "Parameters":
            return _map_list(res, "parameter", lambda p: _parameter(p, to_r4))
        case "Bundle":
            return _map_list(res, "entry", lambda e: _entry(e, to_r4))
        case "CodeSystem":
            return _code_system_to_r4(res)
        case "ValueSet":
            return _value_set_to_r4(res)
        case "ConceptMap":
            return _concept_map_to_r4(res)
        case _:
            return res


def _code_system_to_r4(cs: dict) -> dict:
    out = _without(cs, _R5_ONLY)
    for name in ("versionAlgorithmString", "versionAlgorithmCoding"):
        if name in cs:
            _add_extension(out, {"url": EXT_VERSION_ALGORITHM, name.replace("versionAlgorithm", "value"): cs[name]})
    out = _map_list(
        out, "filter", lambda f: f | {"operator": [op for op in f.get("operator", []) if op not in _R5_FILTER_OPS]}
    )
    return _contained_to_r4(_map_list(out, "concept", _concept_to_r4))


def _concept_to_r4(concept: dict) -> dict:
    concept = _map_list(concept, "designation", lambda d: _without(d, {"additionalUse"}))
    return _map_list(concept, "concept", _concept_to_r4)


def _value_set_to_r4(vs: dict) -> dict:
    out = _contained_to_r4(_without(vs, _R5_ONLY | {"scope"}))
    if isinstance(vs.get("compose"), dict):
        compose = _without(vs["compose"], {"property"})
        for name in ("include", "exclude"):
            compose = _map_list(compose, name, _concept_set_to_r4)
        out["compose"] = compose
    if isinstance(vs.get("expansion"), dict):
        expansion = _without(vs["expansion"], {"next", "property"})
        for prop in vs["expansion"].get("property", []):
            _add_extension(
                expansion,
                {
                    "url": EXT_EXPANSION_PROPERTY,
                    "extension": [
                        {"url": "code", "valueCode": prop.get("code")},
                        {"url": "uri", "valueUri": prop.get("uri")},
                    ],
                },
            )
        out["expansion"] = _map_list(expansion, "contains", _contains_to_r4)
    return out


def _concept_set_to_r4(include: dict) -> dict:
    include = _without(include, {"copyright"})
    include = _map_list(
        include, "concept", lambda c: _map_list(c, "designation", lambda d: _without(d, {"additionalUse"}))
    )
    return _map_list(include, "filter", _filter_to_r4)


def _filter_to_r4(flt: dict) -> dict:
    if flt.get("op") not in _R5_FILTER_OPS:
        return flt
    out = _without(flt, {"op"})
    out["_op"] = {"extension": [{"url": EXT_FILTER_OP, "valueCode": flt["op"]}]}
    return out


def _contains_to_r4(contains: dict) -> dict:
    out = _map_list(_without(contains, {"property"}), "contains", _contains_to_r4)
    for prop in contains.get("property", []):
        nested = [{"url": "code", "valueCode": prop.get("code")}]
        nested += [{"url": "value", name: value} for name, value in prop.items() if name.startswith("value")]
        _add_extension(out, {"url": EXT_CONTAINS_PROPERTY, "extension": nested})
    return out


def _concept_map_to_r4(cm: dict) -> dict:
    attributes = {a.get("code"): a.get("uri") for a in cm.get("additionalAttribute", [])}
    out = {}
    for name, value in _without(cm, _R5_ONLY | {"property", "additionalAttribute"}).items():
        if name == "identifier":
            value = value[0] if isinstance(value, list) and value else value  # noqa: PLW2901
        for scope in ("sourceScope", "targetScope"):
            if name.startswith(scope):
                name = name.replace("Scope", "")  # noqa: PLW2901
        out[name] = value
    return _contained_to_r4(_map_list(out, "group", lambda g: _map_group_to_r4(g, attributes)))


def _map_group_to_r4(group: dict, attributes: dict) -> dict:
    out = dict(group)
    for side in ("source", "target"):
        if side in group:
            url, bar, version = group[side].partition("|")
            out[side] = url
            if bar:
                out[side + "Version"] = version
    out = _map_list(out, "element", lambda e: _map_element_to_r4(e, attributes))
    if isinstance(group.get("unmapped"), dict):
        unmapped = _without(group["unmapped"], {"valueSet", "relationship", "otherMap"})
        if unmapped.get("mode") == "use-source-code":
            unmapped["mode"] = "provided"
        elif unmapped.get("mode") == "other-map" and "otherMap" in group["unmapped"]:
            unmapped["url"] = group["unmapped"]["otherMap"]
        if "relationship" in group["unmapped"]:
            _add_extension(unmapped, {"url": EXT_UNMAPPED_RELATIONSHIP, "valueCode": group["unmapped"]["relationship"]})
        out["unmapped"] = unmapped
    return out


def _map_element_to_r4(element: dict, attributes: dict) -> dict:
    out = _without(element, {"noMap", "valueSet"})
    if element.get("noMap") is True:
        target = {"equivalence": "unmatched"}
        for extension in element.get("extension", []):
            if extension.get("url") == EXT_NO_MAP_COMMENT and "valueString" in extension:
                target["comment"] = extension["valueString"]
        out["target"] = [target]
        return out
    return _map_list(out, "target", lambda t: _map_target_to_r4(t, attributes))


def _map_target_to_r4(target: dict, attributes: dict) -> dict:
    out = _without(target, {"relationship", "valueSet", "property"})
    out["equivalence"] = _EQUIVALENCE.get(target.get("relationship"), "relatedto")
    for extension in target.get("extension", []):
        if extension.get("url") == EXT_OLD_EQUIVALENCE and "valueCode" in extension:
            out["equivalence"] = extension["valueCode"]
    for name in ("dependsOn", "product"):
        out = _map_list(out, name, lambda o: _other_element_to_r4(o, attributes))
    return out


def _other_element_to_r4(other: dict, attributes: dict) -> dict:
    out: dict[str, Any] = {}
    if "attribute" in other:
        out["property"] = attributes.get(other["attribute"], other["attribute"])
    if isinstance(other.get("valueCoding"), dict):
        coding = other["valueCoding"]
        out |= {
            new: coding[old]
            for old, new in (("system", "system"), ("code", "value"), ("display", "display"))
            if old in coding
        }
    else:
        out |= {"value": v for n, v in other.items() if n.startswith("value")}  # noqa: B035
    return out


# -- R4 to R5 -----------------------------------------------------------------------------


def to_r5(res: dict) -> dict:
    match res.get("resourceType"):
        case "Parameters":
            return _map_list(res, "parameter", lambda p: _parameter(p, to_r5))
        case "Bundle":
            return _map_list(res, "entry", lambda e: _entry(e, to_r5))
        case "ValueSet":
            return _value_set_to_r5(res)
        case _:
            return res


def _value_set_to_r5(vs: dict) -> dict:
    # an R4 parser does not know the R5 elements, so they get lost if an R4 server sends them
    out = _without(vs, _R5_ONLY | {"scope"})
    if isinstance(vs.get("compose"), dict):
        compose = _without(vs["compose"], {"property"})
        for name in ("include", "exclude"):
            compose = _map_list(compose, name, _concept_set_to_r5)
        out["compose"] = compose
    if isinstance(vs.get("expansion"), dict):
        expansion, found = _take_extensions(_without(vs["expansion"], {"next", "property"}), EXT_EXPANSION_PROPERTY)
        properties = []
        for extension in found:
            parts = {e.get("url"): _value(e)[1] for e in extension.get("extension", [])}
            properties.append({n: parts[n] for n in ("code", "uri") if n in parts})
        if properties:
            expansion["property"] = properties
        out["expansion"] = _map_list(expansion, "contains", _contains_to_r5)
    return out


def _concept_set_to_r5(include: dict) -> dict:
    include = _map_list(
        _without(include, {"copyright"}),
        "concept",
        lambda c: _map_list(c, "designation", lambda d: _without(d, {"additionalUse"})),
    )
    return _map_list(include, "filter", _filter_to_r5)


def _filter_to_r5(flt: dict) -> dict:
    if not isinstance(flt.get("_op"), dict):
        return flt
    op, found = _take_extensions(flt["_op"], EXT_FILTER_OP)
    if not found:
        return flt
    out = _without(flt, {"_op"}) | {"op": _value(found[0])[1]}
    return out | {"_op": op} if op else out


def _contains_to_r5(contains: dict) -> dict:
    out, found = _take_extensions(_without(contains, {"property"}), EXT_CONTAINS_PROPERTY)
    properties = []
    for extension in found:
        prop: dict[str, Any] = {}
        for part in extension.get("extension", []):
            name, value = _value(part)
            if part.get("url") == "code":
                prop["code"] = value
            elif part.get("url") in ("value", "value[x]") and name:
                prop[name] = value
            else:
                _add_extension(prop, part)
        properties.append(prop)
    if properties:
        out["property"] = properties
    out = _map_list(out, "designation", lambda d: _without(d, {"additionalUse"}))
    return _map_list(out, "contains", _contains_to_r5)


# -- helpers ------------------------------------------------------------------------------


def _parameter(param: dict, convert) -> dict:
    out = _map_list(param, "part", lambda p: _parameter(p, convert))
    if isinstance(param.get("resource"), dict):
        out["resource"] = convert(param["resource"])
    return out


def _entry(entry: dict, convert) -> dict:
    out = dict(entry)
    if isinstance(entry.get("resource"), dict):
        out["resource"] = convert(entry["resource"])
    return out


def _contained_to_r4(res: dict) -> dict:
    return _map_list(res, "contained", to_r4)


def _map_list(node: dict, name: str, convert) -> dict:
    out = dict(node)
    if isinstance(node.get(name), list):
        out[name] = [convert(item) if isinstance(item, dict) else item for item in node[name]]
    return out


def _without(node: dict, names) -> dict:
    return {n: v for n, v in node.items() if n not in names and n.removeprefix("_") not in names}


def _add_extension(node: dict, extension: dict) -> None:
    node["extension"] = [*node.get("extension", []), extension]


def _take_extensions(node: dict, url: str) -> tuple[dict, list[dict]]:
    found = [e for e in node.get("extension", []) if e.get("url") == url]
    out = dict(node)
    if found:
        rest = [e for e in node["extension"] if e.get("url") != url]
        out = _without(out, {"extension"}) | ({"extension": rest} if rest else {})
    return out, found


def _value(extension: dict) -> tuple[str | None, Any]:
    for name, value in extension.items():
        if name.startswith("value"):
            return name, value
    return None, None
