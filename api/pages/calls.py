"""The list of recordings, filtered as charts and people ask: where every figure leads to."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import contains_eager

from api.access import Actor, visible
from api.database import transaction
from api.masking import view_for
from api.pages.choices import departments, handlers
from api.pages.guard import Reader, TheService
from api.pages.orders import Day, Text, day_of
from api.pages.rendering import PageRoute, page
from api.paging import Wanted, read_page
from api.routes.common import midnight
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow
from qc.figures.rule_titles import rule_titles
from qc.order import Order

router = APIRouter(prefix="/calls", route_class=PageRoute, include_in_schema=False)

PAGE = 40  # rows
LAPSES = ("missing", "partial")
Filters = dict[str, str]


@router.get("")
def show_list(
    request: Request,
    actor: Reader,
    service: TheService,
    department: Text = "",
    handler: Text = "",
    kind: Text = "",
    rule: Text = "",
    attitude: Text = "",
    satisfaction: Text = "",
    cause: Text = "",
    status: Text = "",
    since: Day = "",
    until: Day = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    filters = {
        "department": department,
        "handler": handler,
        "kind": kind,
        "rule": rule,
        "attitude": attitude,
        "satisfaction": satisfaction,
        "cause": cause,
        "status": status,
        "since": since,
        "until": until,
    }
    rows = _filtered(actor, filters)
    keys = [RecordingRow.uploaded_at, RecordingRow.id]
    with transaction(service.reader) as session:
        found, next_ = read_page(session, rows, keys, Wanted(PAGE, after or None))
        view = view_for(actor)
        items = [_item(row, view.file_name) for row in found]
        offered: dict[str, Any] = {
            "departments": departments(session, actor),
            "handlers": handlers(session, actor, department),
        }
    titles = rule_titles()
    return page(
        request, actor, "calls.html.jinja", items=items, next=next_, after=after,
        filters=filters, titles=titles, **offered,
    )  # fmt: skip


def _item(row: RecordingRow, file_name: Any) -> dict[str, Any]:
    found = row.inspection
    behaviours = {f.rule_id for f in found.findings if f.family == "behaviour"} if found else set()
    lapses = [f for f in found.findings if f.status in LAPSES] if found else []
    looked = [f for f in found.findings if f.decision] if found else []
    return {
        "row": row,
        "order": row.order_row,
        "found": found,
        "file_name": file_name(row.file_name, Order.model_validate(row.order_row.order)),
        "behaviours": sorted(behaviours),
        "lapses": len(lapses),
        "looked": len(looked),
    }


def _filtered(actor: Actor, filters: Filters) -> Select[Any]:
    rows = (
        select(RecordingRow)
        .join(RecordingRow.order_row)
        .outerjoin(RecordingRow.inspection)
        .options(contains_eager(RecordingRow.order_row), contains_eager(RecordingRow.inspection))
    )
    rows = visible(rows, actor, OrderRow.department)
    same = {
        "department": OrderRow.department,
        "handler": OrderRow.handler,
        "attitude": InspectionRow.attitude_level,
        "satisfaction": InspectionRow.satisfaction,
        "status": RecordingRow.status,
    }
    for name, column in same.items():
        rows = rows.where(column == filters[name]) if filters[name] else rows
    if kind := filters["kind"]:
        rows = rows.where(func.coalesce(InspectionRow.kind, RecordingRow.kind) == kind)
    if cause := filters["cause"]:
        filed = OrderRow.cause == cause
        rows = rows.where(or_(filed, (OrderRow.cause == "") & (InspectionRow.cause == cause)))
    if rule := filters["rule"]:
        rows = rows.where(_has(rule))
    return _between(rows, day_of(filters["since"]), day_of(filters["until"]))


def _has(rule: str) -> Any:
    """The rule was broken in the call, and nobody has overturned that."""
    finding = select(FindingRow.id).where(
        FindingRow.inspection_id == InspectionRow.id,
        FindingRow.rule_id == rule,
        FindingRow.status.in_((*LAPSES, "found")),
        FindingRow.decision != "overturn",
    )
    return exists(finding)


def _between(rows: Select[Any], since: date | None, until: date | None) -> Select[Any]:
    """By the day of the call, or else of the order: as figures are."""
    at = func.coalesce(RecordingRow.made_at, OrderRow.received_at)
    rows = rows.where(at >= midnight(since)) if since else rows
    if until and until < date.max:
        rows = rows.where(at < midnight(until + timedelta(days=1)))
    return rows
