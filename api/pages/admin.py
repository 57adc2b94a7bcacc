"""Administration: accounts, keys, contacts of notices, jobs."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import SecretStr

from api.access import KEY_SCOPES, ROLE_TITLES
from api.pages.forms import checked
from api.pages.guard import Admin, TheService
from api.pages.rendering import PageRoute, go, page
from api.paging import Wanted
from api.routes.accounts import (
    AccountChange,
    InitialPassword,
    NewAccount,
    add_account,
    change_account,
    list_accounts,
    reset_password,
)
from api.routes.jobs import list_jobs
from api.routes.keys import NewKey, add_key, list_keys, revoke_key

router = APIRouter(prefix="/admin", route_class=PageRoute, include_in_schema=False)

SCOPE_TITLES = {
    "orders:read": "看工单和结论",
    "orders:write": "建立和修改工单",
    "recordings:read": "听录音",
    "recordings:write": "上传录音",
    "unmasked:read": "看未遮盖的个人信息",
    "reviews:write": "复核",
    "appeals:write": "申诉",
    "appeals:decide": "决定申诉",
    "plans:read": "看抽检",
    "plans:write": "制定抽检",
    "reports:read": "看报表",
    "catalogue:read": "看规则",
    "notices:read": "看通知",
    "notices:settle": "处理通知",
    "jobs:read": "看任务",
    "audit:read": "看审计日志",
    "metrics:read": "看运行指标",
}
Field = Annotated[str, Form(max_length=300)]


@router.get("")
def show(
    request: Request, actor: Admin, service: TheService, name: Annotated[str, Query()] = ""
) -> Response:
    everything = Wanted(200, None)
    content: dict[str, Any] = {
        "accounts": list_accounts(actor, everything, service).items,
        "keys": list_keys(actor, everything, service).items,
        "jobs": list_jobs(actor, service, Wanted(15, None)).items,
        "queued": service.queue.depth(),
        "scopes": {scope: SCOPE_TITLES[scope] for scope in SCOPE_TITLES if scope in KEY_SCOPES},
        "roles": ROLE_TITLES,
        "made": None,
    }
    return page(request, actor, "admin.html.jinja", **content)


@router.post("/accounts")
def make_account(
    request: Request,
    actor: Admin,
    service: TheService,
    name: Field = "",
    title: Field = "",
    role: Field = "inspector",
    department: Field = "",
    password: Field = "",
) -> Response:
    account = checked(
        NewAccount,
        name=name.strip(),
        title=title.strip(),
        role=role,
        department=department.strip(),
        password=SecretStr(password),
    )
    add_account(account, actor, service)
    return go("/admin#accounts", request)


@router.post("/accounts/{name}")
def alter_account(
    request: Request,
    name: str,
    actor: Admin,
    service: TheService,
    active: Field = "",
    password: Field = "",
) -> Response:
    if password:
        initial = checked(InitialPassword, password=SecretStr(password))
        reset_password(name, initial, actor, service)
    if active:
        change_account(name, AccountChange(active=active == "true"), actor, service)
    return go("/admin#accounts", request)


@router.post("/keys")
def make_key(
    request: Request,
    actor: Admin,
    service: TheService,
    name: Field = "",
    department: Field = "",
    scopes: Annotated[list[str], Form()] = [],  # noqa: B006
) -> Response:
    wanted = checked(NewKey, name=name.strip(), department=department.strip(), scopes=set(scopes))
    made = add_key(wanted, actor, service)
    return page(request, actor, "key_made.html.jinja", made=made)


@router.post("/keys/{key_id}/revoke")
def stop_key(request: Request, key_id: str, actor: Admin, service: TheService) -> Response:
    revoke_key(key_id, actor, service)
    return go("/admin#keys", request)
