# ruff: noqa: E501  tables
"""What FHIR forbids is refused, also where fhir.resources lets it pass; every reason is told."""

from copy import deepcopy
from typing import Any

import pytest

from terminology.model import FhirVersion
from terminology.wire.checks import reasons
from terminology.wire.rules import broken

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'
GOOD: dict[str, dict[str, Any]] = {
    "CodeSystem": {
        "resourceType": "CodeSystem",
        "id": "good",
        "url": "http://example.org/cs",
        "status": "active",
        "content": "complete",
        "date": "2026-11-23T10:00:00.120+01:00",
        "text": {"status": "generated", "div": f"{DIV}<p>ok</p></div>"},
        "property": [{"code": "weight", "type": "decimal"}],
        "concept": [{"code": "a", "property": [{"code": "weight", "valueDecimal": 1}], "concept": [{"code": "b"}]}],
    },
    "ValueSet": {
        "resourceType": "ValueSet",
        "url": "http://example.org/vs",
        "status": "active",
        "contained": [{"resourceType": "ValueSet", "id": "inner", "status": "active"}],
        "compose": {
            "include": [
                {"system": "http://example.org/cs", "filter": [{"property": "concept", "op": "is-a", "value": "a"}]},
                {"valueSet": ["#inner"]},
            ]
        },
        "expansion": {"timestamp": "2026-11-23T10:00:00Z", "contains": [{"system": "http://x", "code": "a"}]},
    },
    "ConceptMap": {
        "resourceType": "ConceptMap",
        "url": "http://example.org/cm",
        "status": "active",
        "group": [{"source": "http://x", "element": [{"code": "a"}]}],
    },
    "NamingSystem": {
        "resourceType": "NamingSystem",
        "name": "Names",
        "status": "active",
        "kind": "codesystem",
        "date": "2026",
        "uniqueId": [{"type": "uri", "value": "http://x", "preferred": True}],
    },
}

WRONG: list[tuple[str, str, Any, str]] = [
    # kind, where, what stands there, path that is told
    ("CodeSystem", "content", "zzz", "CodeSystem.content"),
    ("CodeSystem", "status", "live", "CodeSystem.status"),
    ("CodeSystem", "hierarchyMeaning", "is", "CodeSystem.hierarchyMeaning"),
    ("CodeSystem", "id", "x" * 65, "CodeSystem.id"),
    ("CodeSystem", "id", "a_b", "CodeSystem.id"),
    ("CodeSystem", "contact", [], "CodeSystem.contact"),
    ("CodeSystem", "meta", {}, "CodeSystem.meta"),
    ("CodeSystem", "title", None, "CodeSystem.title"),
    ("CodeSystem", "title", "", "CodeSystem.title"),
    ("CodeSystem", "title", " ", "CodeSystem.title"),
    ("CodeSystem", "count", "5", "CodeSystem.count"),
    ("CodeSystem", "count", -1, "CodeSystem.count"),
    ("CodeSystem", "count", True, "CodeSystem.count"),
    ("CodeSystem", "experimental", "true", "CodeSystem.experimental"),
    ("CodeSystem", "name", ["x"], "CodeSystem.name"),
    ("CodeSystem", "concept", {"code": "a"}, "CodeSystem.concept"),
    ("CodeSystem", "fhir_comments", ["x"], "CodeSystem.fhir_comments"),
    ("CodeSystem", "colour", "red", "CodeSystem.colour"),
    ("CodeSystem", "url", "http://exa mple.org", "CodeSystem.url"),
    ("CodeSystem", "date", "23.11.2026", "CodeSystem.date"),
    ("CodeSystem", "date", "2026-11-23T10:00:00", "CodeSystem.date"),
    ("CodeSystem", "language", "de  DE", "CodeSystem.language"),
    ("CodeSystem", "concept", [{"code": "a"}, {"code": "b", "concept": [{"code": "a"}]}], "CodeSystem.concept[1].concept[0].code"),
    ("CodeSystem", "concept", [{"code": " a"}], "CodeSystem.concept[0].code"),
    ("CodeSystem", "concept", [{"display": "x"}], "CodeSystem.concept[0]"),
    ("CodeSystem", "concept", [{"code": "a", "property": [{"code": "weight", "valueString": "1"}]}], "CodeSystem.concept[0].property[0].valueString"),
    ("CodeSystem", "property", [{"code": "p", "type": "code"}, {"code": "p", "type": "code"}], "CodeSystem.property[1].code"),
    ("CodeSystem", "property", [{"code": "p", "type": "text"}], "CodeSystem.property[0].type"),
    ("CodeSystem", "content", "supplement", "CodeSystem.supplements"),
    ("CodeSystem", "supplements", "http://x", "CodeSystem.content"),
    ("CodeSystem", "text", {"status": "generated", "div": "<div>no namespace</div>"}, "CodeSystem.text.div"),
    ("CodeSystem", "text", {"status": "generated", "div": f"{DIV}<b></div>"}, "CodeSystem.text.div"),
    ("CodeSystem", "text", {"status": "generated", "div": f"{DIV}<script>x</script></div>"}, "CodeSystem.text.div"),
    ("CodeSystem", "text", {"status": "generated", "div": f'{DIV}<p onclick="x"/></div>'}, "CodeSystem.text.div"),
    ("CodeSystem", "text", {"status": "generated", "div": f"<!DOCTYPE x>{DIV}</div>"}, "CodeSystem.text.div"),
    ("CodeSystem", "extension", [{"url": "http://x"}], "CodeSystem.extension[0]"),
    ("CodeSystem", "_status", "x", "CodeSystem._status"),
    ("CodeSystem", "contained", [{"resourceType": "ValueSet", "id": "v", "status": "active"}], "CodeSystem.contained[0]"),
    ("CodeSystem", "contained", [{"resourceType": "ValueSet", "status": "active"}], "CodeSystem.contained[0]"),
    ("CodeSystem", "contained", [{"id": "v"}], "CodeSystem.contained[0]"),
    ("ValueSet", "compose", {"include": [{"version": "1"}]}, "ValueSet.compose.include[0]"),
    ("ValueSet", "compose", {"include": [{"valueSet": ["#inner"], "concept": [{"code": "a"}]}]}, "ValueSet.compose.include[0]"),
    ("ValueSet", "compose", {"include": [{"system": "http://x|1"}]}, "ValueSet.compose.include[0].system"),
    ("ValueSet", "compose", {"include": [{"system": "http://x", "concept": [{"code": "a"}], "filter": [{"property": "p", "op": "=", "value": "v"}]}]}, "ValueSet.compose.include[0]"),
    ("ValueSet", "compose", {"include": [{"system": "http://x", "filter": [{"property": "p", "op": "~", "value": "v"}]}]}, "ValueSet.compose.include[0].filter[0].op"),
    ("ValueSet", "compose", {"inactive": True}, "ValueSet.compose"),
    ("ValueSet", "expansion", {"timestamp": "yesterday"}, "ValueSet.expansion.timestamp"),
    ("ValueSet", "expansion", {"timestamp": "2026-11-23T10:00:00Z", "contains": [{"code": "a"}]}, "ValueSet.expansion.contains[0]"),
    ("ValueSet", "expansion", {"timestamp": "2026-11-23T10:00:00Z", "contains": [{"display": "A"}]}, "ValueSet.expansion.contains[0]"),
    ("ConceptMap", "group", [{"element": [{"code": "a"}], "unmapped": {"mode": "fixed"}}], "ConceptMap.group[0].unmapped"),
    ("ConceptMap", "group", [{"element": [{"code": "a"}], "unmapped": {"mode": "guess"}}], "ConceptMap.group[0].unmapped.mode"),
    ("NamingSystem", "kind", "codes", "NamingSystem.kind"),
    ("NamingSystem", "date", None, "NamingSystem.date"),
    ("NamingSystem", "uniqueId", [{"type": "uri", "value": "a", "preferred": True}, {"type": "uri", "value": "b", "preferred": True}], "NamingSystem.uniqueId[1]"),
]  # fmt: skip
"""Each is one defect in a resource that is otherwise good."""


def told(resource: dict[str, Any], fhir: FhirVersion) -> set[str]:
    return {path for path, _ in (*broken(resource, fhir), *reasons(resource, fhir))}


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize("kind", GOOD)
def test_what_is_right_passes(kind: str, fhir: FhirVersion) -> None:
    assert told(GOOD[kind], fhir) == set()


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize(("kind", "where", "what", "path"), WRONG)
def test_a_defect_is_told_at_its_place(kind: str, where: str, what: Any, path: str, fhir: FhirVersion) -> None:
    resource = {**deepcopy(GOOD[kind]), where: what}
    assert any(each.startswith(path) for each in told(resource, fhir))


@pytest.mark.parametrize(
    ("fhir", "target"),
    [
        ("R4", {"code": "b", "equivalence": "related-to"}),
        ("R4", {"code": "b", "equivalence": "narrower"}),
        ("R4", {"code": "b", "relationship": "equivalent"}),
        ("R5", {"code": "b", "relationship": "equal"}),
        ("R5", {"code": "b", "relationship": "source-is-broader-than-target"}),
        ("R5", {"code": "b", "equivalence": "equal"}),
    ],
)
def test_mappings_speak_the_language_of_their_version(fhir: FhirVersion, target: dict[str, Any]) -> None:
    resource = {**GOOD["ConceptMap"], "group": [{"element": [{"code": "a", "target": [target]}]}]}
    assert any("target[0]" in path for path in told(resource, fhir))


def test_every_defect_is_told_at_once() -> None:
    resource = deepcopy(GOOD["CodeSystem"])
    changes = {where: what for kind, where, what, _ in WRONG if kind == "CodeSystem"}
    found = told({**resource, **changes}, "R4")
    assert len(found) >= 15


def test_what_fhir_resources_converts_silently_is_refused() -> None:
    """The defects that libraries.md lists: each passes the models, none passes here."""
    passing = [
        (where, what)
        for kind, where, what, _ in WRONG
        if kind == "CodeSystem" and not reasons({**deepcopy(GOOD[kind]), where: what}, "R4")
    ]
    assert len(passing) >= 10
    for where, what in passing:
        assert broken({**deepcopy(GOOD["CodeSystem"]), where: what}, "R4"), where
