"""Stored calls for the pages' tests: judged by the catalogue from given words, no sound needed."""

from sqlalchemy import select

from api.database import transaction
from api.results import keep_inspection
from api.service import Service
from api.tables import OrderRow, RecordingRow
from qc.catalogue import load_catalogue
from qc.filed import Filing
from qc.inspect import inspect_call
from qc.order import Call, CallKind, Order, SpokenTurn
from qc.transcript import Role

RUDE = (
    ("agent", "喂，是王建国吗，我是城管中队的，你打热线反映楼上装修噪音，是吧？"),
    ("citizen", "对，我电话是13812345678，都反映好几次了。"),
    ("agent", "我跟你保证明天肯定给你解决，包在我身上。"),
    ("citizen", "那好吧。"),
    ("agent", "你自己不会去跟楼上说吗，别什么事都打电话，烦不烦！"),
)


def store_call(
    service: Service,
    order_id: str,
    *,
    department: str = "城管中队",
    handler: str = "周勇",
    kind: CallKind = CallKind.FIRST_CONTACT,
    words: tuple[tuple[str, str], ...] = RUDE,
) -> str:
    """Store an order with one inspected call; the recording's id. One already there is taken."""
    with transaction(service.engine) as session:
        known = session.scalar(
            select(RecordingRow.id).join(OrderRow).where(OrderRow.order_id == order_id)
        )
        if known:
            return known
        order = Order(
            order_id=order_id,
            petitioner="王建国",
            issue="楼上装修噪音扰民",
            address="潍坊四村105号602室",
            department=department,
            handler=handler,
        )
        row = OrderRow(
            order_id=order_id,
            profile="weifang",
            department=department,
            handler=handler,
            order=order.model_dump(mode="json"),
            filing=Filing().model_dump(mode="json"),
        )
        session.add(row)
        session.flush()
        recording = RecordingRow(
            order_pk=row.id,
            kind=kind.value,
            file_name=f"{order_id}.wav",
            path=f"{row.id}.wav",
            sha256=row.id * 2,
            size=1000,
            seconds=6.0 * len(words),
            peaks=[0.2, 0.8] * 100,
            status="done",
        )
        session.add(recording)
        session.flush()
        turns = tuple(
            SpokenTurn(role=Role(role), text=text, start=6.0 * i, end=6.0 * i + 5)
            for i, (role, text) in enumerate(words)
        )
        call = Call(call_id=recording.id, kind=kind, order=order, turns=turns)
        found = inspect_call(call, load_catalogue(), None)
        keep_inspection(session, recording, row, found, "test")
        return recording.id
