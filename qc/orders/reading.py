"""An order file on disk: the order, what was filed, and calls as turns or as recordings."""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from qc.errors import AudioError, OrderError, what_is_wrong
from qc.filed import Filing, OrderFile
from qc.inspection import Inspection
from qc.inspector import Inspector
from qc.order import (
    AnsweredBy,
    Call,
    CallKind,
    EndedBy,
    Filed,
    OptionalText,
    Order,
    SpokenTurn,
    Text,
)
from qc.orders.inspection import OrderInspection, inspect_order
from qc.privacy import mask_file_name

HINT = "请对照 samples/order_files 中的样例修改"


class CallOnFile(Filed):
    """A call of an order file: its turns, or its recording (path relative to the file)."""

    call_id: Text = ""
    kind: CallKind | None = None
    recording: OptionalText = None
    turns: tuple[SpokenTurn, ...] = ()
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None


class OrderOnFile(Filed):
    """What an order file holds."""

    order: Order
    filing: Filing = Field(default_factory=Filing)
    calls: tuple[CallOnFile, ...] = ()


def read_order_file(path: Path) -> OrderOnFile:
    """Read an order file.

    Raises:
        OrderError: the file cannot be read, is no JSON object, or a field is not as described.
    """
    try:
        content = OrderOnFile.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise OrderError(f"读不了工单文件 {path.name}", "请检查路径和文件编码（UTF-8）") from error
    except ValidationError as error:
        place, reason = what_is_wrong(error)
        raise OrderError(f"工单文件 {path.name}：“{place}”{reason}", HINT) from error
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise OrderError(
            f"工单文件 {path.name} 第 {line} 行不是有效的 JSON", "请检查括号、引号和逗号"
        ) from error
    for number, call in enumerate(content.calls, 1):
        if bool(call.turns) == bool(call.recording):
            raise OrderError(
                f"工单文件 {path.name} 第 {number} 通电话应有 turns 或 recording 之一", HINT
            )
        if call.turns and call.kind is None:
            raise OrderError(f"工单文件 {path.name} 第 {number} 通电话缺少 kind", HINT)
    return content


def inspect_order_file(path: Path, inspector: Inspector, now: datetime) -> OrderInspection:
    """Judge an order file with all its calls.

    Raises:
        OrderError: the file is not as described.
        AudioError: a recording is missing, broken or no audio.
    """
    content = read_order_file(path)
    inspections = [
        _inspect(number, call, content.order, path.parent, inspector)
        for number, call in enumerate(content.calls, 1)
    ]
    file = OrderFile(
        order=content.order,
        filing=content.filing,
        calls=tuple(_as_calls(content.calls, inspections, content.order)),
    )
    return inspect_order(file, inspections, profile=inspector.profile, now=now)


def _inspect(
    number: int, call: CallOnFile, order: Order, folder: Path, inspector: Inspector
) -> Inspection:
    if not call.recording:
        return inspector.inspect_call(_as_call(call, call.kind, order))
    try:
        return inspector.inspect_file(folder / call.recording, call.kind, order)
    except AudioError as error:
        name = mask_file_name(Path(call.recording).name, order)
        raise AudioError(f"第 {number} 通录音 {name}：{error.message}", error.hint) from error


def _as_calls(
    calls: Iterable[CallOnFile], inspections: Iterable[Inspection], order: Order
) -> Iterable[Call]:
    """The calls as the checks read them; a recording's turns are what was heard."""
    for call, inspection in zip(calls, inspections, strict=True):
        heard = tuple(
            SpokenTurn(
                role=t.role, text=t.text, overlap=t.overlap, fast=t.fast, start=t.start, end=t.end
            )
            for t in inspection.transcript.turns
        )
        yield _as_call(call.model_copy(update={"turns": heard}), inspection.kind, order)


def _as_call(call: CallOnFile, kind: CallKind | None, order: Order) -> Call:
    assert kind is not None  # read_order_file asks for it where there are turns
    return Call(
        call_id=call.call_id,
        kind=kind,
        order=order,
        turns=call.turns,
        answered_by=call.answered_by,
        ended_by=call.ended_by,
    )
