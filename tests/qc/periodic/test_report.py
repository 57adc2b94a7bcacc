"""Daily, weekly and monthly reports: the same figures everywhere, and nothing left out."""

from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import docx
import openpyxl
import pytest
from PIL import Image

from qc.figures import overview as qf
from qc.figures.overview import Every
from qc.figures.rule_titles import rule_titles
from qc.figures.tables import Tables, narrow, tabulate
from qc.periodic.documents import FORMATS, periodic_charts, workbook, write_periodic
from qc.periodic.report import PeriodicReport, bounds, report_on
from tests.qc.spot_checks import figures

pytestmark = pytest.mark.filterwarnings("error:Glyph")
DAY = date(2024, 6, 18)
MADE_ON = date(2024, 7, 1)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return tabulate(figures())


@pytest.fixture(scope="module")
def month(tables: Tables) -> PeriodicReport:
    return report_on(tables, "month", DAY, rule_titles())


@pytest.mark.parametrize(
    ("every", "first", "last"),
    [
        ("day", DAY, DAY),
        ("week", date(2024, 6, 17), date(2024, 6, 23)),
        ("month", date(2024, 6, 1), date(2024, 6, 30)),
    ],
)
def test_days_weeks_and_months_have_their_bounds(every: Every, first: date, last: date) -> None:
    assert bounds(every, DAY) == (first, last)


def test_a_report_has_the_figures_of_its_period_and_the_one_before(
    tables: Tables, month: PeriodicReport
) -> None:
    june = narrow(tables, since=date(2024, 6, 1), until=date(2024, 6, 30))
    may = narrow(tables, since=date(2024, 5, 1), until=date(2024, 5, 31))
    assert month.figures == qf.overview(june)
    assert month.before == qf.overview(may)
    assert [dict(row) for row in month.rankings["script_score"]] == qf.to_rows(
        qf.ranking(june, "script_score")
    )
    assert {row["department"] for row in month.last} == set(qf.last_three(june)["department"])


def test_attitude_caused_dissatisfaction_is_listed_order_by_order(month: PeriodicReport) -> None:
    assert len(month.attitude_orders) == month.figures.attitude_caused > 0
    assert f"因服务态度 {month.figures.attitude_caused} 件" in "".join(month.summary)


def test_the_trend_ends_with_the_period_of_the_report(month: PeriodicReport) -> None:
    assert month.trend[-1]["on"] == "2024-06-01"
    assert month.trend[-1]["calls"] == month.figures.calls


def test_three_months_among_the_last_are_for_the_head_to_talk_about(tables: Tables) -> None:
    calls = tables.calls.copy()
    bad = (calls["department"] == "城管中队").to_numpy()
    calls.loc[bad, "visited"] = "dissatisfied"
    found = report_on(Tables(calls, tables.findings), "month", DAY, rule_titles())
    assert {r["department"]: r["months"] for r in found.last}["城管中队"] == 3
    assert "约谈" in "".join(found.summary)


def test_the_workbook_shows_what_the_figures_say(month: PeriodicReport) -> None:
    book = openpyxl.load_workbook(BytesIO(workbook(month)))
    assert book.sheetnames[:3] == ["摘要", "各部门", "末三位"]
    head, *rows = book["各部门"].iter_rows(values_only=True)
    shown = [dict(zip(head, row, strict=True)) for row in rows]
    assert [row["处置部门"] for row in shown] == [r["department"] for r in month.standings]
    for row, standing in zip(shown, month.standings, strict=True):
        assert row["满意率"] == pytest.approx(standing["satisfied_rate"])
        assert row["问题数"] == standing["problems"]
    assert len(list(book["态度不满意件"].rows)) == len(month.attitude_orders) + 1


@pytest.mark.parametrize("every", ["day", "week", "month"])
def test_every_form_is_written_and_says_the_same(
    every: Every, tables: Tables, tmp_path: Path
) -> None:
    found = report_on(tables, every, DAY, rule_titles())
    files = {p.suffix[1:]: p for p in write_periodic(found, tmp_path, made_on=MADE_ON)}
    assert set(files) == set(FORMATS)
    document = docx.Document(str(files["docx"]))
    text = "\n".join(p.text for p in document.paragraphs)
    page = files["html"].read_text(encoding="utf-8")
    assert "{{" not in text and f"热线质检{found.title}" in text
    for sentence in found.summary:
        assert sentence in text and sentence in page
    assert len(document.inline_shapes) == len(periodic_charts(found))
    assert page.count("<img") == page.count('alt="') == len(periodic_charts(found))
    assert files["pdf"].read_bytes().startswith(b"%PDF-")


def test_an_empty_period_makes_a_report_too(tables: Tables, tmp_path: Path) -> None:
    found = report_on(tables, "month", date(2020, 1, 1), rule_titles())
    assert found.figures.orders == 0
    assert periodic_charts(found) == {}
    assert len(write_periodic(found, tmp_path, made_on=MADE_ON)) == len(FORMATS)


def test_signs_that_xml_minds_and_formulas_do_no_harm(
    month: PeriodicReport, tmp_path: Path
) -> None:
    evil = tuple({**row, "department": '=1+1<&"'} for row in month.standings)
    found = replace(month, standings=evil)
    files = write_periodic(found, tmp_path, made_on=MADE_ON, formats=["docx", "xlsx", "html"])
    cells = [
        cell.text for t in docx.Document(str(files[0])).tables for r in t.rows for cell in r.cells
    ]
    assert '=1+1<&"' in cells or '=1+1<&"' in "".join(cells)
    (book,) = [p for p in files if p.suffix == ".xlsx"]
    assert openpyxl.load_workbook(book)["各部门"]["A2"].data_type == "s"
    assert '<&"' not in next(p for p in files if p.suffix == ".html").read_text(encoding="utf-8")


def test_charts_are_pictures_of_a_readable_size(month: PeriodicReport) -> None:
    charts = periodic_charts(month)
    assert set(charts) == {"scores", "rates", "conduct", "causes"}
    for chart in charts.values():
        with Image.open(BytesIO(chart.png)) as image:
            assert image.width >= 1200
