"""What can go wrong, said so that a clerk knows what to do next."""

from pydantic import ValidationError


class QcError(Exception):
    """An expected failure. `message` says what happened, `hint` what to do (both Chinese)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)  # both in args, so that the error survives pickling
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        parts = [part.rstrip("。") for part in (self.message, self.hint) if part]
        return "，".join(parts) + "。"


class AudioError(QcError):
    """The recording is missing, unreadable, empty, corrupt, encrypted or no audio."""


class RecogniserError(QcError):
    """The recogniser or its weights cannot be loaded or used."""


class CatalogueError(QcError):
    """A rule or a profile of the catalogue is wrong."""


class OrderError(QcError):
    """The order or the file of calls cannot be read."""


_REASONS = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这个键，请检查拼写",
    "string_type": "应为文字",
    "model_type": "应为一个对象（{…}）",
    "dict_type": "应为一个对象（{…}）",
    "tuple_type": "应为列表（[…]）",
    "list_type": "应为列表（[…]）",
    "bool_parsing": "应为 true 或 false",
    "bool_type": "应为 true 或 false",
    "float_parsing": "应为数字",
    "int_parsing": "应为整数",
    "too_short": "不能是空的",
}


def what_is_wrong(error: ValidationError) -> tuple[str, str]:
    """Place and reason (Chinese) of the first thing that a file's content gets wrong."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "整条记录"
    kind, context = first["type"], first.get("ctx", {})
    if kind.startswith("date"):
        return place, "应为日期，如 2024-06-11"
    if kind in ("literal_error", "enum"):
        return place, f"只能是 {context.get('expected')}".replace(" or ", " 或 ")
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return place, f"数值超出范围（{', '.join(f'{k} {v}' for k, v in context.items())}）"
    if kind == "value_error":
        return place, str(context.get("error", "格式不对"))
    return place, _REASONS.get(kind, "格式不对")
