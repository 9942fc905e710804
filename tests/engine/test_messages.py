"""Translations of the sentences: complete where they are vouched for, true to the English everywhere, and said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from http_client import CPT, HARVEST, Client, Reply

import terminology
from terminology.findings import FINDINGS
from terminology.inputs import INPUTS
from terminology.issues import SENTENCES, issue, text, translations
from terminology.sentences import CHANGING, GRAMMARS, JOBS, LOADING, ON_A_DAY
from terminology.transfers import TRANSFERS

FILES = sorted((Path(terminology.__file__).parent / "messages").glob("*.json"))
ARGUMENTS = tuple(f"<{number}>" for number in range(6))
UNKNOWN_SYSTEM = "CodeSystem/$lookup?system=urn:x&code=1"
IN_ENGLISH = "The CodeSystem 'urn:x' is not known to this server"
IN_GERMAN = "Das CodeSystem 'urn:x' ist diesem Server nicht bekannt"


def placeholders(sentence: str) -> set[str]:
    return set(re.findall(r"\{\d\}", sentence))


def quoted(sentence: str) -> set[str]:
    return set(re.findall(r"'[^' ]*\{\d\}[^' ]*'", sentence))


@pytest.fixture(scope="module")
def app() -> Flask:
    return terminology.create_app()


@pytest.fixture(params=["r4", "r5"])
def client(app: Flask, request: pytest.FixtureRequest) -> Client:
    return Client(app, request.param)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(request.param.read_text(encoding="utf-8"))
    assert held["language"] == request.param.stem
    return held


# --- the files ----------------------------------------------------------------------------------------------------


def test_the_languages_are_those_that_have_a_source() -> None:
    assert [file.stem for file in FILES] == ["de", "es", "nl"]


def test_a_translation_is_of_a_sentence_that_exists(file: dict[str, Any]) -> None:
    assert set(file["sentences"]) <= set(SENTENCES)


def test_a_translation_has_the_arguments_of_the_english_sentence(file: dict[str, Any]) -> None:
    differ = {
        name: said
        for name, said in file["sentences"].items()
        if placeholders(said) != placeholders(SENTENCES[name].text)
    }
    assert not differ


def test_a_translation_quotes_the_arguments_that_the_english_sentence_quotes(file: dict[str, Any]) -> None:
    differ = {
        name: said for name, said in file["sentences"].items() if not quoted(SENTENCES[name].text) <= quoted(said)
    }
    assert not differ


def test_a_translation_can_be_filled_in(file: dict[str, Any]) -> None:
    for name, said in file["sentences"].items():
        filled = said.format(*ARGUMENTS)
        assert all(ARGUMENTS[int(place[1])] in filled for place in placeholders(said)), name
        assert "''" not in said, name
        assert said == " ".join(said.split()), name


def test_a_file_says_what_of_it_was_reviewed_and_where_it_comes_from(file: dict[str, Any]) -> None:
    """A sentence counts as unreviewed until somebody lists it, so a new one never passes for a reviewed one."""
    assert bool(file["reviewed"]) is (file["language"] == "de")
    assert set(file["reviewed"]) <= set(file["sentences"])
    assert ("unreviewed" in file["note"]) is (set(file["reviewed"]) < set(file["sentences"]))


def test_german_is_complete() -> None:
    assert set(translations("de")) == set(SENTENCES)


def test_german_is_german() -> None:
    # Bundle.entry[0]: …, and ValueSet.status: … have no words of their own
    same = {name for name, said in translations("de").items() if said == SENTENCES[name].text}
    assert same <= {"OWN_BUNDLE_ENTRY", "OWN_RESOURCE_RULE"}


@pytest.mark.parametrize(("english", "german"), [("Send", "Senden Sie"), ("raise the setting", "erhöhen Sie")])
def test_a_german_sentence_keeps_its_remedy(english: str, german: str) -> None:
    told = {name for name, sentence in SENTENCES.items() if re.search(rf"\b{english}\b", sentence.text)}
    assert told
    assert {name for name in told if german not in translations("de")[name]} == set()


# --- the choice of a language --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_every_sentence_is_said_in_german(name: str) -> None:
    found = issue(name, *ARGUMENTS)
    assert text(found, ("de",)) == translations("de")[name].format(*ARGUMENTS)


@pytest.mark.parametrize("languages", [(), ("en",), ("tlh",), ("en", "de"), ("../de",), ("",)])
def test_a_language_without_translations_is_answered_in_english(languages: tuple[str, ...]) -> None:
    assert text(issue("OWN_LOOKUP_UNKNOWN_SYSTEM", "urn:x"), languages) == IN_ENGLISH


def test_a_sentence_that_one_language_lacks_is_said_in_the_next_one() -> None:
    assert "OWN_LOOKUP_UNKNOWN_SYSTEM" not in translations("nl")
    assert text(issue("OWN_LOOKUP_UNKNOWN_SYSTEM", "urn:x"), ("nl", "de")) == IN_GERMAN


def test_languages_that_nobody_translated_are_not_kept_without_end() -> None:
    for number in range(26**2):
        translations(f"q{chr(97 + number // 26)}{chr(97 + number % 26)}")
    info = translations.cache_info()
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        (None, IN_ENGLISH),
        ("de", IN_GERMAN),
        ("de-CH", IN_GERMAN),
        ("DE", IN_GERMAN),
        ("tlh", IN_ENGLISH),
        ("tlh, de;q=0.1", IN_GERMAN),
        ("en, de", IN_ENGLISH),
        ("en;q=0.4, de;q=0.9", IN_GERMAN),
        ("de;q=0.4, en;q=0.9", IN_ENGLISH),
        ("de;q=0", IN_ENGLISH),
        ("*", IN_ENGLISH),
        ("nl, de;q=0.5, en;q=0.3", IN_GERMAN),
        ("nl, en;q=0.5, de;q=0.3", IN_ENGLISH),
        ("no list of languages", IN_ENGLISH),
    ],
)
def test_an_error_is_said_in_the_language_that_the_reader_prefers(
    client: Client, accepted: str | None, said: str
) -> None:
    reply = client.get(UNKNOWN_SYSTEM, headers={"Accept-Language": accepted} if accepted else {})
    assert reply.texts == said
    assert reply.ids == ["OWN_LOOKUP_UNKNOWN_SYSTEM"]


def test_an_error_has_the_same_id_severity_and_code_in_every_language(client: Client) -> None:
    def without_words(reply: Reply) -> list[dict[str, Any]]:
        words = {"diagnostics": None}  # the sentence again, for clients that show nothing else
        return [{**each, **words, "details": {**each["details"], "text": None}} for each in reply.resource["issue"]]

    asked = [client.get(UNKNOWN_SYSTEM, headers={"Accept-Language": each}) for each in ("en", "de")]
    assert without_words(asked[0]) == without_words(asked[1])
    assert asked[0].status == asked[1].status


def test_the_message_of_validate_code_is_translated_as_its_issues_are(client: Client) -> None:
    asked = f"ValueSet/$validate-code?url={HARVEST}&system={CPT}&code=99999"
    reply = client.get(asked, headers={"Accept-Language": "de"})
    said = [each["details"]["text"] for each in reply.parameter("issues")["issue"]]
    assert reply.parameter("result") is False
    assert any("befindet sich nicht im ValueSet" in each for each in said)
    assert "befindet sich nicht im ValueSet" in reply.parameter("message")
    assert "was not found" not in reply.parameter("message")


def test_the_language_of_displays_is_not_the_language_of_messages(client: Client) -> None:
    reply = client.get(f"{UNKNOWN_SYSTEM}&displayLanguage=de", headers={"Accept-Language": "en"})
    assert reply.texts == IN_ENGLISH


def test_each_message_id_has_one_sentence() -> None:
    tables = (ON_A_DAY, GRAMMARS, LOADING, TRANSFERS, CHANGING, FINDINGS, INPUTS, JOBS)
    named = [name for table in tables for name in table]
    assert sorted(named) == sorted(set(named))
