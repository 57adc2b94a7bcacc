"""The audit log, for auditors."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from api.access import Actor, allowed
from api.audit import Head, verify
from api.database import transaction
from api.paging import Page, Wanted, read_page, wanted_page
from api.service import Service, get_service
from api.tables import AuditRow
from qc.filed import OptionalMoment

router = APIRouter(prefix="/api/v1/audit", tags=["审计"])

Auditor = Annotated[Actor, Depends(allowed("audit:read"))]
Text = Annotated[str | None, Query(max_length=200)]


class Entry(BaseModel):
    """One row of the log."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="序号，从 1 起，没有空缺", examples=[1])
    at: datetime = Field(description="时间")
    actor: str = Field(description="谁", examples=["admin"])
    action: str = Field(description="做了什么", examples=["recording.listen"])
    subject: str = Field(description="对什么", examples=["20240611-0001"])
    detail: str = Field(description="补充说明", examples=[""])
    hash: str = Field(description="本条的摘要，含上一条的摘要")


class Verification(BaseModel):
    """Whether the log is as it was written."""

    intact: bool = Field(description="是否完整、未被改动")
    broken: int | None = Field(description="从第几条起不对；完整时为 null", examples=[None])
    last_id: int = Field(description="最后一条正确的序号；请另行保存，以后可据此查出末尾被删")
    last_hash: str = Field(description="最后一条正确的摘要；请另行保存")


@router.get("", summary="审计日志")
def list_entries(
    _: Auditor,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    service: Annotated[Service, Depends(get_service)],
    actor: Annotated[Text, Query(description="只看这个账号或密钥的")] = None,
    action: Annotated[Text, Query(description="只看这种操作的")] = None,
    subject: Annotated[Text, Query(description="只看对它的操作")] = None,
    since: Annotated[OptionalMoment, Query(description="从何时起")] = None,
    until: Annotated[OptionalMoment, Query(description="到何时止（不含）")] = None,
) -> Page[Entry]:
    """最近的在前。"""
    rows = select(AuditRow)
    for column, value in (
        (AuditRow.actor, actor),
        (AuditRow.action, action),
        (AuditRow.subject, subject),
    ):
        rows = rows.where(column == value) if value is not None else rows
    rows = rows.where(AuditRow.at >= since) if since else rows
    rows = rows.where(AuditRow.at < until) if until else rows
    with transaction(service.reader) as session:
        found, after = read_page(session, rows, [AuditRow.id], wanted)
    return Page(items=[Entry.model_validate(row) for row in found], next=after)


@router.get("/verification", summary="核验审计日志")
def verify_log(
    _: Auditor,
    service: Annotated[Service, Depends(get_service)],
    known_id: Annotated[
        int | None, Query(ge=1, lt=2**31, description="以前保存的最后一条的序号")
    ] = None,
    known_hash: Annotated[
        str | None, Query(pattern="^[0-9a-f]{64}$", description="以前保存的最后一条的摘要")
    ] = None,
) -> Verification:
    """逐条核对摘要：改动、删除、插入都会被发现；给出以前保存的末条，末尾被删也会被发现。"""
    known = Head(known_id, known_hash) if known_id and known_hash else None
    with transaction(service.reader) as session:
        found = verify(session, known)
    return Verification(
        intact=found.broken is None,
        broken=found.broken,
        last_id=found.last.id,
        last_hash=found.last.hash,
    )
