"""Jobs: what waits, what runs, and how far it is."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import select
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.access import Actor, visible
from api.audit import record
from api.database import transaction
from api.jobs import UNFINISHED, cancel_job
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import Problem
from api.routes.common import (
    JobId,
    JobsReader,
    RecordingsWriter,
    TheService,
    find_job,
)
from api.service import Service
from api.tables import JobRow, OrderRow
from qc.filed import LOCAL

router = APIRouter(prefix="/api/v1/jobs", tags=["任务"])

LOOK_SECONDS = 0.5  # between looks at a job whose progress somebody follows
Status = Literal["queued", "running", "done", "failed", "cancelled"]


class JobShown(BaseModel):
    """A job as people see it."""

    id: str = Field(description="任务编号")
    kind: str = Field(description="inspect 检查录音，order 汇总工单", examples=["inspect"])
    order_id: str = Field(description="工单编号", examples=["20240611-000417"])
    recording_id: str | None = Field(description="录音编号")
    status: Status = Field(description="排队、进行、完成、失败、取消")
    progress: float = Field(description="进度，0 到 1", examples=[0.3])
    stage: str = Field(description="正在做什么", examples=["识别和检查"])
    reason: str = Field(description="失败的原因", examples=[""])
    attempts: int = Field(description="试了几次", examples=[1])
    created_at: datetime = Field(description="提交时间")
    started_at: datetime | None = Field(description="开始时间")
    finished_at: datetime | None = Field(description="结束时间")


@router.get("", summary="任务列表")
def list_jobs(
    actor: JobsReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    status: Annotated[Status | None, Query(description="只看这种状态的")] = None,
) -> Page[JobShown]:
    """新提交的在前。"""
    rows = visible(
        select(JobRow).join(OrderRow, OrderRow.id == JobRow.order_pk), actor, OrderRow.department
    )
    if status is not None:
        rows = rows.where(JobRow.status == status)
    with transaction(service.reader) as session:
        found, after = read_page(session, rows, [JobRow.created_at, JobRow.id], wanted)
        numbers = dict(
            session.execute(
                select(OrderRow.id, OrderRow.order_id).where(
                    OrderRow.id.in_([row.order_pk for row in found])
                )
            ).all()
        )
    items = [_shown(row, numbers.get(row.order_pk or "", "")) for row in found]
    return Page(items=items, next=after)


@router.get("/{job_id}", summary="一个任务")
def get_job(job_id: JobId, actor: JobsReader, service: TheService) -> JobShown:
    """任务的进度和结果。"""
    return _read(service, actor, job_id)


@router.get(
    "/{job_id}/events",
    summary="任务进度（SSE）",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "每有变化送一个 progress 事件，内容同任务；结束后关闭",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def get_events(job_id: JobId, actor: JobsReader, service: TheService) -> EventSourceResponse:
    """Server-Sent Events。"""
    first = await run_in_threadpool(_read, service, actor, job_id)
    return EventSourceResponse(_events(service, actor, first), ping=15)


async def _events(service: Service, actor: Actor, job: JobShown) -> AsyncIterator[ServerSentEvent]:
    while True:
        yield ServerSentEvent(event="progress", data=job.model_dump_json())
        if job.status not in UNFINISHED:
            return
        before: Any = job
        while job == before:
            await asyncio.sleep(LOOK_SECONDS)
            job = await run_in_threadpool(_read, service, actor, job.id)


@router.post("/{job_id}:cancel", summary="取消任务")
def post_cancel(job_id: JobId, actor: RecordingsWriter, service: TheService) -> JobShown:
    """排队的不再执行；正在进行的不会留下结论。已结束的回 409。"""
    with transaction(service.engine) as session:
        find_job(session, actor, job_id)
        job = session.get_one(JobRow, job_id, with_for_update=True)
        if job.status not in UNFINISHED:
            raise Problem(409, "任务已经结束，不能取消。", kind="finished")
        cancel_job(session, job)
        record(session, actor, "job.cancel", job_id)
    service.queue.withdraw(job_id)
    return _read(service, actor, job_id)


def _read(service: Service, actor: Actor, job_id: str) -> JobShown:
    with transaction(service.reader) as session:
        row = find_job(session, actor, job_id)
        return _shown(row, session.get_one(OrderRow, row.order_pk).order_id)


def _shown(row: JobRow, order_id: str) -> JobShown:
    return JobShown.model_validate(
        {
            "order_id": order_id,
            **{name: getattr(row, name) for name in _SAME},
            **{name: _local(getattr(row, name)) for name in _TIMES},
        }
    )


_SAME = ("id", "kind", "recording_id", "status", "progress", "stage", "reason", "attempts")
_TIMES = ("created_at", "started_at", "finished_at")


def _local(moment: datetime | None) -> datetime | None:
    return moment.astimezone(LOCAL) if moment else None
