"""Contacts: where the notices of each office go. Their addresses hold keys and passwords."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.access import Actor, allowed
from api.audit import record
from api.channels import open_channel, shown_address
from api.database import transaction
from api.delivery import queue_delivery
from api.orders import PLAIN
from api.paging import Page, Wanted, read_page, wanted_page
from api.problems import Problem, not_found
from api.routes.common import HEX_ID, TheService
from api.service import Service
from api.tables import ContactRow, DeliveryRow, NoticeRow, new_id
from qc.notices.rules import RECIPIENT_TITLES, Recipient
from qc.notices.text import LINK_LINE

router = APIRouter(prefix="/api/v1/contacts", tags=["通知"])

Admin = Annotated[Actor, Depends(allowed("admin"))]
ContactId = Annotated[str, Path(pattern=HEX_ID, description="联系人编号")]
Department = Annotated[str, Field(max_length=100, pattern=PLAIN)]
Title = Annotated[str, Field(max_length=100, pattern=PLAIN)]
Address = Annotated[str, Field(min_length=5, max_length=2000, pattern=PLAIN)]


class NewContact(BaseModel):
    """Where notices of an office go."""

    role: Recipient = Field(
        description="；".join(f"{r.value} {t}" for r, t in RECIPIENT_TITLES.items()),
        examples=["department_head"],
    )
    department: Department = Field(
        default="", description="哪个处置部门的；空为所有部门", examples=["城管中队"]
    )
    title: Title = Field(default="", description="名称", examples=["城管中队负责人"])
    channel_url: Address = Field(
        description="地址：wecombot://、dingtalk://、feishu://、mailto://（Apprise 的写法），"
        "或接收 webhook 的 https:// 网址",
        examples=["wecombot://693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"],
    )


class ContactChange(BaseModel):
    """What is to change; what is not named stays."""

    department: Department | None = Field(default=None, description="哪个处置部门的")
    title: Title | None = Field(default=None, description="名称")
    channel_url: Address | None = Field(default=None, description="地址")
    active: bool | None = Field(default=None, description="false 停用")


class ContactShown(BaseModel):
    """A contact as shown: its address without keys."""

    id: str = Field(description="编号")
    role: Recipient = Field(description="职务", examples=["department_head"])
    department: str = Field(description="哪个处置部门的；空为所有部门", examples=["城管中队"])
    title: str = Field(description="名称", examples=["城管中队负责人"])
    address: str = Field(description="地址，密钥已遮盖", examples=["wecombot://6...a"])
    active: bool = Field(description="是否在用", examples=[True])


class Sent(BaseModel):
    """A message on its way."""

    delivery: str = Field(description="发送编号；结果见发送情况")


@router.get("", summary="联系人列表")
def list_contacts(
    _: Admin, service: TheService, wanted: Annotated[Wanted, Depends(wanted_page)]
) -> Page[ContactShown]:
    """包括已停用的。"""
    with transaction(service.reader) as session:
        rows, after = read_page(
            session,
            select(ContactRow),
            [ContactRow.role, ContactRow.department, ContactRow.id],
            wanted,
            newest_first=False,
        )
    return Page(items=[_shown(row) for row in rows], next=after)


@router.post("", summary="新建联系人", status_code=201)
def post_contact(wanted: NewContact, actor: Admin, service: TheService) -> ContactShown:
    """地址写错或不能用会被拒绝；建好后可发一条测试通知。"""
    _check(service, wanted.channel_url)
    with transaction(service.engine) as session:
        row = ContactRow(**wanted.model_dump(mode="json"), active=True)
        session.add(row)
        session.flush()
        record(session, actor, "contact.create", row.id, f"{row.role} {row.department}".strip())
        return _shown(row)


@router.patch("/{contact_id}", summary="更改联系人")
def patch_contact(
    contact_id: ContactId, wanted: ContactChange, actor: Admin, service: TheService
) -> ContactShown:
    """不删除，只停用：发过的通知还要能查。"""
    if wanted.channel_url is not None:
        _check(service, wanted.channel_url)
    with transaction(service.engine) as session:
        row = _find(session, contact_id)
        for name, value in wanted.model_dump(exclude_none=True).items():
            setattr(row, name, value)
        record(session, actor, "contact.change", row.id)
        return _shown(row)


@router.post("/{contact_id}:test", summary="发一条测试通知", status_code=202)
def post_test(contact_id: ContactId, actor: Admin, service: TheService) -> Sent:
    """与正式通知走同一条路。"""
    with transaction(service.engine) as session:
        row = _find(session, contact_id)
        if not row.active:
            raise Problem(409, "这个联系人已停用。", kind="inactive")
        notice = NoticeRow(
            event_id=f"test:{new_id()}",
            event="test",
            level="report",
            title="测试通知",
            text=f"【测试】这是一条测试通知，收到说明联系方式可用。{LINK_LINE}",
        )
        session.add(notice)
        session.flush()
        delivery = DeliveryRow(event_id=notice.event_id, contact_id=row.id, attempts=0)
        session.add(delivery)
        session.flush()
        queue_delivery(session, service.queue, delivery)
        record(session, actor, "contact.test", row.id)
        return Sent(delivery=delivery.id)


def _check(service: Service, url: str) -> None:
    """Refuse an address that cannot be used (QcError: 422)."""
    secret = service.settings.webhook_secret
    open_channel(url, secret.get_secret_value() if secret else None)


def _find(session: Session, contact_id: str) -> ContactRow:
    row = session.get(ContactRow, contact_id, with_for_update=True)
    if row is None:
        raise not_found("联系人")
    return row


def _shown(row: ContactRow) -> ContactShown:
    return ContactShown.model_validate(
        {
            **{name: getattr(row, name) for name in ("id", "role", "department", "title")},
            "address": shown_address(row.channel_url),
            "active": row.active,
        }
    )
