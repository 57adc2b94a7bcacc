"""Appeals: what departments object to, and the decision."""

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response

from api.pages.forms import checked
from api.pages.guard import Judge, Reader, TheService
from api.pages.rendering import PageRoute, go, page
from api.paging import Wanted
from api.routes.appeals import Decided, list_appeals, post_decision
from api.routes.common import HEX_ID
from qc.figures.rule_titles import rule_titles

router = APIRouter(prefix="/appeals", route_class=PageRoute, include_in_schema=False)


@router.get("")
def show(
    request: Request,
    actor: Reader,
    service: TheService,
    open_only: bool = False,
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    found = list_appeals(actor, service, Wanted(30, after or None), open_only)
    return page(
        request, actor, "appeals.html.jinja", found=found, open_only=open_only, after=after,
        titles=rule_titles(),
    )  # fmt: skip


@router.post("/{appeal_id}/decision")
def decide(
    request: Request,
    appeal_id: Annotated[str, Path(pattern=HEX_ID)],
    actor: Judge,
    service: TheService,
    decision: Annotated[str, Form(max_length=20)] = "",
    answer: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    wanted = checked(Decided, decision=decision, answer=answer.strip())
    decided = post_decision(appeal_id, wanted, actor, service)
    return go(f"/calls/{decided.recording_id}", request)
