"""What people do on the pages: review, appeal, spot-check, find, match."""

import re
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.database import transaction
from api.service import Service
from api.tables import FindingRow, InspectionRow, PickRow
from tests.api.pages.stored import store_call

SignIn = Callable[..., TestClient]


def finding(service: Service, call: str, rule: str = "bh.promise") -> str:
    """The id of a finding of a call."""
    with transaction(service.reader) as session:
        wanted = select(FindingRow.id).join(InspectionRow)
        wanted = wanted.where(InspectionRow.recording_id == call, FindingRow.rule_id == rule)
        return session.scalars(wanted).first() or pytest.fail(f"{rule} was not found")


def test_an_overturned_finding_leaves_the_list_and_the_score(
    sign_in: SignIn, service: Service
) -> None:
    call = store_call(service, "work-1", department="一中队")
    client, id_ = sign_in("inspector"), finding(service, call)
    listed = "/calls?rule=bh.promise&department=一中队"
    assert call in client.get(listed).text
    answer = client.post(
        f"/calls/{call}/findings/{id_}/review",
        data={"decision": "overturn", "comment": "是转述，打过13912345678"},
    )
    assert "已推翻" in answer.text and "是转述" in answer.text
    assert "13912345678" not in answer.text
    assert 'id="scores"' in answer.text and "复核后" in answer.text
    assert call not in client.get(listed).text


def test_a_decision_that_is_none_is_refused(sign_in: SignIn, service: Service) -> None:
    call = store_call(service, "work-2")
    address = f"/calls/{call}/findings/{finding(service, call)}/review"
    assert sign_in("inspector").post(address, data={"decision": "maybe"}).status_code == 422
    assert sign_in("inspector").post(address).status_code == 422
    assert sign_in("department").post(address, data={"decision": "confirm"}).status_code == 403


def test_a_department_appeals_and_reads_the_decision(sign_in: SignIn, service: Service) -> None:
    call = store_call(service, "work-3")
    department, inspector = sign_in("department"), sign_in("inspector")
    address = f"/calls/{call}/findings/{finding(service, call)}/appeal"
    assert department.post(address, data={"grounds": " "}).status_code == 422
    assert "申诉待处理" in department.post(address, data={"grounds": "说的是政策时限"}).text
    waiting = inspector.get("/appeals?open_only=true").text
    decision = re.search(r'action="(/appeals/[0-9a-f]+/decision)"', waiting)
    assert decision and "说的是政策时限" in waiting
    inspector.post(decision[1], data={"decision": "upheld", "answer": "成立"})
    assert "申诉成立" in department.get(f"/calls/{call}").text
    assert sign_in("department", "别的部门").post(address, data={"grounds": "x"}).status_code == 404


def test_who_listens_blindly_sees_the_words_and_no_verdict(
    sign_in: SignIn, service: Service
) -> None:
    call = store_call(service, "work-4", department="盲听中队")
    admin, inspector = sign_in("admin"), sign_in("inspector")
    form = {"share": "100", "department": "盲听中队", "double": "100", "title": "盲听"}
    drawn = inspector.post("/plans", data=form | {"reviewers": ["admin", "inspector"]})
    assert drawn.status_code == 200 and "双人盲听" in drawn.text
    page = inspector.get(f"/calls/{call}").text
    assert "由两个人各自盲听" in page and "我跟你保证" in page
    assert "随意许诺" not in page and "总分" not in page
    with transaction(service.reader) as session:
        picks = {
            p.reviewer: p
            for p in session.scalars(select(PickRow).where(PickRow.recording_id == call))
        }
    mine = picks["inspector"]
    judged = inspector.post(f"/plans/{mine.plan_id}/picks/{mine.id}", data={"passed": "false"})
    assert judged.status_code == 200
    assert "随意许诺" in inspector.get(f"/calls/{call}").text
    assert "随意许诺" not in admin.get(f"/calls/{call}").text


def test_a_plan_needs_a_size(sign_in: SignIn) -> None:
    answer = sign_in("inspector").post("/plans", data={"share": "", "title": "没有大小"})
    assert answer.status_code == 422


def test_files_find_their_orders_by_the_number_in_their_names(
    sign_in: SignIn, service: Service
) -> None:
    store_call(service, "20240611-000777", department="一中队")
    names = ["20240611-000777-01-先行联系.wav", "回复_20240611-000777.amr", "20240611.wav"]
    client = sign_in("inspector")
    found = client.post("/orders/match", json={"names": names}).json()
    assert [f["order_id"] for f in found] == ["20240611-000777"] * 2 + [""]
    assert [f["kind"] for f in found] == ["first_contact", "reply", ""]
    stranger = sign_in("department", "别的部门")
    assert stranger.post("/orders/match", json={"names": names}).json()[0]["order_id"] == ""


def test_a_table_with_a_wrong_row_is_imported_without_it(sign_in: SignIn) -> None:
    table = "工单编号,诉求,派单时间\nimport-1,噪音,2024-06-11 09:10\nimport-2,噪音,昨天\n"
    files = {"table": ("工单.csv", table.encode("utf-8-sig"), "text/csv")}
    page = sign_in("inspector").post("/orders/import", files=files).text
    assert "新建 1 个" in page and "未导入 1 行" in page and "import-2" in page


def test_an_order_is_opened_by_its_number(sign_in: SignIn, service: Service) -> None:
    store_call(service, "work-5")
    answer = sign_in("inspector").get("/orders?number=work-5", follow_redirects=False)
    assert answer.headers["location"] == "/orders/work-5"


def test_a_key_is_shown_once(client: TestClient) -> None:
    form = {"name": "页面测试", "scopes": ["orders:read"]}
    made = client.post("/admin/keys", data=form).text
    key = re.search(r'value="(hq_[\w-]+)"', made)
    assert key and key[1] not in client.get("/admin").text
    assert client.post("/admin/keys", data={"name": "没有权限"}).status_code == 422
