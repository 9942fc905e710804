"""The tables of the resource store, as the newest migration leaves them (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

METADATA = MetaData()

GENERATION = Table(
    "generation",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
    Column("instant", String(30), nullable=False),
)
"""One row: the number of the last change and its instant. A writer changes it first, so writers wait for each other."""

RESOURCE = Table(
    "resource",
    METADATA,
    Column("type", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("deleted", Integer, nullable=False),
    Column("canonical", Text),
    Column("url", Text),
    Column("version", Text),
    Column("name", Text),
    Column("title", Text),
    Column("status", Text),
    Column("last_updated", String(30), nullable=False),
    UniqueConstraint("type", "canonical", name="resource_canonical"),
    Index("resource_generation", "generation"),
)
"""The current version of each resource; its text stands in ``history``."""

HISTORY = Table(
    "history",
    METADATA,
    Column("type", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("method", String(8), nullable=False),
    Column("instant", String(30), nullable=False),
    Column("fhir", String(4), nullable=False),
    Column("text", Text, nullable=False),
    Index("history_generation", "generation"),
)
"""Every version. A row is never changed."""

TERM = Table(
    "term",
    METADATA,
    Column("type", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Text, primary_key=True),
    Index("term_value", "type", "name", "value"),
)
"""The codes, systems and references of the current version of each resource."""
