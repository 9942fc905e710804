"""What R4 clients see of resources the engine speaks in R5 form, and the other way round."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire.generated import RESOURCES, resources

from terminology.wire.r4 import from_r4, to_r4

R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-"
R4 = "http://hl7.org/fhir/4.0/StructureDefinition/extension-"
DATATYPE = "http://hl7.org/fhir/StructureDefinition/_datatype"
OLD = "http://hl7.org/fhir/1.0/StructureDefinition/extension-ConceptMap.element.target.equivalence"
NOT_CONVERTED = frozenset(("CodeableReference", "RatioRange", "Availability", "ExtendedContactDetail", "Contributor"))
SLOWLY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def parsed(fhir: str, resource: dict[str, Any]) -> None:
    name = resource["resourceType"]
    package = "fhir.resources" + (".R4B" if fhir == "R4" else "")
    getattr(importlib.import_module(f"{package}.{name.lower()}"), name).model_validate(resource)


CODE_SYSTEM = {"resourceType": "CodeSystem", "status": "active", "content": "complete"}
VALUE_SET = {"resourceType": "ValueSet", "status": "active"}
CONCEPT_MAP = {"resourceType": "ConceptMap", "status": "active"}


def group(**more: Any) -> dict[str, Any]:
    return CONCEPT_MAP | {"group": [{"element": [{"code": "a"}]} | more]}


def mapped(**target: Any) -> dict[str, Any]:
    return group(element=[{"code": "a", "target": [{"code": "b"} | target]}])


# R5, R4
PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "version algorithm, under the url of canonical resources": (
        CODE_SYSTEM | {"versionAlgorithmString": "semver"},
        CODE_SYSTEM | {"extension": [{"url": R5 + "CanonicalResource.versionAlgorithm", "valueString": "semver"}]},
    ),
    "a new element with a data type": (
        CODE_SYSTEM | {"approvalDate": "2024-01-01", "effectivePeriod": {"start": "2024"}},
        CODE_SYSTEM
        | {
            "extension": [
                {"url": R5 + "CodeSystem.approvalDate", "valueDate": "2024-01-01"},
                {"url": R5 + "CodeSystem.effectivePeriod", "valuePeriod": {"start": "2024"}},
            ]
        },
    ),
    "additional uses of designations, in concepts at any depth": (
        CODE_SYSTEM
        | {
            "concept": [
                {
                    "code": "a",
                    "concept": [
                        {"code": "b", "designation": [{"value": "B", "additionalUse": [{"code": "u"}, {"code": "v"}]}]}
                    ],
                }
            ]
        },
        CODE_SYSTEM
        | {
            "concept": [
                {
                    "code": "a",
                    "concept": [
                        {
                            "code": "b",
                            "designation": [
                                {
                                    "value": "B",
                                    "extension": [
                                        {
                                            "url": R5 + "CodeSystem.concept.designation.additionalUse",
                                            "valueCoding": {"code": "u"},
                                        },
                                        {
                                            "url": R5 + "CodeSystem.concept.designation.additionalUse",
                                            "valueCoding": {"code": "v"},
                                        },
                                    ],
                                }
                            ],
                        }
                    ],
                }
            ]
        },
    ),
    "properties of an expansion": (
        VALUE_SET
        | {
            "expansion": {
                "timestamp": "2024-01-01T00:00:00Z",
                "property": [{"code": "p", "uri": "http://example.org/p"}],
                "contains": [
                    {
                        "code": "a",
                        "property": [
                            {"code": "p", "valueCode": "v", "subProperty": [{"code": "s", "valueInteger": 1}]}
                        ],
                    }
                ],
            }
        },
        VALUE_SET
        | {
            "expansion": {
                "timestamp": "2024-01-01T00:00:00Z",
                "extension": [
                    {
                        "url": R5 + "ValueSet.expansion.property",
                        "extension": [
                            {"url": "code", "valueCode": "p"},
                            {"url": "uri", "valueUri": "http://example.org/p"},
                        ],
                    }
                ],
                "contains": [
                    {
                        "code": "a",
                        "extension": [
                            {
                                "url": R5 + "ValueSet.expansion.contains.property",
                                "extension": [
                                    {"url": "code", "valueCode": "p"},
                                    {"url": "value", "valueCode": "v"},
                                    {
                                        "url": "subProperty",
                                        "extension": [
                                            {"url": "code", "valueCode": "s"},
                                            {"url": "value", "valueInteger": 1},
                                        ],
                                    },
                                ],
                            }
                        ],
                    }
                ],
            }
        },
    ),
    "a filter operator R4 lacks: no op, and the operator in its extension": (
        VALUE_SET
        | {
            "compose": {
                "include": [
                    {
                        "system": "http://example.org/s",
                        "filter": [
                            {"property": "p", "op": "child-of", "value": "a"},
                            {"property": "p", "op": "=", "value": "b"},
                        ],
                    }
                ]
            }
        },
        VALUE_SET
        | {
            "compose": {
                "include": [
                    {
                        "system": "http://example.org/s",
                        "filter": [
                            {
                                "property": "p",
                                "value": "a",
                                "_op": {
                                    "extension": [
                                        {"url": R5 + "ValueSet.compose.include.filter.op", "valueCode": "child-of"}
                                    ]
                                },
                            },
                            {"property": "p", "op": "=", "value": "b"},
                        ],
                    }
                ]
            }
        },
    ),
    "a filter operator R4 lacks among others": (
        CODE_SYSTEM | {"filter": [{"code": "f", "operator": ["=", "child-of"], "value": "v"}]},
        CODE_SYSTEM
        | {
            "filter": [
                {
                    "code": "f",
                    "value": "v",
                    "operator": ["=", None],
                    "_operator": [
                        None,
                        {"extension": [{"url": R5 + "CodeSystem.filter.operator", "valueCode": "child-of"}]},
                    ],
                }
            ]
        },
    ),
    "a list of strings": (
        VALUE_SET
        | {"compose": {"property": ["a", "b"], "include": [{"system": "http://example.org/s", "copyright": "c"}]}},
        VALUE_SET
        | {
            "compose": {
                "extension": [
                    {"url": R5 + "ValueSet.compose.property", "valueString": "a"},
                    {"url": R5 + "ValueSet.compose.property", "valueString": "b"},
                ],
                "include": [
                    {
                        "system": "http://example.org/s",
                        "extension": [{"url": R5 + "ValueSet.compose.include.copyright", "valueString": "c"}],
                    }
                ],
            }
        },
    ),
    "scopes and several identifiers of a map": (
        CONCEPT_MAP
        | {
            "identifier": [{"value": "1"}, {"value": "2"}],
            "sourceScopeUri": "http://example.org/a",
            "targetScopeCanonical": "http://example.org/b",
        },
        CONCEPT_MAP
        | {
            "identifier": {"value": "1"},
            "sourceUri": "http://example.org/a",
            "targetCanonical": "http://example.org/b",
            "extension": [{"url": R5 + "ConceptMap.identifier", "valueIdentifier": {"value": "2"}}],
        },
    ),
    "versions of a group": (
        group(source="http://example.org/a|1", target="http://example.org/b"),
        group(source="http://example.org/a", sourceVersion="1", target="http://example.org/b"),
    ),
    "a concept without a map": (
        group(
            element=[
                {
                    "code": "a",
                    "noMap": True,
                    "extension": [{"url": R4 + "ConceptMap.group.element.target.comment", "valueString": "none"}],
                }
            ]
        ),
        group(element=[{"code": "a", "target": [{"equivalence": "unmatched", "comment": "none"}]}]),
    ),
    "unmapped: the code itself": (
        group(unmapped={"mode": "use-source-code", "relationship": "equivalent"}),
        group(
            unmapped={
                "mode": "provided",
                "extension": [{"url": R5 + "ConceptMap.group.unmapped.relationship", "valueCode": "equivalent"}],
            }
        ),
    ),
    "unmapped: another map": (
        group(unmapped={"mode": "other-map", "otherMap": "http://example.org/m"}),
        group(unmapped={"mode": "other-map", "url": "http://example.org/m"}),
    ),
    "unmapped: a fixed code": (group(unmapped={"mode": "fixed", "code": "x"}),) * 2,
    "dependsOn by a declared attribute, a coding and a string": (
        mapped(
            relationship="equivalent",
            dependsOn=[
                {"attribute": "sex", "valueCoding": {"system": "http://example.org/s", "code": "f"}},
                {"attribute": "sex", "valueString": "f"},
            ],
        )
        | {"additionalAttribute": [{"code": "sex", "uri": "http://example.org/sex", "type": "Coding"}]},
        mapped(
            equivalence="equivalent",
            dependsOn=[
                {"property": "http://example.org/sex", "system": "http://example.org/s", "value": "f"},
                {"property": "http://example.org/sex", "value": "f"},
            ],
        )
        | {
            "extension": [
                {
                    "url": R5 + "ConceptMap.additionalAttribute",
                    "extension": [
                        {"url": "code", "valueCode": "sex"},
                        {"url": "uri", "valueUri": "http://example.org/sex"},
                        {"url": "type", "valueCode": "Coding"},
                    ],
                }
            ]
        },
    ),
    "a depended value R4 has no type for": (
        mapped(relationship="equivalent", dependsOn=[{"attribute": "a", "valueBoolean": True}])
        | {"additionalAttribute": [{"code": "a", "type": "boolean"}]},
        mapped(
            equivalence="equivalent",
            dependsOn=[
                {
                    "property": "a",
                    "value": "true",
                    "extension": [
                        {"url": R5 + "ConceptMap.group.element.target.dependsOn.value", "valueBoolean": True}
                    ],
                }
            ],
        )
        | {
            "extension": [
                {
                    "url": R5 + "ConceptMap.additionalAttribute",
                    "extension": [{"url": "code", "valueCode": "a"}, {"url": "type", "valueCode": "boolean"}],
                }
            ]
        },
    ),
    "integer64, as a string that says so": (
        {
            "resourceType": "Parameters",
            "parameter": [{"name": "n", "part": [{"name": "p", "valueInteger64": "9007199254740993"}]}],
        },
        {
            "resourceType": "Parameters",
            "parameter": [
                {
                    "name": "n",
                    "part": [
                        {
                            "name": "p",
                            "valueString": "9007199254740993",
                            "_valueString": {"extension": [{"url": DATATYPE, "valueString": "integer64"}]},
                        }
                    ],
                }
            ],
        },
    ),
    "resources in parameters, bundles and contained": (
        {
            "resourceType": "Parameters",
            "parameter": [
                {
                    "name": "r",
                    "resource": {
                        "resourceType": "Bundle",
                        "type": "collection",
                        "entry": [
                            {"resource": CODE_SYSTEM | {"contained": [VALUE_SET | {"id": "v", "copyrightLabel": "c"}]}}
                        ],
                    },
                }
            ],
        },
        {
            "resourceType": "Parameters",
            "parameter": [
                {
                    "name": "r",
                    "resource": {
                        "resourceType": "Bundle",
                        "type": "collection",
                        "entry": [
                            {
                                "resource": CODE_SYSTEM
                                | {
                                    "contained": [
                                        VALUE_SET
                                        | {
                                            "id": "v",
                                            "extension": [{"url": R5 + "ValueSet.copyrightLabel", "valueString": "c"}],
                                        }
                                    ]
                                }
                            }
                        ],
                    },
                }
            ],
        },
    ),
    "issues of a search": (
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "issues": {"resourceType": "OperationOutcome", "issue": [{"severity": "success", "code": "success"}]},
        },
        {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [
                {
                    "search": {"mode": "outcome"},
                    "resource": {
                        "resourceType": "OperationOutcome",
                        "issue": [
                            {
                                "severity": "information",
                                "_severity": {
                                    "extension": [
                                        {"url": R5 + "OperationOutcome.issue.severity", "valueCode": "success"}
                                    ]
                                },
                                "code": "informational",
                                "_code": {
                                    "extension": [{"url": R5 + "OperationOutcome.issue.code", "valueCode": "success"}]
                                },
                            }
                        ],
                    },
                }
            ],
        },
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_each_form_becomes_the_other_and_both_are_valid(name: str):
    """The R5 form becomes the R4 form, the R4 form the R5 form, and the models of each version take it."""
    r5, r4 = PAIRS[name]
    assert to_r4(r5) == r4
    assert from_r4(r4) == r5
    parsed("R5", r5)
    parsed("R4", r4)


def test_what_is_said_of_a_new_primitive_travels_with_it():
    """FHIR allows `_valueString` in an extension (the models of R4B do not)."""
    extra = {"extension": [{"url": "http://example.org/extension", "valueBoolean": True}]}
    r5 = VALUE_SET | {"copyrightLabel": "c", "_copyrightLabel": extra}
    r4 = VALUE_SET | {"extension": [{"url": R5 + "ValueSet.copyrightLabel", "valueString": "c", "_valueString": extra}]}
    assert (to_r4(r5), from_r4(r4)) == (r4, r5)


# http://hl7.org/fhir/StructureMap/ConceptMap4to5, group ConceptMapRelationship; disjoint as HL7's converter
RELATIONSHIPS = {
    "relatedto": "related-to",
    "equivalent": "equivalent",
    "wider": "source-is-narrower-than-target",
    "narrower": "source-is-broader-than-target",
    "disjoint": "not-related-to",
    "equal": "equivalent",
    "inexact": "related-to",
    "subsumes": "source-is-narrower-than-target",
    "specializes": "source-is-broader-than-target",
    "unmatched": "not-related-to",
}


@pytest.mark.parametrize(("equivalence", "relationship"), RELATIONSHIPS.items())
def test_an_equivalence_becomes_hl7s_relationship_and_comes_back(equivalence: str, relationship: str):
    """Also those R5 has no word for: the old code stays on the relationship."""
    r4 = mapped(equivalence=equivalence)
    r5 = from_r4(r4)
    assert r5["group"][0]["element"][0]["target"][0]["relationship"] == relationship
    assert to_r4(r5) == r4


def test_an_old_equivalence_that_contradicts_the_relationship_is_not_believed():
    """Whoever changed the relationship of a converted map meant it."""
    extra = {"extension": [{"url": OLD, "valueCode": "equal"}]}
    r4 = to_r4(mapped(relationship="not-related-to", _relationship=extra))
    assert r4 == mapped(equivalence="disjoint", _equivalence=extra)


def test_an_undeclared_property_of_r4_gets_a_declared_attribute():
    """Each uri gets one code, taken from its end."""
    depends = [{"property": f"http://example.org/{p}", "value": "x"} for p in ("a/sex", "b/sex", "a/sex")]
    r5 = from_r4(mapped(equivalence="equivalent", dependsOn=depends))
    assert [a["code"] for a in r5["additionalAttribute"]] == ["sex", "sex-2"]
    target = r5["group"][0]["element"][0]["target"][0]
    assert [d["attribute"] for d in target["dependsOn"]] == ["sex", "sex-2", "sex"]
    parsed("R5", r5)


def test_the_version_algorithm_is_also_read_under_the_resources_own_path():
    """Some converters write one, some the other."""
    extension = {"url": R5 + "ValueSet.versionAlgorithm", "valueCoding": {"code": "semver"}}
    assert from_r4(VALUE_SET | {"extension": [extension]}) == VALUE_SET | {"versionAlgorithmCoding": {"code": "semver"}}


def test_unknown_resources_and_elements_pass_unchanged():
    """Nothing is dropped that neither version defines."""
    for convert in (to_r4, from_r4):
        assert convert({"resourceType": "Basic", "x": 1}) == {"resourceType": "Basic", "x": 1}
        assert convert(VALUE_SET | {"x": [1]}) == VALUE_SET | {"x": [1]}
        assert convert({}) == {}


@SLOWLY
@given(resources("R5", without=NOT_CONVERTED))
def test_every_r5_resource_comes_back_from_r4(resource: dict[str, Any]):
    """And the resource handed over is not changed."""
    before = copy.deepcopy(resource)
    assert from_r4(to_r4(resource)) == before
    assert resource == before


@SLOWLY
@given(resources("R5", ("ConceptMap",), NOT_CONVERTED))
def test_every_r5_concept_map_comes_back_from_r4(resource: dict[str, Any]):
    """Maps have the most to reword."""
    assert from_r4(to_r4(resource)) == resource


@SLOWLY
@given(resources("R4", tuple(r for r in RESOURCES if r != "ConceptMap"), NOT_CONVERTED | {"Resource"}))
def test_every_r4_resource_but_maps_comes_back_from_r5(resource: dict[str, Any]):
    """Elements only R4 has travel in R5 in the extensions of 4.0."""
    assert to_r4(from_r4(resource)) == resource


KEYS = st.sampled_from(
    (
        "resourceType",
        "extension",
        "url",
        "valueCode",
        "parameter",
        "part",
        "resource",
        "entry",
        "group",
        "search",
        "element",
        "target",
        "equivalence",
        "_equivalence",
        "dependsOn",
        "property",
        "value",
        "valueCoding",
        "mode",
        "unmapped",
        "source",
        "sourceVersion",
        "compose",
        "include",
        "filter",
        "op",
        "_op",
        "operator",
        "_operator",
        "identifier",
        "additionalAttribute",
        "code",
        "uri",
        "expansion",
        "contains",
        "noMap",
        "issues",
        "relationship",
    )
)
WORDS = st.sampled_from(
    (
        *RESOURCES,
        "Bundle",
        R5 + "ValueSet.expansion.property",
        R5 + "ConceptMap.identifier",
        OLD,
        R5 + "ValueSet.compose.include.filter.op",
        "equal",
        "unmatched",
        "code",
        "",
        None,
    )
)
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
)


@SLOWLY
@given(st.sampled_from((*RESOURCES, "Bundle")), st.dictionaries(KEYS, JUNK, max_size=6))
def test_what_is_no_fhir_is_converted_without_an_error(name: str, body: dict[str, Any]):
    """Judging the shape is not the converter's business: it never raises."""
    resource = body | {"resourceType": name}
    to_r4(resource)
    from_r4(resource)
