"""The audit log: who saw and changed what, and whether the log is whole."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.pages.guard import Auditor, TheService
from api.pages.orders import Day, Text, day_of
from api.pages.rendering import PageRoute, page
from api.paging import Wanted
from api.routes.audit import list_entries, verify_log
from api.routes.common import midnight

router = APIRouter(prefix="/audit", route_class=PageRoute, include_in_schema=False)

ACTIONS = {
    "session.open": "登录",
    "session.close": "退出",
    "session.refuse": "登录被拒",
    "recording.listen": "收听录音",
    "recording.upload": "上传录音",
    "recording.delete": "删除录音",
    "recording.read_unmasked": "查看录音原文",
    "order.read_unmasked": "查看工单原文",
    "order.create": "建立工单",
    "order.change": "修改工单",
    "account.create": "新建账号",
    "account.change": "修改账号",
    "account.password": "修改密码",
    "account.reset_password": "重设密码",
    "key.create": "新建密钥",
    "key.revoke": "停用密钥",
}


@router.get("")
def show(
    request: Request,
    actor: Auditor,
    service: TheService,
    who: Text = "",
    action: Text = "",
    subject: Text = "",
    since: Day = "",
    until: Day = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    first, last = day_of(since), day_of(until)
    found = list_entries(
        actor,
        Wanted(50, after or None),
        service,
        who or None,
        action or None,
        subject or None,
        midnight(first) if first else None,
        midnight(last) if last else None,
    )
    filters = {"who": who, "action": action, "subject": subject, "since": since, "until": until}
    return page(
        request, actor, "audit.html.jinja", found=found, filters=filters, after=after,
        actions=ACTIONS,
    )  # fmt: skip


@router.get("/verification")
def verify(
    request: Request,
    actor: Auditor,
    service: TheService,
    known_id: Annotated[str, Query(max_length=12)] = "",
    known_hash: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    known = int(known_id) if known_id.isdecimal() else None
    result = verify_log(actor, service, known, known_hash.strip() or None)
    return page(request, actor, "verified.html.jinja", result=result)
