"""The list of a spot check, for the people who listen: CSV or XLSX."""

import csv
from pathlib import Path

import xlsxwriter

from qc.errors import QcError
from qc.privacy import mask_file_name
from qc.sampling.plan import Candidate, Draw

# Columns: title:width in characters; the last three are filled in by hand.
COLUMNS = (
    "序号:6 录音:30 工单编号:22 处置部门:20 经办人:10 抽取原因:44 入样概率:10 复听人:10 "
    "复听结论:12 备注:30"
)
VERDICTS = ("合格", "不合格")


def write_picks(draw: Draw, path: Path) -> None:
    """Write the picks; the suffix of `path` says how.

    Raises:
        QcError: another suffix, or the file cannot be written.
    """
    writers = {".csv": _write_csv, ".xlsx": _write_workbook}
    if path.suffix.lower() not in writers:
        raise QcError(f"不会写 {path.name}", "抽检清单请用 .xlsx 或 .csv")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        writers[path.suffix.lower()](draw, part)
        part.replace(path)
    except (OSError, xlsxwriter.exceptions.FileCreateError) as error:
        raise QcError(f"写不了 {path}", "请检查权限，并关闭已打开的文件") from error


def _rows(draw: Draw) -> list[tuple[int | str | float, ...]]:
    return [
        (
            *(i, _recording(pick.candidate), pick.candidate.order_id),
            *(pick.candidate.department, pick.candidate.handler, pick.reason),
            round(pick.probability, 4),
        )
        for i, pick in enumerate(draw.picks, 1)
    ]


def _recording(candidate: Candidate) -> str:
    return "" if candidate.id == candidate.order_id else mask_file_name(candidate.id)


def _titles() -> list[str]:
    return [column.split(":")[0] for column in COLUMNS.split()]


def _write_csv(draw: Draw, path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_titles())
        for row in _rows(draw):
            blank = [""] * (len(_titles()) - len(row))
            writer.writerow([*(_harmless(cell) for cell in row), *blank])


def _harmless(cell: object) -> object:
    """Excel takes a text that begins so for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@")) else cell


def _write_workbook(draw: Draw, path: Path) -> None:
    with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False}) as book:
        head = book.add_format({"bold": True, "bg_color": "#1F4E6B", "font_color": "#FFFFFF"})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        share = book.add_format({"num_format": "0.0%", "valign": "top"})
        by_hand = book.add_format({"bg_color": "#FFF9E5", "text_wrap": True, "border": 1})
        sheet = book.add_worksheet("抽检清单")
        for i, column in enumerate(COLUMNS.split()):
            title, width = column.split(":")
            sheet.set_column(i, i, int(width), share if title == "入样概率" else wrapped)
            sheet.write_string(0, i, title, head)
        for number, row in enumerate(_rows(draw), 1):
            sheet.write_row(number, 0, row)
            for blank in range(len(row), len(_titles())):
                sheet.write_blank(number, blank, None, by_hand)
        conclusion = _titles().index("复听结论")
        sheet.data_validation(
            1,
            conclusion,
            max(1, len(draw.picks)),
            conclusion,
            {"validate": "list", "source": [*VERDICTS]},
        )
        sheet.freeze_panes(1, 3)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.autofilter(0, 0, max(1, len(draw.picks)), len(COLUMNS.split()) - 1)
        _write_plan(book, draw)


def _write_plan(book: xlsxwriter.Workbook, draw: Draw) -> None:
    """How the picks were drawn, so that the draw can be repeated and explained."""
    plan, weights = draw.plan, draw.plan.weights
    size = (
        f"比例 {plan.share:.1%}"
        if plan.share
        else f"精度 ±{plan.precision:.1%}（{plan.confidence:.0%} 置信）"
    )
    lines: list[tuple[str, str | int]] = [
        ("抽检方案", plan.title),
        ("候选总数", draw.population),
        ("抽取件数", len(draw.picks)),
        ("规模", size),
        ("每位经办人至少", plan.at_least),
        ("随机种子", plan.seed),
        (
            "加大抽检",
            f"重点跟踪部门 ×{weights.watched:g}、重复投诉 ×{weights.repeated:g}、"
            f"不满意件 ×{weights.dissatisfied:g}、"
            f"机器把握低于 {plan.doubtful_below:.0%} ×{weights.doubtful:g}",
        ),
        *((f"重点跟踪：{department}", reason) for department, reason in draw.watched.items()),
    ]
    sheet = book.add_worksheet("方案")
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 80)
    for i, line in enumerate(lines):
        sheet.write_row(i, 0, line)
