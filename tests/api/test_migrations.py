"""The database comes up to date by itself, on both kinds, and holds what the tables say."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

import api.tables
from api.audit import record
from api.database import Table, connect, transaction
from api.migrations import FOLDER, configuration, migrate
from qc.errors import QcError


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    make: Callable[[], str] = request.getfixturevalue("postgresql")
    return make()


def tables_of(url: str) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_an_empty_database_gets_every_table(empty: str) -> None:
    migrate(empty)
    assert set(Table.metadata.tables) <= tables_of(empty)
    migrate(empty)


def test_the_revisions_say_the_same_as_the_tables(empty: str) -> None:
    """Otherwise: `python -m api.migrations MESSAGE` writes the missing revision."""
    migrate(empty)
    command.check(configuration(empty))


def test_the_revisions_can_be_taken_back(empty: str) -> None:
    migrate(empty)
    command.downgrade(configuration(empty), "base")
    assert not set(Table.metadata.tables) & tables_of(empty)
    migrate(empty)


def test_several_processes_may_begin_at_once(empty: str, tmp_path: Path) -> None:
    code = (
        "import sys; from api.service import open_service; from api.settings import Settings;"
        "open_service(Settings(_env_file=None, data_folder=sys.argv[1], database_url=sys.argv[2]))"
    )
    command_line = [sys.executable, "-c", code, str(tmp_path), empty]
    begun = [subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in begun]
    assert [process.returncode for process in begun] == [0, 0], told
    assert "".join(told).count("初始密码") == 1
    assert set(Table.metadata.tables) <= tables_of(empty)


def test_the_revisions_lie_inside_the_package() -> None:
    assert list((FOLDER / "versions").glob("0001_*.py"))
    assert FOLDER.parent == Path(api.tables.__file__).parent


def test_a_database_that_cannot_be_reached_is_told_plainly(tmp_path: Path) -> None:
    with pytest.raises(QcError, match="数据库打不开"):
        migrate("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(QcError, match="数据库打不开"):
        migrate(f"sqlite:///{tmp_path / 'no' / 'folder' / 'x.db'}")


@pytest.mark.parametrize(
    "meddling", ["UPDATE audit SET actor = 'somebody else'", "DELETE FROM audit"]
)
def test_the_database_refuses_to_change_or_remove_audit_rows(empty: str, meddling: str) -> None:
    migrate(empty)
    engine = connect(empty)
    with transaction(engine) as session:
        record(session, "system", "recording.listen", "guarded")
    with (
        pytest.raises(DBAPIError, match="never changed or removed"),
        transaction(engine) as session,
    ):
        session.execute(text(meddling))
    engine.dispose()
