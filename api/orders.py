"""Changing orders: what is filed is checked, stored, and has the order judged anew."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record
from api.database import now
from api.problems import Problem
from api.service import Service
from api.tables import OrderRow
from qc.catalogue import profile_names
from qc.errors import QcError, what_is_wrong
from qc.filed import Filing, ReturnVisit
from qc.order import Order

ORDER_ID = r"^\w[\w.()（）-]{0,99}$"
PLAIN = r"^[^\x00-\x1f]*$"  # text without control characters, which PostgreSQL refuses
MAX_NAME = 100  # characters of a department or handler


def add_order(
    session: Session,
    service: Service,
    actor: Actor,
    order: Order,
    filing: Filing,
    profile: str | None = None,
) -> OrderRow:
    """A new order.

    Raises:
        Problem: 403 it is another department's; 409 there is one of that number; 422 there is no
            such profile.
    """
    if not actor.sees(order.department or ""):
        raise Problem(403, "只能为本部门建立工单。", kind="forbidden")
    if session.scalar(select(OrderRow.id).where(OrderRow.order_id == order.order_id)):
        raise exists(order.order_id)
    row = OrderRow(order_id=order.order_id, profile=_known(profile or service.settings.profile))
    _fill(row, order, filing)
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:  # made at the same moment
        raise exists(order.order_id) from error
    _judge(session, service, actor, row, "order.create")
    return row


def change_order(
    session: Session,
    service: Service,
    actor: Actor,
    row: OrderRow,
    order: Order,
    filing: Filing,
    profile: str | None = None,
) -> bool:
    """Store changed fields; False where nothing has changed.

    Raises:
        Problem: 409 its personal data was deleted; 422 there is no such profile.
    """
    if row.forgotten_at is not None:
        raise Problem(409, "这个工单已过保留期限，个人信息已删除，不能再改。", kind="forgotten")
    before = (row.order, row.filing, row.profile)
    order = order.model_copy(update={"order_id": row.order_id})
    row.profile = _known(profile or row.profile)
    _fill(row, order, filing)
    if (row.order, row.filing, row.profile) == before:
        session.refresh(row)
        return False
    session.flush()
    _judge(session, service, actor, row, "order.change")
    return True


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Stored fields with changes laid over them; null takes a field away."""
    return {key: value for key, value in {**old, **changes}.items() if value is not None}


def with_visit(filing: Filing, visit: ReturnVisit) -> Filing:
    """The filing with one more return visit, in order of time; the same one twice counts once."""
    same = {(v.at, v.level): v for v in (*filing.return_visits, visit)}
    visits = tuple(sorted(same.values(), key=lambda v: v.at))
    return filing.model_copy(update={"return_visits": visits})


def read_fields(order: Mapping[str, Any], filing: Mapping[str, Any]) -> tuple[Order, Filing]:
    """An order and its filing from plain fields.

    Raises:
        QcError: a field is not as it should be; says which.
    """
    try:
        return Order.model_validate(order), Filing.model_validate(filing)
    except ValidationError as error:
        place, reason = what_is_wrong(error)
        raise QcError(f"“{place}”{reason}") from error


def sound_order(order: Order) -> Order:
    """An order whose number can stand in an address, and whose names fit the table.

    Raises:
        ValueError: they do not; says which (Chinese).
    """
    if not re.fullmatch(ORDER_ID, order.order_id):
        raise ValueError("order_id 应为 1 到 100 个字母、汉字、数字、点、横线或下划线")
    for field in ("department", "handler"):
        text = getattr(order, field) or ""
        if len(text) > MAX_NAME or not re.fullmatch(PLAIN, text):
            raise ValueError(f"{field} 最多 {MAX_NAME} 个字，不能有控制字符")
    return order


def exists(order_id: str) -> Problem:
    return Problem(409, f"工单 {order_id} 已经存在，请改用更新。", kind="order-exists")


def _known(profile: str) -> str:
    if profile not in profile_names():
        known = "、".join(profile_names())
        raise Problem(422, f"没有名为“{profile}”的街镇配置，可用的有：{known}。", kind="no-profile")
    return profile


def _fill(row: OrderRow, order: Order, filing: Filing) -> None:
    row.department, row.handler = order.department or "", order.handler or ""
    row.category = order.category
    row.received_at = filing.received_at or row.received_at or now()
    row.order = order.model_dump(mode="json")
    row.filing = filing.model_dump(mode="json")


def _judge(session: Session, service: Service, actor: Actor, row: OrderRow, action: str) -> None:
    service.queue.enqueue_order(session, row.id, actor.name)
    record(session, actor, action, row.order_id)
