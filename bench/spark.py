"""Part spark: rows a second of the judge on Spark, beside a bare broadcast join of the same file."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from bench import content
from bench.report import CannotMeasureError, Goal, Report, turns

MANY = 5_000_000
DAYS = 2500
CPT = "http://www.ama-assn.org/go/cpt"


def run(report: Report) -> None:
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415  an extra
    except ImportError:
        raise CannotMeasureError(
            "PySpark is not here: pip install 'flask-fhir-terminology[spark]', and Java 17"
        ) from None
    os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    size, many = (2000, 200_000) if report.quick else (content.LARGE, MANY)
    with tempfile.TemporaryDirectory(prefix="bench-spark-") as name:
        folder = Path(name)
        content.loaded(size, folder, "--effective-from", "2000-01-01")
        built = SparkSession.builder.master("local[2]").appName("bench").config("spark.ui.enabled", "false")
        built = built.config("spark.ui.showConsoleProgress", "false").config("spark.driver.memory", "4g")
        built = built.config("spark.sql.execution.arrow.maxRecordsPerBatch", "100000")
        session = built.config("spark.sql.warehouse.dir", str(folder / "warehouse")).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        try:
            _measured(report, session, folder, size, many)
        finally:
            session.stop()


def _measured(report: Report, session: Any, folder: Path, size: int, many: int) -> None:
    from pyspark.sql import functions as f  # noqa: PLC0415

    from terminology.bulk import spark as tx  # noqa: PLC0415

    _rows(session, size, many).write.parquet(str(folder / "rows"))
    df = session.read.parquet(str(folder / "rows"))
    distinct = df.select("system", "code").distinct().count()
    codes = [(content.url(size), f"C{number}", True) for number in range(1, size + 1)]
    codes += [(CPT, code, True) for code in ("38230", "38232")]
    held = session.createDataFrame(codes, "system string, code string, known boolean").cache()
    held.count()
    shared = tx.share(session, data_dir=str(folder / "data"))

    def bare() -> float:
        return _rate(df.join(f.broadcast(held), ["system", "code"], "left"), many)

    def judged() -> float:
        return _rate(tx.validate(df, shared, system="system", code="code", date="date"), many)

    def asked() -> float:
        value_set = f"{content.url(size)}?fhir_vs"
        return _rate(df.withColumn("in", tx.member_of(shared, "system", "code", value_set=value_set)), many)

    def idle() -> float:
        return _rate(df.withColumn("in", _idle()("system", "code", "date")), many)

    ways = {"bare broadcast join": bare, "validate": judged, "member_of": asked, "Python that does nothing": idle}
    taken = turns(ways, report.rounds)
    goals = dict.fromkeys(("validate", "member_of"), Goal(at_least=0.7))
    report.table(f"{many:,} rows on local[2]", "rows/s", taken, beside="bare broadcast join", goals=goals)
    report.say(f"{distinct:,} distinct codings on {DAYS:,} days. Rows that are plainly right are looked up in Java; of")
    report.say("others a Python process is asked once. The first round starts these and asks of each coding.")
    report.say("Python that does nothing: three columns to a Python worker, and as many nulls back.")


def _rows(session: Any, size: int, many: int) -> Any:
    """Rows whose codes are drawn with a skew, some of them unknown, one in ten of CPT on both sides of 2012."""
    from pyspark.sql import functions as f  # noqa: PLC0415

    drawn = session.range(many).withColumn("draw", f.rand(1)).withColumn("of", f.rand(2))
    cpt = f.col("of") < f.lit(0.1)
    number = (f.pow("draw", f.lit(2)) * f.lit(size * 1.01) + 1).cast("long").cast("string")
    code = f.when(cpt, f.when(f.col("draw") < f.lit(0.5), "38230").otherwise("38232"))
    return drawn.select(
        f.when(cpt, CPT).otherwise(content.url(size)).alias("system"),
        code.otherwise(f.concat(f.lit("C"), number)).alias("code"),
        f.date_add(f.lit("2009-01-01").cast("date"), (f.rand(3) * DAYS).cast("int")).cast("string").alias("date"),
        f.col("id"),
    )


def _idle() -> Any:
    """A column of Python that looks at nothing: what sending alone costs."""
    import pyarrow as pa  # noqa: PLC0415
    from pyspark.sql.pandas.functions import arrow_udf  # noqa: PLC0415

    def nothing(*columns: Any) -> Any:
        return pa.nulls(len(columns[0]), pa.bool_())

    nothing.__annotations__ = dict.fromkeys(("columns", "return"), pa.Array)  # by these Spark knows the kind
    return arrow_udf("boolean")(nothing)


def _rate(df: Any, many: int) -> float:
    began = perf_counter()
    df.write.mode("overwrite").format("noop").save()
    return many / (perf_counter() - began)
