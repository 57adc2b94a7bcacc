"""Daily, weekly and monthly reports (日报, 周报, 月报): figures of a period beside the last one.

Daily to the head of the street: 浦东新区潍坊新村街道 2024 三、（二）4; weekly and monthly with
ranking: 塘桥街道 2023 四、（二）6; the last three: 松江区佘山镇 2025 （七）通报约谈.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from qc.documents import period, points, rate
from qc.figures.overview import (
    MEASURE_TITLES,
    Every,
    Measure,
    Overview,
    behaviours,
    dissatisfied_by_cause,
    dissatisfied_orders,
    element_rates,
    last_three,
    months_among_last,
    overview,
    ranking,
    repeated_defects,
    standings,
    to_rows,
    trend,
)
from qc.figures.tables import Tables, narrow

TITLES: dict[Every, str] = {"day": "日报", "week": "周报", "month": "月报"}
LAST_TITLES: dict[Every, str] = {"day": "前一日", "week": "上周", "month": "上月"}
TREND: dict[Every, int] = {"day": 14, "week": 12, "month": 12}  # periods shown, this one included
WEAKEST = 8  # script elements listed
INTERVIEW = 3  # months running among the last three: the head of the town talks to them

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class PeriodicReport:
    """A report on a period. Tables are rows of `qc.figures.overview`, rules by their titles."""

    every: Every
    since: date
    until: date
    figures: Overview
    before: Overview  # the period before
    summary: tuple[str, ...]  # sentences
    standings: Rows  # departments with all measures, the highest 满意率 first
    rankings: Mapping[str, Rows]  # by measure
    last: Rows  # 末三位 by 满意率, with `months` running
    trend: Rows
    elements: Rows  # the least met
    behaviours: Rows
    behaviours_by_department: Rows
    defects: Rows  # repeated, by handler
    causes: Rows
    attitude_orders: Rows  # dissatisfied because of the attitude

    @property
    def title(self) -> str:
        return TITLES[self.every]

    @property
    def period(self) -> str:
        return period(self.since, self.until)


def bounds(every: Every, day: date) -> tuple[date, date]:
    """First and last day of the day, week (from Monday) or month that holds a day."""
    if every == "day":
        return day, day
    if every == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    month = pd.Period(day, "M")
    return month.start_time.date(), month.end_time.date()


def report_on(
    tables: Tables, every: Every, day: date, titles: Mapping[str, str], *, at_least: int = 1
) -> PeriodicReport:
    """The report on the day, week or month that holds `day`.

    Args:
        tables: all that is known, earlier periods too.
        titles: of rules, by id (`qc.figures.rule_titles`).
        at_least: orders or calls from which a department is ranked.
    """
    since, until = bounds(every, day)
    last_since, last_until = bounds(every, since - timedelta(days=1))
    now = narrow(tables, since=since, until=until)
    before = overview(narrow(tables, since=last_since, until=last_until))
    causes, view = dissatisfied_by_cause(now), overview(now)
    orders = dissatisfied_orders(now)
    last = last_three(now, at_least=at_least)
    running = months_among_last(tables, until, at_least=at_least) if every == "month" else {}
    last["months"] = last["department"].map(running)
    order = ["satisfied_rate", "script_score"]
    return PeriodicReport(
        every=every,
        since=since,
        until=until,
        figures=view,
        before=before,
        summary=_summary(every, view, before, last),
        standings=_rows(standings(now).sort_values(order, ascending=False, kind="stable")),
        rankings={m: _rows(ranking(now, m, at_least=at_least)) for m in MEASURE_TITLES},
        last=_rows(last),
        trend=_rows(_trend(tables, every, until)),
        elements=_rows(_titled(element_rates(now).head(WEAKEST), titles)),
        behaviours=_rows(_titled(behaviours(now), titles)),
        behaviours_by_department=_rows(_titled(behaviours(now, "department"), titles)),
        defects=_rows(_titled(repeated_defects(now), titles)),
        causes=_rows(causes),
        attitude_orders=_rows(orders[orders["cause"] == "attitude"].sort_values("on")),
    )


def _rows(table: pd.DataFrame) -> Rows:
    return tuple(to_rows(table))


def _titled(table: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    return table.assign(title=[titles.get(str(rule), str(rule)) for rule in table["rule"]])


def _trend(tables: Tables, every: Every, until: date) -> pd.DataFrame:
    """The last periods up to and with this one."""
    first = until
    for _ in range(TREND[every]):
        first = bounds(every, first)[0] - timedelta(days=1)
    return trend(narrow(tables, since=first + timedelta(days=1), until=until), every)


def _summary(every: Every, view: Overview, before: Overview, last: pd.DataFrame) -> tuple[str, ...]:
    """What a reader in a hurry should know."""
    than = LAST_TITLES[every]
    said = [f"共 {view.orders} 件工单，检查通话 {view.calls} 通（{than} {before.calls} 通）。"]
    rates = [
        ("先行联系率", view.contacted_rate, before.contacted_rate),
        ("按期完成率", view.on_time_rate, before.on_time_rate),
        ("满意率", view.satisfied_rate, before.satisfied_rate),
        ("话术要素做到率", view.met_rate, before.met_rate),
    ]
    known = [f"{name} {rate(a)}{_change(a, b, than)}" for name, a, b in rates if a is not None]
    if known:
        said.append("，".join(known) + "。")
    said.append(
        f"话术得分 {points(view.script_score)}，态度得分 {points(view.attitude_score)}；"
        f"{view.conduct_calls} 通有禁止行为，{view.serious} 通态度有严重问题。"
    )
    if view.dissatisfied:
        said.append(f"不满意 {view.dissatisfied} 件，其中因服务态度 {view.attitude_caused} 件。")
    if len(last):
        said.append(f"满意率末三位：{'、'.join(last['department'])}。")
    long = [str(row.department) for row in last.itertuples() if row.months >= INTERVIEW]
    if long:
        said.append(f"{'、'.join(long)}连续 {INTERVIEW} 个月以上在末三位，应由主要领导约谈。")
    return tuple(said)


def _change(now: float | None, before: float | None, than: str) -> str:
    if now is None or before is None:
        return ""
    change = round(100 * (now - before), 1)
    if not change:
        return f"（与{than}持平）"
    return f"（比{than}{'上升' if change > 0 else '下降'} {abs(change):g} 个百分点）"


def shown(measure: Measure, value: float | None) -> str:
    """A measure's value for people."""
    return points(value) if measure in ("script_score", "problems_per_call") else rate(value)
