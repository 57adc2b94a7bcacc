"""The recordings or orders from which a spot check is drawn, read from a table or from JSON."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from pydantic import ValidationError

from qc.errors import OrderError, QcError
from qc.figures.calls import latest_visit
from qc.filed import OrderFile
from qc.order import read_lines
from qc.report import Row
from qc.sampling.plan import Candidate

# Titles that a table's columns may have; the first of a line is the name used here.
_COLUMNS = """
id 录音 录音文件 录音编号 recording
order_id 工单编号 工单号 order_id
department 处置部门 部门 承办单位 department
handler 经办人 热线工作人员 handler
repeated 重复投诉 重复件 是否重复 repeated
satisfaction 满意度 满意情况 回访结果 satisfaction
fact 事实认定 fact_finding
confidence 机器把握 把握 confidence
"""
COLUMNS = {
    title: line.split()[0] for line in _COLUMNS.strip().splitlines() for title in line.split()
}
_YES = frozenset(("是", "有", "重复", "true", "1", "yes", "√"))
_DISSATISFIED = frozenset(("不满意", "dissatisfied"))


def read_population(path: Path) -> list[Candidate]:
    """Candidates of a CSV, an XLSX or a JSONL (order files, or the results of a batch).

    Raises:
        QcError: the file cannot be read, or holds no column that names recordings or orders.
    """
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".xlsx", ".xlsm"):
        return list(_table(path))
    if suffix == ".jsonl":
        return [
            candidate
            for number, line in read_lines(path)
            if (candidate := _line(line, f"{path.name} 第 {number} 行"))
        ]
    raise QcError(f"{path.name} 不是 CSV、XLSX 或 JSONL", "请给出工单清单")


def _table(path: Path) -> Iterator[Candidate]:
    import pandas as pd  # slow

    try:
        table = _read_table(path).fillna("")
    except (OSError, BadZipFile, KeyError, ValueError, IndexError) as error:
        raise QcError(f"打不开清单 {path.name}", "请检查路径；或用 Excel 另存为 XLSX") from error
    table.columns = pd.Index([COLUMNS.get(str(c).strip().lower(), "") for c in table.columns])
    if not {"id", "order_id"} & set(table.columns):
        raise QcError(f"清单 {path.name} 里没有“工单编号”或“录音”这一列", "请把第一行写成列名")
    for cells in table.to_dict("records"):
        fields = {str(name): str(cell).strip() for name, cell in cells.items() if name}
        if any(fields.values()):
            yield _candidate(fields, path.name)


def _read_table(path: Path) -> Any:
    import pandas as pd

    if path.suffix.lower().startswith(".xls"):
        return pd.read_excel(path, dtype=str)
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return pd.read_csv(path, dtype=str, encoding=encoding, sep=None, engine="python")
        except UnicodeDecodeError:
            continue
    raise ValueError("encoding")


def _candidate(fields: Mapping[str, str], where: str) -> Candidate:
    order_id, fact = fields.get("order_id", ""), fields.get("fact", "")
    if not (name := fields.get("id") or order_id):
        raise QcError(f"{where} 有一行没有写工单编号或录音", "请补上，或删去这一行")
    return Candidate(
        id=name,
        department=fields.get("department", ""),
        handler=fields.get("handler", ""),
        order_id=order_id,
        repeated=fields.get("repeated", "").lower() in _YES,
        dissatisfied=fields.get("satisfaction", "").lower() in _DISSATISFIED,
        disproved=fact == "不属实" if fact else None,
        confidence=_share(fields.get("confidence", ""), where),
    )


def _share(text: str, where: str) -> float | None:
    """0.8 or 80%."""
    if not text:
        return None
    try:
        value = float(text.rstrip("%％")) / (100 if text[-1] in "%％" else 1)
    except ValueError as error:
        raise QcError(f"{where} 的把握“{text}”不是数字", "请写 0 到 1 之间的数") from error
    return value


def _line(line: str, where: str) -> Candidate | None:
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("no object")
        if "verdict" in fields and "recording" in fields:
            return _of_result(Row.model_validate(fields))
        if isinstance(fields.get("order"), dict):
            return _of_order(OrderFile.model_validate(fields))
    except ValidationError as error:
        raise OrderError(f"{where} 的内容不符合要求", "请对照说明修改") from error
    except (ValueError, RecursionError) as error:
        raise OrderError(f"{where} 不是有效的 JSON", "请检查该行的括号、引号和逗号") from error
    named = {
        COLUMNS.get(str(k).lower(), ""): "" if v is None else str(v) for k, v in fields.items()
    }
    return _candidate(named, where)


def _of_result(row: Row) -> Candidate | None:
    """An inspected recording; None where it could not be inspected."""
    if row.verdict is None:
        return None
    sure = [behaviour.confidence for behaviour in row.verdict.behaviours]
    return Candidate(
        id=row.recording,
        department=row.department,
        handler=row.handler,
        order_id=row.order_id,
        dissatisfied=row.verdict.satisfaction == "dissatisfied",
        confidence=min(sure, default=None),
    )


def _of_order(file: OrderFile) -> Candidate:
    order, filing = file.order, file.filing
    visit = latest_visit(filing)
    said = visit.satisfaction if visit else filing.satisfaction
    return Candidate(
        id=order.order_id,
        department=order.department or "",
        handler=order.handler or "",
        order_id=order.order_id,
        dissatisfied=said == "dissatisfied",
        disproved=filing.fact_finding == "不属实" if filing.fact_finding else None,
    )
