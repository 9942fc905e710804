"""The judge as a column of Spark's own: functions in Java (Codings.java), which ask Python for the fewest of rows.

A function in Python takes every row out of Spark and back, though there is nothing to say of most. So the functions are
Java: made by Janino, the compiler that Spark brings for its own plans, and sent to the nodes as a jar of the job.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias, cast
from weakref import WeakKeyDictionary

from pyspark.serializers import CloudPickleSerializer
from pyspark.sql import Column, SparkSession
from pyspark.sql.functions import array, call_function, coalesce, get, lit, struct

from terminology.bulk.spark import listed
from terminology.bulk.spark.content import Content
from terminology.bulk.spark.judging import JUDGEMENT, Asked

REMEMBERED = 100_000_000
"""Bytes of answers that a node keeps for each ``Asked``: of 400,000 codings, if they have the same answers. Over it, it
begins anew."""
FEW = 8
"""So many judges are known to a session by name."""
_SOURCE = "Codings.java"
_CLASS = "org.flaskfhirterminology.Codings"
_loaders: dict[str, Any] = {}
"""By application: what the driver has loaded our classes with."""
Judging: TypeAlias = Callable[..., Column]
_made: WeakKeyDictionary[SparkSession, dict[tuple[str, Asked, bool], Judging]] = WeakKeyDictionary()


def judged(session: SparkSession, content: Content, asked: Asked, *, dated: bool) -> Judging:
    """The judgement of a row: of five columns of text, which are system, code, version, display and date. Where rows
    are ``dated``, those that are plainly right are looked up. Raises Refusal for what the judge does not know."""
    made = _made.setdefault(session, {})
    key = (content.key, asked, dated)
    if key not in made:
        if len(made) >= FEW:
            made.clear()
        made[key] = _judging(session, content, asked, dated)
    return made[key]


def _judging(session: SparkSession, content: Content, asked: Asked, dated: bool) -> Judging:
    context: Any = session.sparkContext
    judge = asked.judge(content)
    name = f"terminology_{content.key}_{sha256(repr((asked, dated)).encode()).hexdigest()[:16]}"
    pickled: Any = CloudPickleSerializer
    task = context._jsc.broadcast(pickled().dumps((content, asked)))
    variables = [str(each) for pair in context.environment.items() for each in pair]
    stated = (context.pythonExec, _texts(context, variables), _texts(context, context._python_includes))
    _register(session, name, "Asked", (name, *stated, REMEMBERED, task), JUDGEMENT)
    packed = listed.plain(judge) if dated else None
    if packed is None:
        return lambda *row: call_function(name, *row)
    _register(session, f"{name}_plain", "Plain", (context._jsc.broadcast(packed.table),), "int")
    right = array(*(struct(lit("right"), array(lit(each)), array()).cast(JUDGEMENT) for each in packed.used))

    def judgement(*row: Column) -> Column:
        place = call_function(f"{name}_plain", *(each.cast("binary") for each in row))
        return coalesce(get(right, place), call_function(name, *row))

    return judgement


def _register(session: SparkSession, name: str, kind: str, stated: Sequence[Any], returned: str) -> None:
    context: Any = session.sparkContext
    [constructor] = _loader(context).loadClass(f"{_CLASS}${kind}").getConstructors()
    arguments = context._gateway.new_array(context._jvm.Object, len(stated))
    for at, each in enumerate(stated):
        arguments[at] = each
    kind_of = context._jvm.org.apache.spark.sql.types.DataType.fromDDL(returned)
    cast("Any", session)._jsparkSession.udf().register(name, constructor.newInstance(arguments), kind_of)


def _texts(context: Any, texts: Sequence[str]) -> Any:
    made = context._gateway.new_array(context._jvm.String, len(texts))
    for at, each in enumerate(texts):
        made[at] = each
    return made


def _loader(context: Any) -> Any:
    """The driver's loader of the compiled classes; the nodes have them from the jar, which is sent once."""
    if context.applicationId not in _loaders:
        jvm = context._jvm
        parent = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(parent)
        compiler.cook(files(__package__).joinpath(_SOURCE).read_text(encoding="utf-8"))
        jar = Path(tempfile.mkdtemp(prefix="terminology-spark-")) / "terminology-codings.jar"
        with zipfile.ZipFile(jar, "w") as packed:
            for each in compiler.getBytecodes().entrySet():
                packed.writestr(f"{each.getKey().replace('.', '/')}.class", bytes(each.getValue()))
        context._jsc.addJar(str(jar))
        place = context._gateway.new_array(jvm.java.net.URL, 1)
        place[0] = jvm.java.io.File(str(jar)).toURI().toURL()
        _loaders.clear()
        _loaders[context.applicationId] = jvm.java.net.URLClassLoader(place, parent)
    return _loaders[context.applicationId]
