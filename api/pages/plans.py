"""Spot checks: drawing one, listening to what was drawn, and what it says."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response
from sqlalchemy import select

from api.access import Actor
from api.database import transaction
from api.pages.choices import departments
from api.pages.forms import checked
from api.pages.guard import PlansReader, PlansWriter, Reviewer, TheService
from api.pages.rendering import PageRoute, go, page
from api.paging import Wanted
from api.plans import PASS_SCORE
from api.routes.common import HEX_ID
from api.routes.plans import (
    Judged,
    NewPlan,
    get_plan,
    get_results,
    list_picks,
    list_plans,
    post_plan,
    put_pick,
)
from api.service import Service
from api.tables import UserRow
from qc.sampling.plan import Plan, Weights

router = APIRouter(prefix="/plans", route_class=PageRoute, include_in_schema=False)

Id = Annotated[str, Path(pattern=HEX_ID)]
Field = Annotated[str, Form(max_length=300)]
After = Annotated[str, Query(max_length=1000)]


@router.get("")
def show_list(
    request: Request, actor: PlansReader, service: TheService, after: After = ""
) -> Response:
    found = list_plans(actor, service, Wanted(30, after or None))
    return page(request, actor, "plans.html.jinja", found=found, after=after)


@router.get("/new")
def ask(request: Request, actor: PlansWriter, service: TheService) -> Response:
    with transaction(service.reader) as session:
        able = select(UserRow.name).where(UserRow.active, UserRow.role.in_(("admin", "inspector")))
        content = {
            "reviewers": sorted(session.scalars(able)),
            "departments": departments(session, actor),
            "weights": Weights(),
        }
    return page(request, actor, "plan_new.html.jinja", content=content)


@router.post("")
def draw(
    request: Request,
    actor: PlansWriter,
    service: TheService,
    title: Field = "",
    size: Field = "share",
    share: Field = "",
    precision: Field = "",
    at_least: Field = "1",
    watched: Field = "3",
    repeated: Field = "2",
    dissatisfied: Field = "3",
    doubtful: Field = "2",
    seed: Field = "0",
    since: Field = "",
    until: Field = "",
    department: Field = "",
    kind: Field = "",
    double: Field = "0",
    reviewers: Annotated[list[str], Form()] = [],  # noqa: B006
) -> Response:
    plan = checked(
        Plan,
        title=title.strip() or "录音抽检",
        share=_part(share) if size == "share" else None,
        precision=_part(precision) if size == "precision" else None,
        at_least=at_least,
        weights={
            "watched": watched,
            "repeated": repeated,
            "dissatisfied": dissatisfied,
            "doubtful": doubtful,
        },
        seed=seed,
    )
    wanted = checked(
        NewPlan,
        plan=plan,
        since=since or None,
        until=until or None,
        department=department or None,
        kind=kind or None,
        reviewers=reviewers,
        double_share=_part(double) or 0.0,
    )
    drawn = post_plan(wanted, actor, service)
    return go(f"/plans/{drawn.id}", request)


def _part(percent: str) -> float | str | None:
    """A percentage as a part of one; what is no number is left for the model to refuse."""
    try:
        return round(float(percent) / 100, 6)
    except ValueError:
        return percent or None


@router.get("/{plan_id}")
def show(
    request: Request,
    plan_id: Id,
    actor: PlansReader,
    service: TheService,
    mine: bool = False,
    after: After = "",
) -> Response:
    content: dict[str, Any] = {
        "plan": get_plan(plan_id, actor, service),
        "picks": list_picks(plan_id, actor, service, Wanted(60, after or None), mine),
        "results": get_results(plan_id, actor, service),
        "mine": mine,
        "after": after,
        "pass_score": PASS_SCORE,
    }
    return page(request, actor, "plan.html.jinja", **content)


@router.post("/{plan_id}/picks/{pick_id}")
def judge(
    request: Request,
    plan_id: Id,
    pick_id: Id,
    actor: Reviewer,
    service: TheService,
    passed: Field = "",
    remark: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    judged = checked(Judged, passed=passed, remark=remark.strip())
    put_pick(plan_id, pick_id, judged, actor, service)
    return go(_next(plan_id, actor, service), request)


def _next(plan_id: str, actor: Actor, service: Service) -> str:
    """The next recording that is the actor's to listen to, or else the plan."""
    waiting = list_picks(plan_id, actor, service, Wanted(1, None), mine=True, open_only=True)
    return f"/calls/{waiting.items[0].recording_id}" if waiting.items else f"/plans/{plan_id}"
