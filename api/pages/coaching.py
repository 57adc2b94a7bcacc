"""Coaching and reports: who needs what, trainings, and the files that offices circulate."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from api.pages.forms import checked
from api.pages.guard import PlansWriter, ReportsReader, TheService
from api.pages.orders import Day, Text, day_of
from api.pages.rendering import PageRoute, go, page
from api.routes.reports import (
    NewTraining,
    TheFigures,
    get_coaching,
    list_trainings,
    post_training,
)
from qc.figures.overview import repeated_defects, standings
from qc.figures.rule_titles import rule_titles
from qc.figures.tables import narrow
from qc.filed import LOCAL

router = APIRouter(prefix="/coaching", route_class=PageRoute, include_in_schema=False)

SHOWN = 200  # handlers


@router.get("")
def show(
    request: Request,
    actor: ReportsReader,
    kept: TheFigures,
    service: TheService,
    department: Text = "",
) -> Response:
    whole = kept.tables()
    mine = narrow(whole, department=actor.department) if actor.department else whole
    tables = narrow(mine, department=department) if department else mine
    people = standings(tables, "handler")
    people = people[people["calls"] > 0].sort_values("script_score").head(SHOWN)
    content: dict[str, Any] = {
        "people": people.to_dict("records"),
        "defects": _defects(repeated_defects(tables)),
        "departments": sorted(name for name in standings(mine)["department"] if name),
        "department": department,
        "trainings": list_trainings(actor, service),
        "titles": rule_titles(),
        "today": datetime.now(LOCAL).date(),
    }
    return page(request, actor, "coaching.html.jinja", **content)


def _defects(table: Any) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """What each handler does wrong again and again: rule and number of calls."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for row in table.to_dict("records"):
        mine = found.setdefault((row["department"], row["handler"]), [])
        mine.append((str(row["rule"]), int(row["calls"])))
    return found


@router.get("/report")
def show_report(
    actor: ReportsReader,
    service: TheService,
    department: Text = "",
    handler: Text = "",
    training: Text = "",
    since: Day = "",
    until: Day = "",
) -> Response:
    """The report itself, to be read and printed."""
    file = get_coaching(
        actor,
        service,
        department or None,
        handler or None,
        training or None,
        day_of(since),
        day_of(until),
        "html",
    )
    return HTMLResponse(file.body)


@router.post("/trainings")
def add_training(
    request: Request,
    actor: PlansWriter,
    service: TheService,
    title: Annotated[str, Form(max_length=300)] = "",
    held_on: Annotated[str, Form(max_length=10)] = "",
    people: Annotated[str, Form(max_length=20_000)] = "",
    topics: Annotated[list[str], Form()] = [],  # noqa: B006
) -> Response:
    wanted = checked(
        NewTraining,
        title=title.strip(),
        held_on=held_on,
        people=people.replace("、", " ").replace("，", " ").replace(",", " ").split(),
        topics=topics,
    )
    post_training(wanted, actor, service)
    return go("/coaching#trainings", request)
