"""What was probably meant: for each slip, the explanation for people and the coding for machines."""

from __future__ import annotations

from typing import Any

import pytest
from engine.asking import call, issues_of, value_of

from terminology.issues import Refusal
from terminology.model import CANONICAL_BASE, SUGGESTED_CODING

Json = dict[str, Any]

CPT = "http://www.ama-assn.org/go/cpt"
OWN = f"{CANONICAL_BASE}/CodeSystem/bone-marrow-harvest"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
VALUE_SETS = f"{CANONICAL_BASE}/ValueSet/bone-marrow-harvest"
NOTHING = None


def suggestion(issue: Json) -> Json | None:
    """The coding that an issue suggests to machines."""
    return next((e["valueCoding"] for e in issue.get("extension", []) if e["url"] == SUGGESTED_CODING), None)


def text_of(issue: Json) -> str:
    text: str = issue["details"]["text"]
    return text


def explained(issues: list[Json]) -> tuple[str, Json | None]:
    """The explanations of the issues beyond their texts, and the first coding suggested."""
    diagnostics = (issue.get("diagnostics", "") for issue in issues if issue.get("diagnostics") != text_of(issue))
    return " ".join(each for each in diagnostics if each), next(
        (found for issue in issues if (found := suggestion(issue))), None
    )


SLIPS: list[tuple[str, str, str, Json | None]] = [
    # the code
    (CPT, " 38232", "not written as the code system writes it: '38232'", {"system": CPT, "code": "38232"}),
    (CPT, "38232 ", "not written as the code system writes it: '38232'", {"system": CPT, "code": "38232"}),
    (CPT, "382 32", "not written as the code system writes it: '38232'", {"system": CPT, "code": "38232"}),
    (CPT, "38232-52", "Modifiers follow the code after a colon: '38232:52'", {"system": CPT, "code": "38232:52"}),
    (CPT, "38232:52", "is an expression: the known code '38232' with the modifier '52'", NOTHING),
    (CPT, "38231", "neither confirmed nor refuted. Load the complete code system", NOTHING),
    (CPT, "99999", "neither confirmed nor refuted. Load the complete code system", NOTHING),
    (CPT, "99999-52", "neither confirmed nor refuted", NOTHING),
    (PCS, "07dr3zz", "not written as the code system writes it: '07DR3ZZ'", {"system": PCS, "code": "07DR3ZZ"}),
    (PCS, "07.DR3ZZ", "not written as the code system writes it: '07DR3ZZ'", {"system": PCS, "code": "07DR3ZZ"}),
    (ICD, "z52.3", "not written as the code system writes it: 'Z52.3'", {"system": ICD, "code": "Z52.3"}),
    (ICD, "Z523", "not written as the code system writes it: 'Z52.3'", {"system": ICD, "code": "Z52.3"}),
    (OWN, "HARVEST", "not written as the code system writes it: 'harvest'", {"system": OWN, "code": "harvest"}),
    (OWN, "rinse", "", NOTHING),
    # the system
    ("2.16.840.1.113883.6.12", "38232", f"another spelling of '{CPT}'", {"system": CPT, "code": "38232"}),
    (f"{CPT}/", "38232", f"another spelling of '{CPT}'", {"system": CPT, "code": "38232"}),
    (CPT.replace("http:", "https:"), "38232", f"another spelling of '{CPT}'", {"system": CPT, "code": "38232"}),
    (CPT.replace("www.", ""), "38232", f"another spelling of '{CPT}'", {"system": CPT, "code": "38232"}),
    (CPT.upper(), "38232", f"another spelling of '{CPT}'", {"system": CPT, "code": "38232"}),
    ("http://example.org/nowhere", "38232", "", NOTHING),
]


@pytest.mark.parametrize(("system", "code", "said", "suggested"), SLIPS)
def test_validation_explains_what_was_probably_meant(system: str, code: str, said: str, suggested: Json | None):
    answer = call("CodeSystem/$validate-code", installed=True, url=system, code=code)
    explanation, coding = explained(issues_of(answer))
    assert said in explanation
    assert bool(said) == bool(explanation)
    assert coding == suggested


@pytest.mark.parametrize(
    ("system", "code", "said", "suggested"),
    [slip for slip in SLIPS if slip[1] != "38232:52" and slip[0] != "2.16.840.1.113883.6.12"],
)
def test_lookup_explains_the_same(system: str, code: str, said: str, suggested: Json | None):
    with pytest.raises(Refusal) as refused:
        call("CodeSystem/$lookup", installed=True, system=system, code=code)
    (issue,) = refused.value.issues
    assert said in (issue.diagnostics or "")
    assert (issue.suggestion.as_json() if issue.suggestion else None) == suggested


def test_a_suggestion_changes_no_answer():
    """38231 is not in the fragment; nothing suggests 38232 for it, and the result stays what HL7 says of fragments."""
    answer = call("CodeSystem/$validate-code", installed=True, url=CPT, code="38231")
    assert value_of(answer, "result") is True
    assert [issue["severity"] for issue in issues_of(answer)] == ["warning"]


def test_what_the_datatype_forbids_is_quoted_and_not_echoed_as_code():
    answer = call("CodeSystem/$validate-code", installed=True, url=CPT, code=" 38232")
    assert value_of(answer, "code") is None
    assert "' 38232'" in issues_of(answer)[0]["details"]["text"]


SIBLINGS = [
    ("38230", "-own-use", "38232"),
    ("38232", "-donor", "38230"),
]


@pytest.mark.parametrize(("code", "value_set", "sibling"), SIBLINGS)
def test_a_code_outside_a_small_value_set_is_told_its_sibling(code: str, value_set: str, sibling: str):
    answer = call("ValueSet/$validate-code", installed=True, url=VALUE_SETS + value_set, system=CPT, code=code)
    assert value_of(answer, "result") is False
    explanation, coding = explained(issues_of(answer))
    assert explanation.startswith(f"Of this code system the value set holds: {sibling} (")
    assert coding == {"system": CPT, "code": sibling}


@pytest.mark.parametrize(("code", "value_set"), [("38231", "-own-use"), ("99999", "")])
def test_a_code_that_nobody_here_knows_is_told_no_sibling(code: str, value_set: str):
    answer = call("ValueSet/$validate-code", installed=True, url=VALUE_SETS + value_set, system=CPT, code=code)
    explanation, coding = explained(issues_of(answer))
    assert "neither confirmed nor refuted" in explanation
    assert coding is None


@pytest.mark.parametrize("version", ["2011", "2026"])
def test_a_code_of_another_release_is_told_that_release(version: str):
    answer = call("CodeSystem/$validate-code", installed=True, url=CPT, code="38232", version=version)
    explanation, coding = explained(issues_of(answer))
    if version == "2011":
        assert "is in the version 2026 of this code system, not in 2011; it is valid from 2012-01-01" in explanation
        assert coding == {"system": CPT, "version": "2026", "code": "38232"}
    else:
        assert (explanation, coding) == ("", None)


# --- the day ----------------------------------------------------------------------------------------------------

DAYS: list[tuple[str, str | None, str, bool, list[str]]] = [
    ("38232", None, "2012-01-01", True, []),
    ("38232", None, "2012", True, []),
    ("38232", None, "2011-12-31", False, ["OWN_NOT_VALID_ON_DATE"]),
    ("38232", None, "2011-12-31T23:59:59Z", False, ["OWN_NOT_VALID_ON_DATE"]),
    ("38232", "2012", "2011-12-31", False, ["OWN_NOT_VALID_ON_DATE", "OWN_VERSION_NOT_IN_FORCE"]),
    ("38232", "2011", "2011-06-01", False, ["OWN_NOT_VALID_ON_DATE"]),
    ("38230", None, "2011-12-31", True, []),
    ("38230", "2020", "2012-01-01", True, ["OWN_VERSION_NOT_IN_FORCE"]),
    ("38230", None, "2010-06-01", False, ["OWN_CANNOT_JUDGE_ON_DATE"]),
    ("38232", None, "2010-06-01", False, ["OWN_NOT_VALID_ON_DATE"]),
    ("38232", None, "2030-01-01", False, ["OWN_CANNOT_JUDGE_ON_DATE"]),
    ("99999", None, "2011-12-31", True, ["UNKNOWN_CODE_IN_FRAGMENT"]),
]


@pytest.mark.parametrize(("code", "version", "date", "result", "messages"), DAYS)
def test_a_code_is_judged_on_the_day(code: str, version: str | None, date: str, result: bool, messages: list[str]):
    stated = {"version": version} if version else {}
    answer = call("CodeSystem/$validate-code", installed=True, url=CPT, code=code, date=date, **stated)
    assert value_of(answer, "result") is result
    assert [message_id(issue) for issue in issues_of(answer)] == messages


def message_id(issue: Json) -> str:
    return next(e["valueString"] for e in issue["extension"] if e["url"].endswith("message-id"))


@pytest.mark.parametrize(
    ("stated", "version"), [({}, "2026"), ({"date": "2015-06-01"}, "2015"), ({"date": "2011"}, "2011")]
)
def test_the_release_in_force_on_the_day_answers(stated: Json, version: str):
    answer = call("CodeSystem/$validate-code", installed=True, url=CPT, code="38230", **stated)
    assert value_of(answer, "version") == version


def test_without_a_day_nothing_is_judged_by_day():
    assert issues_of(call("CodeSystem/$validate-code", installed=True, url=CPT, code="38232")) == []


def test_lookup_of_a_code_on_a_day_before_it_existed_is_refused():
    with pytest.raises(Refusal, match=r"is not valid on 2011-01-01: it is valid from 2012-01-01"):
        call("CodeSystem/$lookup", installed=True, system=CPT, code="38232", date="2011-01-01")


# --- displays ---------------------------------------------------------------------------------------------------

DISPLAYS: list[tuple[str, str, str, str | None, bool, str | None]] = [
    (OWN, "harvest", "Marrow collection for a transplant", None, True, None),
    (OWN, "harvest", "MARROW collection for a transplant", None, True, None),
    (OWN, "harvest", "Knochenmarkentnahme für eine Transplantation", None, True, None),
    (OWN, "harvest", "Knochenmarkentnahme für eine Transplantation", "de", True, None),
    (OWN, "harvest", "Marrow  collection for a transplant", None, False, "Wrong whitespace in Display Name"),
    (OWN, "harvest", "Rinse", None, False, "Valid display is"),
    (OWN, "harvest", "Rinse", "de", False, "'Knochenmarkentnahme für eine Transplantation' (de)"),
    (OWN, "harvest", "Marrow collection for a transplant", "de", False, "Wrong Display Name"),
    (CPT, "38232", "Whatever the owner calls it", None, True, "was not checked: the displays of"),
    (CPT, "38232", "Whatever the owner calls it", "de", True, "was not checked: the displays of"),
]


@pytest.mark.parametrize(("system", "code", "display", "language", "result", "said"), DISPLAYS)
def test_a_display_is_judged_where_displays_are_held(
    system: str, code: str, display: str, language: str | None, result: bool, said: str | None
):
    wanted = {"displayLanguage": language} if language else {}
    answer = call("CodeSystem/$validate-code", installed=True, url=system, code=code, display=display, **wanted)
    assert value_of(answer, "result") is result
    texts = " ".join(issue["details"]["text"] for issue in issues_of(answer))
    assert (said in texts) if said else texts == ""


def test_a_lenient_client_is_warned_of_a_wrong_display():
    asked = {"url": OWN, "code": "harvest", "display": "Rinse", "lenient-display-validation": True}
    answer = call("CodeSystem/$validate-code", installed=True, **asked)
    assert value_of(answer, "result") is True
    assert [issue["severity"] for issue in issues_of(answer)] == ["warning"]


def test_every_answer_says_which_system_version_and_content_it_came_from():
    answer = call("ValueSet/$validate-code", installed=True, url=VALUE_SETS, system=CPT, code="38232")
    assert value_of(answer, "diagnostics") == f"Answered from {CPT}|2026 (fragment)"
    assert value_of(answer, "version") == "2026"
