"""Figures and reports: computed in one place, each reader's own, and files that open."""

import io
from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from docx import Document
from fastapi.testclient import TestClient
from openpyxl import load_workbook
from sqlalchemy import delete

from api.database import now, transaction
from api.derived import counted
from api.figures import read_tables
from api.service import Service
from api.tables import FindingRow, InspectionRow, JobRow, OrderRow, RecordingRow
from qc.deadlines.timeliness import in_time
from qc.deadlines.timing import Step, load_timing
from qc.figures.overview import overview
from qc.filed import LOCAL, Filing
from qc.order import CallKind
from tests.api.heard import POLITE, RUDE, add_call, add_order

TODAY = datetime.now(LOCAL).date()
YESTERDAY = (TODAY - timedelta(days=1)).isoformat()


@pytest.fixture(scope="module", autouse=True)
def calls(service: Service) -> None:
    """城管中队: 2 orders, one rude call; 房管办: 1 order, polite. One order has no call."""
    for department, turns, satisfaction in (
        ("城管中队", RUDE, "dissatisfied"),
        ("城管中队", POLITE, "satisfied"),
        ("房管办", POLITE, "satisfied"),
    ):
        visit = {"at": f"{YESTERDAY} 16:00", "satisfaction": satisfaction, "cause": "attitude"}
        filing = {
            "received_at": f"{YESTERDAY} 09:00",
            "first_contact_at": f"{YESTERDAY} 10:00",
            "return_visits": [visit],
        }
        order = add_order(service, filing, department=department)
        add_call(service, order, turns)
    add_order(service, {"received_at": f"{YESTERDAY} 09:00"}, department="房管办")


def ask(client: TestClient, table: str = "", **query: object) -> dict[str, object]:
    answer = client.get(f"/api/v1/figures{table}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_the_overview_counts_orders_and_calls(client: TestClient) -> None:
    found = ask(client)
    assert (found["orders"], found["calls"], found["dissatisfied"]) == (4, 3, 1)
    assert found["attitude_caused"] == 1 and found["contacted_rate"] == 1.0
    assert found["satisfied_rate"] == pytest.approx(2 / 3)
    assert ask(client, until="2020-01-01")["orders"] == 0
    assert ask(client, since=YESTERDAY, until=YESTERDAY)["orders"] == 4
    assert ask(client, department="房管办")["calls"] == 1


def test_a_department_sees_its_own_figures_only(sign_in: Callable[..., TestClient]) -> None:
    own = sign_in("department")
    assert ask(own)["orders"] == 2
    assert ask(own, department="房管办")["orders"] == 0
    rows = ask(own, "/standings")["rows"]
    assert isinstance(rows, list) and {row["department"] for row in rows} == {"城管中队"}


@pytest.mark.parametrize(
    "table",
    [
        *("elements", "behaviours", "behaviours-by-week", "attitudes", "causes", "dissatisfied"),
        *("standings", "ranking", "last-three", "repeated-defects", "trend"),
    ],
)
@pytest.mark.parametrize("query", [{}, {"by": "handler"}, {"kind": CallKind.REPLY.value}])
def test_every_table_is_given(client: TestClient, table: str, query: dict[str, str]) -> None:
    rows = ask(client, f"/{table}", **query)["rows"]
    assert isinstance(rows, list)
    if not query and table != "repeated-defects":
        assert rows


def test_the_last_three_are_those_with_the_lowest_rate(client: TestClient) -> None:
    rows = ask(client, "/last-three")["rows"]
    assert isinstance(rows, list) and [row["department"] for row in rows] == ["城管中队"]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "yesterday"])
def test_a_day_that_no_calendar_knows_is_refused(client: TestClient, day: str) -> None:
    for address in ("/api/v1/figures", "/api/v1/reports/coaching"):
        assert client.get(address, params={"since": day}).status_code == 422
    assert client.get("/api/v1/reports/periodic", params={"day": day}).status_code == 422


def test_columns_say_the_same_as_the_filing_they_repeat(service: Service) -> None:
    """In time or not, as `qc.deadlines` says from the filing itself."""
    at, timing = datetime(2026, 3, 20, 12, tzinfo=LOCAL), load_timing("weifang")
    filings = [
        {"received_at": "2026-03-02 09:00", **more}
        for more in (
            {},
            {"first_contact_at": "2026-03-02 10:00"},
            {"first_contact_at": "2026-03-06 10:00", "closed_at": "2026-03-05 10:00"},
            {"closed_at": "2026-03-19 10:00"},
            {"attempts": [{"at": f"2026-03-02 {h}:00"} for h in (10, 12, 15)]},
        )
    ] + [{"received_at": "2026-03-20 09:00"}, {}]
    rows = [add_order(service, filing, department="比对") for filing in filings]
    wanted = {
        row.order_id: [
            in_time(Filing.model_validate(filing), step, timing, at)
            for step in (Step.FIRST_CONTACT, Step.CLOSE)
        ]
        for row, filing in zip(rows, filings, strict=True)
    }
    with transaction(service.reader) as session:
        calls = read_tables(session, at).calls
    found = {
        row.order_id: [None if v != v else bool(v) for v in (row.contacted, row.on_time)]
        for row in calls[calls["department"] == "比对"].itertuples()
    }
    assert found == wanted
    forget(service, rows)


def test_an_order_that_was_given_back_is_neither_late_nor_in_time(service: Service) -> None:
    filing = {"received_at": "2026-03-02 09:00", "returned_at": "2026-03-02 11:00"}
    row = add_order(service, filing, department="退单")
    with transaction(service.reader) as session:
        calls = read_tables(session, now().astimezone(LOCAL)).calls
    found = calls[calls["department"] == "退单"]
    assert found["contacted"].isna().all() and found["on_time"].isna().all()
    forget(service, [row])


def test_what_is_counted_is_what_the_findings_say(service: Service) -> None:
    with transaction(service.reader) as session:
        for row in session.query(InspectionRow):
            assert row.found == counted(row.verdict)
            findings = session.query(FindingRow).filter_by(inspection_id=row.id).all()
            shown = {f.rule_id for f in findings if f.family == "behaviour"}
            assert shown == set(row.found["behaviour"])


def test_another_street_is_not_counted(service: Service) -> None:
    row = add_order(service, {"received_at": "2026-03-02 09:00"}, profile="tangqiao")
    with transaction(service.reader) as session:
        at = now().astimezone(LOCAL)
        assert overview(read_tables(session, at, "tangqiao")).orders == 1
        assert overview(read_tables(session, at, "sheshan")).orders == 0
    forget(service, [row])


def forget(service: Service, rows: list[OrderRow]) -> None:
    """Remove orders again, for the figures of the other tests."""
    with transaction(service.engine) as session:
        ids = [row.id for row in rows]
        for table in (JobRow, RecordingRow):
            session.execute(delete(table).where(table.order_pk.in_(ids)))
        session.execute(delete(OrderRow).where(OrderRow.id.in_(ids)))


# --- files ----------------------------------------------------------------------------------------


def text_of(content: bytes) -> str:
    """Everything that a Word document says."""
    document = Document(io.BytesIO(content))
    cells = [c.text for t in document.tables for row in t.rows for c in row.cells]
    return "\n".join([*(p.text for p in document.paragraphs), *cells])


def test_periodic_reports_open_in_every_format(client: TestClient) -> None:
    query = {"every": "day", "day": YESTERDAY}
    found = {
        wanted: client.get("/api/v1/reports/periodic", params={**query, "format": wanted})
        for wanted in ("xlsx", "docx", "pdf", "html")
    }
    assert {answer.status_code for answer in found.values()} == {200}
    book = load_workbook(io.BytesIO(found["xlsx"].content))
    departments = [row[0].value for row in book["各部门"].iter_rows(min_row=2)]
    assert set(departments) == {"城管中队", "房管办"}
    assert "城管中队" in text_of(found["docx"].content)
    assert found["pdf"].content.startswith(b"%PDF-")
    assert "日报" in found["html"].text
    name = found["xlsx"].headers["content-disposition"]
    assert name.startswith("attachment; filename*=UTF-8''%E7%83%AD")


def test_a_departments_report_names_no_other(sign_in: Callable[..., TestClient]) -> None:
    answer = sign_in("department").get(
        "/api/v1/reports/periodic", params={"every": "day", "day": YESTERDAY, "format": "html"}
    )
    assert "城管中队" in answer.text and "房管办" not in answer.text


def test_a_coaching_report_shows_masked_words_and_leads_to_the_calls(client: TestClient) -> None:
    query = {"department": "城管中队", "since": "2020-01-01"}
    found = client.get("/api/v1/reports/coaching", params=query)
    assert found.status_code == 200
    assert "你烦不烦" in found.text and "海峰" not in found.text
    assert "/calls/" in found.text
    word = client.get("/api/v1/reports/coaching", params={**query, "format": "docx"})
    assert "你烦不烦" in text_of(word.content)


def test_a_department_is_coached_on_its_own_calls_only(
    sign_in: Callable[..., TestClient],
) -> None:
    own = sign_in("department", "房管办")
    found = own.get("/api/v1/reports/coaching", params={"department": "城管中队"})
    assert found.status_code == 200
    assert "你烦不烦" not in found.text and "房管办" in found.text


def test_who_has_no_calls_gets_no_report(client: TestClient) -> None:
    answer = client.get("/api/v1/reports/coaching", params={"handler": "没有这个人"})
    assert answer.status_code == 422 and "没有" in answer.json()["detail"]


def test_calls_before_and_after_a_training_are_compared(client: TestClient) -> None:
    held_on = (TODAY - timedelta(days=3)).isoformat()
    training = {"title": "话术培训", "held_on": held_on, "people": ["李明"], "topics": ["bh.rude"]}
    made = client.post("/api/v1/trainings", json=training)
    assert made.status_code == 201
    assert date.fromisoformat(made.json()["held_on"]).isoformat() == held_on
    assert made.json()["id"] in {t["id"] for t in client.get("/api/v1/trainings").json()}
    found = client.get("/api/v1/reports/coaching", params={"training": made.json()["id"]})
    assert found.status_code == 200 and "话术培训" in found.text
    missing = client.get("/api/v1/reports/coaching", params={"training": "0" * 32})
    assert missing.status_code == 404
