"""Accounts of people, for administrators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, Role, allowed
from api.accounts import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    check_department,
    check_some_admin_left,
    create_account,
    find_account,
    set_password,
    sign_out_everywhere,
)
from api.audit import record
from api.database import transaction
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import not_found
from api.service import Service, get_service
from api.tables import UserRow

router = APIRouter(prefix="/api/v1/accounts", tags=["账号"])

NAME = r"^[\w.@-]+$"  # no colon: `key:` begins the name of a key in the audit log
Admin = Annotated[Actor, Depends(allowed("admin"))]
Name = Annotated[str, Path(max_length=100, description="账号", examples=["zhang.ming"])]
Password = Annotated[
    SecretStr,
    Field(min_length=MIN_PASSWORD, max_length=MAX_PASSWORD, description="初始密码，首次登录须修改"),
]


class NewAccount(BaseModel):
    """An account to make."""

    name: str = Field(
        pattern=NAME, min_length=2, max_length=50, description="账号", examples=["zhang.ming"]
    )
    title: str = Field(default="", max_length=100, description="显示的名称", examples=["张明"])
    role: Role = Field(description="角色", examples=["department"])
    department: str = Field(
        default="", max_length=100, description="处置部门的账号只看这个部门", examples=["城管中队"]
    )
    password: Password


class AccountChange(BaseModel):
    """What of an account changes; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(default=None, max_length=100, description="显示的名称")
    role: Role | None = Field(default=None, description="角色")
    department: str | None = Field(default=None, max_length=100, description="部门")
    active: bool | None = Field(default=None, description="停用为 false，立即退出所有登录")


class InitialPassword(BaseModel):
    """A password that the person must change."""

    password: Password


class Account(BaseModel):
    """An account as shown."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="账号", examples=["zhang.ming"])
    title: str = Field(description="显示的名称", examples=["张明"])
    role: str = Field(description="角色", examples=["department"])
    department: str = Field(description="部门", examples=["城管中队"])
    active: bool = Field(description="是否启用")
    must_change: bool = Field(description="须先修改初始密码")
    created_at: datetime = Field(description="建立时间")


@router.get("", summary="账号列表")
def list_accounts(
    _: Admin,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    service: Annotated[Service, Depends(get_service)],
) -> Page[Account]:
    """按账号排序。"""
    with transaction(service.reader) as session:
        rows, after = read_page(
            session, select(UserRow), [UserRow.name], wanted, newest_first=False
        )
    return Page(items=[Account.model_validate(row) for row in rows], next=after)


@router.post("", summary="新建账号", status_code=201)
def add_account(
    account: NewAccount, actor: Admin, service: Annotated[Service, Depends(get_service)]
) -> Account:
    """首次登录时须修改密码。"""
    with transaction(service.engine) as session:
        user = create_account(
            session,
            actor,
            account.name,
            account.password.get_secret_value(),
            account.role,
            department=account.department.strip(),
            title=account.title,
        )
        return Account.model_validate(user)


@router.get("/{name}", summary="一个账号")
def get_account(name: Name, _: Admin, service: Annotated[Service, Depends(get_service)]) -> Account:
    """账号的角色、部门和状态。"""
    with transaction(service.reader) as session:
        user = session.scalar(select(UserRow).where(UserRow.name == name))
        if user is None:
            raise not_found("账号")
        return Account.model_validate(user)


@router.patch("/{name}", summary="修改或停用账号")
def change_account(
    name: Name,
    change: AccountChange,
    actor: Admin,
    service: Annotated[Service, Depends(get_service)],
) -> Account:
    """账号不能删除，只能停用：审计日志里的名字要一直认得。"""
    changed = change.model_dump(exclude_none=True)
    with transaction(service.engine) as session:
        user = find_account(session, name)
        for field, value in changed.items():
            setattr(user, field, value)
        check_department(user.role, user.department)  # type: ignore[arg-type]
        _after_change(session, user)
        told = " ".join(f"{field}={value}" for field, value in changed.items() if field != "title")
        record(session, actor, "account.change", name, told)
        return Account.model_validate(user)


def _after_change(session: Session, user: UserRow) -> None:
    check_some_admin_left(session)
    if not user.active:
        sign_out_everywhere(session, user)


@router.put("/{name}/password", summary="重设密码", status_code=204)
def reset_password(
    name: Name,
    initial: InitialPassword,
    actor: Admin,
    service: Annotated[Service, Depends(get_service)],
) -> None:
    """该账号的登录全部失效，下次登录须修改密码。"""
    with transaction(service.engine) as session:
        user = find_account(session, name)
        set_password(user, initial.password.get_secret_value(), must_change=True)
        sign_out_everywhere(session, user)
        record(session, actor, "account.reset_password", name)
