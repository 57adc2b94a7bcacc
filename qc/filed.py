"""What people filed on an order besides the order itself: times, attempts, results, return visits.

Everything is optional: a platform gives what it has, and only what is given is checked.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from dateutil import parser
from pydantic import BeforeValidator, Field

from qc.inspection import Cause, Satisfaction
from qc.order import Call, CallKind, Filed, OptionalText, Order, blank_is_none

LOCAL = ZoneInfo("Asia/Shanghai")


def _parsed(text: str) -> datetime:
    if not re.match(r"\d{4}\D", text.strip()):
        raise ValueError("应为时间，如 2024-06-11 09:30")
    try:
        return parser.parse(text, yearfirst=True)
    except (ValueError, OverflowError) as error:
        raise ValueError("应为时间，如 2024-06-11 09:30") from error


def _local(value: object) -> object:
    """Texts and times without a zone are Shanghai's."""
    if isinstance(value, str):
        value = blank_is_none(value)
        if isinstance(value, str):
            value = _parsed(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=LOCAL) if value.tzinfo is None else value.astimezone(LOCAL)
    return value


Moment = Annotated[datetime, BeforeValidator(_local)]
OptionalMoment = Annotated[datetime | None, BeforeValidator(_local)]


class Urgency(StrEnum):
    """The classes of order whose deadlines differ (松江区佘山镇 2025 四、（二）)."""

    NORMAL = "normal"
    URGENT = "urgent"  # 紧急件
    THREAT = "threat"  # 扬言件
    SNAPSHOT = "snapshot"  # 随申拍
    DIRECT = "direct"  # 直派件
    RECHECK = "recheck"  # 复核件
    REDO = "redo"  # 退回重办件


FactFinding = Literal["属实", "部分属实", "不属实"]


class CallAttempt(Filed):
    """One try to reach the petitioner, from the call log or its screenshot."""

    at: Moment
    kind: CallKind = CallKind.FIRST_CONTACT
    answered: bool = False
    channel: Literal["phone", "sms"] = "phone"


class ReturnVisit(Filed):
    """The petitioner asked by street, district or city after the order was closed (回访)."""

    at: Moment
    level: Literal["street", "district", "city"] = "street"
    satisfaction: Satisfaction
    cause: Cause | None = None
    remark: OptionalText = None


class Filing(Filed):
    """The fields that the department filed on the order."""

    urgency: Urgency = Urgency.NORMAL
    received_at: OptionalMoment = None  # 派单
    accepted_at: OptionalMoment = None  # 接单
    first_contact_at: OptionalMoment = None
    replied_at: OptionalMoment = None
    closed_at: OptionalMoment = None
    extension_requested_at: OptionalMoment = None
    extended: bool = False
    returned_at: OptionalMoment = None  # 退单
    return_reason: OptionalText = None
    first_contact_description: OptionalText = None
    fact_finding: FactFinding | None = None
    handling_result: OptionalText = None
    reply_summary: OptionalText = None  # 答复要点
    closing_report: OptionalText = None  # 办结报告
    satisfaction: Satisfaction | None = None  # as ticked by the department
    attempts: tuple[CallAttempt, ...] = ()
    return_visits: tuple[ReturnVisit, ...] = ()


class OrderFile(Filed):
    """An order with what was filed on it and its calls, in the order in which they were made."""

    order: Order
    filing: Filing = Field(default_factory=Filing)
    calls: tuple[Call, ...] = ()
