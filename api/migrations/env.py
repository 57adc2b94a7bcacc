"""How Alembic reaches the database; run by `api.migrations`."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import text

import api.tables  # noqa: F401 (fills the metadata)
from api.database import Moment, Table, connect
from api.migrations import MIGRATION_LOCK


def is_ours(name: str | None, kind: str, _: Any) -> bool:
    """Leave the queue's tables alone, which lie in the same SQLite file."""
    return kind != "table" or name in Table.metadata.tables


def plain_type(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Revisions name no type of ours, which may change after them."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, Moment) else False


def run() -> None:
    engine = connect(context.config.attributes["url"])
    try:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=Table.metadata,
                include_name=is_ours,
                render_item=plain_type,
                render_as_batch=True,
                transactional_ddl=True,
            )
            with context.begin_transaction():
                if engine.dialect.name == "postgresql":
                    lock = {"lock": MIGRATION_LOCK}
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), lock)
                context.run_migrations()
    finally:
        engine.dispose()


run()
