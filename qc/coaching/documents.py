"""Coaching reports as HTML, PDF and DOCX."""

from collections.abc import Callable, Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from qc import documents
from qc.charts import Chart, compared_bars, lines
from qc.coaching.report import CoachingReport
from qc.documents import Format, docx, html, pdf, points, rate, save
from qc.figures.overview import Overview

FORMATS: tuple[Format, ...] = ("html", "docx", "pdf")


def coaching_charts(report: CoachingReport) -> dict[str, Chart]:
    """How often each element is met, and the course by week where there are two or more."""
    shares = report.elements
    charts = {
        "elements": compared_bars(
            "要素做到率",
            [share.title for share in shares],
            [share.met_rate for share in shares],
            [share.others for share in shares],
            report.subject.title,
            "其他人",
        )
    }
    if len(report.weeks) > 1:
        charts["weeks"] = lines(
            "逐周得分",
            [f"{date.fromisoformat(week['on']):%-m月%-d日}" for week in report.weeks],
            [
                ("话术得分", [week["script_score"] for week in report.weeks]),
                ("态度得分", [week["attitude_score"] for week in report.weeks]),
            ],
        )
    return charts


def write_coaching(
    report: CoachingReport,
    folder: Path,
    *,
    made_on: date,
    formats: Collection[Format] = FORMATS,
    links: str = "",
    clips: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the report in each format; return the files.

    Args:
        links: prefix of the pages of calls, as seen from `folder`; "" for no links.
        clips: sound of moments by `Moment.key`, as seen from `folder`.
    """
    charts = coaching_charts(report)
    context: dict[str, Any] = {
        "report": report,
        "period": documents.period(report.since, report.until),
        "made_on": made_on,
    }
    page = {**context, "charts": charts, "links": links, "clips": clips or {}}
    stem = folder / f"辅导报告-{_safe(report.subject.title)}"
    written = []
    for wanted in formats:
        if wanted == "html":
            content: str | bytes = html("coaching.html.jinja", page)
        elif wanted == "pdf":
            content = pdf(html("coaching.html.jinja", page | {"links": "", "clips": {}}))
        else:
            filled = {**context, "headline": _headline(report), **_without(charts)}
            content = docx("coaching.docx", filled, charts)
        written.append(save(content, stem.with_name(f"{stem.name}.{wanted}")))
    return written


def _headline(report: CoachingReport) -> list[tuple[str, str, str]]:
    """The figures at the top, beside those of all others."""
    mine, others = report.figures, report.others
    rows: list[tuple[str, Callable[[Overview], str]]] = [
        ("话术得分", lambda view: points(view.script_score)),
        ("态度得分", lambda view: points(view.attitude_score)),
        ("要素做到率", lambda view: rate(view.met_rate)),
        ("有禁止行为的通话", lambda view: rate(view.conduct_calls / max(1, view.calls))),
        ("不满意件（其中态度原因）", lambda view: f"{view.dissatisfied}（{view.attitude_caused}）"),
    ]
    return [(title, say(mine), say(others) if others else "—") for title, say in rows]


def _without(charts: Mapping[str, Chart]) -> dict[str, str]:
    """Nothing where a chart of the template was not drawn."""
    return {name: "" for name in ("elements", "weeks") if name not in charts}


def _safe(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title)[:60]
