"""Deliveries: written down before they are sent, tried again, and settled by people."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dbos import DBOSClient, DBOSPortableJSONSerializer
from fastapi.testclient import TestClient

from api import channels
from api.database import transaction
from api.delivery import ROUND, attempt
from api.service import Service
from api.tables import ContactRow, DeliveryRow
from tests.api.receivers import MailReceiver, WebReceiver, mail_receiver, web_receiver
from tests.api.told import add_delivery, delivery, signing_service


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("data")
    opened = signing_service(folder, database_url)
    yield opened
    opened.close()


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with mail_receiver() as receiver:
        yield receiver


def jobs_of(service: Service, delivery_id: str) -> dict[str, str | None]:
    """Ids of the queued attempts of a delivery, with when they may begin."""
    client = DBOSClient(
        system_database_url=service.settings.database,
        serializer=DBOSPortableJSONSerializer(),
    )
    row = delivery(service, delivery_id)
    found = client.list_workflows(name="deliver")
    client.destroy()
    prefix = f"notify:{row.event_id}:{row.contact_id}"
    return {
        job.workflow_id.removeprefix(prefix): job.status
        for job in found
        if job.workflow_id.startswith(prefix)
    }


def cut_off(service: Service, delivery_id: str, number: int) -> None:
    """As a worker leaves it that is killed between writing down and knowing the outcome."""
    with transaction(service.engine) as session:
        row = session.get_one(DeliveryRow, delivery_id)
        row.status, row.attempts = "sending", number


def test_a_notice_arrives_once_however_often_its_job_is_run(
    service: Service, web: WebReceiver
) -> None:
    sent = add_delivery(service, web.url)
    for _ in range(3):
        attempt(service, sent, 1)
    (body,) = web.verified()
    assert body["id"] == sent and body["text"].endswith("详情：https://qc.street.cn/notices")
    row = delivery(service, sent)
    assert (row.status, row.attempts, bool(row.sent_at)) == ("sent", 1, True)


def test_what_fails_is_tried_again_later(service: Service, web: WebReceiver) -> None:
    web.answers = [503, "drop"]
    sent = add_delivery(service, web.url)
    assert set(jobs_of(service, sent)) == {""}
    attempt(service, sent, 1)
    row = delivery(service, sent)
    assert (row.status, row.reason) == ("queued", "对方回答 HTTP 503")
    assert jobs_of(service, sent) == {"": "ENQUEUED", ":2": "DELAYED"}
    attempt(service, sent, 2)
    assert delivery(service, sent).status == "queued"
    attempt(service, sent, 3)
    assert delivery(service, sent).status == "sent"
    assert [h["webhook-id"] for h in web.headers] == [sent] * 3


def test_an_attempt_whose_turn_it_is_not_sends_nothing(service: Service, web: WebReceiver) -> None:
    sent = add_delivery(service, web.url)
    attempt(service, sent, 2)
    assert not web.raw
    attempt(service, sent, 1)
    attempt(service, sent, 2)
    assert len(web.raw) == 1


def test_after_bounded_attempts_a_delivery_is_dead(service: Service, web: WebReceiver) -> None:
    web.answer = 500
    sent = add_delivery(service, web.url)
    for number in range(1, ROUND + 3):
        attempt(service, sent, number)
    row = delivery(service, sent)
    assert (row.status, row.attempts, len(web.raw)) == ("dead", ROUND, ROUND)


def test_what_is_refused_is_dead_at_once(service: Service, web: WebReceiver) -> None:
    web.answer = 404
    sent = add_delivery(service, web.url)
    attempt(service, sent, 1)
    assert delivery(service, sent).status == "dead"


def test_a_webhook_cut_off_is_sent_again_for_its_receiver_drops_doubles(
    service: Service, web: WebReceiver
) -> None:
    sent = add_delivery(service, web.url)
    cut_off(service, sent, 1)
    attempt(service, sent, 1)
    assert delivery(service, sent).status == "sent"
    assert [h["webhook-id"] for h in web.headers] == [sent]


def test_mail_cut_off_is_uncertain_and_not_sent_again(service: Service, mail: MailReceiver) -> None:
    sent = add_delivery(service, mail.url + "head@street.cn")
    cut_off(service, sent, 1)
    attempt(service, sent, 1)
    row = delivery(service, sent)
    assert row.status == "uncertain" and "不能确定" in row.reason
    assert not mail.mails


def test_mail_of_which_nobody_knows_whether_it_arrived_is_uncertain(
    service: Service, mail: MailReceiver
) -> None:
    mail.refusal = "cut"
    sent = add_delivery(service, mail.url + "head@street.cn")
    attempt(service, sent, 1)
    attempt(service, sent, 2)
    assert delivery(service, sent).status == "uncertain" and len(mail.mails) == 1


def test_a_slow_worker_that_did_send_after_all_settles_it(
    service: Service, mail: MailReceiver
) -> None:
    """It was taken for dead, another has marked the delivery uncertain, then it goes on."""
    sent = add_delivery(service, mail.url + "head@street.cn")
    seen = []

    def taken_over() -> None:
        attempt(service, sent, 1)
        seen.append(delivery(service, sent).status)

    mail.while_taking = taken_over
    attempt(service, sent, 1)
    assert seen == ["uncertain"] and delivery(service, sent).status == "sent"
    assert len(mail.mails) == 1


def test_a_hanging_receiver_does_not_hang_the_worker(
    service: Service, web: WebReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "TIMEOUT", 0.2)
    web.answer = "hang"
    sent = add_delivery(service, web.url)
    attempt(service, sent, 1)
    assert delivery(service, sent).status == "queued"


def test_nothing_goes_to_a_contact_that_has_left(service: Service, web: WebReceiver) -> None:
    sent = add_delivery(service, web.url)
    with transaction(service.engine) as session:
        session.get_one(ContactRow, delivery(service, sent).contact_id).active = False
    attempt(service, sent, 1)
    assert delivery(service, sent).status == "dead" and not web.raw


def test_an_address_that_cannot_be_used_is_dead_with_the_reason(service: Service) -> None:
    sent = add_delivery(service, "nonsense")
    attempt(service, sent, 1)
    row = delivery(service, sent)
    assert row.status == "dead" and "不认识" in row.reason


def test_a_person_settles_what_is_uncertain(
    service: Service, client: TestClient, mail: MailReceiver
) -> None:
    kept, again = (add_delivery(service, mail.url + "head@street.cn") for _ in range(2))
    for one in (kept, again):
        cut_off(service, one, 1)
        attempt(service, one, 1)
    uncertain = client.get("/api/v1/deliveries", params={"status": "uncertain"}).json()["items"]
    assert {kept, again} <= {item["id"] for item in uncertain}
    sent = client.post(f"/api/v1/deliveries/{kept}:settle", json={"settlement": "sent"})
    assert (sent.json()["status"], sent.json()["settled_by"]) == ("sent", "admin")
    assert client.post(
        f"/api/v1/deliveries/{again}:settle", json={"settlement": "resend"}
    ).is_success
    assert not mail.mails
    attempt(service, again, 2)
    assert delivery(service, again).status == "sent" and len(mail.mails) == 1


def test_what_is_settled_cannot_be_settled_again(
    service: Service, client: TestClient, web: WebReceiver
) -> None:
    sent = add_delivery(service, web.url)
    attempt(service, sent, 1)
    answer = client.post(f"/api/v1/deliveries/{sent}:settle", json={"settlement": "resend"})
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:hotline-qc:settled"


def test_only_who_may_settles(
    service: Service, sign_in: Callable[..., TestClient], web: WebReceiver
) -> None:
    sent = add_delivery(service, web.url)
    answer = sign_in("department").post(
        f"/api/v1/deliveries/{sent}:settle", json={"settlement": "sent"}
    )
    assert answer.status_code == 403
