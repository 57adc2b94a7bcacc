"""Who is told what: filed once with the change that caused it, and what time brings."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from api.database import now, transaction
from api.notices import file_notices
from api.service import Service
from api.tables import DeliveryRow, NoticeRow, OrderRow, RecordingRow, ReviewRow
from api.watch import look_around
from qc.filed import LOCAL
from qc.notices.rules import Recipient
from tests.api.heard import POLITE, add_call, add_order
from tests.api.told import add_contact, file, notice, signing_service

DISSATISFIED = {
    "received_at": "2024-06-11 09:10",
    "return_visits": [
        {"at": "2024-06-14 10:00", "satisfaction": "dissatisfied", "remark": "找顾海峰13812345678"}
    ],
}
ADDRESSES = {
    ("department_head", "城管中队"): "wecombot://head-of-cgzd",
    ("department_head", "房管办"): "wecombot://head-of-fgb",
    ("leader_in_charge", ""): "wecombot://leader",
    ("centre_head", ""): "wecombot://leader",  # the same person
}


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("data")
    opened = signing_service(folder, database_url)
    for (role, department), url in ADDRESSES.items():
        add_contact(opened, url, role, department=department)
    yield opened
    opened.close()


def judge(service: Service, order: OrderRow, at: datetime | None = None) -> None:
    """File the notices of an order, as the job does that stores its verdict."""
    with transaction(service.engine) as session:
        row = session.get_one(OrderRow, order.id)
        file_notices(session, service.queue, row, at or datetime.now(LOCAL))


def told(service: Service, order: OrderRow) -> dict[str, int]:
    """Deliveries of each of an order's notices."""
    counted = (
        select(NoticeRow.event, func.count(DeliveryRow.id))
        .outerjoin(DeliveryRow, DeliveryRow.event_id == NoticeRow.event_id)
        .where(NoticeRow.order_pk == order.id)
        .group_by(NoticeRow.event)
    )
    with transaction(service.reader) as session:
        return dict(session.execute(counted).all())


def on(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=LOCAL)


def test_a_dissatisfied_visit_is_told_to_the_head_of_that_department_once(
    service: Service, client: TestClient
) -> None:
    order = add_order(service, DISSATISFIED, created_at=on("2024-06-11 09:12"))
    for _ in range(2):
        judge(service, order, on("2024-06-14 10:01"))
    shown = client.get("/api/v1/notices", params={"event": "nt.dissatisfied"}).json()["items"]
    (found,) = [item for item in shown if item["order_id"] == order.order_id]
    (delivery,) = found["deliveries"]
    assert (delivery["role"], delivery["status"]) == ("department_head", "queued")
    assert found["text"].endswith(f"详情：https://qc.street.cn/orders/{order.order_id}")
    assert "13812345678" not in found["text"] and "海峰" not in found["text"]
    assert found["untold"] == []


def test_a_rude_call_is_told_and_a_polite_one_is_not(service: Service) -> None:
    rude, polite = add_order(service), add_order(service)
    add_call(service, rude, made_at=now())
    add_call(service, polite, POLITE, made_at=now())
    judge(service, rude)
    judge(service, polite)
    assert told(service, rude)["nt.attitude"] == 1
    assert "nt.attitude" not in told(service, polite)


def test_what_a_person_overturned_is_not_told(service: Service) -> None:
    order = add_order(service)
    recording = add_call(service, order, made_at=now())
    with transaction(service.reader) as session:
        found = session.get_one(RecordingRow, recording).inspection
        assert found
        rules = {b["id"] for b in found.verdict["behaviours"]}
        rules |= {s["id"] for s in found.verdict["citizen"]}
    with transaction(service.engine) as session:
        for rule in rules:
            session.add(
                ReviewRow(
                    recording_id=recording, rule_id=rule, decision="overturn", reviewer="admin"
                )
            )
    judge(service, order)
    assert not {"nt.attitude", "nt.potential", "nt.threat"} & told(service, order).keys()


def test_a_change_that_is_taken_back_tells_nobody(service: Service) -> None:
    order = add_order(service, DISSATISFIED, created_at=on("2024-06-11 09:12"))
    with pytest.raises(RuntimeError), transaction(service.engine) as session:
        row = session.get_one(OrderRow, order.id)
        file_notices(session, service.queue, row, on("2024-06-14 10:01"))
        raise RuntimeError
    assert told(service, order) == {}


def test_old_orders_that_are_imported_alarm_nobody(service: Service) -> None:
    order = add_order(service, DISSATISFIED)
    judge(service, order)
    events = told(service, order)
    assert events["nt.dissatisfied"] == 0 and set(events.values()) == {0}


def test_old_calls_that_are_imported_alarm_nobody(service: Service) -> None:
    order = add_order(service, {"received_at": "2024-06-11 09:10"})
    add_call(service, order, made_at=on("2024-06-11 15:00"))
    judge(service, order)
    assert told(service, order)["nt.attitude"] == 0


def test_a_visit_that_is_filed_late_is_told(service: Service) -> None:
    order = add_order(service, DISSATISFIED, created_at=on("2024-06-11 09:12"))
    judge(service, order, on("2024-07-30 10:00"))
    assert told(service, order)["nt.dissatisfied"] == 1


def test_a_broken_recording_is_told_but_our_own_failure_is_not(service: Service) -> None:
    order = add_order(service)
    reasons = ("文件打不开，可能已损坏。", "程序处理时出错，重试后仍未成功")
    for reason in reasons:
        with transaction(service.engine) as session:
            session.add(
                RecordingRow(
                    order_pk=order.id, file_name="x.wav", path="x", sha256=reason[:1] * 64,
                    size=1, status="failed", reason=reason, made_at=now(),
                )
            )  # fmt: skip
        judge(service, order)
    assert told(service, order)["nt.recording_unusable"] == 1


def test_offices_that_share_an_address_are_told_once(service: Service) -> None:
    both = notice("", Recipient.LEADER_IN_CHARGE, Recipient.CENTRE_HEAD)
    assert file(service, both) == 1
    with transaction(service.reader) as session:
        sent = select(func.count()).where(DeliveryRow.event_id == both.event_id)
        assert session.scalar(sent) == 1


def test_an_office_without_a_contact_is_named(service: Service, client: TestClient) -> None:
    lonely = notice("", Recipient.MAIN_LEADER, Recipient.LEADER_IN_CHARGE)
    file(service, lonely)
    shown = client.get(f"/api/v1/notices/{lonely.event_id}").json()
    assert shown["untold"] == ["main_leader"] and len(shown["deliveries"]) == 1


def test_a_contact_that_has_left_is_told_nothing(service: Service) -> None:
    add_contact(service, "wecombot://gone", "discipline", active=False)
    gone = notice("", Recipient.DISCIPLINE)
    file(service, gone)
    with transaction(service.reader) as session:
        assert session.get_one(NoticeRow, gone.event_id).untold == ["discipline"]


def test_a_department_sees_its_own_notices_only(
    service: Service, sign_in: Callable[..., TestClient]
) -> None:
    own, other = notice(), notice(departments=("房管办",))
    file(service, own, other)
    department = sign_in("department")
    assert department.get(f"/api/v1/notices/{own.event_id}").status_code == 200
    assert department.get(f"/api/v1/notices/{other.event_id}").status_code == 404
    shown = department.get("/api/v1/notices", params={"limit": 200}).json()["items"]
    assert {item["department"] for item in shown} == {"城管中队"}
    sent = department.get("/api/v1/deliveries", params={"limit": 200}).json()["items"]
    assert other.event_id not in {item["event_id"] for item in sent}


# --- what time brings -----------------------------------------------------------------------------


def test_an_overdue_first_contact_is_told_without_anybody_touching_the_order(
    service: Service,
) -> None:
    received = on("2026-03-02 09:10")
    order = add_order(service, {"received_at": "2026-03-02 09:10"}, created_at=received)
    look_around(service, on("2026-03-02 16:00"))
    assert "nt.contact_overdue" not in told(service, order)
    for minute in range(10):
        look_around(service, on("2026-03-04 09:00") + timedelta(minutes=minute))
    assert told(service, order)["nt.contact_overdue"] == 1


def test_a_contacted_order_is_left_in_peace(service: Service) -> None:
    filing = {"received_at": "2026-03-02 09:10", "first_contact_at": "2026-03-02 11:00"}
    order = add_order(
        service,
        {**filing, "accepted_at": "2026-03-02 09:20", "closed_at": "2026-03-03 09:00"},
        created_at=on("2026-03-02 09:12"),
    )
    add_call(service, order, POLITE)
    add_call(service, order, POLITE)
    for minute in range(10):
        look_around(service, on("2026-03-04 09:00") + timedelta(minutes=minute))
    assert not any(event.endswith("overdue") for event in told(service, order))


def test_repeats_of_a_day_make_a_yellow_and_then_a_red_warning(
    service: Service, client: TestClient
) -> None:
    filing = {"received_at": "2026-03-11 09:10"}
    for count, event in ((5, "nt.repeats_yellow"), (5, "nt.repeats_red")):
        for _ in range(count):
            add_order(service, filing, profile="tangqiao", address="潍坊四村105号602室")
        for _ in range(2):
            look_around(service, on("2026-03-11 12:00"))
        shown = client.get("/api/v1/notices", params={"event": event}).json()["items"]
        assert len(shown) == 1 and "105号" not in shown[0]["text"]


def test_digests_are_filed_once_in_the_morning_after(service: Service, client: TestClient) -> None:
    for satisfaction in ("satisfied", "dissatisfied"):
        visit = {"at": "2026-03-31 16:00", "satisfaction": satisfaction}
        add_order(
            service,
            {"received_at": "2026-03-31 09:10", "return_visits": [visit]},
            created_at=on("2026-03-31 09:12"),
        )

    def digests() -> dict[str, str]:
        found = client.get("/api/v1/notices", params={"level": "circulate"}).json()["items"]
        found += client.get("/api/v1/notices", params={"level": "report"}).json()["items"]
        return {item["event"]: item["text"] for item in found if "2026-03-31" in item["title"]}

    look_around(service, on("2026-04-01 07:59"))
    assert digests() == {}
    for _ in range(2):
        look_around(service, on("2026-04-01 08:00"))
    assert set(digests()) == {"nt.daily", "nt.monthly"}
    assert "满意率：50.0%" in digests()["nt.daily"]
    look_around(service, on("2026-04-20 08:00"))
    assert set(digests()) == {"nt.daily", "nt.monthly"}


def test_who_is_among_the_last_three_of_a_month_is_to_be_talked_to(
    service: Service, client: TestClient
) -> None:
    """松江区佘山镇 2025 二、（七）; nobody with 100 % is ever among them."""
    for department, satisfaction in (("城管中队", "dissatisfied"), ("房管办", "satisfied")):
        visit = {"at": "2026-01-20 16:00", "satisfaction": satisfaction}
        filing = {"received_at": "2026-01-12 09:10", "return_visits": [visit]}
        add_order(service, filing, profile="sheshan", department=department)
    look_around(service, on("2026-02-01 08:00"))
    shown = client.get("/api/v1/notices", params={"event": "nt.last_three"}).json()["items"]
    assert [(item["level"], item["department"]) for item in shown] == [("interview", "城管中队")]


# --- contacts -------------------------------------------------------------------------------------


def test_a_contact_is_made_shown_without_its_key_and_tested(
    service: Service, client: TestClient
) -> None:
    made = client.post(
        "/api/v1/contacts", json={"role": "safety_office", "channel_url": "wecombot://aSECRETz"}
    )
    assert made.status_code == 201 and "SECRET" not in made.text
    contact = made.json()["id"]
    assert "SECRET" not in client.get("/api/v1/contacts", params={"limit": 200}).text
    sent = client.post(f"/api/v1/contacts/{contact}:test")
    assert sent.status_code == 202
    shown = client.get("/api/v1/deliveries", params={"status": "queued"}).json()["items"]
    assert sent.json()["delivery"] in {item["id"] for item in shown}
    assert not client.patch(f"/api/v1/contacts/{contact}", json={"active": False}).json()["active"]
    assert client.post(f"/api/v1/contacts/{contact}:test").status_code == 409


@pytest.mark.parametrize("url", ["nonsense", "ftp://files.street.cn", "wecombot://"])
def test_an_address_that_cannot_be_used_makes_no_contact(client: TestClient, url: str) -> None:
    answer = client.post("/api/v1/contacts", json={"role": "main_leader", "channel_url": url})
    assert answer.status_code == 422
    assert "wecombot://" in answer.json()["detail"]
