"""Writes revisions out as SQL; `quarterdeck.store.schema` runs that SQL in one transaction.

There is no online mode: the only PostgreSQL driver here is asyncpg, and SQLAlchemy's way to it
would bring another dependency for something that runs once per release.
"""

from alembic import context

context.configure(
    dialect_name="postgresql",
    dialect_opts={"paramstyle": "named"},
    literal_binds=True,
    transactional_ddl=False,
)
context.run_migrations()
