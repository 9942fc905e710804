"""Read by Alembic: runs the migrations in the transaction of the connection that it was handed."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="store_version",
    transaction_per_migration=False,
)
context.run_migrations()
