"""Parameters and look-ups that the routes of orders, recordings and jobs share."""

from datetime import date, datetime, time
from typing import Annotated

from fastapi import Depends, Path, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, allowed, visible
from api.orders import ORDER_ID, PLAIN
from api.problems import not_found
from api.service import Service, get_service
from api.tables import JobRow, OrderRow, RecordingRow, UploadRow
from qc.filed import LOCAL

HEX_ID = r"^[0-9a-f]{32}$"
JOB_ID = r"^\w+:[0-9a-f]{32}:[0-9a-f]{1,8}$"

SOUND = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in ("audio/*", "application/octet-stream")
}  # the body of a recording

OrderId = Annotated[
    str, Path(pattern=ORDER_ID, description="工单编号（平台的）", examples=["20240611-000417"])
]
RecordingId = Annotated[str, Path(pattern=HEX_ID, description="录音编号")]
UploadId = Annotated[str, Path(pattern=HEX_ID, description="上传编号")]
JobId = Annotated[str, Path(pattern=JOB_ID, description="任务编号")]
Filter = Annotated[str | None, Query(max_length=100, pattern=PLAIN)]

TheService = Annotated[Service, Depends(get_service)]
OrdersReader = Annotated[Actor, Depends(allowed("orders:read"))]
OrdersWriter = Annotated[Actor, Depends(allowed("orders:write"))]
Listener = Annotated[Actor, Depends(allowed("recordings:read"))]
RecordingsWriter = Annotated[Actor, Depends(allowed("recordings:write"))]
JobsReader = Annotated[Actor, Depends(allowed("jobs:read"))]


def find_order(
    session: Session, actor: Actor, order_id: str, *, for_update: bool = False
) -> OrderRow:
    """The order of that number.

    Raises:
        Problem: 404 there is none, or it is not the actor's to see.
    """
    rows = visible(
        select(OrderRow).where(OrderRow.order_id == order_id), actor, OrderRow.department
    )
    row = session.scalar(rows.with_for_update() if for_update else rows)
    if row is None:
        raise not_found("工单")
    return row


def find_recording(
    session: Session, actor: Actor, recording_id: str, *, for_update: bool = False
) -> RecordingRow:
    """The recording of that id.

    Raises:
        Problem: 404 there is none, or its order is not the actor's to see.
    """
    rows = visible(
        select(RecordingRow).join(OrderRow).where(RecordingRow.id == recording_id),
        actor,
        OrderRow.department,
    )
    row = session.scalar(rows.with_for_update(of=RecordingRow) if for_update else rows)
    if row is None:
        raise not_found("录音")
    return row


def find_upload(session: Session, actor: Actor, upload_id: str) -> UploadRow:
    """An upload that the actor began.

    Raises:
        Problem: 404.
    """
    row = session.scalar(
        select(UploadRow)
        .where(UploadRow.id == upload_id, UploadRow.asked_by == actor.name)
        .with_for_update()
    )
    if row is None:
        raise not_found("上传")
    return row


def find_job(session: Session, actor: Actor, job_id: str) -> JobRow:
    """The job of that id.

    Raises:
        Problem: 404 there is none, or its order is not the actor's to see.
    """
    rows = visible(
        select(JobRow).join(OrderRow, OrderRow.id == JobRow.order_pk).where(JobRow.id == job_id),
        actor,
        OrderRow.department,
    )
    row = session.scalar(rows)
    if row is None:
        raise not_found("任务")
    return row


def midnight(day: date) -> datetime:
    """When a day begins in Shanghai."""
    return datetime.combine(max(day, date(1900, 1, 1)), time(), LOCAL)
