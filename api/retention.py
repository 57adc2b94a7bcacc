"""Deleting what may not be kept: recordings and personal data go, the conclusions stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from api.audit import record
from api.database import now, transaction
from api.store import INCOMING, RecordingStore
from api.tables import FindingRow, InspectionRow, OrderRow, RecordingRow, UploadRow
from qc.order import Order
from qc.privacy import mask

ABANDONED = timedelta(days=2)  # a resumable upload that nobody goes on with
AT_ONCE = 100  # orders in one transaction
KEPT_OF_ORDER = ("order_id", "category", "has_site", "department", "handler", "resolved")
KEPT_OF_FILING = frozenset(
    {"urgency", "extended", "fact_finding", "satisfaction", "attempts", "return_visits"}
)


@dataclass(frozen=True)
class Forgotten:
    """How much was deleted."""

    orders: int = 0
    recordings: int = 0
    uploads: int = 0


def forget_old(engine: Engine, store: RecordingStore, days: int) -> Forgotten:
    """Delete what is older than the retention period, and uploads that were never finished.

    Args:
        days: how long an order's recordings and personal data are kept after it was received; 0
            for ever.
    """
    uploads = _drop_uploads(engine, store)
    orders = recordings = 0
    while days and (chosen := _old_orders(engine, days)):
        for order_pk in chosen:
            recordings += _forget_order(engine, store, order_pk)
        orders += len(chosen)
    return Forgotten(orders, recordings, uploads)


def _old_orders(engine: Engine, days: int) -> Sequence[str]:
    """Orders received long ago whose recordings are no longer being inspected."""
    busy = select(RecordingRow.order_pk).where(RecordingRow.status.in_(("queued", "running")))
    with transaction(engine) as session:
        return session.scalars(
            select(OrderRow.id)
            .where(OrderRow.received_at < now() - timedelta(days=days))
            .where(OrderRow.forgotten_at.is_(None), OrderRow.id.not_in(busy))
            .limit(AT_ONCE)
        ).all()


def _forget_order(engine: Engine, store: RecordingStore, order_pk: str) -> int:
    """Files first: should this be cut short, the rows still tell what is to be deleted."""
    with transaction(engine) as session:
        rows = session.scalars(select(RecordingRow).where(RecordingRow.order_pk == order_pk)).all()
    for row in rows:
        delete_files(store, row)
    with transaction(engine) as session:
        order = session.get_one(OrderRow, order_pk, with_for_update=True)
        filed = Order.model_validate(order.order)
        for row in session.scalars(select(RecordingRow).where(RecordingRow.order_pk == order_pk)):
            forget_recording(row)
        _forget_words(session, order, filed)
        order.order = {key: order.order[key] for key in KEPT_OF_ORDER if key in order.order}
        order.filing = _forgotten_filing(order.filing)
        order.verdict = _without_words(order.verdict, filed)
        order.forgotten_at = now()
        record(session, "system", "order.forget", order.order_id, f"{len(rows)} 段录音")
    return len(rows)


def delete_files(store: RecordingStore, row: RecordingRow) -> None:
    """Delete a recording's files from the store."""
    store.delete(row.path)
    store.delete(row.playback_path)


def forget_recording(row: RecordingRow) -> None:
    """The row of a recording whose files are deleted."""
    row.path = row.playback_path = row.file_name = ""
    row.peaks, row.deleted_at = None, row.deleted_at or now()


def _forget_words(session: Session, order: OrderRow, filed: Order) -> None:
    for row in session.scalars(select(InspectionRow).where(InspectionRow.order_pk == order.id)):
        row.transcript = []
        row.verdict = _without_words(row.verdict, filed)
    for finding in session.scalars(select(FindingRow).where(FindingRow.order_pk == order.id)):
        finding.quote = mask(finding.quote, filed)


def _without_words(data: Any, order: Order) -> Any:
    """A verdict with every text masked for good."""
    if isinstance(data, str):
        return mask(data, order)
    if isinstance(data, Mapping):
        return {key: _without_words(value, order) for key, value in data.items()}
    return [_without_words(item, order) for item in data] if isinstance(data, list) else data


def _forgotten_filing(filing: dict[str, Any]) -> dict[str, Any]:
    """Times, ticks and return visits stay; what somebody wrote goes."""
    kept = {k: v for k, v in filing.items() if k in KEPT_OF_FILING or k.endswith("_at")}
    kept["return_visits"] = [v | {"remark": None} for v in filing.get("return_visits", [])]
    return kept


def _drop_uploads(engine: Engine, store: RecordingStore) -> int:
    """Remove what was begun and left: rows of uploads, their parts, and half received files."""
    oldest = now() - ABANDONED
    with transaction(engine) as session:
        ids = session.scalars(select(UploadRow.id).where(UploadRow.created_at < oldest)).all()
    for upload_id in ids:
        for path in store.paths(f"uploads/{upload_id}"):
            store.delete(path)
        with transaction(engine) as session:
            session.execute(delete(UploadRow).where(UploadRow.id == upload_id))
    for path in store.older_than(INCOMING, oldest):
        store.delete(path)
    return len(ids)
