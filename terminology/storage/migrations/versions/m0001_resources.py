"""Resources, their history, their terms, and the number of the last change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

START = "1970-01-01T00:00:00.000Z"


def upgrade() -> None:
    generation = op.create_table(
        "generation",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.Column("instant", sa.String(30), nullable=False),
    )
    op.bulk_insert(generation, [{"number": 1, "value": 0, "instant": START}])
    op.create_table(
        "resource",
        sa.Column("type", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("deleted", sa.Integer, nullable=False),
        sa.Column("canonical", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("name", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("status", sa.Text),
        sa.Column("last_updated", sa.String(30), nullable=False),
        sa.UniqueConstraint("type", "canonical", name="resource_canonical"),
    )
    op.create_index("resource_generation", "resource", ["generation"])
    op.create_table(
        "history",
        sa.Column("type", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("instant", sa.String(30), nullable=False),
        sa.Column("fhir", sa.String(4), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("history_generation", "history", ["generation"])
    op.create_table(
        "term",
        sa.Column("type", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
    )
    op.create_index("term_value", "term", ["type", "name", "value"])
