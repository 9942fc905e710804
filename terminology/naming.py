"""What resources state about the names of code systems: NamingSystems, and the identifiers of CodeSystems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from terminology.model import Json, Naming

Names = Mapping[str, tuple[Naming, ...]]


def of_naming_system(resource: Json) -> Names:
    """What a NamingSystem of a code system says: its every name but the preferred uri → the uris
    (https://hl7.org/fhir/namingsystem.html)."""
    if resource.get("kind", "codesystem") != "codesystem":
        return {}
    stated = [each for each in resource.get("uniqueId", []) if isinstance(each, dict) and each.get("value")]
    uris = sorted((e for e in stated if e.get("type") == "uri"), key=lambda each: each.get("preferred") is not True)
    by = f"NamingSystem {resource.get('url') or resource.get('id') or resource.get('name')}"
    urls = tuple(each["value"] for each in uris)
    return _namings((_as_uri(each) for each in stated), Naming(by, urls, resource.get("status") != "retired"))


def of_code_system(resource: Json) -> Names:
    """What a CodeSystem, or its head, says: the urns among its identifiers → its url."""
    url = resource.get("url")
    if not isinstance(url, str) or resource.get("content") == "supplement":
        return {}
    stated = (each.get("value") for each in resource.get("identifier", ()) if isinstance(each, dict))
    urns = (value for value in stated if isinstance(value, str) and value.startswith("urn:"))
    return _namings(urns, Naming(f"CodeSystem {url}", (url,), resource.get("status") != "retired"))


def of_code_systems(heads: Iterable[Json]) -> Names:
    """What many CodeSystems, or their heads, say."""
    made: dict[str, tuple[Naming, ...]] = {}
    for head in heads:
        add(made, of_code_system(head))
    return made


def _namings(names: Iterable[str], naming: Naming) -> Names:
    return {name: (naming,) for name in names if naming.names and name != naming.names[0]}


def _as_uri(identifier: Json) -> str:
    value, kind = str(identifier["value"]), identifier.get("type")
    return f"urn:{kind}:{value}" if kind in ("oid", "uuid") and not value.startswith("urn:") else value


def add(aliases: dict[str, tuple[Naming, ...]], more: Names) -> None:
    """Puts statements beside those that are there already."""
    for name, namings in more.items():
        aliases[name] = (*aliases.get(name, ()), *namings)
