"""What every request and every worker needs, made once."""

from dataclasses import dataclass

from fastapi import Request
from sqlalchemy import Engine

from api.database import connect
from api.jobs import Queue
from api.migrations import migrate
from api.settings import Settings
from api.store import RecordingStore


@dataclass(frozen=True)
class Service:
    """Database, store of recordings and queue, with their settings."""

    settings: Settings
    engine: Engine  # for writing
    reader: Engine  # for reading only; never waits for a writer
    store: RecordingStore
    queue: Queue  # to enqueue only: the API process runs no jobs

    def close(self) -> None:
        """Give all connections back."""
        self.queue.close()
        self.engine.dispose()
        self.reader.dispose()


def open_service(settings: Settings) -> Service:
    """Bring the database up to date and open everything.

    Raises:
        QcError: the database or the store cannot be used.
    """
    from api.accounts import make_first_admin  # which builds on this module

    settings.data_folder.mkdir(parents=True, exist_ok=True)
    migrate(settings.database)
    service = Service(
        settings=settings,
        engine=connect(settings.database),
        reader=connect(settings.database, read_only=True),
        store=RecordingStore(settings.recordings),
        queue=Queue(settings),
    )
    make_first_admin(service.engine, settings.admin_password)
    return service


def get_service(request: Request) -> Service:
    """Dependency: the service of this application."""
    service: Service = request.app.state.service
    return service
