"""Every format reads a small invented sample in its publisher's layout, and refuses what does not have it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from archive_makers import tar_of, zip_of

from terminology.discovery import loaded
from terminology.importing import formats
from terminology.importing.fhir_package import Package, in_order
from terminology.importing.format import Source
from terminology.importing.loinc import checked
from terminology.importing.ndc import eleven_digits
from terminology.importing.run import load
from terminology.issues import Refusal
from terminology.model import Concept, Filter, Query
from terminology.providers.file import FileProvider
from terminology.storage.library import Library

SAMPLES = Path(__file__).parent / "samples"


@dataclass(frozen=True)
class Case:
    """A sample, and what it becomes: concepts in order, refusals by reason, facts about concepts."""

    format: str
    path: str
    version: str | None
    codes: str
    options: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    displays: dict[str, str] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)
    named: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    inactive: str = ""

    def __str__(self):
        return f"{self.format} {self.path}"


ANIMALS = {
    "url": "http://example.org/animals",
    "version": "1",
    "display": "name",
    "parent": "above",
    "separator": ";",
    "designation": ("de=german",),
    "property": ("legs=legs:integer", "extinct=extinct:boolean"),
}
CASES = [
    Case(
        "csv", "animals.csv", "1", "cat mammal animal dodo yeti", ANIMALS,
        refused={"OWN_ROW_VALUE": 1, "OWN_ROW_NO_CODE": 1, "OWN_ROW_COLUMNS": 1, "OWN_ROW_PARENT": 2},
        displays={"mammal": "Mammal, any"}, parents={"cat": "mammal", "mammal": "animal", "dodo": "animal"},
        properties={"cat": {"legs": 4, "extinct": False}, "dodo": {"legs": 2, "extinct": True}},
    ),
    Case(
        "icd-10-cm", "icd10cm-tabular-2099.xml", "2099",
        "1 A00-A09 A00 A00.0 A00.9 A10-A10 A10 A10.0 A10.0XXA A10.0XXD A10.117 A10.117A",
        refused={"OWN_ROW_NO_CODE": 1},
        displays={"A10.0XXA": "Invented injury of nothing, initial encounter"},
        parents={"A00-A09": "1", "A00": "A00-A09", "A00.0": "A00", "A10.0XXA": "A10.0"},
        properties={
            "A00": {"billable": False, "kind": "category", "excludes1": "real diseases"},
            "A00.0": {"billable": True, "kind": "code"},
            "A10.0": {"billable": False},
            "A10.0XXA": {"billable": True},
            "1": {"kind": "chapter", "includes": "what was made up"},
        },
    ),
    Case(
        "icd-10-cm", "icd10cm-tabular-2099.xml", "2099",
        "1 A00-A09 A00 A00.0 A00.9 A10-A10 A10 A10.0 A10.0XXA A10.117",
        {"order-file": SAMPLES / "icd10cm_order_2099.txt"},
        refused={"OWN_ROW_NO_CODE": 1, "OWN_ROW_LAYOUT": 1},
        displays={"A00.0": "Invented disease, mild form"},
        properties={"A00": {"billable": False}, "A10.0XXA": {"billable": True}},
    ),
    Case(
        "icd-10-cm", "icd10cm_order_2099.txt", "2099", "A00 A00.0 A00.9 A10 A10.0XXA",
        refused={"OWN_ROW_LAYOUT": 1}, parents={"A00.0": "A00", "A10.0XXA": "A10"},
        properties={"A00": {"billable": False}, "A00.9": {"billable": True}},
    ),
    Case(
        "icd-10-pcs", "icd10pcs_order_2026.txt", "2026",
        "07D 07DQ0ZZ 07DQ3ZZ 07DR0ZZ 07DR3ZZ 079 079T3ZZ",
        displays={"07DR3ZZ": "Extraction of Iliac Bone Marrow, Percutaneous Approach"},
        parents={"07DR3ZZ": "07D"}, properties={"07D": {"billable": False}, "07DR3ZZ": {"billable": True}},
    ),
    Case(
        "icd-10-pcs", "icd10pcs_order_2026.txt", "2026", "07D 07DQ0ZZ 07DQ3ZZ 07DR0ZZ 07DR3ZZ 079 079T3ZZ",
        {"tables": SAMPLES / "icd10pcs_tables_2026.xml"}, refused={"OWN_ROW_NO_TABLE": 2},
        properties={
            "07DR3ZZ": {
                "section": "Medical and Surgical", "operation": "Extraction", "body-part": "Bone Marrow, Iliac",
                "approach": "Percutaneous", "device": "No Device", "qualifier": "No Qualifier",
                "character-1": "0", "character-4": "R", "character-5": "3", "character-7": "Z",
            },
            "07D": {"body-system": "Lymphatic and Hemic Systems", "operation": "Extraction", "character-3": "D"},
            "07DQ0ZZ": {"approach": "Open"},
        },
    ),
    Case(
        "hcpcs", "HCPC2099_JAN_ANWEB.txt", "2099-01", "A0001 A0002 ZZ", refused={"OWN_ROW_LAYOUT": 1},
        displays={
            "A0001": "Invented appliance, the first half of a long text that is continued in the next line",
        },
        properties={"ZZ": {"kind": "modifier"}, "A0002": {"valid-to": "2020-12-31", "action": "D"}},
        inactive="A0002",
    ),
    Case(
        "cvx", "cvx.txt", "2024-05-13", "901 902 903", refused={"OWN_ROW_VALUE": 1},
        displays={"901": "inv"}, properties={"901": {"notes": 'A note with a "quote'}, "903": {"nonvaccine": True}},
        inactive="902 903",
    ),
    Case(
        "ndc", "ndc", "2099-01-01", "0000-0001 00000-002 0000-0001-01 00000-002-5", {"version": "2099-01-01"},
        refused={"OWN_ROW_VALUE": 1}, parents={"0000-0001-01": "0000-0001"},
        displays={"00000-002": 'Café "quoted', "0000-0001": "Inventol Forte"},
        properties={"0000-0001-01": {"code11": "00000000101"}, "00000-002": {"valid-to": "2023-12-31"}},
    ),
    Case(
        "rxnorm", "rxnorm_11032025", "11032025", "900001 900002 900003 900004",
        displays={"900002": "inventolum 10 MG Oral Tablet"}, parents={"900002": "900003", "900004": "900003"},
        properties={
            "900001": {"STY": "T109", "semantic-type": "Invented Chemical"},
            "900002": {"TTY": "SCD", "RXN_AVAILABLE_STRENGTH": "10 MG", "isa": "900003", "STY": "T200"},
            "900003": {"has_ingredient": "900001"},
            "900004": {"has_tradename": "900002"},
        },
        inactive="900004",
    ),
    Case(
        "loinc", "loinc_9.99", "9.99",
        "LP90001-1 LP90002-2 LP90003-3 LP90004-4 90001-9 90002-7 LL90001-1 LL90002-2 LL90003-3 LA90002-2 LA90001-1",
        refused={"OWN_ROW_VALUE": 1}, parents={"90001-9": "LP90002-2 LP90003-3", "LP90002-2": "LP90001-1"},
        displays={"LP90004-4": "By guessing", "LL90001-1": "Invented list", "LA90001-1": "Invented answer"},
        properties={
            "90001-9": {
                "SCALE_TYP": "Qn", "kind": "term", "answer-list": "LL90001-1", "part": "LP90002-2", "panel": "90002-7",
            },
            "90002-7": {"panel-member": "90001-9"},
            "LP90002-2": {"kind": "part", "part-type": "COMPONENT"},
            "LL90001-1": {"kind": "answer-list", "answers-for": "90001-9", "answer": "LA90001-1"},
            "LA90001-1": {"kind": "answer", "list": "LL90002-2"},
        },
        named={
            "90001-9": {
                "de-DE": [
                    "Erfundenes Inventin", "Inventin:Massenkonzentration:Zeitpunkt:Serum oder Plasma:Quantitativ",
                ],
                "fr-CA": ["Inventine [Masse/Volume] Sérum ou Plasma"],
            },
        },
        inactive="LP90004-4 90002-7",
    ),
    Case(
        "loinc", "loinc_9.99", "9.99",
        "LP90001-1 LP90002-2 LP90003-3 LP90004-4 90001-9 90002-7 LL90001-1 LL90002-2 LL90003-3 LA90002-2 LA90001-1",
        {"language": ("fr-CA",)}, refused={"OWN_ROW_VALUE": 1}, inactive="LP90004-4 90002-7",
        named={"90001-9": {"de-DE": [], "fr-CA": ["Inventine [Masse/Volume] Sérum ou Plasma"]}},
    ),
    Case(
        "cpt", "cpt_2099", "2099", "0000X 0001X YX", refused={"OWN_ROW_LAYOUT": 2},
        displays={"0000X": "Invented procedure of the first kind", "YX": "Invented modifier"},
        properties={"0000X": {"kind": "code", "descriptor-date": "2099-01-01"}, "YX": {"modifier": True}},
        named={
            "0000X": {"en": ["INVENTED PX 1ST", "INVENTED 1", "An invention", "Invented words of a clinician",
                             "Other invented words of a clinician"], "es": ["Una invención"]},
            "0001X": {"en": ["INVENTED PX 2ND", "INVENTED 2", "Another invention"]},
        },
    ),
    Case(
        "cpt", "cpt_plain_2099", "2099", "0000X 0001X",
        displays={"0000X": "Invented procedure of the first kind", "0001X": "Invented procedure of the second kind"},
    ),
    Case(
        "ops", "ops2099syst", "2099", "1 5 1-10...1-10 5-98...5-99 5-991 5-991.0 5-991.00",
        refused={"OWN_ROW_LAYOUT": 2},
        displays={"5-991.00": "Erfundene Entnahme: Am Becken: Einseitig"},
        parents={"5-98...5-99": "5", "5-991": "5-98...5-99", "5-991.0": "5-991", "5-991.00": "5-991.0"},
        properties={"5-991.00": {"terminal": True}, "5-991": {"terminal": False}},
    ),
    Case(
        "iana", "language-subtag-registry.txt", "2099-01-02", "xi xii Xinv", refused={"OWN_ROW_LAYOUT": 1},
        properties={
            "xi": {"type": "language", "suppress-script": "Xinv"},
            "xii": {"extlang-prefix": "xi", "comments": "a comment that is continued on the next line"},
        },
        inactive="Xinv",
    ),
    Case(
        "ucum-essence", "ucum-essence.xml", "9.9", "iv [inv]", refused={"OWN_ROW_NO_CODE": 1},
        displays={"[inv]": "inventon"},
        properties={"iv": {"dimension": "L"}, "[inv]": {"metric": False, "special": True, "symbol": "inv"}},
    ),
]  # fmt: skip


FORMATS = sorted({case.format for case in CASES} | {"fhir", "fhir-package", "tsv"})


def source_of(name, path, options=None):
    return Source(Path(path), name, options or {})


@pytest.fixture(params=["as it is", "in a zip", "in a tgz"])
def placed(request, tmp_path):
    """placed(sample): its path, as it is or in an archive whose name ends the same."""

    def made(name):
        path = SAMPLES / name
        if request.param == "as it is":
            return path
        files = [path] if path.is_file() else [each for each in sorted(path.rglob("*")) if each.is_file()]
        members = {each.relative_to(path.parent).as_posix(): each.read_bytes() for each in files}
        stem = path.name.removesuffix(".txt").removesuffix(".xml").removesuffix(".csv")
        if request.param == "in a zip":
            return zip_of(tmp_path / f"{stem}.zip", members)
        return tar_of(tmp_path / f"{stem}.tgz", members)

    return made


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_sample_becomes_a_code_system(case, placed, tmp_path):
    source = source_of(case.format, placed(case.path), case.options)
    library = Library(tmp_path / "data")
    report = load(formats()[case.format], source, library)
    assert source.refusals.counts == case.refused
    [entry] = library.entries()
    provider = FileProvider.open(library.path(entry))
    assert provider.info.canonical.version == case.version
    found: dict[str, Concept] = {concept.code: concept for concept in provider.select(Query())}
    assert list(found) == case.codes.split()
    assert report.concepts == entry.concepts == provider.info.count == len(found)
    assert {code: found[code].display for code in case.displays} == case.displays
    assert {code: " ".join(found[code].parents) for code in case.parents} == case.parents
    for code, stated in case.properties.items():
        held = [(each.code, each.value) for each in found[code].properties]
        assert [pair for pair in stated.items() if pair not in held] == []
    for code, languages in case.named.items():
        for language, names in languages.items():
            assert [each.value for each in found[code].designations if each.language == language] == names
    assert [code for code in found if found[code].inactive] == case.inactive.split()
    assert all(concept.display for concept in found.values())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_import_again_changes_nothing(case, tmp_path):
    library = Library(tmp_path / "data")
    reports = [
        load(formats()[case.format], source_of(case.format, SAMPLES / case.path, case.options), library)
        for _ in range(2)
    ]
    assert [len(report.change.new) for report in reports] == [1, 0]
    assert [len(report.change.unchanged) for report in reports] == [0, 1]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_property_of_a_concept_is_declared(case, tmp_path):
    library = Library(tmp_path / "data")
    load(formats()[case.format], source_of(case.format, SAMPLES / case.path, case.options), library)
    provider = FileProvider.open(library.path(library.entries()[0]))
    declared = {held.code: held.type for held in provider.info.properties}
    for concept in provider.select(Query()):
        for held in concept.properties:
            assert declared[held.code].lower() == held.type.lower(), held


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_whether_its_layout_was_seen(name, tmp_path):
    form = formats()[name]
    real = {"csv", "tsv", "fhir", "fhir-package", "icd-10-cm", "iana", "ucum-essence"}
    assert form.verified == ("real" if name in real else "described")
    for case in CASES:
        if case.format == name and form.verified == "described":
            source = source_of(name, SAMPLES / case.path, case.options)
            report = load(form, source, Library(tmp_path / case.path), dry_run=True)
            assert any("unverified against a real file" in note for note in report.notes)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"{}", b"<a/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"x" * 5000]
)
def test_a_file_of_another_kind_is_refused_without_a_trace(name, content, tmp_path):
    library = Library(tmp_path / "data")
    for short in ("tabular.xml", "order_2099.txt", "HCPC2099_JAN_ANWEB.txt", "ops2099syst_kodes.txt"):
        path = tmp_path / short
        path.write_bytes(content)
        options = {"url": "http://example.org/x", "version": "1"}
        with pytest.raises(Refusal):
            load(formats()[name], source_of(name, path, options), library)
    assert library.entries() == ()
    assert [each.name for each in library.folder.iterdir() if each.name != ".lock"] == []


# --- FHIR -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path", "refused"),
    [
        ("fhir-package", "package", 0), ("fhir-package", "package/package", 0), ("fhir", "bundle.json", 0),
        ("fhir", "resources.ndjson", 1), ("fhir", "package/package", 0),
    ],
)  # fmt: skip
def test_fhir_resources_are_kept_in_r5_form(name, path, refused, tmp_path):
    library = Library(tmp_path / "data")
    report = load(formats()[name], source_of(name, SAMPLES / path), library)
    assert report.refused == refused
    assert {entry.kind for entry in library.entries()} == {"CodeSystem", "ValueSet", "ConceptMap"}
    catalog = loaded(library)
    held = catalog.code_system("http://example.org/sizes")
    assert [concept.code for concept in held.select(Query())] == ["S", "L"]
    [mapped] = catalog.maps()
    assert mapped.rows[0].relationship == "source-is-narrower-than-target"


def test_xml_is_read(tmp_path):
    library = Library(tmp_path / "data")
    load(formats()["fhir"], source_of("fhir", SAMPLES / "codesystem.xml"), library)
    found = loaded(library).code_system("http://example.org/colours")
    assert found.find("red").display == "Red"


def test_a_large_code_system_of_fhir_is_compiled(tmp_path):
    concepts = ",".join(f'{{"code":"c{number}"}}' for number in range(1_500))
    path = tmp_path / "large.json"
    path.write_text(
        '{"resourceType":"CodeSystem","id":"large","url":"http://example.org/large","status":"active",'
        f'"content":"complete","publisher":"Someone","concept":[{concepts}]}}'
    )
    library = Library(tmp_path / "data")
    load(formats()["fhir"], source_of("fhir", path), library)
    [entry] = library.entries()
    assert entry.compiled
    catalog = loaded(library)
    assert catalog.code_system("http://example.org/large").info.count == 1_500
    assert catalog.find_resource("CodeSystem", "large")["publisher"] == "Someone"


def test_of_a_package_only_the_resources_in_its_folder_are_read(tmp_path):
    members = {
        each.relative_to(SAMPLES / "package").as_posix(): each.read_bytes()
        for each in sorted((SAMPLES / "package").rglob("*.json"))
    }
    evil = b'{"resourceType":"CodeSystem","url":"http://example.org/evil","status":"active","content":"complete"}'
    path = tar_of(
        tmp_path / "p.tgz",
        {
            **members,
            "package-evil/a.json": evil,
            "scripts/a.json": evil,
            "package/other/a.json": evil,
            "package/a.js": b"x",
        },
    )
    library = Library(tmp_path / "data")
    load(formats()["fhir-package"], source_of("fhir-package", path), library)
    assert not [entry for entry in library.entries() if "evil" in entry.url]
    assert len(library.entries()) == 3


def test_packages_come_in_the_order_of_their_dependencies():
    def package(name, *needs):
        return Package(Path(name), {"name": name, "dependencies": dict.fromkeys(needs, "1")})

    found = in_order([package("a", "c"), package("b"), package("c", "b", "elsewhere")])
    assert [each.name for each in found] == ["b", "c", "a"]
    assert [each.name for each in in_order([package("b", "a"), package("a", "b")])] == ["a", "b"]


# --- rules of one format --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "right"), [("2160-0", True), ("718-7", True), ("718-8", False), ("718", False), ("x-1", False)]
)
def test_the_check_digit_of_a_loinc_number(code, right):
    assert checked(code) is right


@pytest.mark.parametrize(
    ("code", "eleven"),
    [
        ("0002-0152-01", "00002015201"),
        ("00002-152-01", "00002015201"),
        ("00002-0152-1", "00002015201"),
        ("1-2-3", None),
    ],
)
def test_the_eleven_digits_of_an_ndc(code, eleven):
    assert eleven_digits(code) == eleven


def test_answers_stand_in_their_lists_in_the_publishers_order(tmp_path):
    library = Library(tmp_path / "data")
    load(formats()["loinc"], source_of("loinc", SAMPLES / "loinc_9.99"), library)
    held = FileProvider.open(library.path(library.entries()[0])).find("LL90001-1")
    assert [each.value for each in held.properties if each.code == "answer"] == ["LA90001-1", "LA90002-2"]


def test_tables_of_icd_10_pcs_beside_the_order_file_are_found(tmp_path):
    members = {name: (SAMPLES / name).read_bytes() for name in ("icd10pcs_order_2026.txt", "icd10pcs_tables_2026.xml")}
    library = Library(tmp_path / "data")
    load(formats()["icd-10-pcs"], source_of("icd-10-pcs", zip_of(tmp_path / "icd10pcs_2026.zip", members)), library)
    provider = FileProvider.open(library.path(library.entries()[0]))
    assert provider.find("07D").definition == "Pulling or stripping out all of a body part by the use of force"
    percutaneous = Query(filters=(Filter("approach", "=", "Percutaneous"),))
    assert [concept.code for concept in provider.select(percutaneous)] == ["07DQ3ZZ", "07DR3ZZ"]


def test_tables_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "icd10pcs_tables_2026.xml"
    path.write_text("<ICD10CM.tabular/>")
    source = source_of("icd-10-pcs", SAMPLES / "icd10pcs_order_2026.txt", {"tables": path})
    with pytest.raises(Refusal):
        load(formats()["icd-10-pcs"], source, Library(tmp_path / "data"))


def test_cpt_carries_the_notice_a_label_and_a_cap(tmp_path):
    library = Library(tmp_path / "data")
    load(formats()["cpt"], source_of("cpt", SAMPLES / "cpt_2099"), library)
    [entry] = library.entries()
    info = FileProvider.open(library.path(entry)).info
    assert "American Medical Association" in (info.copyright or "")
    assert info.expansion_cap == 1_000
    assert info.labels == {"AMA-CPT"}
    assert entry.head["meta"]["security"] == [{"code": "AMA-CPT"}]


def test_a_loaded_release_answers_before_our_fragment(tmp_path):
    from terminology import Terminology  # noqa: PLC0415

    library = Library(tmp_path / "data")
    load(formats()["icd-10-pcs"], source_of("icd-10-pcs", SAMPLES / "icd10pcs_order_2026.txt"), library)
    asked = Terminology(data_dir=str(library.folder))
    found = asked.validate_code("079T3ZZ", "http://www.cms.gov/Medicare/Coding/ICD10")
    assert found.result
    assert found.version == "2026"
