"""How one FHIR version carries the elements and codes of another: in the cross-version extensions.

`http://hl7.org/fhir/5.0/StructureDefinition/extension-<Path>` holds in R4 what only R5 has, `4.0` the other
way round (https://hl7.org/fhir/R5/versions.html#extensions). An element with a data type becomes
`value[x]`, an element with parts an extension with one extension per part, named by the part. What is
carried away by one crossing is brought home by the opposite one; input is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

from terminology.frozen import dataclass
from terminology.wire.crossing_plan import Carried, Codes, Lane, Plan, plan_of, sides
from terminology.wire.elements import Element, capitalized, is_primitive, types

Node = dict[str, Any]

DATATYPE = "http://hl7.org/fhir/StructureDefinition/_datatype"


@dataclass(frozen=True, slots=True)
class Way:
    """One direction, and the function that converts a whole resource met inside another."""

    lane: Lane
    resource: Callable[[Node], Node]


def cross(node: Node, type_name: str, way: Way) -> Node:
    """The node in the form of the way's other end; elements neither version knows pass unchanged."""
    plan = plan_of(type_name, way.lane)
    if plan is None or plan.concerned.isdisjoint(node):
        return node
    out = {
        key: _inside(value, plan.inside[key], way) if key in plan.inside else value
        for key, value in node.items()
        if key not in plan.away and key.removeprefix("_") not in plan.away
    }
    extensions = [
        e
        for name, carried in plan.away.items()
        if name in node or f"_{name}" in node
        for e in _packed_all(carried, node.get(name), node.get(f"_{name}"), way)
    ]
    for name in plan.single.keys() & out.keys():
        extensions += _single(out, plan.single[name], way)
    for name in plan.wide & out.keys():
        out[name] = _wide(out[name], way.lane)
    for name, (url, codes) in plan.codes.items():
        _codes(out, name, url, codes, way.lane)
    if plan.home and "extension" in out:
        _bring_home(out, plan, way)
    if extensions:
        out["extension"] = [*extensions_of(out), *extensions]
    return out


def extensions_of(node: Any) -> list[Node]:
    """The extensions of a node that are objects; none where there is no node or no list."""
    listed = node.get("extension") if isinstance(node, dict) else None
    return [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []


def with_extensions(node: Any, extensions: list[Node]) -> Node:
    """The node (nothing counts as an empty one) with exactly these extensions."""
    out = {key: value for key, value in node.items() if key != "extension"} if isinstance(node, dict) else {}
    return out | {"extension": extensions} if extensions else out


# -- what the other side has, but otherwise -------------------------------------------------------------


def _inside(value: Any, type_name: str, way: Way) -> Any:
    if isinstance(value, list):
        return value if _alike(value, type_name, way) else [_inside(item, type_name, way) for item in value]
    if not isinstance(value, dict):
        return value
    return way.resource(value) if type_name == "Resource" else cross(value, type_name, way)


def _alike(nodes: list[Any], type_name: str, way: Way) -> bool:
    """True for nodes that both ends write alike: most of a long list."""
    plan = plan_of(type_name, way.lane) if type_name != "Resource" else None
    return plan is not None and all(isinstance(node, dict) and plan.concerned.isdisjoint(node) for node in nodes)


def _single(out: Node, carried: Carried, way: Way) -> list[Node]:
    """A list in R5 is its first item in R4, and the rest is carried; one value in R4 is a list in R5."""
    name = carried.element.name
    value = out[name]
    if way.lane == "from R4":
        out[name] = value if isinstance(value, list) else [value]
    elif isinstance(value, list) and value:
        out[name] = value[0]
        return _packed_all(carried, value[1:], None, way)
    return []


def _wide(value: Any, lane: Lane) -> Any:
    if lane == "from R4":
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


def _codes(out: Node, name: str, url: str, codes: Codes, lane: Lane) -> None:
    """Codes R4 lacks go to an extension on the code, and back."""
    value, extra = out.get(name), out.get(f"_{name}")
    many = isinstance(value, list) or isinstance(extra, list)
    items, extras = (column if isinstance(column, list) else [column] for column in (value, extra))
    before = list(zip_longest(items, extras))
    after = [_code_away(*pair, url, codes) if lane == "to R4" else _code_home(*pair, url) for pair in before]
    if after != before:
        for key, column in ((name, [code for code, _ in after]), (f"_{name}", [more for _, more in after])):
            out.pop(key, None)
            if any(item is not None for item in column):
                out[key] = column if many else column[0]


def _code_away(code: Any, extra: Any, url: str, codes: Codes) -> tuple[Any, Any]:
    if not isinstance(code, str) or code in codes.known:
        return code, extra
    carrying = {"url": url, "valueCode": code}
    return codes.instead.get(code), with_extensions(extra, [*extensions_of(extra), carrying])


def _code_home(code: Any, extra: Any, url: str) -> tuple[Any, Any]:
    listed = extensions_of(extra)
    found = next((e for e in listed if e.get("url") == url and "valueCode" in e), None)
    if found is None:
        return code, extra
    return found["valueCode"], with_extensions(extra, [e for e in listed if e is not found]) or None


# -- carried away ---------------------------------------------------------------------------------------


def _packed_all(carried: Carried, value: Any, extra: Any, way: Way) -> list[Node]:
    items, extras = (column if isinstance(column, list) else [column] for column in (value, extra))
    return [
        _packed(carried, item, more, way)
        for item, more in zip_longest(items, extras)
        if item is not None or more is not None
    ]


def _packed(carried: Carried, item: Any, extra: Any, way: Way) -> Node:
    """One extension, for one value of an element."""
    kind = carried.element.type
    out: Node = {"url": carried.url}
    if kind == "Extension":
        return out | {"extension": [item]}
    if isinstance(item, dict) and _has_parts(kind, way.lane):
        return out | _parts(item, kind, way)
    name = "value" + capitalized(kind)
    if item is not None:
        out[name] = _inside(item, kind, way)
    if extra is not None:
        out[f"_{name}"] = extra
    return out


def _parts(node: Node, type_name: str, way: Way) -> Node:
    """The inside of a complex extension: one extension per part, then the node's own extensions."""
    elements = types(sides(way.lane)[0])[type_name]
    inner: list[Node] = []
    for name in dict.fromkeys(key.removeprefix("_") for key in node):
        if name in elements and name not in ("id", "extension"):
            part = Carried(elements[name].stem, elements[name])
            inner += _packed_all(part, node.get(name), node.get(f"_{name}"), way)
    own = {"id": node["id"]} if "id" in node else {}
    return own | {"extension": [*inner, *extensions_of(node)]}


def _has_parts(type_name: str, lane: Lane) -> bool:
    """A type the lane's end has not, so that no `value[x]` of an extension there can hold it."""
    end = sides(lane)[1]
    return not is_primitive(type_name) and f"value{type_name}" not in types(end)["Extension"]


# -- brought home ---------------------------------------------------------------------------------------


def _bring_home(out: Node, plan: Plan, way: Way) -> None:
    rest, found = [], False
    for extension in extensions_of(out):
        names = plan.home.get(str(extension.get("url")))
        if names and _unpacked(out, names, extension, way):
            found = True
        else:
            rest.append(extension)
    if found:
        del out["extension"]
        out |= {"extension": rest} if rest else {}


def _unpacked(out: Node, names: Mapping[str, Element], extension: Node, way: Way) -> bool:
    """Put what an extension carries into its element; False if the extension has no value for it."""
    element = next(iter(names.values()))
    inner = extensions_of(extension)
    if element.type == "Extension":
        return bool(inner) and _put(out, element, inner[0], None)
    if not element.choice and _has_parts(element.type, "from R4" if way.lane == "to R4" else "to R4"):
        return _put(out, element, _from_parts(extension, element.type, way), None)
    name = next((key.removeprefix("_") for key in extension if key.startswith(("value", "_value"))), None)
    if name is None:
        return False
    if element.choice:
        chosen = names.get(element.stem + name.removeprefix("value"))
        if chosen is None:
            return False
        element = chosen
    value = _inside(extension.get(name), element.type, way)
    return _put(out, element, value, extension.get(f"_{name}"))


def _from_parts(extension: Node, type_name: str, way: Way) -> Node:
    stems: dict[str, dict[str, Element]] = {}
    for element in types(sides(way.lane)[1])[type_name].values():
        if element.name not in ("id", "extension"):
            stems.setdefault(element.stem, {})[element.name] = element
    out: Node = {"id": extension["id"]} if "id" in extension else {}
    rest = []
    for part in extensions_of(extension):
        names = stems.get(str(part.get("url")).removesuffix("[x]"))
        if not (names and _unpacked(out, names, part, way)):
            rest.append(part)
    return out | {"extension": rest} if rest else out


def _put(out: Node, element: Element, value: Any, extra: Any) -> bool:
    """Set an element, or add to its list, and keep its `_name` in step."""
    if not element.many:
        out |= {n: v for n, v in ((element.name, value), (f"_{element.name}", extra)) if v is not None}
        return True
    names = (element.name, f"_{element.name}")
    values, extras = (out[name] if isinstance(out.get(name), list) else [] for name in names)
    count = max(len(values), len(extras))
    for name, listed, item in ((names[0], values, value), (names[1], extras, extra)):
        column = [*listed, *[None] * (count - len(listed)), item]
        if any(entry is not None for entry in column):
            out[name] = column
    return True
