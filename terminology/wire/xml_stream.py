"""Large XML documents, one subtree at a time: no document type, no entities, nothing fetched, bounded depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from terminology.wire.malformed import Malformed

DEPTH = 64


def subtrees(stream: BinaryIO, *tags: str) -> Iterator[Any]:
    """The outermost elements with one of ``tags`` (local names), in their order; each is emptied when the next one is
    asked for. The root itself comes first, without content yet. Raises Malformed."""
    options = {"no_network": True, "load_dtd": False, "resolve_entities": False, "huge_tree": False}
    events: Any = etree.iterparse(stream, ("start", "end"), remove_comments=True, remove_pis=True, **options)
    depth, inside = 0, 0
    try:
        for event, element in events:
            wanted = local(element) in tags
            if event == "start":
                depth += 1
                if depth > DEPTH:
                    raise Malformed(f"The document is nested deeper than {DEPTH} levels", "document")
                if depth == 1:
                    if element.getroottree().docinfo.doctype:
                        raise Malformed("A document type is not read", "document")
                    yield element
                inside += wanted
                continue
            depth -= 1
            inside -= wanted
            if wanted and not inside:
                yield element
            if not inside and depth:
                _forget(element)
    except etree.XMLSyntaxError as wrong:
        raise Malformed(f"The document is not well-formed XML: {wrong.msg}", f"line {wrong.lineno}") from None


def _forget(element: Any) -> None:
    element.clear(keep_tail=True)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def local(element: Any) -> str:
    """The name of an element without its namespace."""
    name: Any = element.tag
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def words(element: Any, *path: str) -> str:
    """The text below an element (or below a child, named by local names), spaces made single; empty where there is
    none."""
    for name in path:
        element = next((child for child in element if local(child) == name), None)
        if element is None:
            return ""
    return " ".join("".join(element.itertext()).split())


def children(element: Any, name: str) -> list[Any]:
    """The children with a local name."""
    return [child for child in element if local(child) == name]
