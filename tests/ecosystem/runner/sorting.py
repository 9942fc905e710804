"""Puts responses in the canonical order in which the expected responses are written.

Only the actual response is sorted. The orders are those of the official runner, including
their incomplete tie breaks: items that compare as equal stay in the order of the server.
"""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any

from .jsonio import primitive_text


class Unsortable(Exception):
    """An element that the order depends on is missing (the official runner fails, too)."""


def _key(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")  # the order of Java strings


def _required(node: dict, name: str) -> bytes:
    text = primitive_text(node.get(name))
    if text is None:
        raise Unsortable(f"'{name}' is missing, so the items cannot be put in order")
    return _key(text)


def _sort(items: Any, key) -> None:
    if isinstance(items, list) and len(items) > 1:
        items.sort(key=key)


def _value(node: dict) -> Any:
    for name, value in node.items():
        if name.startswith("value"):
            return value
    return None


# -- ValueSet ---------------------------------------------------------------------------


def sort_value_set(vs: dict) -> None:
    _sort_extensions(vs)
    expansion = vs.get("expansion")
    if not isinstance(expansion, dict):
        return
    _sort(expansion.get("parameter"), _expansion_parameter_key)
    _sort(expansion.get("property"), _property_definition_key)
    _sort_extensions(expansion)
    contains = expansion.get("contains") or []
    _sort(contains, lambda c: _required(c, "code"))
    for item in contains:
        _sort_contains(item)


def _sort_contains(item: dict) -> None:
    children = item.get("contains") or []
    _sort(children, lambda c: _required(c, "code"))
    _sort_extensions(item)
    _sort(item.get("designation"), cmp_to_key(_compare_designations))
    _sort(item.get("property"), lambda p: _required(p, "code"))
    for child in children:
        _sort_contains(child)


def _sort_extensions(node: dict) -> None:
    extensions = node.get("extension")
    if isinstance(extensions, list) and len(extensions) > 1:
        for extension in extensions:
            _sort_extensions(extension)
        extensions.sort(key=lambda e: _required(e, "url"))


def _expansion_parameter_key(param: dict) -> tuple[bytes, bytes]:
    _sort_extensions(param)
    text = primitive_text(_value(param))
    return _required(param, "name"), b"" if text is None else _key(text)


def _property_definition_key(prop: dict) -> tuple[bytes, bytes]:
    uri = primitive_text(prop.get("uri"))
    return b"" if uri is None else b"\1" + _key(uri), _required(prop, "code")


def _compare_designations(a: dict, b: dict) -> int:
    name = "language" if a.get("language") and b.get("language") else "value"
    x, y = _required(a, name), _required(b, name)
    return (x > y) - (x < y)


# -- Parameters -------------------------------------------------------------------------


def sort_parameters(res: dict) -> None:
    params = res.get("parameter") or []
    _sort_parameter_list(params)
    for param in params:
        inner = param.get("resource")
        if isinstance(inner, dict):
            if inner.get("resourceType") == "OperationOutcome":
                _sort(inner.get("issue"), _issue_key)
            elif inner.get("resourceType") == "Parameters":
                sort_parameters(inner)
        text = primitive_text(_value(param))
        if param.get("name") == "message" and text is not None and "; " in text:
            for name in [n for n in param if n.startswith("value")]:
                del param[name]
            param["valueString"] = _sort_message(text)


def _sort_message(text: str) -> str:
    bits = text.split("; ")
    while len(bits) > 1 and bits[-1] == "":
        bits.pop()
    return "; ".join(sorted(bits, key=_key))


def _sort_parameter_list(params: Any) -> None:
    # a lone parameter is never compared with another one, so its parts keep their order
    if not isinstance(params, list) or len(params) < 2:
        return
    for param in params:
        _sort_extensions(param)
        _sort_parameter_list(param.get("part"))
    params.sort(key=cmp_to_key(_compare_parameters))


def _compare_parameters(a: dict, b: dict) -> int:
    name, other = _required(a, "name"), _required(b, "name")
    if name == other and a["name"] == "property":
        code, other_code = _part_text(a, "code"), _part_text(b, "code")
        if code is None or other_code is None:
            raise Unsortable("a 'property' parameter has no part 'code'")
        if code != other_code:
            return -1 if code < other_code else 1
        value, other_value = _part_text(a, "value"), _part_text(b, "value")
        if value is not None and other_value is not None and value != other_value:
            return -1 if value < other_value else 1
    elif name == other and a["name"] == "designation":
        lang, other_lang = _part_text(a, "language") or b"", _part_text(b, "language") or b""
        if lang != other_lang:
            return -1 if lang < other_lang else 1
    return (name > other) - (name < other)


def _part_text(param: dict, name: str) -> bytes | None:
    for part in param.get("part") or []:
        if part.get("name") == name:
            text = primitive_text(_value(part))
            return None if text is None else _key(text.lower())
    return None


def _issue_key(issue: dict) -> tuple[bytes, ...]:
    expression = issue.get("expression")
    details = issue.get("details")
    texts = (
        issue.get("severity"),
        issue.get("code"),
        expression[0] if isinstance(expression, list) and expression else None,
        details.get("text") if isinstance(details, dict) else None,
    )
    return tuple(_key(primitive_text(t) or "") for t in texts)


# -- CapabilityStatement and TerminologyCapabilities --------------------------------------


def sort_capability_statement(cs: dict) -> None:
    for name in ("format", "instantiates", "imports", "acceptLanguage"):
        _sort(cs.get(name), _text_key)
    rests = cs.get("rest") or []
    _sort(rests, lambda r: _required(r, "mode"))
    for rest in rests:
        resources = rest.get("resource") or []
        _sort(resources, lambda r: _required(r, "type"))
        for resource in resources:
            for name in ("supportedProfile", "searchInclude", "searchRevInclude"):
                _sort(resource.get(name), _text_key)
            _sort(resource.get("interaction"), lambda i: _required(i, "code"))
            _sort(resource.get("searchParam"), lambda p: _required(p, "name"))
            _sort(resource.get("operation"), lambda o: _required(o, "name"))
        order = ("transaction", "batch", "search-system", "history-system")
        _sort(rest.get("interaction"), lambda i: order.index(i["code"]) if i.get("code") in order else len(order))  # noqa: B023
        _sort(rest.get("searchParam"), lambda p: _required(p, "name"))
        _sort(rest.get("operation"), lambda o: _required(o, "name"))
        _sort(rest.get("compartment"), _text_key)


def sort_terminology_capabilities(tc: dict) -> None:
    systems = tc.get("codeSystem") or []
    _sort(systems, lambda s: _required(s, "uri"))
    for system in systems:
        versions = system.get("version") or []
        if all(primitive_text(v.get("code")) is not None for v in versions):
            _sort(versions, lambda v: _required(v, "code"))
        for version in versions:
            _sort(version.get("language"), _text_key)
            _sort(version.get("property"), _text_key)
            _sort(version.get("filter"), lambda f: _required(f, "code"))
    expansion = tc.get("expansion")
    if isinstance(expansion, dict):
        _sort(expansion.get("parameter"), lambda p: _required(p, "name"))


def _text_key(value: Any) -> bytes:
    return _key(primitive_text(value) or "")
