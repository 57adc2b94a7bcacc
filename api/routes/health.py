"""Whether the service is alive, and whether it can do its work."""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.database import transaction
from api.problems import MEDIA_TYPE, TITLES, Problem
from api.service import Service, get_service
from qc.errors import QcError

router = APIRouter(tags=["运行"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = Field(default="ok", description="进程在运行")


class Ready(BaseModel):
    """All that the service needs can be used."""

    database: Literal["ok"] = Field(default="ok", description="数据库可用")
    store: Literal["ok"] = Field(default="ok", description="录音存放处可用")


@router.get("/health", summary="进程是否在运行")
def health() -> Alive:
    """供进程监护程序使用，不检查数据库。"""
    return Alive()


@router.get(
    "/ready",
    summary="能否正常工作",
    responses={
        503: {
            "description": TITLES[503],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    },
)
def ready(service: Annotated[Service, Depends(get_service)]) -> Ready:
    """数据库和录音存放处都可用时回答 200，否则 503。"""
    log = structlog.get_logger()
    try:
        with transaction(service.reader) as session:
            session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.error("not ready", database=str(error))
        raise Problem(503, "数据库暂不可用。", kind="not-ready") from error
    try:
        service.store.check()
    except (QcError, OSError) as error:
        log.error("not ready", store=str(error))
        raise Problem(503, "录音存放处暂不可用。", kind="not-ready") from error
    return Ready()
