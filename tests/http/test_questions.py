"""A question that is kept answers as the whole way does, byte for byte; and it is what answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode

import pytest
from engine.asking import code_system, concept, include, value_set
from engine.generated import CODES, SYSTEMS, worlds
from flask import Flask
from http_client import Client, Reply, parameters
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from terminology import Terminology, resources
from terminology.operations import BY_NAME
from terminology.providers.file import FileProvider
from terminology.rest.questions import KEPT, Questions
from terminology.storage.code_system_compiler import compile_file

Json = dict[str, Any]
Question = tuple[str, str, Json, dict[str, str]]
"""Method, path, what is stated beside the code, headers."""

VALUE_SETS = tuple(f"http://example.org/vs{number}" for number in range(3))
GERMAN = {
    **code_system(url="http://example.org/german", content="supplement", supplements=SYSTEMS[0]),
    "concept": [{"code": "a", "designation": [{"language": "de", "value": "Anzeige a"}]}],
}


def served(content: Sequence[Any]) -> Flask:
    app = Flask("asked")
    Terminology(app, content=content, installed_content=False)
    return app


def as_files(systems: Sequence[Json], folder: Path) -> list[Any]:
    made = []
    for system in systems:
        info = resources.code_system_info(system)
        made.append(FileProvider.open(compile_file(info, resources.concepts(system, info), folder)[0]))
    return made


@contextmanager
def the_whole_way() -> Iterator[None]:
    with patch.object(Questions, "answer", lambda *_: None):
        yield


def told(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in reply.headers.items() if name != "X-Request-Id"}
    return reply.status, headers, reply.body


def ask(client: Client, question: Question, code: str, display: str | None) -> Reply:
    method, path, stated, headers = question
    own = {"code": code, **({"display": display} if display is not None else {})}
    if method == "GET":
        query = urlencode({**stated, **own}, doseq=True, quote_via=quote)
        return client.get(f"{path}?{query}", headers=headers)
    beside = {name: value for name, value in stated.items() if name not in ("system", "as")}
    coding = {"system": stated["system"], **own} if "system" in stated else own
    concept = {"coding": [coding], "text": "as said"}
    sent = {"coding": {"coding": coding}, "concept": {"codeableConcept": concept}, "code": coding}[stated["as"]]
    return client.post(path, parameters(**beside, **sent), headers=headers)


SPOKEN = st.sampled_from(
    ({}, {}, {}, {"Accept-Language": "de"}, {"Accept-Language": "en"}, {"Prefer": "handling=strict"})
)
VERSIONS = st.sampled_from((None, None, "1", "2"))


def stating(**named: Any) -> dict[str, Any]:
    return {name: value for name, value in named.items() if value is not None}


LOOKUPS = st.builds(
    lambda system, version, wanted, more, headers: (
        "GET",
        "CodeSystem/$lookup",
        stating(system=system, version=version, property=wanted, **more),
        headers,
    ),
    st.sampled_from((*SYSTEMS, "urn:none")),
    VERSIONS,
    st.sampled_from((None, None, ["p"], ["parent", "child"], ["designation"], ["*"], ["none"])),
    st.sampled_from(({}, {}, {"displayLanguage": "de"}, {"date": "2024-01-01"}, {"useSupplement": GERMAN["url"]})),
    SPOKEN,
)
MORE = st.sampled_from(
    (
        *({},) * 4,
        {"abstract": "false"},
        {"activeOnly": "true"},
        {"lenient-display-validation": "true"},
        {"displayLanguage": "de"},
        {"date": "2024-01-01"},
        {"useSupplement": GERMAN["url"]},
        {"inferSystem": "true"},
        {"_format": "xml"},
        {"_pretty": "true", "_unheard": "of"},
        {"unheard": "of"},
        {"system-version": f"{SYSTEMS[0]}|1"},
    )
)
IN_SYSTEM = st.builds(
    lambda url, version, more, headers: (
        "GET",
        "CodeSystem/$validate-code",
        stating(url=url, version=version, **more),
        headers,
    ),
    st.sampled_from((*SYSTEMS, "urn:none")),
    VERSIONS,
    MORE,
    SPOKEN,
)
IN_VALUE_SET = st.builds(
    lambda method, url, system, form, more, headers: (
        method,
        "ValueSet/$validate-code",
        stating(url=url, system=system, **({"as": form} if method == "POST" else more)),
        headers,
    ),
    st.sampled_from(("GET", "POST")),
    st.sampled_from((*VALUE_SETS, f"{SYSTEMS[0]}?fhir_vs", "urn:none")),
    st.sampled_from((*SYSTEMS, f"{SYSTEMS[0]}|1", None)),
    st.sampled_from(("coding", "concept", "code")),
    MORE,
    SPOKEN,
)
CODED = st.sampled_from((*CODES, *CODES, "A", "none", "a b", " a"))
DISPLAYS = st.sampled_from((None, None, None, "Display a", "Display b", "Anzeige a", "", "none"))


@settings(phases=[Phase.generate], max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    worlds(),
    st.booleans(),
    st.booleans(),
    st.lists(st.one_of(LOOKUPS, IN_SYSTEM, IN_VALUE_SET), min_size=2, max_size=5),
    st.lists(st.tuples(CODED, DISPLAYS), min_size=3, max_size=8),
    st.sampled_from(("r4", "r5")),
)
def test_a_kept_question_answers_as_the_whole_way(
    world: tuple[list[Json], list[Json]],
    filed: bool,
    german: bool,
    questions: list[Question],
    coded: list[tuple[str, str | None]],
    version: str,
) -> None:
    systems, made = [translated(each) for each in world[0]], world[1]
    with TemporaryDirectory() as folder:
        held = as_files(systems, Path(folder)) if filed else systems
        client = Client(served([*held, *made, *([GERMAN] if german else [])]), version, echoes=True)
        for question in (each for drawn in questions for each in related(drawn)):
            for code, display in coded:
                kept = told(ask(client, question, code, display))
                with the_whole_way():
                    assert kept == told(ask(client, question, code, display))


def translated(system: Json) -> Json:
    """With a German name for each concept."""
    named = [
        {**each, "designation": [{"language": "de", "value": f"Anzeige {each['code']}"}]} for each in system["concept"]
    ]
    return {**system, "concept": named}


def related(question: Question) -> Iterator[Question]:
    """The question, and others that differ from it in one thing."""
    method, path, stated, headers = question
    yield question
    yield method, path, stated, {"Accept-Language": "de"}
    for name in ("system", "url"):
        if name in stated:
            yield method, path, {**stated, name: SYSTEMS[1]}, headers


CONTENT = (
    code_system(concept("a", display="A&B=ü"), concept("b", display="B", parent="a"), concept("c+c"), version="1"),
    value_set(include()),
)
SYSTEM, VALUE_SET = CONTENT[0]["url"], CONTENT[1]["url"]
PATHS = (
    f"CodeSystem/$lookup?system={SYSTEM}&",
    f"CodeSystem/$validate-code?url={SYSTEM}&",
    f"ValueSet/$validate-code?system={SYSTEM}&url={VALUE_SET}&",
)
ENDINGS = (
    "code=a", "code=b&display=B", "code=a&display=A%26B%3D%C3%BC", "code=a&display=A%26B%3D%fc", "code=c%2Bc",
    "code=c+c",
    "code=a&code=b", "c%6Fde=b&code=a", "c%6Fde=a", "code=", "code", "code=a&display=", "code=%00", "code=a&_x=%00",
    "code=a&_x=%FF", "code=a&_x=1", "code=%FF", "%5Fformat=xml&code=a", "_format=text/csv&code=a", "&&code=a&&",
    "code=a&coding=x", "code=a&cache-id=none", "code=a&url=urn:none", "code=a&system=urn:none", "code=a&_pretty=true",
    "code=\xc3\xa4", "code=a&display=\xc3\xbc", f"code={'a' * 2000}", "code=a&valueSet=x", "code=%20a", "Code=a",
    "code=a&displayLanguage=de;q=9", "code=a&date=none", "code=a&abstract=perhaps",
    "code=a&property=none&property=child",
)  # fmt: skip


@pytest.fixture(scope="module")
def asked() -> Flask:
    return served(CONTENT)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_awkward_query_strings_mean_what_they_mean_the_whole_way(asked: Flask, path: str, ending: str) -> None:
    client = Client(asked, echoes=True)
    for first in ("code=b", ending, ending):
        kept = told(client.get(path + first))
    with the_whole_way():
        assert kept == told(client.get(path + ending))


def test_the_same_words_to_another_operation_are_another_question(asked: Flask) -> None:
    client = Client(asked)
    replies = [client.get(f"{kind}/$validate-code?url={SYSTEM}&code=a") for kind in ("CodeSystem", "ValueSet")]
    assert [each.status for each in replies] == [200, 404]
    sent = f"system={SYSTEM}&url={SYSTEM}&code=a"
    replies = [client.get(f"{path}?{sent}") for path in ("CodeSystem/$lookup", "CodeSystem/$validate-code")]
    assert [each.status for each in replies] == [200, 400]


CODING = {"system": SYSTEM, "code": "a"}
BODIES: tuple[Any, ...] = (
    *({"codeableConcept": {"coding": [CODING], **more}} for more in ({}, {"text": "x"}, {"text": 1}, {"id": "x"})),
    *({"codeableConcept": each} for each in ({}, {"coding": []}, {"coding": [CODING, CODING]}, {"coding": CODING})),
    *(
        {"coding": {**CODING, **more}}
        for more in ({"version": "1"}, {"display": 5}, {"code": ""}, {"userSelected": True})
    ),
    {"coding": CODING, "codeableConcept": {"coding": [CODING]}},
    {"code": "a", "system": SYSTEM},
    {"code": "a", "system": SYSTEM, "coding": CODING},
    {"code": "a", "system": 5},
    {"code": True, "system": SYSTEM},
    {"coding": CODING, "abstract": "false"},
    {"coding": CODING, "tx-resource": CONTENT[0]},
    {"coding": CODING, "x": {"coding": [CODING]}},
)


@pytest.mark.parametrize("path", ["CodeSystem/$validate-code", "ValueSet/$validate-code", "CodeSystem/$lookup"])
@pytest.mark.parametrize("body", BODIES, ids=str)
@pytest.mark.parametrize("version", ["r4", "r5"])
def test_awkward_bodies_mean_what_they_mean_the_whole_way(asked: Flask, path: str, body: Json, version: str) -> None:
    client = Client(asked, version, echoes=True)
    named = {} if path.endswith("lookup") else {"url": VALUE_SET if path.startswith("ValueSet") else SYSTEM}
    sent = json.dumps(parameters(**named, **body))
    others = (sent.replace('"a"', '"b"'), sent.replace(f'"system": "{SYSTEM}"', '"system": "urn:x"'))
    for each in (sent, *others, f'{{"id": "x", {sent[1:]}', sent):
        kept = told(client.post(path, each))
        with the_whole_way():
            assert kept == told(client.post(path, each))


@pytest.mark.parametrize("name", [{"a": 1}, ["code"], 5, None])
def test_a_parameter_whose_name_is_no_text_is_refused_as_the_whole_way_refuses_it(asked: Flask, name: Any) -> None:
    client = Client(asked, "r5")
    entries = [{"name": "url", "valueUri": SYSTEM}, {"name": name, "valueCode": "a"}]
    body = {"resourceType": "Parameters", "parameter": entries}
    kept = told(client.post("CodeSystem/$validate-code", body))
    with the_whole_way():
        assert kept == told(client.post("CodeSystem/$validate-code", body))
    assert kept[0] == 400


@pytest.mark.parametrize("path", PATHS)
def test_the_second_code_is_answered_without_the_whole_way(
    asked: Flask, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(asked)
    client.get(f"{path}code=b")
    resource, _, name = path.partition("?")[0].partition("/$")
    monkeypatch.setattr("terminology.service.State.call", None)
    assert client.get(f"{path}code=a&_x=1").parameter("display") == "A&B=ü"
    assert BY_NAME[resource, name].ready


def test_a_codeable_concept_is_answered_without_the_whole_way(asked: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(asked)
    coded = [{"coding": [{"system": SYSTEM, "code": code}], "text": code} for code in ("b", "a")]
    client.post("ValueSet/$validate-code", parameters(url=VALUE_SET, codeableConcept=coded[0]))
    monkeypatch.setattr("terminology.service.State.call", None)
    found = client.post("ValueSet/$validate-code", parameters(url=VALUE_SET, codeableConcept=coded[1]))
    assert found.parameter("codeableConcept") == coded[1]


def test_questions_are_bounded(asked: Flask) -> None:
    endpoint_of_before: list[Questions] = []
    answer = Questions.answer
    with patch.object(
        Questions, "answer", lambda self, *given: (endpoint_of_before.append(self), answer(self, *given))[1]
    ):
        for number in range(2 * KEPT):
            Client(asked, echoes=True).get(f"{PATHS[0]}code=a&unheard={number}")
    assert 0 < len(endpoint_of_before[0]._kept[1]) <= KEPT
