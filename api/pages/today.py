"""What needs me today, by role."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, contains_eager

from api.access import Actor, visible
from api.database import now, transaction
from api.masking import view_for
from api.pages.guard import Browser, TheService
from api.pages.rendering import PageRoute, go, page
from api.tables import (
    AppealRow,
    DeliveryRow,
    InspectionRow,
    JobRow,
    NoticeRow,
    OrderRow,
    PickRow,
    PlanRow,
    RecordingRow,
)
from qc.filed import LOCAL
from qc.order import Order

router = APIRouter(prefix="/today", route_class=PageRoute, include_in_schema=False)

SHOWN = 8  # rows of each list
RECENT = timedelta(days=7)
SOON = timedelta(hours=24)


@router.get("")
def show(request: Request, actor: Browser, service: TheService) -> Response:
    if not actor.may("orders:read"):
        return go("/audit" if actor.may("audit:read") else "/catalogue", request)
    with transaction(service.reader) as session:
        content: dict[str, Any] = {
            "tiles": _tiles(session, actor),
            "late": _late(session, actor),
            "grave": _grave(session, actor),
            "failed": _failed(session, actor),
            "appeals": _appeals(session, actor),
            "picks": _picks(session, actor),
            "notices": _notices(session, actor) if actor.may("notices:read") else [],
        }
    return page(request, actor, "today.html.jinja", today=datetime.now(LOCAL), **content)


def _count(session: Session, rows: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(rows.subquery())) or 0


def _tiles(session: Session, actor: Actor) -> dict[str, int]:
    return {
        "late": _count(session, _late_orders(actor)),
        "grave": _count(session, _grave_calls(actor).with_only_columns(RecordingRow.id)),
        "appeals": _count(session, _open_appeals(actor)),
        "picks": _count(session, _my_picks(actor)),
        "queued": _count(
            session, select(JobRow.id).where(JobRow.status.in_(("queued", "running")))
        ),
        "unsettled": _count(
            session, select(DeliveryRow.id).where(DeliveryRow.status.in_(("uncertain", "dead")))
        ),
    }


def _late_orders(actor: Actor) -> Select[Any]:
    """Orders whose first contact or closing is overdue, or due within a day."""
    soon = now() + SOON
    contact = OrderRow.contacted_at.is_(None) & (OrderRow.contact_due < soon)
    close = OrderRow.closed_at.is_(None) & (OrderRow.close_due < soon)
    return visible(select(OrderRow).where(or_(contact, close)), actor, OrderRow.department)


def _late(session: Session, actor: Actor) -> list[dict[str, Any]]:
    rows = session.scalars(_late_orders(actor).order_by(OrderRow.close_due).limit(SHOWN))
    view = view_for(actor)
    found = []
    for row in rows:
        order = Order.model_validate(row.order)
        waits = row.contacted_at is None and row.contact_due is not None
        due = (row.contact_due if waits else row.close_due) or now()
        found.append(
            {
                "row": row,
                "issue": view.order(order).issue or "",
                "step": "先行联系" if waits else "办结",
                "due": due,
                "overdue": due < now(),
            }
        )
    return found


def _grave_calls(actor: Actor) -> Select[Any]:
    """Recent calls with a serious attitude, or a total of nothing (一票否决)."""
    rows = (
        select(RecordingRow)
        .join(RecordingRow.order_row)
        .join(RecordingRow.inspection)
        .where(or_(InspectionRow.attitude_level == "serious", InspectionRow.score == 0))
        .where(InspectionRow.made_at > now() - RECENT)
    )
    return visible(rows, actor, OrderRow.department)


def _grave(session: Session, actor: Actor) -> list[RecordingRow]:
    rows = _grave_calls(actor).options(
        contains_eager(RecordingRow.order_row), contains_eager(RecordingRow.inspection)
    )
    return list(session.scalars(rows.order_by(InspectionRow.made_at.desc()).limit(SHOWN)))


def _failed(session: Session, actor: Actor) -> list[RecordingRow]:
    rows = (
        select(RecordingRow)
        .join(RecordingRow.order_row)
        .options(contains_eager(RecordingRow.order_row))
        .where(RecordingRow.status == "failed", RecordingRow.uploaded_at > now() - RECENT)
        .order_by(RecordingRow.uploaded_at.desc())
    )
    return list(session.scalars(visible(rows, actor, OrderRow.department).limit(SHOWN)))


def _open_appeals(actor: Actor) -> Select[Any]:
    return visible(select(AppealRow).where(AppealRow.decision == ""), actor, AppealRow.department)


def _appeals(session: Session, actor: Actor) -> list[AppealRow]:
    return list(session.scalars(_open_appeals(actor).order_by(AppealRow.appealed_at).limit(SHOWN)))


def _my_picks(actor: Actor) -> Select[Any]:
    return select(PickRow).where(PickRow.reviewer == actor.name, PickRow.done_at.is_(None))


def _picks(session: Session, actor: Actor) -> list[tuple[PlanRow, int]]:
    """My plans with the number of recordings still to be listened to."""
    rows = (
        select(PlanRow, func.count())
        .join(PickRow, PickRow.plan_id == PlanRow.id)
        .where(PickRow.reviewer == actor.name, PickRow.done_at.is_(None))
        .group_by(PlanRow.id)
        .order_by(PlanRow.made_at.desc())
    )
    return [(plan, count) for plan, count in session.execute(rows)]


def _notices(session: Session, actor: Actor) -> list[NoticeRow]:
    rows = visible(select(NoticeRow), actor, NoticeRow.department)
    return list(session.scalars(rows.order_by(NoticeRow.made_at.desc()).limit(SHOWN)))
