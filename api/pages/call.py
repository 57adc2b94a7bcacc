"""The page of a call: listen, see why, and say whether the machine is right."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record_read
from api.database import transaction
from api.masking import View, view_for
from api.pages.call_view import (
    SIGNS,
    ShownFinding,
    doubtful_titles,
    documents,
    fields,
    regions,
    shown_findings,
    shown_turns,
)
from api.pages.guard import Reader, TheService, Writer
from api.pages.rendering import PageRoute, go, page
from api.problems import not_found
from api.routes.common import HEX_ID, find_recording
from api.routes.recordings import post_inspection, shown
from api.service import Service
from api.tables import RecordingRow
from qc.catalogue import load_catalogue
from qc.order import CallKind, Order

router = APIRouter(prefix="/calls", route_class=PageRoute, include_in_schema=False)

Id = Annotated[str, Path(pattern=HEX_ID)]


@router.get("/{recording_id}")
def show_call(
    request: Request,
    recording_id: Id,
    actor: Reader,
    service: TheService,
    unmasked: bool = False,
) -> Response:
    view = view_for(actor, unmasked)
    with transaction(service.reader) as session:
        row = find_recording(session, actor, recording_id)
        content = _content(session, row, view)
    if unmasked:
        record_read(service, actor, "recording.read_unmasked", recording_id)
    return page(request, actor, "call.html.jinja", unmasked=unmasked, **content)


def _content(session: Session, row: RecordingRow, view: View) -> dict[str, Any]:
    order = Order.model_validate(row.order_row.order)
    content: dict[str, Any] = {
        "recording": shown(session, row, view),
        "peaks": row.peaks or [],
        "order": view.order(order),
        "department": row.order_row.department,
        "handler": row.order_row.handler,
        "call": None,
        "signs": SIGNS,
        "cite": documents,
    }
    found = row.inspection
    if found is None:
        return content
    verdict = view.stored(found.verdict, order)
    turns = shown_turns(found, verdict, view, order)
    findings = shown_findings(session, row, verdict)
    return content | {
        "call": found,
        "verdict": verdict,
        "turns": turns,
        "findings": findings,
        "doubtful": doubtful_titles(verdict),
        "fields": fields(view.order(order), verdict),
        "of_order": _order_findings(row, view, order),
        "regions": list(regions(findings, turns)),
        "rules": _rules_to_report(CallKind(found.kind), row.order_row.profile),
    }


def _rules_to_report(kind: CallKind, profile: str) -> list[tuple[str, str]]:
    """What a person may have heard that the machine has not: ids and titles."""
    rules = load_catalogue(profile=profile)
    behaviours = [(rule.id, f"禁止行为：{rule.title}") for rule in rules.behaviours]
    return behaviours + [(rule.id, f"话术：{rule.title}") for rule in rules.elements[kind]]


def _order_findings(row: RecordingRow, view: View, order: Order) -> list[dict[str, Any]]:
    """What the order's verdict says that rests on this call."""
    stored = row.order_row.verdict
    if not stored:
        return []
    verdict = view.stored(stored, order)
    calls = [call["call_id"] for call in stored["calls"]]
    here = calls.index(row.id) if row.id in calls else -1
    found = []
    for finding in verdict["findings"]:
        if any(quote["call"] == here for quote in finding["quotes"]):
            found.append({**finding, "here": here})
    return found


def shown_finding(session: Session, actor: Actor, recording_id: str, finding_id: str) -> tuple[
    RecordingRow, ShownFinding
]:
    """One finding of a call, as it stands now.

    Raises:
        Problem: 404.
    """
    row = find_recording(session, actor, recording_id)
    if row.inspection is None:
        raise not_found("结论")
    order = Order.model_validate(row.order_row.order)
    verdict = view_for(actor).stored(row.inspection.verdict, order)
    for finding in shown_findings(session, row, verdict):
        if finding.id == finding_id:
            return row, finding
    raise not_found("问题")


def finding_part(
    request: Request, actor: Actor, service: Service, recording_id: str, finding_id: str
) -> Response:
    """The card of one finding, to be put in place of the old one."""
    with transaction(service.reader) as session:
        row, finding = shown_finding(session, actor, recording_id, finding_id)
        shown_row = shown(session, row, view_for(actor))
    return page(
        request, actor, "finding.html.jinja", finding=finding, recording=shown_row, signs=SIGNS
    )


@router.post("/{recording_id}/inspect")
def inspect_again(
    request: Request, recording_id: Id, actor: Writer, service: TheService
) -> Response:
    post_inspection(recording_id, actor, service)
    return go(f"/calls/{recording_id}", request)


@router.get("/{recording_id}/state")
def show_state(
    request: Request, recording_id: Id, actor: Reader, service: TheService
) -> Response:
    """How far the inspection is; the page loads anew once it is done."""
    with transaction(service.reader) as session:
        row = find_recording(session, actor, recording_id)
        recording = shown(session, row, view_for(actor))
    if recording.status in ("done", "failed"):
        return Response(headers={"HX-Refresh": "true"})
    return page(request, actor, "call_state.html.jinja", recording=recording)
