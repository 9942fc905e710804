"""`requests`, as somebody without a FHIR library uses it; each answer is also read by fhir.resources."""

from collections import defaultdict
from decimal import Decimal

import pytest
import requests
from clients.published import (
    BOTH,
    CONCEPTS,
    CPT,
    DONOR_LABEL,
    FACTS,
    LABELS,
    MAYBE_ELSEWHERE,
    MEMBERSHIP,
    NOT_A_CODE,
    TO_CONCEPTS,
    UNKNOWN_CODE,
    UNKNOWN_ID,
    VALUES,
    batch,
    not_a_member,
    parameters,
)
from lxml import etree

LOOKUP = {"system": CPT, "code": "38232"}
FHIR_JSON = "application/fhir+json"


@pytest.fixture
def ask(endpoint, fhir):
    """ask(path, status=200, post=body, headers=…, **query): the JSON answer, which is valid in its FHIR version."""

    def asked(path, *, status=200, post=None, headers=None, **query):
        arguments = {"params": query, "headers": headers, "timeout": 10}
        if post is None:
            response = requests.get(f"{endpoint}{path}", **arguments)
        else:
            response = requests.post(f"{endpoint}{path}", json=post, **arguments)
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"].startswith(FHIR_JSON)
        answer = response.json(parse_float=Decimal)
        fhir(response.json(), "4.0" if endpoint.endswith("r4") else "5.0")
        return answer

    return asked


def named(answer):
    """The parameters by name, as (type, value) in lists."""
    found = defaultdict(list)
    for parameter in answer["parameter"]:
        for key, value in parameter.items():
            if key != "name":
                found[parameter["name"]].append((key, value))
    return found


def properties(answer):
    """The properties of a $lookup by code, as (type, value) in lists."""
    found = defaultdict(list)
    for _, part in named(answer)["property"]:
        parts = {each["name"]: each for each in part}
        value = next((key, value) for key, value in parts["value"].items() if key != "name")
        found[parts["code"]["valueCode"]].append(value)
    return found


def issue_texts(answer):
    return [issue["details"]["text"] for issue in answer["issue"]]


def test_the_capability_statement_names_the_version_and_the_operations(ask, endpoint):
    statement = ask("/metadata")
    assert statement["fhirVersion"] == ("4.0.1" if endpoint.endswith("r4") else "5.0.0")
    assert statement["implementation"]["url"] == endpoint
    offered = {
        (resource["type"], operation["name"])
        for resource in statement["rest"][0]["resource"]
        for operation in resource.get("operation", ())
    }
    assert offered >= {
        ("CodeSystem", "lookup"),
        ("CodeSystem", "validate-code"),
        ("CodeSystem", "subsumes"),
        ("ValueSet", "expand"),
        ("ValueSet", "validate-code"),
        ("ConceptMap", "translate"),
    }


def test_lookup_by_get_tells_the_facts_with_their_types(ask):
    found = properties(ask("/CodeSystem/$lookup", **LOOKUP))
    for code, expected in FACTS.items():
        assert {kind for kind, _ in found[code]} == {"valueCoding"}
        assert [coding["code"] for _, coding in found[code]] == expected
        assert {coding["system"] for _, coding in found[code]} == {VALUES}
    assert found["target-volume-litres"] == [("valueDecimal", Decimal("1.9"))]
    assert found["valid-from"] == [("valueDateTime", "2012-01-01")]
    assert found["inactive"] == [("valueBoolean", False)]
    assert {kind for kind, _ in found["source"]} == {"valueString"}


def test_lookup_by_post_answers_as_by_get(ask):
    body = parameters(system_valueUri=CPT, code_valueCode="38232")
    assert ask("/CodeSystem/$lookup", post=body) == ask("/CodeSystem/$lookup", **LOOKUP)


def test_lookup_takes_a_coding(ask):
    coding = {"name": "coding", "valueCoding": LOOKUP}
    answer = ask("/CodeSystem/$lookup", post={"resourceType": "Parameters", "parameter": [coding]})
    assert answer == ask("/CodeSystem/$lookup", **LOOKUP)


def test_lookup_tells_the_designations_with_their_languages(ask):
    parts = [
        {each["name"]: each for each in part} for _, part in named(ask("/CodeSystem/$lookup", **LOOKUP))["designation"]
    ]
    assert {part["language"]["valueCode"]: part["value"]["valueString"] for part in parts} == LABELS
    assert all(part["use"]["valueCoding"]["code"] for part in parts)


def test_lookup_of_one_property_tells_that_one(ask):
    assert set(properties(ask("/CodeSystem/$lookup", **LOOKUP, property="donor-type"))) - {"copyright"} == {
        "donor-type"
    }


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ({"displayLanguage": "de"}, "de"),
        ({"headers": {"Accept-Language": "fr-CA,fr;q=0.9"}}, "fr"),
        ({"displayLanguage": "es", "headers": {"Accept-Language": "fr"}}, "es"),
        ({"headers": {"Accept-Language": "*"}}, "en"),
        ({}, "en"),
    ],
)
def test_the_display_is_in_the_language_that_was_asked_for(ask, asked, language):
    assert named(ask("/CodeSystem/$lookup", **LOOKUP, **asked))["display"] == [("valueString", LABELS[language])]


@pytest.mark.parametrize(("value_set", "code", "expected"), MEMBERSHIP)
def test_membership_is_told_with_a_message_when_it_is_not_so(ask, value_set, code, expected):
    by_get = ask("/ValueSet/$validate-code", url=value_set, system=CPT, code=code)
    answer = named(by_get)
    assert answer["result"] == [("valueBoolean", expected)]
    assert answer["message"] == ([] if expected else [("valueString", not_a_member(value_set, code))])
    body = parameters(url_valueUri=value_set, system_valueUri=CPT, code_valueString=code)
    assert ask("/ValueSet/$validate-code", post=body) == by_get


@pytest.mark.parametrize("kind", ["valueCode", "valueString"])
def test_a_code_of_cpt_is_right_whatever_type_its_parameter_has(ask, kind):
    body = parameters(url_valueUri=CPT, **{f"code_{kind}": "38230"})
    answer = named(ask("/CodeSystem/$validate-code", post=body))
    assert answer["result"] == [("valueBoolean", True)]
    assert answer["display"] == [("valueString", DONOR_LABEL)]


def test_an_unknown_code_of_a_fragment_passes_with_the_warning_that_it_cannot_be_judged(ask):
    answer = named(ask("/CodeSystem/$validate-code", url=CPT, code=NOT_A_CODE))
    assert answer["result"] == [("valueBoolean", True)]
    ((_, outcome),) = answer["issues"]
    assert [issue["severity"] for issue in outcome["issue"]] == ["warning"]
    assert MAYBE_ELSEWHERE in issue_texts(outcome)[0]


def test_an_unknown_code_of_a_complete_system_is_wrong(ask):
    answer = named(ask("/CodeSystem/$validate-code", url=CONCEPTS, code="nope"))
    assert answer["result"] == [("valueBoolean", False)]
    assert "nope" in answer["message"][0][1]


def test_an_expansion_lists_the_codes_with_their_displays(ask):
    expansion = ask("/ValueSet/$expand", url=BOTH)["expansion"]
    assert expansion["total"] == 2
    assert [(each["system"], each["code"], each["display"]) for each in expansion["contains"]] == [
        (CPT, "38230", DONOR_LABEL),
        (CPT, "38232", LABELS["en"]),
    ]


@pytest.mark.parametrize(
    ("system", "a", "b", "outcome"),
    [
        (CPT, "38230", "38232", "not-subsumed"),
        (CPT, "38232", "38232", "equivalent"),
        (CONCEPTS, "harvest", "harvest-own-use", "subsumes"),
        (CONCEPTS, "harvest-own-use", "harvest", "subsumed-by"),
    ],
)
def test_two_codes_are_compared(ask, system, a, b, outcome):
    answer = ask("/CodeSystem/$subsumes", system=system, codeA=a, codeB=b)
    assert named(answer)["outcome"] == [("valueCode", outcome)]


def test_a_code_is_translated_in_the_words_of_each_version(ask, endpoint):
    code, relation = ("code", "equivalence") if endpoint.endswith("r4") else ("sourceCode", "relationship")
    answer = named(ask("/ConceptMap/$translate", url=TO_CONCEPTS, system=CPT, **{code: "38232"}))
    assert answer["result"] == [("valueBoolean", True)]
    ((_, parts),) = answer["match"]
    match = {part["name"]: part for part in parts}
    assert match[relation]["valueCode"] == "equivalent"
    concept = match["concept"]["valueCoding"]
    assert (concept["system"], concept["code"]) == (CONCEPTS, "harvest-own-use")


def test_a_search_by_url_finds_every_release_and_reading_by_id_gives_the_same(ask):
    bundle = ask("/CodeSystem", url=CPT)
    assert (bundle["type"], bundle["total"]) == ("searchset", 16)
    found = {entry["resource"]["version"]: entry["resource"] for entry in bundle["entry"]}
    assert sorted(found) == [str(year) for year in range(2011, 2027)]
    assert ask("/CodeSystem/cpt-2026") == found["2026"]
    assert ask("/CodeSystem", url=CPT, version="2011")["total"] == 1
    assert ask("/CodeSystem", url="http://example.org/none")["total"] == 0


def test_the_first_release_that_a_search_finds_is_the_newest_which_operations_use(ask):
    first, *_ = ask("/CodeSystem", url=CPT, _count=1)["entry"]
    assert [("valueString", first["resource"]["version"])] == named(ask("/CodeSystem/$lookup", **LOOKUP))["version"]


def test_what_is_not_there_is_said_in_an_operation_outcome(ask):
    assert issue_texts(ask("/CodeSystem/nope", status=404)) == [UNKNOWN_ID]
    assert issue_texts(ask("/CodeSystem/$lookup", status=404, system=CPT, code=NOT_A_CODE)) == [UNKNOWN_CODE]


def test_every_error_has_diagnostics_since_hapi_shows_nothing_else(ask):
    (issue,) = ask("/CodeSystem/nope", status=404)["issue"]
    assert issue["diagnostics"] == UNKNOWN_ID
    (issue,) = ask("/CodeSystem/$lookup", status=404, system=CPT, code=NOT_A_CODE)["issue"]
    assert "cannot be judged" in issue["diagnostics"]


def test_a_missing_code_is_refused_by_name(ask):
    (text,) = issue_texts(ask("/CodeSystem/$lookup", status=400, system=CPT))
    assert "code" in text


def test_a_batch_answers_each_entry_in_its_place(ask):
    lookup = parameters(system_valueUri=CPT, code_valueCode="38230")
    bundle = ask(
        "",
        post=batch(
            ("GET", f"CodeSystem/$lookup?system={CPT}&code=38232"),
            ("POST", "CodeSystem/$lookup", lookup),
            ("GET", "CodeSystem/nope"),
            ("GET", "ValueSet/bone-marrow-harvest"),
        ),
    )
    assert bundle["type"] == "batch-response"
    assert [entry["response"]["status"][:3] for entry in bundle["entry"]] == ["200", "200", "404", "200"]
    first, second, third, fourth = bundle["entry"]
    assert named(first["resource"])["display"] == [("valueString", LABELS["en"])]
    assert named(second["resource"])["display"] == [("valueString", DONOR_LABEL)]
    assert issue_texts(third["response"]["outcome"]) == [UNKNOWN_ID]
    assert fourth["resource"]["url"] == BOTH


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "application/fhir+xml, application/fhir+json",
        "application/fhir+xml;q=1.0, application/fhir+json;q=1.0, application/json+fhir;q=0.9",
        "application/fhir+json; fhirVersion=4.0",
    ],
)
def test_json_is_the_answer_unless_xml_is_liked_better(r4, accept):
    response = requests.get(f"{r4}/CodeSystem/$lookup", params=LOOKUP, headers={"Accept": accept}, timeout=10)
    assert response.json()["resourceType"] == "Parameters"


def test_xml_goes_in_and_comes_out(endpoint):
    body = (
        '<Parameters xmlns="http://hl7.org/fhir">'
        f'<parameter><name value="system"/><valueUri value="{CPT}"/></parameter>'
        '<parameter><name value="code"/><valueCode value="38232"/></parameter></Parameters>'
    )
    kind = "application/fhir+xml"
    response = requests.post(
        f"{endpoint}/CodeSystem/$lookup", data=body, headers={"Accept": kind, "Content-Type": kind}, timeout=10
    )
    assert response.headers["Content-Type"].startswith(kind)
    tree = etree.fromstring(response.content)
    fhir = {"f": "http://hl7.org/fhir"}
    assert tree.xpath("f:parameter[f:name/@value='display']/f:valueString/@value", namespaces=fhir) == [LABELS["en"]]


def test_what_has_not_changed_is_not_sent_again(endpoint):
    with requests.Session() as session:
        first = session.get(f"{endpoint}/CodeSystem/cpt-2026", timeout=10)
        headers = {"If-None-Match": first.headers["ETag"]}
        again = session.get(f"{endpoint}/CodeSystem/cpt-2026", headers=headers, timeout=10)
    assert (again.status_code, again.content) == (304, b"")
