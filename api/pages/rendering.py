"""Pages as HTML: the templates, what all of them know, and errors shown as pages."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm.exc import StaleDataError

from api.access import ROLE_TITLES, Actor
from api.pages.places import PLACES
from api.problems import Problem
from qc.catalogue import SEVERITY_TITLES
from qc.errors import QcError, what_is_wrong
from qc.filed import LOCAL
from qc.inspection import CAUSE_TITLES, SATISFACTION_TITLES, STATUS_TITLES
from qc.order import KIND_TITLES
from qc.report import band, clock, duration
from qc.transcript import ROLE_TITLES as SPEAKER_TITLES

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
SIGN_IN = "/signin"

RECORDING_STATES = {"queued": "排队中", "running": "检查中", "done": "已检查", "failed": "未能检查"}
ATTITUDE_TITLES = {"good": "良好", "minor": "轻微问题", "serious": "严重问题"}
ATTITUDE_TONES = {"good": "met", "minor": "partial", "serious": "missing"}


def local(moment: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """A moment on the clock of Shanghai."""
    return moment.astimezone(LOCAL).strftime(form) if moment else "—"


def percent(rate: float | None, digits: int = 1) -> str:
    """A rate of 0..1 as people read it."""
    return "—" if rate is None or rate != rate else f"{rate * 100:.{digits}f}%"


def with_query(address: str, **values: object) -> str:
    """An address with those of the values that say something."""
    told = {key: value for key, value in values.items() if value not in (None, "")}
    return f"{address}?{urlencode(told)}" if told else address


@lru_cache(maxsize=1)
def templates() -> jinja2.Environment:
    """The pages' templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "clock": clock,
        "duration": duration,
        "band": band,
        "local": local,
        "percent": percent,
        "href": quote,
    }
    environment.globals |= {
        "KINDS": KIND_TITLES,
        "STATUSES": STATUS_TITLES,
        "SATISFACTIONS": SATISFACTION_TITLES,
        "SEVERITIES": SEVERITY_TITLES,
        "SPEAKERS": SPEAKER_TITLES,
        "CAUSES": CAUSE_TITLES,
        "ROLES": ROLE_TITLES,
        "RECORDING_STATES": RECORDING_STATES,
        "ATTITUDES": ATTITUDE_TITLES,
        "ATTITUDE_TONES": ATTITUDE_TONES,
        "with_query": with_query,
    }
    return environment


def page(
    request: Request, actor: Actor | None, template: str, status: int = 200, **content: Any
) -> HTMLResponse:
    """A page, or a part of one for htmx."""
    shown: Mapping[str, Any] = {
        "request": request,
        "actor": actor,
        "nonce": request.state.nonce,
        "places": [p for p in PLACES if actor and actor.may(p.permission)],
        "here": request.url.path,
    }
    html = templates().get_template(template).render({**shown, **content})
    return HTMLResponse(html, status)


def is_part(request: Request) -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("hx-request") == "true"


def go(address: str, request: Request | None = None) -> Response:
    """Send the browser to another page; from htmx, too."""
    if request is not None and is_part(request):
        return Response(headers={"HX-Redirect": address})
    return RedirectResponse(address, status_code=303)


class PageRoute(APIRoute):
    """A route whose errors are pages: whoever has not signed in is asked to."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def as_page(request: Request) -> Response:
            try:
                return await answer(request)
            except Problem as problem:
                return problem_page(request, problem)
            except QcError as error:
                return problem_page(request, Problem(422, str(error)))
            except StaleDataError:
                return problem_page(request, Problem(412, "别人刚刚改过这条数据，请刷新后再改。"))
            except RequestValidationError as error:
                return problem_page(request, Problem(422, _first_flaw(error)))

        return as_page


def _first_flaw(error: RequestValidationError) -> str:
    place, reason = what_is_wrong(error)  # type: ignore[arg-type]
    return f"“{place.rpartition('.')[2]}”{reason}。"


def problem_page(request: Request, problem: Problem) -> Response:
    """What went wrong, as a page; from htmx as a note at its edge."""
    if problem.status == 401 and request.url.path != SIGN_IN:
        back = request.url.path if request.method == "GET" else "/"
        return go(with_query(SIGN_IN, next=back), request)
    if problem.kind == "password-change-needed":
        return go("/password", request)
    actor: Actor | None = getattr(request.state, "actor", None)
    if is_part(request):
        answer = page(request, actor, "told.html.jinja", problem.status, problem=problem)
        answer.headers.update({"HX-Retarget": "#told", "HX-Reswap": "innerHTML"})
        return answer
    answer = page(request, actor, "problem.html.jinja", problem.status, problem=problem)
    answer.headers.update(problem.headers)
    return answer
