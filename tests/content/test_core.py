"""FHIR's own code systems and value sets: what was taken, that it is read one by one, and who sees which version."""

import gzip
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fhir_models import parsed

from codesystems import core
from terminology import discovery, shelves
from terminology.discovery import published
from terminology.model import FHIR_VERSIONS, Canonical, Concept, Counted, Miss, Query, Tree
from terminology.service import Terminology, create_app
from terminology.settings import Settings
from terminology.shelves import Shelf
from terminology.wire.r4 import to_r4

FOLDER = Path(core.__file__).parent
MANIFEST = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
FILES = {fhir: FOLDER / f"fhir-{fhir.lower()}.jsonl.gz" for fhir in FHIR_VERSIONS}
GENDER = "http://hl7.org/fhir/administrative-gender"
GENDERS = "http://hl7.org/fhir/ValueSet/administrative-gender"


def lines(fhir: str) -> list[Any]:
    return [json.loads(line) for line in gzip.decompress(FILES[fhir].read_bytes()).splitlines()]


RESOURCES = {fhir: lines(fhir)[1:] for fhir in FILES}
SHELVES = {shelf.fhir: shelf for shelf in core.published()}
both = pytest.mark.parametrize("fhir", sorted(FILES))


def concepts(nested: list[Any]) -> Iterator[dict[str, Any]]:
    for concept in nested:
        yield concept
        yield from concepts(concept.get("concept", []))


# -- what was taken ------------------------------------------------------------------------------------------


@both
def test_the_manifest_counts_what_is_there(fhir):
    """The counts are those of the files, and the counts we know."""
    kinds = Counter(each["resourceType"] for each in RESOURCES[fhir])
    held = sum(len(list(concepts(each.get("concept", [])))) for each in RESOURCES[fhir])
    stated = MANIFEST[fhir]
    assert {**kinds, "concepts": held} == {each: stated[each] for each in ("CodeSystem", "ValueSet", "concepts")}
    known = {"R4": (255, 520, 1911), "R5": (419, 628, 3480)}
    assert (kinds["CodeSystem"], kinds["ValueSet"], held) == known[fhir]
    assert stated["version"] == FHIR_VERSIONS[fhir]
    assert stated["licence"].startswith("CC0-1.0")


@both
def test_everything_is_of_the_specification_and_of_its_version(fhir):
    """Urls of HL7's, complete, in the version of the specification, each type and id once."""
    assert all(each["url"].startswith("http://hl7.org/fhir/") for each in RESOURCES[fhir])
    assert {each["version"] for each in RESOURCES[fhir]} == {FHIR_VERSIONS[fhir]}
    assert {each.get("content", "complete") for each in RESOURCES[fhir]} == {"complete"}
    assert max(Counter((each["resourceType"], each["id"]) for each in RESOURCES[fhir]).values()) == 1
    assert max(Counter((each["resourceType"], each["url"]) for each in RESOURCES[fhir]).values()) == 1


@both
def test_nothing_of_others_was_taken(fhir):
    """No copyright but HL7's, and no code listed of a system that is neither HL7's nor of the internet."""
    claimed = {each["copyright"] for each in RESOURCES[fhir] if "copyright" in each}
    words = {"HL7 International.", "HL7 Inc.", "This is an example set.", "This is an extensible set.", "FHIR"}
    words |= {"Creative Commons 0", "This is a value set of representative Activity Type codes.", "TBD"}
    assert claimed <= words
    parts = [part for each in RESOURCES[fhir] for part in each.get("compose", {}).get("include", [])]
    ours = ("http://hl7.org/fhir/", "http://terminology.hl7.org/", "urn:ietf:")
    assert [part["system"] for part in parts if "concept" in part and not part["system"].startswith(ours)] == []
    text = gzip.decompress(FILES[fhir].read_bytes()).decode()
    assert [name for name in ("American Medical", "IHTSDO", "Regenstrief", "NEMA", "ICCBBA") if name in text] == []


@both
def test_every_resource_is_valid(fhir):
    """As the version of its specification has it, and R4's also in R5 form."""
    for each in RESOURCES[fhir]:
        known = without_extended_values(each)
        parsed(known, "5.0")
        if fhir == "R4":
            parsed(to_r4(known), "4.0")


def without_extended_values(node: Any) -> Any:
    """fhir.resources does not know extensions of an extension's value (``_valueCode``), which FHIR has."""
    if isinstance(node, list):
        return [without_extended_values(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {key: without_extended_values(each) for key, each in node.items() if not key.startswith("_value")}


@both
def test_the_files_stay_small(fhir):
    """Less than 300 kB each, and nothing in them tells when they were made."""
    data = FILES[fhir].read_bytes()
    assert len(data) < 300_000
    assert data[4:8] == bytes(4)


# -- reading one by one --------------------------------------------------------------------------------------


@both
def test_a_shelf_gives_what_the_file_holds(fhir):
    """Each head leads to its resource, of which it is a part."""
    shelf = SHELVES[fhir]
    assert isinstance(shelf, Shelf)
    heads = list(shelf.heads())
    assert [shelf.read(head["resourceType"], head["id"]) for head in heads] == RESOURCES[fhir]
    assert all(head.items() <= whole.items() for head, whole in zip(heads, RESOURCES[fhir], strict=True))
    with pytest.raises(KeyError):
        shelf.read("CodeSystem", "nowhere")


@both
def test_a_read_resource_is_the_callers_own(fhir):
    """Changing it changes nobody else's."""
    SHELVES[fhir].read("CodeSystem", "administrative-gender")["url"] = "changed"
    assert SHELVES[fhir].read("CodeSystem", "administrative-gender")["url"] == GENDER


@both
def test_what_a_head_says_is_what_the_whole_says(fhir):
    """Metadata and search look at heads alone, so they must say the same."""
    for head in SHELVES[fhir].heads():
        if head["resourceType"] == "CodeSystem":
            whole = SHELVES[fhir].read("CodeSystem", head["id"])
            info = shelves.CodeSystemOnShelf(head, lambda whole=whole: whole).info
            assert shelves.CodeSystemOnShelf({**whole, "copyright": head.get("copyright")}, dict).info == info


@dataclass
class Counting:
    """A shelf of a stranger's package that counts what is asked of it."""

    fhir: Any = None
    headed: int = 0
    taken: list[str] = field(default_factory=list)

    def heads(self) -> Iterator[dict[str, Any]]:
        self.headed += 1
        for name in ("one", "two"):
            url, status = f"http://example.org/{name}", "active"
            yield {"resourceType": "CodeSystem", "id": name, "url": url, "content": "complete", "status": status}
            yield {"resourceType": "ValueSet", "id": name, "url": f"{url}/vs", "status": status}

    def read(self, kind: str, identity: str) -> dict[str, Any]:
        self.taken.append(f"{kind}/{identity}")
        head = next(each for each in self.heads() if (each["resourceType"], each["id"]) == (kind, identity))
        self.headed -= 1
        if kind == "ValueSet":
            return {**head, "compose": {"include": [{"system": f"http://example.org/{identity}"}]}}
        return {**head, "concept": [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]}


def test_nothing_is_read_before_it_is_asked_for():
    """Making the catalog reads nothing; listing reads heads; a code system is read once, with its first code."""
    shelf = Counting()
    catalog = published(Settings(installed_content=False), "R4", [shelf])
    assert (shelf.headed, shelf.taken) == (0, [])
    assert catalog.urls() == {"http://example.org/one", "http://example.org/two"}
    assert [identity for identity, _ in catalog.listed("CodeSystem")] == ["one", "two"]
    provider = catalog.code_system("http://example.org/one")
    assert provider is catalog.code_system("http://example.org/one")
    assert provider.info.canonical == Canonical("http://example.org/one")
    assert (shelf.headed, shelf.taken) == (1, [])
    assert isinstance(provider.find("a"), Concept)
    assert isinstance(provider.find("z"), Miss)
    assert [each.code for each in provider.select(Query())] == ["a", "b", "c"]
    assert provider.subsumes("a", "c") is None
    assert (provider.parents("b"), provider.children("a"), provider.ancestors("b")) == (("a",), ("b",), {"a"})
    assert (isinstance(provider, Tree), isinstance(provider, Counted)) == (True, True)
    assert (provider.descendants("a"), provider.count(Query())) == ({"b"}, 3)
    assert shelf.taken == ["CodeSystem/one"]
    assert catalog.value_set("http://example.org/two/vs") is catalog.value_set("http://example.org/two/vs")
    assert shelf.taken == ["CodeSystem/one", "ValueSet/two"]


def test_what_is_not_on_a_shelf_is_not_read():
    """An unknown url or id costs a look at the heads."""
    shelf = Counting()
    catalog = published(Settings(installed_content=False), "R4", [shelf])
    assert catalog.code_system("http://example.org/three") is None
    assert catalog.value_set("http://example.org/one") is None
    assert catalog.find_resource("CodeSystem", "three") is None
    assert catalog.find_resource("ConceptMap", "one") is None
    assert (shelf.headed, shelf.taken) == (1, [])


@pytest.mark.parametrize(("of", "seen"), [(None, True), ("R4", True), ("R5", False)])
def test_a_shelf_is_seen_by_readers_of_its_version(of, seen):
    """A shelf of one FHIR version is not there for the other; one of none is there for both."""
    catalog = published(Settings(installed_content=False), "R4", [Counting(of)])
    assert (catalog.code_system("http://example.org/one") is not None) == seen


def test_threads_that_ask_at_once_get_one_provider():
    """However many ask first, all hold the same code system."""
    catalog = published(Settings(installed_content=False), "R4", list(core.published()))
    start, got = threading.Barrier(8), list[Any]()

    def ask() -> None:
        start.wait()
        provider = catalog.code_system(GENDER)
        got.append((provider, provider.find("male").display))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(got) == {(catalog.code_system(GENDER), "Male")}
    assert len(got) == 8


# -- in the service ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client():
    return create_app().test_client()


def parameters(answer: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: next((v for k, v in each.items() if k != "name"), None) for each in answer["parameter"]}


@both
def test_an_endpoint_answers_in_its_own_version(client, fhir):
    """4.0.1 on the R4 endpoint, 5.0.0 on the R5 endpoint: lookup, validation and expansion."""
    base, version = f"/fhir/{fhir.lower()}", FHIR_VERSIONS[fhir]
    looked = parameters(client.get(f"{base}/CodeSystem/$lookup?system={GENDER}&code=other").get_json())
    assert (looked["version"], looked["display"]) == (version, "Other")
    query = f"url={GENDERS}&system={GENDER}&code=male"
    judged = parameters(client.get(f"{base}/ValueSet/$validate-code?{query}").get_json())
    assert (judged["result"], judged["version"]) == (True, version)
    expansion = client.get(f"{base}/ValueSet/$expand?url={GENDERS}").get_json()["expansion"]
    assert [each["code"] for each in expansion["contains"]] == ["male", "female", "other", "unknown"]
    used = [each["valueUri"] for each in expansion["parameter"] if each["name"] == "used-codesystem"]
    assert used == [f"{GENDER}|{version}"]


@both
def test_search_and_read_find_them(client, fhir):
    """By url, by name, in the list and by id; what is found is whole."""
    base = f"/fhir/{fhir.lower()}"
    found = client.get(f"{base}/CodeSystem?url={GENDER}").get_json()
    assert found["total"] == 1
    whole = found["entry"][0]["resource"]
    assert [each["code"] for each in whole["concept"]] == ["male", "female", "other", "unknown"]
    assert client.get(f"{base}/CodeSystem/administrative-gender").get_json() == whole
    named = client.get(f"{base}/ValueSet?name=administrativegender&_summary=true").get_json()
    assert [each["resource"]["url"] for each in named["entry"]] == [GENDERS]
    total = client.get(f"{base}/ValueSet?_count=0").get_json()["total"]
    assert total >= MANIFEST[fhir]["ValueSet"]


class Closed(core.Shelf):
    """A shelf of which nobody may read more than the heads. A class of its own: that of the other tests stays as it is,
    for their threads and their catalogs too."""

    def read(self, kind: str, identity: str) -> dict[str, Any]:
        pytest.fail(f"{kind}/{identity} was read")


@both
def test_capabilities_list_them_without_reading_one(fhir):
    """Metadata is made from heads."""
    closed = tuple(Closed(version, path) for version, path in FILES.items())
    listed = (
        create_app({"core_content": False, "content": closed})
        .test_client()
        .get(f"/fhir/{fhir.lower()}/metadata?mode=terminology")
        .get_json()
    )
    versions = {each["uri"]: [version.get("code") for version in each["version"]] for each in listed["codeSystem"]}
    assert versions[GENDER] == [FHIR_VERSIONS[fhir]]
    assert list(versions.values()).count([FHIR_VERSIONS[fhir]]) == MANIFEST[fhir]["CodeSystem"]


def test_the_setting_turns_them_off():
    """Without ``core_content`` FHIR's own systems are unknown and the others stay."""
    catalog = published(Settings(core_content=False), "R5")
    assert catalog.code_system(GENDER) is None
    assert catalog.code_system("http://www.ama-assn.org/go/cpt")
    assert published(Settings(), "R5").code_system(GENDER)
    assert discovery.CORE in {name for name, _ in discovery._installed()}


def test_an_operators_own_copy_lies_over_them():
    """Who loads the same url and version gets what was loaded."""
    own = {"resourceType": "CodeSystem", "id": "own", "url": GENDER, "version": "5.0.0", "status": "active"}
    catalog = published(Settings(), "R5", [{**own, "content": "complete", "concept": [{"code": "mine"}]}])
    assert [each.code for each in catalog.code_system(GENDER).select(Query())] == ["mine"]


def test_start_reads_nothing():
    """A worker that starts has not opened a file of theirs, nor imported what only they need."""
    program = (
        "import sys, terminology, terminology.discovery as d;"
        "app = terminology.create_app();"
        "app.extensions['terminology']['/fhir'].catalog('R4');"
        "offers = dict(d._installed())['fhir-core'];"
        "sys.exit(any('_index' in vars(shelf) for shelf in offers))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# -- other names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("urn:oid:2.16.840.1.113883.6.12", "http://www.ama-assn.org/go/cpt"),
        ("urn:oid:2.16.840.1.113883.6.4", "http://www.cms.gov/Medicare/Coding/ICD10"),
        ("http://terminology.hl7.org/CodeSystem/icd10PCS", "http://www.cms.gov/Medicare/Coding/ICD10"),
        ("urn:oid:2.16.840.1.113883.6.90", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("http://terminology.hl7.org/CodeSystem/icd10CM", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("urn:oid:2.16.840.1.113883.6.104", "http://hl7.org/fhir/sid/icd-9-cm"),
    ],
)
def test_another_identifier_names_the_url(sent, meant):
    """Who sends an OID is answered by the url that is known here, and told so; a bare OID is only suggested the url."""
    validation = Terminology().validate_code("38232", sent)
    assert validation.system == meant
    assert any(meant in each.arguments for each in validation.issues if each.message_id == "OWN_OTHER_NAME")
    bare = Terminology().validate_code("38232", sent.removeprefix("urn:oid:"))
    if bare.system != meant:
        assert bare.result is False
        assert [each.suggestion.system for each in bare.issues if each.suggestion] == [meant]
