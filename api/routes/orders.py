"""Work orders: what the platform files, and the verdict on all calls together."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, visible
from api.audit import record_read
from api.database import transaction
from api.masking import Unmasked, view_for
from api.order_answers import OrderShown, OrderVerdict, shown, verdict_of
from api.order_import import MAX_BYTES, Imported, import_orders
from api.orders import (
    add_order,
    change_order,
    merged,
    read_fields,
    sound_order,
    with_visit,
)
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import Problem
from api.routes.common import (
    Filter,
    OrderId,
    OrdersReader,
    OrdersWriter,
    TheService,
    find_order,
    midnight,
)
from api.tables import OrderRow, RecordingRow
from qc.filed import Filing, ReturnVisit
from qc.order import Order

router = APIRouter(prefix="/api/v1", tags=["工单"])

EXAMPLE_ORDER = {
    "order_id": "20240611-000417",
    "category": "complaint",
    "petitioner": "王建国",
    "reported_on": "2024-06-11",
    "issue": "楼上装修噪音扰民",
    "address": "潍坊四村105号602室",
    "department": "城管中队",
    "handler": "李明",
}
EXAMPLE_FILING = {
    "received_at": "2024-06-11 09:10",
    "accepted_at": "2024-06-11 09:40",
    "first_contact_at": "2024-06-11 14:20",
}
IfMatch = Annotated[
    str | None, Header(description="上次读到的 ETag；不符时回 412", examples=['"3"'])
]


class NewOrder(BaseModel):
    """An order with what has been filed on it so far."""

    order: Order = Field(description="工单", examples=[EXAMPLE_ORDER])
    filing: Filing = Field(
        default_factory=Filing, description="填报内容，有多少给多少", examples=[EXAMPLE_FILING]
    )
    profile: str | None = Field(
        default=None,
        pattern=r"^\w{1,50}$",
        description="街镇配置；不给用默认",
        examples=["weifang"],
    )

    _check = field_validator("order")(sound_order)


class OrderChange(BaseModel):
    """Fields to change; what is not named stays, null takes a field away."""

    order: dict[str, Any] = Field(
        default={}, description="要改的工单字段", examples=[{"handler": "陈强"}]
    )
    filing: dict[str, Any] = Field(
        default={},
        description="要改的填报字段",
        examples=[{"replied_at": "2024-06-13 15:30", "satisfaction": "satisfied"}],
    )


@router.get("/orders", summary="工单列表")
def list_orders(
    actor: OrdersReader,
    service: TheService,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    department: Filter = None,
    handler: Filter = None,
    since: Annotated[date | None, Query(description="派单日期从")] = None,
    until: Annotated[date | None, Query(description="派单日期到（含）")] = None,
    below: Annotated[int | None, Query(ge=0, le=101, description="整单得分低于")] = None,
) -> Page[OrderShown]:
    """新派的在前；个人信息已遮盖。"""
    rows = visible(select(OrderRow), actor, OrderRow.department)
    if department is not None:
        rows = rows.where(OrderRow.department == department)
    if handler is not None:
        rows = rows.where(OrderRow.handler == handler)
    if since is not None:
        rows = rows.where(OrderRow.received_at >= midnight(since))
    if until is not None and until < date.max:
        rows = rows.where(OrderRow.received_at < midnight(until + timedelta(days=1)))
    if below is not None:
        rows = rows.where(OrderRow.score < below)
    with transaction(service.reader) as session:
        found, after = read_page(session, rows, [OrderRow.received_at, OrderRow.id], wanted)
        items = shown(session, found, view_for(actor))
    return Page(items=items, next=after)


@router.post("/orders", summary="新建工单", status_code=201)
def post_order(
    wanted: NewOrder, actor: OrdersWriter, service: TheService, response: Response
) -> OrderShown:
    """建立工单，并按已填报的内容检查时限；录音另行上传。"""
    with transaction(service.engine) as session:
        row = add_order(session, service, actor, wanted.order, wanted.filing, wanted.profile)
        response.headers["Location"] = f"/api/v1/orders/{row.order_id}"
        return _answer(session, row, response, actor)


@router.post(
    "/orders:import",
    summary="批量导入工单（CSV 或 XLSX）",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("text/csv", "application/octet-stream")
            },
        }
    },
)
async def post_import(
    request: Request,
    actor: OrdersWriter,
    service: TheService,
    profile: Annotated[str | None, Query(pattern=r"^\w{1,50}$", description="街镇配置")] = None,
) -> Imported:
    """第一行是列名（工单编号、诉求人、诉求内容、派单时间、首次联系时间、办结时间、满意情况……）。

    一行一个工单：没有的建立，已有的更新；某一行有错只影响这一行，并写明原因。
    """
    from starlette.concurrency import run_in_threadpool

    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BYTES:
            raise Problem(413, f"表格最大 {MAX_BYTES >> 20} MB，请分成几个文件。", kind="too-large")
    return await run_in_threadpool(import_orders, service, actor, bytes(content), profile)


@router.get("/orders/{order_id}", summary="一个工单")
def get_order(
    order_id: OrderId,
    actor: OrdersReader,
    service: TheService,
    response: Response,
    unmasked: Unmasked = False,
) -> OrderShown:
    """工单和填报内容；ETag 是它的版本。"""
    view = view_for(actor, unmasked)
    with transaction(service.reader) as session:
        row = find_order(session, actor, order_id)
        answer = shown(session, [row], view)[0]
    if unmasked:
        record_read(service, actor, "order.read_unmasked", order_id)
    response.headers["ETag"] = f'"{answer.version}"'
    return answer


@router.put("/orders/{order_id}", summary="整体更新工单")
def put_order(
    order_id: OrderId,
    wanted: NewOrder,
    actor: OrdersWriter,
    service: TheService,
    response: Response,
    if_match: IfMatch = None,
) -> OrderShown:
    """用给出的内容替换工单和填报；没有给的字段即为空。"""
    if wanted.order.order_id != order_id:
        raise Problem(422, "正文里的工单编号与网址不同。", kind="order-id")
    with transaction(service.engine) as session:
        row = _matched(session, actor, order_id, if_match)
        _check_department(actor, wanted.order)
        change_order(session, service, actor, row, wanted.order, wanted.filing, wanted.profile)
        return _answer(session, row, response, actor)


@router.patch("/orders/{order_id}", summary="更新工单的部分字段")
def patch_order(
    order_id: OrderId,
    wanted: OrderChange,
    actor: OrdersWriter,
    service: TheService,
    response: Response,
    if_match: IfMatch = None,
) -> OrderShown:
    """只改给出的字段；null 表示清空。改后自动重新检查整单。"""
    with transaction(service.engine) as session:
        row = _matched(session, actor, order_id, if_match)
        order, filing = read_fields(
            merged(row.order, wanted.order), merged(row.filing, wanted.filing)
        )
        try:
            sound_order(order.model_copy(update={"order_id": order_id}))
        except ValueError as error:
            raise Problem(422, f"{error}。", kind="invalid") from error
        _check_department(actor, order)
        change_order(session, service, actor, row, order, filing)
        return _answer(session, row, response, actor)


@router.post("/orders/{order_id}/return-visits", summary="登记回访结果", status_code=201)
def post_visit(
    order_id: OrderId,
    visit: ReturnVisit,
    actor: OrdersWriter,
    service: TheService,
    response: Response,
) -> OrderShown:
    """街镇、区或市的回访；同一时间同一级的再次登记即更正。不满意件会按规定通知。"""
    with transaction(service.engine) as session:
        row = find_order(session, actor, order_id, for_update=True)
        order, filing = read_fields(row.order, row.filing)
        change_order(session, service, actor, row, order, with_visit(filing, visit))
        return _answer(session, row, response, actor)


@router.get("/orders/{order_id}/inspection", summary="整单结论")
def get_verdict(
    order_id: OrderId, actor: OrdersReader, service: TheService, unmasked: Unmasked = False
) -> OrderVerdict:
    """同一工单所有录音合并的结论：录音是否齐全、是否按时、话术、行为、态度、填报与录音是否一致。"""
    view = view_for(actor, unmasked)
    with transaction(service.reader) as session:
        row = find_order(session, actor, order_id)
        answer = verdict_of(session, row, view)
    if unmasked:
        record_read(service, actor, "order.read_unmasked", order_id)
    return answer


class Asked(BaseModel):
    """Jobs that were queued."""

    jobs: list[str] = Field(description="任务编号")


@router.post("/orders/{order_id}:inspect", summary="重新检查整单", status_code=202)
def post_inspect(
    order_id: OrderId,
    actor: OrdersWriter,
    service: TheService,
    recordings: Annotated[bool, Query(description="录音也重新识别和检查")] = False,
) -> Asked:
    """按现有的填报和录音结论重新汇总；`recordings=true` 时先重新检查每段录音。"""
    service.queue.admit()
    with transaction(service.engine) as session:
        row = find_order(session, actor, order_id)
        jobs = []
        if recordings:
            stored = select(RecordingRow).where(RecordingRow.order_pk == row.id)
            for recording in session.scalars(stored.where(RecordingRow.path != "")).all():
                job = service.queue.enqueue_inspection(session, recording, actor.name)
                jobs.append(job.id)
        if not jobs:
            jobs.append(service.queue.enqueue_order(session, row.id, actor.name).id)
        return Asked(jobs=jobs)


def _matched(session: Session, actor: Actor, order_id: str, if_match: str | None) -> OrderRow:
    row = find_order(session, actor, order_id, for_update=True)
    known = {tag.strip().removeprefix("W/") for tag in (if_match or "*").split(",")}
    if not known & {"*", f'"{row.version}"'}:
        raise Problem(412, "别人刚刚改过这个工单，请重新读取后再改。", kind="stale")
    return row


def _check_department(actor: Actor, order: Order) -> None:
    if not actor.sees(order.department or ""):
        raise Problem(403, "不能把工单改到别的部门。", kind="forbidden")


def _answer(session: Session, row: OrderRow, response: Response, actor: Actor) -> OrderShown:
    answer = shown(session, [row], view_for(actor))[0]
    response.headers["ETag"] = f'"{row.version}"'
    return answer
