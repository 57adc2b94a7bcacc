"""Inspected calls in the tables, as a worker leaves them, from words instead of sound."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from api.database import now, transaction
from api.figures import read_tables
from api.results import keep_inspection
from api.service import Service
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow
from qc.catalogue import load_catalogue
from qc.figures.tables import Tables, narrow
from qc.filed import LOCAL, Filing
from qc.inspect import inspect_transcript
from qc.order import CallKind, Order
from qc.transcript import Role, Transcript, Turn
from tests.api.filed import order_of

RUDE = (
    ("agent", "您好，我是城管中队的李明，请问是顾海峰先生吗？"),
    ("citizen", "是的，楼上装修太吵了，你们到底管不管？"),
    ("agent", "你烦不烦，跟你说了多少遍了，你爱找谁找谁去。"),
    ("citizen", "你什么态度，我要投诉你。"),
    ("agent", "随便你投诉，再见。"),
)
POLITE = (
    ("agent", "您好，我是城管中队的李明，请问是顾海峰先生吗？"),
    ("citizen", "是的。"),
    ("agent", "您反映潍坊四村楼上装修噪音扰民，我们已经收到，今天下午到现场核实，您看方便吗？"),
    ("citizen", "好的，谢谢。"),
    ("agent", "不客气，感谢您的来电，再见。"),
)


def add_order(service: Service, filing: dict[str, Any] | None = None, **changes: Any) -> OrderRow:
    """An order in the tables; `changes` are its columns or its fields."""
    columns = {k: changes.pop(k) for k in ("profile", "created_at") if k in changes}
    order = Order.model_validate(order_of(**{"petitioner": "顾海峰", **changes}))
    filed = Filing.model_validate(filing or {})
    received = {"received_at": filed.received_at} if filed.received_at else {}
    with transaction(service.engine) as session:
        row = OrderRow(
            order_id=order.order_id,
            department=order.department or "",
            handler=order.handler or "",
            order=order.model_dump(mode="json"),
            filing=filed.model_dump(mode="json"),
            **{"profile": "weifang", **received, **columns},
        )
        session.add(row)
        session.flush()
        return row


def add_call(
    service: Service,
    order: OrderRow,
    turns: Sequence[tuple[str, str]] = RUDE,
    kind: CallKind = CallKind.FIRST_CONTACT,
    made_at: datetime | None = None,
) -> str:
    """An inspected recording of an order; gives its id."""
    transcript = Transcript(
        tuple(
            Turn(i, Role(role), text, start=4.0 * i, end=4.0 * i + 3)
            for i, (role, text) in enumerate(turns)
        )
    )
    with transaction(service.engine) as session:
        recording = RecordingRow(
            order_pk=order.id,
            kind=kind.value,
            file_name="录音.wav",
            path="x",
            sha256=secrets.token_hex(32),
            size=1,
            status="done",
            made_at=made_at,
        )
        session.add(recording)
        session.flush()
        row = session.scalar(select(OrderRow).where(OrderRow.id == order.id))
        assert row is not None
        catalogue = load_catalogue(profile=row.profile)
        found = inspect_transcript(
            transcript, kind, Order.model_validate(row.order), catalogue, None,
            call_id=recording.id,
        )  # fmt: skip
        keep_inspection(session, recording, row, found, "test")
        return recording.id


def behaviours(service: Service, recording: str) -> list[tuple[str, int | None]]:
    """Rule and turn of each behaviour that was found in a recording."""
    with transaction(service.reader) as session:
        rows = session.execute(
            select(FindingRow.rule_id, FindingRow.turn)
            .join(InspectionRow)
            .where(InspectionRow.recording_id == recording, FindingRow.family == "behaviour")
        )
        return [(rule, turn) for rule, turn in rows]


def found_once(service: Service, recording: str) -> tuple[str, int | None]:
    """A behaviour that was shown at one turn only."""
    shown = behaviours(service, recording)
    rules = [rule for rule, _ in shown]
    return next((rule, turn) for rule, turn in shown if rules.count(rule) == 1)


def counted(service: Service, order: OrderRow) -> Tables:
    """What figures count of the order's department."""
    with transaction(service.reader) as session:
        return narrow(read_tables(session, now().astimezone(LOCAL)), department=order.department)
