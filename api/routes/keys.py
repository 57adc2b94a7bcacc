"""Keys of systems, for administrators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import select

from api.access import KEY_SCOPES, Actor, Permission, allowed
from api.accounts import create_key
from api.audit import record
from api.database import now, transaction
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import not_found
from api.service import Service, get_service
from api.tables import ApiKeyRow

router = APIRouter(prefix="/api/v1/keys", tags=["密钥"])

Admin = Annotated[Actor, Depends(allowed("admin"))]


class NewKey(BaseModel):
    """A key to make."""

    name: str = Field(
        pattern=r"^[\w.-]+$", min_length=2, max_length=80, description="用于哪个系统，不可重复",
        examples=["工单平台"],
    )  # fmt: skip
    scopes: set[Permission] = Field(
        min_length=1, description="权限", examples=[["orders:read", "orders:write"]]
    )
    department: str = Field(default="", max_length=100, description="只能看这个部门；空为全部")

    @field_validator("scopes")
    @classmethod
    def _no_admin(cls, scopes: set[Permission]) -> set[Permission]:
        if refused := scopes - KEY_SCOPES:
            raise ValueError(f"密钥不能有权限 {'、'.join(sorted(refused))}")
        return scopes


class Key(BaseModel):
    """A key as shown: never the key itself."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="编号")
    name: str = Field(description="用于哪个系统", examples=["工单平台"])
    scopes: list[str] = Field(description="权限", examples=[["orders:read"]])
    department: str = Field(description="只能看这个部门；空为全部")
    created_by: str = Field(description="谁建立的", examples=["admin"])
    created_at: datetime = Field(description="建立时间")
    revoked_at: datetime | None = Field(description="停用时间")


class MadeKey(Key):
    """A key just made."""

    key: str = Field(description="密钥，只显示这一次", examples=["hq_……"])


@router.get("", summary="密钥列表")
def list_keys(
    _: Admin,
    wanted: Annotated[Wanted, Depends(wanted_page)],
    service: Annotated[Service, Depends(get_service)],
) -> Page[Key]:
    """新建的在前，包括已停用的。"""
    with transaction(service.reader) as session:
        rows, after = read_page(
            session, select(ApiKeyRow), [ApiKeyRow.created_at, ApiKeyRow.id], wanted
        )
    return Page(items=[Key.model_validate(row) for row in rows], next=after)


@router.post("", summary="新建密钥", status_code=201)
def add_key(
    wanted: NewKey, actor: Admin, service: Annotated[Service, Depends(get_service)]
) -> MadeKey:
    """密钥只在这次回答里给出，请立即保存；库里只存它的摘要。"""
    with transaction(service.engine) as session:
        row, key = create_key(session, actor, wanted.name, wanted.scopes, wanted.department.strip())
        return MadeKey(**Key.model_validate(row).model_dump(), key=key)


@router.delete("/{key_id}", summary="停用密钥", status_code=204)
def revoke_key(
    key_id: Annotated[str, Path(max_length=32, description="编号")],
    actor: Admin,
    service: Annotated[Service, Depends(get_service)],
) -> None:
    """立即生效，不能恢复。"""
    with transaction(service.engine) as session:
        row = session.get(ApiKeyRow, key_id, with_for_update=True)
        if row is None:
            raise not_found("密钥")
        if row.revoked_at is None:
            row.revoked_at = now()
            record(session, actor, "key.revoke", row.name)
