"""Orders: the list, the page of one with both its calls, and taking in tables and recordings."""

import re
from datetime import date, datetime
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Body, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.access import Actor, visible
from api.database import transaction
from api.masking import view_for
from api.order_import import MAX_BYTES, import_orders
from api.pages.call_view import documents
from api.pages.choices import departments, handlers
from api.pages.guard import Reader, TheService, Writer
from api.pages.rendering import PageRoute, go, is_part, page
from api.paging import Wanted
from api.problems import Problem
from api.routes.common import OrderId
from api.routes.orders import get_order, get_verdict, list_orders, post_inspect, post_visit
from api.routes.recordings import list_recordings
from api.tables import OrderRow
from qc.deadlines.timeliness import DueDate, DueState, deadlines
from qc.deadlines.timing import load_timing
from qc.filed import LOCAL, Filing, ReturnVisit
from qc.order import CallKind

router = APIRouter(prefix="/orders", route_class=PageRoute, include_in_schema=False)

PAGE = 30  # rows
STATES = {
    DueState.OPEN: ("未到期", ""),
    DueState.SOON: ("即将到期", "partial"),
    DueState.OVERDUE: ("已逾期", "missing"),
    DueState.DONE: ("按时", "met"),
    DueState.LATE: ("超时", "missing"),
    DueState.UNKNOWN: ("—", ""),
}
CATEGORIES = {
    "complaint": "投诉",
    "help": "求助",
    "consult": "咨询",
    "suggestion": "建议",
    "other": "其他",
}
TOKEN = re.compile(r"[0-9A-Za-z]+")  # of a file name; a number is one or several in a row
MAX_TOKENS = 12

Text = Annotated[str, Query(max_length=100)]
Day = Annotated[str, Query(max_length=10)]


def day_of(text: str) -> date | None:
    """A day as a date field sends it; nothing for an empty field."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


@router.get("")
def show_list(
    request: Request,
    actor: Reader,
    service: TheService,
    number: Text = "",
    department: Text = "",
    handler: Text = "",
    since: Day = "",
    until: Day = "",
    below: Day = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    if number.strip():
        return go(f"/orders/{number.strip()}", request)
    filters = {
        "department": department,
        "handler": handler,
        "since": since,
        "until": until,
        "below": below,
    }
    found = list_orders(
        actor,
        service,
        Wanted(PAGE, after or None),
        department or None,
        handler or None,
        day_of(since),
        day_of(until),
        int(below) if below.isdecimal() and int(below) <= 101 else None,
    )
    with transaction(service.reader) as session:
        offered: dict[str, Any] = {
            "departments": departments(session, actor),
            "handlers": handlers(session, actor, department),
        }
    dues = {o.order_id: next_due(o.filing, o.profile) for o in found.items}
    template = "orders_rows.html.jinja" if is_part(request) else "orders.html.jinja"
    return page(
        request, actor, template, found=found, filters=filters, dues=dues, after=after,
        categories=CATEGORIES, states=STATES, **offered,
    )  # fmt: skip


def next_due(filing: Filing, profile: str) -> tuple[DueDate, DueState] | None:
    """The due date that matters now: the first that is not done, else the last."""
    now = datetime.now(LOCAL)
    owed = [(due, due.state(now)) for due in deadlines(filing, load_timing(profile)) if due.owed]
    waiting = [d for d in owed if d[1] in (DueState.OPEN, DueState.SOON, DueState.OVERDUE)]
    return next(iter([*waiting, *reversed(owed)]), None)


@router.get("/upload")
def show_upload(request: Request, actor: Reader) -> Response:
    if not actor.may("recordings:write"):
        raise Problem(403, "您的账号不能上传录音。")
    return page(request, actor, "upload.html.jinja", imported=None)


@router.post("/import")
async def import_table(
    request: Request, actor: Writer, service: TheService, table: UploadFile | None = None
) -> Response:
    if table is None or not table.filename:
        raise Problem(422, "请选择一个 CSV 或 XLSX 表格。")
    content = await table.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Problem(413, f"表格最大 {MAX_BYTES >> 20} MB，请分成几个文件。")
    imported = await run_in_threadpool(import_orders, service, actor, content, None)
    return page(request, actor, "upload.html.jinja", imported=imported)


@router.post("/match")
def match_names(
    actor: Reader,
    service: TheService,
    names: Annotated[list[str], Body(embed=True, max_length=500)],
) -> Response:
    """Which order each file belongs to: its number is a piece of the name."""
    with transaction(service.reader) as session:
        return JSONResponse([_match(session, actor, name) for name in names])


def _match(session: Session, actor: Actor, name: str) -> dict[str, str]:
    stem = PurePath(name).stem
    tokens = list(TOKEN.finditer(stem))[:MAX_TOKENS]
    pieces = [
        stem[first.start() : last.end()] for i, first in enumerate(tokens) for last in tokens[i:]
    ]
    rows = visible(
        select(OrderRow.order_id).where(OrderRow.order_id.in_(pieces)), actor, OrderRow.department
    )
    kinds = {"先行": CallKind.FIRST_CONTACT.value, "回复": CallKind.REPLY.value}
    kind = next((value for word, value in kinds.items() if word in name), "")
    return {"name": name, "order_id": max(session.scalars(rows), key=len, default=""), "kind": kind}


@router.get("/{order_id}")
def show_order(
    request: Request,
    order_id: OrderId,
    actor: Reader,
    service: TheService,
    unmasked: bool = False,
) -> Response:
    view = view_for(actor, unmasked)
    order = get_order(order_id, actor, service, Response())
    verdict = get_verdict(order_id, actor, service)
    if unmasked:  # one look, one line in the log
        order, verdict = _unmasked(order_id, actor, service)
    recordings = list_recordings(order_id, actor, service)
    now = datetime.now(LOCAL)
    content: dict[str, Any] = {
        "order": order,
        "filing": order.filing,
        "verdict": verdict,
        "recordings": recordings,
        "dues": [(d, d.state(now)) for d in deadlines(order.filing, load_timing(order.profile))],
        "states": STATES,
        "categories": CATEGORIES,
        "cite": documents,
        "unmasked": view.unmasked,
    }
    return page(request, actor, "order.html.jinja", **content)


def _unmasked(order_id: str, actor: Actor, service: TheService) -> tuple[Any, Any]:
    order = get_order(order_id, actor, service, Response(), unmasked=True)
    return order, get_verdict(order_id, actor, service, unmasked=True)


@router.get("/{order_id}/state")
def show_state(request: Request, order_id: OrderId, actor: Reader, service: TheService) -> Response:
    """Asked again and again while calls are being inspected."""
    verdict = get_verdict(order_id, actor, service)
    if verdict.status == "done" and all(r.status in ("done", "failed") for r in verdict.recordings):
        return Response(headers={"HX-Refresh": "true"})
    return page(request, actor, "order_state.html.jinja", verdict=verdict, order_id=order_id)


@router.post("/{order_id}/inspect")
def inspect_again(
    request: Request, order_id: OrderId, actor: Writer, service: TheService
) -> Response:
    post_inspect(order_id, actor, service)
    return go(f"/orders/{order_id}", request)


@router.post("/{order_id}/visits")
def add_visit(
    request: Request,
    order_id: OrderId,
    actor: Writer,
    service: TheService,
    at: Annotated[str, Form()] = "",
    level: Annotated[str, Form()] = "street",
    satisfaction: Annotated[str, Form()] = "",
    cause: Annotated[str, Form()] = "",
    remark: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    if not at or not satisfaction:
        raise Problem(422, "请填写回访时间和满意情况。")
    visit = ReturnVisit.model_validate(
        {
            "at": at,
            "level": level,
            "satisfaction": satisfaction,
            "cause": cause or None,
            "remark": remark or None,
        }
    )
    post_visit(order_id, visit, actor, service, Response())
    return go(f"/orders/{order_id}", request)
