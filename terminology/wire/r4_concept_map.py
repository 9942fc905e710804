"""ConceptMap between R5 and R4: what has another name or shape, not only another place.

Relationships and equivalences follow HL7's table (http://hl7.org/fhir/StructureMap/ConceptMap4to5,
group ConceptMapRelationship) and, for what that leaves out (disjoint, the way back), HL7's Java converter
(org.hl7.fhir.core, ConceptMap40_50). An R4 equivalence that R5 has no word for is kept in `OLD_EQUIVALENCE`
on `_relationship`. What R4 cannot say stays under its R5 name, for `crossing` to carry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from terminology.wire.crossing import Node, extensions_of, with_extensions
from terminology.wire.crossing_plan import EXTENSION

OLD_EQUIVALENCE = EXTENSION.format("1.0", "ConceptMap.element.target.equivalence")
UNMATCHED_COMMENT = EXTENSION.format("4.0", "ConceptMap.group.element.target.comment")

# R4's equivalence says what the target is to the source, R5's relationship what the source is to the target.
EQUIVALENCE: Mapping[str, str] = {
    "related-to": "relatedto",
    "equivalent": "equivalent",
    "source-is-narrower-than-target": "wider",
    "source-is-broader-than-target": "narrower",
    "not-related-to": "disjoint",
}
RELATIONSHIP: Mapping[str, str] = {
    **{equivalence: relationship for relationship, equivalence in EQUIVALENCE.items()},
    "equal": "equivalent",
    "subsumes": "source-is-narrower-than-target",
    "specializes": "source-is-broader-than-target",
    "inexact": "related-to",
    "unmatched": "not-related-to",
}
_SCOPES = {
    "sourceScopeUri": "sourceUri",
    "sourceScopeCanonical": "sourceCanonical",
    "targetScopeUri": "targetUri",
    "targetScopeCanonical": "targetCanonical",
}
_MODES = {"use-source-code": "provided"}
_CODING = {"system": "system", "code": "value", "display": "display"}
_VALUE_TYPES = ("Code", "Coding", "String", "Boolean", "Quantity")


def to_r4_names(concept_map: Node) -> Node:
    """An R5 ConceptMap in R4's words; R5 elements without a place in R4 stay as they are."""
    uris = {
        a.get("code"): a.get("uri")
        for a in _nodes(concept_map.get("additionalAttribute"))
        if isinstance(a.get("code"), str)
    }
    return _each(_renamed(concept_map, _SCOPES), "group", lambda g: _group_to_r4(g, uris))


def from_r4_names(concept_map: Node) -> Node:
    """An R4 ConceptMap, its extensions already brought home, in R5's words."""
    attributes = list(_nodes(concept_map.get("additionalAttribute")))
    known = len(attributes)
    out = _each(_renamed(concept_map, _reversed(_SCOPES)), "group", lambda g: _group_from_r4(g, attributes))
    return out | {"additionalAttribute": attributes} if len(attributes) > known else out


# -- groups and elements --------------------------------------------------------------------------------


def _group_to_r4(group: Node, uris: Mapping[Any, Any]) -> Node:
    out = dict(group)
    for side in ("source", "target"):
        url, _, version = str(group.get(side, "")).partition("|")
        if url and version:
            out |= {side: url, f"{side}Version": version}
    out = _each(out, "element", lambda e: _element_to_r4(e, uris))
    return _unmapped(out, {"otherMap": "url"}, _MODES)


def _group_from_r4(group: Node, attributes: list[Node]) -> Node:
    out = {k: v for k, v in group.items() if k.removeprefix("_") not in ("sourceVersion", "targetVersion")}
    for side in ("source", "target"):
        url, version = group.get(side), group.get(f"{side}Version")
        if isinstance(url, str) and isinstance(version, str):
            out[side] = f"{url}|{version}"
    out = _each(out, "element", lambda e: _element_from_r4(e, attributes))
    return _unmapped(out, {"url": "otherMap"}, _reversed(_MODES))


def _unmapped(group: Node, names: Mapping[str, str], modes: Mapping[str, str]) -> Node:
    unmapped = group.get("unmapped")
    if not isinstance(unmapped, dict):
        return group
    out = _renamed(unmapped, names)
    mode = out.get("mode")
    reworded = {"mode": modes[mode]} if isinstance(mode, str) and mode in modes else {}
    return group | {"unmapped": out | reworded}


def _element_to_r4(element: Node, uris: Mapping[Any, Any]) -> Node:
    if element.get("noMap") is not True or "target" in element or "_noMap" in element:
        return _each(element, "target", lambda t: _target_to_r4(t, uris))
    target = {"equivalence": "unmatched"}
    out = {key: value for key, value in element.items() if key != "noMap"}
    comments = [
        e for e in extensions_of(element) if e.get("url") == UNMATCHED_COMMENT and e.keys() == {"url", "valueString"}
    ]
    if len(comments) == 1:
        target["comment"] = comments[0]["valueString"]
        out = with_extensions(out, [e for e in extensions_of(element) if e is not comments[0]])
    return out | {"target": [target]}


def _element_from_r4(element: Node, attributes: list[Node]) -> Node:
    targets = _nodes(element.get("target"))
    if not (
        len(targets) == 1
        and "noMap" not in element
        and targets[0].get("equivalence") == "unmatched"
        and targets[0].keys() <= {"equivalence", "comment"}
    ):
        return _each(element, "target", lambda t: _target_from_r4(t, attributes))
    out = {key: value for key, value in element.items() if key != "target"} | {"noMap": True}
    if "comment" not in targets[0]:
        return out
    comment = {"url": UNMATCHED_COMMENT, "valueString": targets[0]["comment"]}
    return with_extensions(out, [*extensions_of(element), comment])


# -- targets --------------------------------------------------------------------------------------------


def _target_to_r4(target: Node, uris: Mapping[Any, Any]) -> Node:
    out = target
    for name in ("dependsOn", "product"):
        out = _each(out, name, lambda o: _other_to_r4(o, uris))
    relationship = target.get("relationship")
    if relationship is not None and not _is_one_of(relationship, EQUIVALENCE):
        return out
    out = _renamed(out, {"relationship": "equivalence"})
    if relationship is None:
        return out
    out["equivalence"] = EQUIVALENCE[relationship]
    for carrier in (out.get("_equivalence"), target):
        old = _old_equivalence(carrier)
        if old and RELATIONSHIP[old] == relationship:
            out["equivalence"] = old
            return out if carrier is target else _without_old(out)
    return out


def _target_from_r4(target: Node, attributes: list[Node]) -> Node:
    out = target
    for name in ("dependsOn", "product"):
        out = _each(out, name, lambda o: _other_from_r4(o, attributes))
    equivalence = target.get("equivalence")
    if "relationship" in target or (equivalence is not None and not _is_one_of(equivalence, RELATIONSHIP)):
        return out
    out = _renamed(out, {"equivalence": "relationship"})
    if equivalence is None:
        return out
    out["relationship"] = RELATIONSHIP[equivalence]
    if EQUIVALENCE[RELATIONSHIP[equivalence]] == equivalence or _old_equivalence(target) == equivalence:
        return out
    extra = out.get("_relationship")
    old = {"url": OLD_EQUIVALENCE, "valueCode": equivalence}
    return out | {"_relationship": with_extensions(extra, [*extensions_of(extra), old])}


def _is_one_of(value: Any, codes: Mapping[str, str]) -> bool:
    return isinstance(value, str) and value in codes


def _old_equivalence(node: Any) -> str | None:
    codes = [e.get("valueCode") for e in extensions_of(node) if e.get("url") == OLD_EQUIVALENCE]
    return codes[0] if codes and _is_one_of(codes[0], RELATIONSHIP) else None


def _without_old(target: Node) -> Node:
    out = {key: value for key, value in target.items() if key != "_equivalence"}
    extra = target["_equivalence"]
    rest = with_extensions(extra, [e for e in extensions_of(extra) if e.get("url") != OLD_EQUIVALENCE])
    return out | {"_equivalence": rest} if rest else out


# -- dependsOn and product ------------------------------------------------------------------------------


def _other_to_r4(other: Node, uris: Mapping[Any, Any]) -> Node:
    """`attribute` becomes the uri declared for it; it stays beside where the uri does not lead back to it."""
    out = _value_to_r4(other)
    code = other.get("attribute")
    if not isinstance(code, str):
        return _renamed(out, {"attribute": "property"})
    uri = uris.get(code)
    named = uri if isinstance(uri, str) else code
    leads_back = code in uris and next(c for c, u in uris.items() if (u or c) == named) == code
    out = _renamed(out, {"attribute": "property"} if leads_back else {})
    return out | {"property": named}


def _value_to_r4(other: Node) -> Node:
    """`value[x]` as R4's text, system and display; it stays beside where these do not say all of it."""
    coding = other.get("valueCoding")
    if "valueString" in other or "_valueString" in other:
        return _renamed(other, {"valueString": "value"})
    if isinstance(coding, dict):
        named = {key.removeprefix("_") for key in coding}
        if named <= _CODING.keys() and "code" in named and len(named) > 1:
            return {k: v for k, v in other.items() if k != "valueCoding"} | _renamed(coding, _CODING)
    texts = [
        other.get("valueCode"),
        other.get("valueBoolean"),
        _inner(coding, "code"),
        _inner(other.get("valueQuantity"), "value"),
    ]
    said = [str(t).lower() if isinstance(t, bool) else str(t) for t in texts if t is not None]
    return other | {"value": said[0]} if said else other


def _other_from_r4(other: Node, attributes: list[Node]) -> Node:
    out = _value_from_r4(other)
    if "attribute" in other:
        return {key: value for key, value in out.items() if key.removeprefix("_") != "property"}
    uri = other.get("property")
    out = _renamed(out, {"property": "attribute"})
    return out | {"attribute": _attribute(uri, other, attributes)} if isinstance(uri, str) else out


def _value_from_r4(other: Node) -> Node:
    if any(key.removeprefix("_") == f"value{t}" for key in other for t in _VALUE_TYPES):
        return {k: v for k, v in other.items() if k.removeprefix("_") not in ("value", "system", "display")}
    parts = {k: v for k, v in other.items() if k.removeprefix("_") in ("value", "system", "display")}
    if {key.removeprefix("_") for key in parts} <= {"value"}:
        return _renamed(other, {"value": "valueString"})
    rest = {key: value for key, value in other.items() if key not in parts}
    return rest | {"valueCoding": _renamed(parts, _reversed(_CODING))}


def _attribute(uri: str, other: Node, attributes: list[Node]) -> str:
    """The code declared for R4's property; one more is declared where there is none."""
    for attribute in attributes:
        if isinstance(code := attribute.get("code"), str) and (attribute.get("uri") or code) == uri:
            return code
    taken = {attribute.get("code") for attribute in attributes if isinstance(attribute.get("code"), str)}
    tail = re.sub(r"[^A-Za-z0-9.-]+", "-", re.split(r"[/#:]", uri.rstrip("/#:"))[-1]).strip("-")
    tail = tail or "attribute"
    code = next(c for n in range(1, len(taken) + 2) if (c := f"{tail}-{n}" if n > 1 else tail) not in taken)
    attributes.append({"code": code, "uri": uri, "type": "Coding" if "system" in other else "string"})
    return code


# -- nodes ----------------------------------------------------------------------------------------------


def _each(node: Node, name: str, convert: Callable[[Node], Node]) -> Node:
    if not isinstance(node.get(name), list):
        return node
    return node | {name: [convert(item) if isinstance(item, dict) else item for item in node[name]]}


def _nodes(value: Any) -> list[Node]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _inner(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    """The node with elements renamed, and the `_name` beside them."""
    out = {}
    for key, value in node.items():
        bare = key.removeprefix("_")
        out[key.removesuffix(bare) + names.get(bare, bare)] = value
    return out


def _reversed(names: Mapping[str, str]) -> Mapping[str, str]:
    return {new: old for old, new in names.items()}
