"""Signing in and out, and changing one's password."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr

from api.access import COOKIE, Actor, authenticate
from api.pages.guard import Anybody, TheService
from api.pages.rendering import SIGN_IN, PageRoute, go, page
from api.problems import Problem
from api.routes.session import (
    Credentials,
    NewPassword,
    change_password,
    close_session,
    open_session,
)
from api.service import Service

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Field = Annotated[str, Form(max_length=300)]


@router.get("/")
def front(request: Request) -> Response:
    return go("/today", request)


@router.get(SIGN_IN)
def ask(request: Request, service: TheService, next: str = "/today") -> Response:
    if _already(request, service) is not None:
        return go(_own(next))
    return page(request, None, "signin.html.jinja", next=_own(next), name="", fault="")


@router.post(SIGN_IN)
def sign_in(
    request: Request,
    service: TheService,
    name: Field = "",
    password: Field = "",
    next: Field = "/today",
) -> Response:
    answer = RedirectResponse(_own(next), status_code=303)
    fault = "" if name.strip() and password else "请填写账号和密码。"
    status = 422
    if not fault:
        try:
            who = Credentials(name=name.strip()[:100], password=SecretStr(password[:200]))
            me = open_session(who, request, answer, service)
            if me.must_change:
                answer.headers["location"] = "/password"
            return answer
        except Problem as problem:
            fault, status = problem.detail, problem.status
    return page(request, None, "signin.html.jinja", status, next=_own(next), name=name, fault=fault)


@router.post("/signout")
def sign_out(request: Request, actor: Anybody, service: TheService) -> Response:
    answer = RedirectResponse(SIGN_IN, status_code=303)
    close_session(request, answer, actor, service)
    return answer


@router.get("/password")
def ask_password(request: Request, actor: Anybody) -> Response:
    return page(request, actor, "password.html.jinja", fault="")


@router.post("/password")
def set_password(
    request: Request,
    actor: Anybody,
    service: TheService,
    old: Field = "",
    new: Field = "",
    again: Field = "",
) -> Response:
    fault = "" if old and new else "请填写现在的密码和新密码。"
    if not fault and new != again:
        fault = "两次填写的新密码不一样。"
    if not fault:
        try:
            change = NewPassword.model_construct(old=SecretStr(old), new=SecretStr(new))
            change_password(change, request, actor, service)
            return go("/today")
        except Problem as problem:
            fault = problem.detail
    return page(request, actor, "password.html.jinja", 422, fault=fault)


def _already(request: Request, service: Service) -> Actor | None:
    if not request.cookies.get(COOKIE):
        return None
    try:
        return authenticate(request, service)
    except Problem:
        return None


def _own(address: str) -> str:
    """An address of this site only: never sends people elsewhere."""
    plain = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain and address != SIGN_IN else "/today"
