"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, SecretStr

from api.access import COOKIE, Actor, Permission, address, as_actor, check_origin, signed_in
from api.accounts import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    find_account,
    is_password_of,
    set_password,
    sign_in,
    sign_out,
    sign_out_everywhere,
)
from api.audit import record
from api.database import transaction
from api.problems import Problem
from api.service import Service, get_service

router = APIRouter(prefix="/api/v1/session", tags=["登录"])


class Credentials(BaseModel):
    """What one signs in with."""

    name: str = Field(min_length=1, max_length=100, description="账号", examples=["admin"])
    password: SecretStr = Field(
        min_length=1, max_length=MAX_PASSWORD, description="密码", examples=["请换成自己的密码"]
    )


class NewPassword(BaseModel):
    """The password of now and the one to come."""

    old: SecretStr = Field(min_length=1, max_length=MAX_PASSWORD, description="现在的密码")
    new: SecretStr = Field(
        min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, description="新密码，至少 10 个字符"
    )


class Me(BaseModel):
    """Who is signed in, and what they may do."""

    name: str = Field(description="账号", examples=["admin"])
    role: str = Field(description="角色", examples=["admin"])
    department: str = Field(description="只能看这个部门；空为全部", examples=[""])
    permissions: list[Permission] = Field(description="权限", examples=[["orders:read"]])
    must_change: bool = Field(description="须先修改初始密码", examples=[False])


def _me(actor: Actor) -> Me:
    return Me(
        name=actor.name,
        role=actor.role,
        department=actor.department,
        permissions=sorted(actor.permissions),
        must_change=actor.must_change,
    )


@router.post("", summary="登录")
def open_session(
    credentials: Credentials,
    request: Request,
    response: Response,
    service: Annotated[Service, Depends(get_service)],
) -> Me:
    """登录成功后，凭据放在 HttpOnly 的 Cookie 里。"""
    if request.headers.get("origin"):
        check_origin(request, service)
    request.app.state.limits.count_login(address(request))
    hours = service.settings.session_hours
    password = credentials.password.get_secret_value()
    user, cookie = sign_in(service.engine, credentials.name, password, hours)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(hours * 3600),
        secure=service.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return _me(as_actor(user))


@router.get("", summary="我是谁")
def who_am_i(actor: Annotated[Actor, Depends(signed_in)]) -> Me:
    """当前登录的账号或密钥及其权限。"""
    return _me(actor)


@router.delete("", summary="退出登录", status_code=204)
def close_session(
    request: Request,
    response: Response,
    actor: Annotated[Actor, Depends(signed_in)],
    service: Annotated[Service, Depends(get_service)],
) -> None:
    """立即作废本浏览器的登录。"""
    with transaction(service.engine) as session:
        sign_out(session, request.cookies.get(COOKIE, ""))
        record(session, actor, "session.close", actor.name)
    response.delete_cookie(COOKIE)


@router.put("/password", summary="修改自己的密码", status_code=204)
def change_password(
    change: NewPassword,
    request: Request,
    actor: Annotated[Actor, Depends(signed_in)],
    service: Annotated[Service, Depends(get_service)],
) -> None:
    """修改后，其他浏览器上的登录都会失效。"""
    if actor.is_key:
        raise Problem(403, "密钥没有密码。", kind="forbidden")
    request.app.state.limits.count_login(address(request))
    with transaction(service.engine) as session:
        user = find_account(session, actor.name)
        if not is_password_of(user, change.old.get_secret_value()):
            raise Problem(422, "现在的密码不对。", kind="wrong-password")
        if change.new == change.old:
            raise Problem(422, "新密码不能与现在的相同。", kind="weak-password")
        set_password(user, change.new.get_secret_value(), must_change=False)
        sign_out_everywhere(session, user, but=request.cookies.get(COOKIE, ""))
        record(session, actor, "account.password", actor.name)
