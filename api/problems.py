"""What went wrong, as problem details (RFC 9457), said in Chinese so that a clerk can act on it."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from qc.errors import QcError, what_is_wrong

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "请求不完整或格式不对",
    401: "尚未登录或凭据无效",
    403: "没有这项权限",
    404: "没有找到",
    405: "这个网址不支持这种操作",
    409: "与现有数据冲突",
    412: "数据已被别人改过",
    413: "内容太大",
    415: "不支持这种内容类型",
    416: "请求的范围不存在",
    422: "内容有误",
    428: "缺少 If-Match",
    429: "请求太多，请稍后再来",
    500: "服务出错",
    503: "服务暂不可用",
}
DETAILS = {  # of what the framework refuses itself
    400: "请求读不出来，请检查格式。",
    404: "没有这个网址。",
    405: "这个网址不支持这种操作。",
    413: "请求正文太大。",
}
DOCUMENTED = (400, 401, 403, 404, 409, 412, 413, 415, 422, 429)


class Flaw(BaseModel):
    """One field that is wrong."""

    place: str = Field(description="哪一项", examples=["body.order_id"])
    reason: str = Field(description="为什么不对", examples=["缺少这一项"])


class ProblemBody(BaseModel):
    """The body of every answer from 400 on."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(description="错误种类", examples=["urn:hotline-qc:not-found"])
    title: str = Field(description="错误名称", examples=["没有找到"])
    status: int = Field(description="HTTP 状态码", examples=[404])
    detail: str = Field(default="", description="说明和建议", examples=["没有这个工单。"])
    request_id: str = Field(default="", description="请求编号，报修时请提供")
    errors: list[Flaw] = Field(default=[], description="逐项错误（422）")


class Problem(Exception):
    """An answer that is not what was asked for.

    Args:
        status: HTTP status.
        detail: what happened and what to do (Chinese).
        title: name of the problem; by status where empty.
        kind: last part of the `type` URN; by status where empty.
        headers: of the answer, such as Retry-After.
        errors: what is wrong field by field.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        title: str = "",
        kind: str = "",
        headers: Mapping[str, str] | None = None,
        errors: Sequence[Flaw] = (),
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.title = title or TITLES.get(status, "出错")
        self.detail = detail
        self.kind = kind or f"http-{status}"
        self.headers = dict(headers or {})
        self.errors = list(errors)

    def response(self) -> JSONResponse:
        """The answer, with the request id of the request being answered."""
        body = ProblemBody(
            type=f"urn:hotline-qc:{self.kind}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
            errors=self.errors,
        )
        content = body.model_dump(exclude_defaults=True)
        return JSONResponse(content, self.status, self.headers, MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """404; also for what exists but is not the caller's."""
    return Problem(404, f"没有这个{what}，或不属于您的部门。", kind="not-found")


def too_many(what: str, seconds: float) -> Problem:
    """429 with Retry-After."""
    wait = max(1, round(seconds))
    return Problem(
        429, f"{what}，请 {wait} 秒后再试。", kind="too-many", headers={"Retry-After": str(wait)}
    )


def documented() -> dict[int | str, dict[str, Any]]:
    """Every problem that a route may answer with, for FastAPI(responses=…)."""
    return {
        status: {
            "description": TITLES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in DOCUMENTED
    }


def install(app: FastAPI) -> None:
    """Make every error of the application a problem."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(QcError)
    async def _expected(_: Request, error: QcError) -> JSONResponse:
        return Problem(422, str(error), kind="refused").response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _validation(error).response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        detail = DETAILS.get(error.status_code, "")
        return Problem(error.status_code, detail, headers=error.headers).response()

    @app.exception_handler(StaleDataError)
    async def _stale(_: Request, __: StaleDataError) -> JSONResponse:
        return Problem(412, "别人刚刚改过这条数据，请重新读取后再改。", kind="stale").response()

    @app.exception_handler(DataError)
    async def _unstorable(_: Request, __: DataError) -> JSONResponse:
        return Problem(422, "内容里有不能保存的字符，或数值超出范围。", kind="invalid").response()

    @app.exception_handler(IntegrityError)
    async def _collision(_: Request, __: IntegrityError) -> JSONResponse:
        return Problem(409, "与刚刚保存的数据冲突，请重新读取后再试。", kind="conflict").response()

    @app.exception_handler(OperationalError)
    async def _database(_: Request, error: OperationalError) -> JSONResponse:
        structlog.get_logger().error("database", error=str(error.orig))
        answer = {"Retry-After": "5"}
        return Problem(503, "数据库暂时无法使用，请稍后再试。", headers=answer).response()


def _validation(error: RequestValidationError) -> Problem:
    errors = error.errors()
    if any(e["type"] == "json_invalid" for e in errors):
        return Problem(400, "请求正文不是有效的 JSON，请检查括号、引号和逗号。", kind="not-json")
    flaws = [_flaw(e) for e in errors]
    first = flaws[0]
    return Problem(422, f"“{first.place}”{first.reason}。", kind="invalid", errors=flaws)


def _flaw(error: Any) -> Flaw:
    single = cast(ValidationError, RequestValidationError([error]))  # has the same errors()
    place, reason = what_is_wrong(single)
    return Flaw(place=place, reason=reason)
