"""Order files that the tests of an order's verdict share."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.judge.classifier import load_classifier
from qc.catalogue import load_catalogue
from qc.filed import LOCAL, OrderFile
from qc.orders.finding import OrderFinding
from qc.orders.inspection import OrderInspection, inspect_order, inspect_order_calls

ORDER_FILES = Path(__file__).parents[3] / "samples" / "order_files"
NOW = datetime(2024, 7, 20, 10, tzinfo=LOCAL)
ORDER = {
    "order_id": "20240611-000523",
    "category": "complaint",
    "petitioner": "周明华",
    "gender": "male",
    "reported_on": "2024-06-11",
    "issue": "楼道堆放杂物",
    "address": "潍坊七村38号402室",
    "department": "城管中队",
}
GOOD_CONTACT = (
    "A: 您好，请问您是周明华先生吗？",
    "C: 对，是我，什么事？",
    "A: 我是潍坊新村街道城管中队的热线工作人员，想跟您做一个先行联系。"
    "您是否在6月11号反映了楼道堆放杂物的问题，地址是潍坊七村38号402室，对吗？",
    "C: 对的。",
    "A: 好的，我们会到现场查看，处理完给您回电反馈，请您保持手机畅通。谢谢，再见。",
    "C: 再见。",
)
GOOD_REPLY = (
    "A: 周先生您好，我是潍坊新村街道城管中队的热线工作人员，"
    "您6月11号反映的楼道堆放杂物的问题，现在把结果回复给您。",
    "C: 你说。",
    "A: 我们13号上午到现场看了，您反映的情况确实存在，三楼的旧家具当场清走了一车。",
    "C: 好的。",
    "A: 您对处理结果、服务态度和效率满意吗？还有什么建议吗？",
    "C: 满意的，没有建议。",
    "A: 好的，感谢您的来电，再见。",
    "C: 再见。",
)


def call(kind: str, lines: Sequence[str], **facts: Any) -> dict[str, Any]:
    """A call of an order file; lines are “A: …” (handler) or “C: …” (citizen)."""
    roles = {"A": "agent", "C": "citizen"}
    turns = [{"role": roles[line[0]], "text": line[3:]} for line in lines]
    return {"kind": kind, "turns": turns, "answered_by": "petitioner", "ended_by": "both", **facts}


def first_contact(*lines: str, **facts: Any) -> dict[str, Any]:
    return call("first_contact", lines or GOOD_CONTACT, **facts)


def reply(*lines: str, **facts: Any) -> dict[str, Any]:
    return call("reply", lines or GOOD_REPLY, **facts)


@lru_cache(maxsize=1)
def judges() -> tuple[Any, Any]:
    return load_catalogue(), load_classifier()


def judge(
    *calls: dict[str, Any],
    order: dict[str, Any] | None = None,
    profile: str = "weifang",
    now: datetime = NOW,
    **filing: Any,
) -> OrderInspection:
    """The verdict on an order with these calls and these fields filed."""
    file = OrderFile.model_validate(
        {"order": {**ORDER, **(order or {})}, "filing": filing, "calls": list(calls)}
    )
    inspections = inspect_order_calls(file, *judges()) if calls else ()
    return inspect_order(file, inspections, profile=profile, now=now)


def findings(verdict: OrderInspection, rule: str) -> list[OrderFinding]:
    return [finding for finding in verdict.findings if finding.id == rule]


def ids(verdict: OrderInspection, prefix: str = "") -> set[str]:
    return {finding.id for finding in verdict.findings if finding.id.startswith(prefix)}
