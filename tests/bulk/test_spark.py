"""On a cluster the same judge says the same: columns of Spark against the functions, on Spark's local master."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import pack, unpack
from subprocess import PIPE
from typing import Any

import pytest
from coded_records import CPT, OPS, PCS, Row, judge, procedure
from coded_records import ROWS as SHARED
from generated_rows import CODES, INVENTED, SORTS, VALUE_SETS, YEARS, drawn, invented_value_set
from generated_rows import judge as generated_judge

from terminology import Terminology
from terminology.issues import Refusal
from terminology.model import FhirVersion
from terminology.procedures.judging import Judge

pytestmark = pytest.mark.system

OWN = "https://flask-fhir-terminology.org/fhir"
OWN_USE = f"{OWN}/ValueSet/bone-marrow-harvest-own-use"
ROWS: tuple[Row, ...] = (
    *SHARED,
    (CPT, "38232", None, None, "2011-06-01"),
    (CPT, "38232", None, None, "2011-06-02"),
    (CPT, "38232", None, None, "2011-12"),
    (PCS, "38232", None, None, "2024-05-01"),
    (None, None, None, None, None),
    (CPT, "38230", None, "<b>\u00e9\u4e2d", "no date"),
)
ASKED = (
    pytest.param(300_000, None, id="plain codes in a table"),
    pytest.param(20, None, id="few of them in it"),
    pytest.param(0, None, id="all in Python"),
    *(pytest.param(300_000, each, id=each) for each in VALUE_SETS[1:]),
)
TABLE = "system string, code string, version string, display string, date string"


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        built = SparkSession.builder.master("local[2]").appName("tests")
        quiet = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.driver.memory": "1g",
            "spark.sql.shuffle.partitions": "2",
            "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("warehouse")),
        }
        for name, value in quiet.items():
            built = built.config(name, value)
        session = built.getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


@pytest.fixture(scope="module")
def content(spark: Any) -> Any:
    from terminology.bulk import spark as tx

    return tx.share(spark)


def said(judgement: Any) -> tuple[Any, ...]:
    """A judgement of the function, as a Spark row has it."""
    from terminology.bulk.spark.judging import told

    return as_tuple(told(judgement))


def as_tuple(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((name, as_tuple(each)) for name, each in value.items())
    return tuple(as_tuple(each) for each in value) if isinstance(value, (list, tuple)) else value


def found(row: Any) -> Any:
    return as_tuple(row.asDict(recursive=True))


@pytest.mark.parametrize("batch", [pytest.param(10_000, id="one batch"), pytest.param(3, id="batches of three")])
def test_every_row_has_the_findings_of_the_function(spark: Any, content: Any, batch: int) -> None:
    from terminology.bulk import spark as tx

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", batch)
    many = [row for row in ROWS for _ in range(3)]
    df = spark.createDataFrame(many, TABLE)
    named = {each: each for each in ("system", "code", "version", "display", "date")}
    answers = tx.validate(df, content, **named).collect()
    assert [tuple(row)[:5] for row in answers] == many
    wanted = [said(judge().judge(judge().row(*row))) for row in many]
    assert [found(row.judgement) for row in answers] == wanted
    assert {row.judgement.verdict for row in answers} == {"right", "wrong", "unjudged"}


def test_no_row_is_sent_to_python_by_spark(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    judged = tx.validate(spark.createDataFrame(list(ROWS), TABLE), content, system="system", code="code", date="date")
    assert "Python" not in judged._jdf.queryExecution().toString()
    assert {row.judgement.verdict for row in judged.where("judgement.verdict <> 'right'").collect()} == {
        "wrong",
        "unjudged",
    }


def test_what_is_not_known_is_refused_before_a_task_runs(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    df = spark.createDataFrame(list(ROWS), TABLE)
    for named in ({"code": "code", "value_set": "http://example.org/none"}, {"resource": "code", "profile": "x"}):
        with pytest.raises(Refusal):
            tx.validate(df, content, **named)


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false"])
def test_a_node_that_cannot_judge_says_what_to_install(
    spark: Any, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from terminology.bulk import spark as tx

    monkeypatch.setattr(spark.sparkContext, "pythonExec", program)
    rows = spark.range(1).selectExpr("'x' as code")
    judged = tx.validate(rows, tx.share(spark), code="code")
    with pytest.raises(Exception, match=rf"{program}\) does not judge: is flask-fhir-terminology"):
        judged.collect()


def test_a_helper_that_was_ended_is_followed_by_another(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    def asked(code: str) -> list[str]:
        rows = spark.range(1).selectExpr(f"'{CPT}' as system", f"'{code}' as code")
        return [
            row.judgement.findings[0].reason
            for row in tx.validate(rows, content, system="system", code="code").collect()
        ]

    wanted = asked("none")
    helpers = [each for each in Path("/proc").glob("[0-9]*") if b"terminology.bulk.spark.worker" in command(each)]
    assert helpers
    for each in helpers:
        os.kill(int(each.name), signal.SIGKILL)
    assert asked("none-2") == wanted


def command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_a_helper_ends_with_its_input_and_when_nothing_is_asked(content: Any) -> None:
    import pickle

    from terminology.bulk.spark.judging import Asked
    from terminology.bulk.spark.listed import text

    task = pickle.dumps((content, Asked(None, (), None, "R4")))
    sent = pack(">i", len(task)) + task + b"".join(map(text, (CPT, "38232", None, None, "2024-05-01")))
    patched = "from terminology.bulk.spark import worker; worker.IDLE = 0.5; worker.main()"
    for arguments in (["-m", "terminology.bulk.spark.worker"], ["-c", patched]):
        with subprocess.Popen([sys.executable, *arguments, "."], stdin=PIPE, stdout=PIPE) as helper:
            assert helper.stdin
            assert helper.stdout
            helper.stdin.write(sent)
            helper.stdin.flush()
            if arguments[0] == "-m":
                helper.stdin.close()
            answer = helper.stdout.read()
            assert helper.wait(60) == 0
        assert unpack(">3i", answer[:12]) == (-1, 20240101, 20250101)
        assert answer[12:21] == text("right")


def test_a_value_set_is_asked_of_every_row(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    asking = Judge.of(Terminology().state, value_set=OWN_USE)
    df = spark.createDataFrame(list(ROWS), TABLE)
    named = {each: each for each in ("system", "code", "version", "display", "date")}
    answers = tx.validate(df, content, value_set=OWN_USE, into="own", **named).collect()
    assert [found(row.own) for row in answers] == [said(asking.judge(asking.row(*row))) for row in ROWS]


def test_resources_are_judged_and_what_is_none_is_a_finding(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    resources = [procedure(row) for row in SHARED]
    lines = [*map(json.dumps, resources), "{", json.dumps({"resourceType": "Patient"}), None]
    df = spark.createDataFrame([(line,) for line in lines], "line string")
    answers = [row.judgement for row in tx.validate(df, content, resource="line").collect()]
    wanted = [said(judge().judge(judge().read(resource, "R4"))) for resource in resources]
    assert list(map(found, answers[:-3])) == wanted
    assert [[each.reason for each in row.findings] for row in answers[-3:-1]] == [["unreadable"], ["unreadable"]]
    assert answers[-1] is None


@pytest.mark.parametrize("fhir", ["R4", "R5"])
def test_resources_are_judged_by_the_content_and_the_profile_of_their_version(
    spark: Any, content: Any, fhir: FhirVersion
) -> None:
    from terminology.bulk import spark as tx

    gender = {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": "female"}]}
    resource = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": "Patient/1"},
        "code": gender,
    }
    profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-procedure" if fhir == "R4" else None
    asking = Judge.of(Terminology().state, profile=profile, fhir=fhir)
    df = spark.createDataFrame([(json.dumps(resource),)], "line string")
    [row] = tx.validate(df, content, resource="line", fhir=fhir, profile=profile).collect()
    assert found(row.judgement) == said(asking.judge(asking.read(resource, fhir)))
    [used] = row.judgement.used
    assert used.endswith({"R4": "|4.0.1", "R5": "|5.0.0"}[fhir])
    without = Judge.of(Terminology().state, fhir=fhir)
    assert (said(without.judge(without.read(resource, fhir))) == found(row.judgement)) is (profile is None)


def test_questions_are_columns(spark: Any, content: Any) -> None:
    from pyspark.sql.functions import lit

    from terminology.bulk import spark as tx

    df = spark.createDataFrame([("38230",), ("38232",), ("99999",)], "code string")
    system = lit(CPT)
    asked = df.select(
        tx.member_of(content, system, "code", value_set=OWN_USE).alias("own"),
        tx.display(content, system, "code", language="de").alias("display"),
        tx.subsumes(content, system, "code", lit("38232")).alias("relation"),
        tx.translate(content, system, "code", target_system=OPS).alias("ops"),
    )
    terminology = Terminology()
    rows = asked.collect()
    assert [row.own for row in rows] == [False, True, False]
    assert [row.display for row in rows[:2]] == [
        terminology.lookup(CPT, code, display_language="de").display for code in ("38230", "38232")
    ]
    assert [row.relation for row in rows] == ["not-subsumed", "equivalent", None]
    assert [[each.code for each in row.ops or ()] for row in rows] == [["5-410.01"], ["5-410.00"], []]


SETS = {
    "shipped": OWN_USE,
    "whole": f"{YEARS}?fhir_vs",
    "two systems": "http://example.org/two",
    "case does not matter": f"{SORTS}-folded?fhir_vs",
    "unknown": "http://example.org/none",
    "needs what is not here": "http://example.org/needs",
}
COMPOSED = {
    "two": [
        {"system": YEARS, "version": "2020"},
        {"system": SORTS, "concept": [{"code": each} for each in ("kept", "Case", "a:b")]},
        {"system": CPT, "concept": [{"code": "38230"}]},
    ],
    "needs": [{"system": "http://example.org/unknown"}, {"system": YEARS}],
}
ODD_CODES = ("", "38232 ", " kept", "x" * 1024, "x" * 1025, "a\nb", "\u00e9", "KEPT")
ODD_SYSTEMS = ("", "|", f"{YEARS}|2020", f"{CPT}|", f"{YEARS}\n", "x" * 1100, " ")


@pytest.mark.parametrize("name", SETS)
def test_membership_is_what_the_function_says_whoever_answers(
    spark: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from terminology.bulk import spark as tx
    from terminology.bulk.spark import members

    sets = [
        {"resourceType": "ValueSet", "url": f"http://example.org/{each}", "status": "active", "compose": {"include": i}}
        for each, i in COMPOSED.items()
    ]
    given = [*INVENTED, *sets]
    known = sorted({code or "" for codes in CODES.values() for code in codes} | {*ODD_CODES})
    rows = [(system, code) for system in (*CODES, *ODD_SYSTEMS) for code in (*known, None)]
    df = spark.createDataFrame(rows, "system string, code string")
    content = tx.share(spark, content=given)

    def answers() -> tuple[list[bool | None], bool]:
        asked = df.select("system", "code", tx.member_of(content, "system", "code", value_set=SETS[name]).alias("in"))
        plan = asked._jdf.queryExecution().toString()
        return [row["in"] for row in asked.collect()], "Python" in plan

    told, in_python = answers()
    terminology = Terminology(content=given)
    assert told == [membership(terminology, *row, SETS[name]) for row in rows]
    assert in_python is (name in ("case does not matter", "unknown", "needs what is not here"))
    monkeypatch.setattr(members, "member", lambda *_: None)
    assert answers() == (told, True)


def membership(terminology: Terminology, system: str | None, code: str | None, value_set: str) -> bool | None:
    if "|" in (system or ""):
        return None
    with suppress(Refusal):
        found = terminology.validate_code(code or "", system, value_set=value_set, valueset_membership_only=True)
        return found.result if found.judged and not found.unknown_systems else None
    return None


def test_a_column_of_membership_stands_wherever_a_column_may(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    df = spark.createDataFrame([(CPT, "38230"), (CPT, "38232"), (None, "38232"), (CPT, None)], TABLE[:26])
    own = tx.member_of(content, "system", "code", value_set=OWN_USE)
    assert df.where(own).count() == 2
    assert [row.code for row in df.orderBy(own.desc_nulls_last()).limit(2).collect()] == ["38232", "38232"]
    assert {tuple(row) for row in df.groupBy(own.alias("own")).count().collect()} == {(True, 2), (False, 1), (None, 1)}
    assert df.repartition(2, own).withColumn("own", own).where("own").count() == 2
    assert OWN_USE not in df.select(own)._jdf.queryExecution().toString()


def test_what_is_loaded_and_what_is_given_travel_to_the_workers(spark: Any, tmp_path: Path) -> None:
    from click.testing import CliRunner
    from pyspark.sql.functions import lit

    from terminology.bulk import spark as tx
    from terminology.cli import group

    loaded = {"resourceType": "CodeSystem", "url": "http://example.org/loaded", "version": "1", "status": "active"}
    loaded |= {"content": "complete", "concept": [{"code": "a", "display": "Alpha"}]}
    (tmp_path / "loaded.json").write_text(json.dumps(loaded))
    folder = tmp_path / "data"
    done = CliRunner().invoke(group, ["import", "fhir", str(tmp_path / "loaded.json"), "--data-dir", str(folder)])
    assert done.exit_code == 0, done.output
    given = {**loaded, "url": "http://example.org/given", "concept": [{"code": "b", "display": "Beta"}]}
    content = tx.share(spark, content=[given], data_dir=str(folder))
    df = spark.createDataFrame([("loaded", "a"), ("given", "b"), ("given", "c")], "name string, code string")
    from pyspark.sql.functions import concat

    shown = df.select(tx.display(content, concat(lit("http://example.org/"), "name"), "code").alias("shown")).collect()
    assert [row.shown for row in shown] == ["Alpha", "Beta", None]


def test_the_example_of_the_page_runs(spark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("a", CPT, "38232", "2011-06-01"), ("b", CPT, "38232", "2024-06-01")]
    spark.createDataFrame(rows, "id string, system string, code string, performed string").write.parquet(
        str(tmp_path / "claims.parquet")
    )
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "spark.md").read_text(encoding="utf-8")
    code = page.partition("```py\n")[2].partition("```")[0]
    named = code.replace("claims.parquet", str(tmp_path / "claims.parquet")).replace("/data/terminology", str(tmp_path))
    exec(compile(named, "spark.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "|a " in shown
    assert "not-valid-on-date" in shown
    assert "|b " not in shown


def test_a_store_that_is_no_file_is_refused_with_a_way_out(spark: Any) -> None:
    from terminology.bulk import spark as tx
    from terminology.issues import NotSupported

    with pytest.raises(NotSupported) as refused:
        tx.share(spark, store="postgresql://user@localhost/name")
    assert refused.value.issues[0].message_id == "OWN_SPARK_STORE"


def test_neither_code_nor_resource_is_an_error_that_says_so(spark: Any, content: Any) -> None:
    from terminology.bulk import spark as tx

    with pytest.raises(ValueError, match="either code"):
        tx.validate(spark.createDataFrame([(1,)], "n int"), content)
    with pytest.raises(ValueError, match="profile is for resources"):
        tx.validate(
            spark.createDataFrame([("x",)], "code string"), content, code="code", profile="http://example.org/p"
        )


def test_answers_that_a_node_does_not_keep_are_the_same(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from terminology.bulk import spark as tx
    from terminology.bulk.spark import jvm

    monkeypatch.setattr(jvm, "REMEMBERED", 3000)
    many = drawn(400, seed=8)
    rows = spark.createDataFrame(many, TABLE).repartition(2)
    judged = tx.validate(rows, tx.share(spark, content=INVENTED), system="system", code="code", date="date").collect()
    asked = generated_judge(None)
    for row in judged:
        assert found(row.judgement) == said(asked.judge(asked.row(row.system, row.code, None, None, row.date))), row


@pytest.mark.parametrize(("most", "value_set"), ASKED)
def test_generated_rows_have_the_findings_of_the_function(
    spark: Any, most: int, value_set: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from terminology.bulk import spark as tx
    from terminology.bulk.spark import listed

    monkeypatch.setattr(listed, "MOST", most)
    content = tx.share(spark, content=[*INVENTED, invented_value_set()])
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 1000)
    many = drawn(3000, seed=6)
    df = spark.createDataFrame(many, TABLE)
    named = {each: each for each in ("system", "code", "version", "display", "date")}
    rows = tx.validate(df, content, value_set=value_set, **named).collect()
    asked = generated_judge(value_set)
    assert [tuple(row)[:5] for row in rows] == many
    for row, sent in zip(rows, many, strict=True):
        assert found(row.judgement) == said(asked.judge(asked.row(*sent))), sent


def test_a_column_of_days_and_constants_are_judged_as_text_is(spark: Any, content: Any) -> None:
    from pyspark.sql import functions as f

    from terminology.bulk import spark as tx

    days = ["2011-12-31", "2012-01-01", None, "2031-01-01"]
    df = spark.createDataFrame([(day,) for day in days], "day string").select(
        f.col("day").cast("date").alias("day"), f.col("day").cast("timestamp").alias("moment")
    )
    for day in ("day", "moment", f.col("day"), f.col("moment").cast("string")):
        judged = tx.validate(df, content, system=f.lit(CPT), code=f.lit("38232"), date=day)
        assert judged.columns == ["day", "moment", "judgement"]
        wanted = [said(judge().judge(judge().row(CPT, "38232", None, None, each))) for each in days]
        assert [found(row.judgement) for row in judged.collect()] == wanted


@pytest.mark.parametrize("value_set", VALUE_SETS[1:])
def test_membership_of_generated_rows_is_that_of_the_function(spark: Any, value_set: str) -> None:
    from terminology.bulk import spark as tx
    from terminology.issues import Refusal

    resources = [*INVENTED, invented_value_set()]
    terminology, content = Terminology(content=resources), tx.share(spark, content=resources)

    def asked(system: str | None, code: str | None, version: str | None, date: str | None) -> bool | None:
        stated = {"system_version": version, "date": date, "valueset_membership_only": True}
        if "|" in (system or ""):
            return None
        try:
            found = terminology.validate_code(code or "", system, value_set=value_set, **stated)
        except Refusal:
            return None
        return found.result if found.judged and not found.unknown_systems else None

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 500)
    many = [*drawn(2000, seed=7), (f"{CPT}|2011", "38232", None, None, None), (CPT, "3" * 1025, None, None, None)]
    bare = tx.member_of(content, "system", "code", value_set=value_set)
    dated = tx.member_of(content, "system", "code", value_set=value_set, version="version", date="date")
    rows = spark.createDataFrame(many, TABLE).select(bare.alias("bare"), dated.alias("dated")).collect()
    for sent, row in zip(many, rows, strict=True):
        system, code, version, _, date = sent
        assert row.bare == asked(system, code, None, None), sent
        assert row.dated == asked(system, code, version, date), sent
    assert {row.bare for row in rows} == {True, False, None}
