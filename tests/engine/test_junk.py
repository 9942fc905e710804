"""Never a 500: whatever stands in a resource or in a parameter, the answer is an answer or a Refusal with reasons."""

from __future__ import annotations

import copy
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from engine.asking import CS, VS, call, code_system, concept, filtered, include, value_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terminology.catalog import Catalog
from terminology.issues import Refusal
from terminology.operation import Operation
from terminology.operations import BY_NAME, OPERATIONS
from terminology.parameters import Given
from terminology.request import Exchange
from terminology.schemas import read
from terminology.service import State
from terminology.settings import Settings
from terminology.wire import json_text
from terminology.wire.outcomes import operation_outcome

Json = dict[str, Any]
SD = "http://hl7.org/fhir/StructureDefinition/"
PROPERTIES = "http://hl7.org/fhir/concept-properties#"

RICH: dict[str, Json] = {
    "CodeSystem": {
        "resourceType": "CodeSystem",
        "id": "cs",
        "url": CS,
        "version": "1.0",
        "name": "Cs",
        "status": "active",
        "experimental": False,
        "language": "en",
        "caseSensitive": True,
        "content": "complete",
        "hierarchyMeaning": "is-a",
        "compositional": False,
        "versionNeeded": False,
        "versionAlgorithmString": "semver",
        "valueSet": f"{CS}/vs",
        "copyright": "ours",
        "count": 4,
        "meta": {"security": [{"system": "http://example.org/s", "code": "R"}]},
        "extension": [{"url": f"{SD}structuredefinition-standards-status", "valueCode": "draft"}],
        "filter": [{"code": "concept", "operator": ["is-a"], "value": "x"}],
        "property": [
            {"code": "p", "type": "string", "uri": "http://example.org/p", "description": "d"},
            {"code": "above", "type": "code", "uri": f"{PROPERTIES}parent"},
            {"code": "ns", "type": "boolean", "uri": f"{PROPERTIES}notSelectable"},
            {"code": "child", "type": "code"},
        ],
        "concept": [
            {
                "code": "a",
                "display": "A",
                "definition": "D",
                "extension": [{"url": f"{SD}codesystem-label", "valueString": "l"}],
                "designation": [
                    {
                        "language": "de",
                        "use": {"system": "http://example.org/u", "code": "x"},
                        "additionalUse": [{"system": "http://example.org/u", "code": "y"}],
                        "extension": [{"url": f"{SD}structuredefinition-standards-status", "valueCode": "deprecated"}],
                        "value": "Ah",
                    }
                ],
                "property": [
                    {"code": "p", "valueString": "v"},
                    {"code": "status", "valueCode": "active"},
                    {"code": "ns", "valueBoolean": True},
                    {"code": "valid-from", "valueDateTime": "2012-01-01"},
                ],
                "concept": [{"code": "b", "property": [{"code": "p", "valueCoding": {"system": "s", "code": "q"}}]}],
            },
            {
                "code": "c",
                "property": [{"code": "above", "valueCode": "a"}, {"code": "child", "valueCode": "d"}],
            },
            {"code": "d", "display": "D", "property": [{"code": "inactive", "valueBoolean": True}]},
        ],
    },
    "supplement": {
        "resourceType": "CodeSystem",
        "url": "http://example.org/supplement",
        "version": "1",
        "status": "active",
        "content": "supplement",
        "supplements": f"{CS}|1.0",
        "language": "nl",
        "extension": [{"url": f"{SD}codesystem-supplement-type", "valueCode": "lang-pack"}],
        "property": [{"code": "q", "type": "string", "uri": "http://example.org/q"}],
        "concept": [
            {
                "code": "a",
                "display": "An",
                "designation": [{"language": "nl", "value": "Aa"}],
                "property": [{"code": "q", "valueString": "w"}],
            }
        ],
    },
    "ValueSet": {
        "resourceType": "ValueSet",
        "id": "vs",
        "url": VS,
        "version": "2",
        "status": "active",
        "language": "en",
        "extension": [{"url": f"{SD}valueset-supplement", "valueCanonical": "http://example.org/supplement"}],
        "contained": [{"resourceType": "ValueSet", "id": "in", "compose": {"include": [{"system": CS}]}}],
        "compose": {
            "inactive": True,
            "property": ["p"],
            "extension": [
                {
                    "url": f"{SD}valueset-expansion-parameter",
                    "extension": [
                        {"url": "name", "valueCode": "displayLanguage"},
                        {"url": "value", "valueCode": "de"},
                    ],
                }
            ],
            "include": [
                {
                    "system": CS,
                    "version": "1.0",
                    "filter": [
                        {"property": "concept", "op": "is-a", "value": "a"},
                        {"property": "p", "op": "exists", "value": "true"},
                    ],
                },
                {
                    "system": CS,
                    "concept": [
                        {
                            "code": "c",
                            "display": "Cc",
                            "designation": [{"language": "fr", "value": "Ce"}],
                            "extension": [{"url": f"{SD}valueset-label", "valueString": "x"}],
                        },
                        {"code": "d"},
                    ],
                },
                {"valueSet": ["#in", "http://example.org/other"]},
            ],
            "exclude": [
                {"system": CS, "concept": [{"code": "d"}]},
                {"system": CS, "filter": [{"property": "code", "op": "regex", "value": "z.*"}]},
            ],
        },
    },
    "other": {
        "resourceType": "ValueSet",
        "url": "http://example.org/other",
        "status": "active",
        "expansion": {
            "timestamp": "2020-01-01",
            "contains": [{"system": CS, "version": "1.0", "code": "a", "contains": [{"system": CS, "code": "b"}]}],
        },
    },
    "ConceptMap": {
        "resourceType": "ConceptMap",
        "url": "http://example.org/cm",
        "status": "active",
        "sourceScopeUri": VS,
        "group": [
            {
                "source": f"{CS}|1.0",
                "target": "http://example.org/t",
                "element": [
                    {
                        "code": "a",
                        "target": [
                            {
                                "code": "x",
                                "relationship": "equivalent",
                                "comment": "c",
                                "dependsOn": [{"attribute": "d", "valueString": "1"}],
                                "product": [{"attribute": "d", "valueCoding": {"system": "s", "code": "1"}}],
                            }
                        ],
                    },
                    {"code": "b", "noMap": True},
                ],
                "unmapped": {"mode": "fixed", "code": "u", "display": "U", "relationship": "related-to"},
            },
            {"source": CS, "target": "http://example.org/t2", "unmapped": {"mode": "other-map", "otherMap": "x"}},
        ],
    },
    "NamingSystem": {
        "resourceType": "NamingSystem",
        "name": "N",
        "status": "active",
        "kind": "codesystem",
        "uniqueId": [{"type": "oid", "value": "1.2.3"}, {"type": "uri", "value": CS, "preferred": True}],
    },
}

JUNK: tuple[Any, ...] = (None, True, 0, -1.5, 10**30, "", "x", "a|b|c", [], [None], ["x"], [[]], {}, [{}], {"url": 1})

CODING = {"system": CS, "code": "b", "version": "1.0", "display": "B"}
CALLS: list[tuple[str, Json]] = [
    ("CodeSystem/$lookup", {"system": CS, "code": "a", "displayLanguage": "de"}),
    ("CodeSystem/$validate-code", {"url": CS, "code": "d", "display": "wrong", "date": "2011"}),
    ("CodeSystem/$subsumes", {"system": CS, "codeA": "a", "codeB": "b"}),
    ("ValueSet/$validate-code", {"url": VS, "coding": CODING}),
    ("ValueSet/$validate-code", {"url": VS, "code": "zz", "system": CS}),
    ("ValueSet/$expand", {"url": VS, "includeDesignations": True, "property": ["*"], "filter": "a"}),
    ("ValueSet/$expand", {"url": VS, "excludeNested": False}),
    ("ConceptMap/$translate", {"system": CS, "sourceCode": "a"}),
    ("ConceptMap/$translate", {"system": CS, "sourceCode": "zz"}),
]


@pytest.fixture(scope="module")
def state() -> State:
    return State(Settings(installed_content=False), {"R4": Catalog(), "R5": Catalog()})


def answered(state: State, name: str, given: list[Given], resources: Any = ()) -> None:
    """Asks; a Refusal is an answer too, and every answer can be written."""
    kind, _, operation = name.partition("/$")
    sent = [Given("tx-resource", resource, "resource") for resource in resources]
    try:
        json_text.write(state.call(BY_NAME[kind, operation], [*given, *sent], Exchange()))
    except Refusal as refused:
        json_text.write(operation_outcome(refused.issues))


def every_call(state: State, resources: list[Any]) -> None:
    for name, parameters in CALLS:
        given = [Given(key, one) for key, held in parameters.items() for one in as_list(held)]
        answered(state, name, given, resources)


def as_list(held: Any) -> list[Any]:
    return held if isinstance(held, list) else [held]


def places(held: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where something stands in a resource; the resource itself is ()."""
    yield at
    pairs = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for key, value in pairs:
        yield from places(value, (*at, key))


def put(held: Json, at: tuple[str | int, ...], junk: Any) -> Any:
    if not at:
        return junk
    made = copy.deepcopy(held)
    inner: Any = made
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = junk
    return made


def test_the_resources_themselves_are_taken(state: State):
    for name, parameters in CALLS:
        call(name, *RICH.values(), **parameters)


@pytest.mark.parametrize("kind", RICH)
def test_any_value_of_a_resource_may_be_junk(kind: str, state: State):
    others = [resource for name, resource in RICH.items() if name != kind]
    chance = random.Random(kind)
    for at in places(RICH[kind]):
        for junk in chance.sample(JUNK, 4):
            every_call(state, [put(RICH[kind], at, junk), *others])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_several_values_at_once_may_be_junk(data: st.DataObject, state: State):
    resources = dict(RICH)
    for _ in range(data.draw(st.integers(2, 4))):
        kind = data.draw(st.sampled_from(sorted(RICH)))
        if isinstance(resources[kind], dict):
            at = data.draw(st.sampled_from(list(places(resources[kind]))))
            resources[kind] = put(resources[kind], at, data.draw(st.sampled_from(JUNK)))
    every_call(state, list(resources.values()))


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=5),
        st.sampled_from((CS, f"{CS}|1.0", VS, "a", "b", "2012", "de;q=0", "|", "*", CODING, {"coding": [CODING]})),
        st.sampled_from(list(RICH.values())),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(("system", "code", "coding", "resourceType", "parameter", "name", "valueCode", "url")),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=5,
)
READING = [operation for operation in OPERATIONS if operation.effect == "reads"]
TYPICAL = {
    "lookup": {"system": CS, "code": "a"},
    "validate-code": {"url": VS, "code": "a", "system": CS},
    "expand": {"url": VS},
    "subsumes": {"system": CS, "codeA": "a", "codeB": "b"},
    "translate": {"system": CS, "sourceCode": "a"},
    "batch-validate-code": {"url": VS},
}


@st.composite
def givens(draw: st.DrawFn, operation: Operation) -> list[Given]:
    """Parameters of an operation with any values, beside some that make sense."""
    names = [parameter.name for parameter in operation.inputs] or ["nothing"]
    junk = draw(st.lists(st.builds(Given, st.sampled_from(names), JSON), min_size=1, max_size=4))
    usual = TYPICAL.get(operation.name, {})
    kept = {name: value for name, value in usual.items() if name not in {each.name for each in junk}}
    return [*junk, *(Given(name, value) for name, value in kept.items() if draw(st.integers(0, 3)))]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_parameter_may_be_junk(data: st.DataObject, state: State):
    operation = data.draw(st.sampled_from(READING))
    given = data.draw(givens(operation))
    name = f"{operation.resource or ''}/${operation.name}"
    if operation.resource:
        answered(state, name, given, RICH.values())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), strict=st.booleans())
def test_reading_parameters_refuses_or_reads(data: st.DataObject, strict: bool):
    operation = data.draw(st.sampled_from(OPERATIONS))
    given = [
        *data.draw(givens(operation)),
        *data.draw(st.lists(st.builds(Given, st.text(max_size=5), JSON), max_size=2)),
    ]
    try:
        arguments = read(operation, given, strict=strict)
    except Refusal as refused:
        assert refused.issues  # noqa: PT017
    else:
        assert set(arguments) <= {parameter.name for parameter in operation.inputs}


# --- size -----------------------------------------------------------------------------------------------------


def chain(length: int) -> Json:
    """Each code the parent of the next, written flat."""
    codes = [concept(f"c{n}", **({"parent": f"c{n - 1}"} if n else {})) for n in range(length)]
    return code_system(*codes)


def star(length: int) -> Json:
    return code_system("c0", *(concept(f"c{n}", parent="c0") for n in range(1, length)))


@pytest.mark.parametrize("depth", [150, 260, 900])
def test_a_hierarchy_of_any_depth_is_listed_whole(depth: int):
    answer = call("ValueSet/$expand", chain(depth), value_set(include()), url=VS)
    assert answer["expansion"]["total"] == depth
    assert sum(1 for _ in codes_of(answer["expansion"])) == depth
    json_text.write(answer)


def codes_of(expansion: Json) -> Iterator[str]:
    pending = list(expansion.get("contains", []))
    while pending:
        entry = pending.pop()
        yield entry["code"]
        pending.extend(entry.get("contains", []))


def test_codes_whose_parents_go_round_in_a_circle_are_listed():
    circle = code_system(concept("a", parent="b"), concept("b", parent="a"), "c")
    answer = call("ValueSet/$expand", circle, value_set(include()), url=VS)
    assert sorted(codes_of(answer["expansion"])) == ["a", "b", "c"]


def test_a_code_that_is_its_own_parent_is_listed():
    own = code_system(concept("a", parent="a"), "c")
    assert sorted(codes_of(call("ValueSet/$expand", own, value_set(include()), url=VS)["expansion"])) == ["a", "c"]


@pytest.mark.parametrize("op", ["is-a", "descendent-leaf", "generalizes"])
def test_a_filter_over_a_deep_hierarchy_needs_little_memory(op: str, state: State):
    sent = (
        Given("tx-resource", chain(2000), "resource"),
        Given("tx-resource", value_set(filtered("concept", op, "c0")), "resource"),
    )
    tracemalloc.start()
    state.call(BY_NAME["ValueSet", "expand"], [Given("url", VS), Given("count", 1), *sent], Exchange())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 25 << 20, f"{peak >> 20} MiB"


def test_the_children_of_one_parent_are_many(state: State):
    answer = call("CodeSystem/$subsumes", star(20_000), system=CS, codeA="c0", codeB="c19999")
    assert answer["parameter"][0]["valueCode"] == "subsumes"


@pytest.mark.parametrize("levels", [60, 150, 3000])
def test_value_sets_within_value_sets_are_answered_or_refused(levels: int, state: State):
    held: Json = {"resourceType": "ValueSet", "id": "x", "compose": {"include": [{"system": CS}]}}
    for _ in range(levels):
        held = {"resourceType": "ValueSet", "id": "x", "contained": [held]}
    answered(state, "ValueSet/$expand", [Given("url", VS)], [{**held, "url": VS}, chain(2)])


@pytest.mark.parametrize("levels", [60, 150, 3000])
def test_codes_within_codes_of_an_expansion_are_answered_or_refused(levels: int, state: State):
    held: Json = {"system": CS, "code": "c1"}
    for _ in range(levels):
        held = {"system": CS, "code": "c1", "contains": [held]}
    sent = {"resourceType": "ValueSet", "url": VS, "status": "active", "expansion": {"contains": [held]}}
    answered(state, "ValueSet/$expand", [Given("url", VS)], [sent, chain(2)])


def test_value_sets_that_import_each_other_many_times_over_are_refused(state: State):
    levels, width = 6, 8
    sets = [
        value_set(
            *([{"valueSet": [f"{VS}{level + 1}-{n}"]} for n in range(width)] if level < levels - 1 else [include()]),
            url=f"{VS}{level}-{place}",
        )
        for level in range(levels)
        for place in range(width)
    ]
    with pytest.raises(Refusal, match="import_limit"):
        call("ValueSet/$expand", chain(2), *sets, url=f"{VS}0-0")


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+$", "(.*a){20}", "a{1,500}" * 20, "((a{1,100}){1,100}){1,100}", "(", "(?=a)", r"(a)\1"],
)
def test_a_pattern_is_matched_in_linear_time_or_refused(pattern: str, state: State):
    """A backtracking engine would need longer than the universe is old for some of these."""
    system = code_system(*("a" * n + "b" for n in range(1, 60)))
    answered(state, "ValueSet/$expand", [Given("url", VS)], [system, value_set(filtered("code", "regex", pattern))])
