"""What is published about bone marrow harvest: its shape, its words, its sources and its bounds."""

import datetime as dt
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir_models import parsed

import codesystems
import conceptmaps
import valuesets
from terminology.service import Terminology
from terminology.wire.r4 import from_r4, to_r4

ROOT = Path(__file__).resolve().parents[2]
BASE = codesystems.CANONICAL_BASE
CPT = "http://www.ama-assn.org/go/cpt"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
OWN = f"{BASE}/CodeSystem/bone-marrow-harvest"
VALUES = f"{BASE}/CodeSystem/bone-marrow-harvest-value"
ORIGIN = f"{BASE}/CodeSystem/label-origin"
FACTS = f"{BASE}/CodeSystem/cpt-bone-marrow-harvest-facts"
LANG_PACK = "http://hl7.org/fhir/StructureDefinition/codesystem-supplement-type"
YEARS = [str(year) for year in range(2011, 2027)]


def resources() -> list[dict[str, Any]]:
    packages = (codesystems, valuesets, conceptmaps)
    held = [each for package in packages for each in package.published()]
    return [as_resource(each) for each in held if isinstance(each, (dict, Path))]


def as_resource(published: Path | dict[str, Any]) -> dict[str, Any]:
    return published if isinstance(published, dict) else json.loads(published.read_text(encoding="utf-8"))


PUBLISHED = resources()
CODE_SYSTEMS = [each for each in PUBLISHED if each["resourceType"] == "CodeSystem"]
VALUE_SETS = [each for each in PUBLISHED if each["resourceType"] == "ValueSet"]
CONCEPT_MAPS = [each for each in PUBLISHED if each["resourceType"] == "ConceptMap"]
FRAGMENTS = [each for each in CODE_SYSTEMS if each["url"] == CPT]
SUPPLEMENTS = [each for each in CODE_SYSTEMS if each["content"] == "supplement"]
LABELS = [each for each in SUPPLEMENTS if each["url"] != FACTS]


def name(resource: dict[str, Any]) -> str:
    return resource["id"]


def concepts(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for concept in of.get("concept", []):
        yield concept
        yield from concepts(concept)


def code_system(url: str, version: str | None = None) -> dict[str, Any]:
    (found,) = [s for s in CODE_SYSTEMS if s["url"] == url and version in (None, s.get("version"))]
    return found


def codes(of: dict[str, Any]) -> set[str]:
    return {concept["code"] for concept in concepts(of)}


def stated(concept: dict[str, Any], prop: str) -> list[Any]:
    """The values of a property; of a Coding the code."""
    values = [next(v for k, v in p.items() if k != "code") for p in concept["property"] if p["code"] == prop]
    return [value["code"] if isinstance(value, dict) else value for value in values]


def concept_of(system: dict[str, Any], code: str) -> dict[str, Any]:
    (found,) = [concept for concept in concepts(system) if concept["code"] == code]
    return found


def texts(node: Any) -> Iterator[str]:
    match node:
        case str():
            yield node
        case dict():
            for value in node.values():
                yield from texts(value)
        case list():
            for value in node:
                yield from texts(value)


# -- every resource ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resource", PUBLISHED, ids=name)
def test_is_valid_in_both_fhir_versions(resource):
    """What is stored parses as R5, and what the server makes of it for R4 parses as R4 and loses nothing."""
    parsed(resource, "5.0")
    parsed(to_r4(resource), "4.0")
    assert from_r4(to_r4(resource)) == resource


@pytest.mark.parametrize("resource", PUBLISHED, ids=name)
def test_says_who_published_what_and_when(resource):
    """Each resource has what the Shareable profiles ask for: url, name, title, status, publisher …"""
    for element in (
        "id",
        "url",
        "name",
        "title",
        "status",
        "date",
        "publisher",
        "contact",
        "description",
        "copyright",
    ):
        assert resource[element]
    assert isinstance(resource["experimental"], bool)
    assert re.fullmatch(r"[A-Z]\w{1,254}", resource["name"])
    assert re.fullmatch(r"[A-Za-z0-9\-.]{1,64}", resource["id"])
    assert resource["status"] == "active"
    assert "{" not in json.dumps(list(texts(resource)))


def test_nothing_is_published_twice():
    """A url and version, and a type and id, name one resource."""
    assert max(Counter((each["url"], each.get("version")) for each in PUBLISHED).values()) == 1
    assert max(Counter((each["resourceType"], each["id"]) for each in PUBLISHED).values()) == 1
    assert max(Counter(each["name"] for each in PUBLISHED).values()) == 1


def test_every_system_but_icd_9_cm_has_a_version():
    """Only the code of ICD-9-CM was not checked against one release, so only it names none."""
    assert [each["id"] for each in PUBLISHED if "version" not in each] == ["icd-9-cm-procedures"]


@pytest.mark.parametrize(
    ("day", "judged"), [("2002-10-15", False), ("2002-10-16", True), ("2015-09-30", True), ("2015-10-01", False)]
)
def test_icd_9_cm_is_judged_on_the_days_on_which_it_was_the_standard(day, judged):
    """By 45 CFR 162.1002; of other days nothing is said."""
    found = Terminology().validate_code("41.91", "http://hl7.org/fhir/sid/icd-9-cm", date=day)
    assert (found.judged, found.result, found.refuted) == (judged, judged, False)


def test_own_canonicals_begin_with_the_one_base():
    """Every address of ours, in resources and in the definitions of extensions, is below the base."""
    definitions = [json.loads(p.read_text()) for p in (ROOT / "docs" / "structuredefinitions").glob("*.json")]
    ours = [text for text in texts([PUBLISHED, definitions]) if re.match(r"https?://[^/]*fhir-terminology", text)]
    assert ours
    assert [text for text in ours if not text.startswith(f"{BASE}/")] == []


def test_extensions_of_ours_are_defined():
    """Each own extension that a resource carries has a StructureDefinition, valid in both versions."""
    definitions = [json.loads(p.read_text()) for p in (ROOT / "docs" / "structuredefinitions").glob("*.json")]
    for definition in definitions:
        parsed(definition, "5.0")
        parsed(definition, "4.0")
    used = {e["url"] for each in PUBLISHED for e in each.get("extension", []) if e["url"].startswith(BASE)}
    names = ("displays-not-held", "message-id", "no-subsumption", "suggested-coding")
    assert {d["url"] for d in definitions} == {f"{BASE}/StructureDefinition/{each}" for each in names} > used


def test_published_files_come_in_a_stable_order_and_are_fresh():
    """Two calls publish equal resources in the same order, and a caller cannot spoil the next one's."""
    first = resources()
    first[-1]["url"] = first[0]["url"] = "changed"
    assert resources() == PUBLISHED


def test_a_dropped_file_is_published(tmp_path, monkeypatch):
    """A newcomer adds a code system, value set or map by putting its JSON file into the folder."""
    for package in (codesystems, valuesets, conceptmaps):
        monkeypatch.setattr(package, "__file__", str(tmp_path / "__init__.py"))
        (tmp_path / "new.json").write_text("{}")
        assert tmp_path / "new.json" in list(package.published())


# -- CPT: fragments ------------------------------------------------------------------------------------------


def test_there_is_a_fragment_for_each_year_from_2011_to_2026():
    """One fragment a year, so that a coding which sends a version validates too."""
    assert [each["version"] for each in FRAGMENTS] == YEARS
    assert [each["id"] for each in FRAGMENTS] == [f"cpt-{year}" for year in YEARS]


def test_release_2011_holds_38230_alone():
    """38232 exists since 2012."""
    assert {each["version"]: codes(each) for each in FRAGMENTS} == {
        year: {"38230"} if year == "2011" else {"38230", "38232"} for year in YEARS
    }


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=name)
def test_a_cpt_fragment_says_what_it_is(fragment):
    """A fragment, case sensitive, for testing, not the AMA's, with its notice, and without a hierarchy."""
    assert (fragment["content"], fragment["caseSensitive"], fragment["experimental"]) == (
        "fragment",
        True,
        True,
    )
    assert "American Medical Association" not in fragment["publisher"]
    assert "not issued by the AMA" in fragment["description"]
    assert all(code in fragment["description"] for code in codes(fragment))
    notice = f"CPT copyright {fragment['version']} American Medical Association. All rights reserved."
    assert fragment["copyright"] == fragment["copyrightLabel"] == notice
    assert "hierarchyMeaning" not in fragment
    assert fragment["effectivePeriod"] == {
        "start": f"{fragment['version']}-01-01",
        "end": f"{fragment['version']}-12-31",
    }
    assert fragment["extension"] == [
        {"url": f"{BASE}/StructureDefinition/{marker}", "valueBoolean": True}
        for marker in ("displays-not-held", "no-subsumption")
    ]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=name)
def test_a_cpt_concept_has_no_words(fragment):
    """No display, definition or designation stands on a CPT code itself."""
    assert {key for concept in concepts(fragment) for key in concept} <= {"code", "property"}


def test_38232_is_valid_from_2012():
    """The first day is stated where 38232 is held, and nothing is claimed about 38230."""
    for fragment in FRAGMENTS[1:]:
        assert stated(concept_of(fragment, "38232"), "valid-from") == ["2012-01-01"]
    assert all("property" not in concept_of(fragment, "38230") for fragment in FRAGMENTS)


# -- CPT: facts ----------------------------------------------------------------------------------------------


def test_a_supplement_comes_once_for_2011_and_once_for_the_later_releases():
    """Of one url, version 2011 names the release of 2011 and version 2012 names none."""
    urls = {each["url"] for each in SUPPLEMENTS}
    assert urls == {
        FACTS,
        *(f"{BASE}/CodeSystem/cpt-bone-marrow-harvest-labels-{x}" for x in ("en", "es", "de", "fr")),
    }
    for url in urls:
        bound = {each["version"]: each["supplements"] for each in SUPPLEMENTS if each["url"] == url}
        assert bound == {"2011": f"{CPT}|2011", "2012": CPT}


def test_a_supplement_only_adds():
    """Its codes are codes of the release, and it states neither display nor definition nor case."""
    for supplement in SUPPLEMENTS:
        assert codes(supplement) == codes(code_system(CPT, supplement["version"]))
        assert {key for c in concepts(supplement) for key in c} <= {"code", "property", "designation"}
        assert "caseSensitive" not in supplement


@pytest.mark.parametrize(
    ("version", "code", "donors"),
    [
        ("2011", "38230", ["self", "other-person"]),
        ("2012", "38230", ["other-person"]),
        ("2012", "38232", ["self"]),
    ],
)
def test_the_donor_is_that_of_the_release(version, code, donors):
    """In 2011 38230 covered both kinds; since 2012 there is one code for each."""
    assert stated(concept_of(code_system(FACTS, version), code), "donor-type") == donors


@pytest.mark.parametrize("code", ["38230", "38232"])
def test_facts_that_both_pages_describe_stand_on_both_codes(code):
    """Cells, position, anaesthesia, site, approach, needle, repeated puncture, purpose and indication."""
    concept = concept_of(code_system(FACTS, "2012"), code)
    for prop, values in {
        "cell-source": ["bone-marrow"],
        "cell-type": ["haematopoietic-progenitor-cell"],
        "matures-into": ["red-blood-cell", "platelet", "white-blood-cell"],
        "patient-position": ["prone"],
        "anaesthesia": ["general-anaesthesia"],
        "site": ["iliac-crest"],
        "approach": ["percutaneous"],
        "purpose": ["transplantation"],
        "indication": ["certain-cancers", "blood-disorders"],
    }.items():
        assert stated(concept, prop) == values
    assert "marrow-needle" in stated(concept, "device")
    assert "repeated-puncture" in stated(concept, "technique")


def test_facts_that_one_page_describes_stand_on_that_code():
    """Volume, other side, cleansing, syringe and redirected needle are stated for 38232 only."""
    facts = code_system(FACTS, "2012")
    own, donor = concept_of(facts, "38232"), concept_of(facts, "38230")
    assert stated(own, "target-volume-litres") == [1.9]
    assert stated(own, "laterality") == ["other-side-may-follow"]
    assert stated(own, "preparation") == ["skin-cleansing"]
    assert stated(own, "device") == ["marrow-needle", "syringe"]
    assert stated(own, "technique") == ["repeated-puncture", "needle-redirected-in-skin"]
    for prop in ("target-volume-litres", "laterality", "preparation"):
        assert stated(donor, prop) == []


def test_the_volume_is_what_the_source_states():
    """The definition of the property names the unit, the source and what is really collected."""
    (volume,) = [p for p in code_system(OWN)["property"] if p["code"] == "target-volume-litres"]
    assert volume["type"] == "decimal"
    assert all(word in volume["description"] for word in ("litres", "quarts", "source states", "1.1 to 1.3", "No rule"))


def test_dates_bound_the_meaning():
    """38232 is valid from 2012-01-01; 38230 changed its meaning on that day and is older."""
    before, after = code_system(FACTS, "2011"), code_system(FACTS, "2012")
    assert stated(concept_of(before, "38230"), "meaning-to") == ["2011-12-31"]
    assert stated(concept_of(after, "38230"), "meaning-from") == ["2012-01-01"]
    assert stated(concept_of(after, "38230"), "valid-from") == []
    assert stated(concept_of(after, "38232"), "valid-from") == ["2012-01-01"]


@pytest.mark.parametrize("code", ["38230", "38232"])
def test_every_fact_names_its_source(code):
    """Each concept states where it was read, and each property's definition names the page."""
    facts = code_system(FACTS, "2012")
    assert f"Coding Ahead, page on CPT {code}, 2026" in stated(concept_of(facts, code), "source")
    silent = [p["code"] for p in facts["property"] if "Source" not in p["description"]]
    assert silent == ["source", "valid-to"]


@pytest.mark.parametrize("system", CODE_SYSTEMS, ids=name)
def test_properties_are_declared_and_typed(system):
    """A property that a concept states is declared, with our uri, and has the declared type."""
    declared = {p["code"]: p for p in system.get("property", [])}
    for prop in declared.values():
        assert prop["uri"] == f"{BASE}/concept-properties#{prop['code']}"
        assert prop["description"]
    for concept in concepts(system):
        for prop in concept.get("property", []):
            (value,) = [key for key in prop if key != "code"]
            kind = declared[prop["code"]]["type"]
            assert value == f"value{kind[0].upper()}{kind[1:]}"
            if kind == "dateTime":
                dt.date.fromisoformat(prop[value])


def test_coded_facts_are_values_of_the_property_that_states_them():
    """A Coding is a value of our own system, on the property for which it was made, with its display."""
    values = {c["code"]: c for c in concepts(code_system(VALUES))}
    seen = set()
    for system in CODE_SYSTEMS:
        for concept in concepts(system):
            for prop in concept.get("property", []):
                if coding := prop.get("valueCoding"):
                    value = values[coding["code"]]
                    seen.add(coding["code"])
                    assert coding == {"system": VALUES, "code": value["code"], "display": value["display"]}
                    assert stated(value, "axis") == [prop["code"]]
    assert seen == set(values)


def test_the_licence_free_concepts_carry_the_same_facts():
    """What our own concept says, the CPT code says, and besides only dates and their source."""
    own, facts = code_system(OWN), code_system(FACTS, "2012")
    for cpt, free in (("38230", "harvest-donor"), ("38232", "harvest-own-use")):
        extra = [p for p in concept_of(facts, cpt)["property"] if p not in concept_of(own, free)["property"]]
        assert {p["code"] for p in extra} <= {"valid-from", "meaning-from", "source"}
        assert all(p in concept_of(facts, cpt)["property"] for p in concept_of(own, free)["property"])


# -- words ---------------------------------------------------------------------------------------------------


def wordings() -> dict[str, set[str]]:
    """Every display, definition and designation that is published, by the system whose code it is on."""
    found: dict[str, set[str]] = {}
    for system in CODE_SYSTEMS:
        of = system.get("supplements", system["url"]).partition("|")[0]
        for concept in concepts(system):
            said = [concept[key] for key in ("display", "definition") if key in concept]
            said += [designation["value"] for designation in concept.get("designation", [])]
            if said:
                found.setdefault(of, set()).update(said)
    return found


def test_every_wording_is_listed():
    """No word comes in unseen: each display, definition and designation is in tests/content/wordings.json.

    Who adds one there has looked at it: it is our own, or the public title of a public system.
    """
    table = json.loads((ROOT / "tests" / "content" / "wordings.json").read_text(encoding="utf-8"))
    listed = {system: set(words) for part in table.values() for system, words in part.items()}
    assert wordings() == listed


def test_own_words_are_marked_as_ours():
    """Every designation says by its use that it is ours, and whether a speaker has reviewed it."""
    assert codes(code_system(ORIGIN)) == {"own-wording", "unreviewed-translation"}
    for system in CODE_SYSTEMS:
        for concept in concepts(system):
            for designation in concept.get("designation", []):
                use = "own-wording" if designation["language"] == "en" else "unreviewed-translation"
                assert designation["use"] == {"system": ORIGIN, "code": use}


def test_only_words_of_the_owner_are_displays():
    """Where the owner's words are not ours to give (CPT, OPS) there is no display, and that is said."""
    marker = {"url": f"{BASE}/StructureDefinition/displays-not-held", "valueBoolean": True}
    for system in CODE_SYSTEMS:
        if system["content"] != "supplement":
            wordless = not any("display" in concept for concept in concepts(system))
            assert (marker in system.get("extension", [])) == wordless


def test_language_packs_are_marked_and_speak_one_language():
    """Each pack is marked lang-pack, and its own language is that of its labels."""
    assert Counter(each["language"] for each in LABELS) == dict.fromkeys(("en", "es", "de", "fr"), 2)
    for pack in LABELS:
        assert pack["extension"] == [{"url": LANG_PACK, "valueCode": "lang-pack"}]
        for concept in concepts(pack):
            assert [d["language"] for d in concept["designation"]] == [pack["language"]]


def test_every_own_concept_is_labelled_in_four_languages():
    """Concepts and values of ours have a display in English and a label in es, de and fr."""
    for url in (OWN, VALUES):
        for concept in concepts(code_system(url)):
            assert concept["display"]
            assert [d["language"] for d in concept["designation"] if d["language"] != "en"] == [
                "es",
                "de",
                "fr",
            ]


# SHA-256 of the public CPT descriptors of the two codes, long and short, in lower case, words only.
DESCRIPTORS = {
    4: {
        "b64629662103bd7ba09e22caf2d1116f0824d0e8807269b854002828281a7813",
        "4e506e40ce6567106a7e3042a078ca8fb3594804cd79c9971c6009274ee6c321",
    },
    5: {
        "815b25842e2c06298aaaaec2fd9074d41506be1a6811ff34703316543fcb7d1c",
    },
}


def test_no_file_holds_a_descriptor_of_the_ama():
    """No run of words in any file of ours is one of the known descriptors; a human review stays needed."""
    for path in product_files():
        words = re.findall(r"\w+", path.read_text(encoding="utf-8", errors="ignore").lower())
        for length, hashes in DESCRIPTORS.items():
            for start in range(len(words) - length + 1):
                run = " ".join(words[start : start + length])
                if run.startswith("bone"):
                    assert hashlib.sha256(run.encode()).hexdigest() not in hashes, path


TEXTS = frozenset((".py", ".json", ".md", ".html", ".toml", ".txt", ".js", ".ts", ".java", ".yml", ".csv"))


def product_files() -> Iterator[Path]:
    skipped = {"target", "__pycache__", "node_modules"}
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if any(part in skipped or part.startswith(".") for part in parts):
            continue
        if path.suffix in TEXTS and path.is_file():
            yield path


# -- own concepts and other systems --------------------------------------------------------------------------


def test_the_licence_free_system_is_complete_and_has_a_hierarchy():
    """The harvest, and below it its two kinds; complete, so that is-a and $subsumes mean something."""
    system = code_system(OWN)
    assert (system["content"], system["hierarchyMeaning"], system["count"]) == ("complete", "is-a", 3)
    (top,) = system["concept"]
    assert (top["code"], codes(top)) == ("harvest", {"harvest-own-use", "harvest-donor"})


@pytest.mark.parametrize("system", [s for s in CODE_SYSTEMS if s["content"] == "complete"], ids=name)
def test_a_complete_system_is_ours_and_counts_its_concepts(system):
    """Complete is claimed only of our own systems; all their concepts are defined."""
    assert system["url"].startswith(BASE)
    assert system["count"] == len(list(concepts(system)))
    assert all(concept["definition"] for concept in concepts(system))


@pytest.mark.parametrize(
    ("url", "version", "held"),
    [
        (PCS, "2025", 25),
        ("http://hl7.org/fhir/sid/icd-9-cm", None, 1),
        ("http://hl7.org/fhir/sid/icd-10-cm", "2026", 7),
        ("http://fhir.de/CodeSystem/bfarm/ops", "2025", 2),
    ],
)
def test_other_fragments_are_labelled_as_such(url, version, held):
    """A part of another's system is an experimental fragment, not its owner's, and claims no hierarchy."""
    system = code_system(url)
    assert (system.get("version"), system["content"], len(codes(system))) == (version, "fragment", held)
    assert system["experimental"] is True
    assert "not by its owner" in system["description"]
    assert system["relatedArtifact"]
    assert "hierarchyMeaning" not in system
    assert not any(e["url"].endswith("no-subsumption") for e in system.get("extension", []))


# -- value sets ----------------------------------------------------------------------------------------------


def included(value_set: dict[str, Any], system: str) -> set[str]:
    parts = [part for part in value_set["compose"]["include"] if part["system"] == system]
    return {concept["code"] for part in parts for concept in part.get("concept", [])}


def value_set(id_: str) -> dict[str, Any]:
    (found,) = [each for each in VALUE_SETS if each["id"] == id_]
    return found


def test_there_are_five_value_sets():
    """Both codes, own use, donor, and any system twice: extraction only, extraction and drainage."""
    any_system = "bone-marrow-harvest-any-system-extraction"
    assert {each["id"]: included(each, CPT) for each in VALUE_SETS} == {
        "bone-marrow-harvest": {"38230", "38232"},
        "bone-marrow-harvest-own-use": {"38232"},
        "bone-marrow-harvest-donor": {"38230"},
        any_system: {"38230", "38232"},
        f"{any_system}-drainage": {"38230", "38232"},
    }


def test_the_wide_set_differs_by_drainage_only():
    """079T3ZZ is what the set with drainage adds; both say that ICD-10-PCS knows no purpose."""
    narrow = value_set("bone-marrow-harvest-any-system-extraction")
    wide = value_set("bone-marrow-harvest-any-system-extraction-drainage")
    assert included(wide, PCS) - included(narrow, PCS) == {"079T3ZZ"}
    assert all(re.fullmatch("07D[QRST][03]ZZ", code) for code in included(narrow, PCS))
    assert all("neither donor nor purpose" in each["description"] for each in (narrow, wide))


@pytest.mark.parametrize("each", VALUE_SETS, ids=name)
def test_a_value_set_carries_the_notice_and_no_words(each):
    """The AMA's notice of the newest year is on set and include; no release is named and no display given."""
    notice = FRAGMENTS[-1]["copyright"]
    assert notice in each["copyright"]
    assert each["copyrightLabel"] == notice
    for part in each["compose"]["include"]:
        assert "version" not in part
        assert part.get("copyright") == (notice if part["system"] == CPT else None)
        assert all(set(concept) == {"code"} for concept in part.get("concept", []))


@pytest.mark.parametrize("each", VALUE_SETS, ids=name)
def test_a_value_set_names_codes_that_are_held(each):
    """Every code of a set is in a published code system, so that it can be expanded."""
    for part in each["compose"]["include"]:
        held = set().union(*(codes(system) for system in CODE_SYSTEMS if system["url"] == part["system"]))
        assert included(each, part["system"]) <= held
        assert all(criterion["value"] in held for criterion in part.get("filter", []))


# -- concept maps --------------------------------------------------------------------------------------------


def rows(concept_map: dict[str, Any]) -> Iterator[tuple[str, str, str, str, dict[str, Any]]]:
    for group in concept_map["group"]:
        for element in group["element"]:
            for target in element["target"]:
                yield group["source"], element["code"], group["target"], target["code"], target


@pytest.mark.parametrize("each", CONCEPT_MAPS, ids=name)
def test_every_row_names_its_source(each):
    """A row without a source is an opinion; each has one in its comment."""
    assert list(rows(each))
    assert [code for _, code, _, _, target in rows(each) if "Source: " not in target["comment"]] == []


@pytest.mark.parametrize("each", CONCEPT_MAPS, ids=name)
def test_a_row_joins_codes_that_are_held(each):
    """Both ends of a row are in published code systems, and their value sets are the map's scopes."""
    for source, code, target, other, _ in rows(each):
        for url, wanted in ((source, code), (target, other)):
            assert wanted in set().union(*(codes(system) for system in CODE_SYSTEMS if system["url"] == url))
    urls = {value_set["url"] for value_set in VALUE_SETS}
    assert {each["sourceScopeCanonical"], each["targetScopeCanonical"]} <= urls


@pytest.mark.parametrize("each", CONCEPT_MAPS, ids=name)
def test_icd_says_too_little_for_more_than_a_relation(each):
    """ICD-10-PCS and ICD-9-CM rows are only related: they do not say for whom, or not exactly."""
    for _, _, target, _, row in rows(each):
        if target in (PCS, "http://hl7.org/fhir/sid/icd-9-cm"):
            assert row["relationship"] == "related-to"


def test_the_maps_cover_the_chain_of_systems():
    """Own concepts to and from CPT, CPT to and from OPS, and on to ICD-10-PCS and ICD-9-CM."""
    names = {
        PCS: "pcs",
        CPT: "cpt",
        OWN: "own",
        "http://hl7.org/fhir/sid/icd-9-cm": "icd9",
        "http://fhir.de/CodeSystem/bfarm/ops": "ops",
    }
    pairs = sorted((names[g["source"]], names[g["target"]]) for each in CONCEPT_MAPS for g in each["group"])
    assert pairs == [
        ("cpt", "icd9"),
        ("cpt", "ops"),
        ("cpt", "own"),
        ("cpt", "pcs"),
        ("icd9", "pcs"),
        ("ops", "cpt"),
        ("ops", "pcs"),
        ("own", "cpt"),
        ("own", "icd9"),
        ("own", "ops"),
        ("own", "pcs"),
    ]


def test_a_reason_is_no_translation_of_a_procedure():
    """No row leads to or from ICD-10-CM: a donor code is a reason, not another name of the procedure."""
    ends = {end for each in CONCEPT_MAPS for row in rows(each) for end in (row[0], row[2])}
    assert "http://hl7.org/fhir/sid/icd-10-cm" not in ends


def test_the_kinds_keep_their_donor_through_the_maps():
    """Own use stays own use and donor stays donor in every equivalent row."""
    donor = {"38230", "harvest-donor", "5-410.01"}
    for each in CONCEPT_MAPS:
        for _, code, _, other, row in rows(each):
            if row["relationship"] == "equivalent":
                assert (code in donor) == (other in donor)
