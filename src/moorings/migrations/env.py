"""Alembic's entry: it runs on the connection that `migrations.migrate` holds the lock with."""

from alembic import context

from moorings.db import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
