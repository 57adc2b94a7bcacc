"""Notices: what people were told, what did not arrive, and who is told."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query, Request, Response

from api.access import Actor
from api.database import transaction
from api.pages.choices import departments
from api.pages.forms import checked
from api.pages.guard import Admin, NoticesReader, NoticesSettler, TheService
from api.pages.orders import Day, Text, day_of
from api.pages.rendering import PageRoute, go, page
from api.paging import Wanted
from api.routes.common import HEX_ID
from api.routes.contacts import (
    ContactChange,
    NewContact,
    list_contacts,
    patch_contact,
    post_contact,
    post_test,
)
from api.routes.notices import Settled, list_deliveries, list_notices, post_settlement
from qc.notices.rules import LEVEL_TITLES, RECIPIENT_TITLES, Level

router = APIRouter(prefix="/notices", route_class=PageRoute, include_in_schema=False)

STATUS_TITLES = {
    "queued": "待发",
    "sending": "正在发",
    "sent": "已发",
    "uncertain": "不能确定",
    "dead": "发不出去",
}
STATUS_TONES = {"sent": "met", "uncertain": "partial", "dead": "missing"}
Id = Annotated[str, Path(pattern=HEX_ID)]
Field = Annotated[str, Form(max_length=2000)]


@router.get("")
def show(
    request: Request,
    actor: NoticesReader,
    service: TheService,
    level: Text = "",
    department: Text = "",
    since: Day = "",
    until: Day = "",
    after: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    found = list_notices(
        actor,
        service,
        Wanted(30, after or None),
        None,
        Level(level) if level in set(Level) else None,
        department or None,
        day_of(since),
        day_of(until),
    )
    with transaction(service.reader) as session:
        offered = departments(session, actor)
    content: dict[str, Any] = {
        "found": found,
        "after": after,
        "filters": {"level": level, "department": department, "since": since, "until": until},
        "departments": offered,
        "open": _unsettled(actor, service),
        "contacts": _contacts(actor, service),
        "levels": LEVEL_TITLES,
        "recipients": RECIPIENT_TITLES,
        "titles": STATUS_TITLES,
        "tones": STATUS_TONES,
    }
    return page(request, actor, "notices.html.jinja", **content)


def _unsettled(actor: Actor, service: TheService) -> list[Any]:
    """What a person has to look at: nobody knows whether it arrived, or it cannot be sent."""
    first = Wanted(50, None)
    return [
        delivery
        for status in ("uncertain", "dead")
        for delivery in list_deliveries(actor, service, first, status).items
    ]


def _contacts(actor: Actor, service: TheService) -> list[Any]:
    return list_contacts(actor, service, Wanted(200, None)).items if actor.may("admin") else []


@router.post("/deliveries/{delivery_id}")
def settle(
    request: Request,
    delivery_id: Id,
    actor: NoticesSettler,
    service: TheService,
    settlement: Field = "",
) -> Response:
    post_settlement(delivery_id, checked(Settled, settlement=settlement), actor, service)
    return go("/notices", request)


@router.post("/contacts")
def make_contact(
    request: Request,
    actor: Admin,
    service: TheService,
    role: Field = "",
    department: Field = "",
    title: Field = "",
    channel_url: Field = "",
) -> Response:
    contact = checked(
        NewContact,
        role=role,
        department=department.strip(),
        title=title.strip(),
        channel_url=channel_url.strip(),
    )
    post_contact(contact, actor, service)
    return go("/notices#contacts", request)


@router.post("/contacts/{contact_id}")
def change_contact(
    request: Request, contact_id: Id, actor: Admin, service: TheService, active: Field = ""
) -> Response:
    patch_contact(contact_id, ContactChange(active=active == "true"), actor, service)
    return go("/notices#contacts", request)


@router.post("/contacts/{contact_id}/test")
def test_contact(request: Request, contact_id: Id, actor: Admin, service: TheService) -> Response:
    post_test(contact_id, actor, service)
    return go("/notices#contacts", request)
