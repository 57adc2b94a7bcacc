"""What a digest shows: the figures of the period, and the orders to look after."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from qc.deadlines.timeliness import DueState, pressing
from qc.deadlines.timing import Step
from qc.figures.overview import MEASURE_TITLES, Measure, last_three, overview, ranking
from qc.figures.tables import Tables, narrow
from qc.notices.digests import DigestFigures, OrderList
from qc.notices.order_notices import OrderRecord
from qc.notices.rules import NoticeRules, Period

RANKED_BY: Measure = "satisfied_rate"  # 市民满意度排名 (松江区佘山镇 2025 二、（七）)
LISTS = (  # what the documents ask daily and monthly reports to name
    "先行联系超期",
    "接单超期",
    "未办结",
    "未解决",
    "回访不满意",
)
_OVERDUE = {Step.FIRST_CONTACT: "先行联系超期", Step.ACCEPT: "接单超期"}


def span_of(period: Period, day: date) -> tuple[date, date]:
    """First and last day of the day, week (from Monday) or month that holds `day`."""
    if period is Period.DAY:
        return day, day
    if period is Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def digest_figures(
    tables: Tables, period: Period, day: date, orders: tuple[OrderList, ...] = ()
) -> DigestFigures:
    """The figures of the period that holds `day`, with the ranking of departments."""
    since, until = span_of(period, day)
    part = narrow(tables, since=since, until=until)
    view, ranked = overview(part), ranking(part, RANKED_BY)
    return DigestFigures(
        period=period,
        since=since,
        until=until,
        figures=(
            ("工单", f"{view.orders} 件"),
            ("录音", f"{view.calls} 通"),
            ("先行联系率", share(view.contacted_rate)),
            ("按期完成率", share(view.on_time_rate)),
            ("满意率", share(view.satisfied_rate)),
            ("话术得分", "—" if view.script_score is None else f"{view.script_score:.1f}"),
            ("有禁止行为的录音", f"{view.conduct_calls} 通"),
            ("不满意件", f"{view.dissatisfied} 件，其中因态度 {view.attitude_caused} 件"),
        ),
        ranked_by=MEASURE_TITLES[RANKED_BY],
        ranking=tuple(
            (str(name), share(float(value)))
            for name, value in zip(ranked["department"], ranked[RANKED_BY], strict=True)
        ),
        last_three=tuple(map(str, last_three(part, RANKED_BY)["department"])),
        orders=orders,
    )


def share(rate: float | None) -> str:
    """A rate of 0..1 as it is shown: 98.5%; — where nothing is known."""
    return "—" if rate is None else f"{rate:.1%}"


def orders_to_look_after(
    records: Iterable[OrderRecord], rules: NoticeRules, now: datetime
) -> tuple[OrderList, ...]:
    """Orders by what is wrong with them at `now`; kinds without any are left out.

    接单、先行联系、按时办结: 潍坊新村街道 2024 三、（二）4; 未办结和未解决: 宜川路街道 2023
    三、（二）; 回访: 佘山镇 2025 二、（五）.
    """
    lists: dict[str, list[str]] = {title: [] for title in LISTS}
    for record in records:
        for title in _troubles(record, rules, now):
            lists[title].append(record.order.order_id)
    return tuple(OrderList(title, tuple(ids)) for title, ids in lists.items() if ids)


def _troubles(record: OrderRecord, rules: NoticeRules, now: datetime) -> Iterator[str]:
    filing = record.filing
    for due, state in pressing(record.order, filing, rules.timing, now):
        if state is DueState.OVERDUE and due.step in _OVERDUE:
            yield _OVERDUE[due.step]
    if filing.closed_at is None and filing.returned_at is None:
        yield "未办结"
    elif record.order.resolved is False:
        yield "未解决"
    visits = sorted(filing.return_visits, key=lambda visit: visit.at)
    if visits and visits[-1].satisfaction == "dissatisfied":
        yield "回访不满意"
