"""Figures and orders of a digest."""

from datetime import date, datetime

import pytest

from qc.figures.calls import CallFigures
from qc.figures.tables import tabulate
from qc.filed import LOCAL, Filing
from qc.notices.digest_figures import digest_figures, orders_to_look_after, span_of
from qc.notices.digests import OrderList, digest
from qc.notices.order_notices import OrderRecord
from qc.notices.rules import Period, load_notice_rules
from qc.order import CallKind, Order

DAY = date(2024, 6, 12)  # a Wednesday


@pytest.mark.parametrize(
    ("period", "day", "since", "until"),
    [
        (Period.DAY, DAY, DAY, DAY),
        (Period.WEEK, DAY, date(2024, 6, 10), date(2024, 6, 16)),
        (Period.WEEK, date(2024, 6, 16), date(2024, 6, 10), date(2024, 6, 16)),
        (Period.MONTH, date(2024, 2, 29), date(2024, 2, 1), date(2024, 2, 29)),
        (Period.MONTH, date(2024, 12, 1), date(2024, 12, 1), date(2024, 12, 31)),
    ],
)
def test_a_period_has_its_first_and_last_day(
    period: Period, day: date, since: date, until: date
) -> None:
    assert span_of(period, day) == (since, until)


def figures_of(number: int, department: str, satisfied: bool, on: date = DAY) -> CallFigures:
    return CallFigures(
        call_id=f"c{number}",
        order_id=f"o{number}",
        on=on,
        department=department,
        kind=CallKind.REPLY,
        satisfaction="satisfied" if satisfied else "dissatisfied",
        attitude_score=90,
        attitude_level="good",
        score=80,
        contacted=satisfied,
        on_time=True,
    )


def test_a_digest_holds_the_figures_of_its_period_only() -> None:
    tables = tabulate(
        [
            figures_of(1, "城管中队", True),
            figures_of(2, "房管所", False),
            figures_of(3, "房管所", True),
            figures_of(4, "市容所", False, on=date(2024, 6, 3)),  # the week before
        ]
    )
    shown = digest_figures(tables, Period.WEEK, DAY)
    values = dict(shown.figures)
    assert (values["工单"], values["录音"], values["先行联系率"]) == ("3 件", "3 通", "66.7%")
    assert values["话术得分"] == "80.0"
    assert shown.ranking == (("城管中队", "100.0%"), ("房管所", "50.0%"))
    assert shown.last_three == ("房管所",)
    assert "房管所 50.0%" in digest(shown, load_notice_rules("tangqiao")).text


def test_a_period_without_calls_has_a_digest_too() -> None:
    tables = tabulate([figures_of(1, "城管中队", True)])
    shown = digest_figures(tables, Period.DAY, date(2024, 1, 1))
    assert dict(shown.figures)["满意率"] == "—"
    assert digest(shown, load_notice_rules("weifang")).text


def record(order_id: str, resolved: bool | None = None, **filed: object) -> OrderRecord:
    filing = Filing.model_validate({"received_at": "2024-06-11 09:00"} | filed)
    return OrderRecord(Order(order_id=order_id, resolved=resolved), filing)


def test_orders_to_look_after_are_listed_by_what_is_wrong() -> None:
    done = {
        "accepted_at": "2024-06-11 10:00",
        "first_contact_at": "2024-06-11 10:30",
        "replied_at": "2024-06-12 10:00",
        "closed_at": "2024-06-12 11:00",
    }
    visit = {"at": "2024-06-13 10:00", "satisfaction": "dissatisfied"}
    records = [
        record("fine", resolved=True, **done),
        record("late"),
        record("unsolved", resolved=False, **done),
        record("angry", return_visits=[visit], **done),
        record("returned", returned_at="2024-06-11 12:00"),
    ]
    now = datetime(2024, 6, 14, 9, tzinfo=LOCAL)
    assert orders_to_look_after(records, load_notice_rules("weifang"), now) == (
        OrderList("先行联系超期", ("late",)),
        OrderList("接单超期", ("late",)),
        OrderList("未办结", ("late",)),
        OrderList("未解决", ("unsolved",)),
        OrderList("回访不满意", ("angry",)),
    )
