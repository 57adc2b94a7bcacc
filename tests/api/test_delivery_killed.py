"""Workers killed with -9 while they deliver: nothing is lost, nothing reaches people twice.

The long run (20 kills and more, 600 deliveries) is in benchmarks/notifications.py.
"""

from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlalchemy import select

from api.database import transaction
from api.service import Service
from api.tables import DeliveryRow
from tests.api.receivers import MailReceiver, mail_receiver, web_receiver
from tests.api.told import add_contact, add_delivery, signing_service
from tests.api.workers import Worker, wait_until, workers

EACH, KILLS = 12, 3
PAUSE = 0.15  # seconds that a receiver takes, so that kills fall into the middle


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("data")
    opened = signing_service(folder, database_url)
    yield opened
    opened.close()


def statuses(service: Service, ids: list[str]) -> dict[str, str]:
    with transaction(service.reader) as session:
        rows = select(DeliveryRow.id, DeliveryRow.status).where(DeliveryRow.id.in_(ids))
        return dict(session.execute(rows).all())


def arrived(mail: MailReceiver) -> Counter[str]:
    """How often each mail has arrived, by its Message-ID."""
    ids = (message_from_bytes(m.original_content or b"")["message-id"] for m in mail.mails)
    return Counter(id_.strip("<>").partition("@")[0] for id_ in ids)


def test_killed_workers_lose_no_notice_and_send_none_to_people_twice(service: Service) -> None:
    with web_receiver() as web, mail_receiver() as mail:
        web.pause = mail.pause = PAUSE
        web.answers = [503]
        by_web = add_contact(service, web.url, role="web")
        by_mail = add_contact(service, mail.url + "head@street.cn", role="mail")
        webhooks = [add_delivery(service, web.url, by_web) for _ in range(EACH)]
        mails = [add_delivery(service, mail.url, by_mail) for _ in range(EACH)]
        ids = [*webhooks, *mails]

        def over() -> bool:
            return not {"queued", "sending"} & set(statuses(service, ids).values())

        with workers(service, 2) as crew:
            for _ in range(KILLS):
                wait_until(lambda: "sending" in statuses(service, ids).values() or over())
                crew.pop(0).kill()
                crew.append(Worker(service))
            wait_until(over)
        found = statuses(service, ids)
        taken = {body["id"] for body in web.verified()}
        got = arrived(mail)
    assert taken == set(webhooks)
    assert {found[id_] for id_ in webhooks} == {"sent"}
    assert max(got.values()) == 1
    assert {found[id_] for id_ in mails} <= {"sent", "uncertain"}
    assert {id_ for id_ in mails if found[id_] == "sent"} <= set(got)
