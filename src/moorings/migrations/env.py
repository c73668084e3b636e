"""Alembic's entry: it runs on the connection with which `migrations.migrate` has taken the lock."""

from alembic import context

from moorings.db import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
