"""The application: routes, middleware and what its documentation says."""

from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import pages, problems
from api.body_limit import BodyLimit
from api.headers import SecurityHeaders
from api.idempotency import HEADER, Idempotency
from api.limits import Limits
from api.logs import RequestLog
from api.metrics import measure
from api.problems import ProblemBody
from api.routes import ROUTERS
from api.service import Service

DESCRIPTION = """\
检查 12345 热线工单的先行联系和热线回复录音：
上传工单和录音，得到话术、行为规范、态度、一致性和时限的结论。

- **身份**：系统用 `Authorization: Bearer hq_…`；人用网页登录。没有权限的数据按不存在处理（404）。
- **个人信息**默认遮盖；有权限者加 `unmasked=true` 查看，每次查看都记入审计日志。
- **错误**一律是 `application/problem+json`（RFC 9457），`detail` 说明原因和办法。
- **重复提交**：POST 可带 `Idempotency-Key`，24 小时内同一个键只执行一次，之后的回答与第一次相同。
- **时间**为 ISO 8601 并带时区；不带时区的按上海时间理解。
"""
TAGS = [
    {"name": "工单", "description": "工单、填报内容和整单结论"},
    {"name": "录音", "description": "上传、收听和检查结果"},
    {"name": "任务", "description": "排队和进度"},
    {"name": "通知", "description": "通知、送达和联系人"},
    {"name": "复核", "description": "对结论的确认、推翻和补充"},
    {"name": "申诉", "description": "部门的申诉及其决定"},
    {"name": "抽检", "description": "抽检方案、进度和结果"},
    {"name": "统计和报告", "description": "看板的数字、日报周报月报和辅导报告"},
    {"name": "规则", "description": "话术要素、禁止行为、市民信号和街镇配置"},
    {"name": "登录", "description": "网页登录"},
    {"name": "账号", "description": "人的账号（管理员）"},
    {"name": "密钥", "description": "系统的密钥（管理员）"},
    {"name": "审计", "description": "谁看过、改过什么"},
    {"name": "运行", "description": "健康检查和指标"},
]


def create_app(service: Service) -> FastAPI:
    """The service's web application."""
    app = FastAPI(
        title="hotline-qc 热线录音质检",
        version=version("hotline-qc"),
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        responses=problems.documented(),
    )
    app.state.service = service
    app.state.limits = Limits(service.settings)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    pages.mount(app)
    measure(app, service)
    app.add_middleware(Idempotency)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)
    app.add_middleware(SecurityHeaders)  # the outermost
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            tags=app.openapi_tags,
            routes=app.routes,
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        body = ProblemBody.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= body.pop("$defs", {})
        schemas["Problem"] = body
        for path in schema["paths"].values():
            if "post" in path:
                path["post"].setdefault("parameters", []).append(_idempotency_parameter())
        app.openapi_schema = schema
    return app.openapi_schema


def _idempotency_parameter() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "同一个键在 24 小时内只执行一次",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    }
