"""Orders over HTTP: creating, changing, importing, and who sees them."""

import io
from collections.abc import Callable
from datetime import datetime

import openpyxl
import pytest
from fastapi.testclient import TestClient

from tests.api.filed import new_order, order_of

VISIT = {"at": "2024-06-20 10:00", "level": "street", "satisfaction": "dissatisfied"}


def test_an_order_comes_back_as_it_was_filed_with_personal_data_masked(client: TestClient) -> None:
    filed = order_of()
    made = client.post(
        "/api/v1/orders", json={"order": filed, "filing": {"received_at": "2024-06-11 09:10"}}
    )
    assert made.status_code == 201
    order_id = filed["order_id"]
    assert made.headers["location"] == f"/api/v1/orders/{order_id}"
    read = client.get(f"/api/v1/orders/{order_id}")
    assert read.headers["etag"] == made.headers["etag"] == '"1"'
    body = read.json()
    assert body["order"]["petitioner"] == "王**"
    assert "105" not in body["order"]["address"]
    assert body["filing"]["received_at"] == "2024-06-11T09:10:00+08:00"
    assert (body["department"], body["profile"], body["recordings"]) == ("城管中队", "weifang", 0)


def test_an_inspector_may_read_an_order_unmasked_and_that_is_written_down(
    sign_in: Callable[..., TestClient], client: TestClient
) -> None:
    order_id = new_order(client)
    whole = sign_in("inspector").get(f"/api/v1/orders/{order_id}", params={"unmasked": True})
    assert whole.json()["order"]["petitioner"] == "王建国"
    log = client.get("/api/v1/audit", params={"subject": order_id}).json()["items"]
    assert "order.read_unmasked" in {row["action"] for row in log}
    refused = sign_in("department").get(f"/api/v1/orders/{order_id}", params={"unmasked": True})
    assert refused.status_code == 403


def test_the_same_number_twice_is_a_conflict(client: TestClient) -> None:
    order_id = new_order(client)
    again = client.post("/api/v1/orders", json={"order": order_of(order_id=order_id)})
    assert again.status_code == 409
    assert order_id in again.json()["detail"]


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"order_id": ""},
        {"order_id": "a/b"},
        {"order_id": ".."},
        {"order_id": "x" * 101},
        {"order_id": "ok-1", "department": "局" * 101},
        {"order_id": "ok-2", "handler": "李\x00明"},
        {"order_id": "ok-3", "category": "nonsense"},
        {"order_id": "ok-4", "reported_on": "yesterday"},
    ],
)
def test_a_wrong_order_is_refused_with_the_field(client: TestClient, order: dict) -> None:
    answer = client.post("/api/v1/orders", json={"order": order})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"].startswith("body.order")


def test_an_unknown_street_is_refused_with_those_that_exist(client: TestClient) -> None:
    answer = client.post("/api/v1/orders", json={"order": order_of(), "profile": "nowhere"})
    assert answer.status_code == 422
    assert "tangqiao" in answer.json()["detail"]


def test_a_change_keeps_what_it_does_not_name_and_makes_a_new_version(client: TestClient) -> None:
    order_id = new_order(client, received_at="2024-06-11 09:10", reply_summary="已答复")
    changed = client.patch(
        f"/api/v1/orders/{order_id}",
        json={"order": {"handler": "陈强"}, "filing": {"reply_summary": None, "extended": True}},
    )
    body = changed.json()
    assert changed.headers["etag"] == '"2"'
    assert (body["handler"], body["order"]["issue"]) == ("陈强", "楼上装修噪音扰民")
    assert body["filing"]["received_at"].startswith("2024-06-11T09:10")
    assert (body["filing"]["reply_summary"], body["filing"]["extended"]) == (None, True)


def test_a_change_that_changes_nothing_makes_no_new_version(client: TestClient) -> None:
    order_id = new_order(client)
    same = client.patch(f"/api/v1/orders/{order_id}", json={"order": {"handler": "李明"}})
    assert same.headers["etag"] == '"1"'


def test_who_changes_an_old_version_is_told(client: TestClient) -> None:
    order_id = new_order(client)
    change = {"order": {"handler": "陈强"}}
    headers = {"If-Match": '"1"'}
    first = client.patch(f"/api/v1/orders/{order_id}", json=change, headers=headers)
    assert first.status_code == 200
    late = client.patch(
        f"/api/v1/orders/{order_id}", json={"order": {"handler": "赵六"}}, headers=headers
    )
    assert late.status_code == 412
    assert client.get(f"/api/v1/orders/{order_id}").json()["handler"] == "陈强"


def test_a_put_replaces_all_that_was_filed(client: TestClient) -> None:
    order_id = new_order(client, reply_summary="已答复")
    bare = {"order_id": order_id, "department": "市容所"}
    body = client.put(f"/api/v1/orders/{order_id}", json={"order": bare}).json()
    assert (body["department"], body["order"]["issue"]) == ("市容所", None)
    assert body["filing"]["reply_summary"] is None
    other = client.put(f"/api/v1/orders/{order_id}", json={"order": order_of()})
    assert other.status_code == 422


def test_return_visits_add_up_and_the_same_one_twice_counts_once(client: TestClient) -> None:
    order_id = new_order(client)
    address = f"/api/v1/orders/{order_id}/return-visits"
    later = VISIT | {"at": "2024-06-25 10:00", "level": "city", "satisfaction": "satisfied"}
    for visit in (later, VISIT, VISIT):
        answer = client.post(address, json=visit)
        assert answer.status_code == 201
    visits = answer.json()["filing"]["return_visits"]
    assert [v["level"] for v in visits] == ["street", "city"]


def test_a_department_sees_only_its_own_orders(
    sign_in: Callable[..., TestClient], client: TestClient
) -> None:
    own, other = new_order(client, "水务所"), new_order(client, "绿化所")
    people = sign_in("department", "水务所")
    assert people.get(f"/api/v1/orders/{own}").status_code == 200
    assert people.get(f"/api/v1/orders/{other}").status_code == 404
    assert people.get(f"/api/v1/orders/{other}/inspection").status_code == 404
    listed = {item["order_id"] for item in people.get("/api/v1/orders").json()["items"]}
    assert listed == {own}


def test_a_departments_key_files_only_its_own_orders(with_key: Callable[..., TestClient]) -> None:
    platform = with_key("orders:read", "orders:write", department="市容所")
    order_id = new_order(platform, "市容所")
    assert platform.post("/api/v1/orders", json={"order": order_of("水务所")}).status_code == 403
    moved = platform.patch(f"/api/v1/orders/{order_id}", json={"order": {"department": "水务所"}})
    assert moved.status_code == 403


def test_the_list_is_filtered_and_paged(client: TestClient) -> None:
    for day in ("01", "02", "03"):
        new_order(client, "房管所", received_at=f"2031-05-{day} 08:00")
    query: dict[str, str | int] = {"department": "房管所", "since": "2031-05-02", "limit": 1}
    first = client.get("/api/v1/orders", params=query).json()
    second = client.get("/api/v1/orders", params=query | {"after": first["next"]}).json()
    days = [page["items"][0]["received_at"][:10] for page in (first, second)]
    assert days == ["2031-05-03", "2031-05-02"]
    assert second["next"] is None


def test_what_is_filed_has_the_order_judged_once_however_often_it_changes(
    client: TestClient,
) -> None:
    order_id = new_order(client)
    client.patch(f"/api/v1/orders/{order_id}", json={"order": {"handler": "陈强"}})
    jobs = client.get("/api/v1/jobs", params={"limit": 200}).json()["items"]
    assert [job["kind"] for job in jobs if job["order_id"] == order_id] == ["order"]
    verdict = client.get(f"/api/v1/orders/{order_id}/inspection").json()
    assert verdict["status"] == "pending"
    assert verdict["missing"] == ["first_contact", "reply"]


CSV = """工单编号,诉求人,诉求内容,处置部门,经办人,派单时间,是否延期,满意情况
{0}-1,张三,路灯不亮,市容所,李明,2024-06-11 09:10,否,不满意
{0}-2,李四,占道经营,市容所,李明,昨天,否,满意
,王五,没有编号,市容所,李明,2024-06-11 09:10,否,满意
{0}-3,赵六,噪音,市容所,李明,2024/6/12 10:00,是,
"""


def test_a_wrong_row_of_a_table_spoils_no_other(client: TestClient) -> None:
    mark = order_of()["order_id"]
    table = CSV.format(mark).encode("gb18030")
    done = client.post("/api/v1/orders:import", content=table, headers={"Content-Type": "text/csv"})
    body = done.json()
    assert (body["created"], body["failed"]) == (2, 2)
    assert [row["row"] for row in body["rows"] if row["outcome"] == "failed"] == [3, 4]
    assert "received_at" in body["rows"][1]["reason"]
    read = client.get(f"/api/v1/orders/{mark}-1").json()["filing"]
    assert (read["satisfaction"], read["extended"]) == ("dissatisfied", False)
    again = client.post("/api/v1/orders:import", content=table)
    assert (again.json()["unchanged"], again.json()["created"]) == (2, 0)


def test_a_workbook_with_times_as_cells_is_imported(client: TestClient) -> None:
    mark = order_of()["order_id"]
    book = openpyxl.Workbook()
    book.active.append(["工单编号", "处置部门", "首次联系时间"])
    book.active.append([mark, "市容所", datetime(2024, 6, 11, 14, 20)])
    content = io.BytesIO()
    book.save(content)
    done = client.post("/api/v1/orders:import", content=content.getvalue())
    assert done.json()["created"] == 1
    filing = client.get(f"/api/v1/orders/{mark}").json()["filing"]
    assert filing["first_contact_at"] == "2024-06-11T14:20:00+08:00"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_what_is_no_table_of_orders_is_refused(client: TestClient, content: bytes) -> None:
    answer = client.post("/api/v1/orders:import", content=content)
    assert answer.status_code == 422
    assert answer.json()["detail"]
