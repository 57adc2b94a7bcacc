"""Daily, weekly and monthly reports as XLSX, DOCX, PDF and HTML."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format as CellFormat
from xlsxwriter.worksheet import Worksheet

from qc.charts import MET, MISSING, PARTIAL, Chart, bars, lines, shares
from qc.documents import Format, docx, html, pdf, save
from qc.figures.overview import MEASURE_TITLES, Measure
from qc.periodic.report import PeriodicReport

FORMATS: tuple[Format, ...] = ("xlsx", "docx", "pdf", "html")
CHARTS = ("scores", "rates", "conduct", "causes")  # that the templates know
RANKED: tuple[Measure, ...] = tuple(MEASURE_TITLES)


def periodic_charts(report: PeriodicReport) -> dict[str, Chart]:
    """The pictures of a report; one that would show nothing is left out."""
    days = [_label(report, row["on"]) for row in report.trend]

    def course(key: str) -> list[float | None]:
        return [row[key] for row in report.trend]

    charts: dict[str, Chart] = {}
    if len(days) > 1:
        series = [("话术得分", course("script_score")), ("态度得分", course("attitude_score"))]
        charts["scores"] = lines("得分走势", days, series)
        series = [
            ("满意率", course("satisfied_rate")),
            ("要素做到率", course("met_rate")),
            ("有禁止行为的通话", course("conduct_rate")),
        ]
        charts["rates"] = lines("比率走势", days, series, percent=True)
    if report.behaviours:
        names = [row["title"] for row in report.behaviours]
        calls = [row["calls"] for row in report.behaviours]
        charts["conduct"] = bars("禁止行为（通）", names, calls, MISSING)
    if report.figures.dissatisfied:
        colours = (MISSING, PARTIAL, "#5b7f99", MET, "#98a5b0")
        parts = [
            (row["title"], row["orders"], colour)
            for row, colour in zip(report.causes, colours, strict=True)
            if row["orders"]
        ]
        charts["causes"] = shares("不满意原因（件）", parts)
    return charts


def _label(report: PeriodicReport, on: str) -> str:
    day = date.fromisoformat(on)
    return f"{day.year}.{day.month}" if report.every == "month" else f"{day.month}.{day.day}"


def write_periodic(
    report: PeriodicReport,
    folder: Path,
    *,
    made_on: date,
    made_by: str = "城市运行管理中心",
    formats: Collection[Format] = FORMATS,
) -> list[Path]:
    """Write the report in each format; return the files."""
    charts = periodic_charts(report)
    context: dict[str, Any] = {
        "report": report,
        "made_on": made_on,
        "made_by": made_by,
        "measures": MEASURE_TITLES,
        "ranked": _ranked(report),
    }
    stem = folder / f"热线质检{report.title}-{report.since:%Y%m%d}"
    written = []
    for wanted in formats:
        if wanted == "xlsx":
            content: str | bytes = workbook(report)
        elif wanted == "docx":
            absent = {name: "" for name in CHARTS if name not in charts}
            content = docx("periodic.docx", context | absent, charts)
        else:
            page = html("periodic.html.jinja", context | {"charts": charts})
            content = page if wanted == "html" else pdf(page)
        written.append(save(content, stem.with_name(f"{stem.name}.{wanted}")))
    return written


def _ranked(report: PeriodicReport) -> list[dict[str, Any]]:
    """Departments with their rank by each measure, as the standings are ordered."""
    ranks: dict[str, dict[str, int]] = {
        measure: {row["department"]: row["rank"] for row in rows}
        for measure, rows in report.rankings.items()
    }
    return [
        {**row, "ranks": {measure: ranks[measure].get(row["department"]) for measure in RANKED}}
        for row in report.standings
    ]


@dataclass(frozen=True)
class Column:
    """A column of a sheet: key of the row, title, width in characters, how numbers look."""

    key: str
    title: str
    width: int = 12
    look: str = ""  # "", rate, score


_DEPARTMENT = Column("department", "处置部门", 22)
SHEETS: Mapping[str, tuple[str, tuple[Column, ...]]] = {
    "各部门": (
        "standings",
        (
            *(_DEPARTMENT, Column("orders", "工单"), Column("calls", "检查通话")),
            *(Column("contacted_rate", "先行联系率", 12, "rate"),),
            *(Column("on_time_rate", "按期完成率", 12, "rate"),),
            *(Column("satisfied_rate", "满意率", 12, "rate"),),
            *(Column("script_score", "话术得分", 12, "score"),),
            *(Column("attitude_score", "态度得分", 12, "score"), Column("problems", "问题数")),
            *(Column("problems_per_call", "通均问题数", 12, "score"),),
            *(Column("dissatisfied", "不满意件"), Column("attitude_caused", "其中态度原因", 14)),
        ),
    ),
    "末三位": (
        "last",
        (
            *(_DEPARTMENT, Column("satisfied_rate", "满意率", 12, "rate"), Column("rank", "名次")),
            *(Column("said", "有评价的工单", 14), Column("months", "连续月数")),
        ),
    ),
    "走势": (
        "trend",
        (
            *(Column("on", "起始日期", 14), Column("orders", "工单"), Column("calls", "检查通话")),
            *(Column("script_score", "话术得分", 12, "score"),),
            *(Column("attitude_score", "态度得分", 12, "score"),),
            *(Column("met_rate", "要素做到率", 12, "rate"),),
            *(Column("conduct_rate", "禁止行为通话", 14, "rate"),),
            *(Column("satisfied_rate", "满意率", 12, "rate"), Column("dissatisfied", "不满意件")),
        ),
    ),
    "最弱要素": (
        "elements",
        (
            *(
                Column("title", "话术要素", 24),
                Column("met", "做到"),
                Column("partial", "部分做到"),
            ),
            *(Column("missing", "缺失"), Column("met_rate", "做到率", 12, "rate")),
        ),
    ),
    "禁止行为": (
        "behaviours_by_department",
        (_DEPARTMENT, Column("title", "行为", 20), Column("calls", "通"), Column("times", "次")),
    ),
    "重复缺陷": (
        "defects",
        (
            *(_DEPARTMENT, Column("handler", "经办人"), Column("title", "问题", 24)),
            *(Column("calls", "通"), Column("first", "最早", 14), Column("last", "最近", 14)),
        ),
    ),
    "态度不满意件": (
        "attitude_orders",
        (
            *(Column("order_id", "工单编号", 22), Column("on", "日期", 14), _DEPARTMENT),
            *(Column("handler", "经办人"), Column("inferred", "原因由通话推断", 16)),
        ),
    ),
}


def workbook(report: PeriodicReport) -> bytes:
    """All tables as a workbook with the trend as a chart."""
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False}) as book:
        looks = {
            "": book.add_format({"valign": "top", "border": 1, "border_color": "#D9E0E6"}),
            "rate": book.add_format({"num_format": "0.0%", "border": 1, "border_color": "#D9E0E6"}),
            "score": book.add_format({"num_format": "0.0", "border": 1, "border_color": "#D9E0E6"}),
            "head": book.add_format(
                {"bold": True, "bg_color": "#1F4E6B", "font_color": "#FFFFFF", "border": 1}
            ),
        }
        _write_summary(book, report)
        for name, (attribute, columns) in SHEETS.items():
            _write_sheet(book, name, getattr(report, attribute), columns, looks)
        _add_trend(book, len(report.trend))
    return stream.getvalue()


def _write_summary(book: xlsxwriter.Workbook, report: PeriodicReport) -> None:
    sheet = book.add_worksheet("摘要")
    sheet.set_column(0, 0, 110)
    title = book.add_format({"bold": True, "font_size": 16})
    sheet.write_string(0, 0, f"热线质检{report.title}（{report.period}）", title)
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for i, sentence in enumerate(report.summary, 2):
        sheet.write_string(i, 0, sentence, wrapped)


def _write_sheet(
    book: xlsxwriter.Workbook,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    looks: Mapping[str, CellFormat],
) -> None:
    sheet = book.add_worksheet(name)
    for i, column in enumerate(columns):
        sheet.set_column(i, i, column.width)
        sheet.write_string(0, i, column.title, looks["head"])
        for number, row in enumerate(rows, 1):
            value = row.get(column.key)
            if isinstance(value, bool):
                value = "是" if value else "否"
            if value is None:
                sheet.write_string(number, i, "—", looks[""])
            else:
                sheet.write(number, i, value, looks[column.look])
    sheet.freeze_panes(1, 1)
    _fit_to_paper(sheet)
    if rows:
        sheet.autofilter(0, 0, len(rows), len(columns) - 1)


def _fit_to_paper(sheet: Worksheet) -> None:
    """A4 on its side, as wide as the page."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _add_trend(book: xlsxwriter.Workbook, periods: int) -> None:
    if periods < 2:
        return
    titles = [column.title for column in SHEETS["走势"][1]]
    chart = book.add_chart({"type": "line"})
    for title, colour in (("话术得分", "#1F4E6B"), ("态度得分", "#DBA32F")):
        column = titles.index(title)
        chart.add_series(
            {
                "name": title,
                "categories": ["走势", 1, 0, periods, 0],
                "values": ["走势", 1, column, periods, column],
                "line": {"color": colour, "width": 2},
                "marker": {"type": "circle", "size": 5},
            }
        )
    chart.set_y_axis({"min": 0, "max": 100})
    chart.set_title({"name": "得分走势"})
    chart.show_na_as_empty_cell()
    book.get_worksheet_by_name("走势").insert_chart(
        periods + 2, 0, chart, {"description": "得分走势", "x_scale": 1.6}
    )
