"""Which parts there are: each is one module of this folder with one function, ``run(report)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """``unasked``: it runs when no part is named; others need an address, a database or an extra."""

    module: str
    asks: str
    unasked: bool = True


PARTS: Mapping[str, Part] = {
    "http": Part("http", "requests a second, hot, cold and unseen, beside bare Flask on the same Granian"),
    "peer": Part("peer", "the same requests to another FHIR terminology server (--peer URL)", unasked=False),
    "expand": Part("expand", "what an expansion costs, from 2 codes to a page of 78,000"),
    "import": Part("importing", "seconds and memory of loading 78,000 and 1,000,000 concepts with their text index"),
    "scale": Part("scale", "what a call costs at 2, 10⁴, 10⁵ and 10⁶ concepts"),
    "bulk": Part("bulk", "rows a second of terminology validate, beside the bare DuckDB join", unasked=False),
    "spark": Part("spark", "rows a second on Spark, beside a bare broadcast join (extra spark)", unasked=False),
    "memory": Part("memory", "RSS of a worker, start to first correct answer, imported modules"),
    "conformance": Part("conformance", "wall time of HL7's cases"),
    "nodes": Part("nodes", "how soon one node shows what another one wrote (needs PostgreSQL)", unasked=False),
}
