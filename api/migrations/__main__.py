"""`python -m api.migrations MESSAGE`: a revision for what changed in `api/tables.py`."""

import sys
import tempfile
from pathlib import Path

from alembic import command

from api.migrations import FOLDER, configuration


def revise(message: str) -> None:
    """Write the next revision, by comparing the tables with a database at the last one."""
    number = len(list((FOLDER / "versions").glob("[0-9]*.py"))) + 1
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(f"sqlite:///{Path(folder) / 'scratch.db'}")
        config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")


revise(" ".join(sys.argv[1:]) or "change")
