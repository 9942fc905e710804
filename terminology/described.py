"""The CodeSystem resources of what is computed: what a grammar or the expressions over a code system say of themselves.

Nothing lists the codes that rules make, so such a resource is ``not-present`` (none of the concepts is in it:
https://hl7.org/fhir/codesystem.html#content) though this server answers for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from terminology.catalog import Catalog
from terminology.model import CodeSystemInfo, Expressions, Grammar, Json

PUBLISHER = "flask-fhir-terminology project"
DESCRIPTION = (
    "The codes of this code system are made by rules, so that no resource can list them. This server computes them: "
    "$lookup, $validate-code and the filters below answer for every code that keeps the rules."
)


def content(info: CodeSystemInfo) -> str:
    """How much of the code system a resource of it holds."""
    return info.content if info.enumerable else "not-present"


def code_system(grammar: Grammar) -> Json:
    """The CodeSystem (R5 form) of a grammar."""
    info = grammar.info
    name = info.name or "CodeSystem"
    made: Json = {
        "resourceType": "CodeSystem",
        "id": name.lower(),
        "language": info.language,
        "url": info.canonical.url,
        "version": info.canonical.version,
        "versionAlgorithmString": info.version_algorithm,
        "name": name,
        "title": info.title,
        "status": info.status or "active",
        "experimental": False,
        "publisher": PUBLISHER,
        "contact": [{"name": f"{PUBLISHER}, for this description; the rules are their publisher's"}],
        "description": DESCRIPTION,
        "copyright": info.copyright,
        "caseSensitive": info.case_sensitive,
        "valueSet": info.value_set,
        "compositional": info.compositional or None,
        "content": content(info),
        **rules(info, grammar.values),
    }
    return {name: value for name, value in made.items() if value is not None}


def completed(resource: Json, catalog: Catalog) -> Json:
    """A CodeSystem with what the expressions over its codes add to it; the same where there are none."""
    found = (rule for layer in catalog.layers() for rule in layer.rules if isinstance(rule, Expressions))
    rule = next((each for each in found if each.system == resource.get("url")), None)
    if rule is None or resource.get("content") == "supplement":
        return resource
    provider = catalog.code_system(rule.system, resource.get("version"))
    if provider is None:
        return resource
    info = rule.over(provider).info
    return {**resource, **({"compositional": True} if info.compositional else {}), **rules(info, rule.values)}


def rules(info: CodeSystemInfo, values: Mapping[str, str]) -> Json:
    """The filters and properties that a code system answers; ``values`` tell what the value of a filter is."""
    filters = [
        {"code": code, "operator": list(operators), "value": values.get(code, "A value of the property")}
        for code, operators in info.filters
    ]
    properties = [
        {
            name: value
            for name, value in (
                ("code", each.code),
                ("uri", each.uri),
                ("description", each.description),
                ("type", each.type),
            )
            if value is not None
        }
        for each in info.properties
    ]
    made: Json = {"filter": filters} if filters else {}
    return {**made, "property": properties} if properties else made
