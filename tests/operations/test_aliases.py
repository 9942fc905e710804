"""Other names of code systems: an OID or an old url is as good as the url, in every operation that takes a system."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import (
    CS,
    VS,
    call,
    code_system,
    concept,
    include,
    issues_of,
    value_of,
    value_set,
    values_of,
)

from terminology.issues import Refusal

Json = dict[str, Any]
OID, OLD = "urn:oid:1.2.3.4", "http://example.org/old/cs"
OTHER = "http://example.org/other"
ANIMALS = code_system(concept("cat", "lion", display="Cat"), "dog", version="2")


def naming(*uris: str, oid: str = "1.2.3.4", **more: Any) -> Json:
    """A NamingSystem of a code system with these uris, the first of them preferred."""
    named = [{"type": "uri", "value": uri, "preferred": place == 0} for place, uri in enumerate(uris)]
    made = {"resourceType": "NamingSystem", "name": "N", "status": "active", "kind": "codesystem", "date": "2026"}
    return {**made, "url": f"{uris[0]}/naming", "uniqueId": [*named, {"type": "oid", "value": oid}], **more}


NAMED = naming(CS, OLD)
OWN = {**ANIMALS, "identifier": [{"system": "urn:ietf:rfc:3986", "value": OID}]}
MAP = {
    "resourceType": "ConceptMap",
    "url": "http://example.org/map",
    "status": "active",
    "group": [
        {
            "source": CS,
            "target": OTHER,
            "element": [{"code": "cat", "target": [{"code": "feline", "relationship": "equivalent"}]}],
        }
    ],
}
CODED = {"coding": [{"system": OID, "code": "cat"}], "text": "a cat"}


def told(answer: Json) -> list[Json]:
    return [each for each in issues_of(answer) if each["extension"][0]["valueString"] == "OWN_OTHER_NAME"]


VALIDATED = {
    "the url of $validate-code": ("CodeSystem", {"url": OID, "code": "cat"}, "system"),
    "an old url": ("CodeSystem", {"url": OLD, "code": "cat"}, "system"),
    "with a version": ("CodeSystem", {"url": OID, "code": "cat", "version": "2"}, "system"),
    "behind a bar": ("CodeSystem", {"url": f"{OID}|2", "code": "cat"}, "system"),
    "of a coding": ("CodeSystem", {"coding": {"system": OID, "code": "cat"}}, "Coding.system"),
    "of a CodeableConcept": ("CodeSystem", {"codeableConcept": CODED}, "CodeableConcept.coding[0].system"),
    "beside a coding": ("CodeSystem", {"url": OID, "coding": {"system": CS, "code": "cat"}}, "url"),
    "in a value set": ("ValueSet", {"url": VS, "system": OID, "code": "cat"}, "system"),
    "a coding in a value set": ("ValueSet", {"url": VS, "coding": {"system": OID, "code": "cat"}}, "Coding.system"),
    "a CodeableConcept there": ("ValueSet", {"url": VS, "codeableConcept": CODED}, "CodeableConcept.coding[0].system"),
}


@pytest.mark.parametrize("fhir", ["R4", "R5"])
@pytest.mark.parametrize(("kind", "sent", "place"), VALIDATED.values(), ids=VALIDATED)
def test_validation_answers_by_the_url_and_tells_of_the_other_name(kind: str, sent: Json, place: str, fhir: Any):
    """The url is reported, an information says what was sent, and a CodeableConcept comes back as it was."""
    resources = (ANIMALS, NAMED, value_set(include("cat")))
    answer = call(f"{kind}/$validate-code", *resources, fhir=fhir, **sent)
    assert value_of(answer, "result") is True, value_of(answer, "message")
    if "codeableConcept" in sent:
        assert value_of(answer, "codeableConcept") == CODED
    assert value_of(answer, "system") in (CS, None if "codeableConcept" in sent else CS)
    (found,) = told(answer)
    assert (found["severity"], found["expression"]) == ("information", [place])
    assert f"is another name of '{CS}'" in found["details"]["text"]
    assert value_of(answer, "message") is None


def test_a_wrong_code_under_another_name_is_wrong_by_the_url():
    answer = call("CodeSystem/$validate-code", ANIMALS, NAMED, url=OID, code="unicorn")
    assert value_of(answer, "result") is False
    assert value_of(answer, "message") == f"Unknown code 'unicorn' in the CodeSystem '{CS}' version '2'"
    assert values_of(answer, "x-unknown-system") == []
    assert told(answer)


def test_the_url_itself_is_nothing_to_tell_of():
    for kind, sent in (("CodeSystem", {"url": CS}), ("ValueSet", {"url": VS, "system": CS})):
        answer = call(f"{kind}/$validate-code", ANIMALS, NAMED, value_set(include("cat")), code="cat", **sent)
        assert value_of(answer, "result") is True
        assert not told(answer)


def test_a_batch_takes_other_names():
    entry = {"resourceType": "Parameters", "parameter": [{"name": "coding", "valueCoding": CODED["coding"][0]}]}
    answer = call("CodeSystem/$batch-validate-code", ANIMALS, NAMED, validation=[entry])
    (single,) = values_of(answer, "validation")
    assert value_of(single, "result") is True
    assert value_of(single, "system") == CS
    assert told(single)


@pytest.mark.parametrize("sent", [{"system": OID, "code": "lion"}, {"coding": {"system": OLD, "code": "lion"}}])
def test_lookup_says_the_url_and_tells_in_diagnostics(sent: Json):
    answer = call("CodeSystem/$lookup", ANIMALS, NAMED, **sent)
    assert (value_of(answer, "system"), value_of(answer, "version")) == (CS, "2")
    assert f"is another name of '{CS}'" in value_of(answer, "diagnostics")
    assert value_of(call("CodeSystem/$lookup", ANIMALS, NAMED, system=CS, code="lion"), "diagnostics") is None


PAIRS = [
    {"system": OID, "codeA": "cat", "codeB": "lion"},
    {"codingA": {"system": OID, "code": "cat"}, "codingB": {"system": CS, "code": "lion"}},
    {"codingA": {"system": OLD, "code": "cat"}, "codingB": {"system": OID, "code": "lion"}},
]


@pytest.mark.parametrize("sent", PAIRS)
def test_subsumes_compares_under_any_names(sent: Json):
    answer = call("CodeSystem/$subsumes", ANIMALS, NAMED, **sent)
    assert value_of(answer, "outcome") == "subsumes"
    said = value_of(answer, "diagnostics")
    assert f"Answered from {CS}|2" in said
    assert f"is another name of '{CS}'" in said


def test_find_matches_looks_into_the_system_of_another_name():
    wanted = [{"name": "code", "valueCode": "display"}, {"name": "value", "valueString": "Cat"}]
    answer = call("CodeSystem/$find-matches", ANIMALS, NAMED, system=OID, property=[wanted], exact=True)
    assert value_of(answer, "match")["code"] == {"system": CS, "version": "2", "code": "cat", "display": "Cat"}
    assert f"is another name of '{CS}'" in value_of(answer, "diagnostics")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"system": OID, "sourceCode": "cat"}, "feline"),
        ({"sourceCoding": {"system": OLD, "code": "cat"}}, "feline"),
        ({"sourceCodeableConcept": CODED, "targetSystem": OTHER}, "feline"),
        ({"targetCoding": {"system": OTHER, "code": "feline"}, "sourceSystem": OID}, "feline"),
    ],
)
def test_translate_knows_a_source_by_any_name(sent: Json, code: str):
    answer = call("ConceptMap/$translate", ANIMALS, NAMED, MAP, **sent)
    assert value_of(answer, "result") is True
    assert value_of(answer, "match")["concept"]["code"] == code
    assert f"is another name of '{CS}'" in value_of(answer, "message")


def test_a_map_may_name_its_systems_otherwise():
    by_oid = {**MAP, "group": [{**MAP["group"][0], "source": OID}]}
    answer = call("ConceptMap/$translate", ANIMALS, NAMED, by_oid, system=CS, sourceCode="cat")
    assert value_of(answer, "result") is True
    assert value_of(answer, "message") is None


EXPANDED = {
    "a whole system": ({"system": OID}, {}, ["cat", "lion", "dog"]),
    "listed codes": (include("dog", system=OID), {}, ["dog"]),
    "a filter": (
        {"system": OLD, "filter": [{"property": "concept", "op": "is-a", "value": "cat"}]},
        {},
        ["cat", "lion"],
    ),
    "a version for it": ({"system": OID}, {"system_version": [f"{OID}|2"]}, ["cat", "lion", "dog"]),
}


@pytest.mark.parametrize(("part", "sent", "codes"), EXPANDED.values(), ids=EXPANDED)
def test_a_value_set_may_name_its_system_otherwise(part: Json, sent: Json, codes: list[str]):
    """The expansion lists the url, and says which name stood in the compose."""
    resources = (ANIMALS, NAMED, value_set(part))
    expansion = call("ValueSet/$expand", *resources, url=VS, excludeNested=True, **sent)["expansion"]
    assert [(each["system"], each["code"]) for each in expansion["contains"]] == [(CS, code) for code in codes]
    stated = {each["name"]: each for each in expansion["parameter"]}
    assert stated["used-codesystem"]["valueUri"] == f"{CS}|2"
    assert f"'{part['system']}' is another name of '{CS}'" in stated["used-alias"]["valueString"]


def test_what_is_listed_by_another_name_is_a_member_by_the_url():
    resources = (ANIMALS, NAMED, value_set(include("cat", system=OID)))
    assert value_of(call("ValueSet/$validate-code", *resources, url=VS, system=CS, code="cat"), "result") is True
    assert value_of(call("ValueSet/$validate-code", *resources, url=VS, system=CS, code="dog"), "result") is False


def test_exclude_system_and_implied_value_sets_take_other_names():
    parts = value_set(include("cat"), include("a", system=OTHER))
    other = code_system("a", url=OTHER)
    left = call("ValueSet/$expand", ANIMALS, other, NAMED, parts, url=VS, exclude_system=[OID])["expansion"]["contains"]
    assert [each["system"] for each in left] == [OTHER]
    whole = call("ValueSet/$expand", ANIMALS, NAMED, url=f"{OID}?fhir_vs", excludeNested=True)["expansion"]
    assert whole["total"] == 3


def test_a_closure_table_holds_one_code_under_all_its_names():
    """Relations are said by the url; another name of a code that is in the table adds nothing to it."""
    call("ConceptMap/$closure", name="names")
    first = call("ConceptMap/$closure", ANIMALS, NAMED, name="names", concept=[{"system": OID, "code": "cat"}])
    assert f"is another name of '{CS}'" in first["description"]
    coded = [{"system": CS, "code": "lion"}, {"system": CS, "code": "cat"}]
    second = call("ConceptMap/$closure", ANIMALS, NAMED, name="names", concept=coded)
    assert [(each["source"], each["element"][0]["code"]) for each in second["group"]] == [(CS, "lion")]
    assert "description" not in second


# --- who says what is another name of what -------------------------------------------------------------------

SOURCES: dict[str, tuple[list[Json], str, str | None]] = {
    "a NamingSystem": ([ANIMALS, NAMED], OID, CS),
    "its oid with urn": ([ANIMALS, naming(CS, oid="urn:oid:1.2.3.4")], OID, CS),
    "the CodeSystem's own identifier": ([OWN], OID, CS),
    "both": ([OWN, NAMED], OID, CS),
    "a supplement's identifier is its own": (
        [ANIMALS, {**OWN, "url": OTHER, "content": "supplement", "supplements": CS}], OID, None,
    ),
    "what the preferred uri is not known by": ([ANIMALS, naming(OTHER, CS)], OID, CS),
    "an identifier of persons": ([ANIMALS, naming(CS, kind="identifier")], OID, None),
    "a name without scheme": ([ANIMALS, naming(CS)], "1.2.3.4", None),
    "two that agree": ([ANIMALS, NAMED, naming(CS, url="http://example.org/second")], OID, CS),
    "two that disagree": ([ANIMALS, code_system("cat", url=OTHER), NAMED, naming(OTHER)], OID, None),
    "two, of which one system is not here": ([ANIMALS, NAMED, naming(OTHER)], OID, None),
    "an identifier against a NamingSystem": ([OWN, code_system("cat", url=OTHER), naming(OTHER)], OID, None),
    "one that is retired": ([ANIMALS, naming(CS, status="retired")], OID, CS),
    "a retired one against a current one": (
        [ANIMALS, code_system("cat", url=OTHER), NAMED, naming(OTHER, status="retired")], OID, CS,
    ),
    "the url of another known system": ([ANIMALS, code_system("cat", url=OLD), NAMED], OLD, OLD),
    "a system that nobody here has": ([NAMED], OID, None),
}  # fmt: skip


@pytest.mark.parametrize(("resources", "sent", "url"), SOURCES.values(), ids=SOURCES)
def test_a_name_is_taken_only_where_it_can_mean_one_system(resources: list[Json], sent: str, url: str | None):
    answer = call("CodeSystem/$validate-code", *resources, url=sent, code="cat")
    assert value_of(answer, "result") is (url is not None)
    assert value_of(answer, "system") == (url or sent)
    assert values_of(answer, "x-unknown-system") == ([] if url else [sent])


def test_who_disputes_a_name_is_said():
    """No guess: both urls and who claims the name for each, in every refusal."""
    resources = (OWN, code_system("cat", url=OTHER), naming(OTHER))
    said = (
        f"'{OID}' is said to be another name of different code systems: '{CS}' (by CodeSystem {CS}), "
        f"'{OTHER}' (by NamingSystem {OTHER}/naming). Send the url that is meant."
    )
    (found,) = issues_of(call("CodeSystem/$validate-code", *resources, url=OID, code="cat"))
    assert found["diagnostics"] == said
    for operation, sent in (
        ("CodeSystem/$lookup", {"system": OID, "code": "cat"}),
        ("CodeSystem/$subsumes", {"system": OID, "codeA": "cat", "codeB": "cat"}),
    ):
        with pytest.raises(Refusal) as refused:
            call(operation, *resources, **sent)
        assert [issue.diagnostics for issue in refused.value.issues] == [said]
