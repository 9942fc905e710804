"""FHIR XML to and from FHIR JSON (dicts), for the types in the tables of `elements` (https://hl7.org/fhir/R5/xml.html).

The only XML parser of the house. No document type, so no entities and nothing fetched; no XInclude; UTF-8
only; as deep as `json_text` allows. Elements may come in any order and leave in the specification's. What
the table does not know is refused by name, in both directions: XML has no place for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from html.entities import html5
from itertools import zip_longest
from typing import Any

from lxml import etree

from terminology.wire import decimals
from terminology.wire.elements import Element, Fhir, Type, is_primitive, type_of
from terminology.wire.json_text import MAX_DEPTH
from terminology.wire.malformed import Malformed

__all__ = ["Malformed", "from_xml", "to_xml"]

Node = dict[str, Any]

FHIR, XHTML = "http://hl7.org/fhir", "http://www.w3.org/1999/xhtml"
_XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"
_SCHEMA_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_DECLARED_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*\sencoding\s*=\s*["']([^"']*)["']""")
_MAX_ATTRIBUTES = 64
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_SPECIAL = re.compile('[&<>"\x00-\x1f\ud800-\udfff\ufffe\uffff]')
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_NAMED_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]*;)")
_KEPT_ENTITIES = frozenset(("amp;", "lt;", "gt;", "quot;", "apos;"))


def to_xml(resource: Node, fhir: Fhir) -> bytes:
    """The XML document of a resource in JSON form. Raises Malformed for an element the version lacks and
    for a narrative that is not well-formed. Characters XML cannot hold become U+FFFD."""
    writer = _Writer(fhir)
    writer.resource(resource, f' xmlns="{FHIR}"')
    return "".join(writer.out).encode()


def from_xml(body: bytes, fhir: Fhir) -> Node:
    """The JSON form of the resource in an XML document. Raises Malformed."""
    return _Reader(fhir).resource(_parsed(body), 1)


# -- the table as XML has it ----------------------------------------------------------------------------


@cache
def _attributes(fhir: Fhir, type_name: str) -> tuple[str, ...]:
    """JSON names that are attributes in XML: of everything but resources the id, of extensions the url."""
    if _is_resource(fhir, type_name):
        return ()
    return ("id", "url") if type_name == "Extension" else ("id",)


@cache
def _order(fhir: Fhir, type_name: str) -> Mapping[str, int]:
    return {name: index for index, name in enumerate(_elements(fhir, type_name))}


def _is_resource(fhir: Fhir, type_name: object) -> bool:
    return isinstance(type_name, str) and "implicitRules" in _elements(fhir, type_name)


def _elements(fhir: Fhir, type_name: str) -> Type:
    return type_of(fhir, type_name) or {}


# -- JSON to XML ----------------------------------------------------------------------------------------


class _Writer:
    """JSON into the pieces of one document."""

    def __init__(self, fhir: Fhir) -> None:
        self.fhir = fhir
        self.out = ['<?xml version="1.0" encoding="UTF-8"?>\n']

    def resource(self, resource: Any, namespace: str = "") -> None:
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if not _is_resource(self.fhir, kind):
            raise Malformed(f"Resources of type {kind!r} have no XML here: ask for JSON.", "resourceType")
        node = {name: value for name, value in resource.items() if name != "resourceType"}
        self.node(str(kind), str(kind), node, namespace)

    def node(self, tag: str, type_name: str, node: Any, attributes: str = "") -> None:
        """One element with its attributes and children."""
        if not isinstance(node, dict):
            raise Malformed(f"{tag} ({type_name}) is not an object, so it has no XML: correct it.", tag)
        order, as_attributes = _order(self.fhir, type_name), _attributes(self.fhir, type_name)
        for name in as_attributes:
            if name in node:
                attributes += f' {name}="{_escaped(_text(node[name], name))}"'
        names = {key.removeprefix("_") for key in node}.difference(as_attributes)
        if unknown := sorted(names - order.keys()):
            raise Malformed(
                f"{type_name} has no element {unknown[0]} in FHIR {self.fhir}: leave it out.",
                f"{type_name}.{unknown[0]}",
            )
        opened = len(self.out)
        self.out.append("")
        for name in sorted(names, key=order.__getitem__):
            self.element(_elements(self.fhir, type_name)[name], node.get(name), node.get(f"_{name}"))
        empty = len(self.out) == opened + 1
        self.out[opened] = f"<{tag}{attributes}/>" if empty else f"<{tag}{attributes}>"
        self.out.append("" if empty else f"</{tag}>")

    def element(self, element: Element, value: Any, extra: Any) -> None:
        items, extras = (column if isinstance(column, list) else [column] for column in (value, extra))
        for item, more in zip_longest(items, extras):
            if item is None and more is None:
                continue
            if element.type == "xhtml":
                self.out.append(_narrative(_text(item, element.name)))
            elif is_primitive(element.type):
                self.primitive(element.name, item, more)
            elif element.type == "Resource":
                self.out.append(f"<{element.name}>")
                self.resource(item)
                self.out.append(f"</{element.name}>")
            else:
                self.node(element.name, element.type, item)

    def primitive(self, name: str, value: Any, extra: Any) -> None:
        attribute = "" if value is None else f' value="{_escaped(_text(value, name))}"'
        if extra is None:
            self.out.append(f"<{name}{attribute}/>")
        else:
            self.node(name, "Element", extra, attribute)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Decimal):
        return decimals.written(value)
    raise Malformed(f"{name} is not a primitive, so it has no XML: correct the resource.", name)


def _escaped(text: str) -> str:
    if not _SPECIAL.search(text):
        return text
    return _SPECIAL.sub(lambda found: _ESCAPES.get(found[0], "\ufffd"), text)


def _narrative(text: str) -> str:
    """The `div` of a narrative, parsed and written anew, so that nothing but XHTML gets into the document."""
    named = _NAMED_ENTITY.sub(lambda e: e[0] if e[1] in _KEPT_ENTITIES else html5.get(e[1], e[0]), text)
    try:
        return _xhtml(_parsed(named.encode("utf-8", "replace")))
    except Malformed as error:
        raise Malformed(f"The narrative is not well-formed XHTML: {error.reason}", "text.div") from None


# -- XML to JSON ----------------------------------------------------------------------------------------


def _parsed(body: bytes) -> etree._Element:
    """The root of a document, parsed with everything off that reaches outside it or grows."""
    body = body.removeprefix(_BYTE_ORDER_MARK)
    encoding = _DECLARED_ENCODING.match(body)
    if not body.strip():
        raise Malformed("The body is empty: send a resource in XML.", "body")
    if b"\0" in body or not _is_utf8(body) or (encoding and encoding[1].lower() not in (b"utf-8", b"utf8")):
        raise Malformed("The body is not UTF-8, or says so: FHIR has no other encoding, send it as UTF-8.", "body")
    if b"<!DOCTYPE" in body:
        raise Malformed("The body has a document type, which FHIR forbids: leave <!DOCTYPE out.", "body")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )
    try:
        return etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise Malformed(
            f"The body is not well-formed XML: {error.msg}; correct it and send it again.",
            f"line {line}, column {column}",
        ) from None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _Reader:
    """Elements of one document into JSON. Depth is counted in containers of JSON, lists included."""

    def __init__(self, fhir: Fhir) -> None:
        self.fhir = fhir

    def resource(self, element: etree._Element, depth: int) -> Node:
        kind = _local_name(element)
        if not _is_resource(self.fhir, kind):
            raise Malformed(f"{kind} is not a resource this server reads in XML: send it as JSON.", _line(element))
        return {"resourceType": kind} | self.node(element, kind, depth)

    def node(self, element: etree._Element, type_name: str, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Malformed(f"The body is nested more than {MAX_DEPTH} levels deep: send it flatter.", _line(element))
        as_attributes = _attributes(self.fhir, type_name)
        out: Node = _read_attributes(element, as_attributes)
        _no_text(element)
        elements = _elements(self.fhir, type_name)
        for child in element:
            self.child(out, child, self.known(child, type_name, elements), depth)
        if not out:
            raise Malformed(f"{_local_name(element)} is empty: leave it out or give it content.", _line(element))
        return out

    def known(self, child: etree._Element, type_name: str, elements: Type) -> Element:
        if not isinstance(child.tag, str):
            raise Malformed("The body holds an entity reference: write the characters themselves.", _line(child))
        xhtml = child.tag == f"{{{XHTML}}}div"
        name = "div" if xhtml else _local_name(child)
        element = elements.get(name)
        if element is None or name in _attributes(self.fhir, type_name) or (element.type == "xhtml") != xhtml:
            raise Malformed(f"{type_name} has no element {name} in FHIR {self.fhir}: leave it out.", _line(child))
        return element

    def child(self, out: Node, child: etree._Element, element: Element, depth: int) -> None:
        """Put one XML element into the JSON object it belongs to."""
        name = element.name
        if not element.many and (name in out or f"_{name}" in out):
            raise Malformed(f"{name} is given twice, but does not repeat: send it once.", _line(child))
        value, extra = self.value(child, element, depth + 1 + element.many)
        if not element.many:
            out |= {key: item for key, item in ((name, value), (f"_{name}", extra)) if item is not None}
            return
        values, extras = out.get(name, ()), out.get(f"_{name}", ())
        count = max(len(values), len(extras))
        for key, listed, item in ((name, values, value), (f"_{name}", extras, extra)):
            if listed or item is not None:
                out[key] = [*listed, *[None] * (count - len(listed)), item]

    def value(self, child: etree._Element, element: Element, depth: int) -> tuple[Any, Any]:
        """The value of an element and, of a primitive, what stands under its `_name`."""
        if element.type == "xhtml":
            return _xhtml(child), None
        if is_primitive(element.type):
            return self.primitive(child, element.type, depth)
        if element.type != "Resource":
            return self.node(child, element.type, depth), None
        _no_text(child)
        if len(child) != 1 or child.attrib:
            raise Malformed(f"{element.name} holds one resource: send exactly one in it.", _line(child))
        return self.resource(child[0], depth), None

    def primitive(self, child: etree._Element, type_name: str, depth: int) -> tuple[Any, Any]:
        text = child.attrib.pop("value") if "value" in child.attrib else None
        value = None if text is None else _value(str(text), type_name, child)
        if len(child) or child.attrib or value is None:
            return value, self.node(child, "Element", depth)
        _no_text(child)
        return value, None


def _local_name(element: etree._Element, namespace: str = FHIR) -> str:
    tag = str(element.tag)
    prefix = f"{{{namespace}}}"
    if not tag.startswith(prefix):
        raise Malformed(f"{tag} is not in the namespace {namespace}: declare it with xmlns.", _line(element))
    return tag.removeprefix(prefix)


def _line(element: etree._Element) -> str:
    return f"line {element.sourceline}"


def _attributes_of(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Names and values; lxml needs n² time for n of them, so that there is a limit."""
    if len(element.attrib) > _MAX_ATTRIBUTES:
        raise Malformed(f"An element has more than {_MAX_ATTRIBUTES} attributes: leave the others out.", _line(element))
    return ((str(name), str(value)) for name, value in element.attrib.items())


def _read_attributes(element: etree._Element, allowed: tuple[str, ...]) -> Node:
    out: Node = {}
    for name, value in _attributes_of(element):
        if name in allowed and value:
            out[name] = value
        elif not name.startswith(_SCHEMA_INSTANCE):
            raise Malformed(
                f"{_local_name(element)} has no attribute {name!r}, or not an empty one: leave it out.", _line(element)
            )
    return out


def _no_text(element: etree._Element) -> None:
    texts = [element.text, *(child.tail for child in element)]
    if any(text and text.strip() for text in texts):
        raise Malformed(f"{_local_name(element)} holds text: in FHIR values stand in attributes.", _line(element))


def _value(text: str, type_name: str, child: etree._Element) -> Any:
    try:
        return _READERS.get(type_name, _string)(text)
    except ValueError as error:
        raise Malformed(f"{_local_name(child)} is no {type_name}: {error}.", _line(child)) from None


def _string(text: str) -> str:
    if not text:
        raise ValueError("it is empty, leave it out")
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text[:40]} is neither true nor false")
    return text == "true"


def _integer(text: str) -> int:
    if not re.fullmatch(r"[-+]?[0-9]{1,18}", text, re.ASCII):
        raise ValueError(f"{text[:40]} is not a whole number")
    return int(text)


def _decimal(text: str) -> Decimal:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text, re.ASCII):
        raise ValueError(f"{text[:40]} is not a decimal")
    return decimals.parsed(text)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "boolean": _boolean,
    "decimal": _decimal,
    "integer": _integer,
    "unsignedInt": _integer,
    "positiveInt": _integer,
}


# -- XHTML, the same both ways --------------------------------------------------------------------------


def _xhtml(element: etree._Element) -> str:
    if _local_name(element, XHTML) != "div":
        raise Malformed("A narrative is one div: put it in <div>.", _line(element))
    return "".join(_xhtml_parts(element, 1, f' xmlns="{XHTML}"'))


def _xhtml_parts(element: etree._Element, depth: int, namespace: str = "") -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise Malformed(f"The narrative is nested more than {MAX_DEPTH} levels deep: send it flatter.", _line(element))
    tag = _local_name(element, XHTML)
    yield f"<{tag}{namespace}{''.join(_xhtml_attributes(element))}"
    if not len(element) and not element.text:
        yield "/>"
        return
    yield f">{_xhtml_text(element.text)}"
    for child in element:
        yield from _xhtml_parts(child, depth + 1)
        yield _xhtml_text(child.tail)
    yield f"</{tag}>"


def _xhtml_attributes(element: etree._Element) -> Iterator[str]:
    for name, value in _attributes_of(element):
        short = name.replace(_XML_NAMESPACE, "xml:")
        if short.startswith("{"):
            raise Malformed(f"{name!r} is no attribute of XHTML: leave it out.", _line(element))
        yield f' {short}="{_escaped(value)}"'


def _xhtml_text(text: str | None) -> str:
    return (text or "").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
