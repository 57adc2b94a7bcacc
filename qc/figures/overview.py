"""The one place that computes figures: dashboards, reports and digests all read from here.

What a figure means:
- *met rate* of an element: calls that met it, of those to which it applies;
- 先行联系率, 按期完成率: orders contacted or closed in time, of those of which it is known;
- 满意率: orders with 满意 or 基本满意, of those with any word on it. A return visit goes before
  the reply call;
- 话术得分: mean total score of the calls; 问题: a missing element, or a behaviour, of a call.

The first three are the indicators by which streets are measured (浦东新区潍坊新村街道 2024, 一;
塘桥街道 2023, 一; weekly and monthly ranking: 塘桥街道 2023, 四、（二）6).
"""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from qc.figures.tables import Tables, narrow
from qc.inspection import CAUSE_TITLES

Group = Literal["department", "handler"]
Every = Literal["day", "week", "month"]
Measure = Literal[
    "contacted_rate", "on_time_rate", "satisfied_rate", "script_score", "problems_per_call"
]
MEASURE_TITLES: dict[Measure, str] = {
    "contacted_rate": "先行联系率",
    "on_time_rate": "按期完成率",
    "satisfied_rate": "满意率",
    "script_score": "话术得分",
    "problems_per_call": "通均问题数",
}
BEST: dict[Measure, float] = {
    "contacted_rate": 1.0,
    "on_time_rate": 1.0,
    "satisfied_rate": 1.0,
    "script_score": 100.0,
    "problems_per_call": 0.0,
}
BASES: dict[Measure, str] = {  # the column that counts what a measure is taken over
    "contacted_rate": "contact_known",
    "on_time_rate": "time_known",
    "satisfied_rate": "said",
    "script_score": "calls",
    "problems_per_call": "calls",
}
LAST = 3  # 末三位 (松江区佘山镇 2025 （七）通报约谈)
REPEATED = 3  # calls of one handler with the same defect
LISTED_CAUSES = CAUSE_TITLES | {"": "未注明"}

_PERIODS: dict[Every, str] = {"day": "D", "week": "W-SUN", "month": "M"}  # weeks begin on Monday


def _share(part: pd.Series | float, whole: pd.Series | float) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(part, whole)


@dataclass(frozen=True)
class Overview:
    """The figures at the top of a page. Rates are 0..1, None where nothing is known."""

    orders: int
    calls: int
    contacted_rate: float | None
    on_time_rate: float | None
    satisfied_rate: float | None
    script_score: float | None
    attitude_score: float | None
    met_rate: float | None
    problems: int
    problem_calls: int
    conduct_calls: int  # with a prohibited behaviour
    serious: int  # calls whose attitude is a serious problem
    dissatisfied: int  # orders
    attitude_caused: int  # of these


def overview(tables: Tables) -> Overview:
    """Everything on one line."""
    heard, orders, found = tables.heard, tables.orders, tables.findings
    dissatisfied = dissatisfied_orders(tables)
    said = orders["said"].notna()
    rates = {
        "contacted_rate": orders["contacted"].mean(),
        "on_time_rate": orders["on_time"].mean(),
        "satisfied_rate": orders.loc[said, "satisfied"].mean(),
        "script_score": heard["score"].mean(),
        "attitude_score": heard["attitude_score"].mean(),
        "met_rate": _met_rate(found),
    }
    return Overview(
        orders=len(orders),
        calls=len(heard),
        **{name: None if pd.isna(rate) else float(rate) for name, rate in rates.items()},
        problems=len(tables.problems),
        problem_calls=int(tables.problems["call"].nunique()),
        conduct_calls=int(found.loc[found["family"] == "behaviour", "call"].nunique()),
        serious=int((heard["attitude_level"] == "serious").sum()),
        dissatisfied=len(dissatisfied),
        attitude_caused=int((dissatisfied["cause"] == "attitude").sum()),
    )


def _met_rate(findings: pd.DataFrame) -> float:
    statuses = findings.loc[findings["family"] == "element", "status"]
    counts = statuses.value_counts()
    applicable = counts.sum() - counts.get("not_applicable", 0)
    return float(counts.get("met", 0) / applicable) if applicable else float("nan")


def element_rates(tables: Tables, by: Group | None = None) -> pd.DataFrame:
    """Columns [by,] rule, met, partial, missing, applicable, met_rate; the least met first."""
    found = tables.findings[tables.findings["family"] == "element"]
    keys = ["rule"]
    if by is not None:
        found, keys = found.join(tables.calls[by], on="call"), [by, "rule"]
    counts = found.groupby([*keys, "status"], observed=True).size().unstack(fill_value=0)
    counts = counts.reindex(columns=["met", "partial", "missing"], fill_value=0)
    counts["applicable"] = counts.sum(axis=1)
    counts = counts[counts["applicable"] > 0]
    counts["met_rate"] = counts["met"] / counts["applicable"]
    order = [*keys[:-1], "met_rate"]
    return counts.reset_index().sort_values(order, kind="stable", ignore_index=True)


def behaviours_by_week(tables: Tables) -> pd.DataFrame:
    """Columns department, week (its Monday), rule, calls, times."""
    return _behaviours(tables, "week")


def _behaviours(tables: Tables, every: Every) -> pd.DataFrame:
    shown = tables.problems[tables.problems["family"] == "behaviour"].dropna(subset="on")
    shown = shown.assign(**{every: _period(shown["on"], every)})
    grouped = shown.groupby(["department", every, "rule"], observed=True)
    return grouped.agg(calls=("call", "size"), times=("times", "sum")).reset_index()


def behaviours(tables: Tables, by: Group | None = None) -> pd.DataFrame:
    """Columns [by,] rule, calls, times; the commonest first."""
    shown = tables.problems[tables.problems["family"] == "behaviour"]
    keys = ["rule"] if by is None else [by, "rule"]
    counted = shown.groupby(keys, observed=True).agg(calls=("call", "size"), times=("times", "sum"))
    return counted.reset_index().sort_values("calls", ascending=False, ignore_index=True)


def attitudes(tables: Tables, by: Group | None = None) -> pd.DataFrame:
    """Columns [by,] good, minor, serious (calls), calls, mean (score)."""
    levels = ["good", "minor", "serious"]
    heard = tables.heard.assign(all="")
    grouped = heard.groupby(by or "all", observed=True)
    table = grouped["attitude_level"].value_counts().unstack(fill_value=0)
    table = table.astype("int64").reindex(columns=levels, fill_value=0)
    table["calls"] = table.sum(axis=1)
    table["mean"] = grouped["attitude_score"].mean()
    return table.reset_index(drop=by is None).rename_axis(columns=None)


def dissatisfied_orders(tables: Tables) -> pd.DataFrame:
    """Dissatisfied orders (不满意件): order_id, on, department, handler, cause, inferred.

    A cause that nobody filed is the one heard in a call (`inferred`); "" where none was.
    """
    orders = tables.orders
    bad = orders[orders["said"] == "dissatisfied"]
    inferred = bad["cause"].isna() & bad["heard_cause"].notna()
    cause = bad["cause"].fillna(bad["heard_cause"]).fillna("")
    table = bad.assign(cause=cause, inferred=inferred)
    table = table[["on", "department", "handler", "cause", "inferred"]]
    return table.rename_axis("order_id").reset_index()


def dissatisfied_by_cause(tables: Tables) -> pd.DataFrame:
    """Columns cause, title, orders, share; every cause is listed."""
    counts = dissatisfied_orders(tables)["cause"].value_counts()
    rows = [(key, title, int(counts.get(key, 0))) for key, title in LISTED_CAUSES.items()]
    table = pd.DataFrame(rows, columns=["cause", "title", "orders"])
    return table.assign(share=_share(table["orders"], float(table["orders"].sum())))


def standings(tables: Tables, by: Group = "department") -> pd.DataFrame:
    """All measures of each department or handler, one row each; who is not named is left out.

    Columns: department, [handler,] orders, calls, the measures, what they are taken over (`BASES`),
    problems, attitude_score, dissatisfied, attitude_caused.
    """
    orders, heard, keys = tables.orders, tables.heard, _keys(by)
    of_orders = orders.groupby(keys, observed=True)
    of_calls = heard.groupby(keys, observed=True)
    said = orders[orders["said"].notna()].groupby(keys, observed=True)
    bad = dissatisfied_orders(tables).groupby(keys, observed=True)["cause"]
    table = pd.DataFrame(
        {
            "orders": of_orders.size(),
            "calls": of_calls.size(),
            "contact_known": of_orders["contacted"].count(),
            "contacted_rate": of_orders["contacted"].mean(),
            "time_known": of_orders["on_time"].count(),
            "on_time_rate": of_orders["on_time"].mean(),
            "said": said.size(),
            "satisfied_rate": said["satisfied"].mean(),
            "script_score": of_calls["score"].mean(),
            "attitude_score": of_calls["attitude_score"].mean(),
            "problems": tables.problems.groupby(keys, observed=True).size(),
            "dissatisfied": bad.size(),
            "attitude_caused": bad.agg(lambda causes: int((causes == "attitude").sum())),
        }
    )
    counted = ["orders", "calls", "said", "problems", "dissatisfied", "attitude_caused"]
    counted += ["contact_known", "time_known"]
    table[counted] = table[counted].fillna(0).astype("int64")
    table["problems_per_call"] = _share(table["problems"], table["calls"].replace(0, np.nan))
    table = table.reset_index().astype(dict.fromkeys(keys, "str"))
    return table[table[by] != ""].reset_index(drop=True)


def _keys(by: Group) -> list[str]:
    """Two departments may have handlers of one name."""
    return ["department"] if by == "department" else ["department", "handler"]


def ranking(
    tables: Tables, measure: Measure, by: Group = "department", *, at_least: int = 1
) -> pd.DataFrame:
    """The standings by one measure, the best first, with `rank`; equals share a rank.

    Args:
        at_least: orders or calls that the measure must be taken over; with fewer, no rank.
    """
    table = standings(tables, by)
    table = table[table[measure].notna() & (table[BASES[measure]] >= at_least)]
    rank = table[measure].rank(method="min", ascending=BEST[measure] == 0.0).astype("int64")
    return table.assign(rank=rank).sort_values(["rank", *_keys(by)], ignore_index=True)


def last_three(
    tables: Tables, measure: Measure = "satisfied_rate", by: Group = "department", at_least: int = 1
) -> pd.DataFrame:
    """末三位: the three ranked last and who equals the third, the worst first.

    Whoever has the best possible value is never among them (松江区佘山镇 2025 （七）通报约谈).
    """
    ranked = ranking(tables, measure, by, at_least=at_least)
    from_below = ranked["rank"].rank(method="min", ascending=False)
    last = ranked[(from_below <= LAST) & (ranked[measure] != BEST[measure])]
    return last.iloc[::-1].reset_index(drop=True)


def months_among_last(
    tables: Tables, until: date, measure: Measure = "satisfied_rate", at_least: int = 1
) -> dict[str, int]:
    """Each department among the last three of the month of `until`: for how many months running.

    Three are for the head of the town to talk about (松江区佘山镇 2025 （七）通报约谈).
    """
    month = pd.Period(until, "M")
    running: dict[str, int] = {}
    candidates: set[str] | None = None
    while candidates is None or candidates:
        of_month = narrow(tables, since=month.start_time.date(), until=month.end_time.date())
        last = set(last_three(of_month, measure, at_least=at_least)["department"])
        candidates = last if candidates is None else candidates & last
        for department in candidates:
            running[department] = running.get(department, 0) + 1
        month -= 1
    return running


def repeated_defects(
    tables: Tables, by: Group = "handler", at_least: int = REPEATED
) -> pd.DataFrame:
    """Same problem, same person: [department,] by, rule, family, calls, first, last day.

    A defect counts as repeated from `at_least` calls; the most frequent first.
    """
    keys = _keys(by)
    table = tables.problems.astype(dict.fromkeys(keys, "str"))
    grouped = table[table[by] != ""].groupby([*keys, "family", "rule"], observed=True)
    counted = grouped.agg(calls=("call", "nunique"), first=("on", "min"), last=("on", "max"))
    repeated = counted[counted["calls"] >= at_least].reset_index()
    return repeated.sort_values("calls", ascending=False, kind="stable", ignore_index=True)


def trend(tables: Tables, every: Every) -> pd.DataFrame:
    """By period (its first day), gaps filled: calls, scores, rates, problems.

    Columns: on, orders, calls, script_score, attitude_score, met_rate, conduct_rate (share of calls
    with a prohibited behaviour), satisfied_rate, dissatisfied, problems.
    """
    heard, orders = tables.heard.dropna(subset="on"), tables.orders.dropna(subset="on")
    period = _period(heard["on"], every)
    found = tables.findings[tables.findings["call"].isin(heard.index)]
    when = period.reindex(found["call"]).set_axis(found.index)
    elements = found["family"] == "element"
    applies = elements & (found["status"] != "not_applicable")
    conduct = found[found["family"] == "behaviour"].groupby(when)["call"].nunique()
    problems = tables.problems
    of_orders = orders.groupby(_period(orders["on"], every))
    said = orders[orders["said"].notna()]
    table = pd.DataFrame(
        {
            "orders": of_orders.size(),
            "calls": heard.groupby(period).size(),
            "script_score": heard.groupby(period)["score"].mean(),
            "attitude_score": heard.groupby(period)["attitude_score"].mean(),
            "met_rate": (found["status"] == "met")[applies].groupby(when[applies]).mean(),
            "conduct": conduct,
            "satisfied_rate": said.groupby(_period(said["on"], every))["satisfied"].mean(),
            "dissatisfied": (orders["said"] == "dissatisfied")
            .groupby(_period(orders["on"], every))
            .sum(),
            "problems": problems.groupby(_period(problems["on"], every)).size(),
        }
    )
    return _without_gaps(table, every)


def _without_gaps(table: pd.DataFrame, every: Every) -> pd.DataFrame:
    if len(table):
        periods = pd.period_range(
            pd.Period(table.index.min(), _PERIODS[every]),
            pd.Period(table.index.max(), _PERIODS[every]),
        )
        table = table.reindex(periods.start_time)
    counted = ["orders", "calls", "conduct", "dissatisfied", "problems"]
    table[counted] = table[counted].fillna(0).astype("int64")
    table["conduct_rate"] = _share(table.pop("conduct"), table["calls"].replace(0, np.nan))
    return table.rename_axis("on").reset_index()


def _period(on: pd.Series, every: Every) -> pd.Series:
    """The first day of the period of each day."""
    if every == "day":
        return on.dt.normalize()
    if every == "week":
        return (on - pd.to_timedelta(on.dt.day_of_week, unit="D")).dt.normalize()
    return on.dt.to_period("M").dt.start_time


def to_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table for JSON: days as ISO texts, what is not known as None."""
    plain = table.copy()
    for name, column in plain.items():
        if pd.api.types.is_datetime64_any_dtype(column):
            plain[name] = column.dt.strftime("%Y-%m-%d")
        elif isinstance(column.dtype, pd.CategoricalDtype):
            plain[name] = column.astype("object")
    plain = plain.astype("object")
    return plain.where(plain.notna(), None).to_dict("records")


def overview_row(view: Overview) -> dict[str, Any]:
    """An overview for JSON."""
    return asdict(view)
