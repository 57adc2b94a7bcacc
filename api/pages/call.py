"""The page of a call: listen, see why, and say whether the machine is right."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor
from api.audit import record_read
from api.database import transaction
from api.masking import View, view_for
from api.pages.call_view import (
    SIGNS,
    ShownFinding,
    documents,
    doubtful_titles,
    fields,
    regions,
    shown_findings,
    shown_turns,
)
from api.pages.forms import checked
from api.pages.guard import Appellant, Reader, Reviewer, TheService, Writer
from api.pages.rendering import PageRoute, go, page
from api.plans import is_blind
from api.problems import not_found
from api.routes.appeals import AppealShown, NewAppeal, appeal_shown, post_appeal
from api.routes.common import HEX_ID, find_recording
from api.routes.inspections import post_inspection
from api.routes.recordings import shown
from api.routes.reviews import NewReview, post_review, reviews_shown
from api.service import Service
from api.tables import AppealRow, PickRow, RecordingRow
from qc.catalogue import load_catalogue
from qc.order import CallKind, Order

router = APIRouter(prefix="/calls", route_class=PageRoute, include_in_schema=False)

Id = Annotated[str, Path(pattern=HEX_ID)]
Field = Annotated[str, Form(max_length=100)]
Words = Annotated[str, Form(max_length=4000)]


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
        content = _content(session, actor, row, view)
    if unmasked:
        record_read(service, actor, "recording.read_unmasked", recording_id)
    return page(request, actor, "call.html.jinja", unmasked=unmasked, **content)


def _content(session: Session, actor: Actor, row: RecordingRow, view: View) -> dict[str, Any]:
    order = Order.model_validate(row.order_row.order)
    content: dict[str, Any] = {
        "recording": shown(session, row, view),
        "peaks": row.peaks or [],
        "order": view.order(order),
        "department": row.order_row.department,
        "handler": row.order_row.handler,
        "call": None,
        "blind": False,
        "pick": _my_pick(session, actor, row.id) if actor.may("reviews:write") else None,
        "signs": SIGNS,
        "cite": documents,
    }
    found = row.inspection
    if found is None:
        return content
    if is_blind(session, actor, row.id):
        return content | {"blind": True, "turns": shown_turns(found, None, view, order)}
    verdict = view.stored(found.verdict, order)
    turns = shown_turns(found, verdict, view, order)
    reviews = reviews_shown(session, row, view)
    findings = shown_findings(found, verdict, reviews.reviews, _appeals(session, actor, row))
    return content | {
        "scores": reviews,
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


def shown_finding(
    session: Session, actor: Actor, recording_id: str, finding_id: str
) -> tuple[RecordingRow, ShownFinding]:
    """One finding of a call, as it stands now.

    Raises:
        Problem: 404.
    """
    row = find_recording(session, actor, recording_id)
    if row.inspection is None:
        raise not_found("结论")
    order = Order.model_validate(row.order_row.order)
    view = view_for(actor)
    verdict = view.stored(row.inspection.verdict, order)
    reviews = reviews_shown(session, row, view).reviews
    appeals = _appeals(session, actor, row)
    for finding in shown_findings(row.inspection, verdict, reviews, appeals):
        if finding.id == finding_id:
            return row, finding
    raise not_found("问题")


def _appeals(session: Session, actor: Actor, row: RecordingRow) -> list[AppealShown]:
    filed = select(AppealRow).where(AppealRow.recording_id == row.id)
    rows = session.scalars(filed.order_by(AppealRow.appealed_at, AppealRow.id))
    return [appeal_shown(session, actor, appeal) for appeal in rows]


def finding_part(
    request: Request, actor: Actor, service: Service, recording_id: str, finding_id: str
) -> Response:
    """The card of one finding, to be put in place of the old one, and the scores of now."""
    with transaction(service.reader) as session:
        row, finding = shown_finding(session, actor, recording_id, finding_id)
        content: dict[str, Any] = {
            "finding": finding,
            "recording": shown(session, row, view_for(actor)),
            "call": row.inspection,
            "scores": reviews_shown(session, row, view_for(actor)),
            "signs": SIGNS,
        }
    return page(request, actor, "finding_answer.html.jinja", **content)


@router.post("/{recording_id}/findings/{finding_id}/review")
def review(
    request: Request,
    recording_id: Id,
    finding_id: Id,
    actor: Reviewer,
    service: TheService,
    decision: Field = "",
    comment: Words = "",
) -> Response:
    rule_id, turn = _place(service, actor, recording_id, finding_id)
    wanted = checked(
        NewReview, rule_id=rule_id, turn=turn, decision=decision, comment=comment.strip()
    )
    post_review(recording_id, wanted, actor, service)
    return finding_part(request, actor, service, recording_id, finding_id)


@router.post("/{recording_id}/findings/{finding_id}/appeal")
def appeal(
    request: Request,
    recording_id: Id,
    finding_id: Id,
    actor: Appellant,
    service: TheService,
    grounds: Words = "",
) -> Response:
    rule_id, turn = _place(service, actor, recording_id, finding_id)
    wanted = checked(
        NewAppeal, recording_id=recording_id, rule_id=rule_id, turn=turn, grounds=grounds.strip()
    )
    post_appeal(wanted, actor, service)
    return finding_part(request, actor, service, recording_id, finding_id)


@router.post("/{recording_id}/missed")
def report_missed(
    request: Request,
    recording_id: Id,
    actor: Reviewer,
    service: TheService,
    rule_id: Field = "",
    turn: Field = "",
    comment: Words = "",
) -> Response:
    wanted = checked(
        NewReview, rule_id=rule_id, turn=turn, decision="missed", comment=comment.strip()
    )
    post_review(recording_id, wanted, actor, service)
    return go(f"/calls/{recording_id}", request)


def _place(
    service: Service, actor: Actor, recording_id: str, finding_id: str
) -> tuple[str, int | None]:
    """Rule and turn of a finding that the actor sees."""
    with transaction(service.reader) as session:
        _, finding = shown_finding(session, actor, recording_id, finding_id)
        return finding.rule_id, finding.turn


def _my_pick(session: Session, actor: Actor, recording_id: str) -> PickRow | None:
    """What the actor has still to say of the recording in a spot check."""
    mine = select(PickRow).where(
        PickRow.recording_id == recording_id,
        PickRow.reviewer.in_((actor.name, "")),
        PickRow.done_at.is_(None),
    )
    return session.scalar(mine.order_by(PickRow.reviewer.desc()).limit(1))


@router.post("/{recording_id}/inspect")
def inspect_again(
    request: Request, recording_id: Id, actor: Writer, service: TheService
) -> Response:
    post_inspection(recording_id, actor, service)
    return go(f"/calls/{recording_id}", request)


@router.get("/{recording_id}/state")
def show_state(request: Request, recording_id: Id, actor: Reader, service: TheService) -> Response:
    """How far the inspection is; the page loads anew once it is done."""
    with transaction(service.reader) as session:
        row = find_recording(session, actor, recording_id)
        recording = shown(session, row, view_for(actor))
    if recording.status in ("done", "failed"):
        return Response(headers={"HX-Refresh": "true"})
    return page(request, actor, "call_state.html.jinja", recording=recording)
