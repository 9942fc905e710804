"""Language tags: which are valid, what they are called, and a registry that the operator loads."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from engine.asking import call, value_set
from hypothesis import given
from hypothesis import strategies as st

import codesystems
from codesystems.bcp_47 import BCP_47, SUBTAGS, Published, _record, grammar, loaded, parse
from terminology import Terminology
from terminology.cli import group
from terminology.model import Canonical, CodeSystemInfo, Concept, Miss, Property
from terminology.providers.memory import MemoryProvider

TAGS = json.loads((Path(__file__).resolve().parent / "tags.json").read_text(encoding="utf-8"))
URL = "urn:ietf:bcp:47"


def imported() -> MemoryProvider:
    """The registry as `terminology import iana` holds it, cut down to what the table asks for."""
    source = Path(codesystems.__file__).parent / "sources/language-subtag-registry.txt.gz"
    concepts, extended = {}, {}
    for text in gzip.decompress(source.read_bytes()).decode().split("\n%%\n")[1:]:
        kind, code = (line.partition(": ")[2] for line in text.split("\n", 2)[:2])
        held = _record(code, text)
        if kind == "extlang":
            extended[code] = held.prefixes
            continue
        stated = [("type", kind), ("deprecated", held.deprecated), ("preferred-value", held.preferred)]
        stated += [("prefix", prefix) for prefix in held.prefixes]
        properties = tuple(Property(name, "Code", value) for name, value in stated if value)
        concepts[code] = Concept(code, display=held.names[0], properties=properties)
    for code, prefixes in extended.items():
        known = concepts[code]
        more = tuple(Property("extlang-prefix", "Code", prefix) for prefix in prefixes)
        concepts[code] = Concept(code, display=known.display, properties=known.properties + more)
    return MemoryProvider(CodeSystemInfo(Canonical(SUBTAGS, "2099-01-01")), tuple(concepts.values()))


@pytest.fixture(scope="module", params=["published", "loaded"])
def tags(request):
    return BCP_47 if request.param == "published" else grammar("2099-01-01", loaded(imported()))


@pytest.mark.parametrize(("code", "expected"), TAGS["valid"].items())
def test_a_valid_tag_has_a_canonical_case_and_a_name(tags, code, expected):
    found = tags.find(code)
    assert isinstance(found, Concept)
    assert [found.code, found.display] == expected


@pytest.mark.parametrize(("code", "reason"), TAGS["refused"].items())
def test_any_other_says_why_it_is_none(tags, code, reason):
    missed = tags.find(code)
    assert isinstance(missed, Miss)
    assert [each.message_id for each in missed.issues] == [reason]


@pytest.mark.parametrize(("code", "preferred"), TAGS["preferred"].items())
def test_what_to_write_instead(code, preferred):
    stated = [each.value for each in BCP_47.find(code).properties if each.code == "preferred-value"]
    assert stated == ([preferred] if preferred else [])


@pytest.mark.parametrize("code", TAGS["inactive"])
def test_deprecated_tags_are_inactive(tags, code):
    found = tags.find(code)
    assert found.inactive
    assert any(each.code == "deprecated" for each in found.properties)


def test_every_registered_subtag_makes_a_tag():
    for kind, code in Published()._records:
        tag = {"language": code, "tag": code, "script": f"de-{code}", "region": f"de-{code}", "variant": f"de-{code}"}
        if ".." not in code and kind in tag:
            assert isinstance(BCP_47.find(tag[kind]), Concept), (kind, code)


@given(
    st.from_regex(
        r"[a-zA-Z]{2,3}(-[a-zA-Z]{4})?(-[a-zA-Z]{2})?(-[0-9][a-z]{3})?(-u-[a-z]{2})?(-x-[a-z]{1,8})?", fullmatch=True
    )
)
def test_what_was_read_is_written_again(code):
    tag = parse(code)
    assert str(tag).lower() == code.lower()
    assert parse(str(tag)) == tag


@given(st.text(max_size=30) | st.text("dezhx-HansU0159", max_size=30))
def test_no_text_is_too_odd_to_be_judged(text):
    assert isinstance(BCP_47.find(text), (Concept, Miss))


# --- as the engine asks -------------------------------------------------------------------------------------------


def judged(code, *resources, url=None):
    if url:
        answer = call("ValueSet/$validate-code", *resources, installed=True, url=url, system=URL, code=code)
    else:
        answer = call("CodeSystem/$validate-code", installed=True, url=URL, code=code)
    return {each["name"]: next(v for k, v in each.items() if k != "name") for each in answer["parameter"]}


def test_another_case_is_told():
    answer = judged("DE-ch")
    assert answer["result"] is True
    assert answer["normalized-code"] == "de-CH"
    ids = [each["extension"][0]["valueString"] for each in answer["issues"]["issue"]]
    assert ids == ["CODE_CASE_DIFFERENCE"]


def test_a_deprecated_tag_is_told_to_be_inactive():
    assert judged("iw")["inactive"] is True


@pytest.mark.parametrize(
    ("filters", "inside", "outside"),
    [
        ([("language", "=", "de")], "de-CH", "fr"),
        ([("region", "=", "ch")], "de-CH", "de-DE"),
        ([("script", "exists", "true")], "zh-Hant", "zh"),
        ([("region", "in", "CH,AT")], "de-AT", "de-DE"),
        ([("ext-lang", "exists", "true")], "zh-yue", "yue"),
        ([("extension", "exists", "true")], "de-u-co-phonebk", "de"),
        ([("private-use", "exists", "false")], "de", "de-x-a"),
        # the value set of US Core's simple-language
        (
            [(name, "exists", "false") for name in ("ext-lang", "script", "variant", "extension", "private-use")],
            "en-US",
            "zh-Hans",
        ),
    ],
)
def test_hl7s_filters(filters, inside, outside):
    stated = [{"property": name, "op": op, "value": value} for name, op, value in filters]
    tagged = value_set({"system": URL, "filter": stated})
    assert judged(inside, tagged, url=tagged["url"])["result"] is True
    assert judged(outside, tagged, url=tagged["url"])["result"] is False


def test_all_languages():
    assert judged("de-CH", url="http://hl7.org/fhir/ValueSet/all-languages")["result"] is True
    assert judged("de-ZY", url="http://hl7.org/fhir/ValueSet/all-languages")["result"] is False


def test_a_registry_that_the_operator_loads_takes_its_place():
    renewed = BCP_47.renewed(imported())
    assert BCP_47.source == SUBTAGS
    assert renewed.info.canonical == Canonical(URL, "2099-01-01")
    assert isinstance(renewed.find("de-CH"), Concept)


def test_what_the_operator_imports_is_used_at_once(tmp_path):
    """`terminology import iana` makes a code system of subtags; the tags follow from it."""
    source = Path(codesystems.__file__).parent / "sources/language-subtag-registry.txt.gz"
    newer = gzip.decompress(source.read_bytes()).decode().replace("File-Date: 2021-08-06", "File-Date: 2099-01-01")
    newer = newer.replace("%%\n", "%%\nType: language\nSubtag: xx\nDescription: Newish\nAdded: 2099-01-01\n%%\n", 1)
    file = tmp_path / "language-subtag-registry.txt"
    file.write_text(newer, encoding="utf-8")
    run = CliRunner().invoke(group, ["import", "iana", str(file), "--data-dir", str(tmp_path / "data")])
    assert run.exit_code == 0, run.output
    service = Terminology(data_dir=str(tmp_path / "data"))
    found = service.lookup(URL, "xx-CH")
    assert (found.display, found.version) == ("Newish (Switzerland)", "2099-01-01")
    assert service.lookup(URL, "zh-yue").property("preferred-value") == "yue"
    assert not service.validate_code("xx", URL, version="2021-08-06").result
