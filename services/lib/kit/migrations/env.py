"""Alembic's environment: runs revisions on the connection that it is handed."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("tables"),
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
