"""Columns that repeat what the JSON beside them says, kept right whoever writes the row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import event, inspect

from api.tables import InspectionRow, OrderRow
from qc.deadlines.timeliness import DueDate, deadlines
from qc.deadlines.timing import Step, load_timing
from qc.figures.calls import latest_visit
from qc.filed import Filing


@event.listens_for(OrderRow, "before_insert")
@event.listens_for(OrderRow, "before_update")
def _read_filing(_: Any, __: Any, row: OrderRow) -> None:
    changed = inspect(row).attrs
    if not (changed.filing.history.has_changes() or changed.profile.history.has_changes()):
        return
    filing = Filing.model_validate(row.filing or {})
    visit = latest_visit(filing)
    row.visited = visit.satisfaction if visit else ""
    row.cause = (visit.cause or "") if visit else ""
    due = {due.step: due for due in deadlines(filing, load_timing(row.profile))}
    row.contact_due, row.contacted_at = _done(
        filing, due.get(Step.FIRST_CONTACT), filing.first_contact_at
    )
    row.close_due, row.closed_at = _done(filing, due.get(Step.CLOSE), filing.closed_at)


def _done(
    filing: Filing, due: DueDate | None, filed: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """When a step is due and when it was done; neither is known of an order given back (退单)."""
    if filing.returned_at is not None and filed is None:
        return None, None
    return (due.at, due.done_at) if due else (None, filed)


@event.listens_for(InspectionRow, "before_insert")
@event.listens_for(InspectionRow, "before_update")
def _read_verdict(_: Any, __: Any, row: InspectionRow) -> None:
    if not inspect(row).attrs.verdict.history.has_changes():
        return
    row.cause = (row.verdict.get("cause") or {}).get("id", "")
    row.found = counted(row.verdict)


def counted(verdict: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What figures count of a verdict: status by element, times by behaviour and by signal.

    Elements on which a person must decide count neither way.
    """
    elements = verdict.get("elements", {}).items()
    return {
        "element": {r: e["status"] for r, e in elements if not e.get("undetermined")},
        "behaviour": {b["id"]: len(b["quotes"]) for b in verdict.get("behaviours", ())},
        "signal": {s["id"]: len(s["quotes"]) for s in verdict.get("citizen", ())},
    }
