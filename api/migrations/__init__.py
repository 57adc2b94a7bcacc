"""Bringing a database up to date; the revisions lie in `versions/` and ship with the package."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from click.exceptions import Exit
from dbos import run_dbos_database_migrations
from sqlalchemy.exc import SQLAlchemyError

from qc.errors import QcError

FOLDER = Path(__file__).parent
MIGRATION_LOCK = 12345_002  # PostgreSQL advisory lock: one process at a time


def configuration(url: str) -> Config:
    """Alembic's settings for a database."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    """Create or update our tables and those of the queue; safe from several processes at once.

    Raises:
        QcError: the database cannot be reached or changed.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        command.upgrade(configuration(url), "head")
        run_dbos_database_migrations(url)  # takes a lock of its own
    except Exit as error:
        raise QcError("任务队列的数据表无法更新", "请检查数据库账号是否有建表的权限") from error
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise QcError(
            f"数据库打不开或无法更新：{reason}", "请检查 HOTLINE_QC_DATABASE_URL"
        ) from error
