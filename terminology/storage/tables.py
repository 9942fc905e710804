"""The tables of the resource store, as the newest migration leaves them (a test compares the two)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

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

JOB = Table(
    "job",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("fhir", String(4), nullable=False),
    Column("request", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("language", Text),
    Column("state", String(16), nullable=False),
    Column("instant", String(30), nullable=False),
    Column("created", Float(53), nullable=False),
    Column("started", Float(53)),
    Column("served", Float(53), nullable=False),
    Column("expires", Float(53), nullable=False),
    Column("records", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("judged", Integer, nullable=False),
    Column("lease", String(64)),
    Column("until", Float(53), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("problem", Text),
    Index("job_owner", "owner"),
    Index("job_state", "state", "until"),
)
"""Many records to judge for one client. ``position`` is the chunk that is judged next, ``lease`` who may do it and
``until`` when; instants are seconds of the database's clock."""

JOB_INPUT = Table(
    "job_input",
    METADATA,
    Column("job", String(64), ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("line", Integer, nullable=False),
    Column("records", Integer, nullable=False),
    Column("text", LargeBinary, nullable=False),
)
"""What is still to be judged: chunks of NDJSON, compressed. A chunk goes when its results come."""

JOB_RESULT = Table(
    "job_result",
    METADATA,
    Column("job", String(64), ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("records", Integer, nullable=False),
    Column("text", LargeBinary, nullable=False),
)
"""What was found in a chunk: NDJSON, compressed."""
