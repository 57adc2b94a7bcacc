"""Dashboards: how elements are met, who does what, and where dissatisfaction comes from.

Every number is computed in `qc.figures`; every chart leads to the calls behind it.
"""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.pages.guard import ReportsReader
from api.pages.orders import Day, Text, day_of
from api.pages.rendering import PageRoute, page, with_query
from api.routes.reports import TheFigures
from qc.figures.overview import (
    attitudes,
    behaviours_by_week,
    dissatisfied_by_cause,
    element_rates,
    overview,
    standings,
    trend,
)
from qc.figures.rule_titles import rule_titles
from qc.figures.tables import Tables, narrow
from qc.order import CallKind

router = APIRouter(prefix="/dashboards", route_class=PageRoute, include_in_schema=False)

WEEKS = 26  # shown in the chart of behaviours


@router.get("")
def show(
    request: Request,
    actor: ReportsReader,
    kept: TheFigures,
    department: Text = "",
    kind: Text = "",
    since: Day = "",
    until: Day = "",
    every: Annotated[str, Query(pattern="^(week|month)$")] = "week",
) -> Response:
    whole = kept.tables()
    mine = narrow(whole, department=actor.department) if actor.department else whole
    tables = narrow(
        mine,
        since=day_of(since),
        until=day_of(until),
        department=department or None,
        kind=CallKind(kind) if kind in set(CallKind) else None,
    )
    filters = {"department": department, "kind": kind, "since": since, "until": until}
    ranked = _ranked(tables)
    return page(
        request, actor, "dashboards.html.jinja", filters=filters, seen=overview(tables),
        charts=_charts(tables, filters), ranked=ranked,
        departments=sorted(name for name in standings(mine)["department"] if name),
    )  # fmt: skip


def _ranked(tables: Tables) -> list[dict[str, Any]]:
    table = standings(tables).sort_values("script_score", ascending=False, na_position="last")
    return [
        {key: None if value != value else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def _charts(tables: Tables, filters: dict[str, str]) -> dict[str, Any]:
    """What ECharts draws; each value with the list of calls that it leads to."""
    return {
        "elements": _elements(tables, filters),
        "behaviours": _behaviours(tables, filters),
        "attitudes": _attitudes(tables, filters),
        "causes": _causes(tables, filters),
        "trend": _trend(tables, filters),
    }


def _to_calls(filters: dict[str, str], **more: object) -> str:
    return with_query("/calls", **{**filters, **more})


def _elements(tables: Tables, filters: dict[str, str]) -> list[dict[str, Any]]:
    titles = rule_titles()
    return [
        {
            "title": titles.get(row["rule"], row["rule"]),
            "rate": round(row["met_rate"] * 100, 1),
            "partial": round(row["partial"] / row["applicable"] * 100, 1),
            "missing": round(row["missing"] / row["applicable"] * 100, 1),
            "of": int(row["applicable"]),
            "link": _to_calls(filters, rule=row["rule"]),
        }
        for row in element_rates(tables).to_dict("records")
    ]


def _behaviours(tables: Tables, filters: dict[str, str]) -> dict[str, Any]:
    """Calls with each behaviour: by department and week, and by rule."""
    titles = rule_titles()
    found = behaviours_by_week(tables)
    weeks = sorted(found["week"].unique())[-WEEKS:]
    recent = found[found["week"].isin(weeks)]
    cells = recent.groupby(["department", "week"], observed=True)["calls"].sum().reset_index()
    departments = sorted(cells["department"].unique())
    rules = found.groupby("rule", observed=True)["calls"].sum().sort_values(ascending=False)
    return {
        "weeks": [f"{week:%Y-%m-%d}" for week in weeks],
        "departments": departments,
        "cells": [
            {
                "week": weeks.index(row["week"]),
                "department": departments.index(row["department"]),
                "calls": int(row["calls"]),
                "link": _to_calls(
                    filters,
                    department=row["department"],
                    **_week(row["week"].date()),
                ),
            }
            for row in cells.to_dict("records")
        ],
        "rules": [
            {
                "title": titles.get(str(rule), str(rule)),
                "calls": int(calls),
                "link": _to_calls(filters, rule=rule),
            }
            for rule, calls in rules.items()
            if calls
        ],
    }


def _week(monday: date) -> dict[str, str]:
    return {"since": monday.isoformat(), "until": (monday + timedelta(days=6)).isoformat()}


def _attitudes(tables: Tables, filters: dict[str, str]) -> list[dict[str, Any]]:
    found = attitudes(tables)
    row = found.iloc[0] if len(found) else {"good": 0, "minor": 0, "serious": 0}
    return [
        {"level": level, "calls": int(row[level]), "link": _to_calls(filters, attitude=level)}
        for level in ("good", "minor", "serious")
    ]


def _causes(tables: Tables, filters: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "title": row["title"],
            "orders": int(row["orders"]),
            "link": _to_calls(filters, cause=row["cause"], satisfaction="dissatisfied"),
        }
        for row in dissatisfied_by_cause(tables).to_dict("records")
    ]


def _trend(tables: Tables, filters: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "on": f"{row['on']:%Y-%m-%d}",
            "calls": int(row["calls"]),
            "score": _rounded(row["script_score"]),
            "met": _rounded(row["met_rate"] * 100),
            "satisfied": _rounded(row["satisfied_rate"] * 100),
            "link": _to_calls(filters, **_week(row["on"].date())),
        }
        for row in trend(tables, "week").to_dict("records")[-WEEKS:]
    ]


def _rounded(value: float) -> float | None:
    return None if value != value else round(float(value), 1)
