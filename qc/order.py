"""The work order and the call made for it, as they are filed; read from JSON and checked here."""

import json
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from qc.errors import OrderError, what_is_wrong
from qc.transcript import Role, Transcript, Turn


class CallKind(StrEnum):
    FIRST_CONTACT = "first_contact"
    REPLY = "reply"


KIND_TITLES = {CallKind.FIRST_CONTACT: "先行联系", CallKind.REPLY: "热线回复"}

AnsweredBy = Literal["petitioner", "third_party_unaware", "third_party_aware", "wrong_number"]
EndedBy = Literal["both", "agent", "citizen", "cut"]
MissingElement = Literal["address", "time", "issue", "contact"]


def blank_is_none(value: object) -> object:
    """A text of blanks only is as good as none."""
    return None if isinstance(value, str) and not value.strip() else _writable(value)


def _writable(value: object) -> object:
    """Text without the lone surrogates that JSON allows and no file does."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_writable)]
OptionalText = Annotated[str | None, BeforeValidator(blank_is_none)]


class Filed(BaseModel):
    """What a platform filed: fields it does not know are left out, null is as good as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, row: Any) -> Any:
        if isinstance(row, dict):
            return {key: value for key, value in row.items() if value is not None}
        return row


class Order(Filed):
    """A work order. Only `order_id` is needed; checks use what is there."""

    order_id: Text = ""
    category: Literal["complaint", "help", "consult", "suggestion", "other"] = "other"
    has_site: bool = True
    petitioner: OptionalText = None
    gender: Literal["male", "female"] | None = None
    reported_on: Annotated[date | None, BeforeValidator(blank_is_none)] = None
    issue: OptionalText = None
    address: OptionalText = None
    department: OptionalText = None
    handler: OptionalText = None
    missing_elements: tuple[MissingElement, ...] = ()
    resolved: bool | None = None


class SpokenTurn(Filed):
    """One turn of a call file."""

    role: Role
    text: Text
    overlap: bool = False
    fast: bool = False
    start: float | None = None
    end: float | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)  # of the recogniser
    # sound, as in `Turn`
    rate: float | None = None
    rate_ratio: float | None = None
    pitch: float | None = None
    loudness: float | None = None
    cut_short: bool = False


class Call(Filed):
    """One call whose turns are given; `labels` are never read here."""

    call_id: Text = ""
    kind: CallKind
    order: Order = Field(default_factory=Order)
    turns: tuple[SpokenTurn, ...]
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None

    def transcript(self) -> Transcript:
        return Transcript(
            tuple(Turn(index=i, **turn.model_dump()) for i, turn in enumerate(self.turns))
        )


def _field(error: ValidationError) -> str:
    place, reason = what_is_wrong(error)
    return f"“{place}”{reason}"


def read_order(path: Path) -> Order:
    """Read one order from a JSON file.

    Raises:
        OrderError: the file cannot be read, is no JSON object, or a field is not as described.
    """
    try:
        return Order.model_validate(json.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise OrderError(f"读不了工单文件 {path.name}", "请检查路径和文件编码（UTF-8）") from error
    except ValidationError as error:
        raise OrderError(
            f"工单文件 {path.name}：{_field(error)}", "请对照 samples/orders 中的样例修改"
        ) from error
    except (ValueError, RecursionError) as error:  # no JSON, absurd numbers, endless nesting
        raise OrderError(
            f"工单文件 {path.name} 第 {getattr(error, 'lineno', 1)} 行不是有效的 JSON",
            "请检查括号、引号和逗号",
        ) from error


def read_call(line: str, where: str) -> Call:
    """Read one call from a line of JSON.

    Raises:
        OrderError: the line is no JSON object or a field is not as described.
    """
    try:
        return Call.model_validate(json.loads(line))
    except ValidationError as error:
        raise OrderError(
            f"{where}：{_field(error)}", "请对照 samples/corpus/GUIDE.md 中的格式修改"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OrderError(f"{where} 不是有效的 JSON", "请检查该行的括号、引号和逗号") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that holds something.

    Raises:
        OrderError: the file cannot be read or is not UTF-8.
    """
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise OrderError(f"读不了文件 {path.name}", "请检查路径和文件编码（UTF-8）") from error
