"""The results of a spot check as a workbook."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from qc.catalogue import SEVERITY_TITLES
from qc.fitness import LEVEL_TITLES, QualityLevel
from qc.inspection import SATISFACTION_TITLES, STATUS_TITLES
from qc.order import KIND_TITLES
from qc.report import Row, clock

# Columns of each sheet: title:width in characters.
_WHO = "录音:34 类型:10 部门:18 经办人:10 "
SHEETS = {
    "总表": _WHO + "工单编号:20 状态:9 录音质量:10 总分:7 态度分:8 态度:10 满意度:10 缺失:34 "
    "部分做到:34 禁止行为:34 市民信号:24 时长（秒）:11 提示:40 未能检查的原因:44 逐通报告:12",
    "要素": _WHO + "要素:16 结果:10 原话:60 位置:8 还差:24 规范用语:60",
    "违规": _WHO + "禁止行为:16 程度:10 原话:60 位置:8 秒:8 把握:8 应改说:50 依据条款:34",
    "市民信号": _WHO + "信号:18 原话:60 位置:8 秒:8 建议:50",
}
MAX_LINKS = 60_000  # Excel opens no sheet with more than 65,530
MAX_CELL = 32_000  # characters; Excel refuses 32,768
_STATES = {"ok": "已检查", "invalid": "录音无效", "failed": "未能检查", "error": "内部错误"}
_PAPER = {"met": "#E3F3EA", "partial": "#FCF0D4", "missing": "#FBE3E1", "not_applicable": "#EEF0F3"}


def write_workbook(rows: Iterable[Row], path: Path) -> None:
    """Write the results as a workbook, row by row."""
    part = path.with_suffix(".part")
    with xlsxwriter.Workbook(str(part), {"constant_memory": True}) as book:
        head = book.add_format({"bold": True, "bg_color": "#1F4E6B", "font_color": "#FFFFFF"})
        wrapped = book.add_format({"text_wrap": True, "valign": "top"})
        sheets = {title: book.add_worksheet(title) for title in SHEETS}
        for title, sheet in sheets.items():
            columns = [column.split(":") for column in SHEETS[title].split()]
            for i, (name, width) in enumerate(columns):
                sheet.set_column(i, i, int(width), wrapped)
                sheet.write_string(0, i, name, head)
            sheet.freeze_panes(1, 1)
        papers = {
            title: book.add_format({"bg_color": _PAPER[status], "valign": "top"})
            for status, title in STATUS_TITLES.items()
        }
        used = dict.fromkeys(SHEETS, 0)
        for row in rows:
            for title, cells in _cells(row):
                used[title] += 1
                for i, cell in enumerate(cells):
                    _write(sheets[title], used[title], i, cell, papers)
        for title, sheet in sheets.items():
            sheet.autofilter(0, 0, max(1, used[title]), len(SHEETS[title].split()) - 1)
    part.replace(path)


def _write(
    sheet: Worksheet, row: int, column: int, cell: object, papers: Mapping[str, Any]
) -> None:
    if isinstance(cell, Path) and row <= MAX_LINKS:
        sheet.write_url(row, column, f"external:{cell.as_posix()}", string="打开")
    elif isinstance(cell, str) and cell:
        text = cell[:MAX_CELL]
        sheet.write_string(row, column, text, papers.get(text))
    elif isinstance(cell, (int, float)):
        sheet.write_number(row, column, cell)


def _length(row: Row) -> float | str:
    return round(row.seconds, 1) if row.seconds else ""


def _same_sound(row: Row) -> list[str]:
    return [f"与录音“{'”“'.join(row.same_sound)}”是同一段声音"] if row.same_sound else []


def _cells(row: Row) -> Iterator[tuple[str, Sequence[object]]]:
    """The lines of a recording on each sheet."""
    found = row.verdict
    who = (row.recording, KIND_TITLES[row.kind] if row.kind else "", row.department, row.handler)
    if found is None:
        quality = LEVEL_TITLES[QualityLevel.UNUSABLE] if row.status == "invalid" else ""
        state = (row.order_id, _STATES[row.status], quality)
        yield "总表", (*who, *state, *[""] * 8, _length(row), "", row.reason, "")
        return
    yield (
        "总表",
        (
            *(*who, row.order_id, _STATES[row.status]),
            LEVEL_TITLES[found.recording.quality] if found.recording else "",
            *(found.score, found.attitude.score),
            *(found.attitude.title, SATISFACTION_TITLES[found.satisfaction]),
            *("、".join(found.titles(status)) for status in ("missing", "partial")),
            "、".join(behaviour.title for behaviour in found.behaviours),
            "、".join(signal.title for signal in found.citizen),
            *(_length(row), "；".join((*_same_sound(row), *found.warnings))),
            *("", Path(row.page)),
        ),
    )
    for e in found.elements.values():
        said = "\n".join(dict.fromkeys(heard.quote for heard in e.evidence))
        place = "、".join(dict.fromkeys(clock(heard.start) for heard in e.evidence))
        lapse = e.status in ("partial", "missing")
        lacking, advice = ("、".join(e.lacking), e.advice) if lapse else ("", "")
        yield "要素", (*who, e.title, STATUS_TITLES[e.status], said, place, lacking, advice)
    for b in found.behaviours:
        for q in b.quotes:
            cited = (b.instead, b.source["clause"])
            sure = (clock(q.start), q.start, round(b.confidence, 2))
            yield "违规", (*who, b.title, SEVERITY_TITLES[b.severity], q.text, *sure, *cited)
    for s in found.citizen:
        for q in s.quotes:
            yield "市民信号", (*who, s.title, q.text, clock(q.start), q.start, s.advice)
